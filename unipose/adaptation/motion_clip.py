"""MotionCLIP's motion encoder in its published layout, as a space to align films in.

The user brings the checkpoint (Tevet et al., ECCV 2022), of which `encoder.*` is loaded strictly;
its texts are those of CLIP ViT-B/32 (`unipose.language.text_features.ClipText`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.retrieval.motion_text import position_code

WIDTH, ROWS = 512, 25
"""Features, and rows of a pose: 22 joints, two fingers, the translation."""
PLACES = 5000
UPRIGHT = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From our world, y up, to AMASS's, z up."""


class MotionClip(nn.Module):
    """60 frames of SMPL rotations at 30 per second as a point of CLIP's space."""

    def __init__(self) -> None:
        super().__init__()
        self.muQuery = nn.Parameter(torch.randn(1, WIDTH))
        self.sigmaQuery = nn.Parameter(torch.randn(1, WIDTH))
        self.skelEmbedding = nn.Linear(ROWS * 6, WIDTH)
        self.sequence_pos_encoder = _Places()
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 1024, 0.1, "gelu")
        self.seqTransEncoder = nn.TransformerEncoder(layer, 8, enable_nested_tensor=False)
        self.eval()

    def encode_motion(
        self,
        rotations: Float[Tensor, "motion frame 22 3 3"],
        present: Bool[Tensor, "motion frame"] | None = None,
    ) -> Float[Tensor, "motion feature"]:
        """Return a unit vector for each motion.

        The translation stays 0, as it nearly always was in training, and the fingers straight.
        """
        motions, frames = rotations.shape[:2]
        root = UPRIGHT.to(rotations) @ rotations[:, :, :1]
        joints = torch.cat([root, rotations[:, :, 1:]], dim=2)
        sixd = joints[..., :2, :].flatten(3)  # rows of the matrix, where ours are columns
        fingers = sixd.new_tensor([1.0, 0, 0, 0, 1, 0]).expand(motions, frames, 2, 6)
        poses = torch.cat([sixd, fingers, torch.zeros_like(fingers[:, :, :1])], dim=2)
        tokens = self.skelEmbedding(poses.flatten(2)).transpose(0, 1)  # frame motion width
        queries = torch.stack([self.muQuery, self.sigmaQuery]).expand(-1, motions, -1)
        tokens = torch.cat([queries, tokens])
        tokens = tokens + self.sequence_pos_encoder.pe[: len(tokens)]
        missing = None if present is None else ~F.pad(present, (2, 0), value=True)
        answers = self.seqTransEncoder(tokens, src_key_padding_mask=missing)
        return F.normalize(answers[0], dim=-1)

    def load_published(self, path: str | Path) -> None:
        """Load `encoder.*` of a MotionCLIP checkpoint, all of it; nothing in it is executed.

        Raises WeightsError: no checkpoint, or weights missing, too many or of another shape.
        """
        path = Path(path)
        load_strictly(self, part_of(read_checkpoint(path, ("encoder.",)), "encoder."), path)


class _Places(nn.Module):
    pe: Float[Tensor, "place 1 width"]

    def __init__(self) -> None:
        super().__init__()
        like = torch.zeros(1, WIDTH)
        self.register_buffer("pe", position_code(PLACES, like)[:, None])
