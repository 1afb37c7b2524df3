"""A mesh recovery network that has seen little: the benchmark of adaptation adapts it.

Its Pose-ViT is that of the embedded eyes and stays as it is; its head learned from few pictures of
whole people alone, none of whom walks, runs or jumps. Films of other movements, cut off or covered,
are far from what it knows, as 3DPW is from Human3.6M.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.studio.labels import is_well_seen
from data_builders.studio.motions import Take
from eval.adaptation_films import SIDE_PX
from eval.pictures import person_of_studio
from eval.program import track
from unipose.body.body import Body
from unipose.body.people import Box
from unipose.errors import ConfigError
from unipose.vision.crops import Crops, project
from unipose.vision.mesh_recovery import MeshHeadConfig, MeshRecoveryNetwork
from unipose.vision.mesh_recovery_protocol import LEVEL
from unipose.vision.pixels import normalised

HEAD = MeshHeadConfig(width=128, depth=1, heads=2, head_width=32, feed_forward=128)
MOVING = re.compile(r"walk|run|jog|jump|leap|climb|kick|twist|get up", re.IGNORECASE)
"""Names of actions that the head has not seen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FeaturePairs:
    """Features of pictures with what is true in them, in the axes of each crop's camera."""

    features: Float[Tensor, "person channel row column"]
    rotations: Float[Tensor, "person 24 3 3"]
    betas: Float[Tensor, "person 10"]
    joints_px: Float[Tensor, "person 24 2"]
    """Sides of the crop from its middle."""

    def __len__(self) -> int:
        return len(self.features)


def narrow_takes(motions: Motions) -> list[Take]:
    """Return the recordings of people who stay about where they are."""
    return [take for take in motions.takes if take.label and not MOVING.search(take.label)]


@torch.no_grad()
def look_at_pictures(
    network: MeshRecoveryNetwork, motions: Motions, body: Body, *, pictures: int, seed: int
) -> FeaturePairs:
    """Return what the Pose-ViT sees of people of the studio, whole and alone.

    Raises ConfigError if there is no recording of the narrow kind.
    """
    takes = narrow_takes(motions)
    if not takes:
        raise ConfigError("no recording shows somebody who stays where they are")
    config = StudioConfig(
        seed=seed, height_px=SIDE_PX, width_px=SIDE_PX, people=(1.0,), mixed=0.0, truncated=0.0,
        occluded=0.0,
    )  # fmt: skip
    studio = Studio(config, Motions(takes, fps=motions.fps), body)
    rows: dict[str, list[Tensor]] = {"features": [], "rotations": [], "betas": [], "joints_px": []}
    for index in track(range(pictures), "looking at pictures"):
        image = studio.sample(index)
        person = image.people[0]
        if person.box is None or not is_well_seen(person):
            continue
        seen = person_of_studio(image, person)
        box: Box = person.box
        crops = Crops.around(torch.tensor([box], dtype=torch.float32))
        pixels = crops.cut(torch.from_numpy(image.pixels), network.image_px)
        rows["features"].append(
            network.frozen_features(normalised(pixels, network.mean, network.std))
        )
        root = LEVEL @ seen.rotations[0]
        rows["rotations"].append(torch.cat([root[None], seen.rotations[1:]])[None])
        rows["betas"].append(torch.from_numpy(person.betas).float()[None])
        points = torch.from_numpy(person.joints_px).float()[None]
        rows["joints_px"].append(crops.to_crop(points))
    return FeaturePairs(**{name: torch.cat(parts) for name, parts in rows.items()})


def teach_head(
    network: MeshRecoveryNetwork,
    pairs: FeaturePairs,
    body: Body,
    *,
    steps: int,
    batch: int = 64,
    rate: float = 1e-3,
    seed: int,
) -> float:
    """Teach the head joints, rotations and places in the crop; return the last losses' mean."""
    torch.manual_seed(seed)
    head = network.smpl_head
    truth = body.joints(pairs.rotations, pairs.betas)
    truth = truth - truth[:, :1]
    head.set_mean(pairs.rotations, head.init_cam.expand(len(pairs), -1).clone())
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=0.01)
    generator = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    for step in track(range(steps), "teaching the narrow head"):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50) * (1 - step / steps)
        some = torch.randint(len(pairs), (batch,), generator=generator)
        found = network.from_features(pairs.features[some])
        joints = body.joints(found.rotations, found.betas)
        joints = joints - joints[:, :1]
        points = project(joints, found.camera)
        loss = (
            10 * (joints - truth[some]).abs().sum(-1).mean()
            + 9 * F.mse_loss(found.rotations, pairs.rotations[some])
            + 5 * (points - pairs.joints_px[some]).abs().sum(-1).clamp(max=1.0).mean()
            + 0.1 * F.mse_loss(found.betas, pairs.betas[some])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return sum(losses[-50:]) / len(losses[-50:])
