"""Does a label fit its pictures? CLIP's cosine of text and frames, averaged over the segment.

The published check accepts a label from 0.3 on with ViT-B/32 (semantics-aware adaptation, appendix
B); the weights are the user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unipose.errors import WeightsError
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.language.text_features import CLIP_TEXT
from unipose.vision.pixels import CLIP_MEAN, CLIP_STD, normalised, resized_and_cut

LEAST_COSINE = 0.3
PICTURES = 16
"""Of a segment that are looked at."""
_UNUSED = ("input_resolution", "context_length", "vocab_size")


class ClipAgreement(nn.Module):
    """Both towers of a CLIP model in open_clip's layout."""

    def __init__(self, model: str = CLIP_TEXT) -> None:
        super().__init__()
        import open_clip  # seconds

        if model not in open_clip.list_models():
            raise WeightsError(model, "open_clip knows no such model.")
        self.clip: Any = open_clip.create_model(model, pretrained=None)
        self.tokens: Any = open_clip.get_tokenizer(model)
        self.side_px: int = self.clip.visual.image_size[0]
        self.eval()

    def load_published(self, path: str | Path) -> None:
        """Load an open_clip checkpoint, strictly; nothing in it is executed."""
        path = Path(path)
        weights = {n: w for n, w in read_checkpoint(path).items() if n not in _UNUSED}
        load_strictly(self.clip, weights, path)

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[UInt8[Tensor, "_ _ 3"]], label: str) -> float:
        """Return the mean cosine of a label with some pictures of its segment."""
        step = max(1, len(pictures) // PICTURES)
        cut = torch.stack(
            [resized_and_cut(one, self.side_px, mode="bicubic") for one in pictures[::step]]
        )
        place = next(self.clip.parameters()).device
        seen: Float[Tensor, "picture feature"] = self.clip.encode_image(
            normalised(cut, CLIP_MEAN, CLIP_STD).to(place), normalize=True
        )
        read = self.clip.encode_text(self.tokens([label]).to(place), normalize=True)
        return float((seen @ read.mT).mean())
