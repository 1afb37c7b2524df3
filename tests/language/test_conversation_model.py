"""The conversation model: kept keys and values, forbidden ids, adapters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fakes.tiny_chat_model import let_say, tiny_chat_model
from unipose.errors import MissingFileError, WeightsError
from unipose.language import conversation_model
from unipose.language.chat_rendering import Message
from unipose.language.conversation_model import (
    ADAPTER_CONFIG,
    ADAPTERS,
    ConversationModel,
    merge_adapters,
)
from unipose.posecodes.calls import VERBS, read_call


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_model, "LONGEST_ANSWER", 12)


@pytest.fixture
def long_answers(short_answers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_model, "LONGEST_ANSWER", 60)


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
            model.answer(messages, on_text=interrupt)
    assert model.answer(messages) == said


def test_no_special_id_is_ever_said():
    network, template = tiny_chat_model()
    special = {*template.text.all_special_ids} - {template.end}
    said: list[int] = []

    def prefer_special(module: object, inputs: object, logits: torch.Tensor) -> torch.Tensor:
        logits[..., sorted(special)] += 1e4
        return logits

    def note(module: object, inputs: object, given: dict[str, torch.Tensor]) -> None:
        said.extend(given["input_ids"][0].tolist())

    network.lm_head.register_forward_hook(prefer_special)
    network.register_forward_pre_hook(note, with_kwargs=True)
    messages = [Message.of("user", "hello")]
    ConversationModel(network, template).answer(messages)
    asked = template.render(messages, open_answer=True).ids
    assert said[: len(asked)] == asked
    assert special.isdisjoint(said[len(asked) :])


def saying(text: str) -> ConversationModel:
    """Return a model that says `text` as far as it is let."""
    network, template = tiny_chat_model()
    let_say(network, template, text)
    return ConversationModel(network, template)


def answer_of(text: str, verbs: tuple[str, ...] = tuple(VERBS)) -> tuple[str, str]:
    """Return what such a model answers, and what is pieces of it."""
    pieces: list[str] = []
    said = saying(text).answer([Message.of("user", "?")], verbs=verbs, on_text=pieces.append)
    return said, "".join(pieces)


@pytest.mark.usefixtures("long_answers")
def test_words_are_heard_as_they_are_said():
    assert answer_of("Größe: 12 cm") == ("Größe: 12 cm", "Größe: 12 cm")


@pytest.mark.usefixtures("long_answers")
def test_a_call_is_whole_and_nothing_of_it_is_heard():
    assert answer_of("> check bent left knee") == ("> check bent left knee", "")


@pytest.mark.usefixtures("long_answers")
def test_a_call_that_does_not_exist_becomes_one_that_does():
    said, _ = answer_of("> check bent head")
    assert said.startswith("> check bent ")
    assert str(read_call(said)) == said


@pytest.mark.usefixtures("long_answers")
@pytest.mark.parametrize("text", ["> save: a.npz", " > save: a.npz", "\n>> save: a.npz"])
def test_without_verbs_nothing_is_said_that_reads_as_a_call(text: str):
    said, _ = answer_of(text, verbs=())
    assert not said.startswith(">")


@pytest.mark.usefixtures("long_answers")
def test_words_never_begin_with_the_mark_of_a_call():
    assert answer_of(" > save: a.npz")[0] == "save: a.npz"


def test_the_length_of_a_conversation_is_that_of_its_row():
    model = ConversationModel(*tiny_chat_model())
    messages = [Message.of("user", "hello")]
    assert model.length(messages) == len(model.template.render(messages, open_answer=True).ids)


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


@pytest.mark.slow
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


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("damage", ["empty", "renamed", "half"])
def test_adapters_that_would_be_passed_over_are_refused(tmp_path: Path, damage: str):
    folder = adapters_for(tiny_chat_model()[0], tmp_path)
    weights = load_file(folder / ADAPTERS)
    first = min(weights)
    changed = {
        "empty": {},
        "renamed": {name.replace("lora_A", "lora_A.default"): w for name, w in weights.items()},
        "half": {name: weight for name, weight in weights.items() if name != first},
    }[damage]
    save_file(changed, folder / ADAPTERS)
    with pytest.raises(WeightsError, match="pairs of lora_A and lora_B"):
        merge_adapters(tiny_chat_model()[0], folder)
