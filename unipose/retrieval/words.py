"""The words that a retrieval model reads: its own list, or those of a pretrained DistilBERT."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from jaxtyping import Float
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from unipose.errors import ConfigError, MissingFileError, WeightsError

PAD, UNKNOWN = "[PAD]", "[UNK]"
KINDS = ("WordLevel", "WordPiece", "BPE", "Unigram")


def learn_words(texts: Iterable[str], *, size: int) -> Tokenizer:
    """Return a tokenizer of whole lower-case words: the `size` most frequent of the texts.

    Padding is id 0 and every word not on the list is id 1. Punctuation marks are words.
    """
    words = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    words.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, special_tokens=[PAD, UNKNOWN], show_progress=False
    )
    words.train_from_iterator(texts, trainer)
    return words


def pretrained_words(name: str) -> tuple[Tokenizer, Float[Tensor, "word number"]]:
    """Return the tokenizer and the word embeddings of a Hugging Face model, by path or name.

    UniPose takes DistilBERT's (supplement B.2). Raises ConfigError if the model is not there or
    has no fast tokenizer.
    """
    from transformers import AutoModel, AutoTokenizer  # slow to import, and seldom needed

    try:
        text = AutoTokenizer.from_pretrained(name)
        embeddings = AutoModel.from_pretrained(name).get_input_embeddings().weight
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"no word embeddings can be taken from {name!r}: {reason}") from error
    words = getattr(text, "backend_tokenizer", None)
    if not isinstance(words, Tokenizer):
        raise ConfigError(f"{name!r} has no fast tokenizer")
    words.no_padding()
    words.no_truncation()
    return words, embeddings.detach().clone()


def load_words(path: Path) -> Tokenizer:
    """Return the tokenizer that was saved at `path`; WeightsError if it is none."""
    if not path.is_file():
        raise MissingFileError(path, "there is no such word list.", "Is the model complete?")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        kind = json.loads(text)["model"]["type"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise WeightsError(path, f"is no word list ({error}).") from error
    if kind not in KINDS:
        raise WeightsError(path, f"is a word list of kind {kind!r}, expected {', '.join(KINDS)}.")
    return Tokenizer.from_str(text)
