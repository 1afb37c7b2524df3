"""What training draws from: each kind of source, shares that hold, the same seed the same rows."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import torch

from data_builders.annotated_poses import AnnotatedPair, AnnotatedPoses
from data_builders.labelled_pictures import LabelledPictures
from data_builders.mixed_talk import MixedTalk
from data_builders.pose_pool import AS_RECORDED, PoolConfig, PosePool
from data_builders.pose_talk import TalkConfig
from data_builders.readers.source import Drops
from data_builders.training_pictures import read_pictures
from data_builders.training_sources import TrainingPoses, parse_sources, read_sources
from tests.data_builders.test_mocap import small_folder
from tests.fakes.tiny_eyes import seeing_assistant
from tests.fakes.training_sources import write_sources
from tokenizer.rotations import rotations_to_6d
from unipose.body.body import load_body
from unipose.body.facing import yaw_of
from unipose.errors import ConfigError, EmptySourceError, MissingFileError, SourceError
from unipose.language.rendering import WRITTEN_POSE, Row
from unipose.language.templates import Task, Wording
from unipose.posecodes.claims import claimed
from unipose.posecodes.reader import read_statements

SEEING = seeing_assistant()
V = SEEING.vocabulary
PLAIN = TalkConfig(wording=Wording.FIXED, plain_typing=0.0, few_words=0.0)
STILL = PoolConfig(mixed=0.0, turn=0.0, yaw=0.0, tilt=0.0)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_sources(tmp_path_factory.mktemp("sources"))


def read(*texts: str, split: str = "train") -> TrainingPoses:
    return read_sources(parse_sources(texts), split)


def talk(poses: TrainingPoses, config: TalkConfig = PLAIN):
    return poses.talk(
        joints_at_rest=load_body().rest_joints,
        encode=lambda rotations: SEEING.model.codec.encode(rotations_to_6d(rotations)),
        vocabulary=V,
        config=config,
    )


def said(row: Row) -> str:
    return V.decode([t for t in row.targets if 0 <= t < V.first_code])


def question(row: Row) -> str:
    return V.decode(row.ids[: row.ids.index(V.turn[-1])])


def drawn(text: str, config: TalkConfig = PLAIN, *, count: int = 24) -> list[Row]:
    return talk(read(text), config).draw(count, seed=1, step=2)


def test_posescript_gives_its_own_texts_with_their_poses(asked):
    poses = read(asked["posescript"])
    (own,) = poses.annotated
    # 1 and 3 are of train; what is of no list is of train as the reader says; 2 is val, 4 test
    assert len(own.captions) == 2
    rows = talk(poses).draw(30, seed=1, step=0)
    texts = {"The person stands.", "Someone is upright.", "They stand.", "Standing.", "Upright."}
    described = [row for row in rows if WRITTEN_POSE not in row.kinds]
    assert {said(row) for row in described} <= texts
    assert len({said(row) for row in described}) > 2
    generated = [question(row) for row in rows if WRITTEN_POSE in row.kinds]
    assert generated
    assert all(any(text in words for text in texts) for words in generated)


def test_posefix_gives_its_own_modifiers(asked):
    rows = drawn(asked["posefix"])
    compared = {said(row) for row in rows if WRITTEN_POSE not in row.kinds}
    assert compared == {"Lower it."}  # pair 0 is of val
    assert {question(row).partition(": ")[2] for row in rows if WRITTEN_POSE in row.kinds} == {
        "Lower it."
    }


def test_what_a_text_of_their_own_asks_for_is_read_or_left_out():
    pool = PosePool.random(3, seed=0)
    readable = "Both hands are above the head."
    other = "Both hands are above the head, like a heron, more or less."
    poses = TrainingPoses(
        pool=PosePool.mix([pool], [1.0]),
        annotated=(
            AnnotatedPoses(rotations=pool.rotations, captions=[(0, (readable,)), (1, (other,))]),
        ),
        names=("own",),
    )
    rows = talk(poses).draw(40, seed=0, step=0)
    told = {question(row): row.told for row in rows if WRITTEN_POSE in row.kinds}
    by_text = {text: told[q] for q in told for text in (readable, other) if text in q}
    assert by_text[readable].tolist() == claimed([read_statements(readable)])[0].tolist()
    assert by_text[readable].any()
    assert by_text[other] is None


def test_amass_poses_get_texts_of_our_writers(asked):
    poses = read(asked["amass"])
    assert poses.annotated == (None,)
    assert len(poses.pool) == 100  # CMU and KIT: HumanEva is val, SSM is test
    assert poses.pool.moves
    rows = talk(poses).draw(20, seed=0, step=0)
    assert {WRITTEN_POSE in row.kinds for row in rows} == {True, False}
    assert len({said(row) for row in rows if WRITTEN_POSE not in row.kinds}) > 5
    assert len(read(asked["amass"], split="val").pool) == 50


def test_a_built_imagescript_gives_captions_and_changes_of_those_whose_pose_is_known(asked):
    poses = read(asked["imagescript"])
    (own,) = poses.annotated
    assert own.tasks == {Task.DESCRIBE, Task.GENERATE, Task.COMPARE, Task.EDIT}
    assert (len(own.captions), len(own.pairs)) == (2, 2)  # the odd ones are COCO's
    assert "3 records were left out" in poses.report
    assert "Bend it." in own.texts
    assert "Stand." in own.texts


def test_a_folder_with_a_manifest_is_a_source_and_without_sources_it_is_the_data(tmp_path):
    small_folder(tmp_path)
    assert len(read(f"mocap={tmp_path}?fps=60").pool) == 5
    alone = TrainingPoses.read(tmp_path)
    assert (alone.report, len(alone.pool)) == ("", 3)


def test_labels_of_pictures_are_poses_too(asked):
    poses = read(asked["bedlam"])
    assert len(poses.pool) == 1
    assert not poses.pool.moves
    torch.testing.assert_close(poses.pool.rotations[0, 0], torch.eye(3), atol=1e-5, rtol=0)


class Echo:
    """A talk whose samples say which it is and which seed it was given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def draw(self, count: int, *, seed: int, step: int) -> list[Row]:
        return [Row(ids=[ord(self.name), seed])] * count


