"""The vocabulary: layout of ids, and text that can never become a special id."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from tests.fakes.tiny_model import tiny_vocabulary
from unipose.errors import ConfigError, WeightsError
from unipose.language.vocabulary import Vocabulary

VOCABULARY = tiny_vocabulary()
SPECIAL = ("<|user|>", "<|model|>", "<|end|>", "<|pad|>", "<pose_id_5>", "<pose_query_0>", "</s>")


def test_ids_follow_each_other_in_the_published_order():
    v = VOCABULARY
    assert v.first_code == len(v.text)
    assert v.pose_start == v.first_code + 2048
    assert v.pose_end == v.pose_start + 1
    assert v.first_query == v.pose_start + 4  # <im_start> and <im_end> lie between
    assert len(v) == v.first_query + v.length


@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(SPECIAL)), max_size=6).map("".join))
def test_whatever_a_user_types_becomes_text_and_comes_back(text: str):
    ids = VOCABULARY.encode(text)
    special = {*VOCABULARY.opening, *VOCABULARY.turn, VOCABULARY.answer_end, VOCABULARY.pad}
    assert not special & set(ids)
    assert all(i < VOCABULARY.first_code for i in ids)
    assert VOCABULARY.decode(ids) == text.strip()


def test_a_saved_tokenizer_is_the_same(tmp_path: Path):
    VOCABULARY.text.save_pretrained(tmp_path)
    loaded = Vocabulary.from_pretrained(tmp_path, codes=2048, length=12)
    assert loaded.encode("Raise the left arm.") == VOCABULARY.encode("Raise the left arm.")
    assert (loaded.opening, loaded.pad, len(loaded)) == (
        VOCABULARY.opening,
        VOCABULARY.pad,
        len(VOCABULARY),
    )


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path):
    with pytest.raises(WeightsError, match=tmp_path.name):
        Vocabulary.from_pretrained(tmp_path, codes=2048, length=12)


def test_a_tokenizer_without_turn_markers_is_refused():
    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(ConfigError, match="from_pretrained"):
        _ = Vocabulary(text=bare, codes=4, length=2).opening
