"""What all stages of the language model share: the step, its losses, and the loop around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from accelerate import Accelerator, DistributedType
from torch import nn

from train.batch_prefetch import prefetch
from train.engines import save_run
from train.held_out import HeldOut
from train.program import start_accelerator
from train.run_folder import RunFolder
from train.saved_model import save_model
from train.settings import RunSettings
from train.stages import set_modes
from train.step_loop import StepLoop
from unipose.assistant import UniPose
from unipose.errors import ConfigError
from unipose.language.concept_losses import losses_of
from unipose.language.concepts import ConceptPoseModel
from unipose.language.model import PoseLanguageModel
from unipose.language.precision import dtype_of
from unipose.language.rendering import IGNORE_INDEX, WRITTEN_POSE, Batch, Practice, Row, collate
from unipose.language.vocabulary import Vocabulary

TOLD = 10.0
"""A text claims some seven of all claims where a pose makes fifty true: each counts for more."""

Draw = Callable[[int], tuple[list[Row], Practice | None]]
"""From the number of a batch (all processes count together) to its rows and its practice; called in
a process of its own, with what was known when training began (see `train.batch_prefetch`)."""


@dataclass(frozen=True, kw_only=True)
class TrainingLoopConfig(RunSettings):
    """Steps, rates and weights of one stage."""

    steps: int = 6500
    batch: int = 32
    accumulate: int = 1
    """Batches of a step, one after the other: as one that large, in the memory of one."""
    pieces: int = 2
    """A step's rows are sorted by length and run in this many pieces, one after the other: less is
    filled up, and the memory is that of the longest rows alone."""
    peak_rate: float = 1.5e-3
    betas: tuple[float, float] = (0.9, 0.98)
    """Of AdamW."""
    weight_decay: float = 0.01
    clip: float = 1.0
    text_weight: float = 1.0
    code_weight: float = 0.3
    geometry_weight: float = 20.0
    claim_weight: float = 3.0
    """Weight of the true-or-false claims learned beside; 0 leaves them out."""
    shown_weight: float = 0.5
    """Weight of reading the told claims off the poses that are written."""
    named_weight: float = 0.1
    """Weight of reading off a request which named pose it is for."""
    save_every: int = 200
    log_every: int = 20
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
        if min(self.accumulate, self.log_every) < 1:
            raise ConfigError(
                "accumulate and log_every are at least 1, got "
                f"{self.accumulate} and {self.log_every}"
            )

    def places(self, step: int, process: int, processes: int) -> list[int]:
        """Return the numbers of the batches that a process draws for a step: `accumulate` of them.

        Of two processes that accumulate two, the first draws 0, 1, then 4, 5; the second 2, 3.
        """
        first = (step * processes + process) * self.accumulate
        return list(range(first, first + self.accumulate))

    def asks(self, step: int) -> bool:
        """Return whether held-out people are asked about after a step."""
        return (step + 1) % self.check_every == 0 or step + 1 == self.steps


def by_length(rows: list[Row], pieces: int, *, pad: int) -> list[Batch]:
    """Return the rows as a few batches of about equal lengths, so that little is filled up."""
    rows = sorted(rows, key=lambda row: len(row.ids))
    size = -(-len(rows) // pieces)
    return [collate(rows[i : i + size], pad=pad) for i in range(0, len(rows), size)]


def shares_of(batches: Sequence[Batch]) -> list[dict[str, torch.Tensor]]:
    """Return the share of each batch in all that a step supervises, for each part of the loss.

    With text losses of 6, 2 and 4 words the shares in "text" are 1/2, 1/6 and 1/3: the sum of the
    shared means is the mean over all words.
    """
    counts = [
        {
            "text": int((b.targets != IGNORE_INDEX).sum() - (b.kinds == WRITTEN_POSE).sum()),
            "poses": int(b.writing.sum()),
            "facts": int(b.reading.sum()) if b.true_at is None else len(b.true_at.rows),
            "told": (
                int((b.writing if b.telling is None else b.telling).sum())
                if b.told_at is None else len(b.told_at.rows)
            ),
            "named": 0 if b.named_at is None else len(b.named_at.rows),
        }
        for b in batches
    ]  # fmt: skip
    kinds = {"text": "text", "codes": "poses", "geometry": "poses", "facts": "facts",
             "told": "told", "shown": "poses", "named": "named"}  # fmt: skip
    totals = {kind: max(1, sum(count[kind] for count in counts)) for kind in kinds.values()}
    return [
        {name: torch.tensor(count[kind] / totals[kind]) for name, kind in kinds.items()}
        for count in counts
    ]


def words_of(batches: Sequence[Batch]) -> float:
    """Return the share of text in all tokens that a step supervises; the others are codes."""
    learned = sum(int((batch.targets != IGNORE_INDEX).sum()) for batch in batches)
    return 1 - sum(int((batch.kinds == WRITTEN_POSE).sum()) for batch in batches) / max(1, learned)


def train_step(
    model: PoseLanguageModel,
    batches: list[Batch],
    practice: Practice | None,
    config: TrainingLoopConfig,
    *,
    shares: list[dict[str, torch.Tensor]] | None = None,
    words: float | None = None,
    practised: float = 1.0,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss of one step and its parts: means over all that the batches supervise.

    Of a step in several passes it is one pass's part of them: with the `shares` of its batches (see
    `shares_of`) and that of its practice in all of it. UniPose has one mean over all tokens, of
    text and of codes: so do models whose slots run through the language model alone, by the share
    of `words` in the step (see `words_of`).
    """
    shares = shares_of(batches) if shares is None else shares
    parts: dict[str, torch.Tensor] = dict.fromkeys(shares[0], torch.zeros(()))
    for batch, share in zip(batches, shares, strict=True):
        losses = losses_of(model, batch)
        for name, some in share.items():
            parts[name] = parts[name] + some * getattr(losses, name)
    weights = {
        "text": config.text_weight,
        "codes": config.code_weight,
        "geometry": config.geometry_weight,
        "facts": config.claim_weight,
        "told": config.claim_weight * TOLD,
        "shown": config.shown_weight,
        "named": config.named_weight,
    }
    if not isinstance(model, ConceptPoseModel) and model.expert is None:
        words = words_of(batches) if words is None else words
        weights["text"] *= words
        weights["codes"] *= 1 - words
    if practice is not None:
        losses = losses_of(model, practice)
        for name in ("codes", "geometry", "facts", "shown"):
            parts[f"practised {name}"] = practised * getattr(losses, name)
            weights[f"practised {name}"] = weights[name]
    loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
    return loss, {name: part.detach() for name, part in parts.items()}


