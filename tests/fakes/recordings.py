"""One person who walks, recorded as BVH by several makers: names, orders, channels, numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import roma
import torch

from unipose.files.motion import turn_about_axis

# joint, the one above, offset in centimetres (of the left one), end of the bone
PARTS: tuple[tuple[str, str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("pelvis", "", (0, 0, 0), ()),
    ("hip", "pelvis", (8, -5, 0), ()),
    ("knee", "hip", (0, -41, 0), ()),
    ("ankle", "knee", (0, -40, 0), ()),
    ("foot", "ankle", (0, -6, 12), (0, 0, 6)),
    ("spine1", "pelvis", (0, 10, -1), ()),
    ("spine2", "spine1", (0, 12, 0), ()),
    ("spine3", "spine2", (0, 13, 0), ()),
    ("neck", "spine3", (0, 15, 1), ()),
    ("head", "neck", (0, 10, 1), (0, 18, 0)),
    ("collar", "spine3", (3, 12, 0), ()),
    ("shoulder", "collar", (13, 0, 0), ()),
    ("elbow", "shoulder", (26, 0, 0), ()),
    ("wrist", "elbow", (24, 0, 0), ()),
    ("thumb", "wrist", (3, 0, 3), (2, 0, 2)),
    ("hand", "wrist", (9, 0, 0), (8, 0, 0)),
)
ONE_OF_TWO = (
    "hip",
    "knee",
    "ankle",
    "foot",
    "collar",
    "shoulder",
    "elbow",
    "wrist",
    "thumb",
    "hand",
)
STEP = 32
"""Frames of two steps."""


@dataclass(frozen=True, kw_only=True)
class RecordingMaker:
    """How somebody's software writes a recording."""

    names: str
    """Of PARTS in their order; {S} is Left or Right, {s} is l or r."""
    order: str
    number: Callable[[float], str]
    frame_time: str = "0.0333333"
    newline: str = "\n"
    knees_about_x: bool = False
    """Whether knees have one channel, as ASF's have one degree of freedom."""
    row_end: str = ""


