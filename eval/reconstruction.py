"""How much of a pose is lost when it becomes codes and comes back.

Joint errors of the open body, the pelvis of both poses in one place (zero translation) and no other
alignment; PA after the best similarity per pose. The root's rotation is coded and counts. Run as
`python -m eval.reconstruction --data FOLDER`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_builders.mocap import read_manifest
from eval.program import EvalOptions, print_result, print_table, run, select, track
from tokenizer.codec import PoseTokenizer
from tokenizer.rotations import rotations_from_6d
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.metrics import mpjpe, pa_mpjpe

BATCH = 512


@dataclass(frozen=True, kw_only=True)
class ReconstructionOptions(EvalOptions):
    """Options of eval.reconstruction."""

    tokenizer: Path | None = None
    """Folder with codec.json and codec.safetensors; without it the embedded model's tokenizer."""
    fps: float = 30.0
    """How many poses of each second of a recording are coded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Errors:
    """What coding did to a batch of poses; metres, one number per pose."""

    mpjpe: Float[Tensor, " pose"]
    """Over the 22 joints that are coded."""
    mpjpe_all: Float[Tensor, " pose"]
    """Over all 24, the ends of the hands included."""
    pa_mpjpe: Float[Tensor, " pose"]
    codes: Int[Tensor, "pose code"]


@torch.inference_mode()
def measure(codec: PoseTokenizer, body: Body, pose: Pose) -> Errors:
    """Return the errors of coding every pose of a batch, and the codes."""
    found = []
    for rotations in pose.rotations.float().split(BATCH):
        part = Pose(rotations=rotations)
        codes = codec.encode(part.sixd)
        rebuilt = Pose.from_rotations(rotations_from_6d(codec.decode(codes)))
        truth, joints = body.joints(part.rotations), body.joints(rebuilt.rotations)
        coded, true_coded = joints[:, :POSED_JOINTS], truth[:, :POSED_JOINTS]
        errors = mpjpe(coded, true_coded), mpjpe(joints, truth), pa_mpjpe(coded, true_coded)
        found.append((*errors, codes))
    plain, every, aligned, codes = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Errors(mpjpe=plain, mpjpe_all=every, pa_mpjpe=aligned, codes=codes)


def load_codec(folder: Path | None) -> PoseTokenizer:
    """Return the pose tokenizer in a folder, or the embedded model's."""
    if folder is None:
        return UniPose.load().model.codec
    return PoseTokenizer.from_pretrained(folder)


def main(options: ReconstructionOptions) -> None:
    """Code and decode the poses of recordings; report joint errors and codebook use."""
    recordings = select(read_manifest(options.data), options)
    codec, body = load_codec(options.tokenizer), load_body()
    errors: dict[str, list[Errors]] = defaultdict(list)
    for recording in track(recordings, "coding"):
        pose = recording.open(min(options.fps, recording.fps))
        errors[recording.source].append(measure(codec, body, pose))
    everything = [part for parts in errors.values() for part in parts]
    table = {source: summary(parts) for source, parts in errors.items()}
    print_table(
        f"Pose -> {codec.config.length} codes of {codec.config.codes} -> pose (millimetres)",
        ["recordings of", "MPJPE", "PA-MPJPE", "95 %", "% above 50", "poses"],
        [
            (
                source,
                s["mpjpe_mm"],
                s["pa_mpjpe_mm"],
                s["mpjpe_p95_mm"],
                100 * s["above_50_mm"],
                str(s["poses"]),
            )
            for source, s in table.items()
        ],
    )
    used = torch.cat([part.codes for part in everything]).unique()
    result: dict[str, object] = {
        **summary(everything),
        "codebook_use": len(used) / codec.config.codes,
        "codes_per_pose": codec.config.length,
        "recordings": len(recordings),
        "sources": table,
    }
    print_result(result, as_json=options.json)


def summary(parts: list[Errors]) -> dict[str, float | int]:
    """Return the mean errors over all poses in millimetres, and how bad the worst poses are."""
    plain = torch.cat([part.mpjpe for part in parts]) * 1000
    return {
        "mpjpe_mm": float(plain.mean()),
        "pa_mpjpe_mm": float(torch.cat([part.pa_mpjpe for part in parts]).mean()) * 1000,
        "mpjpe_24_mm": float(torch.cat([part.mpjpe_all for part in parts]).mean()) * 1000,
        "mpjpe_p95_mm": float(np.percentile(plain.numpy(), 95)),
        "above_50_mm": float((plain > 50).float().mean()),
        "poses": len(plain),
    }


if __name__ == "__main__":
    run(main, ReconstructionOptions)
