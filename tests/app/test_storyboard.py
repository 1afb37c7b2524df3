"""A conversation drawn as one picture."""

from __future__ import annotations

import numpy as np

from tests.fakes.assistant import FakeAssistant
from tests.fakes.speaker import FakeSpeaker
from unipose.app.conversation import Conversation
from unipose.app.storyboard import EDGE, PAPER, PICTURE, WIDTH, draw, hold


def test_a_story_holds_what_the_chat_answered_and_draws_each_new_pose_once():
    chat = Conversation(FakeAssistant.load, lambda: FakeSpeaker("> describe"))
    turns = hold(chat, ["/pose squat", "describe the pose"])
    assert [turn.line for turn in turns] == ["/pose squat", "describe the pose"]
    assert turns[0].picture is not None
    assert turns[0].picture.height == PICTURE
    assert turns[1].picture is None
    assert turns[1].answer.startswith("turned by")
    page = np.asarray(draw(turns))
    assert page.shape[1] == WIDTH
    assert (page[: EDGE // 2] == PAPER).all()
    assert (page[-EDGE // 2 :] == PAPER).all()
