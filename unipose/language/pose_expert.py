"""Writes a pose: queries, one for each position of the pose's codes, attend to a row's states.

As the action expert of openpi beside its vision-language model: a small network with its own
weights that attends to the language model's states, and answers all codes of a pose at once. As
that one is given the state of the robot, this one is given the codes of the pose that is to be
changed; what is asked for reaches it through the language model alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from tokenizer.codec import CodecConfig
from tokenizer.quantisers import Quantiser


@dataclass(frozen=True, kw_only=True)
class PoseExpertConfig:
    """Sizes of an expert."""

    width: int = 192
    blocks: int = 4
    heads: int = 6
    feed_forward: int = 576

    def to_dict(self) -> dict[str, Any]:
        """Return what goes into the model's config.json."""
        return asdict(self)


class ExpertBlock(nn.Module):
    """Self-attention of the queries, cross-attention to the states, feed-forward."""

    def __init__(self, config: PoseExpertConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.inward = nn.Linear(width, 3 * width)
        self.mixed = nn.Linear(width, width)
        self.asked = nn.Linear(width, width)
        self.shown = nn.Linear(width, 2 * width)
        self.told = nn.Linear(width, width)
        self.up = nn.Linear(width, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, width)

    def forward(
        self,
        queries: Float[Tensor, "row query width"],
        context: Float[Tensor, "row place width"],
        seen: Bool[Tensor, "row 1 1 place"],
    ) -> Float[Tensor, "row query width"]:
        """Return the queries after one block."""
        asking, keys, values = self.inward(self.norms[0](queries)).chunk(3, dim=-1)
        queries = queries + self.mixed(self._attend(asking, keys, values))
        asking = self.asked(self.norms[1](queries))
        keys, values = self.shown(context).chunk(2, dim=-1)
        queries = queries + self.told(self._attend(asking, keys, values, seen))
        return queries + self.down(functional.gelu(self.up(self.norms[2](queries))))

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None = None
    ) -> Tensor:
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (queries, keys, values)
        )
        together = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return together.transpose(1, 2).flatten(2)


class PoseExpert(nn.Module):
    """From the states of a row, and the codes of the pose it read, to logits of all codes of one.

    Codes of finite scalar quantisation are scored by their levels: 2,048 codes are a grid of 8 x 8
    x 8 x 4, and 28 scores a stage are learned sooner than 2,048.
    """

    grid: Tensor

    def __init__(self, config: PoseExpertConfig, codec: CodecConfig, *, context: int) -> None:
        super().__init__()
        with torch.device("cpu"):  # computed, so never on the meta device
            grid = level_grid(codec)
        self.register_buffer("grid", grid, persistent=False)
        self.stages = codec.stages
        self.counts = list(codec.levels) or [codec.codes]
        positions = codec.length // codec.stages
        self.norm = nn.LayerNorm(context)
        self.context = nn.Linear(context, config.width)
        scores = codec.stages * len(grid)
        self.read = nn.Linear(scores, config.width)
        self.queries = nn.Parameter(torch.randn(positions, config.width) * 0.5)
        self.blocks = nn.ModuleList(ExpertBlock(config) for _ in range(config.blocks))
        self.last = nn.LayerNorm(config.width)
        self.head = nn.Parameter(torch.randn(positions, config.width, scores) * 0.02)
        self.bias = nn.Parameter(torch.zeros(positions, scores))

    def levels(
        self,
        states: Float[Tensor, "row place width"],
        seen: Bool[Tensor, "row place"],
        source: Int[Tensor, "row slot"] | None = None,
    ) -> Float[Tensor, "row slot level"]:
        """Return a score of each level of each code.

        `seen` are the places that are there; `source` are the codes of the pose that a row read, -1
        in rows without.
        """
        states = self.context(self.norm(states.to(self.context.weight.dtype)))
        queries = self.queries.expand(len(states), -1, -1)
        if source is not None:
            levels = self.grid.T[source.clamp(min=0)].unflatten(1, (-1, self.stages)).flatten(2)
            begun = self.read(levels.to(states))
            queries = queries + begun.where(source[:, :1, None] >= 0, 0.0)
        for block in self.blocks:
            queries = block(queries, states, seen[:, None, None])
        scores = torch.einsum("rqw,qwl->rql", self.last(queries), self.head) + self.bias
        return scores.unflatten(2, (self.stages, -1)).flatten(1, 2)

    def forward(
        self,
        states: Float[Tensor, "row place width"],
        seen: Bool[Tensor, "row place"],
        source: Int[Tensor, "row slot"] | None = None,
    ) -> Float[Tensor, "row slot code"]:
        """Return logits of the codes."""
        scores = self.levels(states, seen, source)
        return scores @ self.grid.to(scores)

    def cross_entropy(
        self, scores: Float[Tensor, "row slot level"], truth: Int[Tensor, "row slot"]
    ) -> Float[Tensor, ""]:
        """Return the mean cross entropy of codes, from the scores of their levels.

        A code's logit is the sum of its levels' scores, so its cross entropy is the sum of theirs.
        """
        levels = self.grid.T[truth].split(self.counts, dim=-1)
        return sum(
            (
                functional.cross_entropy(part.flatten(0, 1), level.argmax(-1).flatten())
                for part, level in zip(scores.split(self.counts, dim=-1), levels, strict=True)
            ),
            start=scores.sum() * 0,
        )

    def mixed_latents(
        self, scores: Float[Tensor, "row slot level"], codebooks: Float[Tensor, "stage code latent"]
    ) -> Float[Tensor, "row position latent"]:
        """Return the expected latents of the codes, as `Quantiser.mixed_latents` of their softmax.

        Levels of one dimension are independent of the others', so each has its own expectation.
        """
        chances = [part.softmax(-1) for part in scores.split(self.counts, dim=-1)]
        by_stage = torch.cat(chances, dim=-1).unflatten(1, (-1, self.stages))
        if len(self.counts) == 1:  # of learned codebooks, a code is one level
            return torch.einsum("rpsc,scl->rpl", by_stage, codebooks)
        example = self.grid.argmax(dim=1)  # some code that has the level
        dimension = torch.arange(len(self.counts)).repeat_interleave(torch.tensor(self.counts))
        value = codebooks[:, example, dimension]  # stage level
        parts = (by_stage * value).sum(dim=2).split(self.counts, dim=-1)
        return torch.stack([part.sum(-1) for part in parts], dim=-1)


def level_grid(codec: CodecConfig) -> Float[Tensor, "level code"]:
    """Return which levels each code is made of; of learned codebooks each code is its own level.

    Of levels (2, 2), codes 0 to 3:

        first level   0   1  0  1  0
                      1   0  1  0  1
        second level  0   1  1  0  0
                      1   0  0  1  1
    """
    quantiser = Quantiser(
        codec.quantiser, latent=codec.latent, codes=codec.codes, levels=codec.levels,
        stages=codec.stages,
    )  # fmt: skip
    digits = quantiser.digits
    if digits is None:
        return torch.eye(codec.codes)
    counts = torch.tensor(codec.levels)
    levels = digits + counts.cumsum(0) - counts
    return torch.zeros(int(counts.sum()), len(digits)).scatter_(0, levels.T, 1.0)