def test_shares_hold_over_many_draws_and_no_two_sources_have_the_same_seed():
    mixed = MixedTalk([Echo("a"), Echo("b"), Echo("c")], [5.0, 3.0, 2.0])
    rows = [row for step in range(400) for row in mixed.draw(10, seed=7, step=step)]
    counts = Counter(chr(row.ids[0]) for row in rows)
    assert {name: count / 4000 for name, count in counts.items()} == pytest.approx(
        {"a": 0.5, "b": 0.3, "c": 0.2}, abs=0.025
    )
    assert len({row.ids[1] for row in rows}) == 3


def test_a_mixed_pool_draws_each_source_as_its_share_says():
    turns = torch.eye(3).expand(4, 22, 3, 3)
    few, many = PosePool(turns[:1]), PosePool(PosePool.random(99, seed=0).rotations)
    pool = PosePool.mix([few, many], [1.0, 3.0])
    poses = pool.draw(4000, torch.Generator().manual_seed(0), STILL)
    unturned = (poses == turns[0]).flatten(1).all(dim=1).float().mean()
    assert float(unturned) == pytest.approx(0.25, abs=0.025)
    mixed = PoolConfig(mixed=1.0, turn=0.0, yaw=0.0, tilt=0.0)
    poses = pool.draw(4000, torch.Generator().manual_seed(0), mixed)  # limbs are of one source
    unturned = (poses == turns[0]).flatten(1).all(dim=1).float().mean()
    assert float(unturned) == pytest.approx(0.25, abs=0.025)


def test_moments_are_of_sources_that_move_and_of_one_recording():
    still = PosePool(PosePool.random(50, seed=0).rotations, torch.arange(50))
    film = PosePool.random(200, seed=1)
    pool = PosePool.mix([still, film], [9.0, 1.0])
    first, second = pool.draw_moments(60, torch.Generator().manual_seed(0), AS_RECORDED)
    same = torch.isclose(first, second).flatten(1).all(dim=1)
    assert same.float().mean() < 0.2  # but for those at the end of the recording
    assert torch.equal(pool.part(1).rotations, film.rotations)
    with pytest.raises(ConfigError, match="frames per second"):
        _ = PosePool.mix([film, PosePool(film.rotations, fps=10.0)], [1.0, 1.0]).fps