class PoseLanguageStep(nn.Module):
    """The loss as one forward pass: it is what is spread over processes."""

    def __init__(self, model: PoseLanguageModel, config: TrainingLoopConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(
        self,
        batches: list[Batch],
        practice: Practice | None,
        shares: list[dict[str, torch.Tensor]] | None = None,
        words: float | None = None,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss and its parts; see `train_step`."""
        practised = 1 / self.config.accumulate
        return train_step(
            self.model, batches, practice, self.config,
            shares=shares, words=words, practised=practised,
        )  # fmt: skip


Drawn = tuple[list[Batch], Practice | None]


def run_backward(
    loop: StepLoop, drawn: Sequence[tuple[int, Drawn]], config: TrainingLoopConfig
) -> list[tuple[int, torch.Tensor, dict[str, torch.Tensor]]]:
    """Add up the gradient of one step; return place, loss and its parts of each pass.

    `drawn` are the batches with the places they were drawn at. Each batch has a backward pass of
    its own, so that the memory is that of the largest; under an engine that spreads gradients or
    weights, all of a place have one, for in each pass it wants the same weights from all processes.
    Otherwise processes exchange gradients once, with the last pass.
    """
    device = loop.accelerator.device
    everything = [batch for _, (batches, _) in drawn for batch in batches]
    shares, words = iter(shares_of(everything)), words_of(everything)
    done = []
    for place, (batches, practice) in drawn:
        torch.manual_seed(config.seed + place)  # dropout, the same after a resume
        passes = [batches] if loop.spread else [[batch] for batch in batches]
        for i, together in enumerate(passes, 1):
            ends = i == len(passes)
            here = [batch.to(device) for batch in together]
            pairs = practice.to(device) if ends and practice is not None else None
            with loop.piece(last=ends and place == drawn[-1][0]):
                loss, parts = loop.trained(here, pairs, [next(shares) for _ in here], words)
                loop.accelerator.backward(loss)
            done.append((place, loss.detach(), parts))
            del loss  # and its graph, before the next one is built
    return done


def start(config: TrainingLoopConfig) -> Accelerator:
    """Return the Accelerator of a stage, with its threads set."""
    return start_accelerator(
        clip=config.clip, trackers=config.trackers, folder=config.out, threads=config.threads,
        workers=config.workers,
    )  # fmt: skip


def leave_casting_to_autocast(llm: nn.Module) -> None:
    """Keep adapters from copying their inputs to float32, which autocast then casts back."""
    for module in llm.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            setattr(module, "cast_input_dtype_enabled", False)  # noqa: B010


def run_loop(
    accelerator: Accelerator,
    run: RunFolder,
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    draw: Draw,
    config: TrainingLoopConfig,
    *,
    name: str,
    held_out: HeldOut | None = None,
) -> None:
    """Train what `choose_what_learns` left open, log, save; resumes from the newest checkpoint.

    `held_out` is what the main process asks every `check_every` steps and at the end, unless FSDP
    spreads the weights; None in all others.
    """
    if accelerator.mixed_precision != "no":
        leave_casting_to_autocast(model.llm)
    if config.checkpointing:
        model.llm.activation_checkpointing_enable()
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=0.0, betas=config.betas, weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip

    def prepared(place: int) -> Drawn:
        rows, practice = draw(place)
        return by_length(rows, config.pieces, pad=vocabulary.pad), practice

    set_modes(model)
    places = [
        place
        for step in range(run.steps_done(), config.steps)
        for place in config.places(step, accelerator.process_index, accelerator.num_processes)
    ]
    drawn = prefetch(prepared, places, workers=config.workers)
    codec, joints_at_rest = deepcopy(model.codec), model.joints_at_rest.clone()
    loop = StepLoop(
        accelerator, run, model, optimizer, config, name=name,
        module=PoseLanguageStep(model, config), clip=config.clip, log_every=config.log_every,
        saves_gathered=True,
    )  # fmt: skip
    if dtype_of(model.codec) != torch.float32:
        # DeepSpeed casts all to bfloat16, which rounds; rotations need float32
        model.codec = codec.to(accelerator.device)
        model.joints_at_rest = joints_at_rest.to(accelerator.device)

    sharded = accelerator.distributed_type == DistributedType.FSDP
    for step, _ in loop.steps():
        places = config.places(step, accelerator.process_index, accelerator.num_processes)
        passes = run_backward(loop, [(p, next(drawn)) for p in places], config)
        loop.update(passes, step)
        if loop.logs(step):
            loop.log(step, {
                part: round(sum(parts[part].item() for _, _, parts in passes if part in parts), 5)
                for part in passes[-1][2]  # the last pass practises, if any does
            })  # fmt: skip
        if held_out is not None and not sharded and config.asks(step):
            run.log(step=step + 1, **held_out.ask(UniPose(model, vocabulary)))
            set_modes(model)
        if config.saves(step):
            weights = save_run(accelerator, run, step + 1, model, loop.optimizer)
            if loop.is_main:
                save_model(model, vocabulary, config.out / "model", weights)
    if loop.is_main:
        loop.end()
