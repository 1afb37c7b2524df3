"""Bring a motion from its own skeleton onto SMPL's 24 joints: directions of bones, twist kept.

Limbs: the target's bone points where the source's bone points, although the two rest poses
differ (arms hang, thighs are turned out). The joints of the trunk lie in other places in each
skeleton, so there the turns themselves are taken over, and then corrected until the line from
the middle of the hips to the middle of the shoulders points as in the source: once for the rest
pose, then pose by pose in the spine for where each skeleton bends. The head keeps its turn.
Elbows bend about the vertical axis of the target's T-pose whatever the roll of the source's arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import roma
import torch
from jaxtyping import Float, Int

from unipose.body.body import load_body
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import SMPL
from unipose.errors import SkeletonError
from unipose.files.motion import Motion, turn_about_axis
from unipose.files.source_skeletons import SMPL_NAMES, Naming, find_naming

LIMBS = {
    "left_hip": "left_knee",
    "left_knee": "left_ankle",
    "left_ankle": "left_foot",
    "left_shoulder": "left_elbow",
    "left_elbow": "left_wrist",
    "left_wrist": "left_hand",
    "right_hip": "right_knee",
    "right_knee": "right_ankle",
    "right_ankle": "right_foot",
    "right_shoulder": "right_elbow",
    "right_elbow": "right_wrist",
    "right_wrist": "right_hand",
}
"""Joint -> the joint at the other end of its bone."""
TRUNK = frozenset({"pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar"})
"""Joints that take over turns, corrected for the lean of the trunk at rest."""
TRUNK_LINE = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"))
ARM_HINGE = {"left": np.array([0.0, -1.0, 0.0]), "right": np.array([0.0, 1.0, 0.0])}
"""Axis about which the elbow of SMPL's T-pose bends (palms down, forearms move to the front)."""
HINGE_FRAMES = 256
"""From so many frames, evenly spread, a hinge is measured if the file does not declare it."""
LEAST_BEND = 0.1
"""Sine of the elbow angle above which a frame tells where the hinge is."""

Rotations = Float[np.ndarray, "frame 3 3"]


@dataclass(frozen=True, kw_only=True)
class SourceBones:
    """The parts of a source skeleton that correspond to SMPL joints."""

    naming: Naming
    turns: dict[str, tuple[int, ...]]
    """SMPL joint -> source joints that turn it (two: halfway between them)."""
    directions: dict[str, Float[np.ndarray, "3"]]
    """SMPL limb joint -> unit vector along its bone in the source's rest pose."""
    trunk_lean: float
    """Lean to the front of the trunk's line in the source's rest pose (radians)."""


@cache
def open_body_rest_joints() -> Float[np.ndarray, "24 3"]:
    """Return the T-pose joints of the embedded open body (metres)."""
    return load_body().rest_joints.double().numpy()


def find_bones(motion: Motion) -> SourceBones:
    """Find SMPL's joints in a source skeleton by their names.

    Raises SkeletonError if the skeleton is unknown, a limb has no length, or the rest pose does
    not stand upright (y up) with its left at +x.
    """
    index = motion.index
    naming = find_naming(index)
    turns = {
        joint: tuple(index[name] for name in names) for joint, names in naming.joint_turns().items()
    }
    places = {joint: index[name] for joint, name in naming.joint_lies().items() if name in index}
    rest = motion.rest_positions()
    directions = {}
    for start, end in LIMBS.items():
        if end in places:
            bone = rest[places[end]] - rest[places[start]]
        elif (free_end := motion.joints[places[start]].end) is not None:
            bone = np.asarray(free_end)
        else:
            continue
        length = float(np.linalg.norm(bone))
        if length < 1e-6:
            if start.endswith(("wrist", "ankle")):
                continue
            raise SkeletonError(f"the bone from {start} to {end} has no length")
        directions[start] = bone / length
    across = rest[places["left_hip"]] - rest[places["right_hip"]]
    up = rest[places["neck"]] - rest[places["pelvis"]]
    if across[0] <= abs(across[1]) + abs(across[2]) or up[1] <= abs(up[0]) + abs(up[2]):
        raise SkeletonError(
            "the rest pose must stand upright (y up) and face +z with its left side at +x"
        )
    low, high = (rest[[places[joint] for joint in joints]].mean(0) for joints in TRUNK_LINE)
    return SourceBones(
        naming=naming, turns=turns, directions=directions, trunk_lean=_lean(high - low)
    )


