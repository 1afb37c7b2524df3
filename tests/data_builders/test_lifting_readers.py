"""Data sets of lifting in their real layouts, and recordings seen by published cameras."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from data_builders.lifting.h3wb_lifting import read_h3wb
from data_builders.lifting.human36m_lifting import read_human36m
from data_builders.lifting.lifting_splits import LiftingSource, protocol_of_source, read_split
from data_builders.lifting.mocap_lifting import HUMAN36M_CAMERAS, MocapLiftingConfig, read_mocap
from data_builders.lifting.mpi_inf_3dhp_lifting import read_mpi_inf_3dhp
from tests.fakes.lifting_datasets import (
    JOINTS,
    PLACE,
    TURN,
    h3wb_samples,
    write_3dhp_npz,
    write_human36m_npz,
)
from tests.fakes.picture_datasets import write_h3wb
from unipose.body.body import load_body
from unipose.body.keypoint_points import keypoint_points
from unipose.body.keypoint_sets import HUMAN36M_16, HUMAN36M_17, HUMAN36M_17_OF_32, MPII_16
from unipose.errors import FileError, MissingFileError, SkeletonError
from unipose.lifting.screen import on_screen


@pytest.mark.parametrize("camera_to_world", [True, False])
def test_human36m_is_read_as_the_cameras_see_it(tmp_path: Path, camera_to_world: bool):
    write_human36m_npz(tmp_path, camera_to_world=camera_to_world)
    data = read_human36m(tmp_path, "train", HUMAN36M_17)
    assert len(data) == 4 * 3
    assert {name.subject for name in data.names} == {"S1"}
    assert data.names[1].camera == HUMAN36M_CAMERAS[1].name
    local = (JOINTS - PLACE) @ TURN.T
    wanted = (local - local[:1])[list(HUMAN36M_17_OF_32)]
    torch.testing.assert_close(data.truth[0].double(), torch.from_numpy(wanted), atol=1e-5, rtol=0)
    camera = HUMAN36M_CAMERAS[0]
    pixels = local[:, :2] / local[:, 2:] * camera.focal_px + camera.centre_px
    torch.testing.assert_close(
        data.seen[0].double(),
        on_screen(torch.from_numpy(pixels[list(HUMAN36M_17_OF_32)]), camera.size_px),
        atol=1e-4, rtol=0,
    )  # fmt: skip
    assert read_human36m(tmp_path, "val", HUMAN36M_16).truth.shape == (12, 16, 3)


def test_cameras_that_do_not_fit_and_pickles_that_run_something_are_refused(tmp_path: Path):
    write_human36m_npz(tmp_path)
    cameras = pickle.loads((tmp_path / "cameras.pkl").read_bytes())
    for camera in cameras.values():
        camera["T"] = camera["T"] + 0.5
    (tmp_path / "cameras.pkl").write_bytes(pickle.dumps(cameras))
    with pytest.raises(FileError, match="does not fit S1"):
        read_human36m(tmp_path, "train", HUMAN36M_17)
    (tmp_path / "cameras.pkl").write_bytes(pickle.dumps(print))
    with pytest.raises(FileError, match="nothing in it was executed"):
        read_human36m(tmp_path, "train", HUMAN36M_17)
    (tmp_path / "data_3d_h36m.npz").unlink()
    with pytest.raises(MissingFileError):
        read_human36m(tmp_path, "train", HUMAN36M_17)


@pytest.mark.parametrize("head_apart", [False, True])
def test_3dhp_counts_from_the_pelvis_whatever_slot_0_holds(tmp_path: Path, head_apart: bool):
    write_3dhp_npz(tmp_path, head_apart=head_apart)
    data = read_mpi_inf_3dhp(tmp_path, "train")
    assert len(data) == 2 * 4
    wanted = torch.from_numpy(np.load(tmp_path / "truth.npy")) / 1000
    torch.testing.assert_close(data.truth[:4].double(), wanted, atol=1e-5, rtol=0)
    assert {name.subject for name in read_mpi_inf_3dhp(tmp_path, "val").names} == {"S8"}


def test_the_two_protocols_of_3dhp_are_kept_apart(tmp_path: Path):
    write_3dhp_npz(tmp_path)
    official = read_mpi_inf_3dhp(tmp_path, "test")
    # frame 2 of TS1 is beside the camera and left out; two of its others are valid
    assert len(official) == 3 + 4
    assert official.valid is not None
    assert official.valid.tolist() == [True, False, True, False, True, True, True]
    single = read_mpi_inf_3dhp(tmp_path, "test", "single-frame")
    assert (len(single), single.valid) == (3, None)
    counts = [
        len(protocol_of_source(LiftingSource(data=name)).pck_joints)  # type: ignore[arg-type]
        for name in ("mpi_inf_3dhp", "mpi_inf_3dhp_single_frame")
    ]
    assert counts == [14, 0]


@pytest.mark.slow
def test_h3wb_is_read_from_its_archive_and_from_samples(tmp_path: Path):
    write_h3wb(tmp_path / "npz")
    learn, val = (read_h3wb(tmp_path / "npz", split) for split in ("train", "val"))
    assert len(learn) + len(val) == 8  # two frames, four cameras
    hips = learn.truth[:, learn.keypoint_set.indices("left_hip", "right_hip")]
    assert float(hips.mean(1).abs().max()) < 1e-6
    (tmp_path / "json").mkdir()
    for name, count in (("2Dto3D_train", 10), ("2Dto3D_test_3d", 16)):
        (tmp_path / "json" / f"{name}.json").write_text(json.dumps(h3wb_samples(count)))
    assert [len(read_h3wb(tmp_path / "json", split)) for split in ("train", "val")] == [8, 2]
    test = read_h3wb(tmp_path / "json", "test")
    assert len(test) == 8  # four of each eight samples are for lifting pictures
    sample = h3wb_samples(16)["8"]["keypoints_3d"]["3"]
    ends = [h3wb_samples(16)["8"]["keypoints_3d"][j] for j in ("11", "12")]
    wanted = (sample["x"] - (ends[0]["x"] + ends[1]["x"]) / 2) / 1000
    assert float(test.truth[4, 3, 0]) == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(MissingFileError, match="h3wb_train"):
        read_split(LiftingSource(data="h3wb", folder=tmp_path), "train")


def test_every_joint_of_human36m_has_a_place_on_the_body():
    body = load_body()
    points = keypoint_points(body, HUMAN36M_17)
    places = points.places(body.rest_joints, body.template)
    torch.testing.assert_close(
        (points.of_joints.sum(1) + points.of_vertices.sum(1)), torch.ones(17)
    )
    height = {name: float(places[i, 1]) for i, name in enumerate(HUMAN36M_17.names)}
    order = ["pelvis", "back", "neck", "jaw", "head_top"]
    assert [height[name] for name in order] == sorted(height[name] for name in order)
    with pytest.raises(SkeletonError, match="upper_neck"):
        keypoint_points(body, MPII_16)


@pytest.mark.slow
def test_recordings_are_seen_by_four_cameras_and_actors_keep_their_shape(mocap_folder: Path):
    config = MocapLiftingConfig(fps=2.0)
    data = read_mocap(mocap_folder, "val", config)
    again = read_mocap(mocap_folder, "val", config)
    assert torch.equal(data.seen, again.seen)
    assert float(data.seen.abs().max()) < 4
    assert float(data.truth[:, 0].abs().max()) == 0.0
    knee, hip = HUMAN36M_17.indices("left_knee", "left_hip")
    thigh = (data.truth[:, knee] - data.truth[:, hip]).norm(dim=-1)
    by_actor: dict[str, set[int]] = {}
    for length, sequence in zip(thigh.tolist(), data.sequence.tolist(), strict=True):
        by_actor.setdefault(data.names[sequence].subject, set()).add(round(length * 1000))
    assert all(max(some) - min(some) <= 1 for some in by_actor.values())
    assert len({min(some) for some in by_actor.values()}) > 3
