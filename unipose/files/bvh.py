"""Read and write BVH motions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BufferedIOBase
from itertools import count, pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.motion import Motion, SourceJoint, check_up
from unipose.files.notes import add_note
from unipose.files.numbers import open_text, parse_numbers, read_line, read_tokens
from unipose.files.source_skeletons import read_joint_map

MOST_JOINTS = 1024
LARGEST_HEADER_BYTES = 1 << 20
ROUND_RATE = 5e-4
"""A frame time of 0.00833 means 120 per second: rates this near to a whole number are that."""
STILL_M = 1e-5
"""Positions of a joint that change by less than this are its offset."""
DEFAULT_FPS = 30.0
END_SITES_M = {
    "head": (0.0, 0.18, 0.0),
    "left_foot": (0.0, 0.0, 0.08),
    "right_foot": (0.0, 0.0, 0.08),
    "left_hand": (0.08, 0.0, 0.0),
    "right_hand": (-0.08, 0.0, 0.0),
}
"""Where bones without a further joint end in the files we write."""
_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(kw_only=True)
class _Joint:
    name: str
    parent: int
    offset: tuple[float, ...] | None = None
    channels: list[tuple[str, int]] = field(default_factory=list)
    """("position", "rotation" or "scale", axis) in the order of the file."""
    ends: list[tuple[float, ...]] = field(default_factory=list)


def read_bvh(
    path: str | Path,
    *,
    fps: float | None = None,
    up: str | None = None,
    skeleton: str | Path | Mapping[str, str] | None = None,
    person: str | None = None,
    unit_m: float = 0.01,
) -> Motion:
    """Read a BVH motion; lengths are taken as centimetres unless `unit_m` says otherwise.

    `fps` overrules the file's own frame time. `up` is the axis of the file that points up ("y",
    "z", "-y"; default: found out from rest pose and motion). `skeleton` says which of the file's
    joints are SMPL's where their names do not tell (a dict or a JSON file, SMPL joint -> joint).
    `person` names the ROOT to read of several (default: the one with the most joints).
    Raises FileError (MissingFileError) if the hierarchy is broken, the values are no whole number
    of frames, or a value is no finite number. A frame count that differs is a FileNote.
    """
    path = Path(path)
    with open_text(path) as file:
        joints, frames, frame_time = _read_header(file, path)
        tracks = _read_tracks(file, path, joints, frames)
    return Motion(
        joints=_below_one_root(_source_joints(joints, tracks, unit_m), path, person),
        tracks=tracks,
        fps=_rate(frame_time) if fps is None else fps,
        path=path,
        up=check_up(up),
        skeleton=read_joint_map(skeleton),
    )


def find_numbers(file: BufferedIOBase, path: Path) -> tuple[int, list[str]]:
    """Return where a BVH's numbers begin, and of each column "position", "rotation" or "scale"."""
    joints, _, _ = _read_header(file, path)
    return file.tell(), [kind for joint in joints for kind, _ in joint.channels]


def _read_header(file: BufferedIOBase, path: Path) -> tuple[list[_Joint], int, float]:
    """Return joints, number of frames and frame time; the file is then before its numbers."""
    joints = _read_hierarchy(file, path)
    return joints, *_read_motion_header(file, path)


def _rate(frame_time: float) -> float:
    rate = 1.0 / frame_time
    return float(round(rate)) if abs(rate - round(rate)) < ROUND_RATE * rate else rate


