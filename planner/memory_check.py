"""The planner's predictions beside what torch really allocates, for small models on this CPU."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, PreTrainedTokenizerBase

from data_builders.pose_pool import PosePool
from data_builders.pose_talk import PoseTalk
from planner.memory import Load, step_memory
from planner.model_sizes import ModelOutline, count
from tokenizer.codec import PAPER, PoseTokenizer
from tokenizer.rotations import rotations_to_6d
from train.align import PRESETS
from train.stages import Stage, choose_what_learns
from train.training_loop import by_length, train_step
from unipose.body.body import load_body
from unipose.language.config import PoseLanguageConfig
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import IGNORE_INDEX, WRITTEN_POSE, Batch
from unipose.language.vocabulary import Vocabulary, train_text_tokenizer

CODEC = replace(PAPER, width=64, latent=32, codes=256)
RANK = 16


@dataclass(frozen=True, kw_only=True)
class Case:
    """One small model and one way of training it."""

    hidden: int
    layers: int
    heads: int
    groups: int
    feed_forward: int
    batch: int
    checkpointing: bool
    lora: bool


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Bytes of one case, predicted and measured."""

    case: Case
    predicted_kept: float
    """Weights, gradients and AdamW's moments, in float32."""
    measured_kept: float
    predicted_step: float
    """What a step adds at its peak."""
    measured_step: float

    @property
    def error(self) -> float:
        """Of the whole peak, relative to the measured one."""
        measured = self.measured_kept + self.measured_step
        return (self.predicted_kept + self.predicted_step - measured) / measured

    @property
    def step_error(self) -> float:
        """Of what the step adds, relative to the measured one."""
        return (self.predicted_step - self.measured_step) / self.measured_step


SIZES = (
    {"hidden": 128, "layers": 4, "heads": 4, "groups": 4, "feed_forward": 352},
    {"hidden": 256, "layers": 4, "heads": 8, "groups": 2, "feed_forward": 704},
    {"hidden": 384, "layers": 6, "heads": 6, "groups": 2, "feed_forward": 1024},
)


def cases() -> Iterator[Case]:
    """Yield the cases: three sizes, two batches, with and without checkpointing, LoRA and full."""
    for size in SIZES:
        for batch in (4, 12):
            for checkpointing in (False, True):
                for lora in (True, False):
                    yield Case(**size, batch=batch, checkpointing=checkpointing, lora=lora)


def check(case: Case) -> Checked:
    """Return what the planner says of a case, and what torch allocates in its third step."""
    torch.manual_seed(0)
    vocabulary = Vocabulary(text=_text(), codes=CODEC.codes, length=CODEC.length)
    llm = LlamaConfig(
        hidden_size=case.hidden, intermediate_size=case.feed_forward, vocab_size=len(vocabulary),
        num_hidden_layers=case.layers, num_attention_heads=case.heads,
        num_key_value_heads=case.groups, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    config = replace(PRESETS["paper"], batch=case.batch)
    model = PoseLanguageModel(
        PoseLanguageConfig(
            llm=llm.to_dict(), codec=asdict(CODEC), text_tokens=vocabulary.first_code
        )
    )
    body = load_body()
    model.joints_at_rest.copy_(body.rest_joints)
    if case.lora:
        model.add_adapters({"r": RANK, "lora_alpha": 16, "lora_dropout": 0.05})
    choose_what_learns(model, large=case.lora)
    if case.checkpointing:
        model.llm.activation_checkpointing_enable()
    batch = _batch(model.codec, vocabulary, body.rest_joints, case.batch)
    sizes = count(
        ModelOutline(config=llm, text_tokens=vocabulary.first_code),
        rank=RANK if case.lora else 0, turn_markers=0, codec=CODEC, eyes=False,
    )  # fmt: skip
    written = batch.kinds == WRITTEN_POSE
    load = Load(
        batch=case.batch,
        tokens=batch.ids.shape[1],
        answer=int(((batch.targets != IGNORE_INDEX) & ~written).sum()) // case.batch,
        poses=float(batch.writing.sum()) / case.batch,
        checkpointing=case.checkpointing,
        number=4,
        mask=4,
    )
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-3, fused=True)

    def step() -> None:
        loss, _ = train_step(model, [batch], None, config)
        # the profiler misses what was allocated before it began and is given back: keep gradients
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()

    model.train()
    step()
    step()
    kept = _bytes(list(model.state_dict().values()))
    kept += _bytes([weight.grad for weight in learning if weight.grad is not None])
    kept += sum(_bytes(list(state.values())) for state in optimizer.state.values())
    learns = sizes.learning(Stage.ALIGN)
    return Checked(
        case=case,
        predicted_kept=4.0 * sum(sizes.parts.values()) + 12.0 * learns,
        measured_kept=float(kept),
        predicted_step=sum(step_memory(sizes, Stage.ALIGN, load)),
        measured_step=float(peak_of(step)),
    )


def peak_of(step: Callable[[], None]) -> int:
    """Return by how many bytes torch's CPU allocations rise at the highest point of `step`."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step()
    inner: Any = recorded.profiler
    events = [e for e in inner.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _text() -> PreTrainedTokenizerBase:
    return train_text_tokenizer(["Describe the pose. The left knee is bent."] * 9, size=300)


def _batch(
    codec: PoseTokenizer, vocabulary: Vocabulary, joints_at_rest: Tensor, rows: int
) -> Batch:
    talk = PoseTalk(
        PosePool.random(32, seed=0),
        joints_at_rest=joints_at_rest,
        encode=lambda rotations: codec.encode(rotations_to_6d(rotations)),
        vocabulary=vocabulary,
        config=PRESETS["paper"].talk,
    )
    return by_length(talk.draw(rows, seed=0, step=0), 1, pad=vocabulary.pad)[0]


def print_checks() -> None:
    """Print predicted beside measured for every case, and the worst error."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    logging.disable()
    table = Table(title="MB in float32 on this CPU, predicted / measured")
    for name in ("model", "trained", "checkpointing", "batch", "kept", "a step adds", "error"):
        table.add_column(name, justify="right")
    worst = 0.0
    for case in cases():
        found = check(case)
        worst = max(worst, abs(found.step_error))
        table.add_row(
            f"{case.layers} x {case.hidden}",
            "LoRA" if case.lora else "all",
            "yes" if case.checkpointing else "no",
            str(case.batch),
            f"{found.predicted_kept / 1e6:.1f} / {found.measured_kept / 1e6:.1f}",
            f"{found.predicted_step / 1e6:.1f} / {found.measured_step / 1e6:.1f}",
            f"{found.step_error:+.1%}",
        )
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table)
    console.print(f"worst error of what a step adds: {worst:.1%}")
