"""Mesh recovery networks as adaptation takes them: what stays is computed once, what learns again.

A network whose features stay as they are tells so by `frozen_features` and `from_features`; of any
other one all is computed at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unipose.vision.mesh_recovery_protocol import MeshRecovery, RecoveredMeshes
from unipose.vision.pixels import normalised


@runtime_checkable
class SplitMeshRecovery(Protocol):
    """A `MeshRecovery` of which only what comes after its features may adapt."""

    def frozen_features(self, crops: Float[Tensor, "person 3 side side"]) -> Tensor:
        """Return what no adaptable weight has a part in, one row a crop."""
        ...

    def from_features(self, features: Tensor) -> RecoveredMeshes:
        """Return the people that these features show."""
        ...


class FilmNetwork:
    """One network before the crops of one film."""

    def __init__(
        self,
        network: MeshRecovery,
        pixels: UInt8[Tensor, "frame 3 side side"],
        features: Tensor | None = None,
        *,
        batch: int = 64,
    ) -> None:
        """Take the features of a network that is split, or compute them once."""
        self.network, self.pixels, self.batch = network, pixels, batch
        self.place = next(network.parameters()).device
        self.features = None if features is None else features.to(self.place)
        if features is None and isinstance(network, SplitMeshRecovery):
            with torch.no_grad():
                self.features = torch.cat(
                    [network.frozen_features(self._crops(some)) for some in pixels.split(batch)]
                )

    def _crops(self, pixels: UInt8[Tensor, "frame 3 side side"]) -> Tensor:
        return normalised(pixels.to(self.place).float(), self.network.mean, self.network.std)

    def __call__(self, frames: Tensor) -> RecoveredMeshes:
        """Return the person in these frames of the film, with a gradient."""
        if self.features is None:
            return self.network(self._crops(self.pixels[frames.cpu()]))
        assert isinstance(self.network, SplitMeshRecovery)
        return self.network.from_features(self.features[frames])

    @torch.no_grad()
    def all_frames(self) -> RecoveredMeshes:
        """Return the person in all frames, without a gradient."""
        parts = [
            self(some)
            for some in torch.arange(len(self.pixels), device=self.place).split(self.batch)
        ]
        return RecoveredMeshes(
            rotations=torch.cat([part.rotations for part in parts]),
            betas=torch.cat([part.betas for part in parts]),
            camera=torch.cat([part.camera for part in parts]),
            body=parts[0].body,
            camera_places=parts[0].camera_places,
        )


@contextmanager
def adaptable(network: MeshRecovery) -> Iterator[list[nn.Parameter]]:
    """Give the weights that may adapt; whatever happens, they are afterwards as they were before.

    All other weights take no gradient meanwhile, and dropout is off: what a film is adapted to is a
    function of the film and the seed alone.
    """
    weights = list(network.adaptable_parameters())
    before = [weight.detach().clone() for weight in weights]
    known = {id(weight) for weight in weights}
    wanted = {weight: weight.requires_grad for weight in network.parameters()}
    mode = network.training if isinstance(network, nn.Module) else False
    if isinstance(network, nn.Module):
        network.eval()
    for weight in wanted:
        weight.requires_grad = id(weight) in known
    try:
        yield weights
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before):
                weight.copy_(value)
                weight.grad = None
        for weight, value in wanted.items():
            weight.requires_grad = value
        if isinstance(network, nn.Module):
            network.train(mode)
