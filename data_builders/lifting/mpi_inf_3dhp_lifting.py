"""MPI-INF-3DHP as P-STMO packs it: data_train_3dhp.npz and data_test_3dhp.npz, 17 joints, mm.

Two protocols, which are never mixed. The official one: univ_annot3, valid frames of TS1 to TS6, PCK
and AUC over 14 joints. SEAL-Pose's code for single frames: TS1 to TS4, all frames, all 17 joints;
its files keep where the camera sees the head in slot 0 and the other joints from there, which this
reader puts right: left as it is, the head's place is 40 % of the loss.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.readers.safe_files import numbers, read_arrays
from unipose.body.keypoint_sets import MPI_INF_3DHP_17
from unipose.errors import FileError, UnusableRecordError
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.lifting_scores import LiftingProtocol
from unipose.lifting.screen import on_screen, usable

Protocol3dhp = Literal["official", "single-frame"]
VALIDATION = "S8"
"""The subject that models are chosen on; papers learn from it too."""
TRAIN_SIZE, WIDE_SIZE = (2048, 2048), (1920, 1080)
WIDE = ("TS5", "TS6")
PELVIS = MPI_INF_3DHP_17.index["pelvis"]
PROTOCOLS: dict[str, LiftingProtocol] = {
    "official": LiftingProtocol(
        pck_joints=tuple(
            name for name in MPI_INF_3DHP_17.names if name not in ("pelvis", "back1", "head")
        )
    ),
    "single-frame": LiftingProtocol(),
}


def read_mpi_inf_3dhp(folder: Path, split: str, protocol: Protocol3dhp = "official") -> LiftingData:
    """Return the frames of a split; frames with exploding projections are left out.

    Raises FileError (MissingFileError) for a file that is missing, damaged or of another layout.
    """
    path = folder / f"data_{'test' if split == 'test' else 'train'}_3dhp.npz"
    table = read_arrays(path, ("data",)).get("data")
    if not isinstance(table, dict):
        raise FileError(path, "holds no 'data' by sequence.")
    parts = []
    for name, content in table.items():
        subject = name.split(" ")[0]
        if split == "test":
            if protocol == "single-frame" and subject in WIDE:
                continue
            parts.append(_sequence(path, name, "", content, protocol))
        elif (subject == VALIDATION) == (split == "val"):
            views = content[0] if isinstance(content, list) and content else content
            if not isinstance(views, dict):
                raise FileError(path, f"{name} holds no keypoints by camera.")
            for camera, view in views.items():
                parts.append(_sequence(path, name, str(camera), view, protocol))
    parts = [part for part in parts if part is not None]
    if not parts:
        raise FileError(path, f"holds no frame of the split {split!r}.")
    return LiftingData.joined(parts)


def _sequence(
    path: Path, name: str, camera: str, content: Any, protocol: str
) -> LiftingData | None:
    size_px = WIDE_SIZE if name in WIDE else TRAIN_SIZE
    try:
        joints = numbers(content["data_3d"], (-1, 17, 3), "data_3d", missing=True)
        pixels = numbers(content["data_2d"], (-1, 17, 2), "data_2d", missing=True)
        valid = np.ravel(content["valid"]) > 0 if "valid" in content else None
    except (UnusableRecordError, KeyError, TypeError) as error:
        raise FileError(path, f"{name} {camera}: {error}.") from error
    if len(joints) != len(pixels) or (valid is not None and len(valid) != len(joints)):
        raise FileError(path, f"{name} {camera} has {len(joints)} poses, {len(pixels)} frames.")
    truth = from_pelvis(torch.from_numpy(joints).float() / 1000)
    seen = on_screen(torch.from_numpy(pixels).float(), size_px)
    kept = usable(seen, truth)
    measured = None
    if valid is not None and protocol == "official":
        measured = torch.from_numpy(valid)[kept]
    if not bool(kept.any()):
        return None
    return LiftingData(
        keypoint_set=MPI_INF_3DHP_17,
        seen=seen[kept],
        truth=truth[kept],
        sequence=torch.zeros(int(kept.sum()), dtype=torch.long),
        names=(SequenceName(subject=name.split(" ")[0], action=name, camera=camera),),
        fps=25.0,
        valid=measured,
    )


def from_pelvis(joints: Float[Tensor, "frame 17 3"]) -> Float[Tensor, "frame 17 3"]:
    """Return joints from the pelvis, also of files that keep the head's place in slot 0.

    Told by the joint next to the head (the neck, slot 1): nobody's is a metre away from it, and
    then the other joints are already counted from the head, which is at zero.
    """
    kept = (joints[:, 0] - joints[:, 1]).norm(dim=-1).median() > 1.0
    if bool(kept):
        joints = torch.cat([torch.zeros_like(joints[:, :1]), joints[:, 1:]], dim=1)
    return joints - joints[:, PELVIS : PELVIS + 1]
