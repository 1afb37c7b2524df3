"""Does the model make the pose that is asked for? Text to pose, and changes of a pose.

- generated: from a caption that our writer made of a recorded pose;
- edited: from a recorded pose and our writer's instruction on how it becomes another.

Recall: with our own evaluators, poses that were made look for their text in the whole gallery, and
texts for their pose; the gallery's size is printed, and so is what the recorded poses themselves
score with the same texts (`recorded_*`). FID: features of the made poses against those of the
recorded ones. MPJPE and PA-MPJPE: to the pose that the text was written of; one text fits many
poses, so that 0 is not to be hoped for, and what stands beside it is a pose that looks at no text
(the mean pose of the training; for changes, the pose as it was). Truth: see eval/truth.py.

Poses face the front, pelvis on pelvis, over SMPL's first 22 joints. An answer that is no pose
counts as the mean pose (of a change: as the pose it was), and as false; `failed` says how many.
Run as `python -m eval.generation --data FOLDER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from data_builders.mocap import choose, read_manifest
from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.scores import Score, score_changes, score_statements
from eval.comprehension import draw_both_kinds
from eval.pictures import mean_rotations
from eval.program import ModelOptions, print_result, print_table, run, select
from eval.retrieval import EMBEDDED, RANKS
from eval.truth import OWN_SEEDS, ask_for_poses, draw_poses, front_joints, read_sparsely
from unipose.body.body import Body, load_body
from unipose.body.facing import face_front
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.metrics import frechet_distance, mpjpe, pa_mpjpe, recall, root_aligned
from unipose.retrieval.model import RetrievalModel


@runtime_checkable
class Maker(Protocol):
    """Who is asked for poses."""

    def generate_batch(self, texts: list[str]) -> Pose:
        """Return a pose per text."""
        ...

    def edit_batch(self, poses: Pose, texts: list[str]) -> Pose:
        """Return a pose per pose and text."""
        ...


@dataclass(frozen=True, kw_only=True)
class GenerationOptions(ModelOptions):
    """Options of eval.generation."""

    pose: Path = EMBEDDED / "retrieval_pose"
    """Folder of the evaluator of poses."""
    pair: Path = EMBEDDED / "retrieval_pair"
    """Folder of the evaluator of pairs."""
    poses: int = 500
    """How many recorded poses the gallery holds, if there are so many at two per second."""
    pairs: int = 500
    """How many pairs: half two moments of a recording, half other limbs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.poses, self.pairs) < 2:
            raise ConfigError("at least two --poses and two --pairs are needed")


def with_stand_ins(answers: Pose, made: Bool[np.ndarray, " pose"], instead: Pose) -> Pose:
    """Return the answers, with the poses of `instead` where the answer was no pose."""
    right = torch.from_numpy(made)[:, None, None, None]
    return Pose(rotations=torch.where(right, answers.rotations, instead.rotations.float()))


def distances_mm(poses: Pose, truth: Pose, body: Body) -> dict[str, float]:
    """Return the mean errors (millimetres) of poses that face the front."""
    one, other = (
        root_aligned(torch.from_numpy(front_joints(body, some))[:, :POSED_JOINTS])
        for some in (poses, truth)
    )
    return {
        "mpjpe_mm": float(mpjpe(one, other).mean() * 1000),
        "pa_mpjpe_mm": float(pa_mpjpe(one, other).mean() * 1000),
    }


def found_again(
    made: Float[Tensor, "pose feature"],
    recorded: Float[Tensor, "pose feature"],
    texts: Float[Tensor, "pose feature"],
) -> dict[str, object]:
    """Return the recalls of made poses, those of the recorded ones beside them, and chance."""
    answers, own = recall(made @ texts.mT, ranks=RANKS), recall(recorded @ texts.mT, ranks=RANKS)
    result: dict[str, object] = {"gallery": answers.gallery, "mean_recall": answers.mean}
    result |= {"recorded_mean_recall": own.mean, "chance_mean_recall": answers.mean_chance}
    for k in RANKS:
        result[f"pose_to_text_at_{k}"] = answers.pose_to_text[k]
        result[f"text_to_pose_at_{k}"] = answers.text_to_pose[k]
        result[f"recorded_pose_to_text_at_{k}"] = own.pose_to_text[k]
        result[f"recorded_text_to_pose_at_{k}"] = own.text_to_pose[k]
        result[f"chance_at_{k}"] = answers.chance(k)
    return result


def measure_prompts(
    asked: Maker, poses: Pose, mean: Pose, model: RetrievalModel, body: Body, *, seed: int
) -> dict[str, object]:
    """Return all scores of poses made from captions of `poses`; `mean` is one pose."""
    joints = front_joints(body, poses)
    prompts = write_captions(joints, seed=OWN_SEEDS + seed, indices=range(len(poses)))
    answers, made = ask_for_poses(
        lambda rows: asked.generate_batch([prompts[i] for i in rows]), len(prompts), "generating"
    )
    unread = Pose(rotations=mean.rotations.float().expand(len(poses), -1, -1, -1))
    answers = with_stand_ins(answers, made, unread)
    features = model.embed_poses(poses)
    own = model.embed_poses(answers)
    return {
        **found_again(own, features, model.embed_texts(prompts)),
        "fid": frechet_distance(own, features),
        **distances_mm(answers, poses, body),
        **{f"mean_pose_{k}": v for k, v in distances_mm(unread, poses, body).items()},
        **{f"chance_{k}": v for k, v in distances_mm(_elsewhere(answers), poses, body).items()},
        **_truth(score_statements(prompts, front_joints(body, answers), made), made),
    }


