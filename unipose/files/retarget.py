"""Bring a motion from its own skeleton onto SMPL's 24 joints: directions of bones, twist kept.

Limbs: the target's bone points where the source's bone points, although the two rest poses
differ (arms hang, thighs are turned out). The joints of the trunk lie in other places in each
skeleton, so there the turns themselves are taken over, and then corrected until the line from
the middle of the hips to the middle of the shoulders points as in the source: once for the rest
pose, then pose by pose in the spine for where each skeleton bends. The head keeps its turn.
Elbows bend about the vertical axis of the target's T-pose whatever the roll of the source's arm.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import roma
import torch
from jaxtyping import Float, Int

from unipose.body.body import load_body
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import SMPL
from unipose.files.motion import Motion, turn_about_axis
from unipose.files.source_bones import (
    LIMBS,
    TRUNK,
    TRUNK_LINE,
    SourceBones,
    find_bones,
    unit,
    units,
)

HINGES = {
    "left_shoulder": np.array([0.0, -1.0, 0.0]),
    "right_shoulder": np.array([0.0, 1.0, 0.0]),
    "left_hip": np.array([1.0, 0.0, 0.0]),
    "right_hip": np.array([1.0, 0.0, 0.0]),
}
"""Axis about which the next joint bends in SMPL's T-pose (palms down, forearms to the front)."""
HINGE_FRAMES = 256
"""From so many frames, evenly spread, a hinge is measured if the file does not declare it."""
LEAST_BEND = 0.1
"""Sine of the bend above which a frame tells where the hinge is."""
SMPL_REST_COSINE = 0.966
"""Cosine within which the limbs of a skeleton with SMPL's names point as SMPL's T-pose does."""

Rotations = Float[np.ndarray, "frame 3 3"]


@cache
def open_body_rest_joints() -> Float[np.ndarray, "24 3"]:
    """Return the T-pose joints of the embedded open body (metres)."""
    return load_body().rest_joints.double().numpy()


def retarget(
    motion: Motion,
    rest_joints: Float[np.ndarray, "24 3"] | None = None,
    *,
    frames: Int[np.ndarray, "frame"] | None = None,
    fps: float | None = None,
    body: str = OPEN_BODY,
    bones: SourceBones | None = None,
) -> Pose:
    """Return `motion` as poses of the body whose T-pose joints are `rest_joints` (metres).

    Without `rest_joints` that is the embedded open body.
    `frames` picks and orders the frames (default all), `fps` is then the rate of the result. The
    path is scaled by the length of the legs, so that the feet stay near the floor. `bones` are
    those that `find_bones` gave, where somebody has asked already.
    Raises SkeletonError if the skeleton cannot be understood.
    """
    bones = find_bones(motion) if bones is None else bones
    if rest_joints is None:
        rest_joints = open_body_rest_joints()
    if frames is None:
        frames = np.arange(len(motion))
    if _is_smpl(motion, bones, rest_joints):
        world = _turns(motion, bones, frames, list(bones.places.values()))
        world = {joint: world[i] for joint, i in bones.places.items()}
    else:
        world = _world_rotations(motion, bones, rest_joints, frames)
        world = _straighten_trunk(motion, bones, world, rest_joints, frames)
        world = _follow_bones(motion, bones, world, rest_joints, frames)
    return Pose(
        rotations=torch.from_numpy(_local_rotations(world)).float(),
        translation=_translation(motion, bones, world, rest_joints, frames),
        fps=motion.fps if fps is None else fps,
        body=body,
    )


def _is_smpl(motion: Motion, bones: SourceBones, rest_joints: Float[np.ndarray, "24 3"]) -> bool:
    """Return whether the skeleton is SMPL's (names, tree, T-pose): its turns are the pose."""
    names = [joint.name for joint in motion.joints]
    if [names[bones.places[joint]] for joint in SMPL.joints if joint in bones.places] != [
        *SMPL.joints
    ] or not np.allclose(bones.upright, np.eye(3), atol=1e-2):
        return False
    parents = [motion.joints[bones.places[joint]].parent for joint in SMPL.joints[1:]]
    if parents != [bones.places[SMPL.joints[parent]] for parent in SMPL.parents[1:]]:
        return False
    return all(
        direction @ _target_bone(joint, rest_joints) > SMPL_REST_COSINE
        for joint, direction in bones.directions.items()
    )


