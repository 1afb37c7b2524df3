"""How true a changed pose comes back to the skeleton of its file: known turns in every recording.

In one frame of each BVH file joints of SMPL are turned by drawn angles, the file is written again
and read again. What is expected is told by the turns and by the file's own bones as they were.
Run as `python -m eval.edited_recordings --data FOLDER`; no model is asked.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Float

from data_builders.mocap import Recording, read_manifest
from eval.program import EvalOptions, print_result, print_table, run, select, track
from eval.retargeting import angle_deg, source_directions
from unipose.body.body import Body, load_body
from unipose.body.kinematics import chain
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.files.bvh import read_bvh
from unipose.files.edited_bvh import write_edited_bvh
from unipose.files.retarget import retarget
from unipose.files.retarget_back import eased, source_change, turned_motion
from unipose.files.source_bones import LIMBS, find_bones
from unipose.files.standing_feet import follow_feet

KINDS = {
    "arm": ("left_shoulder", "left_elbow", "left_wrist"),
    "leg": ("right_hip", "right_knee", "right_ankle"),
    "head": ("neck", "head"),
    "trunk": ("spine1", "spine2", "spine3"),
    "whole body": ("pelvis",),
}
"""What is turned, one kind after the other."""
LARGEST_TURN = {"trunk": 20.0}
USUAL_TURN = 60.0
"""Degrees up to which a joint turns."""


@dataclass(frozen=True, kw_only=True)
class EditedRecordingsOptions(EvalOptions):
    """Options of eval.edited_recordings: BVH files of all splits unless told otherwise."""

    split: str = "all"
    """train, val, test, or all."""


@dataclass(frozen=True, kw_only=True)
class EditMeasures:
    """What became of one change of one recording."""

    direction_deg: float
    """Largest angle between a limb of the file and where the turns lead it."""
    joints_mm: float
    """Mean distance of the joints of the pose that is read again from the edited pose's."""
    farthest_mm: float
    other_rows: int
    """Lines of the file that differ and are not the frame's."""
    slid_mm: float
    """How far a foot that should stand is from where it stood."""


def measure(
    recording: Recording, kind: str, body: Body, out: Path, rng: np.random.Generator
) -> EditMeasures:
    """Turn the joints of a kind in a drawn frame, write the file and read it again."""
    path = recording.folder / recording.path
    motion = read_bvh(path)
    frame = int(rng.integers(recording.first_frame, len(motion)))
    frames, bones = np.array([frame]), find_bones(motion)
    before = retarget(motion, frames=frames, bones=bones)
    after = _turned(before, kind, rng)
    change = source_change(motion, bones, frame, before, after)
    weights = eased(frame, 0, len(motion))
    moved, root = follow_feet(motion, turned_motion(motion, change, weights), bones, weights)
    write_edited_bvh(path, out, motion, moved)
    again = read_bvh(out)
    old, new = source_directions(motion, frames), source_directions(again, frames)
    turns = _world(after) @ _world(before).swapaxes(1, 2)
    apart = [
        angle_deg(new[joint], old[joint] @ turns[SMPL.index[joint]].T)
        for joint in LIMBS
        if joint in old and joint in bones.turns
    ]
    read = retarget(again, frames=frames)
    places = [body.joints(pose.rotations)[0, :22] for pose in (after, read)]
    off = 1000 * (places[0] - places[1]).norm(dim=-1)
    rows = zip(path.read_bytes().splitlines(), out.read_bytes().splitlines(), strict=True)
    return EditMeasures(
        direction_deg=float(np.max(apart)),
        joints_mm=float(off.mean()),
        farthest_mm=float(off.max()),
        other_rows=max(0, sum(one != other for one, other in rows) - 1),
        slid_mm=10 * root.slid_cm,
    )


def stays_the_same(recording: Recording, out: Path) -> bool:
    """Return whether a recording that is read and written without a change has the same bytes."""
    path = recording.folder / recording.path
    motion = read_bvh(path)
    write_edited_bvh(path, out, motion, motion)
    return path.read_bytes() == out.read_bytes()


def _turned(pose: Pose, kind: str, rng: np.random.Generator) -> Pose:
    rotations = pose.rotations.clone()
    for joint in KINDS[kind]:
        axis = rng.normal(size=3)
        angle = np.radians(rng.uniform(5.0, LARGEST_TURN.get(kind, USUAL_TURN)))
        turn = roma.rotvec_to_rotmat(torch.from_numpy(angle * axis / np.linalg.norm(axis)))
        k = SMPL.index[joint]
        rotations[0, k] = rotations[0, k] @ turn.float()
    return replace(pose, rotations=rotations)


def _world(pose: Pose) -> Float[np.ndarray, "24 3 3"]:
    rotations = pose.rotations.double()
    return chain(rotations, torch.zeros(1, 24, 3).double())[0][0].numpy()


def main(options: EditedRecordingsOptions) -> None:
    """Measure how changed poses come back to their own skeletons: degrees and millimetres."""
    every = [one for one in read_manifest(options.data) if one.path.lower().endswith(".bvh")]
    recordings = select(every, options)
    body, rng = load_body(), np.random.default_rng(options.seed)
    found: dict[str, list[EditMeasures]] = defaultdict(list)
    same = 0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.bvh"
        for recording in track(recordings, "recordings"):
            same += stays_the_same(recording, out)
            for kind in KINDS:
                found[kind].append(measure(recording, kind, body, out, rng))
    table = {
        kind: {
            "direction_deg": max(one.direction_deg for one in its),
            "joints_mm": float(np.mean([one.joints_mm for one in its])),
            "farthest_p95_mm": float(np.percentile([one.farthest_mm for one in its], 95)),
            "slid_mm": max(one.slid_mm for one in its),
            "other_rows": sum(one.other_rows for one in its),
        }
        for kind, its in found.items()
    }
    print_table(
        f"Changes of {len(recordings)} BVH files, {same} the same bytes without a change",
        ["turned", "limbs, most deg", "joints, mean mm", "farthest, 95 % mm", "foot slid, mm",
         "other lines"],
        [(kind, *row.values()) for kind, row in table.items()],
    )  # fmt: skip
    result: dict[str, object] = {
        "recordings": len(recordings),
        "same_bytes": same,
        "direction_deg": max(row["direction_deg"] for row in table.values()),
        "kinds": table,
    }
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, EditedRecordingsOptions)
