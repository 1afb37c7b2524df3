"""What fits where: `python -m planner.plan --llm NAME_OR_FOLDER --gpus N --gpu-memory-gb 80`.

Counts the weights of the pose language model over any base on the meta device, adds up what one
GPU holds under each engine, says the largest batch that fits and proposes a setting with its
command. Runs without a GPU and downloads nothing. `--check` compares its formulas with what torch
allocates for small models here.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from data_builders.training_sources import parse_sources
from planner.memory import GB, Engine, Load, Memory, plan_memory
from planner.model_sizes import KNOWN, Sizes, count, describe
from tokenizer.codec import CodecError
from train.program import ZERO3_REFUSED
from train.stages import Stage
from unipose.errors import ConfigError, UniPoseError

PICTURE = 24 * 24 + 2
"""Tokens of a picture, with its start and end."""

PUBLISHED_BATCH = {Stage.ALIGN: 24, Stage.VISUAL: 8, Stage.INSTRUCT: 8}
"""Rows per GPU (supplement, table 1), on four A100."""

MOST_GPUS = 512


class NothingFitsError(ConfigError):
    """No setting trains this model on these GPUs; the message says what would help."""


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """What is to be trained, and on what."""

    llm: str = "mistralai/Mistral-7B-Instruct-v0.2"
    """A known name, a checkpoint's folder, or a config.json; `--known` lists the names."""
    gpus: int = 1
    gpu_memory_gb: float = 80.0
    """Of each GPU; 1 GB is 10^9 bytes."""
    stage: Literal["align", "visual", "instruct"] = "align"
    batch: int | None = None
    """Rows per GPU and step; by default the published number."""
    tokens: int = 352
    """Longest row: words and poses; each picture adds 578."""
    answer: int = 128
    """Supervised words per row."""
    images: int = 2
    """Pictures per row where the stage has pictures."""
    full: bool = False
    """Train all weights instead of LoRA (`--lora` is the default)."""
    lora_rank: int = 64
    bits: Literal[4, 8, 16] | None = None
    """Of the frozen base; by default all are tried."""
    zero: Literal[0, 2, 3] | None = None
    """DeepSpeed's stage (0: none); by default all engines are tried."""
    sources: tuple[str, ...] = ()
    """What is to be trained on (docs/training_data.md), for the command; nothing of it is read."""
    turn_markers: int = 4
    """Ids that train.align adds to the text tokenizer; the published vocabulary has none."""
    json: bool = False
    """Print one JSON object instead of tables."""
    check: bool = False
    """Compare the formulas with what torch allocates for small models here, and stop."""
    known: bool = False
    """List the models that are known by name, and stop."""

    def __post_init__(self) -> None:
        for name in ("gpus", "tokens", "lora_rank"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        parse_sources(self.sources)
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch must be at least 1, got {self.batch}")
        if self.gpu_memory_gb <= 0:
            raise ConfigError(f"gpu_memory_gb must be above 0, got {self.gpu_memory_gb}")
        if self.full and self.bits in (4, 8):
            raise ConfigError(f"a {self.bits}-bit base cannot learn: use LoRA, or --bits 16")
        if self.zero == 3 and self.bits in (4, 8):
            raise ConfigError(
                f"ZeRO-3 does not spread a {self.bits}-bit base: use --zero 2, or --bits 16"
            )


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """One way of training."""

    engine: Engine
    bits: int
    checkpointing: bool

    @property
    def name(self) -> str:
        """Name in the table."""
        base = "" if self.bits == 16 else f", {self.bits}-bit base"
        return f"{self.engine.value}{base}{', checkpointing' if self.checkpointing else ''}"


@dataclass(frozen=True, kw_only=True)
class FittingSetup:
    """A setting, what it needs, and how many rows it can take."""

    setting: TrainingSetup
    memory: Memory
    largest_batch: int
    """0: not even one row fits."""


def settings(config: PlanConfig) -> Iterator[TrainingSetup]:
    """Yield the settings that work together, the one to prefer first."""
    engines = [Engine.SINGLE, Engine.ZERO2]
    if config.gpus > 1:  # DDP holds more than ZeRO-2 and is no faster here
        engines = [Engine.ZERO2, Engine.DDP, Engine.ZERO3, Engine.FSDP2]
    without = (Engine.SINGLE, Engine.DDP, Engine.FSDP2)
    allowed = {0: without, 2: (Engine.ZERO2,), 3: (Engine.ZERO3,)}
    for bits in (16, 8, 4):
        for engine in engines:
            for checkpointing in (False, True):
                if bits < 16 and (config.full or engine in (Engine.ZERO3, Engine.FSDP2)):
                    continue
                if config.bits not in (None, bits):
                    continue
                if config.zero is not None and engine not in allowed[config.zero]:
                    continue
                yield TrainingSetup(engine=engine, bits=bits, checkpointing=checkpointing)


def load_of(config: PlanConfig, setting: TrainingSetup, batch: int) -> Load:
    """Return what one GPU is given in a step."""
    images = 0 if config.stage == "align" else config.images
    return Load(
        batch=batch,
        tokens=config.tokens + images * PICTURE,
        answer=min(config.answer, config.tokens),
        images=images,
        checkpointing=setting.checkpointing,
    )


def choose(config: PlanConfig, sizes: Sizes) -> list[FittingSetup]:
    """Return every setting with what it needs for the asked batch, and its largest batch."""
    stage = Stage(config.stage)
    asked = config.batch or PUBLISHED_BATCH[stage]

    def memory(setting: TrainingSetup, batch: int) -> Memory:
        load = load_of(config, setting, batch)
        return plan_memory(sizes, stage, setting.engine, load, gpus=config.gpus, bits=setting.bits)

    def fits(setting: TrainingSetup, batch: int) -> bool:
        return memory(setting, batch).total <= config.gpu_memory_gb * GB

    choices = []
    for setting in settings(config):
        low, high = 0, 4096
        while low < high:  # the largest batch that fits lies in [low, high]
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(setting, middle) else (low, middle - 1)
        choices.append(
            FittingSetup(setting=setting, memory=memory(setting, asked), largest_batch=low)
        )
    return choices


def propose(
    config: PlanConfig, sizes: Sizes, choices: Sequence[FittingSetup]
) -> tuple[FittingSetup, int]:
    """Return the setting to take and its batch: the first that takes the asked one, else the most.

    ZeRO-3 is shown and never proposed: the programs refuse it. Raises NothingFitsError if no
    setting takes a single row, ConfigError if none is left.
    """
    asked = config.batch or PUBLISHED_BATCH[Stage(config.stage)]
    if config.zero == 3:
        raise ConfigError(ZERO3_REFUSED)
    runs = [choice for choice in choices if choice.setting.engine != Engine.ZERO3]
    for choice in runs:
        if choice.largest_batch >= asked:
            return choice, asked
    best = max(runs, key=lambda choice: choice.largest_batch, default=None)
    if best is None:
        raise ConfigError("these --bits, --zero and --gpus leave no setting; leave one of them out")
    if not best.largest_batch:
        raise NothingFitsError(what_would_help(config, sizes))
    return best, best.largest_batch


def what_would_help(config: PlanConfig, sizes: Sizes) -> str:
    """Return what would make a single row fit, as a sentence."""
    one = replace(config, batch=1)
    runs = [choice for choice in choose(one, sizes) if choice.setting.engine != Engine.ZERO3]
    least = min(runs, key=lambda choice: choice.memory.total)
    needed = least.memory.total / GB + 0.1
    help_: list[str] = []
    free = replace(one, bits=None, zero=None)

    def fits(changed: PlanConfig) -> bool:
        return any(
            choice.largest_batch
            for choice in choose(changed, sizes)
            if choice.setting.engine != Engine.ZERO3
        )

    if fits(free):
        help_.append("leaving --bits and --zero open")
    gpus = 2 * config.gpus
    while gpus <= MOST_GPUS:
        if fits(replace(free, gpus=gpus)):
            help_.append(f"--gpus {gpus}")
            break
        gpus *= 2
    if config.full:
        help_.append("--lora instead of --full")
    elif config.bits is None and config.zero is None:
        help_.append("a smaller --llm")
    if config.tokens > 128:
        help_.append("fewer --tokens")
    return (
        f"{config.llm} in stage {config.stage} does not fit on {config.gpus} GPU(s) of "
        f"{config.gpu_memory_gb:g} GB: one row needs {needed:.1f} GB on each, with "
        f"{least.setting.name}. What would help: {', '.join(help_)}, or GPUs of {needed:.0f} GB"
    )


CONFIG_FILE = {
    Engine.SINGLE: "one_gpu.yaml",
    Engine.DDP: "ddp.yaml",
    Engine.ZERO2: "zero2.yaml",
    Engine.FSDP2: "fsdp2.yaml",
}

ADVICE = {
    Engine.DDP: "DDP keeps a whole copy on every GPU; ZeRO-2 is smaller at about the same speed.",
    Engine.ZERO2: "DeepSpeed compiles at the first start and needs g++ and ninja on PATH "
    "(activate the environment).",
    Engine.FSDP2: "FSDP2 was never tried on a GPU, and on a CPU accelerate does not apply it (the "
    "program refuses it then). Name the model's layer class in fsdp2.yaml. A run cannot be resumed "
    "under it yet; its checkpoints can, with zero2.yaml.",
}
QUANTISED = (
    "The quantised base is read by bitsandbytes and stays frozen; adapters, embeddings and "
    "the output layer learn beside it."
)


def command(config: PlanConfig, setting: TrainingSetup, batch: int) -> str:
    """Return the command that trains so."""
    line = f"accelerate launch --config_file train/configs/{CONFIG_FILE[setting.engine]}"
    line += "" if setting.engine == Engine.SINGLE else f" --num_processes {config.gpus}"
    line += f" -m train.{config.stage} --preset paper --llm {config.llm} --batch {batch}"
    line += f" --bits {setting.bits}" if setting.bits < 16 else ""
    line += " --checkpointing" if setting.checkpointing else ""
    return line + (f" --sources {shlex.join(config.sources)}" if config.sources else "")


def advice(config: PlanConfig, setting: TrainingSetup) -> list[str]:
    """Return what to know before starting."""
    lines = [ADVICE[setting.engine]] if setting.engine in ADVICE else []
    if setting.bits < 16:
        lines.append(QUANTISED)
    if config.gpus > 1:
        lines.append(
            "The program stops at once if the engine or the number of processes is not what was "
            "asked for: some accelerate configurations train copies that nothing keeps equal."
        )
    lines.append(
        "Activations are predicted within 15 % of what torch allocates for small models on a CPU "
        "(--check); CUDA's own share (1.5 GB and 5 % fragments) is an assumption."
    )
    return lines


SHORT = {
    "weights": "weights", "gradients": "grads", "optimiser": "Adam", "buffers": "buffers",
    "activations": "activ.", "logits": "logits", "eyes": "eyes", "reserve": "reserve",
}  # fmt: skip
"""Parts of the memory, and their columns."""


def report(config: PlanConfig, sizes: Sizes, choices: Sequence[FittingSetup]) -> None:
    """Print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    total = sum(sizes.parts.values())
    parts = Table(title=f"{config.llm}: {total / 1e9:.2f} billion weights")
    parts.add_column("part")
    parts.add_column("weights", justify="right")
    for stage in Stage:
        parts.add_column(stage.value, justify="center")
    for name, weights in sizes.parts.items():
        marks = ["learns" if name in sizes.learning_parts(stage) else "" for stage in Stage]
        parts.add_row(name, f"{weights:,}", *marks)
    parts.add_row("learning", "", *(f"{sizes.learning(stage) / 1e6:,.1f} M" for stage in Stage))
    console.print(parts)
    console.print(f"vocabulary {sizes.vocabulary:,}")
    asked = config.batch or PUBLISHED_BATCH[Stage(config.stage)]
    table = Table(
        title=f"GB on each of {config.gpus} GPU(s), stage {config.stage}, {asked} rows per GPU",
        caption="ZeRO-3 cannot run yet. ckpt: activations are computed again in the backward pass; "
        "most: the largest number of rows per GPU that fits",
    )
    for name in ("engine", "bits", "ckpt"):
        table.add_column(name, no_wrap=True)
    for name in [*SHORT.values(), "total", "most"]:
        table.add_column(name, justify="right")
    for choice in choices:
        amounts = [getattr(choice.memory, name) for name in [*SHORT, "total"]]
        setting = choice.setting
        table.add_row(
            setting.engine.value,
            str(setting.bits),
            "yes" if setting.checkpointing else "",
            *(f"{amount / GB:.1f}" for amount in amounts),
            str(choice.largest_batch) if choice.largest_batch else "none",
        )
    console.print(table)


def as_json(config: PlanConfig, sizes: Sizes, choices: Sequence[FittingSetup]) -> dict[str, object]:
    """Return all of it as one JSON object; memory in bytes."""
    found, batch = propose(config, sizes, choices)
    return {
        "llm": config.llm,
        "stage": config.stage,
        "gpus": config.gpus,
        "weights": dict(sizes.parts),
        "vocabulary": sizes.vocabulary,
        "learning": {stage.value: sizes.learning(stage) for stage in Stage},
        "settings": [
            {
                "name": choice.setting.name,
                "bytes": {**asdict(choice.memory), "total": choice.memory.total},
                "largest_batch": choice.largest_batch,
            }
            for choice in choices
        ],
        "proposal": {
            "name": found.setting.name,
            "batch": batch,
            "command": command(config, found.setting, batch),
            "advice": advice(config, found.setting),
        },
    }


def main(config: PlanConfig) -> None:
    """Print the plan."""
    if config.known:
        sys.stdout.write("".join(f"{name}\n" for name in KNOWN))
        return
    if config.check:
        from planner.memory_check import print_checks  # imports the training programs

        print_checks()
        return
    rank = 0 if config.full else config.lora_rank
    sizes = count(describe(config.llm), rank=rank, turn_markers=config.turn_markers)
    choices = choose(config, sizes)
    if config.json:
        sys.stdout.write(json.dumps(as_json(config, sizes, choices)) + "\n")
        return
    report(config, sizes, choices)
    found, batch = propose(config, sizes, choices)
    lines = [f"Proposal: {found.setting.name}, {batch} rows per GPU.", ""]
    lines += [f"  {command(config, found.setting, batch)}", ""]
    lines += [f"- {line}" for line in advice(config, found.setting)]
    sys.stdout.write("\n".join(lines) + "\n")


def run(arguments: list[str]) -> None:
    """Plan as the command line says; our errors become one line."""
    arguments = ["--no-full" if argument == "--lora" else argument for argument in arguments]
    try:
        main(tyro.cli(PlanConfig, args=arguments, description=__doc__))
    except (UniPoseError, CodecError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    run(sys.argv[1:])