def _turns(
    motion: Motion, bones: SourceBones, frames: Int[np.ndarray, "frame"], wanted: list[int]
) -> dict[int, Rotations]:
    """Return the rotations of source joints in our world (y up)."""
    turns = motion.global_rotations(frames, wanted)
    return {i: bones.world @ turn for i, turn in turns.items()}


def _places(
    motion: Motion, bones: SourceBones, frames: Int[np.ndarray, "frame"]
) -> dict[str, Float[np.ndarray, "frame 3"]]:
    """Return where the source's joints lie in our world (y up), by SMPL joint."""
    lies = motion.joint_positions(frames, list(bones.places.values()))
    return {joint: lies[i] @ bones.world.T for joint, i in bones.places.items()}


def _target_bone(joint: str, rest_joints: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "3"]:
    start, end = SMPL.indices(joint, LIMBS[joint])
    return unit(rest_joints[end] - rest_joints[start])


def _world_rotations(
    motion: Motion,
    bones: SourceBones,
    rest_joints: Float[np.ndarray, "24 3"],
    frames: Int[np.ndarray, "frame"],
) -> dict[str, Rotations]:
    """Return the world rotation of each SMPL joint that the source knows, and of the spine."""
    turns = _turns(motion, bones, frames, [i for pair in bones.turns.values() for i in pair])
    low, high = (rest_joints[SMPL.indices(*joints)].mean(0) for joints in TRUNK_LINE)
    lean = turn_about_axis(-_lean(high - low), 0)
    changes = _limb_changes(motion, bones, rest_joints)
    world: dict[str, Rotations] = {}
    for joint, sources in bones.turns.items():
        rotation = turns[sources[0]]
        if len(sources) == 2:
            rotation = _between(rotation, turns[sources[1]], 0.5)
        if joint in TRUNK:
            world[joint] = rotation @ bones.trunk[joint] @ lean
        else:
            world[joint] = rotation @ (bones.trunk[joint] if joint == "head" else changes[joint])
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
    lies = _places(motion, bones, frames)
    hips, shoulders = ((lies[left] + lies[right]) / 2 for left, right in TRUNK_LINE)
    direction = units(shoulders - hips)

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
    swing = shortest_turns(units(swung), units(aim))
    moved = TRUNK - {"pelvis", "neck"}
    return {joint: swing @ turn if joint in moved else turn for joint, turn in world.items()}


def _follow_bones(
    motion: Motion,
    bones: SourceBones,
    world: dict[str, Rotations],
    rest_joints: Float[np.ndarray, "24 3"],
    frames: Int[np.ndarray, "frame"],
) -> dict[str, Rotations]:
    """Swing limbs whose bone moves within its joint: joints between the two, or moving offsets."""
    joints, lies = motion.joints, None
    for start, end in LIMBS.items():
        if end not in bones.places or start not in world:
            continue
        last = joints[bones.places[end]]
        if last.parent == bones.places[start] and not last.slides:
            continue
        lies = _places(motion, bones, frames) if lies is None else lies
        points = world[start] @ _target_bone(start, rest_joints)
        world = world | {
            start: shortest_turns(points, units(lies[end] - lies[start])) @ world[start]
        }
    return world


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


def _limb_changes(
    motion: Motion, bones: SourceBones, rest_joints: Float[np.ndarray, "24 3"]
) -> dict[str, Float[np.ndarray, "3 3"]]:
    """Return the turn of each limb joint that lays the target's bone at rest onto the source's.

    Its twist is the hinge's where there is one, else that of the shortest turn: from the upright
    body, or from the bone before it where the zero pose is folded.
    """
    hinges = _hinges(motion, bones, rest_joints)
    changes: dict[str, np.ndarray] = {}
    for joint, end in LIMBS.items():
        side, part = joint.split("_")
        above = {"knee": "hip", "ankle": "knee", "elbow": "shoulder", "wrist": "elbow"}.get(part)
        start = changes[f"{side}_{above}"] if bones.folded and above else bones.upright
        target, source = _target_bone(joint, rest_joints), bones.directions.get(joint)
        if source is None:
            changes[joint] = start
        elif joint in hinges:
            of_target = HINGES[f"{side}_{above if part in ('knee', 'elbow') else part}"]
            changes[joint] = _frame(source, hinges[joint]) @ _frame(target, of_target).T
        else:
            changes[joint] = shortest_turns(start @ target, source) @ start
        if part == "ankle":  # toes keep the correction of their foot: unturned they lie in line
            changes[end] = changes[joint]
    return changes


