"""How much memory one GPU needs to train a pose language model: what is kept, and what a step adds.

Kept, in bytes per weight (T what learns, F what is frozen, N GPUs; bf16 mixed precision, AdamW):

    one GPU, DDP   F: 2    T: 4 weight + 2 bf16 copy + 4 gradient (+ 4 DDP's buckets) + 8 moments
    ZeRO-2         F: 2    T: 2 weight + (2 gradient, 4 its float32 copy, 4 master, 8 moments) / N
    ZeRO-3         F: 2/N  T: as ZeRO-2, the weight too over N
    FSDP2          F: 2/N  T: (4 weight + 4 gradient + 8 moments) / N
    4-bit base     0.516 (NF4, double quantisation); 8-bit base 1.002; not spread by ZeRO or FSDP

What an engine holds of gathered weights and buckets is the line `buffers`. A step adds, per token
and block, with width h, feed-forward f, q = heads x head width, e bytes per number (2 in bf16):

    8 h + 8                  what the two RMS norms save, in float32
    e (4 q + T) + 4 heads    query, key, value (repeated for every head), output, mask of T tokens
    3 e f                    gate, its SiLU, up
    e (4 h + f)              if the base learns: normalised states, inputs of the linear layers
    (e + m) (5 h + q + f)    if LoRA learns behind dropout: what it left, its mask (m = 1, CPU: 4)
    e (2 h + f)              if LoRA learns without dropout
    7 e rank                 if LoRA learns

With gradient checkpointing a block keeps its input alone, and one block at a time the rest.
`python -m planner.plan --check` compares this with what torch allocates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from planner.model_sizes import Sizes
from train.stages import Stage

GB = 10**9
BASE_BYTES = {16: 2.0, 8: 1.002, 4: 0.5 + 1 / 64 + 4 / (64 * 256)}
"""Per weight of the base's linear layers; the rest of a quantised model stays in 16 bits."""

BUCKET = 500_000_000
"""Weights in DeepSpeed's bucket of gradients (its default)."""
LIVE = 1_000_000_000
"""Weights that ZeRO-3 keeps gathered at most (its default)."""
RESERVE = 1.5 * GB
"""CUDA's context and NCCL's buffers; an assumption, as is the share lost to fragments."""
FRAGMENTS = 0.05


class Engine(Enum):
    """What spreads a training over GPUs."""

    SINGLE = "one GPU"
    DDP = "DDP"
    ZERO2 = "ZeRO-2"
    ZERO3 = "ZeRO-3"
    FSDP2 = "FSDP2"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one GPU is given in one step, and how it is computed."""

    batch: int
    tokens: int
    """Per row, picture tokens included; rows are filled up to the longest."""
    answer: int
    """Text tokens per row that are supervised: only these get logits."""
    images: int = 0
    """Per row."""
    poses: float = 1.0
    """Written poses per row."""
    checkpointing: bool = False
    dropout: bool = True
    """Whether LoRA drops out."""
    number: int = 2
    """Bytes per number of what is computed: 2 in bfloat16, 4 in float32."""
    mask: int = 1
    """Bytes per number of a dropout's mask: 1 on a GPU, 4 on a CPU in float32."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on one GPU."""

    weights: float
    gradients: float
    optimiser: float
    buffers: float
    activations: float
    logits: float
    eyes: float
    reserve: float = 0.0

    @property
    def total(self) -> float:
        """Bytes in all."""
        return sum(getattr(self, field.name) for field in fields(self))


def plan_memory(
    sizes: Sizes, stage: Stage, engine: Engine, load: Load, *, gpus: int, bits: int
) -> Memory:
    """Return what one of `gpus` GPUs holds at its peak; see the module's table."""
    kept = kept_memory(sizes, stage, engine, gpus=gpus, bits=bits)
    activations, logits = step_memory(sizes, stage, load)
    used = Memory(**kept, activations=activations, logits=logits, eyes=_eyes_at_work(stage, load))
    reserve = RESERVE + FRAGMENTS * (used.activations + used.logits + used.buffers)
    return Memory(**{f.name: getattr(used, f.name) for f in fields(used)} | {"reserve": reserve})


