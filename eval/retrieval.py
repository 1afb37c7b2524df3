"""How good are the evaluators themselves? Recall and R-precision on recordings nobody trained on.

Poses (or pairs of poses) look for the text that our writer made of them among those of the whole
gallery, and texts for their pose. Recall depends on the size of the gallery and R-precision on the
shuffle that makes groups of 32: both are printed with every figure, and so is chance. Run as
`python -m eval.retrieval --data FOLDER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.mocap import read_manifest
from data_builders.posecodes.captions import write_captions
from eval.program import EvalOptions, print_result, print_table, run, select
from eval.truth import OWN_SEEDS, draw_pairs, draw_poses, front_joints, read_sparsely
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.metrics import r_precision, recall
from unipose.retrieval.model import RetrievalModel

EMBEDDED = Path(__file__).parents[1] / "unipose" / "weights" / "mini"
RANKS = (1, 5, 10, 20)
TOPS = (1, 2, 3)
PUBLISHED = (
    ("PoseScript, by PoseScript", 22.3, 50.1, 62.9, 22.1, 51.4, 63.1, 45.3),
    ("PoseScript, by UniPose", 31.3, 60.1, 73.0, 31.4, 62.5, 73.8, 55.5),
    ("PoseFix, by PoseFix", 13.9, 33.2, 45.2, 14.1, 30.1, 42.5, 30.0),
    ("PoseFix, by UniPose", 15.7, 34.0, 44.7, 15.2, 34.0, 44.6, 31.3),
)
"""UniPose supplement, table 4: pose to text at 1, 5, 10, text to pose at 1, 5, 10, mRecall (%).
Not every printed mRecall is the mean of its row, as the paper says (PoseFix's would be 28.3)."""


@dataclass(frozen=True, kw_only=True)
class RetrievalOptions(EvalOptions):
    """Options of eval.retrieval."""

    pose: Path = EMBEDDED / "retrieval_pose"
    """Folder of the evaluator of poses."""
    pair: Path = EMBEDDED / "retrieval_pair"
    """Folder of the evaluator of pairs."""
    poses: int = 500
    """How many recorded poses the gallery holds, if there are so many at two per second."""
    pairs: int = 500
    """How many pairs: half two moments of a recording, half with limbs from elsewhere."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.poses, self.pairs) < 32:
            raise ConfigError("R-precision needs 32 --poses and --pairs or more")


def embed_poses(
    model: RetrievalModel, poses: Pose, body: Body, *, seed: int
) -> tuple[Float[Tensor, "pose feature"], Float[Tensor, "pose feature"]]:
    """Return features of poses and of a caption of each."""
    texts = write_captions(
        front_joints(body, poses), seed=OWN_SEEDS + seed, indices=range(len(poses))
    )
    return model.embed_poses(poses), model.embed_texts(texts)


def embed_pairs(
    model: RetrievalModel,
    recorded: list[Float[Tensor, "_ 22 3 3"]],
    count: int,
    body: Body,
    *,
    seed: int,
) -> tuple[Float[Tensor, "pair feature"], Float[Tensor, "pair feature"]]:
    """Return features of pairs of recorded poses and of an instruction for each."""
    kinds = draw_pairs(recorded, count, body, seed=seed)
    seen = [model.embed_pairs(pairs.source, pairs.target) for pairs in kinds]
    return torch.cat(seen), model.embed_texts([text for pairs in kinds for text in pairs.texts])


def measure(
    seen: Float[Tensor, "pair feature"], read: Float[Tensor, "pair feature"], *, seed: int
) -> dict[str, float | int]:
    """Return recalls, R-precision (poses look for texts), and what chance would give; shares."""
    found, grouped = recall(seen @ read.mT, ranks=RANKS), r_precision(seen, read, seed=seed)
    result: dict[str, float | int] = {
        "mean_recall": found.mean,
        "chance_mean_recall": found.mean_chance,
        "gallery": found.gallery,
    }
    for k in RANKS:
        result[f"pose_to_text_at_{k}"] = found.pose_to_text[k]
        result[f"text_to_pose_at_{k}"] = found.text_to_pose[k]
        result[f"chance_at_{k}"] = found.chance(k)
    for k in TOPS:
        result[f"r_precision_top{k}"] = grouped.top[k]
        result[f"chance_r_precision_top{k}"] = grouped.chance(k)
    result |= {"r_precision_group": grouped.group, "r_precision_groups": grouped.groups}
    return result | {"r_precision_left_out": grouped.left_out, "r_precision_seed": grouped.seed}


def measure_evaluators(options: RetrievalOptions) -> dict[str, object]:
    """Return the figures of both evaluators, each one's own under "pose" and "pair"."""
    models = {kind: RetrievalModel.load(getattr(options, kind)) for kind in ("pose", "pair")}
    recordings = select(read_manifest(options.data), options)
    body, recorded = load_body(), read_sparsely(recordings)
    poses = draw_poses(recorded, options.poses, seed=options.seed)
    features = {
        "pose": embed_poses(models["pose"], poses, body, seed=options.seed),
        "pair": embed_pairs(models["pair"], recorded, options.pairs, body, seed=options.seed),
    }
    scores = {kind: measure(*found, seed=options.seed) for kind, found in features.items()}
    result: dict[str, object] = {
        f"{kind}_{name}": scores[kind][name]
        for kind in scores
        for name in ("mean_recall", "chance_mean_recall", "gallery", "r_precision_top1")
    }
    result |= {**scores, "split": options.split, "seed": options.seed}
    return result | {"recordings": len(recordings)}


def main(options: RetrievalOptions) -> None:
    """Measure the retrieval evaluators on recordings they were not trained on."""
    result = measure_evaluators(options)
    if not options.json:
        print_report({kind: result[kind] for kind in ("pose", "pair")}, split=options.split)
    print_result(result, as_json=options.json)


def print_report(scores: dict[str, Any], *, split: str) -> None:
    """Print our figures with chance beside them, and the published ones well apart."""
    for kind, found in scores.items():
        rows: list[tuple[str | float, ...]] = [
            (
                f"recall at {k}",
                *(100 * found[f"{way}_at_{k}"] for way in ("pose_to_text", "text_to_pose")),
                100 * found[f"chance_at_{k}"],
            )
            for k in RANKS
        ]
        rows.append(
            (
                "mRecall (1, 5, 10)",
                100 * found["mean_recall"],
                "",
                100 * found["chance_mean_recall"],
            )
        )
        rows += [
            (
                f"R-precision, {found['r_precision_group']} texts, top {k}",
                100 * found[f"r_precision_top{k}"],
                "",
                100 * found[f"chance_r_precision_top{k}"],
            )
            for k in TOPS
        ]
        print_table(
            f"The evaluator of {kind}s, split {split!r}, gallery of {found['gallery']}; %",
            ["", f"{kind} to text", f"text to {kind}", "by chance"],
            rows,
        )
    print_table(
        "PUBLISHED, on other data (human texts of PoseScript and PoseFix, their own galleries; the "
        "evaluators were fitted on train and val and chosen on test): NOT comparable with the "
        "tables above; %",
        ["", "P2T 1", "5", "10", "T2P 1", "5", "10", "mRecall"],
        PUBLISHED,
    )


if __name__ == "__main__":
    run(main, RetrievalOptions)
