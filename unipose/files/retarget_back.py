"""Carry the change of a pose back onto the skeleton that the pose was read from.

`retarget` reads an SMPL joint as a joint of the file times a constant (limbs exactly, the trunk
nearly), so a turn of the one in the world is the same turn of the other. What is carried is this
change, not the pose: joints that SMPL does not have, such as twist bones and fingers, keep their
numbers, and a joint whose rotation relative to its parent stays is not touched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float

from unipose.body.kinematics import chain
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import SkeletonError
from unipose.files.euler_angles import angles_near, product_of_turns
from unipose.files.motion import Motion
from unipose.files.notes import add_note
from unipose.files.source_bones import SourceBones

LEAST_TURN = math.radians(0.01)
"""A joint that would turn by less keeps its numbers: poses are float32."""
UNREACHED = math.radians(3.0)
"""What joints with fewer than three axes cannot follow is said from here on."""

Turn = Float[np.ndarray, "3 3"]


@dataclass(frozen=True, kw_only=True)
class SourceChange:
    """How joints of a source skeleton turn."""

    turns: dict[int, Turn]
    """Joint -> the turn that its local rotation is multiplied with from the left: the axes are the
    parent's."""
    lost: tuple[str, ...] = ()
    """SMPL joints that turn and that the skeleton has nothing for."""

    def degrees(self, motion: Motion) -> dict[str, float]:
        """Return the joints that turn, by name, and by how much."""
        return {motion.joints[i].name: math.degrees(_angle(t)) for i, t in self.turns.items()}


def source_change(
    motion: Motion, bones: SourceBones, frame: int, before: Pose, after: Pose
) -> SourceChange:
    """Return how the joints of `motion` turn at `frame` if its pose `before` becomes `after`.

    Both are one pose, `before` that which `retarget` read there. A joint of the file takes over the
    turn of its SMPL joint in the world; joints in between go with the one above them. Where the
    file has fewer joints than SMPL (a spine of one), its joint takes over what they turn together.
    Raises SkeletonError if a joint without rotation channels would have to turn.
    """
    wanted, lost = _world_turns(motion, bones, before, after)
    rotations = motion.global_rotations(np.array([frame]), list(wanted))
    actual: list[Turn] = []
    turns: dict[int, Turn] = {}
    for i, joint in enumerate(motion.joints):
        above = actual[joint.parent] if joint.parent >= 0 else np.eye(3)
        own = wanted.get(i, above)
        if _angle(above.T @ own) < LEAST_TURN:
            own = above
        else:
            if not joint.turns:
                raise SkeletonError(
                    f"the joint {joint.name!r} would have to turn by "
                    f"{math.degrees(_angle(above.T @ own)):.0f} degrees, and the file has no "
                    "rotation channels for it; ask for a change that leaves it as it is"
                )
            parent = rotations[joint.parent][0] if joint.parent >= 0 else np.eye(3)
            turns[i] = parent.T @ above.T @ own @ parent
        actual.append(own)
    return SourceChange(turns=turns, lost=lost)


def turned_motion(
    motion: Motion, change: SourceChange, weights: Sequence[tuple[int, float]]
) -> Motion:
    """Return the motion with joints turned in some frames; angles stay near those of the file.

    `weights` are frames and which part of the turn (0 to 1) each takes; the first one says which
    branch the angles of the others follow, so that they do not jump from frame to frame. A joint
    with fewer than three axes turns as far as it can; what it leaves out is said in a FileNote.
    """
    tracks = motion.tracks.copy()
    for i, turn in change.turns.items():
        joint = motion.joints[i]
        columns, axes = [column for column, _ in joint.turns], [axis for _, axis in joint.turns]
        vector = roma.rotmat_to_rotvec(torch.from_numpy(turn))
        whole: np.ndarray | None = None
        for frame, weight in weights:
            old = motion.tracks[frame, columns]
            part = roma.rotvec_to_rotmat(weight * vector).numpy()
            wanted = part @ product_of_turns(old, axes)
            near = old if whole is None else old + weight * whole
            new = angles_near(wanted, axes, near)
            if whole is None:
                whole = new - old
                missed = _angle(product_of_turns(new, axes).T @ wanted)
                if missed > UNREACHED:
                    add_note(
                        motion.path,
                        f"the joint {joint.name!r} turns about {len(axes)} of 3 axes only and "
                        f"stays {math.degrees(missed):.0f} degrees behind what was wanted.",
                    )
            tracks[frame, columns] = new
    return replace(motion, tracks=tracks)


def eased(frame: int, blend: int, frames: int) -> list[tuple[int, float]]:
    """Return the edited frame with weight 1, then `blend` frames on both sides with less and less.

    >>> eased(4, 1, 10)
    [(4, 1.0), (3, 0.5), (5, 0.5)]
    """
    around = [
        (frame + sign * k, (1 + math.cos(math.pi * k / (blend + 1))) / 2)
        for k in range(1, blend + 1)
        for sign in (-1, 1)
    ]
    return [(frame, 1.0), *((f, round(weight, 12)) for f, weight in around if 0 <= f < frames)]


def _world_turns(
    motion: Motion, bones: SourceBones, before: Pose, after: Pose
) -> tuple[dict[int, Turn], tuple[str, ...]]:
    """Return joint of the file -> its turn in the file's world, and SMPL joints that are lost."""
    old, new = _world_rotations(before), _world_rotations(after)
    world = {
        joint: bones.world.T @ new[k] @ old[k].T @ bones.world for joint, k in SMPL.index.items()
    }
    wanted = {sources[0]: world[joint] for joint, sources in bones.turns.items()}
    base = _meeting(motion, list(wanted))
    if motion.joints[base].turns:  # legs and spine may hang on a joint above SMPL's pelvis
        wanted.setdefault(base, world["pelvis"])
    local = before.rotations[0].double().mT @ after.rotations[0].double()
    moved = [j for j, k in SMPL.index.items() if _angle(local[k].numpy()) > UNREACHED]
    taken = {j for joint in bones.turns for j in _spine_above(joint, bones)}
    return wanted, tuple(joint for joint in moved if joint not in taken)


def _spine_above(joint: str, bones: SourceBones) -> list[str]:
    """Return the SMPL joint and those above it that the file does not have: it turns for them."""
    found = [joint]
    above = SMPL.parents[SMPL.index[joint]]
    while above >= 0 and SMPL.joints[above] not in bones.turns:
        found.append(SMPL.joints[above])
        above = SMPL.parents[above]
    return found


def _world_rotations(pose: Pose) -> Float[np.ndarray, "24 3 3"]:
    rotations = pose.rotations.detach().cpu().double()
    return chain(rotations, torch.zeros(1, rotations.shape[1], 3).double())[0][0].numpy()


def _meeting(motion: Motion, joints: Sequence[int]) -> int:
    """Return the lowest joint that all of them hang on, or are."""
    paths = [_path(motion, joint) for joint in joints]
    return [i for i in paths[0] if all(i in path for path in paths)][-1]


def _path(motion: Motion, joint: int) -> list[int]:
    """Return the joints from the root down to `joint`."""
    path = []
    while joint >= 0:
        path.append(joint)
        joint = motion.joints[joint].parent
    return path[::-1]


def _angle(turn: Turn) -> float:
    """Return by how much a rotation turns (radians), exact for small turns too."""
    return float(roma.rotmat_to_rotvec(torch.from_numpy(np.ascontiguousarray(turn))).norm())
