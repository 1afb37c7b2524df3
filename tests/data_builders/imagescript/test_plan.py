"""What a build is asked for becomes groups, tasks and files, or a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.plan import Plan
from unipose.errors import ConfigError


def plan(*source: str, **asked: object) -> Plan:
    return Plan(BuildConfig(out=Path("out"), source=source, **asked))


def test_without_counts_the_paper_s_are_asked_for():
    groups = plan("human36m=/h", "coco=/c", "3dpw=/w").groups
    assert {group.name: group.count for group in groups} == {
        "human36m.train": 15_000, "coco.train": 5_000, "3dpw.test": 2_000,
    }  # fmt: skip


def test_counts_of_a_source_replace_all_of_its_own():
    groups = plan("studio=/m", "coco=/c", counts=("studio.test=7",)).groups
    assert {group.name: group.count for group in groups} == {"studio.test": 7, "coco.train": 5_000}


def test_the_number_of_tasks_follows_from_what_is_asked_for():
    found = plan(
        "studio=/m", counts=("studio.train=900", "studio.test=100"), pool=2.0, chunk=400, spare=0.1
    )
    assert [(task.split, len(task.scenes)) for task in found.surveys] == [
        ("train", 500), ("train", 500), ("train", 500), ("train", 300), ("test", 200),
    ]  # fmt: skip
    assert [(piece.start, piece.stop) for piece in found.photographs] == [
        (0, 400), (400, 800), (800, 1200), (0, 400),
    ]  # fmt: skip
    assert found.files == (("train", 0), ("test", 0))


def test_a_source_may_be_asked_twice_and_its_groups_are_one():
    found = plan("human36m=/a?only=s_01*", "human36m=/a?only=s_05*")
    (group,) = found.groups
    assert found.surveys_of(group) == [0, 1]


@pytest.mark.parametrize(
    ("source", "asked", "problem"),
    [
        (("nowhere=/x",), {}, "no source is called 'nowhere'"),
        (("bedlam=/x",), {}, "nothing is asked of bedlam: give --counts bedlam.train=1000"),
        (("coco=/x",), {"counts": ("coco.train",)}, "counts are like coco.train=5000"),
        (("coco=/x",), {"counts": ("coco.weekend=3",)}, "counts are like coco.train=5000"),
        (("studio=/x?poses=nobody",), {}, "expected studio=FOLDER"),
        (("studio=/x", "studio=/y"), {}, "there is one studio"),
        (("coco=/x?name=studio",), {}, "is the name of our own studio"),
        ((), {}, "name at least one --source"),
        (("coco=/x",), {"margin": 0.5}, "a margin below 1 cuts people"),
        (("coco=/x",), {"least_seen": 1.5}, "least_seen must be from 0 to 1"),
        (("coco=/x",), {"extras": ("head",)}, "how the head is held is not known"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(source, asked, problem):
    with pytest.raises(ConfigError, match=problem):
        plan(*source, **asked)