def _hinges(
    motion: Motion, bones: SourceBones, rest_joints: Float[np.ndarray, "24 3"]
) -> dict[str, Float[np.ndarray, "3"]]:
    """Return the axis about which elbows bend (knees too where the zero pose is folded).

    Given for the bones on both sides of it, each in the frame of its joint. Declared by the file
    (ASF), else measured: the normal of the plane of both bones, averaged over the recording. None
    if the limb is always straight; straight legs are told by where the feet point.
    """
    spread = np.linspace(0, len(motion) - 1, min(HINGE_FRAMES, len(motion))).astype(int)
    hinges = {}
    parts = [("shoulder", "elbow"), *([("hip", "knee")] if bones.folded else [])]
    for first, second in [(f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in parts]:
        (upper,), (lower,) = bones.turns[first], bones.turns[second]
        declared = motion.hinges.get(motion.joints[lower].name)
        if declared is not None:
            sign = np.sign(declared @ bones.upright @ HINGES[first]) or 1.0
            hinges[first] = hinges[second] = declared * sign
            continue
        turns = motion.global_rotations(spread, [upper, lower])
        above, below = (
            turns[upper] @ bones.directions[first],
            turns[lower] @ bones.directions[second],
        )
        normals = np.cross(above, below)
        bent = np.linalg.norm(normals, axis=1) > LEAST_BEND
        foot = first.replace("hip", "ankle")
        if not bent.any() and foot != first and foot in bones.directions:
            ankle = bones.turns[foot][0]
            toes = motion.global_rotations(spread, [ankle])[ankle] @ bones.directions[foot]
            normals = np.cross(toes, above)
            bent = np.linalg.norm(normals, axis=1) > LEAST_BEND
        if not bent.any():
            continue
        for joint, turn in ((first, turns[upper]), (second, turns[lower])):
            seen = (turn.swapaxes(1, 2) @ normals[..., None])[bent, :, 0].mean(0)
            if np.linalg.norm(seen) > LEAST_BEND / 2:
                hinges[joint] = unit(seen)
        if first in hinges and not bones.folded:
            hinges[second] = hinges[first]
    return hinges


def _translation(
    motion: Motion,
    bones: SourceBones,
    world: dict[str, Rotations],
    rest_joints: Float[np.ndarray, "24 3"],
    frames: Int[np.ndarray, "frame"],
) -> Float[torch.Tensor, "frame 3"] | None:
    """Return the path that carries the middle of the hips where the source's is, legs scaled."""
    if not motion.moves_along(bones.places["left_hip"]):
        return None
    lies = _places(motion, bones, frames)
    hips = (lies["left_hip"] + lies["right_hip"]) / 2
    pelvis = SMPL.index["pelvis"]
    target_hips = rest_joints[SMPL.indices("left_hip", "right_hip")].mean(0) - rest_joints[pelvis]
    leg = ("left_hip", "left_knee", "left_ankle")
    scale = _leg_length(rest_joints, SMPL.indices(*leg))
    scale /= _leg_length(motion.rest_positions(), [bones.places[joint] for joint in leg])
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
    between = units(np.where(opposite, square, between))
    eye = np.eye(3)
    first = 2 * start[..., :, None] * start[..., None, :] - eye
    second = 2 * between[..., :, None] * between[..., None, :] - eye
    return second @ first


def _frame(
    direction: Float[np.ndarray, "3"], hinge: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """Return the basis of a bone: along it, its hinge made square to it, and the third."""
    across = unit(hinge - (hinge @ direction) * direction)
    return np.stack([direction, across, np.cross(direction, across)], axis=1)


def _between(start: Rotations, end: Rotations, part: float) -> Rotations:
    """Return the rotations that lie `part` of the way from `start` to `end`."""
    turn = roma.rotmat_to_rotvec(torch.from_numpy(start.swapaxes(-1, -2) @ end))
    return start @ roma.rotvec_to_rotmat(turn * part).numpy()


def _lean(line: Float[np.ndarray, "3"]) -> float:
    """Return how far an upright line leans to the front (radians)."""
    return float(np.arctan2(line[2], line[1]))
