"""Keep feet that stood still standing when a recording is changed: the root's path follows them.

Turning joints alone moves the feet below a root that stays: knees that bend lift them off the
floor. So the root is moved by what the feet went, in each changed frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from unipose.files.motion import Motion
from unipose.files.source_bones import SourceBones

SIDES = ("left", "right")
STILL_LEGS_PER_S = 0.25
"""A foot that is slower than this many lengths of a leg a second stands still (0.2 m/s)."""
TOGETHER_LEGS = 0.06
"""Feet that went as far as each other within this share of a leg went together (5 cm)."""
LEAST_LEGS = 1e-4
"""Feet that went less than this did not move."""


@dataclass(frozen=True, kw_only=True)
class RootFollowing:
    """What became of the root's path, and why."""

    feet: tuple[str, ...] = ()
    """Sides of the feet that keep standing; none: the root stays."""
    reason: str = ""
    """Why the root stays."""
    moved_cm: float = 0.0
    """How far the root moved in the edited frame, in centimetres of the file's world."""
    slid_cm: float = 0.0
    """How far the feet that stand are from where they stood, in that frame."""

    def __str__(self) -> str:
        if not self.feet:
            return f"stays: {self.reason}"
        stand = "both feet stand" if len(self.feet) == 2 else f"the {self.feet[0]} foot stands"
        return f"moves {self.moved_cm:.1f} cm, so that {stand} (within {self.slid_cm:.1f} cm)"


def follow_feet(
    before: Motion, after: Motion, bones: SourceBones, weights: Sequence[tuple[int, float]]
) -> tuple[Motion, RootFollowing]:
    """Return `after` with its root moved so that feet that stood still in `before` stand there.

    `weights` are the changed frames, the edited one first, which tells which feet stand: of those
    that stood still the ones that were lifted least, and if these went apart (a step) the one that
    went least. Where none stood still, where following would push the other foot through the floor
    (the change lifts the one foot that stood), or the file has no path, the root stays.
    """
    frame = weights[0][0]
    frames = np.array([f for f, _ in weights])
    old, new = (_soles(motion, bones, frames) for motion in (before, after))
    leg = _leg_length(before, bones)
    gone = {side: new[side] - old[side] for side in SIDES}
    if max(np.linalg.norm(gone[side][0]) for side in SIDES) < LEAST_LEGS * leg:
        return after, RootFollowing(reason="the feet have not moved")
    standing = [side for side in SIDES if _stands_still(before, bones, side, frame, leg)]
    if not standing:
        return after, RootFollowing(reason="no foot stood still")
    root = _path_joint(before, bones)
    if root is None:
        return after, RootFollowing(reason="the file has no position of the body to change")
    up = bones.world[1]
    lifted = {side: float(gone[side][0] @ up) for side in standing}
    feet = [s for s in standing if lifted[s] - min(lifted.values()) < TOGETHER_LEGS * leg]
    if len(feet) == 2 and np.linalg.norm(gone["left"][0] - gone["right"][0]) > TOGETHER_LEGS * leg:
        feet = [min(feet, key=lambda side: float(np.linalg.norm(gone[side][0])))]
    shift = -np.mean([gone[side] for side in feet], axis=0)
    if np.linalg.norm(shift[0]) < LEAST_LEGS * leg:
        which = "both feet" if len(feet) == 2 else f"the {feet[0]} foot"
        return after, RootFollowing(reason=f"{which} stood still and did not move")
    deepest = min(float((new[side][0] + shift[0]) @ up) for side in SIDES)
    if min(float(old[side][0] @ up) for side in SIDES) - deepest > TOGETHER_LEGS * leg:
        which = "the feet that stood are" if len(feet) == 2 else f"the {feet[0]} foot that stood is"
        return after, RootFollowing(reason=f"{which} lifted")
    moved = _moved_root(after, root, frames, shift)
    stand = _soles(moved, bones, frames[:1])
    slid = max(float(np.linalg.norm(stand[side][0] - old[side][0])) for side in feet)
    way = float(np.linalg.norm(shift[0]))
    return moved, RootFollowing(feet=tuple(feet), moved_cm=100 * way, slid_cm=100 * slid)


def _soles(
    motion: Motion, bones: SourceBones, frames: Int[np.ndarray, "frame"]
) -> dict[str, Float[np.ndarray, "frame 3"]]:
    """Return the middle of each foot: between ankle and toes, where there are toes."""
    joints = {side: _foot_joints(bones, side) for side in SIDES}
    lies = motion.joint_positions(frames, [i for both in joints.values() for i in both])
    return {side: np.mean([lies[i] for i in its], axis=0) for side, its in joints.items()}


def _foot_joints(bones: SourceBones, side: str) -> list[int]:
    ankle = bones.places[f"{side}_ankle"]
    return [ankle, bones.places.get(f"{side}_foot", ankle)]


def _stands_still(motion: Motion, bones: SourceBones, side: str, frame: int, leg: float) -> bool:
    """Return whether the toes (else the ankle) hardly move around a frame."""
    frames = np.clip([frame - 1, frame + 1], 0, len(motion) - 1)
    if frames[0] == frames[1]:
        return True
    toes = _foot_joints(bones, side)[-1]
    first, last = motion.joint_positions(frames, [toes])[toes]
    seconds = float(frames[1] - frames[0]) / motion.fps
    return float(np.linalg.norm(last - first)) < STILL_LEGS_PER_S * leg * seconds


def _leg_length(motion: Motion, bones: SourceBones) -> float:
    chain = [bones.places[f"left_{part}"] for part in ("hip", "knee", "ankle")]
    joints = motion.rest_positions()[chain]
    return float(np.linalg.norm(np.diff(joints, axis=0), axis=1).sum())


def _path_joint(motion: Motion, bones: SourceBones) -> int | None:
    """Return the joint nearest above the hips whose position the file holds on all three axes."""
    joint = motion.joints[bones.places["left_hip"]].parent
    while joint >= 0:
        if {axis for _, axis in motion.joints[joint].slides} == {0, 1, 2}:
            return joint
        joint = motion.joints[joint].parent
    return None


def _moved_root(
    motion: Motion, root: int, frames: Int[np.ndarray, "frame"], shift: Float[np.ndarray, "frame 3"]
) -> Motion:
    """Return the motion with a joint moved by `shift` (metres, in the file's world)."""
    tracks = motion.tracks.copy()
    parent = motion.joints[root].parent
    if parent >= 0:  # positions are those in the parent's axes
        turns = motion.global_rotations(frames, [parent])[parent]
        shift = (turns.swapaxes(1, 2) @ shift[..., None])[..., 0]
    for column, axis in motion.joints[root].slides:
        tracks[frames, column] += shift[:, axis]
    return replace(motion, tracks=tracks)
