"""Any real base: each family computes as itself, its new rows are words, and it trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.base_models import FAMILIES, LLAVAS, write_base, write_llava
from tests.fakes.tiny_model import TINY_CODEC
from tokenizer.codec import PoseTokenizer
from train.align import PRESETS, build_model
from unipose.body.body import load_body
from unipose.language import model as model_module
from unipose.language.model import PoseLanguageModel
from unipose.language.vocabulary import Vocabulary

TEXT = "the left knee is bent at a right angle, both hands are above the head."


def build(folder: Path, **changed: object) -> tuple[PoseLanguageModel, Vocabulary]:
    """Build a pose language model over the base in a folder."""
    config = replace(PRESETS["paper"], llm=str(folder), lora_rank=4, **changed)
    codec = PoseTokenizer(TINY_CODEC).eval()
    return build_model(config, codec, load_body().rest_joints, None)


@torch.no_grad()
def plain_logits(model: PoseLanguageModel, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits of a plain text, computed as the pose language model computes them."""
    places = torch.arange(len(ids))
    seen = (places[None, :] <= places[:, None])[None, None]
    hidden = model.run(model.llm.get_input_embeddings()(ids[None]), seen, places[None])
    return model.text_logits(hidden[0])


def assert_text_is_read_as_the_base_reads_it(
    base: torch.nn.Module, model: PoseLanguageModel, vocabulary: Vocabulary
) -> None:
    ids = torch.tensor(vocabulary.encode(TEXT))
    known = vocabulary.first_code - vocabulary.markers
    with torch.no_grad():
        own = base(input_ids=ids[None]).logits[0, :, :known]
    ours = plain_logits(model.eval(), ids)[:, :known]
    assert own.std() > 0.1
    torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_plain_text_gets_the_logits_that_the_base_itself_gives(family: str, tmp_path: Path):
    base = write_base(tmp_path, family)
    assert_text_is_read_as_the_base_reads_it(base, *build(tmp_path))


@pytest.mark.parametrize("kind", LLAVAS)
def test_the_language_model_of_a_llava_is_taken_out_of_either_layout(kind: str, tmp_path: Path):
    base = write_llava(tmp_path, kind)
    assert_text_is_read_as_the_base_reads_it(base, *build(tmp_path))


@pytest.mark.parametrize("family", ["llama", "qwen2"], ids=["untied", "tied"])
def test_new_rows_are_like_rows_of_text_and_differ_from_one_another(family: str, tmp_path: Path):
    write_base(tmp_path, family)
    model, vocabulary = build(tmp_path)
    known = vocabulary.first_code - vocabulary.markers
    embedding = model.llm.get_input_embeddings().weight
    head = model.llm.get_output_embeddings().weight
    assert (head is embedding) == (family == "qwen2")
    for table in {embedding, head}:
        text, new = table[:known], table[known:]
        torch.testing.assert_close(new.mean(0), text.mean(0), rtol=0, atol=0.1)
        torch.testing.assert_close(new.std(0), text.std(0), rtol=0.2, atol=0)
        assert torch.pdist(new).min() > 0.5 * torch.pdist(text).min()
    again, _ = build(tmp_path)
    assert torch.equal(again.llm.get_input_embeddings().weight, embedding)
    other, _ = build(tmp_path, seed=1)
    assert not torch.equal(other.llm.get_input_embeddings().weight, embedding)


def test_a_base_is_read_into_place_and_no_random_copy_is_built_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    base = write_base(tmp_path, "llama")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a language model of random weights was built")

    monkeypatch.setattr(model_module.AutoModelForCausalLM, "from_config", refuse)
    model, _ = build(tmp_path)
    own = base.model.layers[1].mlp.down_proj.weight
    assert torch.equal(model.llm.model.layers[1].mlp.down_proj.base_layer.weight, own)
