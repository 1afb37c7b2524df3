"""Texts as frozen features: hidden states of the base language model, or CLIP's text tower."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.errors import WeightsError
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.language.base_model import base_folder

CLIP_TEXT = "ViT-B-32-quickgelu"
"""OpenAI's weights, whose text tower MotionCLIP was trained against."""
_VISUAL = ("visual.", "logit_scale", "logit_bias", "input_resolution", "context_length",
           "vocab_size")  # fmt: skip
_SENTENCE = "Motion: {}."
BATCH = 64


@runtime_checkable
class TextEncoder(Protocol):
    """Frozen: the same text always has the same features."""

    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "text width"]:
        """Return the features of each text."""
        ...


def plain_label(label: str) -> str:
    """Return an action's name as plain words: "JumpTwist" -> "jump twist"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(words.replace("_", " ").lower().split())


class BaseModelText:
    """Mean hidden states of SmolLM2, of the words of the text alone."""

    def __init__(self, layer: int, *, folder: Path | None = None, device: str = "cpu") -> None:
        """Load the base model; MissingFileError if it is not installed (`make setup`)."""
        from transformers import AutoModel, AutoTokenizer  # seconds

        folder = folder or base_folder()
        self.layer, self.device = layer, device
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="right")
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32)
        model.layers = model.layers[: layer + 1]  # no later one has a part in these states
        self.model = model.to(device).eval()
        self.before = len(self.tokenizer(_SENTENCE.partition("{")[0].rstrip()).input_ids)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "text width"]:
        """Return the features of each text."""
        rows = []
        for start in range(0, len(texts), BATCH):
            asked = [_SENTENCE.format(text) for text in texts[start : start + BATCH]]
            tokens = self.tokenizer(asked, return_tensors="pt", padding=True).to(self.device)
            states = self.model(**tokens, output_hidden_states=True).hidden_states[self.layer]
            counts = tokens["attention_mask"].clone()
            counts[:, : self.before] = 0  # what is said before every text tells nothing
            shares = counts / counts.sum(1, keepdim=True)
            rows.append(torch.einsum("tpw,tp->tw", states, shares.to(states)))
        return torch.cat(rows).clone().cpu()


class ClipText(nn.Module):
    """The text tower of a CLIP model, from the user's checkpoint in open_clip's layout."""

    def __init__(self, model: str = CLIP_TEXT) -> None:
        super().__init__()
        import open_clip
        from open_clip.model import CLIP  # torchvision comes with it: seconds

        described: Any = open_clip.get_model_config(model)
        if described is None:
            raise WeightsError(model, "open_clip knows no such model.")
        whole: Any = CLIP(
            embed_dim=described["embed_dim"],
            vision_cfg={"layers": 1, "width": 64, "patch_size": 32, "image_size": 32},  # type: ignore[arg-type]
            text_cfg=described["text_cfg"],
            quick_gelu="quickgelu" in model,
        )
        del whole.visual
        self.tower = whole
        self.tokens: Any = open_clip.get_tokenizer(model)

    def load_published(self, path: str | Path) -> None:
        """Load the text tower of an open_clip checkpoint, strictly; nothing in it is executed."""
        path = Path(path)
        weights = {n: w for n, w in read_checkpoint(path).items() if not n.startswith(_VISUAL)}
        own = {n: w for n, w in self.tower.state_dict().items() if n.startswith(_VISUAL)}
        load_strictly(self.tower, weights | own, path)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "text width"]:
        """Return CLIP's features of each text."""
        place = self.tower.token_embedding.weight.device
        rows = [
            self.tower.encode_text(self.tokens(list(texts[start : start + BATCH])).to(place))
            for start in range(0, len(texts), BATCH)
        ]
        return torch.cat(rows).float().clone().cpu()
