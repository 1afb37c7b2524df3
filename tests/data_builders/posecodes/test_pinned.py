"""What the embedded model was trained on stays: wording and choices by default."""

from __future__ import annotations

import hashlib

import pytest

from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers


def _hash(rows) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


CAPTIONS = {"plain": "c6fa390bebc1508c", "full": "7276de57d1d754a9", "short": "cd626ef9d26391dc"}
MODIFIERS = {"plain": "f252c313ae3e03e1", "full": "e3c76d28ff35bf57", "short": "6c8c194b438c563b"}


@pytest.mark.parametrize("style", CAPTIONS)
def test_three_hundred_captions_stay_byte_by_byte(poses, style):
    texts = write_captions(poses(300, 101), seed=1, indices=range(300), style=style)
    assert _hash(texts) == CAPTIONS[style]


@pytest.mark.parametrize("style", MODIFIERS)
def test_two_hundred_modifiers_stay_byte_by_byte(pairs, style):
    texts = write_modifiers(*pairs(200, 102), seed=2, indices=range(200), style=style)
    assert _hash(texts) == MODIFIERS[style]
