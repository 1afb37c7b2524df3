"""Word lists: what becomes of a word, of an unknown one, and of a damaged file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

from tests.fakes.retrieval import SENTENCES
from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.retrieval.words import PAD, UNKNOWN, learn_words, load_words, pretrained_words


def test_words_are_whole_lower_case_and_the_mark_behind_them_is_one():
    words = learn_words(SENTENCES, size=100)
    assert words.encode("LEFT knee.").tokens == ["left", "knee", "."]
    assert words.token_to_id(PAD) == 0
    assert words.token_to_id(UNKNOWN) == 1


def test_a_word_that_was_never_read_is_the_unknown_one():
    assert learn_words(SENTENCES, size=100).encode("left antler").ids[1] == 1


def test_the_list_holds_the_most_frequent_words_and_no_more():
    words = learn_words(["left left left arm arm up"], size=4)
    assert words.get_vocab_size() == 4
    assert words.encode("left arm up").tokens == ["left", "arm", UNKNOWN]


def test_the_same_texts_make_the_same_list():
    assert learn_words(SENTENCES, size=30).to_str() == learn_words(SENTENCES, size=30).to_str()


def test_a_list_comes_back_from_its_file(tmp_path: Path):
    words = learn_words(SENTENCES, size=100)
    words.save(str(tmp_path / "words.json"))
    assert load_words(tmp_path / "words.json").to_str() == words.to_str()


def test_a_damaged_list_is_named(tmp_path: Path):
    path = tmp_path / "words.json"
    with pytest.raises(MissingFileError, match=r"words\.json"):
        load_words(path)
    path.write_text(learn_words(SENTENCES, size=100).to_str()[:200])
    with pytest.raises(WeightsError, match=r"words\.json"):
        load_words(path)
    path.write_text(json.dumps({"model": {"type": "Runes"}}))
    with pytest.raises(WeightsError, match="Runes"):
        load_words(path)


def test_words_and_their_embeddings_are_taken_from_a_pretrained_model(tmp_path: Path):
    own = learn_words(SENTENCES, size=100)
    own.enable_padding(length=50)
    text = PreTrainedTokenizerFast(tokenizer_object=own, unk_token=UNKNOWN, pad_token=PAD)
    config = DistilBertConfig(
        vocab_size=own.get_vocab_size() + 3, dim=8, n_heads=2, n_layers=1, hidden_dim=8
    )
    model = DistilBertModel(config)
    model.save_pretrained(tmp_path)
    text.save_pretrained(tmp_path)
    words, table = pretrained_words(str(tmp_path))
    assert words.encode("the left knee", add_special_tokens=False).tokens == ["the", "left", "knee"]
    assert torch.equal(table, model.get_input_embeddings().weight)


def test_a_pretrained_model_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="no word embeddings"):
        pretrained_words(str(tmp_path))