def _read_hierarchy(file: BufferedIOBase, path: Path) -> list[_Joint]:  # noqa: C901
    lines = _hierarchy_lines_of(file, path)
    line = next(lines, None)
    if line is None:
        raise FileError(path, "is empty.")
    if line.lstrip("\ufeff").upper().split() != ["HIERARCHY"]:
        raise FileError(path, f"is no BVH motion: expected HIERARCHY, found {line[:40]!r}.")
    joints: list[_Joint] = []
    open_joints: list[int] = []  # -1 stands for an end site
    root = 0
    pending: int | None = None
    for line in lines:
        words = line.split()
        match words[0].upper():
            case "ROOT" | "JOINT":
                if (words[0].upper() == "ROOT") == bool(open_joints):
                    raise FileError(path, "expected every JOINT, and no ROOT, inside one ROOT.")
                if open_joints and open_joints[-1] < 0:
                    raise FileError(path, "a JOINT stands inside an End Site.")
                name = " ".join(words[1:]).rpartition(":")[2]  # mixamorig:Hips is Hips
                if not open_joints:
                    root = len(joints)
                if not name:
                    raise FileError(path, f"joint {len(joints) + 1} has no name.")
                taken = {joint.name for joint in joints[root:]}
                if name in taken:  # ends of fingers that are all called Nub
                    name = next(f"{name} {i}" for i in count(2) if f"{name} {i}" not in taken)
                joints.append(_Joint(name=name, parent=open_joints[-1] if open_joints else -1))
                pending = len(joints) - 1
                if len(joints) > MOST_JOINTS:
                    raise FileError(path, f"has more than {MOST_JOINTS} joints.")
            case "END" | "ENDSITE" | "END_SITE":
                if not open_joints or open_joints[-1] < 0:
                    raise FileError(path, "an End Site stands outside every joint.")
                pending = -1
            case "{":
                if pending is None:
                    raise FileError(path, "has an opening brace that belongs to nothing.")
                open_joints.append(pending)
                pending = None
            case "}":
                if not open_joints:
                    raise FileError(path, "has a closing brace too many.")
                open_joints.pop()
            case "OFFSET":
                offset = _offset(words, path)
                if not open_joints:
                    raise FileError(path, "has an OFFSET outside every joint.")
                if open_joints[-1] >= 0:
                    joints[open_joints[-1]].offset = offset
                elif len(open_joints) > 1:
                    joints[open_joints[-2]].ends.append(offset)
            case "CHANNELS":
                if not open_joints or open_joints[-1] < 0:
                    raise FileError(path, "has CHANNELS outside every joint.")
                joints[open_joints[-1]].channels = _channels(words, path)
            case "MOTION":
                if open_joints or pending is not None:
                    raise FileError(path, "the hierarchy is not closed before MOTION.")
                break
            case _:
                raise FileError(path, f"cannot understand {line[:40]!r} in the hierarchy.")
    else:
        raise FileError(path, "the hierarchy does not end.")
    if not joints:
        raise FileError(path, "has no ROOT.")
    lost = [joint.name for joint in joints if joint.offset is None]
    if lost:
        raise FileError(path, f"joint {lost[0]!r} has no OFFSET.")
    return joints


def _hierarchy_lines_of(file: BufferedIOBase, path: Path) -> Iterator[str]:
    """Yield the lines with something on them; braces stand on lines of their own."""
    while (line := read_line(file, path)) is not None and file.tell() <= LARGEST_HEADER_BYTES:
        for part in re.split("([{}])", line):
            if part.strip():
                yield part.strip()


def _offset(words: list[str], path: Path) -> tuple[float, ...]:
    if len(words) != 4:
        raise FileError(path, f"expected OFFSET and 3 numbers, found {' '.join(words)[:60]!r}.")
    return tuple(
        float(number)
        for number in parse_numbers([w.encode("latin-1") for w in words[1:]], path, "OFFSET")
    )


def _channels(words: list[str], path: Path) -> list[tuple[str, int]]:
    channels = []
    for word in words[2:]:
        axis, kind = word[:1].lower(), word[1:].lower()
        if axis not in _AXES or kind not in ("position", "rotation", "scale"):
            raise FileError(path, f"unknown channel {word[:40]!r}.")
        channels.append((kind, _AXES[axis]))
    if len(words) < 2 or words[1] != str(len(channels)) or len(set(channels)) != len(channels):
        raise FileError(
            path, f"{' '.join(words)[:60]!r}: the number of channels does not fit their names."
        )
    return channels


