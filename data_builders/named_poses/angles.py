"""Joint angles in the words of the entries (degrees), their limits, and the rotations they make.

An arm hangs at 0 with the palm to the thigh: `lift` raises it, in the direction `plane` (0 to the
side, 90 forward, above 90 across the chest, below 0 to the back), and `turn` rolls it inward. A leg
stands at 0: `hip` bends it forward, `out` spreads it, `turn` rolls the toes outward. Signs of the
trunk: forward and left are positive. Right limbs are mirror images of left ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.skeletons import POSED_JOINTS, SMPL

LIMITS: dict[str, dict[str, tuple[float, float]]] = {
    "body": {"pitch": (-200, 200), "roll": (-100, 100), "spin": (-120, 120)},
    "back": {"bend": (-60, 85), "lean": (-45, 45), "twist": (-55, 55)},
    "head": {"nod": (-60, 55), "turn": (-80, 80), "tip": (-45, 45)},
    "arm": {
        "lift": (0, 182), "plane": (-85, 150), "turn": (-95, 105), "elbow": (0, 150),
        "roll": (-90, 90), "wrist": (-80, 85), "shrug": (-15, 30),
    },
    "leg": {
        "hip": (-45, 140), "out": (-35, 85), "turn": (-60, 80), "knee": (0, 158),
        "ankle": (-35, 60), "toes": (-70, 25),
    },
}  # fmt: skip
"""Part -> angle -> what a supple healthy adult reaches, degrees."""

NEUTRAL = {("arm", "lift"): 9.0, ("arm", "elbow"): 12.0, ("leg", "out"): 3.0, ("leg", "turn"): 6.0}
"""Where an angle rests that an entry says nothing about; the others rest at 0."""

PARTS: dict[str, str] = {
    "body": "body", "back": "back", "head": "head", "left arm": "arm", "right arm": "arm",
    "left leg": "leg", "right leg": "leg",
}  # fmt: skip
"""Part of an entry -> its row of LIMITS."""
BOTH = {"arms": ("left arm", "right arm"), "legs": ("left leg", "right leg")}

SIGNED = frozenset(
    {("body", "roll"), ("body", "spin"), ("back", "lean"), ("back", "twist"), ("head", "turn"),
     ("head", "tip")}
)  # fmt: skip
"""Angles that change their sign when left and right are exchanged."""
Name = tuple[str, str]
"""Part and angle."""


def _names() -> Iterator[Name]:
    for part, kind in PARTS.items():
        for angle in LIMITS[kind]:
            yield part, angle


ANGLES: tuple[Name, ...] = tuple(_names())
"""Every angle that a pose is made of, in the order of the solver's columns."""
COLUMN = {name: column for column, name in enumerate(ANGLES)}
LOW, HIGH = (
    torch.tensor([float(LIMITS[PARTS[part]][angle][end]) for part, angle in ANGLES])
    for end in (0, 1)
)
REST = torch.tensor([NEUTRAL.get((PARTS[part], angle), 0.0) for part, angle in ANGLES])
MIRRORED = tuple(
    COLUMN[part.replace("left", "*").replace("right", "left").replace("*", "right"), angle]
    for part, angle in ANGLES
)
"""The column that takes each one's place when left and right are exchanged."""


_Factor = tuple[str, dict[Name, float], float]
"""One turn: its axis, what each angle adds to it, and a constant (degrees)."""
_RAISED = ("arm", "raised")
"""Stands for the part of a lift in which the shoulder blade goes along."""


