"""Videos of public data sets for adaptation, read from their own layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_builders.readers.source import Drops
from data_builders.records import Record
from eval.adaptation_videos import Video, VideoOptions, as_film, read_videos, video_errors
from tests.fakes.picture_datasets import standing, write_3dpw, write_egobody, write_jpeg
from unipose.body.body import Body, load_body
from unipose.body.camera import Camera
from unipose.body.keypoint_sets import MPI_INF_3DHP_17
from unipose.body.keypoints import Keypoints
from unipose.errors import ConfigError
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def options_of(videos: str, **changed: object) -> VideoOptions:
    return VideoOptions(videos=videos, **changed)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_sequence_of_3dpw_becomes_a_video(tmp_path: Path, body: Body):
    options = options_of(f"3dpw={write_3dpw(tmp_path, frames=13)}?fps=0", frames=11)
    (video,) = read_videos(options, Drops())
    assert (video.name, video.source, len(video.records)) == ("downtown_walking_00-0", "3dpw", 11)
    film, source = as_film(video, options, 16)
    assert source == "detected (the source's)"
    assert film.keypoints.present.sum(1).tolist() == [1] + [0] * 10  # OpenPose saw one wrist
    true, source = as_film(video, options_of("", true_keypoints=True), 16)
    assert source == "ground truth"
    assert bool(true.keypoints.present.all())

    rotations, betas, _, _ = video.truth(body)
    assert rotations is not None
    assert betas is not None
    turned = torch.cat([LEVEL @ rotations[:, :1], rotations[:, 1:]], dim=1)
    right = RecoveredMeshes(rotations=turned, betas=betas, camera=torch.zeros(11, 3))
    assert max(video_errors(right, video, body).values()) < 0.05


def test_joints_alone_are_compared_by_name(tmp_path: Path, body: Body):
    joints = torch.from_numpy(standing(MPI_INF_3DHP_17.names)).float()[None]
    record = Record(
        key="mpi_inf_3dhp/TS1:0", source="mpi_inf_3dhp", split="test",
        image=write_jpeg(tmp_path / "0.jpg", (64, 64)), box=(2.0, 2.0, 60.0, 60.0),
        camera=Camera(camera_from_world=LEVEL, position=torch.tensor([0.0, 1, 4]), focal=1.0),
        keypoints_3d=Keypoints.of(MPI_INF_3DHP_17, joints),
    )  # fmt: skip
    video = Video(name="TS1-0", source="mpi_inf_3dhp", records=(record,) * 3)
    still = torch.eye(3).repeat(3, 24, 1, 1)
    still[:, 0] = LEVEL
    said = RecoveredMeshes(rotations=still, betas=torch.zeros(3, 10), camera=torch.zeros(3, 3))
    found = video_errors(said, video, body)
    assert set(found) == {"mpjpe_mm", "pa_mpjpe_mm"}  # neither vertices nor a whole skeleton
    assert 0 < found["pa_mpjpe_mm"] < 400
    with pytest.raises(ConfigError, match="no detected 2D keypoints"):
        as_film(video, options_of(""), 16)
    film, source = as_film(video, options_of("", true_keypoints=True), 16)
    assert source == "ground truth"
    assert bool(film.keypoints.present.all())


@pytest.mark.slow
def test_egobody_comes_with_openpose(tmp_path: Path):
    options = options_of(f"egobody={write_egobody(tmp_path, frames=14)}?fps=0")
    (video,) = read_videos(options, Drops())
    film, source = as_film(video, options, 16)
    assert (len(film), source) == (12, "detected (the source's)")
    assert film.keypoints.keypoint_set.name == "openpose-25"


def test_modes_that_need_labels_are_refused_without():
    with pytest.raises(ConfigError, match="needs labels"):
        VideoOptions(videos="3dpw=x", modes=("fill_in",))
