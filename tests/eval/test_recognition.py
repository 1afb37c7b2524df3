"""Contacts and actions: who knows scores 1, who does not scores chance, and nothing is guessed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import roma
import torch

from data_builders.picture_pool import Example, PicturedPerson, StudioPictures
from data_builders.studio import Motions, Studio
from eval.recognition import (
    COLUMNS,
    Question,
    RecognitionModel,
    RecognitionOptions,
    _not_looking,
    held_out,
    questions,
    rows_of,
    score_actions,
    score_contacts,
    score_studio,
)
from tests.fakes.motion_labels import bent_elbow_labeller
from tests.fakes.studio import made_up_motions, make_studio
from tests.fakes.tiny_eyes import seeing_assistant, some_pixels
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import AnswerParseError, ConfigError
from unipose.language.answers import Pair
from unipose.language.pictures import Picture
from unipose.language.templates import Task

ACTIONS = ("climb", "dance", "kick", "run")
TOUCHES = (
    ("left hand", "left thigh"), ("left hand", "right hand"), ("right hand", "head"),
    ("left foot", "right foot"),
)  # fmt: skip
PEOPLE = 8


def key_of(shown: Pose | Picture) -> bytes:
    seen = shown.rotations[0] if isinstance(shown, Pose) else shown.pose
    return seen.numpy().tobytes()


class Knowing:
    """Answers with the truth of the examples it knows; others it says it cannot tell."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.known: dict[bytes, Example] = {}
        for example in examples:
            first = example.shown[0]
            self.known[key_of(first.picture)] = example
            if first.rotations is not None:
                self.known[key_of(Pose.from_rotations(first.rotations[None]))] = example

    def contacts(self, shown: Pose | Picture, *, people: int = 1) -> list[Pair]:
        example = self._known(shown)
        assert example.people == people
        pairs = list(example.contacts)
        return [(b, a) for a, b in reversed(pairs)] if people == 1 else pairs

    def label(self, shown: Pose | Sequence[Picture], actions: Sequence[str]) -> str:
        return self._known(shown if isinstance(shown, Pose) else shown[0]).label

    def _known(self, shown: Pose | Picture) -> Example:
        if key_of(shown) not in self.known:
            raise AnswerParseError("expected an answer, got nothing")
        return self.known[key_of(shown)]


class Babbling:
    """Says the same, whoever is shown."""

    def contacts(self, shown: Pose | Picture, *, people: int = 1) -> list[Pair]:
        return list(TOUCHES[:2])

    def label(self, shown: Pose | Sequence[Picture], actions: Sequence[str]) -> str:
        return actions[0]


def made_up(number: int, **known) -> Example:
    turned = roma.rotvec_to_rotmat(torch.full((22, 3), 0.01 * number))
    picture = Picture(clip=None, pose=torch.full((1, 1, 1), float(number)))
    return Example(shown=(PicturedPerson(picture=picture, rotations=turned),), **known)


@pytest.fixture
def touching() -> list[Example]:
    """Return people who touch themselves, one after the other in another place, then pairs."""
    alone = [made_up(i, contacts=TOUCHES[i % 4 : i % 4 + 1]) for i in range(6)]
    return alone + [made_up(6 + i, contacts=TOUCHES[i : i + 2], people=2) for i in range(3)]


@pytest.fixture
def moving() -> list[Example]:
    return [made_up(i, label=ACTIONS[i % 4]) for i in range(200)]


def test_who_knows_the_truth_scores_one(touching: list[Example], moving: list[Example]) -> None:
    contacts = score_contacts(Knowing(touching), touching, as_poses=False)
    assert (contacts["f1"], contacts["precision"], contacts["recall"]) == (1.0, 1.0, 1.0)
    assert contacts["chance_f1"] < 0.5  # type: ignore[operator]
    asked = questions(moving[:20], ACTIONS, 3, seed=0)
    for as_poses in (False, True):
        actions = score_actions(Knowing(moving), asked, as_poses=as_poses)
        assert (actions["accuracy"], actions["unread"]) == (1.0, 0)


