"""Where each joint is, by a vote of all places of a Pose-ViT's map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.vision.pose_vit import PoseViTConfig

JOINTS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """What all places of a map together say of a person's joints."""

    weight: Float[Tensor, "person place 24"]
    """Logarithm of how much the vote of each place counts; sums to 1 over the places."""
    points: Float[Tensor, "person 24 2"]
    """In sides of the crop from its middle."""
    joints: Float[Tensor, "person 24 3"]
    """From the pelvis (metres, axes of the crop's camera)."""
    features: Float[Tensor, "person 24 channel"]
    """Of the map, where the joint is."""


class Voting(nn.Module):
    """Every place votes where each joint is, in 2D from itself and in 3D from the pelvis.

    It also says how much its vote counts: most at the joint's own place, if it was taught so.
    """

    def __init__(self, vit: PoseViTConfig) -> None:
        super().__init__()
        self.vit = vit
        self.vote = nn.Linear(vit.width, JOINTS * 6)

    def forward(self, features: Float[Tensor, "person channel row column"]) -> Votes:
        """Return what the places of a map vote for."""
        patches = features.flatten(2).mT  # person place channel
        votes = self.vote(patches).float().unflatten(2, (JOINTS, 6))
        weight = votes[..., 0].log_softmax(dim=1)
        counts = weight.exp()
        places = places_of(self.vit).to(votes)
        return Votes(
            weight=weight,
            points=(counts[..., None] * (votes[..., 1:3] + places[:, None])).sum(1),
            joints=(counts[..., None] * votes[..., 3:]).sum(1),
            features=counts.mT.to(patches.dtype) @ patches,
        )


def places_of(vit: PoseViTConfig) -> Float[Tensor, "place 2"]:
    """Return the places of a Pose-ViT's map, in sides of the crop from its middle."""
    rows = (torch.arange(vit.rows) + 0.5) * vit.patch_px / vit.image_px - 0.5
    columns = (torch.arange(vit.columns) + 0.5) * vit.patch_px + vit.dropped_px
    columns = columns / vit.image_px - 0.5
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).flatten(0, 1)


def nearness(
    points: Float[Tensor, "person 24 2"], vit: PoseViTConfig
) -> Float[Tensor, "person place 24"]:
    """Return how near each place is to each joint: 1 at its own, 0 from the next one on."""
    places = places_of(vit).to(points)
    off = (points[:, None] - places[:, None]).abs() * (vit.image_px / vit.patch_px)
    return (1 - off).clamp(min=0).prod(dim=-1)