def kept_memory(
    sizes: Sizes, stage: Stage, engine: Engine, *, gpus: int, bits: int
) -> dict[str, float]:
    """Return bytes of weights, gradients, optimiser and buffers on one GPU."""
    names = set(sizes.learning_parts(stage))
    learns = float(sizes.learning(stage))
    frozen = 0.0
    for name, count in sizes.parts.items():
        if name in names or (name in ("eyes", "projector") and stage == Stage.ALIGN):
            continue  # a stage without pictures needs no eyes
        frozen += count * {"base": BASE_BYTES[bits], "codec": 4.0}.get(name, 2.0)
    if engine in (Engine.SINGLE, Engine.DDP):
        return {
            "weights": frozen + 6 * learns,
            "gradients": 4.0 * learns,
            "optimiser": 8.0 * learns,
            "buffers": 4.0 * learns if engine == Engine.DDP else 0.0,
        }
    if engine == Engine.FSDP2:
        root = sum(
            count for name, count in sizes.parts.items() if name not in ("base", "norms", "lora")
        )
        gathered = 2.0 * (2 * sizes.layer + root)
        return {
            "weights": (frozen + 4 * learns) / gpus,
            "gradients": 4 * learns / gpus + 2.0 * min(learns, root + sizes.layer),
            "optimiser": 8 * learns / gpus,
            "buffers": gathered if gpus > 1 else 0.0,
        }
    everything = frozen / 2 + learns
    zero3 = engine == Engine.ZERO3
    return {
        "weights": (frozen + 2 * learns) / (gpus if zero3 else 1),
        "gradients": 6 * learns / gpus,
        "optimiser": 12 * learns / gpus,
        "buffers": 2.0 * min(learns, BUCKET) + (2.0 * min(everything, LIVE) if zero3 else 0.0),
    }


def step_memory(sizes: Sizes, stage: Stage, load: Load) -> tuple[float, float]:
    """Return bytes of activations and of logits (with the losses) at the peak of a step."""
    places = float(load.batch * load.tokens)
    block = places * _saved_per_token(sizes, stage, load)
    if load.checkpointing:
        inputs = places * sizes.hidden * load.number * sizes.layers
        activations = inputs + block
    else:
        activations = sizes.layers * block
    # input embeddings, the last norm (in float32, too), the hidden states that are read
    activations += places * sizes.hidden * (2 * load.number + 4 + 2 * load.number)
    return activations, _logits(sizes, stage, load)


def _saved_per_token(sizes: Sizes, stage: Stage, load: Load) -> float:
    """Return the bytes that one block saves of one token for its backward pass."""
    h, f, q = sizes.hidden, sizes.feed_forward, sizes.heads * sizes.head
    e, names = load.number, sizes.learning_parts(stage)
    saved = 8.0 * h + 8 + e * (4 * q + load.tokens) + 4 * sizes.heads + 3 * e * f
    if "base" in names:
        saved += e * (4 * h + f)
    inputs = 5 * h + q + f
    if sizes.rank and load.dropout:
        saved += load.mask * inputs
    if "lora" in names:
        saved += 7 * e * sizes.rank + e * (inputs if load.dropout else 2 * h + f)
    return saved


def _logits(sizes: Sizes, stage: Stage, load: Load) -> float:
    """Return the bytes of logits, their softmax and its gradient, and of the poses' decoder."""
    codec = sizes.codec
    words = load.batch * load.answer
    text = 3.0 * words * (sizes.vocabulary - codec.codes) * max(load.number, 4)
    poses = load.batch * load.poses
    slots = poses * codec.length * (4.0 * codec.codes + 8 * codec.width) * 4
    if "embeddings" not in sizes.learning_parts(stage):
        return text + slots
    # text, start of a pose and codes are slices of one weight: each has a gradient of its size
    return text + slots + 2.0 * sizes.vocabulary * sizes.hidden * load.number


def _eyes_at_work(stage: Stage, load: Load) -> float:
    """Return the bytes of both frozen encoders at work: no gradients, one block at a time."""
    if stage == Stage.ALIGN:
        return 0.0
    pictures = load.batch * load.images
    clip = 577 * (1024 * 8 + 4096 * 2) + 16 * 577 * 577
    pose = 192 * (1280 * 8 + 5120 * 2) + 3 * 16 * 192 * 192
    features = 576 * (1024 + 1280)
    return pictures * 2.0 * (max(clip, pose) + 2 * features)