def test_who_says_the_same_of_everybody_scores_chance(
    touching: list[Example], moving: list[Example]
) -> None:
    contacts = score_contacts(Babbling(), touching, as_poses=False)
    assert 0 < contacts["f1"] < 1  # type: ignore[operator]
    assert contacts["f1"] == contacts["chance_f1"]
    actions = score_actions(Babbling(), questions(moving, ACTIONS, 4, seed=0), as_poses=False)
    assert actions["chance_accuracy"] == 0.25
    assert actions["accuracy"] == pytest.approx(0.25, abs=0.08)


def test_an_answer_that_cannot_be_read_names_nothing_and_is_counted(
    touching: list[Example], moving: list[Example]
) -> None:
    contacts = score_contacts(Knowing(touching[:4]), touching[:6], as_poses=False)
    assert (contacts["unread"], contacts["named"], contacts["true"]) == (2, 4, 6)
    assert (contacts["precision"], contacts["recall"]) == (1.0, pytest.approx(4 / 6))
    asked = questions(moving[:8], ACTIONS, 3, seed=0)
    actions = score_actions(Knowing(moving[:6]), asked, as_poses=False)
    assert (actions["unread"], actions["accuracy"]) == (2, 0.75)


@pytest.mark.parametrize(("people", "f1"), [(1, 1.0), (2, 0.0)])
def test_contacts_of_two_people_keep_their_order_and_ones_own_do_not(
    people: int, f1: float
) -> None:
    class Turning(Babbling):
        def contacts(self, shown: Pose | Picture, *, people: int = 1) -> list[Pair]:
            return [("right hand", "left hand")]

    pair = ("left hand", "right hand")
    examples = [made_up(i, contacts=(pair,), people=people) for i in range(2)]
    assert score_contacts(Turning(), examples, as_poses=False)["f1"] == f1


def test_nobody_is_held_against_their_own_truth_by_chance(touching: list[Example]) -> None:
    one = [example for example in touching if example.people == 2][:1]
    found = score_contacts(Knowing(one), one, as_poses=False)
    assert (found["f1"], found["chance_f1"]) == (1.0, 0.0)


def test_the_right_action_stands_once_among_the_choices(moving: list[Example]) -> None:
    asked = questions(moving, ACTIONS, 3, seed=1)
    assert all(question.actions.count(question.example.label) == 1 for question in asked)
    assert all(len(set(question.actions)) == 3 for question in asked)
    places = {question.actions.index(question.example.label) for question in asked}
    assert places == {0, 1, 2}
    assert [q.actions for q in asked] == [q.actions for q in questions(moving, ACTIONS, 3, seed=1)]


def test_two_spellings_of_an_action_are_one_choice() -> None:
    asked = questions([made_up(0, label="run")], ("Run", "climb", "run"), 3, seed=0)
    assert sorted(asked[0].actions) == ["climb", "run"]


def test_an_action_is_right_in_any_spelling() -> None:
    class Spaced(Babbling):
        def label(self, shown: Pose | Sequence[Picture], actions: Sequence[str]) -> str:
            return "pick up a box"

    asked = [Question(example=made_up(0, label="Pick up  a box"), actions=("Pick up  a box", "x"))]
    assert score_actions(Spaced(), asked, as_poses=False)["accuracy"] == 1.0


@pytest.fixture(scope="module")
def studio() -> Studio:
    """Return a studio of films of two actions."""
    takes = [
        replace(take, label=label)
        for take, label in zip(made_up_motions().takes, ("wave", "kick"), strict=True)
    ]
    config = make_studio(mixed=0.0, frames=3, fps=2.0).config
    return Studio(config, Motions(takes, fps=30.0), load_body())


@pytest.fixture
def options(tmp_path: Path) -> RecognitionOptions:
    return RecognitionOptions(data=tmp_path, people=PEOPLE, choices=2)


