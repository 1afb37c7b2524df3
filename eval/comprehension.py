"""Does the model understand poses and pictures? Its texts, read three ways.

- described: a text for each recorded pose (pose to text);
- compared: what changes between the two poses of a pair (pose difference);
- seen: a text for each person in held-out pictures (image to text), if the model has eyes.

Each is scored by R-precision with our own evaluators (the pose looks for its text among those of
31 others; groups are shuffled by the seed), by the share of what is said that is true (see
eval/truth.py; chance is the same texts on the other poses), and by BLEU-4, ROUGE-L and METEOR
against the three captions that our builders write. `writer_*` is what the builders' own text
scores with the same evaluator: the most that can be hoped for. An answer without a word stays in
every measure, as a text that says nothing. Run as `python -m eval.comprehension --data FOLDER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.mocap import read_manifest
from data_builders.posecodes.captions import write_captions, write_three_captions
from data_builders.posecodes.modifiers import write_modifiers, write_three_modifiers
from data_builders.posecodes.scores import Score, score_changes, score_statements
from eval.estimation import EstimationOptions, held_out_people
from eval.pictures import SeenPerson, poses_of
from eval.program import ModelOptions, print_result, print_table, run, select, track
from eval.retrieval import EMBEDDED, TOPS
from eval.truth import OWN_SEEDS, ROWS, draw_pairs, draw_poses, front_joints, read_sparsely
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.metrics import r_precision, text_scores
from unipose.metrics.ranking import GROUP
from unipose.retrieval.model import RetrievalModel

NO_WORDS = "nothing"
"""Stands for an answer without a word where an evaluator needs one."""


@runtime_checkable
class Describer(Protocol):
    """Who is asked for texts."""

    def describe(self, shown: np.ndarray, *, box: tuple[float, float, float, float]) -> str:
        """Return what the pose of the person in the box of a picture is."""
        ...

    def describe_batch(self, shown: Pose) -> list[str]:
        """Return a text per pose."""
        ...

    def compare_batch(self, a: Pose, b: Pose) -> list[str]:
        """Return what changes from each pose of `a` to the one beside it."""
        ...


@dataclass(frozen=True, kw_only=True)
class ComprehensionOptions(ModelOptions):
    """Options of eval.comprehension."""

    pose: Path = EMBEDDED / "retrieval_pose"
    """Folder of the evaluator of poses."""
    pair: Path = EMBEDDED / "retrieval_pair"
    """Folder of the evaluator of pairs."""
    poses: int = 384
    """How many recorded poses are described."""
    pairs: int = 384
    """How many pairs are compared: half two moments of a recording, half other limbs."""
    people: int = 192
    """How many people in pictures are described."""
    pictures: Path | None = None
    """Folder of a built ImageScript; without it the studio takes the pictures."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.poses, self.pairs, self.people) < GROUP:
            raise ConfigError(f"R-precision needs {GROUP} --poses, --pairs and --people or more")


def _joined(*parts: dict[str, object]) -> dict[str, object]:
    return {name: value for part in parts for name, value in part.items()}


def _matches(
    seen: Float[Tensor, "pose feature"],
    model: RetrievalModel,
    texts: Sequence[str],
    written: Sequence[str],
    *,
    seed: int,
) -> dict[str, object]:
    """Return R-precision of the answers and of the builders' texts, and how it was taken."""
    spoken = [text if text.strip() else NO_WORDS for text in texts]
    answers = r_precision(seen, model.embed_texts(spoken), seed=seed)
    own = r_precision(seen, model.embed_texts(written), seed=seed)
    found: dict[str, object] = {f"r_precision_top{k}": answers.top[k] for k in TOPS}
    found |= {f"chance_r_precision_top{k}": answers.chance(k) for k in TOPS}
    found |= {f"writer_r_precision_top{k}": own.top[k] for k in TOPS}
    return found | {
        "r_precision_group": answers.group,
        "r_precision_groups": answers.groups,
        "r_precision_left_out": answers.left_out,
        "r_precision_seed": answers.seed,
    }


def _words(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, object]:
    scores = text_scores(texts, references)
    return {
        "bleu4": scores.bleu4,
        "rouge_l": scores.rouge_l,
        "meteor": scores.meteor,
        "meteor_synonyms": scores.synonyms,
        "bleu_signature": scores.bleu_signature,
        "texts": scores.texts,
        "empty": sum(not text.strip() for text in texts),
    }


def _truth(score: Score) -> dict[str, object]:
    return {
        "truth": score.true,
        "chance_truth": score.chance,
        "truth_strict": score.true_strict,
        "chance_truth_strict": score.chance_strict,
        "statements": score.votes,
        "unread": score.unread,
    }


def score_texts(
    texts: Sequence[str], poses: Pose, model: RetrievalModel, body: Body, *, seed: int
) -> dict[str, object]:
    """Return all scores of texts about poses, which face the front when they are spoken of."""
    joints, rows = front_joints(body, poses), range(len(poses))
    three = write_three_captions(joints, seed=OWN_SEEDS + seed, indices=rows)
    written = write_captions(joints, seed=OWN_SEEDS + seed, indices=rows)
    return _joined(
        _matches(model.embed_poses(poses), model, texts, written, seed=seed),
        _truth(score_statements(texts, joints, np.ones(len(poses), dtype=bool))),
        _words(texts, [[caption.text for caption in some] for some in three]),
    )


