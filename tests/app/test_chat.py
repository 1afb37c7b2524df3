"""The conversation itself: poses held, commands, and what happens when something goes wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.assistant import FakeAssistant
from unipose.app.chat import LONGEST_LINE, Chat
from unipose.app.examples import EXAMPLES, example_pose
from unipose.app.wording import HARDLY_MOVED
from unipose.errors import MissingFileError, PoseQueryError, UniPoseError


@pytest.fixture
def fake() -> FakeAssistant:
    return FakeAssistant()


@pytest.fixture
def chat(fake: FakeAssistant) -> Chat:
    return Chat(lambda: fake)


def test_the_model_is_not_loaded_before_it_is_needed():
    def load() -> FakeAssistant:
        raise AssertionError("loaded")

    chat = Chat(load)
    assert "/save FILE" in chat.reply("/help")
    assert "pose 1" in chat.reply("/pose squat")


def test_a_conversation_holds_its_poses_in_their_order(chat: Chat, fake: FakeAssistant):
    chat.reply("/pose squat")
    chat.reply("raise the left arm")
    chat.reply("make a pose of someone waving")
    assert [held.origin for held in chat.poses] == [
        "the example 'squat'",
        'pose 1 after "raise the left arm"',
        'made from "someone waving"',
    ]
    assert fake.asked == ["raise the left arm", "someone waving"]
    assert chat.reply("/poses").count("\n") == 2
    first, second = (chat.reply(f"describe the {nth}") for nth in ("first", "second"))
    assert chat.reply("what changes from the first to the second?") == (
        f"from {first.split()[-1]} to {second.split()[-1]}"
    )


def test_an_edit_of_an_older_pose_starts_from_that_pose(chat: Chat):
    chat.reply("/pose stand")
    chat.reply("/pose squat")
    chat.reply("in the first, bend the left knee")
    turned = chat.poses[2].pose.axis_angle - chat.poses[0].pose.axis_angle
    assert float(turned.abs().max()) == pytest.approx(0.5, abs=1e-4)


def test_an_edit_that_moves_nothing_is_said_to_have_moved_nothing(chat: Chat, monkeypatch):
    chat.reply("/pose stand")
    assert HARDLY_MOVED not in chat.reply("bend the left knee")
    monkeypatch.setattr(chat.assistant, "edit", lambda pose, text: pose)
    said = chat.reply("let it snow")
    assert said.endswith(HARDLY_MOVED)
    assert said.startswith("Made pose 3")


def test_special_tokens_reach_the_model_as_they_were_typed(chat: Chat, fake: FakeAssistant):
    text = "someone </s><|im_start|><pose_12> kneeling"
    chat.reply(f"make a pose of {text}")
    assert fake.asked == [text]


def test_control_characters_never_reach_the_model(chat: Chat, fake: FakeAssistant):
    chat.reply("make a pose of someone\x1b[2J\x00\x07 waving")
    assert fake.asked == ["someone [2J waving"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("x" * (LONGEST_LINE + 1), "at most 2,000"),
        ("/pose", "which file"),
        ("/dance", "/help lists them"),
        ("/show", "no pose yet"),
        ("/save", "where to"),
        ("/save a.npz", "no pose yet"),
        ("raise the left arm", "no pose yet"),
    ],
)
def test_a_line_without_an_answer_says_what_to_do(chat: Chat, line: str, hint: str):
    with pytest.raises(PoseQueryError, match=hint):
        chat.reply(line)
    assert chat.poses == []


def test_a_file_that_is_not_there_is_named(chat: Chat):
    with pytest.raises(MissingFileError, match=r"nobody\.npz"):
        chat.reply("/pose nobody.npz")


def test_a_pose_is_kept_and_read_again(chat: Chat, tmp_path: Path):
    chat.reply("/pose squat")
    file = tmp_path / "a file with spaces.npz"
    assert str(file) in chat.reply(f"/save {file}")
    chat.reply(f"/pose {file}")
    before, after = (held.pose.rotations.numpy() for held in chat.poses)
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_an_older_pose_is_kept_by_its_number(chat: Chat, tmp_path: Path):
    chat.reply("/pose squat")
    chat.reply("/pose stand")
    chat.reply(f"/save {tmp_path / 'squat.npz'} 1")
    chat.reply(f'/pose "{tmp_path / "squat.npz"}"')
    np.testing.assert_allclose(
        chat.poses[0].pose.rotations.numpy(), chat.poses[2].pose.rotations.numpy(), atol=1e-5
    )


def test_show_writes_a_picture_and_says_where(chat: Chat):
    chat.reply("/pose wave")
    answer = chat.reply("/show")
    file = Path(answer.removeprefix("pose 1 is in "))
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_recording_gives_the_pose_at_the_second_that_was_asked_for(chat: Chat, tmp_path: Path):
    poses = np.zeros((60, 24, 3))
    poses[:, 16, 2] = np.linspace(0, 1, 60)
    np.savez(tmp_path / "arm.npz", poses=poses.reshape(60, 72), mocap_framerate=30.0)
    chat.reply(f"/pose {tmp_path / 'arm.npz'} 1.5")
    assert float(chat.poses[0].pose.axis_angle[0, 16, 2]) == pytest.approx(45 / 59, abs=1e-3)
    assert "first of 60 poses" in chat.reply(f"/pose {tmp_path / 'arm.npz'}")
    with pytest.raises(UniPoseError, match=r"1\.97 s"):
        chat.reply(f"/pose {tmp_path / 'arm.npz'} 9")


def test_new_forgets_the_poses(chat: Chat):
    chat.reply("/pose stand")
    chat.reply("/new")
    assert chat.reply("/poses").startswith("no poses yet")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_one_pose_that_differs_from_the_t_pose(name: str):
    pose = example_pose(name)
    assert len(pose) == 1
    assert float(pose.axis_angle.abs().max()) > 1


def test_a_photo_becomes_the_pose_of_whom_it_shows(chat: Chat, fake: FakeAssistant):
    assert chat.reply("/pose me.jpg") == "Read pose 1: the person in me.jpg. /show draws it."
    assert fake.asked == ["me.jpg None None"]
