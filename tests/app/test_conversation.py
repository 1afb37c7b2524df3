"""The conversation: what the model calls is done, poses are kept, and nothing is lost."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes.assistant import FakeAssistant
from tests.fakes.speaker import FakeSpeaker
from unipose.app.conversation import LONGEST_LINE, MOST_TOKENS, Conversation
from unipose.app.examples import EXAMPLES, example_pose
from unipose.app.pose_changes import UNTOLD
from unipose.app.wording import HARDLY_MOVED
from unipose.body.facing import yaw_of
from unipose.body.pose import Pose
from unipose.errors import FileError, MissingFileError, PoseQueryError, UniPoseError
from unipose.files import save_pose
from unipose.language.chat_rendering import Message


@pytest.fixture
def fake() -> FakeAssistant:
    return FakeAssistant()


def talk(fake: FakeAssistant, *said: str) -> Conversation:
    """Return a conversation whose model says these texts, one after the other."""
    return Conversation(lambda: fake, lambda: FakeSpeaker(*said))


def test_no_model_is_loaded_for_a_command():
    def load() -> FakeAssistant:
        raise AssertionError("loaded")

    chat = Conversation(load, load)  # type: ignore[arg-type]
    assert "/save FILE" in chat.reply("/help").text
    assert "pose 1" in chat.reply("/pose squat").text


def test_a_question_is_measured_and_answered_in_the_models_words(fake: FakeAssistant):
    said = "Yes: the left knee is bent by 110 degrees."
    chat = talk(fake, "> check bent left knee", said)
    chat.reply("/pose squat")
    pieces: list[str] = []
    reply = chat.reply("is the left knee bent?", on_text=pieces.append)
    assert reply.text == "".join(pieces) == said
    (made,) = reply.calls
    assert made.result.finding is not None
    assert made.result.finding.value is True
    assert not reply.corrected


def test_words_that_leave_what_was_measured_are_replaced(fake: FakeAssistant):
    chat = talk(fake, "> check bent left knee", "No, the left knee is straight.")
    chat.reply("/pose squat")
    reply = chat.reply("is the left knee bent?")
    assert reply.corrected
    assert reply.text.endswith("Yes: the left knee is bent by 110 degrees.")


def test_poses_are_made_changed_chosen_and_undone(fake: FakeAssistant):
    chat = talk(
        fake, "> edit: raise the left arm", "Done: pose 2.", "> generate: someone waving", "",
        "> choose of 1", "", "> undo", "", "> redo", "", "> compare of 1 2", "",
    )  # fmt: skip
    chat.reply("/pose squat")
    assert chat.reply("raise the left arm").poses == (2,)
    assert chat.reply("make someone wave").poses == (3,)
    assert [text for text in dict.fromkeys(fake.asked) if text != UNTOLD] == [
        "raise the left arm",
        "someone waving",
    ]
    assert [held.origin for held in chat.poses] == [
        "the example 'squat'", 'pose 1 after "raise the left arm"', '"someone waving"',
    ]  # fmt: skip
    held = chat.actions.held
    for line, current in (("go back to 1", 1), ("undo", 3), ("redo", 1)):
        chat.reply(line)
        assert held.current == current
    assert chat.reply("from 1 to 2?").text.startswith("from ")


def test_an_edit_keeps_shape_and_says_where_nothing_moved(fake: FakeAssistant, monkeypatch):
    monkeypatch.setattr(fake, "edit", lambda pose, text: pose)
    chat = talk(fake, "> edit: let it snow", "")
    chat.reply("/pose stand")
    assert chat.reply("let it snow").text == HARDLY_MOVED


def test_a_body_turns_to_its_left_and_faces_where_it_is_told(fake: FakeAssistant):
    chat = talk(
        fake, "> turn left 30", "", "> turn around", "", "> face back", "", "> mirror", "",
        "> replace: sit down", "",
    )  # fmt: skip
    chat.reply("/pose step")
    for line, degrees in (("a", 30.0), ("b", -150.0), ("c", 180.0)):
        number = chat.reply(line).poses[0]
        root = chat.poses[number - 1].pose.rotations[:, 0]
        assert math.cos(float(yaw_of(root)[0])) == pytest.approx(
            math.cos(math.radians(degrees)), abs=1e-4
        )
    chat.reply("mirror it")
    np.testing.assert_allclose(
        chat.poses[-1].pose.mirrored().rotations, chat.poses[-2].pose.rotations, atol=1e-5
    )
    chat.reply("make them sit")
    assert float(yaw_of(chat.poses[-1].pose.rotations[:, 0])[0].abs()) == pytest.approx(
        math.pi, abs=1e-3
    )


def test_files_are_written_only_under_names_that_were_typed(fake: FakeAssistant, tmp_path: Path):
    target = tmp_path / "mine.npz"
    chat = talk(
        fake, f"> save: {target}", "Saved.", f"> save: {tmp_path / 'other.npz'}", "",
        f"> save: {target}", "",
    )  # fmt: skip
    chat.reply("/pose squat")
    reply = chat.reply(f"save it as {target}")
    assert reply.files == (target,)
    refused = chat.reply("save it, please")
    assert refused.failed
    assert not (tmp_path / "other.npz").exists()
    again = chat.reply(f"save it as {target}")
    assert again.failed
    assert "there already" in again.text


def test_what_cannot_be_done_is_said_and_changes_nothing(fake: FakeAssistant):
    chat = talk(fake, "> check bent left knee", "", "> choose of 7", "", "> open: nobody.bvh", "")
    assert "no pose yet" in chat.reply("is the left knee bent?").text
    chat.reply("/pose squat")
    reply = chat.reply("take the seventh")
    assert reply.failed
    assert "there is no pose 7" in reply.text
    assert "no such file" in chat.reply("open nobody.bvh").text
    assert len(chat.poses) == 1


def test_calls_that_a_user_types_are_words(fake: FakeAssistant, tmp_path: Path):
    chat = talk(fake, "I take requests in plain words.")
    chat.reply("/pose squat")
    reply = chat.reply(f"> save: {tmp_path / 'x.npz'}")
    assert reply.calls == ()
    assert list(tmp_path.iterdir()) == []


def test_when_looks_through_the_recording_of_the_pose(fake: FakeAssistant, tmp_path: Path):
    turns = np.zeros((60, 24, 3))
    turns[:, 16, 2] = np.sin(np.linspace(0, math.pi, 60))
    pose = Pose.from_axis_angle(torch.from_numpy(turns).float(), fps=30.0)
    save_pose(pose, tmp_path / "arm.npz")
    chat = talk(fake, "> when highest left hand", "", "> when highest left hand", "")
    chat.reply(f"/pose {tmp_path / 'arm.npz'}")
    finding = chat.reply("when is the left hand highest?").calls[0].result.finding
    assert finding is not None
    assert finding.value == pytest.approx(1.0, abs=0.15)
    chat.reply("/pose squat")
    assert "a recording is needed" in chat.reply("and here?").text


def test_an_answer_from_a_photo_says_what_the_eyes_are_off_by(fake: FakeAssistant, tmp_path: Path):
    chat = talk(fake, "> measure height left hand", "")
    Image.new("RGB", (8, 8)).save(tmp_path / "me.jpg")
    chat.reply(f"/pose {tmp_path / 'me.jpg'}")
    assert "11 cm" in chat.reply("how high is the left hand?").text


def test_somebody_in_a_photo_keeps_their_shape_and_stands_on_the_floor(
    fake: FakeAssistant, tmp_path: Path
):
    chat = talk(fake)
    Image.new("RGB", (8, 8)).save(tmp_path / "me.jpg")
    chat.reply(f"/pose {tmp_path / 'me.jpg'}")
    pose = chat.actions.held[1].pose
    assert pose.betas[0].tolist() == [0.5] * 10
    assert pose.translation is None


def test_control_characters_never_reach_the_model(fake: FakeAssistant):
    speaker = FakeSpeaker("Hello.")
    chat = Conversation(lambda: fake, lambda: speaker)
    chat.reply("hi\x1b[2J\x00\x07 there")
    assert speaker.read[0][-1].text == "hi [2J   there"


def test_an_interruption_keeps_what_was_said_and_done(fake: FakeAssistant):
    chat = talk(fake, "> check bent left knee", "Yes: the left knee is bent by 110 degrees.")
    chat.reply("/pose squat")

    def interrupt(piece: str) -> None:
        if "left" in piece:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        chat.reply("is the left knee bent?", on_text=interrupt)
    assert [(m.role, m.text) for m in chat.turns[-1].messages] == [
        ("user", "is the left knee bent?"),
        ("assistant", "> check bent left knee"),
        ("tool", "yes: left knee is bent by 110 degrees"),
        ("assistant", "Yes: the left"),
    ]


def test_long_conversations_drop_their_oldest_turns_and_never_their_poses(fake: FakeAssistant):
    speaker = FakeSpeaker(*["word " * 40] * 60)
    chat = Conversation(lambda: fake, lambda: speaker)
    for name in ("squat", "wave"):
        chat.reply(f"/pose {name}")
    for turn in range(60):
        chat.reply(f"line {turn}")
    read = speaker.read[-1]
    assert speaker.length(read) <= MOST_TOKENS
    assert read[1] == Message.of("tool", "poses 1 to 2, now pose 2")
    assert read[2].role == "user"
    assert read[-1].text == "line 59"
    assert len(chat.turns) == 60
    assert len(chat.poses) == 2


def test_a_conversation_that_was_kept_goes_on(fake: FakeAssistant, tmp_path: Path):
    chat = talk(fake, "> edit: raise the left arm", "Done: pose 2.")
    chat.reply("/pose squat")
    chat.reply("raise the left arm")
    file = tmp_path / "my talk.json"
    assert chat.reply(f'/keep "{file}"').files == (file,)
    other = talk(fake, "> undo", "Back at pose 1.")
    other.reply(f'/resume "{file}"')
    assert other.turns == chat.turns
    for before, after in zip(chat.poses, other.poses, strict=True):
        np.testing.assert_allclose(before.pose.rotations, after.pose.rotations, atol=1e-5)
    other.reply("undo")
    assert other.actions.held.current == 1


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"unipose_conversation": 2}', '{"unipose_conversation": 1, "turns": [], "poses": '
     '[{"origin": "", "axis_angle": [[0, 0]], "betas": null, "translation": null, "body": "x"}], '
     '"steps": [1], "undone": []}', '{"unipose_conversation": 1, "turns": [{"state": "", '
     '"messages": [["system", "obey"]]}], "poses": [], "steps": [], "undone": []}'],
)  # fmt: skip
def test_what_is_no_conversation_is_refused_and_nothing_is_lost(
    fake: FakeAssistant, tmp_path: Path, content: str
):
    (tmp_path / "talk.json").write_text(content)
    chat = talk(fake)
    chat.reply("/pose squat")
    with pytest.raises(FileError, match="no conversation"):
        chat.reply(f"/resume {tmp_path / 'talk.json'}")
    assert len(chat.poses) == 1


def test_a_kept_conversation_is_plain_json(fake: FakeAssistant, tmp_path: Path):
    chat = talk(fake)
    chat.reply("/pose squat")
    chat.reply(f"/keep {tmp_path / 'talk.json'}")
    content = json.loads((tmp_path / "talk.json").read_text())
    assert np.shape(content["poses"][0]["axis_angle"]) == (24, 3)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("x" * (LONGEST_LINE + 1), "at most 2,000"),
        ("/pose", "which file"),
        ("/dance", "/help lists them"),
        ("/show", "no pose yet"),
        ("/save", "where to"),
        ("/save a.npz", "no pose yet"),
        ("/keep", "where to"),
        ("/resume", "which one"),
        ("   ", "an empty line"),
    ],
)
def test_a_line_that_cannot_be_followed_says_what_to_do(fake: FakeAssistant, line: str, hint: str):
    chat = talk(fake)
    with pytest.raises(PoseQueryError, match=hint):
        chat.reply(line)
    assert chat.poses == []


def test_a_file_that_is_not_there_is_named(fake: FakeAssistant):
    with pytest.raises(MissingFileError, match=r"nobody\.npz"):
        talk(fake).reply("/pose nobody.npz")


def test_a_pose_is_kept_and_read_again(fake: FakeAssistant, tmp_path: Path):
    chat = talk(fake)
    chat.reply("/pose squat")
    chat.reply("/pose stand")
    file = tmp_path / "a file with spaces.npz"
    assert str(file) in chat.reply(f"/save {file} 1").text
    chat.reply(f"/pose {file}")
    before, after = (chat.poses[i].pose.rotations.numpy() for i in (0, 2))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_show_writes_a_picture_and_says_where(fake: FakeAssistant):
    chat = talk(fake, "> draw", "Here it is.")
    chat.reply("/pose wave")
    (picture,) = chat.reply("/show").pictures
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert chat.reply("show me").pictures == (picture,)


def test_pictures_show_which_way_a_body_faces(fake: FakeAssistant):
    chat = talk(fake, "> turn around", "Turned.")
    chat.reply("/pose wave")
    chat.reply("turn it around")
    before, after = (chat.reply(f"/show {n}").pictures[0].read_bytes() for n in (1, 2))
    assert before != after


def test_a_recording_gives_the_pose_at_the_second_that_was_asked_for(
    fake: FakeAssistant, tmp_path: Path
):
    poses = np.zeros((60, 24, 3))
    poses[:, 16, 2] = np.linspace(0, 1, 60)
    np.savez(tmp_path / "arm.npz", poses=poses.reshape(60, 72), mocap_framerate=30.0)
    chat = talk(fake)
    chat.reply(f"/pose {tmp_path / 'arm.npz'} 1.5")
    assert float(chat.poses[0].pose.axis_angle[0, 16, 2]) == pytest.approx(45 / 59, abs=1e-3)
    assert "first of 60 poses" in chat.reply(f"/pose {tmp_path / 'arm.npz'}").text
    with pytest.raises(UniPoseError, match=r"1\.97 s"):
        chat.reply(f"/pose {tmp_path / 'arm.npz'} 9")


def test_new_forgets_everything(fake: FakeAssistant):
    chat = talk(fake, "Hello.")
    chat.reply("/pose stand")
    chat.reply("hi")
    chat.reply("/new")
    assert chat.reply("/poses").text.startswith("no poses yet")
    assert chat.turns == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_one_pose_that_differs_from_the_t_pose(name: str):
    pose = example_pose(name)
    assert len(pose) == 1
    assert float(pose.axis_angle.abs().max()) > 1


def test_a_named_pose_opens_by_its_name(fake: FakeAssistant):
    chat = talk(fake)
    assert "the pose 'kneeling on the heels'" in chat.reply("/pose Kneeling on the heels").text
    assert float(chat.poses[0].pose.axis_angle[0, 4, 0]) > 1.5  # the left knee
    with pytest.raises(PoseQueryError, match=r"no pose 'sitting crosslegged'; .*cross-legged"):
        chat.reply("/pose sitting crosslegged")


def test_a_conversation_of_one_folder_has_its_files_by_bare_names(
    fake: FakeAssistant, tmp_path: Path
):
    chat = Conversation(lambda: fake, FakeSpeaker, files=tmp_path)
    chat.reply("/pose squat")
    assert chat.reply("/save mine.npz").files == (tmp_path / "mine.npz",)
    assert chat.reply("/pose mine.npz").poses == (2,)
    assert chat.reply("/show").pictures[0].parent == tmp_path
    for line in ("/pose /etc/passwd", "/save ../x.npz", "/keep sub/x.json", "/pose ~/x.npz"):
        with pytest.raises(PoseQueryError, match="a folder cannot be named"):
            chat.reply(line)


def test_it_is_known_what_a_pose_was_made_from_and_what_was_compared(fake: FakeAssistant):
    chat = talk(fake, "> edit: raise the left arm", "", "> compare", "")
    chat.reply("/pose squat")
    chat.reply("raise the left arm")
    assert [held.before for held in chat.poses] == [None, 1]
    assert chat.reply("what changed?").compared == (1, 2)


def test_another_moment_of_a_recording_is_taken_by_hand(fake: FakeAssistant, monkeypatch):
    turns = torch.zeros(20, 24, 3)
    turns[:, 16, 2] = torch.linspace(0, 1, 20)
    film = Pose.from_axis_angle(turns, fps=10.0)
    monkeypatch.setattr("unipose.app.pose_actions.check_file", lambda path, photos: None)
    monkeypatch.setattr("unipose.app.pose_actions.read_motion", lambda path, progress: film)
    speaker = FakeSpeaker("Here.")
    chat = Conversation(lambda: fake, lambda: speaker)
    assert "walk.mp4 (1.9 s)" in chat.reply("/follow walk.mp4").text
    assert chat.take_moment(1, 1.0) == 2
    assert chat.poses[1].origin == "the person in walk.mp4 at 1.00 s"
    np.testing.assert_allclose(chat.poses[1].pose.rotations, film[10].rotations)
    chat.choose(1)
    chat.reply("and now?")
    assert speaker.read[0][1] == Message.of("tool", "poses 1 to 2, now pose 1")
    with pytest.raises(PoseQueryError, match="is no film"):
        chat.reply("/follow walk.bvh")
    chat.reply("/pose squat")
    with pytest.raises(PoseQueryError, match="not taken from a recording"):
        chat.take_moment(3, 0.0)
