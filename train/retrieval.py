"""Train a retrieval evaluator: `accelerate launch -m train.retrieval --preset mini --kind pose`.

Poses of the training split with captions (or pairs with instructions) that our writers make on the
fly; the weights that are kept are those that did best on the validation split. The published
evaluator was fitted on train and validation and chosen on test; here a test split is refused.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data_builders.pose_pool import AS_RECORDED, PoolConfig, PosePool
from data_builders.pose_talk import replace_limbs
from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers_with_codes
from train.program import generator_of, run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.body.body import load_body
from unipose.body.facing import front_facing_joints
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.metrics import r_precision, recall
from unipose.retrieval.model import (
    CONFIG,
    Kind,
    RetrievalConfig,
    RetrievalModel,
    batch_based_classification,
)
from unipose.retrieval.words import learn_words, load_words, pretrained_words

FITTED_ON, CHOSEN_ON = "train", "val"
VALIDATION_SEED = 4_000_000_000
"""Texts of the validation have seeds from here on; training uses seeds below 2^31."""


@dataclass(frozen=True, kw_only=True)
class RetrievalTraining(RunSettings):
    """One training run of a retrieval model."""

    kind: Kind = "pose"
    """Poses and captions, or pairs of poses and instructions."""
    model: RetrievalConfig = field(default_factory=RetrievalConfig)
    """Sizes; its kind is the one above, its number of words that of the word list."""
    words_of: str = ""
    """A Hugging Face model that gives tokenizer and word embeddings, by path or name; empty learns
    a list of at most `model.words` words from our own texts."""
    pool: PoolConfig = field(default_factory=lambda: PoolConfig(mixed=0.5, tilt=0.15))
    moments: float = 0.4
    """Share of pairs that are two moments of one recording; the others replace limbs."""
    few_words: float = 0.2
    """Share of texts that are cut to their first sentences."""
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    split: str = FITTED_ON
    choose_on: str = CHOSEN_ON
    out: Path = Path("runs/retrieval")
    """The run's folder is OUT/KIND."""
    steps: int = 16_400
    batch: int = 512
    peak_rate: float = 2e-4
    warmup: int = 0
    falls: tuple[float, ...] = (80 / 120, 110 / 120)
    """After these shares of the steps the rate falls to a tenth; () takes a cosine to zero."""
    clip: float = 0.0
    """Largest norm of the gradient; 0 leaves it as it is."""
    gallery: int = 512
    """How many validation poses or pairs the weights are chosen by."""
    save_every: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split != FITTED_ON or self.choose_on != CHOSEN_ON:
            raise ConfigError(
                f"an evaluator learns on {FITTED_ON!r} and is chosen on {CHOSEN_ON!r}, got "
                f"{self.split!r} and {self.choose_on!r}; test recordings are for eval.retrieval"
            )

    @property
    def folder(self) -> Path:
        """Where the run's files are."""
        return self.out / self.kind

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        if not self.falls:
            return super().rate(step)
        return self.peak_rate * 0.1 ** sum(step >= share * self.steps for share in self.falls)


MINI = RetrievalConfig(
    width=64, places=True, words=1000, word_width=64, words_learn=True, text_width=96, features=128
)
"""A few hundred thousand weights that learn within minutes on a CPU."""

PRESETS = {
    "mini": RetrievalTraining(
        model=MINI,
        steps=1500,
        batch=128,
        peak_rate=2e-3,
        warmup=50,
        falls=(),
        clip=1.0,
        save_every=100,
    ),
    "debug": RetrievalTraining(
        model=replace(MINI, width=8, word_width=8, text_width=8, features=8, words=200),
        data=Path(),
        out=Path("runs/retrieval_debug"),
        steps=4,
        batch=8,
        peak_rate=2e-3,
        warmup=2,
        falls=(),
        gallery=40,
        save_every=2,
        trackers=(),
    ),
    "paper": RetrievalTraining(
        words_of="distilbert-base-uncased",
        pool=PoolConfig(mixed=0.0, tilt=0.0),
        few_words=0.0,
        out=Path("runs/retrieval_paper"),
    ),
}