def _factors() -> dict[str, list[_Factor]]:
    """Return the turns whose product is a left or middle joint's rotation, outermost first."""
    body, back, head, arm, leg = ("body", "back", "head", "left arm", "left leg")
    found: dict[str, list[_Factor]] = {
        "pelvis": [
            ("z", {(body, "roll"): -1.0}, 0.0), ("x", {(body, "pitch"): 1.0}, 0.0),
            ("y", {(body, "spin"): 1.0}, 0.0),
        ],
        # the shoulder blade goes along from 50 degrees on, by a quarter (scapulohumeral rhythm)
        "left_collar": [("z", {(arm, "shrug"): 1.0, _RAISED: 0.25}, 0.0)],
        # swung about the level axis across the plane: turn the plane away, lift, turn it back
        "left_shoulder": [
            ("z", {(arm, "shrug"): -1.0, _RAISED: -0.25}, 0.0), ("y", {(arm, "plane"): -1.0}, 0.0),
            ("z", {(arm, "lift"): 1.0}, 0.0), ("y", {(arm, "plane"): 1.0}, 0.0), ("z", {}, -90.0),
            ("x", {(arm, "turn"): 1.0}, 0.0),
        ],
        # half of the forearm's own turn begins at the elbow
        "left_elbow": [("y", {(arm, "elbow"): -1.0}, 0.0), ("x", {(arm, "roll"): -0.5}, 0.0)],
        "left_wrist": [("x", {(arm, "roll"): -0.5}, 0.0), ("z", {(arm, "wrist"): -1.0}, 0.0)],
        "left_hip": [
            ("x", {(leg, "hip"): -1.0}, 0.0), ("z", {(leg, "out"): 1.0}, 0.0),
            ("y", {(leg, "turn"): 1.0}, 0.0),
        ],
        "left_knee": [("x", {(leg, "knee"): 1.0}, 0.0)],
        "left_ankle": [("x", {(leg, "ankle"): 1.0}, 0.0)],
        "left_foot": [("x", {(leg, "toes"): 1.0}, 0.0)],
    }  # fmt: skip
    for joint, share in (("spine1", 0.34), ("spine2", 0.36), ("spine3", 0.30)):
        found[joint] = [
            ("y", {(back, "twist"): share}, 0.0), ("z", {(back, "lean"): -share}, 0.0),
            ("x", {(back, "bend"): share}, 0.0),
        ]  # fmt: skip
    for joint, share in (("neck", 0.55), ("head", 0.45)):
        found[joint] = [
            ("y", {(head, "turn"): share}, 0.0), ("z", {(head, "tip"): -share}, 0.0),
            ("x", {(head, "nod"): share}, 0.0),
        ]  # fmt: skip
    return found


def _made_of() -> dict[str, list[_Factor]]:
    """Return the turns of every joint; a right one's are the left one's, mirrored."""
    found = _factors()
    for joint in [joint for joint in found if joint.startswith("left_")]:
        found[joint.replace("left", "right")] = [
            (
                axis,
                {
                    (part.replace("left", "right"), angle if part != "arm" else "right raised"): (
                        share if axis == "x" else -share
                    )
                    for (part, angle), share in shares.items()
                },
                constant if axis == "x" else -constant,
            )
            for axis, shares, constant in found[joint]
        ]
    return {joint: found[joint] for joint in SMPL.joints[:POSED_JOINTS]}


class _Turns:
    """All single turns as one linear map of the angles, and which of them make up each joint."""

    def __init__(self) -> None:
        made_of = _made_of()
        factors = [factor for turns in made_of.values() for factor in turns]
        raised = [COLUMN[f"{side} arm", "lift"] for side in ("left", "right")]
        self.raised = torch.tensor(raised)
        self.map = torch.zeros(len(ANGLES) + 2, len(factors))
        extra = {_RAISED: len(ANGLES), ("arm", "right raised"): len(ANGLES) + 1}
        for column, (_, shares, _) in enumerate(factors):
            for name, share in shares.items():
                self.map[(COLUMN | extra)[name], column] = share
        self.constant = torch.tensor([float(constant) for _, _, constant in factors])
        still, cosine, sine = zip(*(_AXIS[axis] for axis, _, _ in factors))
        self.still, self.cosine, self.sine = (torch.stack(one) for one in (still, cosine, sine))
        start, self.depths = 0, []
        starts = {}
        for joint, turns in made_of.items():
            starts[joint], start = start, start + len(turns)
        for depth in range(max(map(len, made_of.values()))):
            deep = [j for j, turns in made_of.items() if len(turns) > depth]
            rows = torch.tensor([SMPL.index[j] for j in deep])
            self.depths.append((rows, torch.tensor([starts[j] + depth for j in deep])))


def _axis_parts(axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what of a turn about an axis is constant, what goes with its cosine and its sine."""
    along = torch.zeros(3, 3)
    along[axis, axis] = 1.0
    one, other = (axis + 1) % 3, (axis + 2) % 3
    sine = torch.zeros(3, 3)
    sine[other, one], sine[one, other] = 1.0, -1.0
    return along, torch.eye(3) - along, sine


_AXIS = {name: _axis_parts(axis) for axis, name in enumerate("xyz")}
_TURNS = _Turns()


def rotations_of(angles: Float[Tensor, "batch angle"]) -> Float[Tensor, "batch 22 3 3"]:
    """Return the local rotations of SMPL's first 22 joints for angles (degrees, as in ANGLES)."""
    raised = (angles[:, _TURNS.raised] - 50).clamp(min=0)
    turned = torch.cat([angles, raised], dim=1) @ _TURNS.map + _TURNS.constant
    radians = (turned * (math.pi / 180))[..., None, None]
    turns = _TURNS.still + radians.cos() * _TURNS.cosine + radians.sin() * _TURNS.sine
    (_, first), *deeper = _TURNS.depths
    rotations = turns[:, first]  # every joint has a first turn
    for rows, factors in deeper:
        product = rotations[:, rows] @ turns[:, factors]
        rotations = rotations.index_copy(1, rows, product)
    return rotations
