"""Poses of a conversation: numbers that stay, steps that are undone, names that mean numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unipose.errors import PoseQueryError
from unipose.posecodes.held_poses import HeldPoses, state_line


def holding(count: int, *chosen: int) -> HeldPoses[str]:
    """Return so many poses, "1" the first of them, after some were chosen one by one."""
    held = HeldPoses[str]()
    for number in range(1, count + 1):
        held.hold(str(number))
    for number in chosen:
        held.choose(number)
    return held


STEPS = st.lists(st.sampled_from(("hold", "choose", "undo", "redo")), max_size=30)


@given(STEPS, st.randoms(use_true_random=False))
def test_undoing_and_redoing_a_step_changes_nothing(steps: list[str], random: object):
    held = holding(1)
    for step in steps:
        try:
            if step == "hold":
                held.hold("new")
            elif step == "choose":
                held.choose(random.randint(1, len(held)))  # type: ignore[attr-defined]
            else:
                getattr(held, step)()
        except PoseQueryError:
            continue
        before = (held.current, [*held.steps], [*held.undone])
        if len(held.steps) > 1:
            held.undo()
            held.redo()
        assert (held.current, held.steps, held.undone) == before


def test_undo_goes_back_through_all_that_was_current():
    held = holding(3, 1)
    assert [held.undo(), held.undo(), held.undo()] == [3, 2, 1]


def test_undo_takes_no_pose_away():
    held = holding(3)
    held.undo()
    assert (len(held), held[3]) == (3, "3")


def test_a_pose_made_after_an_undo_gets_a_new_number():
    held = holding(2)
    held.undo()
    assert held.hold("new") == 3


@pytest.mark.parametrize("step", ["hold", "choose"])
def test_what_was_undone_is_gone_after_another_step(step: str):
    held = holding(3)
    held.undo()
    held.hold("new") if step == "hold" else held.choose(1)
    with pytest.raises(PoseQueryError, match="nothing to do again"):
        held.redo()


def test_choosing_the_current_pose_is_no_step():
    held = holding(2)
    held.choose(2)
    assert held.undo() == 1


def test_the_first_pose_cannot_be_undone():
    with pytest.raises(PoseQueryError, match="nothing to undo"):
        holding(1).undo()


@pytest.mark.parametrize(
    ("held", "name", "number"),
    [
        (holding(4, 2), "3", 3),
        (holding(4, 2), "last", 4),
        (holding(4, 2), "previous", 1),
        (holding(4, 2), "other", 4),  # the one that was current before
        (holding(4, 2, 3, 2), "other", 3),
        (holding(4), "other", 3),
    ],
)
def test_a_name_means_a_number(held: HeldPoses[str], name: str, number: int):
    assert held.number_of(name) == number


def test_the_other_one_is_the_next_one_after_the_first_step_was_undone():
    held = holding(2)
    held.undo()
    assert held.number_of("other") == 2


@pytest.mark.parametrize(
    ("name", "problem"),
    [("2", "no pose 2"), ("99", "no pose 99"), ("other", "no pose 2"), ("previous", "no pose 0")],
)
def test_a_name_of_no_pose_is_refused(name: str, problem: str):
    with pytest.raises(PoseQueryError, match=f"{problem}: this conversation holds 1"):
        holding(1).number_of(name)


@pytest.mark.parametrize("name", ["1", "last", "other", "previous"])
def test_where_there_is_no_pose_the_way_to_one_is_told(name: str):
    with pytest.raises(PoseQueryError, match="/pose FILE"):
        HeldPoses[str]().number_of(name)


@pytest.mark.parametrize(
    ("verb", "names", "numbers"),
    [
        ("check", (), (2,)),
        ("check", ("3",), (3,)),
        ("edit", ("last",), (4,)),
        ("help", (), ()),
        ("generate", (), ()),
        ("compare", (), (4, 2)),  # from the one before to the current one
        ("moved", ("1",), (1, 2)),
        ("became", ("1", "3"), (1, 3)),
        ("between", ("2",), (4, 2)),  # the current one is named
        ("compare", ("3", "3"), (3, 3)),
    ],
)
def test_a_verb_works_on_the_poses_it_names_or_on_the_newest(
    verb: str, names: tuple[str, ...], numbers: tuple[int, ...]
):
    assert holding(4, 2).numbers_of(verb, names) == numbers


@pytest.mark.parametrize("names", [(), ("1",)])
def test_a_comparison_with_a_single_pose_is_refused(names: tuple[str, ...]):
    with pytest.raises(PoseQueryError, match="takes two poses"):
        holding(1).numbers_of("compare", names)


def test_what_was_cleared_begins_anew():
    held = holding(3, 1)
    held.clear()
    assert (held.hold("new"), held.current) == (1, 1)


@pytest.mark.parametrize(
    ("held", "line"),
    [
        (HeldPoses[str](), "pose 0"),
        (holding(1), "pose 1"),
        (holding(3, 2), "poses 1 to 3, now pose 2"),
    ],
)
def test_the_model_is_told_how_many_poses_there_are(held: HeldPoses[str], line: str):
    assert state_line(held) == line