def score_changes_told(
    texts: Sequence[str], a: Pose, b: Pose, model: RetrievalModel, body: Body, *, seed: int
) -> dict[str, object]:
    """Return all scores of texts about what changes from `a` to `b`."""
    before, after, rows = front_joints(body, a), front_joints(body, b), range(len(a))
    three = write_three_modifiers(before, after, seed=OWN_SEEDS + seed, indices=rows)
    written = write_modifiers(before, after, seed=OWN_SEEDS + seed, indices=rows)
    return _joined(
        _matches(model.embed_pairs(a, b), model, texts, written, seed=seed),
        _truth(score_changes(texts, before, after, np.ones(len(a), dtype=bool))),
        _words(texts, [[modifier.text for modifier in some] for some in three]),
    )


def describe_poses(asked: Describer, poses: Pose) -> list[str]:
    """Return what is said of each pose."""
    texts: list[str] = []
    for start in track(range(0, len(poses), ROWS), "describing"):
        texts += asked.describe_batch(poses[start : start + ROWS])
    return texts


def compare_poses(asked: Describer, a: Pose, b: Pose) -> list[str]:
    """Return what is said of each pair."""
    texts: list[str] = []
    for start in track(range(0, len(a), ROWS), "comparing"):
        texts += asked.compare_batch(a[start : start + ROWS], b[start : start + ROWS])
    return texts


def describe_people(asked: Describer, people: Sequence[SeenPerson]) -> list[str]:
    """Return what is said of each person in a picture."""
    texts: list[str] = []
    for person in track(people, "looking"):
        assert person.pixels is not None
        texts.append(asked.describe(person.pixels, box=person.box))
    return texts


def draw_both_kinds(
    recorded: list[Float[Tensor, "_ 22 3 3"]], count: int, body: Body, *, seed: int
) -> tuple[Pose, Pose, list[str]]:
    """Return first and second poses of pairs, and the instruction for each (see eval.truth)."""
    kinds = draw_pairs(recorded, count, body, seed=seed)
    first = Pose(rotations=torch.cat([pairs.source.rotations for pairs in kinds]))
    second = Pose(rotations=torch.cat([pairs.target.rotations for pairs in kinds]))
    return first, second, [text for pairs in kinds for text in pairs.texts]


def measure(options: ComprehensionOptions) -> dict[str, object]:
    """Return the scores of a model; those of pictures are left out if it has no eyes."""
    asked = options.load_assistant()
    return score(asked, options, load_body(), sees=asked.model.eyes is not None)


def score(
    asked: Describer, options: ComprehensionOptions, body: Body, *, sees: bool
) -> dict[str, object]:
    """Return `measure`'s figures for anybody who can be asked."""
    poses_model, pairs_model = (RetrievalModel.load(f) for f in (options.pose, options.pair))
    recordings = select(read_manifest(options.data), options)
    recorded, seed = read_sparsely(recordings), options.seed
    poses = draw_poses(recorded, options.poses, seed=seed)
    a, b, _ = draw_both_kinds(recorded, options.pairs, body, seed=seed)
    by = {
        "described": score_texts(describe_poses(asked, poses), poses, poses_model, body, seed=seed),
        "compared": score_changes_told(
            compare_poses(asked, a, b), a, b, pairs_model, body, seed=seed
        ),
    }
    if sees:
        people = held_out_people(_pictures(options), body)
        texts, shown = describe_people(asked, people), poses_of(people)
        by["seen"] = score_texts(texts, shown, poses_model, body, seed=seed)
    described = by["described"]
    result: dict[str, object] = {name: described[name] for name in PRIMARY}
    if sees:
        result |= {"image_truth": by["seen"]["truth"]}
        result |= {"chance_image_truth": by["seen"]["chance_truth"]}
        result |= {f"image_r_precision_top{k}": by["seen"][f"r_precision_top{k}"] for k in TOPS}
    else:
        result["left_out"] = BLIND
    result |= {"split": options.split, "seed": seed, "recordings": len(recordings)}
    return result | by


PRIMARY = (
    *(f"r_precision_top{k}" for k in TOPS),
    *("truth", "chance_truth", "bleu4", "rouge_l", "meteor", "meteor_synonyms"),
)
BLIND = "measures of pictures: this model has no eyes"


def _pictures(options: ComprehensionOptions) -> EstimationOptions:
    return EstimationOptions(
        data=options.data,
        split=options.split,
        only=options.only,
        seed=options.seed,
        pictures=options.pictures,
        people=options.people,
    )


def rows_of(result: dict[str, object]) -> list[tuple[str | float, ...]]:
    """Return a table: what is said, R-precision 1 to 3, truth, chance, BLEU, ROUGE, METEOR."""
    rows: list[tuple[str | float, ...]] = []
    for name in ("described", "compared", "seen"):
        found = result.get(name)
        if isinstance(found, dict):
            shares = [100 * found[f"r_precision_top{k}"] for k in TOPS]
            shares += [100 * found["truth"], 100 * found["chance_truth"]]
            rows.append((name, *shares, found["bleu4"], found["rouge_l"], found["meteor"]))
            own = [100 * found[f"writer_r_precision_top{k}"] for k in TOPS]
            rows.append(("  the writer's text", *own, "", "", "", "", ""))
            chance = [100 * found[f"chance_r_precision_top{k}"] for k in TOPS]
            rows.append(("  by chance", *chance, "", "", "", "", ""))
    return rows


COLUMNS = ("", "R@1", "R@2", "R@3", "true", "by chance", "BLEU-4", "ROUGE-L", "METEOR")


def main(options: ComprehensionOptions) -> None:
    """Score what the model says of poses, of pairs and of pictures."""
    result = measure(options)
    if not options.json:
        print_table(
            f"What is understood (groups of {GROUP}, seed {options.seed}; METEOR with synonyms: "
            f"{result['meteor_synonyms']}; %)",
            COLUMNS,
            rows_of(result),
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, ComprehensionOptions)