def _read_motion_header(file: BufferedIOBase, path: Path) -> tuple[int, float]:
    frames, frames_line = _header_value(file, path, "frames")
    if not frames.isdigit() or len(frames) > 15:
        raise FileError(path, f"expected 'Frames: N', found {frames_line[:40]!r}.")
    time, time_line = _header_value(file, path, "frame time")
    if not time or " " in time:
        raise FileError(path, f"expected 'Frame Time: S', found {time_line[:40]!r}.")
    seconds = float(parse_numbers([time.encode("latin-1")], path, "frame time")[0])
    if not 1e-4 < seconds < 1e3:
        raise FileError(
            path, f"the frame time must be a positive number of seconds, got {seconds:g}."
        )
    return int(frames), seconds


def _header_value(file: BufferedIOBase, path: Path, name: str) -> tuple[str, str]:
    """Return what stands behind `name` and its colon ("" if the line is another), and the line."""
    for _ in range(100):
        line = read_line(file, path)
        if line is None:
            raise FileError(path, "ends before its motion begins.")
        if line:
            before, _, value = line.partition(":")
            fits = before.lower().split() == name.split()
            return (value.strip() if fits else ""), line
    raise FileError(path, "has no motion after MOTION.")


def _read_tracks(
    file: BufferedIOBase, path: Path, joints: list[_Joint], frames: int
) -> Float[np.ndarray, "frame column"]:
    width = sum(len(joint.channels) for joint in joints)
    start = file.tell()
    on_a_line = next((len(words) for line in file if (words := line.split())), 0)
    file.seek(start)
    blocks: list[np.ndarray] = []
    done = 0
    for tokens in read_tokens(file):
        where = f"frames from {done // max(width, 1) + 1}"
        blocks.append(parse_numbers(tokens, path, where))
        done += len(tokens)
    if not done or not width:
        raise FileError(
            path,
            f"declares {frames} frames of {width} channels and holds {done} numbers; "
            "there is no pose in it.",
        )
    if done % width or (done != frames * width and on_a_line != width):
        raise FileError(
            path,
            f"declares {frames} frames of {width} channels but ends within frame "
            f"{done // width + 1}, with {on_a_line} numbers on the first line.",
            "The file is cut off, or its header is wrong.",
        )
    tracks = np.concatenate(blocks).reshape(-1, width)
    if len(tracks) != frames:
        add_note(path, f"declares {frames} frames but holds {len(tracks)}; these are read.")
    return tracks


def _source_joints(
    joints: list[_Joint], tracks: Float[np.ndarray, "frame column"], unit_m: float
) -> tuple[SourceJoint, ...]:
    """Scale the tracks in place to radians and metres; return the joints that read them.

    Position channels take the place of OFFSET. Where they never change they are the offset, and
    where they are all zero, which no bone is long, OFFSET is.
    """
    source: list[SourceJoint] = []
    column = 0
    for joint in joints:
        turns: list[tuple[int, int]] = []
        slides: list[tuple[int, int]] = []
        for kind, axis in joint.channels:
            if kind == "rotation":
                tracks[:, column] *= math.pi / 180
                turns.append((column, axis))
            elif kind == "position":
                tracks[:, column] *= unit_m
                slides.append((column, axis))
            column += 1
        offset = np.asarray(joint.offset) * unit_m
        if joint.parent >= 0:
            places = tracks[:, [place for place, _ in slides]]
            if places.any():
                for place, axis in slides:
                    offset[axis] = tracks[0, place]
            if not places.size or np.ptp(places, axis=0).max() < STILL_M:
                slides = []
        source.append(
            SourceJoint(
                name=joint.name,
                parent=joint.parent,
                offset=tuple(offset),
                turns=tuple(turns),
                slides=tuple(slides),
                ends=tuple(tuple(np.asarray(end) * unit_m) for end in joint.ends),
            )
        )
    return tuple(source)