@pytest.mark.slow
def test_the_same_seed_and_step_give_the_same_samples_however_they_are_read(asked):
    texts = (f"{asked['amass']}&share=2", f"{asked['posescript']}&share=1", asked["posefix"])
    one, again = (talk(read(*texts)).draw(16, seed=3, step=5) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        assert (a.ids, a.kinds, a.targets) == (b.ids, b.kinds, b.targets)
    other = talk(read(*texts)).draw(16, seed=3, step=6)
    assert [row.ids for row in one] != [row.ids for row in other]
    practice = talk(read(*texts)).practise(8, seed=3, step=5)
    assert len(practice.first) == len(practice.told) == 8


def test_a_pair_turns_together_and_faces_alike_where_a_turn_means_nothing():
    poses = PosePool.random(8, seed=4).rotations
    pairs = [
        AnnotatedPair(first=2 * i, second=2 * i + 1, texts=("Move.",), same_world=bool(i % 2))
        for i in range(4)
    ]
    own = AnnotatedPoses(rotations=poses, pairs=pairs)
    first, second, texts = own.draw_modifiers(30, torch.Generator().manual_seed(0), PoolConfig())
    assert set(texts) == {"Move."}
    for a, b in zip(first, second, strict=True):
        i = next(i for i in range(4) if torch.equal(a[1:], poses[2 * i, 1:]))
        assert torch.equal(b[1:], poses[2 * i + 1, 1:])
        turn = a[0] @ poses[2 * i, 0].mT
        before = turn.mT @ b[0]  # as it would be beside the first as it was
        if pairs[i].same_world:
            torch.testing.assert_close(before, poses[2 * i + 1, 0], atol=1e-5, rtol=0)
        else:
            apart = yaw_of(before[None]) - yaw_of(poses[2 * i, :1])
            assert float(torch.cos(apart)) == pytest.approx(1.0, abs=1e-4)


def test_the_report_says_shares_counts_and_what_was_left_out(asked):
    report = read(f"{asked['amass']}&share=3", asked["posescript"]).report
    assert "amass: 75.0% of samples, 100 poses\n" in report
    assert "posescript: 25.0% of samples, 2 poses with 8 texts of their own\n" in report
    assert "1 records were left out" in report
    assert "no 4000" in report


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("amas=/data", "no source is called 'amas'; there are mocap, .*, imagescript"),
        ("amass", "expected NAME=FOLDER"),
        ("amass=/data?share=0", "share must be a number above 0, got '0'"),
        ("amass=/data?share=-1", "share must be a number above 0"),
        ("amass=/data?share=half", "share must be a number above 0, got 'half'"),
        ("amass=/data?share=nan", "share must be a number above 0"),
        ("amass=/data?split=test", "leave split out"),
        ("amass=/data?texts=all", "amass has no option 'texts'"),
        ("imagescript=/data?texts=human", "texts=automatic or texts=refined"),
        ("imagescript=/data?fps=3", "texts=automatic or texts=refined"),
    ],
)
def test_what_cannot_be_asked_for_is_named(text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        parse_sources([text])


def test_a_source_with_nothing_of_the_split_is_an_error_in_training_alone(asked, tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        read(f"amass={tmp_path / 'nowhere'}")
    with pytest.raises(EmptySourceError, match="imagescript-a or imagediff-a"):
        read(f"imagescript={tmp_path}")
    with pytest.raises(EmptySourceError, match="gave no usable record"):
        read(f"{asked['amass']}&only=GRAB/*")
    assert read(asked["amass"], asked["bedlam"], split="val").names == ("amass",)
    with pytest.raises(ConfigError, match="none of the sources bedlam has poses of"):
        read(asked["bedlam"], split="val")


def test_tasks_that_a_source_has_no_texts_for_are_refused(asked):
    only = TalkConfig(shares=((Task.DESCRIBE, 1.0),))
    with pytest.raises(ConfigError, match=r"examples of compare, edit, but .* describe 1"):
        talk(read(asked["posefix"]), only)


def test_sources_of_pictures_are_opened_with_the_eyes_of_a_model(asked):
    sources = parse_sources([f"{asked['bedlam']}&share=2", asked["imagescript"]])
    drops = Drops()
    found = read_pictures(sources, drops, kept=4)
    assert [share for share, _ in found] == [2.0, 1.0]
    looked = []

    def look(pixels, box):
        looked.append(pixels.shape)
        return SEEING.model.eyes.prepare(pixels, box)

    source = found[0][1](look)
    assert isinstance(source, LabelledPictures)
    example = source.example(Task.ESTIMATE, random.Random(0))
    # upright, seen by a level camera from the front
    assert float(example.shown[0].rotations[0, 1, 1]) > 0.9
    source.example(Task.ESTIMATE, random.Random(1))
    assert looked == [(720, 1280, 3)]
    with pytest.raises(ConfigError, match="amass has no pictures"):
        read_pictures(parse_sources([asked["amass"]]), drops, kept=4)
    with pytest.raises(MissingFileError, match="no pictures of the split 'train'"):
        read_pictures(parse_sources([f"imagescript={Path('nowhere')}"]), drops, kept=4)
