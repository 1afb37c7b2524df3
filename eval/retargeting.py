"""How well retargeting keeps directions: source bones against the bones of the posed body.

The source's joints come from its own skeleton, the body's joints from posing the body, so the
measure does not rely on the code that it judges. Run as `python -m eval.retargeting --data FOLDER`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from data_builders.mocap import read_manifest
from eval.program import EvalOptions, print_result, print_table, run, select, track
from unipose.body.body import Body, load_body
from unipose.body.skeletons import SMPL
from unipose.files.motion import Motion
from unipose.files.retarget import retarget
from unipose.files.source_bones import LIMBS, find_bones

FPS = 30.0
LINES = {
    "trunk": (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")),
    "hips": (("right_hip",), ("left_hip",)),
    "shoulders": (("right_shoulder",), ("left_shoulder",)),
    "neck": (("neck",), ("head",)),
}
"""Further lines: from the middle of some joints to the middle of others; kept in part."""


@dataclass(frozen=True, kw_only=True)
class RetargetingOptions(EvalOptions):
    """Options of eval.retargeting: recordings of all splits unless told otherwise."""

    split: str = "all"
    """train, val, test, or all."""


def measure(
    motion: Motion, body: Body, frames: Int[np.ndarray, "frame"]
) -> dict[str, Float[np.ndarray, "frame"]]:
    """Return the angle between source and body (degrees) of each bone the source has."""
    pose = retarget(motion, body.rest_joints.double().numpy(), frames=frames)
    joints = body.joints(pose.rotations).double().numpy()
    source = source_directions(motion, frames)
    target = {start: joints[:, SMPL.index[end]] - joints[:, SMPL.index[start]]
              for start, end in LIMBS.items()}  # fmt: skip
    for name, (start, end) in LINES.items():
        low, high = (joints[:, SMPL.indices(*names)].mean(1) for names in (start, end))
        target[name] = high - low
    return {name: angle_deg(source[name], target[name]) for name in source}


def source_directions(
    motion: Motion, frames: Int[np.ndarray, "frame"]
) -> dict[str, Float[np.ndarray, "frame 3"]]:
    """Return the source's own bones as vectors in the world, named by their SMPL joint."""
    bones = find_bones(motion)
    places = bones.places
    positions = {
        i: place @ bones.world.T
        for i, place in motion.joint_positions(frames, list(places.values())).items()
    }
    rotations = {
        i: bones.world @ turn
        for i, turn in motion.global_rotations(frames, list(places.values())).items()
    }
    found = {}
    for start, end in LIMBS.items():
        if end in places:
            found[start] = positions[places[end]] - positions[places[start]]
        elif start in bones.directions:
            found[start] = rotations[places[start]] @ bones.directions[start]
    for name, (start, end) in LINES.items():
        if all(joint in places for joint in start + end):
            low, high = (
                np.mean([positions[places[joint]] for joint in joints], axis=0)
                for joints in (start, end)
            )
            found[name] = high - low
    return found


def angle_deg(
    first: Float[np.ndarray, "frame 3"], second: Float[np.ndarray, "frame 3"]
) -> Float[np.ndarray, "frame"]:
    """Return the angles between vectors in degrees, exact also where they are tiny."""
    across = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.degrees(np.arctan2(across, (first * second).sum(-1)))


def main(options: RetargetingOptions) -> None:
    """Measure the direction error of retargeting, bone by bone, in degrees."""
    recordings = select(read_manifest(options.data), options)
    body = load_body()
    errors: dict[str, list[np.ndarray]] = defaultdict(list)
    frames = 0
    for recording in track(recordings, "retargeting"):
        picked = recording.pick_frames(min(FPS, recording.fps))
        frames += len(picked)
        for bone, angles in measure(recording.read(), body, picked).items():
            errors[bone].append(angles)
    table = {bone: _summary(np.concatenate(angles)) for bone, angles in errors.items()}
    print_table(
        f"Direction error of {frames} frames of {len(recordings)} recordings (degrees)",
        ["bone", "mean", "95 %", "largest", "frames"],
        [(bone, s["mean"], s["p95"], s["max"], s["frames"]) for bone, s in table.items()],
    )
    scored = np.concatenate([angles for of_bone in errors.values() for angles in of_bone])
    result: dict[str, object] = {
        "direction_error_deg": float(scored.mean()),
        "direction_error_p95_deg": float(np.percentile(scored, 95)),
        "recordings": len(recordings),
        "frames": frames,
        "bones": table,
    }
    print_result(result, as_json=options.json)


def _summary(angles: Float[np.ndarray, "frame"]) -> dict[str, float | int]:
    return {
        "mean": float(angles.mean()),
        "p95": float(np.percentile(angles, 95)),
        "max": float(angles.max()),
        "frames": len(angles),
    }


if __name__ == "__main__":
    run(main, RetargetingOptions)
