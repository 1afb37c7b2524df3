"""The assistant asked about pictures: estimate, describe, compare, contacts, label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes.motion_labels import LEFT_ELBOW, BentElbowTexts, bent_elbow_labeller
from tests.fakes.tiny_eyes import GUESSING_EYES, seeing_assistant, some_pixels
from tests.fakes.tiny_model import tiny_assistant
from unipose.assistant import UniPose
from unipose.assistant.assistant import MOST_PICTURES
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import (
    AnswerParseError,
    BlindModelError,
    ConfigError,
    FileError,
    PoseQueryError,
)
from unipose.language.answers import write_contacts
from unipose.language.decoding import Answer, Decoding
from unipose.language.pictures import Picture
from unipose.posecodes.named_poses import NamedPoses
from unipose.vision.crops import Crops

PIXELS = some_pixels().numpy()


@pytest.fixture(scope="module")
def seeing() -> UniPose:
    return seeing_assistant()


def some_pose(count: int = 1) -> Pose:
    generator = torch.Generator().manual_seed(4)
    return Pose.from_axis_angle(torch.randn(count, 22, 3, generator=generator) * 0.5)


class Ear:
    """Stands where the model answers: remembers each question, says what it was told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, assistant: UniPose, said: str = "") -> None:
        self.questions: list[list] = []
        self.assistant, self.said = assistant, said
        monkeypatch.setattr("unipose.assistant.model_answers.answer", self.answer)

    def answer(self, model, vocabulary, questions, decoding, **_):
        self.questions += questions
        codes = torch.zeros(vocabulary.length, dtype=torch.long)
        poses = [] if self.said else [codes]
        ids = vocabulary.encode(self.said)
        return [Answer(ids=ids, poses=poses, complete=True) for _ in questions], 1

    @property
    def heard(self) -> str:
        return "".join(p if isinstance(p, str) else "#" for p in self.questions[-1])


