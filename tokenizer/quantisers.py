"""From latents to codes and back: four quantisers of vector-quantize-pytorch behind one face."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from vector_quantize_pytorch import FSQ, ResidualFSQ, ResidualVQ, VectorQuantize

Kind = Literal["ema", "fsq", "residual_ema", "residual_fsq"]


class Quantiser(nn.Module):
    """Gives each latent `stages` codes out of `codes`; one codebook per stage.

    "ema": EMA codebook with reset of dead codes (a code used less than once on average takes a
    latent drawn at random from the batch). "fsq": finite scalar quantisation (Mentzer et al. 2023),
    `levels` per latent dimension. "residual_": each stage codes what the stages before left over.
    """

    def __init__(
        self, kind: Kind, *, latent: int, codes: int, levels: tuple[int, ...], stages: int
    ) -> None:
        super().__init__()
        self.kind, self.latent, self.codes, self.stages = kind, latent, codes, stages
        self.levels = levels
        ema = {
            "dim": latent,
            "codebook_size": codes,
            "decay": 0.99,
            "kmeans_init": True,
            "threshold_ema_dead_code": 1,
            "rotation_trick": False,
        }
        if kind == "ema":
            self.quantise = VectorQuantize(**ema)
        elif kind == "residual_ema":
            self.quantise = ResidualVQ(num_quantizers=stages, **ema)
        elif kind == "fsq":
            self.quantise = FSQ(levels=list(levels))
        else:
            self.quantise = ResidualFSQ(levels=list(levels), num_quantizers=stages)

    def forward(
        self, latents: Float[Tensor, "batch position latent"]
    ) -> tuple[
        Float[Tensor, "batch position latent"], Int[Tensor, "batch code"], Float[Tensor, ""]
    ]:
        """Return quantised latents (straight-through gradient), codes, and the commitment loss.

        Codes are position-major: position 0 stage 0, position 0 stage 1, position 1 stage 0 ...
        """
        result = self.quantise(latents)
        quantised, codes = result[0], result[1].long()
        commitment = result[2].sum() if len(result) > 2 else latents.new_zeros(())
        return quantised, codes.flatten(1), commitment

    @property
    def codebooks(self) -> Float[Tensor, "stage code latent"]:
        """What each code of each stage adds to the latent of its position."""
        names = {"ema": "codebook", "fsq": "implicit_codebook"}
        books = getattr(self.quantise, names.get(self.kind, "codebooks"))
        if self.kind == "residual_fsq":
            return books * getattr(self.quantise, "scales")[:, None]  # noqa: B009
        return books if self.kind == "residual_ema" else books[None]

    @property
    def level_step(self) -> Float[Tensor, " latent"]:
        """Return how far neighbouring levels of residual_fsq are apart, all stages together."""
        levels = self.codebooks.new_tensor(self.levels)
        return 2 / (levels - 1) / levels ** (self.stages - 1)

    def latents(self, codes: Int[Tensor, "batch code"]) -> Float[Tensor, "batch position latent"]:
        """Return the quantised latents that `codes` stand for."""
        by_stage = codes.unflatten(1, (-1, self.stages))
        parts = [book[by_stage[:, :, stage]] for stage, book in enumerate(self.codebooks)]
        return torch.stack(parts).sum(dim=0)

    def nearest(self, latents: Float[Tensor, "batch position latent"]) -> Int[Tensor, "batch code"]:
        """Return the codes whose latents come nearest, stage after stage."""
        found, rest = [], latents
        for book in self.codebooks:
            found.append(torch.cdist(rest, book[None]).argmin(dim=-1))
            rest = rest - book[found[-1]]
        return torch.stack(found, dim=-1).flatten(1)

    def mixed_latents(
        self, probabilities: Float[Tensor, "batch code choice"]
    ) -> Float[Tensor, "batch position latent"]:
        """Return the expected latents under a distribution over codes at each place."""
        by_stage = probabilities.unflatten(1, (-1, self.stages))
        return torch.einsum("bpsc,scl->bpl", by_stage, self.codebooks)

    @property
    def digits(self) -> Int[Tensor, "code digit"] | None:
        """Which level each code takes in each latent dimension; None for learned codebooks."""
        if self.kind not in ("fsq", "residual_fsq"):
            return None
        basis = [math.prod(self.levels[:i]) for i in range(len(self.levels))]
        index = torch.arange(math.prod(self.levels))[:, None]
        return index // torch.tensor(basis) % torch.tensor(self.levels)
