"""How the joints of known motion files are called, and which SMPL joint each one turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unipose.errors import SkeletonError


@dataclass(frozen=True, kw_only=True)
class Naming:
    """One family of skeletons. SMPL joint -> source joint; "left_x" stands for both sides.

    `turns` names whose rotation a SMPL joint takes over, `lies` names the source joint whose
    place ends a limb bone where that is another one. Two names: halfway between them.
    """

    name: str
    sides: tuple[str, str]
    """What "*" in a name becomes for the left and for the right."""
    turns: dict[str, tuple[str, ...]]
    lies: dict[str, str]

    def joint_turns(self) -> dict[str, tuple[str, ...]]:
        """Return `turns` for both sides."""
        return dict(self._both_sides(self.turns))

    def joint_lies(self) -> dict[str, str]:
        """Return where each SMPL limb joint lies in the source."""
        places = {joint: names[0] for joint, names in self.joint_turns().items()}
        lies = self._both_sides({joint: (name,) for joint, name in self.lies.items()})
        return places | {joint: names[0] for joint, names in lies}

    def _both_sides(
        self, table: dict[str, tuple[str, ...]]
    ) -> Iterable[tuple[str, tuple[str, ...]]]:
        for joint, names in table.items():
            if not joint.startswith("left_"):
                yield joint, names
                continue
            for side, mark in zip(("left", "right"), self.sides, strict=True):
                yield joint.replace("left", side), tuple(n.replace("*", mark) for n in names)


ASF = Naming(
    name="ASF",
    sides=("l", "r"),
    turns={
        "pelvis": ("root",),
        "spine1": ("lowerback",),
        "spine2": ("upperback",),
        "spine3": ("thorax",),
        "neck": ("lowerneck", "upperneck"),
        "head": ("head",),
        "left_hip": ("*femur",),
        "left_knee": ("*tibia",),
        "left_ankle": ("*foot",),
        "left_foot": ("*toes",),
        "left_collar": ("*clavicle",),
        "left_shoulder": ("*humerus",),
        "left_elbow": ("*radius",),
        # the forearm is cut in two: `wrist` only twists, the hand bends at `hand`
        "left_wrist": ("*hand",),
    },
    lies={"neck": "lowerneck", "left_hand": "*fingers"},
)
CGSPEED = Naming(
    name="cgspeed",
    sides=("Left", "Right"),
    turns={
        "pelvis": ("Hips",),
        "spine1": ("LowerBack",),
        "spine2": ("Spine",),
        "spine3": ("Spine1",),
        "neck": ("Neck", "Neck1"),
        "head": ("Head",),
        "left_hip": ("*UpLeg",),
        "left_knee": ("*Leg",),
        "left_ankle": ("*Foot",),
        "left_foot": ("*ToeBase",),
        "left_collar": ("*Shoulder",),
        "left_shoulder": ("*Arm",),
        "left_elbow": ("*ForeArm",),
        "left_wrist": ("*FingerBase",),
    },
    lies={"neck": "Neck", "left_hand": "*HandIndex1"},
)
POSER = Naming(
    name="Poser",
    sides=("l", "r"),
    turns={
        "pelvis": ("hip",),
        "spine1": ("abdomen",),
        "spine3": ("chest",),
        "neck": ("neck",),
        "head": ("head",),
        "left_hip": ("*Thigh",),
        "left_knee": ("*Shin",),
        "left_ankle": ("*Foot",),
        "left_collar": ("*Collar",),
        "left_shoulder": ("*Shldr",),
        "left_elbow": ("*ForeArm",),
        "left_wrist": ("*Hand",),
    },
    lies={"left_hand": "*Mid1"},
)
DEEPMIMIC = Naming(
    name="DeepMimic",
    sides=("left", "right"),
    turns={
        "pelvis": ("root",),
        "spine3": ("chest",),
        "neck": ("neck",),
        "left_hip": ("*_hip",),
        "left_knee": ("*_knee",),
        "left_ankle": ("*_ankle",),
        "left_shoulder": ("*_shoulder",),
        "left_elbow": ("*_elbow",),
        "left_wrist": ("*_wrist",),
    },
    lies={},
)
SMPL_NAMES = Naming(
    name="SMPL",
    sides=("left", "right"),
    turns={
        "pelvis": ("pelvis",),
        "spine1": ("spine1",),
        "spine2": ("spine2",),
        "spine3": ("spine3",),
        "neck": ("neck",),
        "head": ("head",),
        **{
            f"left_{part}": (f"*_{part}",)
            for part in (
                "hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist", "hand"
            )
        },
    },
    lies={},
)  # fmt: skip
MIXAMO = Naming(
    name="Mixamo",
    sides=("Left", "Right"),
    turns={
        "pelvis": ("Hips",),
        "spine1": ("Spine",),
        "spine2": ("Spine1",),
        "spine3": ("Spine2",),
        "neck": ("Neck",),
        "head": ("Head",),
        "left_hip": ("*UpLeg",),
        "left_knee": ("*Leg",),
        "left_ankle": ("*Foot",),
        "left_foot": ("*ToeBase",),
        "left_collar": ("*Shoulder",),
        "left_shoulder": ("*Arm",),
        "left_elbow": ("*ForeArm",),
        "left_wrist": ("*Hand",),
    },
    lies={"left_hand": "*HandMiddle1"},
)

NAMINGS = (ASF, CGSPEED, POSER, SMPL_NAMES, DEEPMIMIC, MIXAMO)
"""In the order in which they are tried; the first one all of whose joints are there is taken."""


def find_naming(names: Iterable[str]) -> Naming:
    """Return the family that these joint names belong to.

    Raises SkeletonError that names what the most similar family lacks.
    """
    present = set(names)
    lacking = {
        naming.name: [
            name
            for turning in naming.joint_turns().values()
            for name in turning
            if name not in present
        ]
        for naming in NAMINGS
    }
    for naming in NAMINGS:
        if not lacking[naming.name]:
            return naming
    nearest = min(
        NAMINGS,
        key=lambda n: len(lacking[n.name]) / sum(len(t) for t in n.joint_turns().values()),
    )
    raise SkeletonError(
        f"unknown skeleton: it is nearest to {nearest.name} but has no joint "
        f"{lacking[nearest.name][0]!r}; known are {', '.join(n.name for n in NAMINGS)} joint names"
    )