def retarget(
    motion: Motion,
    rest_joints: Float[np.ndarray, "24 3"] | None = None,
    *,
    frames: Int[np.ndarray, "frame"] | None = None,
    fps: float | None = None,
    body: str = OPEN_BODY,
) -> Pose:
    """Return `motion` as poses of the body whose T-pose joints are `rest_joints` (metres).

    Without `rest_joints` that is the embedded open body.
    `frames` picks and orders the frames (default all), `fps` is then the rate of the result. The
    path is scaled by the length of the legs, so that the feet stay near the floor.
    Raises SkeletonError if the skeleton cannot be understood.
    """
    bones = find_bones(motion)
    if rest_joints is None:
        rest_joints = open_body_rest_joints()
    if frames is None:
        frames = np.arange(len(motion))
    if bones.naming is SMPL_NAMES:
        return _own_pose(motion, bones, rest_joints, frames, fps, body)
    turns = motion.global_rotations(frames, [i for pair in bones.turns.values() for i in pair])
    world = _world_rotations(motion, bones, turns, rest_joints)
    world = _straighten_trunk(motion, bones, world, rest_joints, frames)
    local = _local_rotations(world)
    return Pose(
        rotations=torch.from_numpy(local).float(),
        translation=_translation(motion, bones, turns, world, rest_joints, frames),
        fps=motion.fps if fps is None else fps,
        body=body,
    )


def _own_pose(
    motion: Motion,
    bones: SourceBones,
    rest_joints: Float[np.ndarray, "24 3"],
    frames: Int[np.ndarray, "frame"],
    fps: float | None,
    body: str,
) -> Pose:
    """Return the pose of a skeleton that is SMPL's own: its turns are the pose, untouched."""
    turns = motion.global_rotations(frames, range(len(motion.joints)))
    world = {joint: turns[sources[0]] for joint, sources in bones.turns.items()}
    return Pose(
        rotations=torch.from_numpy(_local_rotations(world)).float(),
        translation=_translation(motion, bones, turns, world, rest_joints, frames),
        fps=motion.fps if fps is None else fps,
        body=body,
    )


def _world_rotations(
    motion: Motion,
    bones: SourceBones,
    turns: dict[int, Rotations],
    rest_joints: Float[np.ndarray, "24 3"],
) -> dict[str, Rotations]:
    """Return the world rotation of each SMPL joint that the source knows, and of the spine."""
    hinges = _arm_hinges(motion, bones)
    low, high = (rest_joints[SMPL.indices(*joints)].mean(0) for joints in TRUNK_LINE)
    trunk_change = turn_about_axis(bones.trunk_lean - _lean(high - low), 0)
    world: dict[str, Rotations] = {}
    for joint, sources in bones.turns.items():
        rotation = turns[sources[0]]
        if len(sources) == 2:
            rotation = _between(rotation, turns[sources[1]], 0.5)
        if joint in bones.directions:
            rotation = rotation @ _rest_change(joint, bones, rest_joints, hinges)
        elif joint in TRUNK:
            rotation = rotation @ trunk_change
        world[joint] = rotation
    for side in ("left", "right"):
        # toes keep the correction of their foot: unturned toes lie in line with it
        if f"{side}_foot" in world:
            change = _rest_change(f"{side}_ankle", bones, rest_joints, hinges)
            world[f"{side}_foot"] = world[f"{side}_foot"] @ change
    return _fill_spine(world)


def _fill_spine(world: dict[str, Rotations]) -> dict[str, Rotations]:
    """Spread the bend over spine joints that the source does not have."""
    chain = ["pelvis", "spine1", "spine2", "spine3"]
    known = [i for i, joint in enumerate(chain) if joint in world]
    for low, high in pairwise(known):
        for i in range(low + 1, high):
            part = (i - low) / (high - low)
            world[chain[i]] = _between(world[chain[low]], world[chain[high]], part)
    return world