@dataclass(frozen=True, eq=False)
class Examples:
    """Poses, or firsts and seconds of pairs, and the text of each row."""

    rotations: tuple[Float[Tensor, "pose 22 3 3"], ...]
    texts: list[str]


class ExampleWriter:
    """Draws examples of one kind and writes their texts."""

    def __init__(self, joints_at_rest: Float[Tensor, "24 3"], config: RetrievalTraining) -> None:
        self.config = config
        self._joints = partial(front_facing_joints, joints_at_rest=joints_at_rest)

    def draw(self, pool: PosePool, count: int, generator: torch.Generator) -> Examples:
        """Return new examples; pairs without a change are left out, so there may be fewer."""
        seed = int(torch.randint(2**31, (), generator=generator))
        poses = self.config.pool
        if self.config.kind == "pose":
            examples = self.caption(pool.draw(count, generator, poses), seed=seed)
        else:
            moments = round(count * self.config.moments)
            one, two = pool.draw_moments(moments, generator, poses)
            first = pool.draw(count - moments, generator, poses)
            second = replace_limbs(first, pool, generator, poses)
            examples = self.compare(torch.cat([one, first]), torch.cat([two, second]), seed=seed)
        chance = random.Random(seed)
        return replace(examples, texts=[self._cut(text, chance) for text in examples.texts])

    def held_out(self, pool: PosePool) -> Examples:
        """Return the same examples every time: recorded poses, evenly spaced, whole texts."""
        poses = pool.rotations[:: max(1, len(pool) // self.config.gallery)][: self.config.gallery]
        if self.config.kind == "pose":
            return self.caption(poses, seed=VALIDATION_SEED)
        generator = torch.Generator().manual_seed(VALIDATION_SEED)
        half = len(poses) // 2
        one, two = pool.draw_moments(half, generator, AS_RECORDED)
        others = replace_limbs(poses[half:], pool, generator, AS_RECORDED)
        return self.compare(
            torch.cat([one, poses[half:]]), torch.cat([two, others]), seed=VALIDATION_SEED
        )

    def caption(self, poses: Float[Tensor, "pose 22 3 3"], *, seed: int) -> Examples:
        """Return poses with a caption each."""
        texts = write_captions(self._joints(poses), seed=seed, indices=range(len(poses)))
        return Examples((poses,), texts)

    def compare(
        self,
        first: Float[Tensor, "pose 22 3 3"],
        second: Float[Tensor, "pose 22 3 3"],
        *,
        seed: int,
    ) -> Examples:
        """Return the pairs that differ, with an instruction each."""
        found = write_modifiers_with_codes(
            self._joints(first), self._joints(second), seed=seed, indices=range(len(first))
        )
        kept = [i for i, modifier in enumerate(found) if modifier.changes]
        if not kept:
            raise ConfigError("no two poses of the pool differ; are its recordings at rest?")
        return Examples((first[kept], second[kept]), [found[i].text for i in kept])

    def _cut(self, text: str, chance: random.Random) -> str:
        if chance.random() >= self.config.few_words:
            return text
        sentences = text.split(". ")
        return ". ".join(sentences[: chance.randint(1, len(sentences))])


class RetrievalStep(nn.Module):
    """One step as one forward pass: what is spread over processes is the whole step."""

    def __init__(self, model: RetrievalModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, rotations: list[Tensor], ids: Tensor, lengths: Tensor) -> Float[Tensor, ""]:
        """Return the loss; the other rows of a process's own batch are the wrong answers."""
        poses, texts = self.model(rotations, ids, lengths)
        return batch_based_classification(poses, texts, self.model.scale)


def validate(model: RetrievalModel, held_out: Examples) -> dict[str, float]:
    """Return recalls and R-precision of the held-out examples, as shares."""
    poses = [Pose.from_rotations(some) for some in held_out.rotations]
    seen = model.embed_poses(*poses) if len(poses) == 1 else model.embed_pairs(*poses)
    read = model.embed_texts(held_out.texts)
    found, among_32 = recall(seen @ read.mT), r_precision(seen, read, seed=0)
    return {
        "mean_recall": found.mean,
        "chance_mean_recall": found.mean_chance,
        "pose_to_text_at_1": found.pose_to_text[1],
        "text_to_pose_at_1": found.text_to_pose[1],
        "r_precision_top1": among_32.top[1],
        "r_precision_top3": among_32.top[3],
        "gallery": found.gallery,
    }


def build_model(
    config: RetrievalTraining, pool: PosePool, joints_at_rest: Float[Tensor, "24 3"]
) -> RetrievalModel:
    """Return the model to train; its word list is made once per run and kept in the folder."""
    kept, table = config.folder / "words.json", None
    if config.words_of:
        words, table = pretrained_words(config.words_of)
    else:
        if not kept.exists():
            texts = _texts_to_learn_words_from(config, pool, joints_at_rest)
            learn_words(texts, size=config.model.words).save(str(kept))
        words = load_words(kept)
    sizes = replace(config.model, kind=config.kind, words=words.get_vocab_size())
    if table is not None:
        sizes = replace(sizes, words=len(table), word_width=table.shape[1])
    torch.manual_seed(config.seed)
    model = RetrievalModel(sizes, words, joints_at_rest)
    if table is not None:
        model.text.words.weight.data.copy_(table)
    return model


def main(config: RetrievalTraining) -> None:
    """Train, log, save; resumes by itself from the newest checkpoint in the run folder."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.folder, threads=config.threads
    )
    pool = PosePool.read_or_make(config.data, config.split)
    others = PosePool.read_or_make(config.data, config.choose_on, seed=2)
    body = load_body()
    writer = ExampleWriter(body.rest_joints, config)
    held_out = writer.held_out(others)
    with accelerator.main_process_first():
        run = RunFolder(config.folder, config, accelerator)
        model = build_model(config, pool, body.rest_joints)
    optimizer = torch.optim.Adam(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=0.0, fused=True,
    )  # fmt: skip
    loop = StepLoop(
        accelerator, run, model, optimizer, config, name=f"retrieval, {config.kind}",
        module=RetrievalStep(model), clip=config.clip, log_every=20,
    )  # fmt: skip
    for step, generator in loop.steps():
        model.train()
        examples = writer.draw(pool, config.batch, generator)
        rotations = [some.to(accelerator.device) for some in examples.rotations]
        loss = loop.trained(rotations, *model.spell(examples.texts))
        loop.learn(step, loss, {"scale": model.scale})
        if loop.saves(step):
            scores = validate(model.eval(), held_out)
            keep_best(model, config, step=step + 1, scores=scores)
            loop.save(step, scores)
    if loop.is_main:
        loop.end()


def keep_best(
    model: RetrievalModel, config: RetrievalTraining, *, step: int, scores: dict[str, float]
) -> None:
    """Write the model to FOLDER/best, in half precision, unless better weights are there.

    The score to beat is in the folder's own JSON, which is written last: a run that is stopped in
    between meets the same scores again when it goes on, and ends with the same weights.
    """
    best = config.folder / "best"
    if (best / CONFIG).exists():
        known = json.loads((best / CONFIG).read_text())["validation"]
        if scores["mean_recall"] <= known["mean_recall"]:
            return
    trained = {"step": step, "seed": config.seed, "split": config.split}
    model.save_pretrained(best, half=True, trained=trained, validation=scores)


def _texts_to_learn_words_from(
    config: RetrievalTraining, pool: PosePool, joints_at_rest: Float[Tensor, "24 3"]
) -> Iterator[str]:
    writer = ExampleWriter(joints_at_rest, config)
    for step in range(4 if len(pool) < 1000 else 40):
        yield from writer.draw(pool, 256, generator_of(seed=config.seed, step=-1 - step)).texts


if __name__ == "__main__":
    run_program(main, PRESETS)