def measure_edits(
    asked: Maker,
    pairs: tuple[Pose, Pose, list[str]],
    models: tuple[RetrievalModel, RetrievalModel],
    body: Body,
) -> dict[str, object]:
    """Return all scores of poses changed as the texts of pairs say.

    `models`: the evaluators of poses and of pairs.
    """
    source, target, texts = pairs
    answers, made = ask_for_poses(
        lambda rows: asked.edit_batch(source[torch.tensor(rows)], [texts[i] for i in rows]),
        len(texts),
        "editing",
    )
    answers = with_stand_ins(answers, made, source)
    before = front_joints(body, source)
    changed = models[1].embed_pairs(source, answers), models[1].embed_pairs(source, target)
    return {
        **found_again(*changed, models[1].embed_texts(texts)),
        "fid": frechet_distance(models[0].embed_poses(answers), models[0].embed_poses(target)),
        **distances_mm(answers, target, body),
        **{f"unchanged_{k}": v for k, v in distances_mm(source, target, body).items()},
        **_truth(score_changes(texts, before, front_joints(body, answers), made), made),
    }


def _elsewhere(poses: Pose) -> Pose:
    """Return each pose in its neighbour's place: whatever fits, it does not fit by its text."""
    return Pose(rotations=poses.rotations.roll(1, dims=0))


def _truth(score: Score, made: Bool[np.ndarray, " pose"]) -> dict[str, object]:
    return {
        "truth": score.true,
        "chance_truth": score.chance,
        "truth_strict": score.true_strict,
        "chance_truth_strict": score.chance_strict,
        "failed": int((~made).sum()),
    }


def training_mean(options: GenerationOptions) -> Pose:
    """Return the mean of the recorded poses of the training split, facing the front."""
    recordings = choose(read_manifest(options.data), split="train", only=options.only)
    if options.limit is not None:
        recordings = recordings[: options.limit]
    if not recordings:
        raise ConfigError("no recording is left in split 'train' to take the mean pose of")
    poses = Pose.from_rotations(torch.cat(read_sparsely(recordings)))
    return Pose(rotations=mean_rotations(face_front(poses.rotations.float()))[None])


def measure(options: GenerationOptions) -> dict[str, object]:
    """Return the scores of a model."""
    return score(options.load_assistant(), options, load_body())


def score(asked: Maker, options: GenerationOptions, body: Body) -> dict[str, object]:
    """Return `measure`'s figures for anybody who can be asked."""
    models = RetrievalModel.load(options.pose), RetrievalModel.load(options.pair)
    recordings, seed = select(read_manifest(options.data), options), options.seed
    recorded, mean = read_sparsely(recordings), training_mean(options)
    poses = draw_poses(recorded, options.poses, seed=seed)
    pairs = draw_both_kinds(recorded, options.pairs, body, seed=seed)
    by = {
        "generated": measure_prompts(asked, poses, mean, models[0], body, seed=seed),
        "edited": measure_edits(asked, pairs, models, body),
    }
    result: dict[str, object] = {
        f"{kind}_{name}": found[name]
        for kind, found in by.items()
        for name in ("mean_recall", "gallery", "fid", "mpjpe_mm", "pa_mpjpe_mm", "truth", "failed")
    }
    result["mean_pose_mpjpe_mm"] = by["generated"]["mean_pose_mpjpe_mm"]
    result["unchanged_mpjpe_mm"] = by["edited"]["unchanged_mpjpe_mm"]
    result |= {"split": options.split, "seed": seed, "recordings": len(recordings)}
    return result | by


COLUMNS = ("", *(f"P2T@{k}" for k in RANKS), *(f"T2P@{k}" for k in RANKS),
           "FID", "MPJPE", "PA", "true")  # fmt: skip


def rows_of(result: dict[str, object]) -> list[tuple[str | float, ...]]:
    """Return a table: recalls both ways (%), FID, errors (mm), truth (%), baselines below each."""
    rows: list[tuple[str | float, ...]] = []
    for kind in ("generated", "edited"):
        found = result[kind]
        assert isinstance(found, dict)
        ways = [f"{way}_at_{k}" for way in ("pose_to_text", "text_to_pose") for k in RANKS]
        errors = ("mpjpe_mm", "pa_mpjpe_mm")
        shares = [100 * found[way] for way in ways]
        name = f"{kind} (gallery {found['gallery']})"
        rows.append(
            (name, *shares, found["fid"], *(found[e] for e in errors), 100 * found["truth"])
        )
        own = [100 * found[f"recorded_{way}"] for way in ways]
        rows.append(("  recorded poses", *own, "", "", "", ""))
        chance = [100 * found[f"chance_at_{k}"] for k in RANKS] * 2
        moved = [found[f"chance_{e}"] for e in errors] if kind == "generated" else ["", ""]
        rows.append(("  by chance", *chance, "", *moved, 100 * found["chance_truth"]))
        still = "mean_pose" if kind == "generated" else "unchanged"
        label = "mean pose" if kind == "generated" else "pose as it was"
        errors_text = [found[f"{still}_{e}"] for e in errors]
        rows.append((f"  {label}", *[""] * len(ways), "", *errors_text, ""))
    return rows


def main(options: GenerationOptions) -> None:
    """Score poses made from texts, and poses changed by texts."""
    result = measure(options)
    if not options.json:
        print_table("Poses from words (recall and truth %, errors mm)", COLUMNS, rows_of(result))
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, GenerationOptions)
