"""SMPL poses that others fitted to data sets of mere landmarks: NeuralAnnot's files.

Of photographs (COCO, MPII), by the annotation's number, each in the frame of a camera of its own
(x right, y down, z ahead):
    {"476384": {"smpl_param": {"pose": 72 numbers, "shape": 10, "trans": 3},
                "cam_param": {"focal": 2, "princpt": 2}}}
Of recordings (MPI-INF-3DHP by subject, sequence and frame; Human3.6M by action, subaction and
frame), in the world of the data set's 3D joints: {"1": {"2": {"6183": {"pose": ..., "shape": ...,
"trans": ...}}}}. Angles are radians, lengths metres.

Moon et al., NeuralAnnot: Neural Annotator for 3D Human Mesh Training Sets, CVPRW 2022.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.readers.landmarks import Y_DOWN
from data_builders.readers.safe_files import field_of, flat_numbers, read_json_table
from data_builders.readers.source import SourceOptions
from unipose.body.camera import Camera, CameraTrack
from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.errors import FileError, SourceError, UnusableRecordError
from unipose.files.smpl_parameters import mean_pelvis, parameters_to_pose, turned

HOME = "https://github.com/mks0601/NeuralAnnot_RELEASE"
FARTHEST_M = 0.5
"""From the measured pelvis to the fitted one, at most: more is a fit of something else."""
FARTHEST_IN_BOXES = 0.5
"""The same in a picture, in longer sides of the person's box."""


def read_fits(choice: SourceOptions) -> dict[str, Any]:
    """Return what the file of `fits=FILE` holds, nothing if none was asked for.

    Raises SourceError if it is not there or is damaged.
    """
    return {} if choice.fits is None else read_table(choice.fits)


def read_table(file: Path) -> dict[str, Any]:
    """Return a file of the fits' release. Raises SourceError if it is not there or is damaged."""
    try:
        return read_json_table(file)
    except FileError as error:
        raise SourceError(file, error.problem, f"Fits are to be had at {HOME}.") from error


def fit_at(fits: Any, *place: object) -> Any:
    """Return the fit that lies under these keys, None if there is none."""
    for key in place:
        fits = fits.get(str(key)) if isinstance(fits, dict) else None
    return fits


def fitted_pose(fit: Any, file: Path) -> Pose:
    """Return a fit as it lies in the file, axes of the file's world.

    Raises UnusableRecordError or FileError if it is not whole, or holds no usable numbers.
    """
    arrays = {
        "pose": flat_numbers(field_of(fit, "pose"), 72, "the fit's pose"),
        "betas": flat_numbers(field_of(fit, "shape"), 10, "the fit's shape"),
        "trans": flat_numbers(field_of(fit, "trans"), 3, "the fit's trans"),
    }
    return parameters_to_pose(arrays, file, up="y")  # as it lies there


def fitted_in_camera(
    fit: Any,
    file: Path,
    *,
    size_px: tuple[int, int],
    keypoints: Keypoints,
    box: tuple[float, float, float, float],
) -> tuple[Pose, Camera]:
    """Return the pose of a person in a photograph, y up, and the camera that sees it.

    The camera stands at the world's origin and looks along -z; `size_px` is width and height.
    Raises UnusableRecordError (FileError for absurd angles, ConfigError for a camera that is none)
    if the fit is broken, lies behind its camera, or not where the person's hips are marked.
    """
    intrinsics = field_of(fit, "cam_param")
    focal, centre = (
        torch.tensor(flat_numbers(field_of(intrinsics, name), 2, name))[None]
        for name in ("focal", "princpt")
    )
    pose = turned(fitted_pose(field_of(fit, "smpl_param"), file), Y_DOWN)
    in_file = CameraTrack(
        rotation=torch.eye(3, dtype=torch.float64)[None],
        translation=torch.zeros(1, 3, dtype=torch.float64),
        focal_px=focal,
        centre_px=centre,
    )
    camera = in_file.in_turned_world(Y_DOWN).pinhole(size_px=size_px)
    seen = camera.project(_pelvis(pose), width_px=size_px[0], height_px=size_px[1])
    if bool(seen.isnan().any()):
        raise UnusableRecordError("the fit lies behind its camera")
    hips = (keypoints.point("left_hip")[0] + keypoints.point("right_hip")[0]) / 2
    length = max(box[2] - box[0], box[3] - box[1])
    away = float((seen - hips).norm()) / length  # NaN where a hip is not marked
    if away > FARTHEST_IN_BOXES:
        raise UnusableRecordError(
            f"the fit's pelvis lies {away:.1f} lengths of the person away from the marked hips"
        )
    return pose, camera


def check_place(pose: Pose, pelvis_m: Float[Tensor, "3"]) -> None:
    """Raise UnusableRecordError if a fit does not lie where the pelvis was measured (metres)."""
    away = float((_pelvis(pose) - pelvis_m).norm())
    if away > FARTHEST_M:
        raise UnusableRecordError(
            f"the fit's pelvis lies {away:.2f} m from the measured one, at most {FARTHEST_M} m is"
            " a fit of this frame"
        )


def _pelvis(pose: Pose) -> Float[Tensor, "3"]:
    """Return about where a fit has its pelvis: its own shape moves it by some centimetres."""
    assert pose.translation is not None  # fitted_pose gives one
    return (mean_pelvis(pose.body) + pose.translation[0]).double()
