"""How far a trained lifter, and the networks before it, are off: what a fit of answers needs."""

from __future__ import annotations

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.studio.labels import SEEN
from train.landmark_batches import LandmarkBatch, draw_batch
from train.landmark_shards import LandmarkPairs
from unipose.body.skeletons import SMPL
from unipose.vision.body_landmarks import LANDMARK_MIRROR, LandmarkedBody
from unipose.vision.landmark_lifter import LandmarkLifter, LifterErrors, logged

LEAST_SPREAD, MOST_WRONG = 0.02, 1.0
"""Radians and metres: nothing is known better, and nothing counts as further off."""
ROUNDS = 5
"""Of least squares, each with less weight for what was far off in the last one."""
USUAL_ERROR = 0.02
"""Sides of the crop: errors far beyond are no matter of where a landmark is."""


@torch.no_grad()
def measure_errors(
    network: LandmarkLifter, body: LandmarkedBody, batch: LandmarkBatch, pairs: LandmarkPairs
) -> LifterErrors:
    """Return the errors of the lifter in a batch, and those of the networks in real pairs."""
    errors = LifterErrors()
    found = network.lift(batch.seen)
    turns = roma.rotmat_to_rotvec(found.rotations.mT @ batch.rotations).flatten(1)
    wrong = torch.cat([turns, logged(batch.camera) - logged(found.camera)], dim=1).double()
    wrong = wrong.clamp(-MOST_WRONG, MOST_WRONG)
    spread = wrong.mT @ wrong / len(wrong) + torch.eye(wrong.shape[1]) * LEAST_SPREAD**2
    errors.precision.copy_(torch.linalg.inv(spread))
    errors.offsets.copy_(_offsets(body, pairs))
    return errors


def _offsets(body: LandmarkedBody, pairs: LandmarkPairs) -> Float[Tensor, "landmark 3"]:
    """Return where the networks mark each landmark, from where it is on the body (metres)."""
    batch = draw_batch(pairs, body, None)
    turns, _, _ = body.chain(batch.rotations, batch.betas)
    apart = batch.seen.points - batch.points[:, len(SMPL.joints) :]
    rows = turns[:, body.joint, :2] * (batch.camera[:, 0] / 2)[:, None, None, None]
    seen = (pairs.shown == SEEN).float()
    offsets = torch.zeros(len(body.joint), 3)
    for _ in range(ROUNDS):
        left = apart - (rows @ offsets[..., None])[..., 0]
        weight = seen / (1 + left.square().sum(-1) / USUAL_ERROR**2).square()
        matrix = torch.einsum("plai,plaj,pl->lij", rows, rows, weight) + torch.eye(3)
        vector = torch.einsum("plai,pla,pl->li", rows, apart, weight)
        offsets = torch.linalg.solve(matrix, vector)
    mirrored = offsets[LANDMARK_MIRROR] * torch.tensor([-1.0, 1.0, 1.0])
    return (offsets + mirrored) / 2
