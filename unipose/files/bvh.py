"""Read and write BVH motions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.motion import Motion, SourceJoint
from unipose.files.numbers import open_for_reading, parse_numbers, read_line, read_tokens

MOST_JOINTS = 1024
LARGEST_HEADER_BYTES = 1 << 20
ROUND_RATE = 5e-4
"""A frame time of 0.00833 means 120 per second: rates this near to a whole number are that."""
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
    """("position" or "rotation", axis) in the order of the file."""
    end: tuple[float, ...] | None = None


def read_bvh(path: str | Path, *, fps: float | None = None, unit_m: float = 0.01) -> Motion:
    """Read a BVH motion; lengths are taken as centimetres unless `unit_m` says otherwise.

    `fps` overrules the file's own frame time. Raises FileError (MissingFileError) if the
    hierarchy is broken, the number of values does not fit, or a value is no finite number.
    """
    path = Path(path)
    with open_for_reading(path) as file:
        joints = _read_hierarchy(file, path)
        frames, frame_time = _read_motion_header(file, path)
        tracks = _read_tracks(file, path, joints, frames)
    source, root_columns = _columns(joints, tracks, unit_m)
    return Motion(
        joints=source,
        tracks=tracks,
        root_columns=root_columns,
        fps=_rate(frame_time) if fps is None else fps,
    )


def _rate(frame_time: float) -> float:
    rate = 1.0 / frame_time
    return float(round(rate)) if abs(rate - round(rate)) < ROUND_RATE * rate else rate


def _read_hierarchy(file: BufferedReader, path: Path) -> list[_Joint]:  # noqa: C901
    line = read_line(file, path)
    if line is None:
        raise FileError(path, "is empty.")
    if line.lstrip("\ufeffï»¿").split()[:1] != ["HIERARCHY"]:
        raise FileError(path, f"is no BVH motion: expected HIERARCHY, found {line[:40]!r}.")
    joints: list[_Joint] = []
    open_joints: list[int] = []  # -1 stands for an end site
    pending: int | None = None
    while True:
        line = read_line(file, path)
        if line is None or file.tell() > LARGEST_HEADER_BYTES:
            raise FileError(path, "the hierarchy does not end.")
        words = line.split()
        if not words:
            continue
        match words[0].upper():
            case "ROOT" | "JOINT":
                if (words[0].upper() == "ROOT") != (not joints) or (joints and not open_joints):
                    raise FileError(path, "expected one ROOT and every JOINT inside it.")
                if open_joints and open_joints[-1] < 0:
                    raise FileError(path, "a JOINT stands inside an End Site.")
                name = " ".join(words[1:]).rpartition(":")[2]  # mixamorig:Hips is Hips
                if not name or any(joint.name == name for joint in joints):
                    raise FileError(path, f"joint {len(joints) + 1} has no name of its own.")
                joints.append(_Joint(name=name, parent=open_joints[-1] if open_joints else -1))
                pending = len(joints) - 1
                if len(joints) > MOST_JOINTS:
                    raise FileError(path, f"has more than {MOST_JOINTS} joints.")
            case "END":
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
                    joints[open_joints[-2]].end = offset
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
    if not joints:
        raise FileError(path, "has no ROOT.")
    lost = [joint.name for joint in joints if joint.offset is None]
    if lost:
        raise FileError(path, f"joint {lost[0]!r} has no OFFSET.")
    return joints


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
        if axis not in _AXES or kind not in ("position", "rotation"):
            raise FileError(path, f"unknown channel {word[:40]!r}.")
        channels.append((kind, _AXES[axis]))
    if len(words) < 2 or words[1] != str(len(channels)) or len(set(channels)) != len(channels):
        raise FileError(
            path, f"{' '.join(words)[:60]!r}: the number of channels does not fit their names."
        )
    return channels


def _read_motion_header(file: BufferedReader, path: Path) -> tuple[int, float]:
    frames_line, time_line = _next_words(file, path), _next_words(file, path)
    frames = frames_line[-1] if frames_line[:1] == ["frames:"] else ""
    if len(frames_line) != 2 or not frames.isdigit() or len(frames) > 15:
        raise FileError(path, f"expected 'Frames: N', found {' '.join(frames_line)[:40]!r}.")
    if time_line[:2] != ["frame", "time:"] or len(time_line) != 3:
        raise FileError(path, f"expected 'Frame Time: S', found {' '.join(time_line)[:40]!r}.")
    seconds = float(parse_numbers([time_line[2].encode("latin-1")], path, "frame time")[0])
    if not 1e-4 < seconds < 1e3:
        raise FileError(
            path, f"the frame time must be a positive number of seconds, got {seconds:g}."
        )
    return int(frames), seconds


def _next_words(file: BufferedReader, path: Path) -> list[str]:
    for _ in range(100):
        line = read_line(file, path)
        if line is None:
            raise FileError(path, "ends before its motion begins.")
        if line:
            return line.lower().split()
    raise FileError(path, "has no motion after MOTION.")


def _read_tracks(
    file: BufferedReader, path: Path, joints: list[_Joint], frames: int
) -> Float[np.ndarray, "frame column"]:
    width = sum(len(joint.channels) for joint in joints)
    if frames < 1 or width < 1:
        raise FileError(path, f"holds {frames} frames of {width} channels; there is no pose in it.")
    start = file.tell()
    room = (file.seek(0, 2) - start + 1) // (2 * width)  # a number and its blank: two bytes
    file.seek(start)
    if frames > room:
        raise FileError(
            path,
            f"says it holds {frames} frames of {width} channels, but has room for {room} at most.",
            "The file is cut off, or its header is wrong.",
        )
    tracks = np.empty((frames * width,))
    done = 0
    for tokens in read_tokens(file):
        if done + len(tokens) > tracks.size:
            raise FileError(path, f"holds more than the {frames} frames of {width} it declares.")
        where = f"frames from {done // width + 1}"
        tracks[done : done + len(tokens)] = parse_numbers(tokens, path, where)
        done += len(tokens)
    if done < tracks.size:
        raise FileError(
            path,
            f"declares {frames} frames of {width} channels but ends in frame {done // width + 1}.",
            "The file is cut off, or its header is wrong.",
        )
    return tracks.reshape(frames, width)


def _columns(
    joints: list[_Joint], tracks: Float[np.ndarray, "frame column"], unit_m: float
) -> tuple[tuple[SourceJoint, ...], tuple[int, int, int] | None]:
    """Scale the tracks in place to radians and metres; return the joints that read them."""
    source: list[SourceJoint] = []
    root_columns: tuple[int, int, int] | None = None
    column = 0
    for i, joint in enumerate(joints):
        turns: list[tuple[int, int]] = []
        positions: dict[int, int] = {}
        for kind, axis in joint.channels:
            if kind == "rotation":
                tracks[:, column] *= math.pi / 180
                turns.append((column, axis))
            else:
                tracks[:, column] *= unit_m
                positions[axis] = column
            column += 1
        offset = np.asarray(joint.offset) * unit_m
        if len(positions) == 3 and i == 0:
            root_columns = (positions[0], positions[1], positions[2])
        elif positions:  # position channels take the place of OFFSET; bones do not stretch
            for axis, place in positions.items():
                offset[axis] = tracks[0, place]
        source.append(
            SourceJoint(
                name=joint.name,
                parent=joint.parent,
                offset=tuple(offset),
                turns=tuple(turns),
                end=None if joint.end is None else tuple(np.asarray(joint.end) * unit_m),
            )
        )
    return tuple(source), root_columns


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