def _below_one_root(
    joints: tuple[SourceJoint, ...], path: Path, person: str | None
) -> tuple[SourceJoint, ...]:
    """Return the joints of one tree; a file may hold several people, or a prop beside a person."""
    starts = [i for i, joint in enumerate(joints) if joint.parent < 0]
    if len(starts) == 1:
        return joints
    trees: dict[str, range] = {}
    for start, end in pairwise([*starts, len(joints)]):
        name = joints[start].name
        trees[f"{name} {len(trees) + 1}" if name in trees else name] = range(start, end)
    chosen = max(trees, key=lambda name: len(trees[name])) if person is None else person
    known = ", ".join(trees)
    if chosen not in trees:
        raise FileError(path, f"there is no ROOT {chosen!r}.", f"There are {known}.")
    if person is None:
        add_note(
            path,
            f"has {len(trees)} ROOTs ({known}); this is {chosen}, --person ROOT picks another.",
        )
    tree = trees[chosen]
    return tuple(
        replace(joints[i], parent=joints[i].parent - tree.start if i > tree.start else -1)
        for i in tree
    )


# --- writing --------------------------------------------------------------------------------


def write_bvh(pose: Pose, path: str | Path, body: Body) -> Path:
    """Write poses on the skeleton of `body`: SMPL's joint names, centimetres, y up.

    Poses without a frame rate are written at 30 per second.
    """
    path = Path(path)
    rest = body.rest_joints if pose.betas is None else body.shaped_joints(pose.betas[:1])[0]
    rest = rest.detach().double().cpu().numpy()
    lines = ["HIERARCHY", *_hierarchy_lines(0, rest, "")]
    lines += ["MOTION", f"Frames: {len(pose)}", f"Frame Time: {1 / (pose.fps or DEFAULT_FPS):.10f}"]
    root = np.tile(rest[0], (len(pose), 1))
    if pose.translation is not None:
        root = root + pose.translation.detach().double().cpu().numpy()
    angles = np.degrees(_zxy_angles(pose.rotations.detach().double().cpu().numpy()))
    order = _file_order(0)
    values = np.concatenate([100 * root, angles[:, order].reshape(len(pose), -1)], axis=1)
    with written_whole(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, values, fmt="%.6f")
    return path


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(SMPL.parents) if parent == joint]


def _file_order(joint: int) -> list[int]:
    """Return the joints below `joint` in the order in which the hierarchy names them."""
    return [joint, *(i for child in _children(joint) for i in _file_order(child))]


def _hierarchy_lines(joint: int, rest: Float[np.ndarray, "24 3"], indent: str) -> list[str]:
    name, parent = SMPL.joints[joint], SMPL.parents[joint]
    offset = np.zeros(3) if parent < 0 else rest[joint] - rest[parent]
    kind, places = ("ROOT", "6 Xposition Yposition Zposition") if parent < 0 else ("JOINT", "3")
    lines = [
        f"{kind} {name}",
        "{",
        f"\tOFFSET {_centimetres(offset)}",
        f"\tCHANNELS {places} Zrotation Xrotation Yrotation",
    ]
    for child in _children(joint):
        lines += _hierarchy_lines(child, rest, "\t")
    if name in END_SITES_M:
        lines += ["\tEnd Site", "\t{", f"\t\tOFFSET {_centimetres(END_SITES_M[name])}", "\t}"]
    return [indent + line for line in [*lines, "}"]]


def _centimetres(offset: tuple[float, float, float] | Float[np.ndarray, "3"]) -> str:
    return " ".join(f"{100 * length + 0.0:.6f}" for length in offset)


def _zxy_angles(rotations: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return (z, x, y) in radians with rotation = Rz Rx Ry; at x = +-90 degrees y is set to 0."""
    x = np.arcsin(np.clip(rotations[..., 2, 1], -1, 1))
    locked = np.abs(rotations[..., 2, 1]) > 1 - 1e-9
    z = np.where(
        locked,
        np.arctan2(rotations[..., 1, 0], rotations[..., 0, 0]),
        np.arctan2(-rotations[..., 0, 1], rotations[..., 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-rotations[..., 2, 0], rotations[..., 2, 2]))
    return np.stack([z, x, y], axis=-1)
