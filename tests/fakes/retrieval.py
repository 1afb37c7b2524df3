"""A retrieval model of a few thousand weights, with a word list of its own."""

from __future__ import annotations

import torch

from unipose.body.body import load_body
from unipose.retrieval.model import Kind, RetrievalConfig, RetrievalModel
from unipose.retrieval.words import learn_words

SENTENCES = [
    "The left knee is bent at a right angle.",
    "Raise the right arm, and lower the left hand a little.",
    "Someone stands with both arms stretched to the sides.",
]
TINY = RetrievalConfig(
    width=12, places=True, words=64, word_width=6, words_learn=True, text_width=7, features=10
)


def tiny_retrieval(kind: Kind, *, seed: int = 0, places: bool = True) -> RetrievalModel:
    """Return an untrained model; the seed makes its weights."""
    words = learn_words(SENTENCES, size=TINY.words)
    config = RetrievalConfig(
        **{**vars(TINY), "kind": kind, "words": words.get_vocab_size(), "places": places}
    )
    torch.manual_seed(seed)
    return RetrievalModel(config, words, load_body().rest_joints).eval()