def _straighten_trunk(
    motion: Motion,
    bones: SourceBones,
    world: dict[str, Rotations],
    rest_joints: Float[np.ndarray, "24 3"],
    frames: Int[np.ndarray, "frame"],
) -> dict[str, Rotations]:
    """Swing the spine above the pelvis so that the trunk's line points as in the source.

    The line is `held + swung`: from the hips to spine1 it moves with the pelvis, from there to
    the shoulders with the spine. The swing K is the smallest one that lays `held + K swung`
    along the source's direction u, that is K swung = s u - held with s > 0.
    """
    places = [bones.turns[joint][0] for joints in TRUNK_LINE for joint in joints]
    lies = motion.joint_positions(frames, places)
    hips, shoulders = (
        (lies[bones.turns[left][0]] + lies[bones.turns[right][0]]) / 2 for left, right in TRUNK_LINE
    )
    direction = _units(shoulders - hips)

    def offset(joint: str) -> Float[np.ndarray, "3"]:
        child = SMPL.index[joint]
        return rest_joints[child] - rest_joints[SMPL.parents[child]]

    middle_of_hips = (offset("left_hip") + offset("right_hip")) / 2
    held = world["pelvis"] @ (offset("spine1") - middle_of_hips)
    swung = world["spine1"] @ offset("spine2") + world["spine2"] @ offset("spine3")
    for side in ("left", "right"):
        collar = world.get(f"{side}_collar", world["spine3"])
        swung = swung + world["spine3"] @ offset(f"{side}_collar") / 2
        swung = swung + collar @ offset(f"{side}_shoulder") / 2
    along = (direction * held).sum(-1, keepdims=True)
    room = along**2 + (swung**2).sum(-1, keepdims=True) - (held**2).sum(-1, keepdims=True)
    aim = (along + np.sqrt(np.maximum(room, 0))) * direction - held
    swing = shortest_turns(_units(swung), _units(aim))
    moved = TRUNK - {"pelvis", "neck"}
    return {joint: swing @ turn if joint in moved else turn for joint, turn in world.items()}


def _local_rotations(world: dict[str, Rotations]) -> Float[np.ndarray, "frame 24 3 3"]:
    """Return rotations relative to the parent; joints that are unknown do not turn."""
    frames = len(world["pelvis"])
    local = np.empty((frames, len(SMPL.joints), 3, 3))
    whole: list[Rotations] = []
    for i, (joint, parent) in enumerate(zip(SMPL.joints, SMPL.parents, strict=True)):
        if parent < 0:
            local[:, i] = world[joint]
            whole.append(world[joint])
        elif joint in world:
            local[:, i] = whole[parent].swapaxes(1, 2) @ world[joint]
            whole.append(world[joint])
        else:
            local[:, i] = np.eye(3)
            whole.append(whole[parent])
    return local


def _rest_change(
    joint: str,
    bones: SourceBones,
    rest_joints: Float[np.ndarray, "24 3"],
    hinges: dict[str, Float[np.ndarray, "3"]],
) -> Float[np.ndarray, "3 3"]:
    """Return the turn that lays the target's bone at rest onto the source's bone at rest."""
    start, end = SMPL.indices(joint, LIMBS[joint])
    target = _unit(rest_joints[end] - rest_joints[start])
    source = bones.directions.get(joint)
    if source is None:
        return np.eye(3)
    side, part = joint.split("_")
    if part in ("shoulder", "elbow") and side in hinges:
        return _frame(source, hinges[side]) @ _frame(target, ARM_HINGE[side]).T
    return shortest_turns(target, source)


