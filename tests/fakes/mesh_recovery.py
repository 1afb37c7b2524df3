"""A user's own mesh recovery network: all that `MeshRecovery` asks for."""

from __future__ import annotations

import torch
from torch import nn

from tokenizer.rotations import rotations_from_6d
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes


class OwnMeshRecovery(nn.Module):
    """Reads everything off the mean colour of the crop; only its last layer may adapt."""

    image_px, mean, std = 24, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)

    def __init__(self) -> None:
        super().__init__()
        self.features, self.answers = nn.Linear(3, 8), nn.Linear(8, 24 * 6 + 10 + 3)
        nn.init.constant_(self.answers.bias[-3:], 0.8)  # people fill about the crop

    def forward(self, crops: torch.Tensor) -> RecoveredMeshes:
        answers = self.answers(self.features(crops.mean((2, 3))).tanh())
        sixd, betas, camera = answers.split([24 * 6, 10, 3], dim=1)
        rotations = rotations_from_6d(sixd.unflatten(1, (24, 6)))
        return RecoveredMeshes(rotations=rotations, betas=betas, camera=camera)

    def adaptable_parameters(self) -> list[nn.Parameter]:
        return list(self.answers.parameters())
