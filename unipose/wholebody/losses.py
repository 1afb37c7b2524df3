"""What keypoint networks are trained with: the classification, and two of the intervention.

Reductions are those of the published code: they decide how the parts weigh against each other.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from unipose.wholebody.keypoint_head import Columns, KeypointLogits, Rows

SHARPNESS = 10.0
"""Factor of both sides before their softmax (RTMPose): logits learn the targets' own scale."""


def classification_loss(
    said: tuple[Columns, Rows],
    targets: tuple[Columns, Rows],
    weight: Float[Tensor, "person keypoint"],
) -> Float[Tensor, ""]:
    """Return KL(targets || said) of both axes (CIGPose, eq. 5; mmpose's KLDiscretLoss).

    The mean over bins, weighted, summed over people and divided by the number of keypoints.
    """
    total = weight.new_zeros(())
    for logits, target in zip(said, targets, strict=True):
        with torch.no_grad():
            logged = F.log_softmax(target * SHARPNESS, dim=-1)
            goal = logged.exp()
            certain = (goal * logged).sum(dim=-1)
        crossed = (goal * F.log_softmax(in_full(logits) * SHARPNESS, dim=-1)).sum(dim=-1)
        total = total + ((certain - crossed) * weight).sum() / logits.shape[-1]
    return total / weight.shape[1]


def consistency_loss(
    said: tuple[Columns, Rows],
    observed: tuple[Columns, Rows],
    stable: Bool[Tensor, "person keypoint"],
) -> Float[Tensor, ""]:
    """Return KL(observed || said) of both axes over stable keypoints (eq. 6): those not replaced.

    The sum over bins, the mean over stable keypoints; 0 where there are none. `observed` gets no
    gradient.
    """
    total = said[0].new_zeros(())
    if not bool(stable.any()):
        return total
    for logits, without in zip(said, observed, strict=True):
        apart = F.kl_div(
            F.log_softmax(in_full(logits), dim=-1),
            F.softmax(in_full(without.detach()), dim=-1),
            reduction="none",
        ).sum(dim=-1)
        total = total + apart[stable].mean()
    return total


def in_full(logits: Float[Tensor, "*batch bin"]) -> Float[Tensor, "*batch bin"]:
    """Return logits of half precision as float32: ten times a logit has too few digits left."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def intervention_losses(
    logits: KeypointLogits,
    targets: tuple[Columns, Rows],
    weight: Float[Tensor, "person keypoint"],
    *,
    scored: bool = False,
) -> dict[str, Float[Tensor, ""]]:
    """Return the losses by name: "keypoints", with intervention "consistency", and "score".

    "score", where it is asked for, is the classification loss of the first logits, which the
    confounder scores are read off. The published code has none: its scores never learn.
    """
    said = (logits.x, logits.y)
    losses = {"keypoints": classification_loss(said, targets, weight)}
    if scored and logits.initial is not None:
        losses["score"] = classification_loss(logits.initial, targets, weight)
    if logits.observed is not None and logits.replaced is not None:
        stable = ~logits.replaced & (weight > 0)
        losses["consistency"] = consistency_loss(said, logits.observed, stable)
    return losses