def _arm_hinges(motion: Motion, bones: SourceBones) -> dict[str, Float[np.ndarray, "3"]]:
    """Return the axis about which each elbow bends, in the frame of the source's rest pose.

    Declared by the file (ASF), else measured: the normal of the plane of upper arm and forearm
    seen from the upper arm, averaged over the recording. None if the arm is always straight.
    """
    hinges = {}
    for side in ("left", "right"):
        (shoulder,), (elbow,) = bones.turns[f"{side}_shoulder"], bones.turns[f"{side}_elbow"]
        declared = motion.hinges.get(motion.joints[elbow].name)
        upper, fore = bones.directions[f"{side}_shoulder"], bones.directions[f"{side}_elbow"]
        if declared is not None:
            hinges[side] = declared * np.sign(declared @ ARM_HINGE[side] or 1.0)
            continue
        spread = np.linspace(0, len(motion) - 1, min(HINGE_FRAMES, len(motion))).astype(int)
        turns = motion.global_rotations(spread, [shoulder, elbow])
        seen = turns[shoulder].swapaxes(1, 2) @ turns[elbow] @ fore
        normals = np.cross(upper, seen)
        bent = np.linalg.norm(normals, axis=1) > LEAST_BEND
        if bent.any() and np.linalg.norm(mean := normals[bent].mean(0)) > LEAST_BEND / 2:
            hinges[side] = _unit(mean)
    return hinges


def _translation(
    motion: Motion,
    bones: SourceBones,
    turns: dict[int, Rotations],
    world: dict[str, Rotations],
    rest_joints: Float[np.ndarray, "24 3"],
    frames: Int[np.ndarray, "frame"],
) -> Float[torch.Tensor, "frame 3"] | None:
    """Return the path that carries the middle of the hips where the source's is, legs scaled."""
    path = motion.root_positions(frames)
    if path is None:
        return None
    rest = motion.rest_positions()
    left, right = (bones.turns[f"{side}_hip"][0] for side in ("left", "right"))
    source_hips = (rest[left] + rest[right]) / 2  # relative to the root
    pelvis = SMPL.index["pelvis"]
    target_hips = rest_joints[SMPL.indices("left_hip", "right_hip")].mean(0) - rest_joints[pelvis]
    scale = _leg_length(rest_joints, SMPL.indices("left_hip", "left_knee", "left_ankle"))
    chain = [bones.turns[f"left_{part}"][0] for part in ("hip", "knee", "ankle")]
    scale /= _leg_length(rest, chain)
    hips = path + turns[bones.turns["pelvis"][0]] @ source_hips
    translation = scale * hips - world["pelvis"] @ target_hips - rest_joints[pelvis]
    return torch.from_numpy(translation).float()


def _leg_length(joints: Float[np.ndarray, "joint 3"], chain: list[int]) -> float:
    return float(np.linalg.norm(np.diff(joints[chain], axis=0), axis=1).sum())


def shortest_turns(
    start: Float[np.ndarray, "*frame 3"], end: Float[np.ndarray, "*frame 3"]
) -> Float[np.ndarray, "*frame 3 3"]:
    """Return the smallest rotations that carry the unit vectors `start` onto `end`.

    Two half-turns: about the vector between them, after one about `start` itself.
    """
    between = start + end
    opposite = np.linalg.norm(between, axis=-1, keepdims=True) < 1e-6
    square = np.cross(start, np.where(np.abs(start[..., :1]) < 0.7, [1.0, 0, 0], [0, 1.0, 0]))
    between = _units(np.where(opposite, square, between))
    eye = np.eye(3)
    first = 2 * start[..., :, None] * start[..., None, :] - eye
    second = 2 * between[..., :, None] * between[..., None, :] - eye
    return second @ first


def _frame(
    direction: Float[np.ndarray, "3"], hinge: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """Return the basis of a bone: along it, its hinge made square to it, and the third."""
    across = _unit(hinge - (hinge @ direction) * direction)
    return np.stack([direction, across, np.cross(direction, across)], axis=1)


def _between(start: Rotations, end: Rotations, part: float) -> Rotations:
    """Return the rotations that lie `part` of the way from `start` to `end`."""
    turn = roma.rotmat_to_rotvec(torch.from_numpy(start.swapaxes(-1, -2) @ end))
    return start @ roma.rotvec_to_rotmat(turn * part).numpy()


def _lean(line: Float[np.ndarray, "3"]) -> float:
    """Return how far an upright line leans to the front (radians)."""
    return float(np.arctan2(line[2], line[1]))


def _unit(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    return vector / np.linalg.norm(vector)


def _units(vectors: Float[np.ndarray, "*frame 3"]) -> Float[np.ndarray, "*frame 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
