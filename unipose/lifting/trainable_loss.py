"""SEAL-Pose: a loss that learns (Do and Lee, Algorithm 1).

The loss-net learns to tell true poses from a lifter's, the lifter to say poses of low energy.
With any network and any skeleton:

    seal = TrainableLoss(SealConfig(net=LossNetConfig(joints=17)))
    its = torch.optim.Adam(seal.parameters(), lr=1e-3)
    for seen, truth in batches:  # keypoints on the screen, joints from the root in metres
        its.zero_grad()
        seal.contrast(seen, truth, predicted(net, seen)).backward()
        its.step()
        said = net(seen)
        own.zero_grad()
        (mse_loss(said, truth) + seal(seen, said)).backward()
        own.step()
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from unipose.errors import ConfigError
from unipose.lifting.loss_net import LossNet, LossNetConfig

ContrastiveLoss = Literal["margin", "nce", "difference"]


@dataclass(frozen=True, kw_only=True)
class SealConfig:
    """How the loss-net learns, and how much it counts."""

    net: LossNetConfig = field(default_factory=LossNetConfig)
    loss: ContrastiveLoss = "margin"
    """Equation 4 with the MPJPE of each pose as its margin, equation 5, or (to infer by gradients,
    Algorithm 2) the plain difference, which has no lower bound."""
    energy_weight: float = 1e-3
    """Alpha of equation 2, beside the mean squared error per coordinate (metres^2)."""

    def __post_init__(self) -> None:
        if self.energy_weight < 0:
            raise ConfigError(f"the energy's weight is at least 0, got {self.energy_weight}")


class TrainableLoss(nn.Module):
    """The loss-net and both of its uses; its parameters learn by `contrast` alone."""

    def __init__(self, config: SealConfig) -> None:
        super().__init__()
        self.config = config
        self.net = LossNet(config.net)

    def contrast(
        self,
        seen: Float[Tensor, "pose joint 2"],
        truth: Float[Tensor, "pose joint 3"],
        said: Float[Tensor, "pose joint 3"],
    ) -> Float[Tensor, ""]:
        """Return the loss-net's own loss (equation 3): what was said is the negative example."""
        said = said.detach()
        of_truth, of_said = self.net(
            torch.cat([seen, seen]), torch.cat([truth, said])
        ).chunk(2)  # fmt: skip
        if self.config.loss == "nce":
            return nce_loss(of_truth, of_said)
        if self.config.loss == "difference":
            return (of_truth - of_said).mean()
        return margin_loss(of_truth, of_said, (truth - said).norm(dim=-1).mean(dim=-1))

    def forward(
        self, seen: Float[Tensor, "pose joint 2"], said: Float[Tensor, "pose joint 3"]
    ) -> Float[Tensor, ""]:
        """Return the lifter's part of the loss: the weighted mean energy of what it said.

        No gradient reaches the loss-net's own weights.
        """
        return self.config.energy_weight * self.energy(seen, said).mean()

    def energy(
        self, seen: Float[Tensor, "pose joint 2"], said: Float[Tensor, "pose joint 3"]
    ) -> Float[Tensor, " pose"]:
        """Return the energy of each pose, differentiable in the pose alone."""
        fixed = {name: weight.detach() for name, weight in self.net.named_parameters()}
        return functional_call(self.net, fixed, (seen, said))


def margin_loss(
    of_truth: Float[Tensor, " pose"],
    of_said: Float[Tensor, " pose"],
    margin: Float[Tensor, " pose"],
) -> Float[Tensor, ""]:
    """Return equation 4: a wrong pose's energy exceeds the true one's by its error (metres)."""
    return F.relu(margin - of_said + of_truth).mean()


def nce_loss(
    of_truth: Float[Tensor, " pose"], of_said: Float[Tensor, " pose"]
) -> Float[Tensor, ""]:
    """Return equation 5, -log(exp(-a) / (exp(-a) + exp(-b))) = softplus(a - b): never overflows."""
    return F.softplus(of_truth - of_said).mean()


@torch.no_grad()
def predicted(net: nn.Module, seen: Tensor) -> Tensor:
    """Return what a network says in eval mode (no dropout, kept statistics): negative examples."""
    training = net.training
    net.eval()
    try:
        return net(seen)
    finally:
        net.train(training)
