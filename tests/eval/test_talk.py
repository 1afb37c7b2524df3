"""A typed conversation, checked line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.talk import TALK, hold, read_talk
from tests.fakes.assistant import FakeAssistant
from tests.fakes.speaker import TableSpeaker
from unipose.app.conversation import Conversation
from unipose.errors import ConfigError


def test_right_and_wrong_lines_are_counted_and_the_wrong_ones_listed(tmp_path: Path):
    talk = tmp_path / "talk.txt"
    talk.write_text(
        "# lines\n/pose squat =>\nis the left leg bent => > check bent left knee\n"
        "which hand is up => > which higher hands | > check level hands\nhello => -\n"
    )
    speaker = TableSpeaker(
        {
            "is the left leg bent": ["> check bent left leg", ""],
            "which hand is up": ["> which lower hands", ""],
            "hello": ["Hello!"],
        }
    )
    result = hold(Conversation(FakeAssistant.load, lambda: speaker), read_talk(talk))
    assert (result["lines"], result["right"]) == (3, 2)
    (wrong,) = result["wrong"]  # type: ignore[misc]
    assert wrong["said"] == "which hand is up"
    assert wrong["wanted"] == "> which higher hands | > check level hands"


def test_a_line_without_an_arrow_is_refused(tmp_path: Path):
    (tmp_path / "talk.txt").write_text("hello\n")
    with pytest.raises(ConfigError, match="LINE => CALLS"):
        read_talk(tmp_path / "talk.txt")


def test_the_conversation_of_the_repository_has_sixty_lines_with_calls_that_can_be_read():
    lines = read_talk(TALK)
    assert sum(line.wanted is not None for line in lines) >= 60
