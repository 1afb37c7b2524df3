"""Tokens a second of our loop beside transformers' Trainer: `python -m train.throughput`.

One Llama-type model, the same first weights, the same rows in every step, the same loss, optimiser
and clipping; rows are drawn as training goes. The contestants take turns in one process. Only whole
steps count, from the beginning of one to the beginning of the next. A block goes through the same
few batches several times; the first time, in which memory is asked for, does not count. Each batch
counts with its quickest step of all blocks: what else a machine does only ever adds. Tokens are
those of the rows, not what fills them up; CPU-seconds those of the process that trains. All use
torch's deterministic algorithms, as our training does.

- ours: `train.training_loop.run_loop`, as all stages run it;
- trainer: transformers' Trainer on the very batches that ours makes (rows sorted by length, in
  pieces), drawn by as many worker processes;
- padded: the Trainer as it comes: one batch per step, filled up to its longest row, drawn between
  the steps.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from data_builders.pose_pool import PosePool
from data_builders.pose_talk import PoseTalk
from tokenizer.rotations import rotations_to_6d
from train.align import PRESETS as ALIGN
from train.align import AlignConfig, SmallLlama, build_model, open_codec, text_tokenizer
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.training_loop import PoseLanguageStep, TrainingLoopConfig, by_length, run_loop
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import Batch, Row
from unipose.language.vocabulary import Vocabulary

Moment = tuple[float, float]
"""By the clock on the wall, and by the CPU-seconds that this process has used."""

CLOCKS = ("s", "cpu_s")
CONTESTANTS = ("ours", "trainer", "padded")


@dataclass(frozen=True, kw_only=True)
class PaceConfig:
    """What is trained, and for how long."""

    small: SmallLlama = field(default_factory=SmallLlama)
    batch: int = 16
    batches: int = 8
    """Different ones."""
    rounds: int = 3
    """Of a block, each through all batches; the first does not count."""
    blocks: int = 6
    """Of each contestant."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.blocks, self.batches) < 1 or self.rounds < 2:
            raise ConfigError(
                f"{self.blocks} blocks of {self.rounds} rounds through {self.batches} batches: at "
                "least one block, two rounds and one batch are needed"
            )

    @property
    def steps(self) -> int:
        """Steps of a block, of which the last one only marks the end of the one before."""
        return self.rounds * self.batches + 1


PRESETS = {
    "mini": PaceConfig(),
    "debug": PaceConfig(
        small=SmallLlama(hidden=32, layers=2, heads=2, feed_forward=64, text_tokens=400),
        batch=8,
        batches=2,
        rounds=2,
        blocks=1,
    ),
}


@dataclass(kw_only=True, eq=False)
class ThroughputRun:
    """What all contestants share."""

    model: PoseLanguageModel
    vocabulary: Vocabulary
    draw: Callable[[int], list[Row]]
    """From a step to its rows."""
    config: TrainingLoopConfig
    batches: int
    """Different ones; the draws begin again behind them."""

    @cached_property
    def tokens(self) -> int:
        """Tokens of all batches."""
        return sum(len(row.ids) for step in range(self.batches) for row in self.draw(step))

    def times(self, starts: list[Moment]) -> list[list[Moment]]:
        """Return how long each batch took in each round that counts, from when steps began."""
        steps = [(end[0] - start[0], end[1] - start[1]) for start, end in pairwise(starts)]
        return [steps[batch + self.batches :: self.batches] for batch in range(self.batches)]

    def run(self, name: str, folder: Path) -> list[list[Moment]]:
        """Return how long each batch took a contestant in one block; see `times`."""
        if name == "ours":
            return self.ours(folder)
        if name == "trainer":
            config = self.config
            return self.trainer(folder, pieces=config.pieces, workers=config.workers)
        return self.trainer(folder, pieces=1, workers=0)

    def ours(self, folder: Path) -> list[list[Moment]]:
        """Return how long each batch took our own loop."""
        starts: list[Moment] = []

        pieces = 0

        def began(*_: object) -> None:
            nonlocal pieces
            if pieces % self.config.pieces == 0:  # the first of a step; draws are a step ahead
                starts.append(now())
            pieces += 1

        config = replace(self.config, out=folder)
        run = RunFolder(folder, config)
        model = deepcopy(self.model)
        model.llm.get_decoder().register_forward_pre_hook(began)
        run_loop(
            start_accelerator(clip=config.clip),
            run,
            model,
            self.vocabulary,
            lambda place: (self.draw(place), None),
            config,
            name="pace",
        )
        return self.times(starts)

    def trainer(self, folder: Path, *, pieces: int, workers: int) -> list[list[Moment]]:
        """Return how long each batch took transformers' Trainer."""
        config, pad = self.config, self.vocabulary.pad
        watch = _Watch()

        def collate(places: list[int]) -> dict[str, Any]:
            return {"batches": by_length(self.draw(places[0]), pieces, pad=pad)}

        arguments = TrainingArguments(
            output_dir=str(folder),
            max_steps=config.steps,
            per_device_train_batch_size=1,  # a place, which stands for all rows of a step
            learning_rate=config.peak_rate,
            lr_scheduler_type="cosine",
            warmup_steps=config.warmup,
            adam_beta2=0.98,
            weight_decay=config.weight_decay,
            max_grad_norm=config.clip,
            optim="adamw_torch_fused",
            save_strategy="no",
            logging_steps=20,
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            dataloader_num_workers=workers,
            use_cpu=not torch.cuda.is_available(),
            seed=config.seed,
        )
        _InOrder(
            model=_Learner(PoseLanguageStep(deepcopy(self.model), config)),
            args=arguments,
            train_dataset=_Indices(config.steps + 1),  # it asks for the next one early
            data_collator=collate,
            callbacks=[watch],
        ).train()
        return self.times(watch.starts)


