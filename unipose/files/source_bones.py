"""Where the bones of a source skeleton point in its zero pose, and which of its axes is up.

A zero pose need not be a T-pose: arms hang, the body is turned, z is up, or every bone lies along
one axis. So left, up and front are taken from the joints, and the vertical from how people stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unipose.body.keypoint_sets import SMPL_24
from unipose.body.skeletons import SMPL
from unipose.errors import SkeletonError
from unipose.files.motion import UP_AXES, Motion
from unipose.files.notes import add_note
from unipose.files.source_skeletons import match_joints

LIMBS = {
    start: end
    for side in ("left", "right")
    for start, end in SMPL_24.bones
    if start.startswith(side) and not start.endswith("collar")
}
"""Joint -> the joint at the other end of its bone."""
TRUNK = frozenset({"pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar"})
"""Joints that take over turns, corrected for the lean of the trunk at rest."""
HIPS, SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
TRUNK_LINE = (HIPS, SHOULDERS)
STANCE_FRAMES = 64
"""From so many frames, evenly spread, the way a person stands is measured."""
STANDS = 0.7
"""Mean cosine between an axis and both trunk and legs from which a person stands along it."""
END_SITE_COSINE = {"wrist": 0.3, "ankle": -0.3}
"""End sites that point back along their limb are fillers (0 5 0), not the ends of hand or foot."""


@dataclass(frozen=True, kw_only=True)
class SourceBones:
    """The parts of a source skeleton that correspond to SMPL joints; vectors in the zero pose."""

    turns: dict[str, tuple[int, ...]]
    """SMPL joint -> source joints that turn it (two: halfway between them)."""
    places: dict[str, int]
    """SMPL joint -> source joint that lies there."""
    directions: dict[str, Float[np.ndarray, "3"]]
    """SMPL limb joint -> unit vector along its bone."""
    upright: Float[np.ndarray, "3 3"]
    """Columns: left, up (the vertical) and front of the body."""
    trunk: dict[str, Float[np.ndarray, "3 3"]]
    """Joint of the trunk, or head -> left, up (along the trunk's line) and front, in its frame."""
    folded: bool
    """Whether the legs do not hang below the trunk: such a zero pose tells no twist of limbs."""
    world: Float[np.ndarray, "3 3"]
    """Rotation that brings the file's world onto ours (y up)."""


def find_bones(motion: Motion) -> SourceBones:
    """Find SMPL's joints in a source skeleton, and how its zero pose stands.

    Raises SkeletonError if a joint cannot be placed or a limb has no length. Says in a FileNote
    which axis was taken as up where rest pose and motion disagree.
    """
    match = match_joints(motion.joints, motion.skeleton)
    if not {"neck", "head"} & set(match.places):
        add_note(
            motion.path,
            "no joint found for the head, which stays as the trunk holds it; say which it is with "
            f"--skeleton MAP.json. The file's joints are {', '.join(motion.index)}.",
        )
    rest = motion.rest_positions()
    hips, shoulders = (rest[[match.places[joint] for joint in joints]] for joints in TRUNK_LINE)
    across, line = hips[0] - hips[1], shoulders.mean(0) - hips.mean(0)
    if min(np.linalg.norm(across), np.linalg.norm(line)) < 1e-6:
        raise SkeletonError("the hips lie in one place, or at the shoulders: no body has that")
    across, line, arms = unit(across), unit(line), unit(shoulders[0] - shoulders[1])
    directions = _limb_directions(motion, match.places, rest, front=np.cross(across, line))
    stance = _Stance(motion, match.places)
    if abs(across @ line) < 0.5 and across @ arms > 0.5:
        trunk = dict.fromkeys([*TRUNK, "head"], _body_frame(across, line))
        upright = _upright_frame(across, line)
        trunk["head"] = upright
    else:
        trunk = stance.trunk_frames(match.turns)
        upright = trunk["pelvis"]
    legs = directions["left_hip"] + directions["right_hip"]
    folded = bool(legs @ upright[:, 1] > -1)
    up = motion.up or _find_up(motion, stance, None if folded else upright[:, 1])
    stance.check_feet(motion)
    return SourceBones(
        turns=match.turns,
        places=match.places,
        directions=directions,
        upright=upright,
        trunk=trunk,
        folded=folded,
        world=UP_AXES[up],
    )


def _limb_directions(
    motion: Motion,
    places: dict[str, int],
    rest: Float[np.ndarray, "joint 3"],
    *,
    front: Float[np.ndarray, "3"],
) -> dict[str, Float[np.ndarray, "3"]]:
    directions: dict[str, np.ndarray] = {}
    for start, end in LIMBS.items():
        side, part = start.split("_")
        free_ends = [np.asarray(free_end) for free_end in motion.joints[places[start]].ends]
        if end in places:
            bone = rest[places[end]] - rest[places[start]]
        elif free_ends:  # of toes and heel the toes, of fingers and thumb their middle
            toes = max(free_ends, key=lambda free_end: free_end @ front)
            bone = toes if part == "ankle" else np.mean(free_ends, axis=0)
            above = directions[f"{side}_knee" if part == "ankle" else f"{side}_elbow"]
            if bone @ above < END_SITE_COSINE[part] * np.linalg.norm(bone):
                continue
        else:
            continue
        if np.linalg.norm(bone) < 1e-6:
            if part in END_SITE_COSINE:
                continue
            raise SkeletonError(f"the bone from {start} to {end} has no length")
        directions[start] = unit(bone)
    return directions


def _body_frame(
    across: Float[np.ndarray, "*frame 3"], up: Float[np.ndarray, "*frame 3"]
) -> Float[np.ndarray, "*frame 3 3"]:
    """Return the columns left, up and front of a body; up is made square to the hips' line."""
    across = units(across)
    up = units(up - (up * across).sum(-1, keepdims=True) * across)
    return np.stack([across, up, np.cross(across, up)], axis=-1)


def _upright_frame(
    across: Float[np.ndarray, "3"], line: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """Return left, up and front of a body whose up is the axis of the file that is nearest."""
    axis = int(np.argmax(np.abs(line)))
    up = np.sign(line[axis]) * np.eye(3)[axis] if abs(line[axis]) > 0.8 else line
    left = unit(across - (across @ up) * up)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


class _Stance:
    """How the person of a recording stands, from frames spread over it, in the file's world."""

    def __init__(self, motion: Motion, places: dict[str, int]) -> None:
        count = min(STANCE_FRAMES, len(motion))
        self.frames = np.linspace(0, len(motion) - 1, count).astype(int)
        self.motion = motion
        lies = motion.joint_positions(self.frames, list(places.values()))
        self.joints = {joint: lies[i] for joint, i in places.items()}
        self.hips, self.shoulders, self.ankles = (
            (self.joints[f"left_{part}"] + self.joints[f"right_{part}"]) / 2
            for part in ("hip", "shoulder", "ankle")
        )
        self.across = self.joints["left_hip"] - self.joints["right_hip"]
        self.line = units(self.shoulders - self.hips)
        self.has_path = motion.moves_along(places["left_hip"])

    def trunk_frames(
        self, turns: dict[str, tuple[int, ...]]
    ) -> dict[str, Float[np.ndarray, "3 3"]]:
        """Return left, up and front seen from each joint of the trunk, averaged over the frames."""
        arms = self.joints["left_shoulder"] - self.joints["right_shoulder"]
        rotations = self.motion.global_rotations(
            self.frames, [i for t in turns.values() for i in t]
        )
        frames = {}
        for joint in [*(j for j in SMPL.joints if j in TRUNK), "head"]:
            if joint in turns:
                body = _body_frame(self.across if joint == "pelvis" else arms, self.line)
                seen = (rotations[turns[joint][0]].swapaxes(1, 2) @ body).mean(0)
                u, _, v = np.linalg.svd(seen)
                frames[joint] = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
        return frames

    def stands_along(self, up: Float[np.ndarray, "3"]) -> bool:
        """Return whether trunk and legs point along `up` on the average."""
        legs = units(self.hips - self.ankles)
        return bool(min((self.line @ up).mean(), (legs @ up).mean()) > STANDS)

    def rests_on_floor(self, up: Float[np.ndarray, "3"]) -> bool:
        """Return whether the lowest joint is mostly near height 0 if `up` is up."""
        if not self.has_path:
            return False
        legs = float(np.linalg.norm(self.hips - self.ankles, axis=-1).max())
        lowest = np.min([place @ up for place in self.joints.values()], axis=0)
        return bool(abs(np.median(lowest)) < legs / 4)

    def check_feet(self, motion: Motion) -> None:
        """Say so if the feet point backwards: left and right are exchanged, or all is mirrored."""
        if "left_foot" not in self.joints or "right_foot" not in self.joints:
            return
        front = _body_frame(self.across, self.line)[..., 2]
        feet = sum(
            units(self.joints[f"{side}_foot"] - self.joints[f"{side}_ankle"])
            for side in ("left", "right")
        )
        if (feet * front).sum(-1).mean() < -STANDS:
            add_note(
                motion.path,
                "the feet point backwards, as if left and right were exchanged or the file "
                "mirrored; it is read as its names say.",
            )


def _find_up(motion: Motion, stance: _Stance, rest_up: Float[np.ndarray, "3"] | None) -> str:
    """Return which axis of the file points up: the rest pose's, unless the person stands otherwise.

    A person who lies on the floor all the time is kept lying; whatever is assumed is said.
    """
    ups = {name: turn[1] for name, turn in UP_AXES.items()}
    rest = None if rest_up is None else _first(n for n, up in ups.items() if rest_up @ up > 0.8)
    standing = _first(name for name, up in ups.items() if stance.stands_along(up))
    if rest is None and standing is None:
        if rest_up is None:
            add_note(
                motion.path,
                "the rest pose does not tell which way is up, and the person does not stand: y is "
                "taken as up (up='z' or --up z if it is z).",
            )
        return "y"
    if standing is None or standing == rest:
        return rest or "y"
    if rest is None:
        if standing != "y":
            add_note(
                motion.path,
                f"the person stands along {standing}, which is taken as up (--up y if it is not).",
            )
        return standing
    lies = stance.rests_on_floor(ups[rest]) and not stance.rests_on_floor(ups[standing])
    taken = rest if lies else standing
    other = standing if lies else rest
    add_note(
        motion.path,
        f"the rest pose stands along {rest}, but the person along {standing}: {taken} is taken as "
        f"up (--up {other} or up={other!r} overrules that).",
    )
    return taken


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)


def unit(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """Return a vector of length 1."""
    return vector / np.linalg.norm(vector)


def units(vectors: Float[np.ndarray, "*frame 3"]) -> Float[np.ndarray, "*frame 3"]:
    """Return vectors of length 1; those without length stay 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