def _trimmed(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")


MAKERS = {
    "MotionBuilder": RecordingMaker(
        names="Hips {S}UpLeg {S}Leg {S}Foot {S}ToeBase LowerBack Spine Spine1 Neck Head "
        "{S}Shoulder {S}Arm {S}ForeArm {S}Hand {s}Thumb {S}HandIndex1",
        order="ZYX", number=_trimmed, frame_time=".0083333", newline="\r\n", row_end=" ",
    ),
    "Mixamo": RecordingMaker(
        names="mixamorig:Hips mixamorig:{S}UpLeg mixamorig:{S}Leg mixamorig:{S}Foot "
        "mixamorig:{S}ToeBase mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck "
        "mixamorig:Head mixamorig:{S}Shoulder mixamorig:{S}Arm mixamorig:{S}ForeArm "
        "mixamorig:{S}Hand mixamorig:{S}HandThumb1 mixamorig:{S}HandMiddle1",
        order="XYZ", number=lambda number: f"{number:.6f}",
    ),
    "HDM05": RecordingMaker(
        names="root {s}femur {s}tibia {s}foot {s}toes lowerback upperback thorax lowerneck head "
        "{s}clavicle {s}humerus {s}radius {s}wrist {s}thumb {s}fingers",
        order="YXZ", number=lambda number: f"{number:.6e}", knees_about_x=True,
    ),
}  # fmt: skip


def walk(frames: int) -> list[dict[str, tuple[float, float, float]]]:
    """Return degrees about (z, x, y) by SMPL joint, and "position"; the foot below stands still."""
    rows: list[dict[str, tuple[float, float, float]]] = []
    z, before = 0.0, None
    for k in range(frames):
        row: dict[str, tuple[float, float, float]] = {"spine2": (0, 4, 0), "neck": (0, 5, 0)}
        reach = {}
        for side, sign, start in (("left", 1, 0.0), ("right", -1, math.pi)):
            phase = 2 * math.pi * k / STEP + start
            hip, knee = -22 * math.sin(phase), 6 + 34 * max(0.0, math.cos(phase))
            swing = 18 * math.sin(2 * math.pi * k / STEP)
            row |= {
                f"{side}_hip": (0, hip, 0), f"{side}_knee": (0, knee, 0),
                f"{side}_ankle": (0, -(hip + knee), 0),
                f"{side}_shoulder": (-sign * 72, 0, swing), f"{side}_elbow": (0, 0, -sign * 25),
                f"{side}_thumb": (0, 0, sign * 10),
            }  # fmt: skip
            thigh, shin = math.radians(hip), math.radians(hip + knee)
            reach[side] = (
                -41 * math.sin(thigh) - 40 * math.sin(shin),
                11 + 41 * math.cos(thigh) + 40 * math.cos(shin),
            )
        stands = "left" if math.cos(2 * math.pi * k / STEP) < 0 else "right"
        z += 0.0 if before is None else before[stands][0] - reach[stands][0]
        before = reach
        rows.append(row | {"position": (0.0, reach[stands][1], z)})
    return rows


@cache
def recording(maker: str, *, frames: int = 9) -> bytes:
    """Return the walk as that maker's file."""
    its = MAKERS[maker]
    joints = _joints(its)
    rows = []
    for angles in walk(frames):
        values = [*angles["position"]]
        for joint, *_ in joints:
            turned = angles.get(joint, (0.0, 0.0, 0.0))
            values += [turned[1]] if _one_axis(its, joint) else _in_order(turned, its.order)
        rows.append(" ".join(map(its.number, values)) + its.row_end)
    lines = ["HIERARCHY", *_block(its, joints, "pelvis", ""), "MOTION", f"Frames: {frames}"]
    lines += [f"Frame Time: {its.frame_time}", *rows, ""]
    return its.newline.join(lines).encode("ascii")


def write_recording(folder: Path, maker: str, *, frames: int = 9) -> Path:
    """Write the walk and return its path."""
    path = folder / f"{maker}.bvh"
    path.write_bytes(recording(maker, frames=frames))
    return path


def _joints(
    maker: RecordingMaker,
) -> list[tuple[str, str, str, tuple[float, ...], tuple[float, ...]]]:
    """Return joint, its name, the one above, offset and end, in the order of the hierarchy."""
    found = []
    for (part, above, offset, end), name in zip(PARTS, maker.names.split(), strict=True):
        for side, sign in (("left_", 1), ("right_", -1)) if part in ONE_OF_TWO else (("", 1),):
            words = {"S": side[:-1].capitalize(), "s": side[:1]}
            hangs_on = f"{side}{above}" if above in ONE_OF_TWO else above
            found.append((
                f"{side}{part}", name.format(**words), hangs_on,
                tuple(sign * x if k == 0 else x for k, x in enumerate(offset)),
                tuple(sign * x if k == 0 else x for k, x in enumerate(end)),
            ))  # fmt: skip

    def below(joint: str) -> list[str]:
        return [joint, *(b for one in found if one[2] == joint for b in below(one[0]))]

    return sorted(found, key=lambda one: below("pelvis").index(one[0]))


def _block(maker: RecordingMaker, joints: list, joint: str, indent: str) -> list[str]:
    _, name, above, offset, end = next(one for one in joints if one[0] == joint)
    turns = " ".join(f"{axis}rotation" for axis in maker.order)
    channels = f"3 {turns}" if above else f"6 Xposition Yposition Zposition {turns}"
    channels = "1 Xrotation" if _one_axis(maker, joint) else channels
    lines = [f"{'JOINT' if above else 'ROOT'} {name}", "{"]
    lines += [f"\tOFFSET {' '.join(map(maker.number, offset))}", f"\tCHANNELS {channels}"]
    for one in joints:
        if one[2] == joint:
            lines += _block(maker, joints, one[0], "\t")
    if end:
        lines += ["\tEnd Site", "\t{", f"\t\tOFFSET {' '.join(map(maker.number, end))}", "\t}"]
    return [indent + line for line in [*lines, "}"]]


def _one_axis(maker: RecordingMaker, joint: str) -> bool:
    return maker.knees_about_x and joint.endswith("knee")


def _in_order(angles: tuple[float, float, float], order: str) -> list[float]:
    z, x, y = (math.radians(angle) for angle in angles)
    matrix = turn_about_axis(z, 2) @ turn_about_axis(x, 0) @ turn_about_axis(y, 1)
    found = roma.rotmat_to_euler(
        order, torch.from_numpy(np.ascontiguousarray(matrix)), degrees=True
    )
    return [float(angle) for angle in found]
