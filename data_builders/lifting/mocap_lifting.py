"""Our lifting benchmark: recorded motion on bodies of drawn shapes, seen by published cameras.

Everybody (an actor of a manifest) has one shape and all their recordings; actors of the validation
and test splits are seen by nobody who learns. Each recording is filmed by Human3.6M's four cameras
(or others) at once.
The recordings are retargeted, so that they all have the joints of one skeleton.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import pi
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from data_builders.mocap import Recording, choose, read_manifest
from data_builders.readers.mpi_inf_3dhp import TEST_CAMERAS
from unipose.body.body import Body, load_body
from unipose.body.camera import Camera, CameraTrack
from unipose.body.keypoint_points import keypoint_points
from unipose.body.keypoint_sets import HUMAN36M_17, KeypointSet, keypoint_set
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.screen import on_screen, usable
from unipose.vision.body_landmarks import LandmarkedBody


@dataclass(frozen=True, kw_only=True)
class LiftingCamera:
    """Intrinsics of a camera that a data set was recorded with (pixels)."""

    name: str
    size_px: tuple[int, int]
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]


HUMAN36M_CAMERAS = (
    LiftingCamera(name="54138969", size_px=(1000, 1002), focal_px=(1145.049, 1143.781),
                  centre_px=(512.542, 515.451)),
    LiftingCamera(name="55011271", size_px=(1000, 1000), focal_px=(1149.676, 1147.592),
                  centre_px=(508.849, 508.065)),
    LiftingCamera(name="58860488", size_px=(1000, 1000), focal_px=(1149.141, 1148.799),
                  centre_px=(519.816, 501.403)),
    LiftingCamera(name="60457274", size_px=(1000, 1002), focal_px=(1145.511, 1144.774),
                  centre_px=(514.968, 501.882)),
)  # fmt: skip
"""Human3.6M's four (its lenses' distortion is left out)."""
MPI_INF_3DHP_CAMERAS = tuple(
    LiftingCamera(
        name=name, size_px=size_px, focal_px=tuple(camera.focal_px[0].tolist()),
        centre_px=tuple(camera.centre_px[0].tolist()),
    )
    for name, (camera, size_px) in zip(("TS1-4", "TS5-6"), TEST_CAMERAS, strict=True)
)  # fmt: skip
"""The two of MPI-INF-3DHP's test set."""


@dataclass(frozen=True, kw_only=True)
class MocapLiftingConfig:
    """How the recordings are filmed."""

    keypoints: str = HUMAN36M_17.name
    fps: float = 10.0
    cameras: tuple[LiftingCamera, ...] = HUMAN36M_CAMERAS
    shape: float = 0.8
    """Standard deviation of an actor's betas."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ConfigError("expected at least one camera")


def read_mocap(
    folder: Path, split: str, config: MocapLiftingConfig, body: Body | None = None
) -> LiftingData:
    """Return the frames of all recordings of a split, by every camera.

    Frames in which somebody runs out of a picture, far off or behind the camera, are left out.
    Raises what reading a manifest and its recordings raises, and LiftingError if nothing is left.
    """
    body = body or load_body()
    chosen = keypoint_set(config.keypoints)
    points = LandmarkedBody(body, range(len(chosen)), keypoint_points(body, chosen))
    parts = []
    for recording in track(
        choose(read_manifest(folder), split=split), description=f"filming {split}", transient=True
    ):
        pose = recording.open(fps=config.fps)
        parts += _filmed(recording, pose, points, config)
    return LiftingData.joined(parts)


def _filmed(
    recording: Recording, pose: Pose, points: LandmarkedBody, config: MocapLiftingConfig
) -> list[LiftingData]:
    actor = recording.subject or recording.path
    random = np.random.default_rng([config.seed, zlib.crc32(actor.encode())])
    betas = torch.from_numpy(random.normal(size=10).clip(-2.5, 2.5) * config.shape).float()
    with torch.no_grad():
        _, places = points(pose.rotations.float(), betas.expand(len(pose), -1))
    way = torch.zeros(len(pose), 3) if pose.translation is None else pose.translation.float()
    random = np.random.default_rng([config.seed, zlib.crc32(recording.path.encode())])
    start = random.uniform(-pi, pi)
    parts = []
    for number, camera in enumerate(config.cameras):
        azimuth = start + number * pi / 2 + random.normal(0.0, 0.25)
        film = _placed(camera, way, azimuth, random)
        seen = on_screen(film.project(places + way[:, None]).nan_to_num(nan=1e6), camera.size_px)
        truth = film.to_camera(places + way[:, None])
        truth = truth - root_of(truth, keypoint_set(config.keypoints))
        kept = usable(seen, truth)
        if bool(kept.any()):
            parts.append(
                LiftingData(
                    keypoint_set=keypoint_set(config.keypoints),
                    seen=seen[kept],
                    truth=truth[kept],
                    sequence=torch.zeros(int(kept.sum()), dtype=torch.long),
                    names=(
                        SequenceName(subject=actor, action=recording.label, camera=camera.name),
                    ),
                    fps=config.fps,
                )
            )
    return parts


def _placed(
    camera: LiftingCamera,
    way: Float[Tensor, "frame 3"],
    azimuth: float,
    random: np.random.Generator,
) -> CameraTrack:
    """Return the camera at one side of the way, at the height and distance of Human3.6M's."""
    low, high = way.amin(0), way.amax(0)
    middle = (low + high) / 2
    far = random.uniform(3.8, 5.4) + float((high - low)[[0, 2]].norm()) / 2
    aside = torch.tensor([np.sin(azimuth), 0.0, np.cos(azimuth)], dtype=torch.float32) * far
    height = float(random.uniform(1.2, 1.8)) - float(middle[1])
    view = Camera.look_at(middle + aside + torch.tensor([0.0, height, 0.0]), middle)
    rotation = view.camera_from_world.float()
    return CameraTrack(
        rotation=rotation[None],
        translation=-(rotation @ view.position.float())[None],
        focal_px=torch.tensor([camera.focal_px]),
        centre_px=torch.tensor([camera.centre_px]),
    )


def root_of(joints: Float[Tensor, "frame joint 3"], of: KeypointSet) -> Float[Tensor, "frame 1 3"]:
    """Return the pelvis of each frame, or the middle of the hips where the set has none."""
    rows = of.indices("pelvis") if "pelvis" in of.index else of.indices("left_hip", "right_hip")
    return joints[:, rows].mean(dim=1, keepdim=True)
