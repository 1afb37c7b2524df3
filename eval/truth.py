"""Is it true what the model says, and does it do what is asked? Checked on the joints.

- described: of what `describe` states of a pose, the share that is true of it.
- generated: of what a prompt states (a caption that our writer made of a recorded pose), the share
  that is true of the pose that `generate` makes of it.
- edited: of the changes that an instruction asks for (our writer's text for a pair of poses), the
  share that happened from the source to the pose that `edit` makes; and how far the joints that the
  instruction does not touch moved from the source.

- edited briefly: the same of one or two things that are asked for in few words, typed as in a chat
  ("raise your left arm"), of pairs that differ in little else.

Each stands beside its chance, the same texts checked on the other poses, and its ceiling, what the
rules themselves reach: our writer's caption of the pose that was described; the pose that a prompt
or an instruction was written for, after the model's tokenizer. The primary figures allow the
thresholds' declared noise (see data_builders/posecodes/scores.py); `*_strict` do not. Words that
the rules cannot read count as false; `*_true_of_read` leaves them out, and they are listed. Poses
face the front when they are spoken of. Run as `python -m eval.truth --data FOLDER`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from data_builders.mocap import Recording, read_manifest
from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.pose_talk import replace_limbs, replace_one
from data_builders.posecodes.brief import write_brief_modifiers
from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers
from data_builders.posecodes.scores import (
    LISTED,
    Score,
    drift_mm,
    score_changes,
    score_statements,
)
from eval.program import ModelOptions, print_result, print_table, run, select, track
from unipose.body.body import Body, load_body
from unipose.body.facing import face_front
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, PoseParseError
from unipose.posecodes.reader import read_changes


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What came of instructions."""

    score: Score
    ceiling: Score
    """Of the poses that the texts were written for, after the tokenizer."""
    drift_mm: float | None
    """Mean movement from the source of the joints that the text leaves alone; a turn of the whole
    body counts as movement."""
    chance_drift_mm: float | None
    """The same to the other results, all facing the front."""
    target_drift_mm: float | None
    """The same to the pose that the text was written for."""


SPARSE_FPS = 2.0
"""Poses are drawn from this many per second: neighbours in time are hardly two poses."""

OWN_SEEDS = 5_000_000_000
"""Texts are written with seeds from here on; training uses seeds below 2^31."""

ROWS = 32
"""Questions that are handed to the assistant at once."""

NO_LIMB_IS_INVENTED = PoolConfig(mixed=0.0, turn=0.0, tilt=0.0)


@runtime_checkable
class BatchAssistant(Protocol):
    """What is measured: answers to a batch of questions."""

    def describe_batch(self, shown: Pose) -> list[str]:
        """Return a text per pose."""
        ...

    def generate_batch(self, texts: list[str]) -> Pose:
        """Return a pose per text."""
        ...

    def edit_batch(self, poses: Pose, texts: list[str]) -> Pose:
        """Return a pose per pose and text."""
        ...

    def codes(self, pose: Pose) -> Any:
        """Return the codes that stand for poses."""
        ...

    def pose(self, codes: Any) -> Pose:
        """Return the poses that codes stand for."""
        ...


