"""A moving average of a network's weights: what is measured and kept after a noisy training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

AVERAGED = 2e-4
"""Share of a step's weights in their average, after AVERAGED_FROM steps; more before."""
AVERAGED_FROM = 2000


class AveragedWeights(nn.Module):
    """A moving average of a network's weights and buffers; what is measured and kept."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for name, value in network.state_dict().items():
            self.register_buffer(name.replace(".", "/"), value.detach().clone())

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step: a larger share of them in the first steps."""
        share = (1 - AVERAGED) * float(np.exp(-(1 + step) / AVERAGED_FROM)) + AVERAGED
        for name, value in network.state_dict().items():
            average = self.get_buffer(name.replace(".", "/"))
            if average.is_floating_point():
                average.lerp_(value.to(average), share)
            else:
                average.copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """Return the average as a state_dict of the network."""
        return {name.replace("/", "."): value for name, value in self.named_buffers()}
