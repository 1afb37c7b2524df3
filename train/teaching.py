"""What all stages of the language model share: the step, its losses, and the loop around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedType
from torch import nn
from tqdm import trange

from train.ahead import ahead
from train.engines import resume_moments, save_run
from train.held_out import HeldOut
from train.program import check_engine
from train.run_folder import RunFolder
from train.settings import RunSettings, set_rate
from train.stages import set_modes
from unipose.assistant import UniPose
from unipose.errors import ConfigError
from unipose.language.losses import Losses
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import NOTHING, WRITTEN_POSE, Batch, Practice, Row, collate
from unipose.language.vocabulary import Vocabulary

TOLD = 10.0
"""A text claims some seven of all claims where a pose makes fifty true: each counts for more."""

Draw = Callable[[int], tuple[list[Row], Practice | None]]
"""From the number of a batch (all processes count together) to its rows and its practice; called in
a process of its own, with what was known when training began (see `train.ahead`)."""


@dataclass(frozen=True, kw_only=True)
class Teaching(RunSettings):
    """Steps, rates and weights of one stage."""

    steps: int = 6500
    batch: int = 32
    pieces: int = 2
    """A step's rows are sorted by length and run in this many pieces: less is filled up."""
    peak_rate: float = 1.5e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    text_weight: float = 1.0
    code_weight: float = 0.3
    geometry_weight: float = 20.0
    claim_weight: float = 3.0
    """Weight of the true-or-false claims learned beside; 0 leaves them out."""
    shown_weight: float = 0.5
    """Weight of reading the told claims off the poses that are written."""
    save_every: int = 200
    checked: int = 32
    """Held-out people who are asked about along the way (`train.held_out`); 0: nobody."""
    check_every: int = 500
    workers: int = 1
    """Processes that draw batches ahead of their step, on CPUs, each with pictures of its own to
    keep; 0 draws between steps."""
    checkpointing: bool = False
    """Compute activations again in the backward pass rather than keep them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.check_every < 1:
            raise ConfigError(
                f"check_every is at least 1, got {self.check_every}; --checked 0 asks nobody"
            )

    def asks(self, step: int) -> bool:
        """Return whether held-out people are asked about after a step."""
        return (step + 1) % self.check_every == 0 or step + 1 == self.steps


def by_length(rows: list[Row], pieces: int, *, pad: int) -> list[Batch]:
    """Return the rows as a few batches of about equal lengths, so that little is filled up."""
    rows = sorted(rows, key=lambda row: len(row.ids))
    size = -(-len(rows) // pieces)
    return [collate(rows[i : i + size], pad=pad) for i in range(0, len(rows), size)]


def train_step(
    model: nn.Module, batches: list[Batch], practice: Practice | None, config: Teaching
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss of one step and its parts: means over all that the batches supervise."""
    counts = {
        "text": torch.tensor([int((b.targets != NOTHING).sum()) for b in batches]),
        "poses": torch.tensor([int(b.writing.sum()) for b in batches]),
        "facts": torch.tensor([int(b.reading.sum()) for b in batches]),
        "told": torch.tensor(
            [int((b.writing if b.telling is None else b.telling).sum()) for b in batches]
        ),
    }
    counts["text"] -= torch.tensor([int((b.kinds == WRITTEN_POSE).sum()) for b in batches])
    share = {name: count / count.sum().clamp(min=1) for name, count in counts.items()}
    shares = {
        "text": share["text"], "codes": share["poses"], "geometry": share["poses"],
        "facts": share["facts"], "told": share["told"], "shown": share["poses"],
    }  # fmt: skip
    parts: dict[str, torch.Tensor] = {name: torch.zeros(()) for name in shares}
    for i, batch in enumerate(batches):
        losses: Losses = model(batch)
        for name, some in shares.items():
            parts[name] = parts[name] + some[i] * getattr(losses, name)
    weights = {
        "text": config.text_weight,
        "codes": config.code_weight,
        "geometry": config.geometry_weight,
        "facts": config.claim_weight,
        "told": config.claim_weight * TOLD,
        "shown": config.shown_weight,
    }
    if practice is not None:
        losses = model(practice)
        for name in ("codes", "geometry", "facts", "shown"):
            parts[f"practised {name}"] = getattr(losses, name)
            weights[f"practised {name}"] = weights[name]
    loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
    return loss, {name: part.detach() for name, part in parts.items()}


class Step(nn.Module):
    """One step as one forward pass: what is spread over processes is the whole step."""

    def __init__(self, model: PoseLanguageModel, config: Teaching) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(
        self, batches: list[Batch], practice: Practice | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss and its parts; see `train_step`."""
        return train_step(self.model, batches, practice, self.config)


def teach(
    accelerator: Accelerator,
    run: RunFolder,
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    draw: Draw,
    config: Teaching,
    *,
    name: str,
    held_out: HeldOut | None = None,
) -> None:
    """Train what `choose_what_learns` left open, log, save; resumes from the newest checkpoint.

    `held_out` is what the main process asks every `check_every` steps and at the end, unless FSDP
    spreads the weights; None in all others.
    """
    if config.checkpointing:
        model.llm.activation_checkpointing_enable()
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=0.0, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip
    done = run.resume(model, optimizer)

    def prepared(place: int) -> tuple[list[Batch], Practice | None]:
        rows, practice = draw(place)
        return by_length(rows, config.pieces, pad=vocabulary.pad), practice

    set_modes(model)
    places = range(done * accelerator.num_processes + accelerator.process_index,
                   config.steps * accelerator.num_processes, accelerator.num_processes)  # fmt: skip
    drawn = ahead(prepared, places, workers=config.workers)
    trained, optimizer = accelerator.prepare(Step(model, config), optimizer)
    check_engine(accelerator, trained)
    # DeepSpeed casts all to bfloat16; rotations need float32
    model.codec.float()
    model.joints_at_rest = model.joints_at_rest.float()
    if done:
        resume_moments(accelerator, model, optimizer, run.checkpoints()[-1])

    spread = accelerator.distributed_type == DistributedType.FSDP
    progress = trange(
        done, config.steps, initial=done, total=config.steps,
        desc=name, disable=not accelerator.is_main_process,
    )  # fmt: skip
    for step in progress:
        set_rate(optimizer, config.rate(step))
        place = step * accelerator.num_processes + accelerator.process_index
        batches, practice = next(drawn)
        batches = [batch.to(accelerator.device) for batch in batches]
        practice = None if practice is None else practice.to(accelerator.device)
        torch.manual_seed(config.seed + place)  # dropout, the same after a resume
        loss, losses = trained(batches, practice)
        accelerator.backward(loss)
        del loss  # and its graph, before the next one is built
        accelerator.clip_grad_norm_(trained.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad()  # before the next forward pass, which needs the memory
        if (step % 20 == 0 or step + 1 == config.steps) and accelerator.is_main_process:
            parts = {part: round(value.item(), 5) for part, value in losses.items()}
            run.log(step=step, **parts)
            progress.set_postfix(parts)
        if held_out is not None and not spread and config.asks(step):
            run.log(step=step + 1, **held_out.ask(UniPose(model, vocabulary)))
            set_modes(model)
        if config.saves(step):
            weights = save_run(accelerator, run, step + 1, model, optimizer)
            if accelerator.is_main_process:
                save_model(model, vocabulary, config.out / "model", weights)
            accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        run.close()


def save_model(
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    folder: Path,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write model and text tokenizer as `from_pretrained` reads them.

    `weights` are given where the model's own are spread over processes.
    """
    model.save_pretrained(folder, state_dict=weights)
    vocabulary.text.save_pretrained(folder)