@dataclass(frozen=True, kw_only=True)
class TruthOptions(ModelOptions):
    """Options of eval.truth."""

    poses: int = 400
    """How many poses are described and generated."""
    pairs: int = 400
    """How many pairs of poses are edited: half two moments of a recording, half other limbs; and as
    many pairs by brief instructions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EditPairs:
    """Poses to edit, and where each text of the writer would have them go."""

    source: Pose
    target: Pose
    texts: list[str]


def read_sparsely(recordings: list[Recording]) -> list[Float[Tensor, "pose 22 3 3"]]:
    """Return the poses of each recording, two per second."""
    return [
        recording.open(min(SPARSE_FPS, recording.fps)).rotations[:, :POSED_JOINTS].float()
        for recording in track(recordings, "reading")
    ]


def draw_poses(recorded: list[Float[Tensor, "_ 22 3 3"]], count: int, *, seed: int) -> Pose:
    """Return up to `count` different recorded poses."""
    everything = torch.cat(recorded)
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(seed))
    return Pose.from_rotations(everything[order[:count]])


def draw_pairs(
    recorded: list[Float[Tensor, "_ 22 3 3"]], count: int, body: Body, *, seed: int
) -> tuple[EditPairs, EditPairs]:
    """Return pairs of two moments half a second apart, and pairs that differ in limbs.

    Pairs of which the writer finds nothing to say are left out. Raises ConfigError if none is left.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = [torch.stack(two) for poses in recorded for two in pairwise(poses)]
    if not steps:
        raise ConfigError("no recording is long enough for a pair of poses")
    chosen = torch.randperm(len(steps), generator=generator)[: count // 2].tolist()
    moments = torch.stack([steps[i] for i in chosen])
    everything = torch.cat(recorded)
    firsts = everything[torch.randperm(len(everything), generator=generator)[: count - count // 2]]
    pool = PosePool(everything)
    seconds = replace_limbs(firsts, pool, generator, NO_LIMB_IS_INVENTED)
    return (
        _pairs(moments[:, 0], moments[:, 1], body, write_modifiers, seed=OWN_SEEDS + 2 * seed),
        _pairs(firsts, seconds, body, write_modifiers, seed=OWN_SEEDS + 2 * seed + 1),
    )


def draw_brief_pairs(
    recorded: list[Float[Tensor, "_ 22 3 3"]], count: int, body: Body, *, seed: int
) -> EditPairs:
    """Return pairs that differ in one limb or in their posture, and what is typed in a chat."""
    generator = torch.Generator().manual_seed(seed)
    everything = torch.cat(recorded)
    firsts = everything[torch.randperm(len(everything), generator=generator)[:count]]
    seconds = replace_one(firsts, PosePool(everything), generator, NO_LIMB_IS_INVENTED)
    pairs = _pairs(firsts, seconds, body, write_brief_modifiers, seed=OWN_SEEDS + seed)
    return replace(pairs, texts=[text.lower().rstrip(".") for text in pairs.texts])


def _pairs(
    first: Float[Tensor, "pose 22 3 3"],
    second: Float[Tensor, "pose 22 3 3"],
    body: Body,
    write: Callable[..., list[str]],
    *,
    seed: int,
) -> EditPairs:
    source, target = Pose.from_rotations(first), Pose.from_rotations(second)
    joints = [front_joints(body, pose) for pose in (source, target)]
    texts = write(*joints, seed=seed, indices=range(len(first)))
    kept = [i for i, text in enumerate(texts) if read_changes(text)]
    if not kept:
        raise ConfigError("the pairs that were drawn do not differ; ask for more --pairs")
    rows = torch.tensor(kept)
    return EditPairs(source=source[rows], target=target[rows], texts=[texts[i] for i in kept])


def front_joints(body: Body, pose: Pose) -> Float[np.ndarray, "pose 24 3"]:
    """Return the joints (metres, pelvis in one place) of poses turned to the front."""
    return body.joints(face_front(pose.rotations.float())).numpy()


def ask_for_poses(
    ask: Callable[[list[int]], Pose], count: int, description: str
) -> tuple[Pose, Bool[np.ndarray, " pose"]]:
    """Return the answers to questions 0 to count - 1, and which of them were a pose.

    An answer in words is nobody's pose; in its place stands an unturned body that is not counted.
    """
    made = np.ones(count, dtype=bool)
    rotations = torch.eye(3).repeat(count, 24, 1, 1)
    for start in track(range(0, count, ROWS), description):
        rows = list(range(start, min(start + ROWS, count)))
        try:
            rotations[rows] = ask(rows).rotations.float()
        except PoseParseError:
            for row in rows:
                try:
                    rotations[row] = ask([row]).rotations[0].float()
                except PoseParseError:
                    made[row] = False
    return Pose(rotations=rotations), made


def measure_descriptions(assistant: BatchAssistant, poses: Pose, body: Body) -> Score:
    """Return how much of what the assistant says of each pose is true of it."""
    texts: list[str] = []
    for start in track(range(0, len(poses), ROWS), "describing"):
        texts += assistant.describe_batch(poses[start : start + ROWS])
    return score_statements(texts, front_joints(body, poses), np.ones(len(poses), dtype=bool))


def write_prompts(poses: Pose, body: Body, *, seed: int) -> list[str]:
    """Return our writer's captions of poses."""
    joints = front_joints(body, poses)
    return write_captions(joints, seed=OWN_SEEDS + seed, indices=range(len(poses)))


def ceiling_of_descriptions(poses: Pose, body: Body, *, seed: int) -> Score:
    """Return how much of what our writer says of each pose is read, and true of it."""
    prompts, everything = write_prompts(poses, body, seed=seed), np.ones(len(poses), dtype=bool)
    return score_statements(prompts, front_joints(body, poses), everything)


def measure_prompts(
    generate: Callable[[list[str]], Pose], poses: Pose, body: Body, *, seed: int
) -> Score:
    """Return how much of what captions of `poses` state is true of the poses made from them."""
    prompts = write_prompts(poses, body, seed=seed)
    answers, made = ask_for_poses(
        lambda rows: generate([prompts[i] for i in rows]), len(prompts), "generating"
    )
    return score_statements(prompts, front_joints(body, answers), made)


def ceiling_of_prompts(assistant: BatchAssistant, poses: Pose, body: Body, *, seed: int) -> Score:
    """Return how much of what captions of `poses` state is true of them after the tokenizer."""
    prompts, everything = write_prompts(poses, body, seed=seed), np.ones(len(poses), dtype=bool)
    return score_statements(prompts, front_joints(body, _coded(assistant, poses)), everything)


def _coded(assistant: BatchAssistant, poses: Pose) -> Pose:
    """Return poses after the tokenizer of whoever makes poses."""
    maker = getattr(assistant, "maker", assistant)
    return maker.pose(maker.codes(poses))


def ask_for_edits(
    edit: Callable[[Pose, list[str]], Pose], pairs: EditPairs
) -> tuple[Pose, Bool[np.ndarray, " pose"]]:
    """Return what is made of the sources of pairs, and which of the answers were a pose."""
    return ask_for_poses(
        lambda rows: edit(pairs.source[torch.tensor(rows)], [pairs.texts[i] for i in rows]),
        len(pairs.texts),
        "editing",
    )


def measure_edits(assistant: BatchAssistant, pairs: EditPairs, body: Body) -> Edits:
    """Return how much happened of what was asked for, and how far the other joints moved."""
    answers, made = ask_for_edits(assistant.edit_batch, pairs)
    coded = _coded(assistant, pairs.target)
    before, after, reached = (front_joints(body, p) for p in (pairs.source, answers, coded))
    turned = [body.joints(p.rotations).numpy() for p in (pairs.source, answers, pairs.target)]
    everything = np.ones_like(made)
    return Edits(
        score=score_changes(pairs.texts, before, after, made),
        ceiling=score_changes(pairs.texts, before, reached, everything),
        drift_mm=drift_mm(pairs.texts, turned[0], turned[1], made),
        chance_drift_mm=drift_mm(pairs.texts, before, after, made, elsewhere=True),
        target_drift_mm=drift_mm(pairs.texts, turned[0], turned[2], everything),
    )


def main(options: TruthOptions) -> None:
    """Check descriptions, generated and edited poses against the joints."""
    recordings = select(read_manifest(options.data), options)
    assistant, body = options.load_assistant(), load_body()
    recorded = read_sparsely(recordings)
    poses = draw_poses(recorded, options.poses, seed=options.seed)
    moments, limbs = draw_pairs(recorded, options.pairs, body, seed=options.seed)
    briefly = draw_brief_pairs(recorded, options.pairs, body, seed=options.seed)
    scores = {
        "described": measure_descriptions(assistant, poses, body),
        "generated": measure_prompts(assistant.generate_batch, poses, body, seed=options.seed),
    }
    ceilings = {
        "described": ceiling_of_descriptions(poses, body, seed=options.seed),
        "generated": ceiling_of_prompts(assistant, poses, body, seed=options.seed),
    }
    edits = {
        "moments": measure_edits(assistant, moments, body),
        "limbs": measure_edits(assistant, limbs, body),
    }
    scores["edited"] = together([edit.score for edit in edits.values()])
    ceilings["edited"] = together([edit.ceiling for edit in edits.values()])
    brief = measure_edits(assistant, briefly, body)
    scores["edited_briefly"], ceilings["edited_briefly"] = brief.score, brief.ceiling
    result = figures(scores, ceilings) | {"brief_edit_drift_mm": brief.drift_mm}
    for name in ("drift_mm", "chance_drift_mm", "target_drift_mm"):
        known = [
            (getattr(edits[kind], name), len(pairs.texts))
            for kind, pairs in (("moments", moments), ("limbs", limbs))
            if getattr(edits[kind], name) is not None
        ]
        key = name.replace("drift", "edit_drift")
        total = sum(count for _, count in known)
        result[key] = sum(value * count for value, count in known) / total if known else None
    result["edits_of"] = {kind: asdict(edit) for kind, edit in (edits | {"brief": brief}).items()}
    pairs = len(moments.texts) + len(limbs.texts)
    result |= {"poses": len(poses), "pairs": pairs, "recordings": len(recordings)}
    print_table(
        f"Of what is said, how much is true ({len(poses)} poses, {pairs} pairs; %)",
        ["", "true", "chance", "ceiling", "strictly", "of read", "unread"],
        [_row(name, score, ceilings[name]) for name, score in scores.items()]
        + [_row(f"edited, {kind}", edit.score, edit.ceiling) for kind, edit in edits.items()],
    )
    print_result(result, as_json=options.json)


def figures(scores: dict[str, Score], ceilings: dict[str, Score]) -> dict[str, object]:
    """Return the scores under the names they are reported by, the primary ones first."""
    found: dict[str, object] = {}
    for name, score in scores.items():
        found |= {
            f"{name}_true": score.true,
            f"chance_{name}_true": score.chance,
            f"ceiling_{name}_true": ceilings[name].true,
        }
    for name, score in scores.items():
        found |= {
            f"{name}_true_strict": score.true_strict,
            f"chance_{name}_true_strict": score.chance_strict,
            f"ceiling_{name}_true_strict": ceilings[name].true_strict,
            f"{name}_true_of_read": score.true_of_read,
            f"{name}_statements": score.votes,
            f"{name}_unread": score.unread,
            f"{name}_unread_clauses": list(score.unread_clauses),
        }
    return found


def _row(name: str, score: Score, ceiling: Score) -> tuple[str | float, ...]:
    shares = (score.true, score.chance, ceiling.true, score.true_strict, score.true_of_read)
    return (name, *(100 * share for share in shares), f"{score.unread} of {score.votes}")


def together(scores: list[Score]) -> Score:
    """Return the score of several sets as one, every vote counting alike."""
    votes = sum(score.votes for score in scores)
    clauses = sum((Counter(dict(score.unread_clauses)) for score in scores), Counter())

    def mean(name: str) -> float:
        return sum(getattr(score, name) * score.votes for score in scores) / max(votes, 1)

    return Score(
        true=mean("true"),
        true_strict=mean("true_strict"),
        chance=mean("chance"),
        chance_strict=mean("chance_strict"),
        votes=votes,
        unread=sum(score.unread for score in scores),
        unread_clauses=tuple(clauses.most_common(LISTED)),
    )


if __name__ == "__main__":
    run(main, TruthOptions)
