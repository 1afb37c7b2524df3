"""Samples about pictures: from the studio and from a built folder, the same every time, true."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_builders.built_pictures import BuiltPictures
from data_builders.image_talk import ImageTalk, ImageTalkConfig
from data_builders.picture_pool import StudioPictures, seen_in_crop
from data_builders.posecodes.scores import score_changes, score_statements
from tests.fakes.image_talk import make_person, make_row, write_image_talk, write_rows
from tests.fakes.studio import make_studio
from tests.fakes.tiny_eyes import GUESSING_EYES, seeing_assistant
from tokenizer.rotations import rotations_to_6d
from train.vision_training import cached_encoder, decoder_of, encoder_of
from unipose.body.body import load_body
from unipose.body.facing import face_front, without_yaw
from unipose.body.kinematics import forward_kinematics
from unipose.errors import ConfigError, MissingFileError
from unipose.language.answers import read_contacts
from unipose.language.concept_losses import losses_of
from unipose.language.pictures import Picture
from unipose.language.rendering import PATCH, WRITTEN_POSE, Row, collate
from unipose.language.templates import Task, Wording
from unipose.posecodes.claims import claims, true_claims

SEEING = seeing_assistant()
V = SEEING.vocabulary


class Eye:
    """Takes pictures as the tiny eyes do, and counts them."""

    def __init__(self) -> None:
        self.looked = 0

    def __call__(self, pixels, box) -> Picture:
        self.looked += 1
        return SEEING.model.eyes.prepare(pixels, box)


def encode(rotations: torch.Tensor) -> torch.Tensor:
    return SEEING.model.codec.encode(rotations_to_6d(rotations))


@pytest.fixture(scope="module")
def studio() -> StudioPictures:
    real = make_studio(frames=3, fps=2.0)
    real.motions.takes[1] = replace(real.motions.takes[1], label="walk on")
    return StudioPictures(real, Eye(), stills=12, films=3)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltPictures:
    folder = tmp_path_factory.mktemp("built")
    write_image_talk(folder)
    seen = {"root_in_camera": [3.14, 0.0, 0.0]}
    rows = [make_row("imagescript-a", i, person=make_person(0, key=f"studio/0/{i}#0", **seen))
            for i in range(3)]  # fmt: skip
    rows.append(make_row("imagescript-a", 3, person=make_person(0, label="jump", **seen)))
    write_rows(folder, "imagescript-a", rows)
    write_rows(folder, "reasoning", [make_row("reasoning", 0, person=make_person(0, **seen))])
    return BuiltPictures.read(folder, Eye(), cache=folder / "cache")


def talk(*sources, **changes) -> ImageTalk:
    config = replace(ImageTalkConfig(), **changes)
    return ImageTalk(
        sources,
        joints_at_rest=load_body().rest_joints,
        encode=encode,
        decode=SEEING.model.codec.rotations,
        vocabulary=V,
        config=config,
    )


def said(row: Row) -> str:
    """What is learned to be answered, as text."""
    return V.decode([t for t in row.targets if 0 <= t < V.first_code])


def asked(row: Row) -> str:
    return V.decode(row.ids[: row.ids.index(V.turn[-1])])


def same(one: list[Row], other: list[Row]) -> bool:
    alike = all((a.ids, a.kinds, a.targets) == (b.ids, b.kinds, b.targets)
                for a, b in zip(one, other, strict=True))  # fmt: skip
    pictures = [[p.pose for r in rows for p in r.pictures] for rows in (one, other)]
    return alike and all(torch.equal(a, b) for a, b in zip(*pictures, strict=True))


@pytest.fixture(params=["studio", "built"])
def source(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def only(task: Task) -> dict:
    return {"shares": ((task, 1.0),)}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_samples_and_another_step_gives_others(studio, built):
    one, again = (talk(studio, built).draw(12, seed=3, step=4) for _ in range(2))
    assert same(one, again)
    other = talk(studio, built).draw(12, seed=3, step=5)
    assert [r.ids for r in one] != [r.ids for r in other]


def test_every_task_becomes_rows_that_a_model_learns_from(source):
    for task in sorted(source.tasks):
        rows = talk(source, **only(task)).draw(3, seed=0, step=0)
        assert len(rows) == 3
        losses = losses_of(SEEING.model, collate(rows, pad=V.pad))
        assert torch.isfinite(losses.text), task
        poses = sum(WRITTEN_POSE in row.kinds for row in rows)
        assert poses == (3 if task in (Task.ESTIMATE, Task.REASON) else 0), task
        assert losses.text > 0


@pytest.mark.parametrize("task", [Task.IMAGE_DIFF, Task.ESTIMATE, Task.CONTACTS])
def test_what_the_eyes_guess_is_read_beside_the_picture_with_what_is_true_of_it(studio, task):
    guessing = seeing_assistant(GUESSING_EYES)
    studio = StudioPictures(studio.studio, cached_encoder(guessing.model), stills=4, films=2)
    talking = talk(studio, **only(task), poses=0.0)
    talking.encode, talking.decode = encoder_of(guessing.model), decoder_of(guessing.model)
    rows = talking.draw(3, seed=0, step=0)
    for row in rows:
        guesses = [picture.guess for picture in row.pictures]
        assert row.source == guesses[-1].tolist()
        joints = forward_kinematics(
            face_front(guessing.model.codec.rotations(torch.stack(guesses))),
            load_body().rest_joints,
        ).numpy()
        before = joints[-2:-1] if len(joints) > 1 else joints
        assert row.facts.tolist() == true_claims(before, joints[-1:])[0].tolist()
    losses = losses_of(guessing.model, collate(rows, pad=V.pad))
    assert torch.isfinite(losses.text)
    if task == Task.ESTIMATE:
        assert losses.codes > 0


@pytest.mark.slow
@pytest.mark.parametrize("task", [Task.IMAGE_TO_TEXT, Task.IMAGE_DIFF])
def test_of_a_few_drafts_the_one_is_learned_that_the_eyes_confirm(studio, task):
    guessing = seeing_assistant(GUESSING_EYES)
    films = StudioPictures(studio.studio, cached_encoder(guessing.model), stills=12, films=3)

    def confirmed(drafts: int) -> float:
        talking = talk(films, **only(task), drafts=drafts)
        talking.encode, talking.decode = encoder_of(guessing.model), decoder_of(guessing.model)
        rows = talking.draw(16, seed=0, step=0)
        seen = [talking._joints(talking._guesses(row.pictures)) for row in rows]
        before, after = (np.stack([some[i] for some in seen]) for i in (0, -1))
        texts, made = [said(row) for row in rows], np.ones(len(rows), dtype=bool)
        if task == Task.IMAGE_TO_TEXT:
            return score_statements(texts, after, made).true_strict
        return score_changes(texts, before, after, made).true_strict

    assert confirmed(6) > confirmed(1)


def test_poses_and_pictures_are_mixed_in_one_batch(source):
    rows = talk(source).draw(16, seed=1, step=0)
    assert len(rows) == 16
    batch = collate(rows, pad=V.pad)
    assert int((batch.kinds == PATCH).sum()) == len(batch.pictures) * V.patches
    assert torch.isfinite(losses_of(SEEING.model, batch).text)


def test_what_was_looked_at_once_is_kept(studio):
    talk(studio).draw(8, seed=0, step=0)
    looked = studio.look.looked
    talk(studio).draw(8, seed=0, step=0)
    assert studio.look.looked == looked


def test_who_faces_the_camera_faces_the_front():
    local = torch.eye(3).expand(22, 3, 3)
    facing = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # their front is our near
    seen = seen_in_crop(local, facing, (40.0, 20.0, 60.0, 80.0), 100.0, (50.0, 50.0))
    torch.testing.assert_close(seen[0], torch.eye(3))
    aside = seen_in_crop(local, facing, (90.0, 20.0, 110.0, 80.0), 100.0, (50.0, 50.0))
    turn = without_yaw(aside[:1])[0].mT @ aside[0]
    assert 0.3 < float(torch.rad2deg(torch.acos(turn[0, 0]))) / 26.6 < 1.1  # atan(50 / 100)


def test_a_pose_to_estimate_is_the_pose_of_the_picture(studio):
    example = studio.example(Task.ESTIMATE, random.Random(0))
    root = example.shown[0].rotations[0]
    torch.testing.assert_close(root @ root.mT, torch.eye(3), atol=1e-5, rtol=0)
    upright = float(root[1, 1])  # a camera held level sees most people standing
    assert upright > 0.5
    row = talk(studio, **only(Task.ESTIMATE)).draw(1, seed=0, step=0)[0]
    learned = [t - V.first_code for t, k in zip(row.targets, row.kinds) if k == WRITTEN_POSE]
    assert len(learned) == V.length
    assert row.told is not None
    assert row.told.sum() > 5


def test_who_is_meant_is_said_in_words_that_fit_one(studio):
    for row in talk(studio, **only(Task.REASON)).draw(4, seed=0, step=0):
        assert "the person" in asked(row)
        assert WRITTEN_POSE in row.kinds


def test_contacts_are_tables_of_parts_that_touch(studio, built):
    rows = talk(studio, built, **only(Task.CONTACTS), poses=0.0).draw(12, seed=0, step=0)
    tables = []
    for row in rows:
        two = "two people" in asked(row)
        tables.append(read_contacts(said(row), people=2 if two else 1))
    assert any(tables)
    assert ("left hand", "left thigh") in [pair for table in tables for pair in table]


def test_an_action_is_one_of_those_to_choose_from(source):
    for row in talk(source, **only(Task.MOTION_LABEL)).draw(6, seed=0, step=0):
        choices = re.findall(r'"(.*?)"', asked(row))
        assert said(row) in choices
        assert len(choices) == len(set(choices)) >= 2


def test_one_action_is_no_choice():
    pictures = StudioPictures(make_studio(), Eye(), stills=1, films=1)
    assert pictures.actions == ("wave with the left hand",)
    assert Task.MOTION_LABEL not in pictures.tasks


def test_poses_stand_in_for_pictures_where_that_is_asked_for(studio):
    row = talk(studio, **only(Task.MOTION_LABEL), poses=1.0).draw(1, seed=0, step=0)[0]
    assert not row.pictures
    assert row.ids.count(V.pose_start) == 3
    assert row.facts is not None
    assert len(row.facts) == len(claims())


def test_fixed_words_are_always_the_same(built):
    rows = talk(built, **only(Task.IMAGE_TO_TEXT), wording=Wording.FIXED).draw(4, seed=0, step=0)
    assert {asked(row) for row in rows} == {
        "Describe the pose of the person in  ."
    }  # a picture between


def test_texts_of_a_built_folder_are_told_as_they_are(built):
    rows = talk(built, **only(Task.IMAGE_DIFF)).draw(4, seed=0, step=0)
    texts = {f"Number {i} stands with the left arm bent." for i in range(3)} | {"Bend it."}
    assert {said(row) for row in rows} <= texts
    assert {len(row.pictures) for row in rows} == {2}


def test_a_source_that_lacks_a_task_is_named(built):
    without = BuiltPictures(tables=built.tables, look=built.look, tasks=frozenset({Task.ESTIMATE}))
    with pytest.raises(ConfigError, match="examples of image_to_text"):
        talk(without)
    with pytest.raises(MissingFileError, match="no pictures of the split 'train'"):
        BuiltPictures.read(Path("nowhere"), Eye())
    with pytest.raises(ConfigError, match="fixed words or as instructions"):
        ImageTalkConfig(wording=Wording.TALK)


def test_no_example_anywhere_is_an_error_not_a_loop(tmp_path: Path):
    write_rows(tmp_path, "imagescript-a", [make_row("imagescript-a", 1)])
    unknown = BuiltPictures.read(tmp_path, Eye(), cache=tmp_path / "cache")
    with pytest.raises(ConfigError, match="an example of estimate"):
        unknown.example(Task.ESTIMATE, random.Random(0))
