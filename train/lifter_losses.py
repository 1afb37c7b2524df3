"""What a lifter learns by, beside the trainable loss: what its paper says."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from unipose.lifting.task_net import SaidRows, of_frames_said


def task_loss(
    name: str, said: SaidRows, truth: Float[Tensor, "row frame joint 3"]
) -> Float[Tensor, ""]:
    """Return the loss of one batch: MSE of networks of one frame, MPJPE of VideoPose3D."""
    wanted = of_frames_said(truth, said).view_as(said)
    if name == "videopose243":
        return (said - wanted).norm(dim=-1).mean()
    return F.mse_loss(said, wanted)