class Numbering:
    """Eyes that know a picture again by its sum and the box."""

    def __call__(self, pixels: torch.Tensor, box: Sequence[float] | None) -> Picture:
        known = (float(pixels.double().sum()), *(box or (0.0,) * 4))
        return Picture(clip=None, pose=torch.tensor(known)[None, None])


def test_the_studio_is_asked_about_as_pictures_and_as_poses(
    studio: Studio, options: RecognitionOptions
) -> None:
    source = StudioPictures(studio, Numbering(), stills=10 * PEOPLE, films=PEOPLE)
    touching = held_out(source, Task.CONTACTS, PEOPLE, seed=0)
    films = held_out(source, Task.MOTION_LABEL, PEOPLE, seed=0)

    class Remembering(Babbling):
        contacts = Knowing(touching).contacts
        label = Knowing(films).label

    found = score_studio(Remembering(), Numbering(), studio, options, sees=True)
    by = found["by"]
    assert isinstance(by, dict)
    assert list(by) == [
        "contacts of poses", "contacts in pictures", "actions of poses", "actions in pictures",
    ]  # fmt: skip
    assert by["contacts in pictures"]["true"] > 0
    for figure in ("contacts_f1", "pose_actions_accuracy", "actions_accuracy"):
        assert found[figure] == 1.0, figure
    assert found["chance_actions_accuracy"] == 0.5
    assert all(len(row) == len(COLUMNS) and row[-1] == 0 for row in rows_of(found))


def test_without_eyes_poses_alone_are_asked_about(
    studio: Studio, options: RecognitionOptions
) -> None:
    found = score_studio(Babbling(), _not_looking, studio, options, sees=False)
    assert set(found["by"]) == {"contacts of poses", "actions of poses"}  # type: ignore[call-overload]
    assert "contacts_f1" not in found
    assert "pose_contacts_f1" in found


def test_where_all_do_the_same_no_action_is_asked_for(options: RecognitionOptions) -> None:
    found = score_studio(Babbling(), _not_looking, make_studio(mixed=0.0), options, sees=False)
    assert set(found["by"]) == {"contacts of poses"}  # type: ignore[call-overload]


@pytest.mark.parametrize("as_poses", [False, True])
def test_a_language_model_that_sees_is_asked_about_the_pose_or_the_picture_itself(
    as_poses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = seeing_assistant()
    assistant.motion_labeller = bent_elbow_labeller()
    assert isinstance(assistant, RecognitionModel)
    picture = assistant.model.look(some_pixels(), None)
    person = PicturedPerson(picture=picture, rotations=torch.eye(3).repeat(22, 1, 1))
    still = Pose.from_rotations(person.rotations[None])
    monkeypatch.setattr(assistant, "estimate", lambda image: still)
    shown = still if as_poses else [picture]
    actions = ("climb", "run")
    said = assistant.label(shown, actions)
    other = actions[1 - actions.index(said)]
    looked_at: list[object] = []
    label = assistant.label
    monkeypatch.setattr(
        assistant, "label", lambda seen, among: looked_at.append(seen) or label(seen, among)
    )
    asked = [
        Question(example=Example(shown=(person,), label=truth), actions=actions)
        for truth in (said, said, other)
    ]
    found = score_actions(assistant, asked, as_poses=as_poses)
    assert (found["accuracy"], found["asked"]) == (pytest.approx(2 / 3), 3)
    if as_poses:
        assert all(torch.equal(seen.rotations, shown.rotations) for seen in looked_at)
    else:
        assert all(len(seen) == 1 and seen[0] is picture for seen in looked_at)


def test_chance_needs_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two"):
        RecognitionOptions(data=tmp_path, people=1)


def test_the_same_seed_asks_the_same(studio: Studio) -> None:
    source = StudioPictures(studio, Numbering(), stills=40, films=4)
    first = source.example(Task.CONTACTS, random.Random("0 contacts 0"))
    again = held_out(source, Task.CONTACTS, 1, seed=0)[0]
    assert again.contacts == first.contacts
    assert torch.equal(again.shown[0].picture.pose, first.shown[0].picture.pose)
