"""What teaches the motion-text model and is left behind: ACTOR's decoder and TMR's losses."""

from __future__ import annotations

from dataclasses import dataclass

import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from data_builders.labelled_motions import MotionPieces
from tokenizer.rotations import rotations_to_6d
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.retrieval.motion_text import MotionTextConfig, MotionTextModel, position_code

Normal = tuple[Float[Tensor, "row feature"], Float[Tensor, "row feature"]]
"""Mean and log variance."""


@dataclass(frozen=True, kw_only=True)
class MotionTextLosses:
    """TMR's weights (Petrovich et al. 2023, section 4.1)."""

    reconstruction: float = 1.0
    """0 leaves the decoder out."""
    kl: float = 1e-5
    latent: float = 1e-5
    contrast: float = 0.1
    temperature: float = 0.1
    parts: float = 0.0
    """Ours: a motion whose legs, arms or trunk are another one's fits its text less well."""
    alike: float = 0.8
    """Texts whose frozen features have a larger cosine are no negatives of each other."""


class MotionDecoder(nn.Module):
    """From a point of the space back to rotations (ACTOR's decoder)."""

    def __init__(self, config: MotionTextConfig, *, depth: int) -> None:
        super().__init__()
        self.each = config.frames_per_token
        layer = nn.TransformerDecoderLayer(
            config.latent, config.heads, config.feed_forward, config.dropout, "gelu",
            batch_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerDecoder(layer, depth)
        self.answer = nn.Linear(config.latent, self.each * POSED_JOINTS * 6)

    def forward(
        self, points: Float[Tensor, "piece feature"], frames: int
    ) -> Float[Tensor, "piece frame 132"]:
        """Return the 6D rotations of so many frames."""
        tokens = -(-frames // self.each)
        asked = position_code(tokens, points).expand(len(points), -1, -1)
        said = self.answer(self.layers(asked, points[:, None]))
        return said.unflatten(2, (self.each, -1)).flatten(1, 2)[:, :frames]


class MotionTextLearner(nn.Module):
    """Both encoders and the decoder, and the loss of a batch of pieces with their texts."""

    def __init__(
        self, model: MotionTextModel, losses: MotionTextLosses, *, depth: int, noise: float
    ) -> None:
        super().__init__()
        self.model, self.losses, self.noise = model, losses, noise
        self.decoder = MotionDecoder(model.config, depth=depth) if losses.reconstruction else None

    def forward(
        self, pieces: MotionPieces, features: Float[Tensor, "text width"]
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Return the loss and its parts; `features` are those of all texts."""
        motion = self.model.motion(shaken(pieces.rotations, self.noise), pieces.present)
        texts = features[pieces.text]
        text = self.model.text(texts)
        truth = rotations_to_6d(pieces.rotations).flatten(2)
        points = [mean + torch.randn_like(mean) * (0.5 * spread).exp() for mean, spread in
                  (motion, text)]  # fmt: skip
        wrong = [self._wrong(point, truth, pieces.present) for point in points]
        parts = {
            "reconstruction": torch.stack(wrong).sum(),
            "kl": _divergence(motion, None) + _divergence(text, None)
            + _divergence(motion, text) + _divergence(text, motion),
            "latent": F.smooth_l1_loss(*points),
            "contrast": self._contrast(motion[0], text[0], texts, pieces.text),
            "parts": self._parts(pieces, motion[0], text[0]),
        }  # fmt: skip
        weighted = [getattr(self.losses, name) * part for name, part in parts.items()]
        return torch.stack(weighted).sum(), parts

    def _wrong(
        self,
        points: Float[Tensor, "piece feature"],
        truth: Float[Tensor, "piece frame 132"],
        present: Bool[Tensor, "piece frame"],
    ) -> Float[Tensor, ""]:
        if self.decoder is None:
            return points.new_zeros(())
        said = self.decoder(points, truth.shape[1])
        wrong = F.smooth_l1_loss(said, truth, reduction="none").mean(2)
        return (wrong * present).sum() / present.sum()

    def _parts(
        self,
        pieces: MotionPieces,
        motion: Float[Tensor, "piece feature"],
        text: Float[Tensor, "piece feature"],
    ) -> Float[Tensor, ""]:
        """Return how little better motions fit their texts than with a part of another's.

        Alignment shows the encoder a runner whose hidden legs stand still; it has to tell that the
        legs are wrong, and its gradient has to move them.
        """
        if not self.losses.parts:
            return motion.new_zeros(())
        donor = torch.randperm(len(motion), device=motion.device)
        mixed = shaken(with_parts_of(pieces.rotations, donor), self.noise)
        other, _ = self.model.motion(mixed, pieces.present)
        apart = F.cosine_similarity(other, text) - F.cosine_similarity(motion, text)
        counts = (pieces.text[donor] != pieces.text).float()
        worse = F.softplus(apart / self.losses.temperature)
        return (worse * counts).sum() / counts.sum().clamp(min=1)

    def _contrast(
        self,
        motion: Float[Tensor, "piece feature"],
        text: Float[Tensor, "piece feature"],
        features: Float[Tensor, "piece width"],
        number: Int[Tensor, " piece"],
    ) -> Float[Tensor, ""]:
        """Return InfoNCE in both directions, negatives of like texts left out."""
        scores = F.normalize(motion, dim=1) @ F.normalize(text, dim=1).mT / self.losses.temperature
        plain = F.normalize(self.model.text.normalised(features), dim=1)
        alike = (plain @ plain.mT > self.losses.alike) | (number[:, None] == number)
        alike.fill_diagonal_(fill_value=False)
        scores = scores.masked_fill(alike, -torch.inf)
        own = torch.arange(len(scores), device=scores.device)
        return (F.cross_entropy(scores, own) + F.cross_entropy(scores.mT, own)) / 2


PARTS = tuple(
    SMPL.indices(*(name for name in SMPL.joints[:POSED_JOINTS] if any(w in name for w in words)))
    for words in (
        ("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist"),
        ("spine", "neck", "head"),
    )
)  # fmt: skip
"""Legs, arms and trunk."""


def with_parts_of(
    rotations: Float[Tensor, "piece frame 22 3 3"], donor: Int[Tensor, " piece"]
) -> Float[Tensor, "piece frame 22 3 3"]:
    """Return motions of which one part each, drawn at random, is the donor's; half stand still."""
    pieces = len(rotations)
    masks = torch.zeros(len(PARTS), POSED_JOINTS, dtype=torch.bool, device=rotations.device)
    for row, joints in enumerate(PARTS):
        masks[row, joints] = True
    taken = masks[torch.randint(len(PARTS), (pieces,), device=rotations.device)]
    theirs = rotations[donor]
    still = torch.rand(pieces, 1, 1, 1, 1, device=rotations.device) < 0.5
    theirs = torch.where(still, theirs[:, :1], theirs)
    return torch.where(taken[:, None, :, None, None], theirs, rotations)


def shaken(
    rotations: Float[Tensor, "piece frame 22 3 3"], noise: float
) -> Float[Tensor, "piece frame 22 3 3"]:
    """Return motions with errors like those of a network that sees them.

    Each piece has an error of its own size: what stays for all its frames, and what trembles. The
    alignment loss shows the encoder such motions, and its gradient has to point back from them.
    """
    if not noise:
        return rotations
    pieces, frames, joints = rotations.shape[:3]
    size = torch.rand(pieces, 1, 1, 1, device=rotations.device) * noise
    turns = torch.randn(pieces, 1, joints, 3, device=rotations.device) * size
    turns = turns + torch.randn(pieces, frames, joints, 3, device=rotations.device) * size / 2
    return rotations @ roma.rotvec_to_rotmat(turns)


def _divergence(one: Normal, other: Normal | None) -> Float[Tensor, ""]:
    """Return the mean Kullback-Leibler divergence to another distribution (None: the normal)."""
    mean, spread = one
    far, wide = other if other is not None else (torch.zeros_like(mean), torch.zeros_like(spread))
    parts = wide - spread + (spread.exp() + (mean - far).square()) / wide.exp() - 1
    return 0.5 * parts.sum(1).mean()
