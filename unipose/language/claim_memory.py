"""Between poses and words: claims that are looked up, perceptrons that read and plan."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class ClaimMemory(nn.Module):
    """Lets a word look up claims: attention over all, those that are not true masked out."""

    HEADS = 4

    def __init__(self, claims: int, *, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.keys = nn.Parameter(torch.randn(self.HEADS, claims + 1, width // self.HEADS) * 0.5)
        self.values = nn.Parameter(torch.zeros(self.HEADS, claims + 1, width))

    def forward(
        self, hidden: Float[Tensor, "word width"], likely: Float[Tensor, "word claim"]
    ) -> Float[Tensor, "word width"]:
        """Return what each word recalls; the last key stands for recalling nothing."""
        query = self.query(hidden).unflatten(1, (self.HEADS, -1))
        scores = torch.einsum("whd,hfd->whf", query, self.keys) / query.shape[-1] ** 0.5
        mask = functional.pad((likely + 1e-4).log(), (0, 1))
        return torch.einsum("whf,hfo->wo", (scores + mask[:, None]).softmax(dim=-1), self.values)


def perceptron(inputs: int, width: int, *, groups: int, outputs: int) -> nn.Sequential:
    """Return two hidden layers of `width`, then `outputs` numbers for each group of joints."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.GELU(),
        nn.LayerNorm(width),
        nn.Linear(width, width),
        nn.GELU(),
        nn.LayerNorm(width),
        nn.Linear(width, groups * outputs),
        nn.Unflatten(1, (groups, outputs)),
    )


def starts_at_zero(layer: nn.Module) -> None:
    """Set a linear layer to zero, so that training begins without it."""
    assert isinstance(layer, nn.Linear)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
