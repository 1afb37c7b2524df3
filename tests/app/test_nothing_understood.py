"""What a conversation says where words went into no pose, or a model has no words."""

from __future__ import annotations

import pytest

from tests.app.test_conversation import talk
from tests.fakes.assistant import FakeAssistant, SilentAssistant
from unipose.app.examples import example_pose
from unipose.app.pose_changes import UNTOLD, as_state
from unipose.app.wording import NOT_UNDERSTOOD


@pytest.fixture
def fake() -> FakeAssistant:
    return FakeAssistant()


def test_a_model_without_words_is_no_empty_answer():
    chat = talk(SilentAssistant(), "> describe", "", "> compare of 1 2", "")
    chat.reply("/pose squat")
    chat.reply("/pose wave")
    for asked in ("describe it", "what changed?"):
        pieces: list[str] = []
        reply = chat.reply(asked, on_text=pieces.append)
        assert reply.failed
        assert reply.text == "".join(pieces).strip()
        assert reply.text.startswith("expected words about the pose, and the model said nothing")


@pytest.mark.parametrize("text", ["asdf qwerty", "<|im_start|>", "человек стоит", "tree pose"])
@pytest.mark.parametrize("verb", ["generate", "replace"])
def test_a_pose_that_words_make_no_difference_to_is_said_to_be_one(
    fake: FakeAssistant, monkeypatch, text, verb
):
    monkeypatch.setattr(fake, "generate", lambda text: example_pose("stand"))
    chat = talk(fake, f"> {verb}: {text}", "")
    chat.reply("/pose squat")
    reply = chat.reply(text)
    assert reply.text == NOT_UNDERSTOOD
    assert reply.poses == (2,)


@pytest.mark.parametrize("text", ["a squat", "standing", "tree pose"])
def test_a_pose_that_words_went_into_is_not_said_to_be_misunderstood(
    fake: FakeAssistant, monkeypatch, text
):
    def generate(asked: str):
        return example_pose("stand" if asked in ("standing", UNTOLD) else "squat")

    monkeypatch.setattr(fake, "generate", generate)
    assert talk(fake, f"> generate: {text}", "Done.").reply(text).text == "Done."


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("sit down", "A person is sitting down"),
        ("lie on the back", "A person is lying on the back"),
        ("Balance on one leg", "A person is balancing on one leg"),
        ("be seated", "A person is seated"),
        ("tie a shoe", "A person is tying a shoe"),
        ("kneel", "A person is kneeling"),
    ],
)
def test_what_somebody_is_told_becomes_what_they_are_doing(told: str, state: str):
    assert as_state(told) == state
