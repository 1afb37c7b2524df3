"""Skeletons by name: joints are addressed by what they are called, never by a bare number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from unipose.errors import SkeletonError


@dataclass(frozen=True)
class Skeleton:
    """A tree of named joints; parents come before their children, the root's parent is -1."""

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.joints) != len(self.parents):
            raise SkeletonError(
                f"{self.name}: {len(self.joints)} joints but {len(self.parents)} parents"
            )
        late = [j for j, p in zip(self.joints, self.parents, strict=True) if p >= self.index[j]]
        if late:
            raise SkeletonError(f"{self.name}: {late[0]} comes before its parent")

    @cached_property
    def index(self) -> dict[str, int]:
        """Joint name -> position."""
        return {joint: i for i, joint in enumerate(self.joints)}

    def indices(self, *joints: str) -> list[int]:
        """Return the positions of `joints`; an unknown name raises SkeletonError."""
        unknown = [joint for joint in joints if joint not in self.index]
        if unknown:
            raise SkeletonError(
                f"{self.name} has no joint {unknown[0]!r}; it has {', '.join(self.joints)}"
            )
        return [self.index[joint] for joint in joints]

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Position of each joint's left/right counterpart (itself for joints of the middle)."""
        swap = {"left": "right", "right": "left"}
        return tuple(
            self.index.get("_".join([swap.get(side, side), *rest]), i)
            for i, (side, *rest) in enumerate(joint.split("_") for joint in self.joints)
        )


SMPL = Skeleton(
    name="SMPL",
    joints=(
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
        "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar",
        "right_collar", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
        "left_wrist", "right_wrist", "left_hand", "right_hand",
    ),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)  # fmt: skip
"""SMPL's 24 joints (Loper et al. 2015)."""

POSED_JOINTS = 22
"""How many of SMPL's joints the tokenizer and the language model see: all but the two hands."""
