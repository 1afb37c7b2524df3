"""A pose that is read becomes input embeddings: what its codes decode to, place by place."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tokenizer.rotations import rotations_to_6d
from unipose.body.skeletons import POSED_JOINTS

JOINT_SCALE = 0.5
"""Metres; brings joint positions to the size of a network's inputs."""
DETAILS = 24
"""Numbers beside the word at a place, which tell what words leave out."""
DETAIL_SIZE = 0.3
"""How large these are beside a word."""


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
    """A perceptron from a pose to words, one at each place that it fills in of a form.

    As a picture's projector: it brings what is known into the language model's input, and the
    language model has to read it. Most places are the same for every pose, as the words of a form
    are; `told` are those that the pose fills in, each with a mean of words by how likely they are
    and with a little that words leave out. Embeddings are as large as words', and remain words
    whatever is learned; `train.projector_warm_up` teaches which are true.
    """

    told: Tensor

    def __init__(self, hidden: int, places: int, told: int, words: int, width: int) -> None:
        super().__init__()
        joints = POSED_JOINTS
        self.perceptron = perceptron(
            joints * (3 + 6) + joints * (joints - 1) // 2,
            hidden,
            groups=told,
            outputs=words + DETAILS,
        )
        self.words = nn.Parameter(torch.randn(words, width))
        self.places = nn.Parameter(torch.randn(places, width))
        self.details = nn.Parameter(torch.randn(DETAILS, width) * DETAIL_SIZE / DETAILS**0.5)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("told", torch.arange(told))

    def like_words(self, table: Float[Tensor, "word width"]) -> None:
        """Give embeddings the size that words have in the language model's table."""
        nn.init.constant_(self.norm.weight, float(table.detach().float().std()))

    def forward(
        self, rotations: Float[Tensor, "pose 22 3 3"], joints: Float[Tensor, "pose 22 3"]
    ) -> Float[Tensor, "pose place width"]:
        """Return the embeddings of poses; `joints` are in metres, the pose turned to the front."""
        words, details = self.told_of(rotations, joints)
        said = words.softmax(-1).to(self.words) @ self.words + details @ self.details
        shown = self.norm(self.places).expand(len(rotations), -1, -1)
        return shown.index_copy(1, self.filled_in(), self.norm(said))

    def told_of(
        self, rotations: Float[Tensor, "pose 22 3 3"], joints: Float[Tensor, "pose 22 3"]
    ) -> tuple[Float[Tensor, "pose told word"], Float[Tensor, "pose told detail"]]:
        """Return the logits of the words that poses fill in, and details in [-1, 1]."""
        first, second = torch.triu_indices(POSED_JOINTS, POSED_JOINTS, 1)
        apart = (joints[:, first] - joints[:, second]).norm(dim=-1)
        numbers = torch.cat([numbers_of_pose(rotations, joints), apart / JOINT_SCALE], dim=1)
        told = self.perceptron(numbers.to(self.words.dtype))
        return told[..., :-DETAILS], told[..., -DETAILS:].tanh()

    def filled_in(self) -> Int[Tensor, " told"]:
        """Return which places a pose fills in."""
        return self.told.long()  # where weights are held in float32, this was, too


def numbers_of_pose(
    rotations: Float[Tensor, "pose 22 3 3"], joints: Float[Tensor, "pose 22 3"]
) -> Float[Tensor, "pose number"]:
    """Return joints and 6D rotations as a network takes them."""
    sixd = rotations_to_6d(rotations)
    turned = sixd - rotations_to_6d(torch.eye(3, device=sixd.device))
    return torch.cat([joints.flatten(1) / JOINT_SCALE, turned.flatten(1)], dim=1)
