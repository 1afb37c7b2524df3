"""Read AMC motions with their ASF skeletons (the native files of CMU and HDM05)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.errors import FileError
from unipose.files.asf import AXES, AsfSkeleton, find_asf, joints_of, read_asf
from unipose.files.motion import Motion, check_up
from unipose.files.numbers import open_text, parse_numbers, read_line, read_tokens
from unipose.files.source_skeletons import read_joint_map

AMC_FPS = 120.0
"""AMC files do not say their rate; CMU and HDM05 are recorded at this one."""


def read_amc(
    path: str | Path,
    *,
    asf: str | Path | None = None,
    fps: float | None = None,
    up: str | None = None,
    skeleton: str | Path | Mapping[str, str] | None = None,
) -> Motion:
    """Read an AMC motion with its ASF skeleton (found beside it unless given).

    `up` and `skeleton` as in `unipose.files.bvh.read_bvh`.
    Raises FileError (MissingFileError) that names the file and the frame if a frame is out of
    order, lacks a bone, holds no finite number, or if the skeleton does not fit.
    """
    path = Path(path)
    with open_text(path) as file:
        bones = read_asf(find_asf(path) if asf is None else asf)
        in_degrees = _read_amc_header(file, path)
        columns, tracks = _read_frames(file, path, bones)
    scale = np.pi / 180 if in_degrees else 1.0
    for column, (_, dof) in enumerate(columns):
        tracks[:, column] *= scale if dof[0] == "r" else bones.metres_per_unit
    return Motion(
        joints=joints_of(bones, {key: column for column, key in enumerate(columns)}),
        tracks=tracks,
        fps=AMC_FPS if fps is None else fps,
        path=path,
        up=check_up(up),
        skeleton=read_joint_map(skeleton),
        hinges={
            bone.name: bone.basis[:, AXES[bone.dofs[0][1]]]
            for bone in bones.bones.values()
            if len(bone.dofs) == 1 and bone.dofs[0][0] == "r"
        },
    )


def _read_amc_header(file: BufferedIOBase, path: Path) -> bool:
    """Skip to the first frame number; return whether the angles are in degrees."""
    in_degrees = True
    while True:
        start = file.tell()
        line = read_line(file, path)
        if line is None:
            raise FileError(path, "holds no frames.")
        if not line or line.startswith("#"):
            continue
        if line.startswith(":"):
            if line[1:].lower().startswith("rad"):
                in_degrees = False
            continue
        if line.isdigit():
            file.seek(start)
            return in_degrees
        raise FileError(path, f"is no AMC motion: expected a frame number, found {line[:40]!r}.")


def _read_frames(
    file: BufferedIOBase,
    path: Path,
    skeleton: AsfSkeleton,
) -> tuple[list[tuple[str, str]], Float[np.ndarray, "frame column"]]:
    """Return (bone, degree of freedom) of each column and the numbers of all frames."""
    layout: list[tuple[str, int]] | None = None
    blocks: list[np.ndarray] = []
    rest: list[bytes] = []
    first, done = 0, 0
    for tokens in read_tokens(file):
        rest = rest + tokens
        if layout is None:
            layout = _layout(rest, path, skeleton)
            first = int(rest[0])
        width = 1 + sum(1 + count for _, count in layout)
        frames = len(rest) // width
        blocks.append(_parse_block(rest[: frames * width], layout, first + done, path))
        done += frames
        rest = rest[frames * width :]
    if layout is None or not done:
        raise FileError(path, "holds no whole frame.")
    if rest:
        raise FileError(path, f"is cut off: frame {first + done} is not complete.")
    columns = [(name, dof) for name, _ in layout for dof in skeleton.bones[name].dofs]
    return columns, np.concatenate(blocks)


def _layout(tokens: list[bytes], path: Path, skeleton: AsfSkeleton) -> list[tuple[str, int]]:
    """Return the bones of the first frame in their order, and how many numbers each has."""
    expected = {name: len(bone.dofs) for name, bone in skeleton.bones.items() if bone.dofs}
    layout: list[tuple[str, int]] = []
    position = 1
    while position < len(tokens) and not tokens[position].isdigit():
        name = tokens[position].decode("latin-1")
        if name not in skeleton.bones:
            raise FileError(
                path,
                f"moves {name[:40]!r}, which its skeleton does not have.",
                "Name the ASF file that belongs to it.",
            )
        if name not in expected or name in dict(layout):
            raise FileError(
                path, f"the first frame moves {name!r} twice, or a frame number is missing."
            )
        for token in tokens[position + 1 : position + 1 + expected[name]]:
            if token.decode("latin-1") in skeleton.bones:
                raise FileError(
                    path,
                    f"the first frame: expected {expected[name]} numbers of {name!r}, "
                    f"found {token.decode('latin-1')!r}.",
                )
        layout.append((name, expected[name]))
        position += 1 + expected[name]
    missing = [name for name in expected if name not in dict(layout)]
    if missing:
        raise FileError(path, f"the first frame has no line for the bone {missing[0]!r}.")
    return layout


def _parse_block(
    tokens: list[bytes], layout: list[tuple[str, int]], first: int, path: Path
) -> Float[np.ndarray, "frame column"]:
    width = 1 + sum(1 + count for _, count in layout)
    frames = len(tokens) // width
    numbers = parse_frame_numbers(tokens[::width])
    wrong = [i for i, number in enumerate(numbers) if number != first + i]
    position = 1
    for name, count in layout:
        word = name.encode("latin-1")
        if tokens[position::width].count(word) != frames:
            bad = next(i for i, token in enumerate(tokens[position::width]) if token != word)
            if not wrong or bad <= wrong[0]:
                raise FileError(
                    path,
                    f"frame {first + bad}: expected {count} numbers of {name!r} here, "
                    f"found {tokens[position + bad * width][:40].decode('latin-1')!r}.",
                )
        position += 1 + count
    if wrong:
        raise FileError(path, f"frame {first + wrong[0]} is missing or out of order.")
    block = np.empty((frames, sum(count for _, count in layout)))
    position, column = 1, 0
    for name, count in layout:
        for i in range(1, count + 1):
            values = tokens[position + i :: width]
            block[:, column] = parse_numbers(values, path, f"{name}, frames from {first}")
            column += 1
        position += 1 + count
    return block


def parse_frame_numbers(tokens: list[bytes]) -> list[int]:
    """Return frame numbers, -1 where there is none."""
    return [int(token) if token.isdigit() and len(token) < 12 else -1 for token in tokens]