@pytest.mark.slow
def test_a_real_model_describes_and_compares_pictures(seeing: UniPose, tmp_path: Path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    said = seeing.describe(tmp_path / "a.png")
    assert said == seeing.describe(PIXELS) == seeing.describe(str(tmp_path / "a.png"))
    asked = ["How does the pose change from ", seeing._picture(PIXELS, None), " to ",
             seeing._picture(PIXELS[::-1], None), "?"]  # fmt: skip
    (answer,) = seeing._answers([asked], Decoding(), None)
    assert seeing.compare(PIXELS, PIXELS[::-1]) == seeing.vocabulary.decode(answer.ids)


def test_questions_are_those_of_the_stages(seeing: UniPose, monkeypatch: pytest.MonkeyPatch):
    ear = Ear(monkeypatch, seeing)
    answered = seeing.pose(torch.zeros(1, seeing.vocabulary.length, dtype=torch.long))
    assert torch.equal(seeing.estimate(PIXELS).rotations, answered.rotations)
    assert ear.heard == "Estimate the pose of the person in #."
    seeing.estimate(PIXELS, who="the person  on the left")
    assert ear.heard == "Estimate the pose of the person on the left in #."
    ear.said = "x"
    seeing.describe(PIXELS, box=(1, 2, 20, 30))
    assert ear.heard == "Describe the pose of the person in #."
    seeing.compare(PIXELS, PIXELS[::-1])
    assert ear.heard == "How does the pose change from # to #?"
    before, after = (part.pose for part in ear.questions[-1] if isinstance(part, Picture))
    assert torch.equal(before, seeing._picture(PIXELS, None).pose)
    assert torch.equal(after, seeing._picture(PIXELS[::-1], None).pose)
    assert not torch.equal(before, after)


def test_everybody_in_a_picture_is_asked_about(seeing: UniPose, monkeypatch: pytest.MonkeyPatch):
    ear = Ear(monkeypatch, seeing)
    boxes = [(0, 0, 20, 30), (20.0, 0.0, 45.0, 39.0)]
    assert len(seeing.estimate_people(PIXELS, boxes)) == 2
    assert [len(question) for question in ear.questions] == [3, 3]
    looks = [next(p for p in q if isinstance(p, Picture)).pose for q in ear.questions]
    assert not torch.equal(*looks)


def test_an_estimate_has_the_shape_and_the_place_that_the_eyes_saw(
    monkeypatch: pytest.MonkeyPatch,
):
    guessing = seeing_assistant(GUESSING_EYES)
    Ear(monkeypatch, guessing)
    box = (20.0, 5.0, 30.0, 35.0)
    person = guessing.estimate_person(PIXELS, box=box)
    pose, camera = person.pose, person.camera
    assert (person.box, person.detector) == (box, "unipose")
    answered = guessing.pose(torch.zeros(1, guessing.vocabulary.length, dtype=torch.long))
    assert torch.equal(pose.rotations, answered.rotations)
    meshes = guessing._picture(PIXELS, box).meshes
    assert torch.equal(pose.betas, meshes.betas)
    pelvis = load_body().mesh(pose).joints[:, 0]
    assert float(pelvis[0, 2]) < -10  # ahead of the camera, through a long lens
    crops = Crops.around(torch.tensor([box]))
    scale, right, down = meshes.camera[0]
    shown = crops.to_picture(torch.stack([right, down])[None, None] * scale / 2)[0]
    seen = camera.project(pelvis, height_px=40, width_px=50)
    torch.testing.assert_close(seen, shown, atol=1e-2, rtol=0)

    estimate = guessing.estimate(PIXELS, box=box)
    assert torch.equal(estimate.translation, pose.translation)
    both = guessing.estimate_people(PIXELS, [box, (0, 0, 20, 30)])
    torch.testing.assert_close(both.translation[:1], pose.translation)
    torch.testing.assert_close(both.betas[:1], pose.betas)
    assert (len(both), both.body) == (2, "open")


def test_a_known_focal_length_brings_somebody_nearer(monkeypatch: pytest.MonkeyPatch):
    guessing = seeing_assistant(GUESSING_EYES)
    Ear(monkeypatch, guessing)
    far = guessing.estimate_person(PIXELS, box=(20, 5, 30, 35)).pose
    near = guessing.estimate_person(PIXELS, box=(20, 5, 30, 35), focal_px=50 * 5000 / 512).pose
    assert float(near.translation[0, 2] / far.translation[0, 2]) == pytest.approx(0.5)


def test_where_the_eyes_cannot_tell_shape_and_place_neither_is_told(
    seeing: UniPose, monkeypatch: pytest.MonkeyPatch
):
    guessing = seeing_assistant(GUESSING_EYES)
    Ear(monkeypatch, guessing)
    box = (20.0, 5.0, 30.0, 35.0)
    by_words = guessing.estimate_person(PIXELS, who="the person on the left")
    headless = seeing.estimate_person(PIXELS, box=box)
    for person in (by_words, headless):
        known = (person.pose.betas, person.pose.translation, person.camera)
        assert known == (None, None, None)
    assert (by_words.box, headless.box) == (None, box)
    with pytest.raises(PoseQueryError, match="mesh recovery head"):
        seeing.estimate_person(PIXELS, box=box, focal_px=500)
    with pytest.raises(ConfigError, match="positive focal length"):
        guessing.estimate_person(PIXELS, box=box, focal_px=-1.0)


def test_what_touches_is_measured(seeing: UniPose, monkeypatch: pytest.MonkeyPatch):
    tree = NamedPoses.load().centre("tree pose on the left leg")
    found = seeing.contacts(tree)
    assert ("left hand", "right hand") in found
    assert ("left thigh", "right foot") in found
    monkeypatch.setattr(seeing, "estimate", lambda image, *, box: tree)
    assert set(found) < set(seeing.contacts(PIXELS, box=[0, 0, 20, 30]))  # a longer reach
    with pytest.raises(PoseQueryError, match="measured=False"):
        seeing.contacts(tree, seed=1)
    with pytest.raises(PoseQueryError, match="expected one pose"):
        seeing.contacts(some_pose(2))


def test_contacts_that_the_model_says_are_read_from_a_table(
    seeing: UniPose, monkeypatch: pytest.MonkeyPatch
):
    pairs = [("left hand", "left thigh")]
    ear = Ear(monkeypatch, seeing, write_contacts(pairs))
    assert seeing.contacts(some_pose(), measured=False) == pairs
    assert ear.heard == "Which body parts of the pose # touch?"
    assert seeing.contacts(PIXELS, box=[0, 0, 20, 30], measured=False, seed=1) == pairs
    assert ear.heard == "Which body parts of the person in # touch?"
    with pytest.raises(AnswerParseError, match="first person"):
        seeing.contacts(PIXELS, people=2)
    with pytest.raises(PoseQueryError, match="2 people in a pose"):
        seeing.contacts(some_pose(), people=2)


def test_an_action_is_the_one_nearest_to_the_motion(monkeypatch: pytest.MonkeyPatch):
    seeing = seeing_assistant()
    seeing.motion_labeller = bent_elbow_labeller()
    space = seeing.motion_labeller.space
    assert isinstance(space, BentElbowTexts)
    turns = torch.zeros(3, 22, 3)
    turns[:, LEFT_ELBOW, 1] = -2.0
    bent, names = Pose.from_axis_angle(turns), ["stand", "BendElbow"]
    assert seeing.label(bent, names) == "BendElbow"
    assert seeing.label(Pose.from_axis_angle(0 * turns, fps=120.0), names) == "stand"
    assert seeing.label(bent[0], names) == "BendElbow"
    assert space.frames == [31, 1, 1]  # half a second from pose to pose unless told
    seen: list[object] = []
    monkeypatch.setattr(seeing, "estimate", lambda image: seen.append(image) or bent[0])
    assert seeing.label([PIXELS] * 20, names) == "BendElbow"
    assert len(seen) == MOST_PICTURES
    assert seeing.label(PIXELS, names) == "BendElbow"
    for wrong in (["walk"], ["walk", "Walk"], ["walk", "walk."], ["walk", "."], []):
        with pytest.raises(PoseQueryError, match="two different actions"):
            seeing.label([PIXELS], wrong)
    with pytest.raises(PoseQueryError, match="got none"):
        seeing.label([], names)


def test_a_label_that_the_model_says_is_one_of_the_actions(
    seeing: UniPose, monkeypatch: pytest.MonkeyPatch
):
    ear = Ear(monkeypatch, seeing, "Walk.")
    assert seeing.label(some_pose(9), ["jump", "walk"], measured=False) == "walk"
    assert ear.heard == (
        'Which of these actions do you see in the poses # # #: "jump"; "walk"?'
    )  # fmt: skip
    assert seeing.label([PIXELS] * 5, ["jump", "walk"], measured=False) == "walk"
    assert ear.heard.count("#") == 2
    with pytest.raises(AnswerParseError, match="expected one of 'sit', 'run'"):
        seeing.label([PIXELS], ["sit", "run"], measured=False)
    assert seeing.label(PIXELS, ["jump", "walk"], measured=False) == "walk"
    assert ear.heard.count("#") == 1


def test_a_model_without_eyes_says_so_for_every_question(tmp_path: Path):
    blind = tiny_assistant()
    for ask in (
        lambda: blind.estimate(PIXELS),
        lambda: blind.describe(tmp_path / "not there.png"),
        lambda: blind.compare(PIXELS, PIXELS),
        lambda: blind.contacts(PIXELS),
        lambda: blind.label([PIXELS], ["jump", "walk"]),
    ):
        with pytest.raises(BlindModelError, match="this model cannot see"):
            ask()


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 9), (5, 5, 2, 9), (60, 5, 70, 9), (-9, -9, -1, -1), (1, 2, 3)]
)
def test_a_box_beside_the_picture_is_named(seeing: UniPose, box: tuple):
    with pytest.raises(PoseQueryError, match="50 x 40 pixels"):
        seeing.estimate(PIXELS, box=box)


def test_what_is_no_picture_is_named(seeing: UniPose, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(FileError, match="is no whole picture"):
        seeing.estimate(tmp_path / "a.png")
    with pytest.raises(PoseQueryError, match="not with both"):
        seeing.estimate(PIXELS, box=(1, 2, 20, 30), who="the person in red")
    with pytest.raises(PoseQueryError, match="empty request"):
        seeing.estimate(PIXELS, who=" ")


def test_a_pose_and_a_picture_are_compared_by_the_pose_in_the_picture(
    seeing: UniPose, monkeypatch: pytest.MonkeyPatch
):
    asked = Ear(monkeypatch, seeing)
    seeing.compare(some_pose(), PIXELS)
    kinds = [[type(part) for part in question if not isinstance(part, str)]
             for question in asked.questions]  # fmt: skip
    assert kinds == [[Picture], [torch.Tensor, torch.Tensor]]


def test_a_box_shows_the_model_something_else(seeing: UniPose):
    whole = seeing._picture(PIXELS, None)
    part = seeing._picture(PIXELS, [1.0, 2.0, 20.0, 30.0])
    assert whole.pose.shape == part.pose.shape
    assert not np.array_equal(whole.pose, part.pose)
