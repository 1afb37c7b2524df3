"""A local model in Hugging Face's layout: loaded, asked in batches, judged like any other."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data_builders.refining.draft import Draft
from data_builders.refining.prompts import ask_for
from data_builders.refining.refine import RefineConfig, Report, refine
from unipose.errors import WeightsError
from unipose.priors.chat_models import CachedChatModel
from unipose.priors.local_chat_model import LocalChatModel

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}{# system #}"
)
WORDS = "the person left right arm hand is straight standing above head knee bent <unk> </s>"
DRAFTS = [
    Draft(key="a", text="The person is standing. The left arm is straight."),
    Draft(
        key="b", text="The right hand is above the head. The left knee is bent at a right angle."
    ),
    Draft(key="c", text="Bend your left knee a lot.", kind="change"),
]


@pytest.fixture
def save_model(tmp_path):
    """Return a writer of a tiny random model: save_model(template) -> folder."""

    def save(template=None, positions=2048):
        words = {word: i for i, word in enumerate(WORDS.split())}
        plain = Tokenizer(WordLevel(words, unk_token="<unk>"))
        plain.pre_tokenizer = Whitespace()
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=plain, unk_token="<unk>", eos_token="</s>"
        )
        tokenizer.chat_template = template
        tokenizer.save_pretrained(tmp_path)
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=positions,
            bos_token_id=None,
            eos_token_id=words["</s>"],
        )
        LlamaForCausalLM(config).save_pretrained(tmp_path)
        return tmp_path

    return save


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_every_prompt_gets_the_answer_it_gets_alone(save_model, template):
    model = LocalChatModel(save_model(template), batch=2, most_tokens=12)
    asked = [ask_for(draft.kind, draft.text) for draft in DRAFTS]
    together = dict(model.answers(asked))
    assert sorted(together) == [0, 1, 2]
    for i, conversation in enumerate(asked):
        ((_, alone),) = model.answers([conversation])
        assert alone == together[i]
    assert all(answer.prompt_tokens > 50 for answer in together.values())
    assert all(answer.text or answer.problem for answer in together.values())


def test_the_chat_template_is_used_and_needs_no_system_turn(save_model):
    conversation = ask_for("caption", "The left arm is straight.")
    model = LocalChatModel(save_model(None))
    assert model.prompt(conversation).endswith("Refined text:")
    model = LocalChatModel(save_model(TEMPLATE))
    assert model.prompt(conversation).startswith("<system> ")
    assert model.prompt(conversation).endswith("<assistant> ")
    model = LocalChatModel(save_model(TEMPLATE.replace("{# system #}", "")))
    without = model.prompt(conversation)
    assert without.startswith("<user> You edit descriptions")
    assert "<system>" not in without


def test_nonsense_of_a_random_model_is_replaced_by_the_rules(save_model, tmp_path):
    model = LocalChatModel(save_model(TEMPLATE), most_tokens=8)
    report = Report()
    cached = CachedChatModel(model, tmp_path / "answers")
    found = list(refine(DRAFTS, cached, config=RefineConfig(attempts=2), report=report))
    assert [refined.by for refined in found] == ["rules"] * 3
    assert sum(report.rejected.values()) == 3
    assert report.requests > 0
    assert report.prompt_tokens > 0


def test_a_prompt_that_does_not_fit_is_a_counted_problem(save_model):
    model = LocalChatModel(save_model(None, positions=64))
    report = Report()
    found = list(refine(DRAFTS, model, config=RefineConfig(), report=report))
    assert [refined.by for refined in found] == ["rules"] * 3
    assert report.unanswered == {"the prompt does not fit into 64 tokens": 3}


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(WeightsError, match="no causal language model"):
        LocalChatModel(tmp_path)
