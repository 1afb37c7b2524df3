"""H3WB for lifting: 133 keypoints in 2D and 3D, from its .npz archives or its JSON samples; mm.

The training samples have no official validation split: as in the paper they are cut into five
contiguous fifths, of which one is left out. Of the 20,000 test samples 2D -> 3D uses four of each
eight.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.lifting.mocap_lifting import root_of
from data_builders.readers.h3wb import SIZE_OF_CAMERA
from data_builders.readers.safe_files import numbers, read_arrays, read_json_table
from unipose.body.keypoint_sets import H3WB_133
from unipose.errors import FileError, MissingFileError, UnusableRecordError
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.screen import on_screen, usable

COUNT = len(H3WB_133)
FOLDS, FOLD = 5, 4
"""Fifths, and the one that models are chosen on."""
FPS = 10.0
SAMPLE_SIZE = (1000, 1002)
"""JSON samples do not say which camera took them."""


def read_h3wb(folder: Path, split: str, *, fold: int = FOLD) -> LiftingData:
    """Return the frames of a split from h3wb_train.npz or 2Dto3D_train.json (and the test's).

    Raises FileError (MissingFileError) for a file that is missing, damaged or of another layout.
    """
    archive = folder / ("task1_test_3d.npz" if split == "test" else "h3wb_train.npz")
    samples = folder / f"2Dto3D_{'test_3d' if split == 'test' else 'train'}.json"
    if archive.is_file():
        whole = _archive(archive, "data" if split == "test" else "train_data")
    elif samples.is_file():
        whole = _samples(samples, test=split == "test")
    else:
        raise MissingFileError(archive, f"there is no such file, and no {samples.name}.")
    if split == "test":
        return whole
    rows = torch.arange(len(whole))
    left_out = rows * FOLDS // len(whole) == fold
    kept = rows[left_out if split == "val" else ~left_out]
    if not len(kept):
        raise FileError(folder, f"holds too few samples for {FOLDS} folds.")
    return LiftingData(
        keypoint_set=whole.keypoint_set, seen=whole.seen[kept], truth=whole.truth[kept],
        sequence=whole.sequence[kept], names=whole.names, fps=FPS,
    )  # fmt: skip


def _archive(path: Path, entry: str) -> LiftingData:
    subjects = read_arrays(path, (entry,)).get(entry)
    if not isinstance(subjects, dict):
        raise FileError(path, f"holds no {entry!r} by subject.")
    parts = []
    for subject, actions in subjects.items():
        for action, views in (actions if isinstance(actions, dict) else {}).items():
            for camera, size_px in SIZE_OF_CAMERA.items():
                if camera not in views:
                    continue
                try:
                    shape = (-1, COUNT)
                    seen = _rows(views[camera]["pose_2d"], (*shape, 2), "pose_2d")
                    local = _rows(views[camera]["camera_3d"], (*shape, 3), "camera_3d")
                except (UnusableRecordError, KeyError, TypeError) as error:
                    raise FileError(path, f"{subject}, {action!r}, {camera}: {error}.") from error
                name = SequenceName(subject=subject, action=action, camera=camera)
                parts += _part(on_screen(seen, size_px), local / 1000, name)
    return LiftingData.joined(parts)


def _rows(value: Any, shape: tuple[int, ...], name: str) -> Float[Tensor, "frame 133 axis"]:
    """Return numbers of each frame; the archives put axes of length 1 around them."""
    array = numbers(torch.as_tensor(value).reshape(shape).numpy(), shape, name)
    return torch.from_numpy(array).float()


def _samples(path: Path, *, test: bool) -> LiftingData:
    table = read_json_table(path)
    names = list(table)
    if test:  # the other four of each eight are for lifting pictures
        names = [name for name in names if int(name) % 8 < 4]
    try:
        seen, local = (
            torch.tensor(
                [
                    [[table[n][kind][str(j)][axis] for axis in axes] for j in range(COUNT)]
                    for n in names
                ]
            )
            for kind, axes in (("keypoints_2d", "xy"), ("keypoints_3d", "xyz"))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(path, f"has a sample without {error}.") from error
    name = SequenceName(subject="", action="", camera="")
    return LiftingData.joined(_part(on_screen(seen.float(), SAMPLE_SIZE), local / 1000, name))


def _part(
    seen: Float[Tensor, "frame 133 2"], local: Float[Tensor, "frame 133 3"], name: SequenceName
) -> list[LiftingData]:
    truth = local.float() - root_of(local.float(), H3WB_133)
    kept = usable(seen, truth)
    if not bool(kept.any()):
        return []
    return [
        LiftingData(
            keypoint_set=H3WB_133, seen=seen[kept], truth=truth[kept],
            sequence=torch.zeros(int(kept.sum()), dtype=torch.long), names=(name,), fps=FPS,
        )
    ]  # fmt: skip
