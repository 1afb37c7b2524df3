"""A pose that is read becomes input embeddings: what its codes decode to, place by place."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tokenizer.rotations import rotations_to_6d
from unipose.body.skeletons import POSED_JOINTS

JOINT_SCALE = 0.5
"""Metres; brings joint positions to the size of a network's inputs."""
RANK = 64
"""Numbers that each place is told of the pose."""


def perceptron(inputs: int, width: int, *, groups: int, outputs: int) -> nn.Sequential:
    """Return two hidden layers of `width`, then `outputs` numbers for each of `groups`."""
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


class PoseProjector(nn.Module):
    """A perceptron from joints and 6D rotations to an embedding for each place of a read pose.

    As a picture's projector: it brings what is known into the language model's input, and the
    language model has to read it. Most places are the same for every pose, as the words of a form
    are; `told` are those that the pose fills in. Embeddings are as large as words';
    `train.projector_warm_up` teaches them to begin with the words of what is true.
    """

    told: Tensor

    def __init__(self, hidden: int, places: int, told: int, width: int) -> None:
        super().__init__()
        self.perceptron = perceptron(POSED_JOINTS * (3 + 6), hidden, groups=told, outputs=RANK)
        self.up = nn.Linear(RANK, width, bias=False)
        self.places = nn.Parameter(torch.randn(places, width) * 0.1)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("told", torch.arange(told))

    def like_words(self, table: Float[Tensor, "word width"]) -> None:
        """Give embeddings the size that words have in the language model's table."""
        nn.init.constant_(self.norm.weight, float(table.detach().float().std()))

    def forward(
        self, rotations: Float[Tensor, "pose 22 3 3"], moved: Float[Tensor, "pose 22 3"]
    ) -> Float[Tensor, "pose place width"]:
        """Return the embeddings of poses; `moved` is how far joints are from the pose at rest."""
        shown = self.norm(self.places).expand(len(rotations), -1, -1)
        return shown.index_copy(1, self.filled_in(), self.told_of(rotations, moved)[1])

    def told_of(
        self, rotations: Float[Tensor, "pose 22 3 3"], moved: Float[Tensor, "pose 22 3"]
    ) -> tuple[Float[Tensor, "pose told rank"], Float[Tensor, "pose told width"]]:
        """Return what poses fill in, and its embeddings."""
        told = self.perceptron(numbers_of_pose(rotations, moved).to(self.up.weight.dtype))
        return told, self.norm(self.places[self.filled_in()] + self.up(told))

    def filled_in(self) -> Int[Tensor, " told"]:
        """Return which places a pose fills in."""
        return self.told.long()  # where weights are held in float32, this was, too


def numbers_of_pose(
    rotations: Float[Tensor, "pose 22 3 3"], moved: Float[Tensor, "pose 22 3"]
) -> Float[Tensor, "pose number"]:
    """Return joints and 6D rotations as a network takes them, all 0 at rest."""
    sixd = rotations_to_6d(rotations)
    turned = sixd - rotations_to_6d(torch.eye(3, device=sixd.device))
    return torch.cat([moved.flatten(1) / JOINT_SCALE, turned.flatten(1)], dim=1)