def now() -> Moment:
    """Return the time, when all work that was handed to a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


class _Watch(TrainerCallback):
    """Notes when each step began."""

    def __init__(self) -> None:
        self.starts: list[Moment] = []

    def on_step_begin(self, *args: object, **kwargs: object) -> None:
        self.starts.append(now())


class _Indices(torch.utils.data.Dataset[int]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> int:
        return place


class _Learner(nn.Module):
    """A step as the Trainer calls it: it takes `config` for that of a language model."""

    def __init__(self, step: PoseLanguageStep) -> None:
        super().__init__()
        self.step = step

    def forward(self, batches: list[Batch]) -> torch.Tensor:
        return self.step(batches, None)[0]


class _InOrder(Trainer):
    """The Trainer with our loss, on batches in their order."""

    def _get_train_sampler(self, *args: object, **kwargs: object) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(_Indices(self.args.max_steps))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # as the Trainer has it
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        device = next(model.parameters()).device
        return model([batch.to(device) for batch in inputs["batches"]])


def prepare(config: PaceConfig, folder: Path) -> ThroughputRun:
    """Return an untrained model and rows about made-up poses."""
    torch.manual_seed(config.seed)
    align: AlignConfig = replace(
        ALIGN["mini"], small=config.small, codec=Path(), data=Path(), out=folder,
        steps=config.steps, batch=config.batch, warmup=1, save_every=config.steps,
        practice=0, seed=config.seed, checked=0, trackers=(),
    )  # fmt: skip
    body, pool = load_body(), PosePool.random(64, seed=1)
    codec = open_codec(align)
    text = text_tokenizer(align, pool, body.rest_joints)
    model, vocabulary = build_model(align, codec, body.rest_joints, text)
    talk = PoseTalk(
        pool,
        joints_at_rest=body.rest_joints,
        encode=lambda rotations: codec.encode(rotations_to_6d(rotations)),
        vocabulary=vocabulary,
        config=align.talk,
    )
    return ThroughputRun(
        model=model,
        vocabulary=vocabulary,
        draw=lambda step: talk.draw(config.batch, seed=config.seed, step=step % config.batches),
        config=align,
        batches=config.batches,
    )


def quickest(blocks: list[list[list[Moment]]], clock: int) -> float:
    """Return how long all batches take if each is as quick as its quickest step of all blocks."""
    together = zip(*blocks, strict=True)
    return sum(min(t[clock] for times in batch for t in times) for batch in together)


def measure(config: PaceConfig) -> dict[str, object]:
    """Return the contestants' paces (tokens a second) and ours as multiples of the others'."""
    times: dict[str, list[list[list[Moment]]]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as place:
        race = prepare(config, Path(place) / "text")
        race.ours(Path(place) / "first")  # memory is asked for once, by whoever is the first
        for block in range(config.blocks):
            for i in range(len(CONTESTANTS)):  # nobody is always the first
                name = CONTESTANTS[(block + i) % len(CONTESTANTS)]
                times[name].append(race.run(name, Path(place) / f"{name}-{block}"))
    found: dict[str, object] = {}
    for i, clock in enumerate(CLOCKS):
        pace = {name: race.tokens / quickest(blocks, i) for name, blocks in times.items()}
        found |= {f"{name}_tokens_per_{clock}": value for name, value in pace.items()}
        found[f"tokens_per_{clock}_ratio"] = pace["ours"] / pace["trainer"]
        found[f"tokens_per_{clock}_ratio_padded"] = pace["ours"] / pace["padded"]
    weights = sum(weight.numel() for weight in race.model.parameters() if weight.requires_grad)
    return found | {
        "blocks_batches_s_and_cpu_s": times,
        "tokens_of_the_batches": race.tokens,
        "weights": weights,
        "threads": torch.get_num_threads(),
        "blocks": config.blocks,
        "seed": config.seed,
    }


def main(config: PaceConfig) -> None:
    """Race our loop against transformers' Trainer and print one JSON object."""
    result = measure(config)
    sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")


if __name__ == "__main__":
    run_program(main, PRESETS)
