"""The conversation model: kept keys and values, forbidden ids, adapters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fakes.tiny_chat_model import tiny_chat_model
from unipose.errors import MissingFileError, WeightsError
from unipose.language import conversation_model
from unipose.language.chat_rendering import Message
from unipose.language.conversation_model import (
    ADAPTER_CONFIG,
    ADAPTERS,
    ConversationModel,
    merge_adapters,
)


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_model, "LONGEST_ANSWER", 12)


def test_an_answer_from_what_was_kept_is_the_answer_from_scratch():
    kept = ConversationModel(*tiny_chat_model())
    messages: list[Message] = []
    for turn in range(4):
        messages.append(Message.of("user", f"line {turn}"))
        fresh = ConversationModel(*tiny_chat_model())
        said = kept.answer(messages)
        assert said == fresh.answer(messages)
        messages.append(Message.of("assistant", said))
    messages = [*messages[2:], Message.of("user", "and now?")]  # the oldest turn was dropped
    assert kept.answer(messages) == ConversationModel(*tiny_chat_model()).answer(messages)


def test_an_interruption_leaves_a_model_that_answers_as_before():
    model = ConversationModel(*tiny_chat_model())
    messages = [Message.of("user", "hello")]
    said = model.answer(messages)

    def interrupt(piece: str) -> None:
        raise KeyboardInterrupt

    if said and not said.startswith(">"):
        with pytest.raises(KeyboardInterrupt):
            model.answer(messages, heard=interrupt)
    assert model.answer(messages) == said


def test_no_special_id_is_ever_said():
    network, template = tiny_chat_model()
    ends = set(template.text.all_special_ids)
    with torch.no_grad():  # a model that would say nothing but special ids
        network.lm_head.weight[sorted(ends)] += 5.0
    said = ConversationModel(network, template).answer([Message.of("user", "hello")])
    assert "<|im_start|>" not in said


def adapters_for(network: torch.nn.Module, folder: Path, *, rank: int = 4) -> Path:
    """Write random adapters of peft's for a network."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    wrapped = get_peft_model(
        network,
        LoraConfig(r=rank, lora_alpha=8, target_modules="all-linear", exclude_modules=["lm_head"]),
    )
    for name, weight in wrapped.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    wrapped.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_merging_by_hand_is_merging_by_peft(tmp_path: Path):
    from peft import PeftModel

    folder = adapters_for(tiny_chat_model()[0], tmp_path)
    by_peft = PeftModel.from_pretrained(tiny_chat_model()[0], str(folder)).merge_and_unload()
    by_hand = tiny_chat_model()[0]
    merge_adapters(by_hand, folder)
    for (name, one), other in zip(by_hand.named_parameters(), by_peft.parameters(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_adapters_of_another_base_are_refused(tmp_path: Path):
    folder = adapters_for(tiny_chat_model()[0], tmp_path)
    weights = load_file(folder / ADAPTERS)
    name = next(n for n in weights if "lora_A" in n)
    save_file(weights | {name: weights[name][:, :-1].contiguous()}, folder / ADAPTERS)
    with pytest.raises(WeightsError, match="does not fit the base"):
        merge_adapters(tiny_chat_model()[0], folder)
    (folder / ADAPTER_CONFIG).write_text(json.dumps({"r": 0}))
    with pytest.raises(WeightsError, match="cannot be read"):
        merge_adapters(tiny_chat_model()[0], folder)


def test_a_folder_without_adapters_says_what_was_expected(tmp_path: Path):
    with pytest.raises(MissingFileError, match="adapter_model"):
        ConversationModel.load(tmp_path)
