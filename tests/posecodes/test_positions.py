"""How a body lies and leans and a head is held: measured, and read out of texts."""

from __future__ import annotations

import numpy as np
import pytest

from unipose.errors import PoseError
from unipose.posecodes.facts import extra_atoms
from unipose.posecodes.head import head_angles
from unipose.posecodes.measure import Measured
from unipose.posecodes.positions import POSITIONS
from unipose.posecodes.reader import read
from unipose.posecodes.statements import state, truth

ALL = frozenset({"lying", "lean", "head"})


def test_every_wording_of_a_position_is_read_as_that_position():
    for fact in extra_atoms(ALL):
        (view,) = fact.views
        for words in view.predicates:
            subject = "The person" if view.subject == "body" else f"The {view.subject}"
            reading = read(f"{subject} is {words}.")
            assert (reading.unread, reading.statements) == ([], [fact.members[0]]), words


def test_positions_of_a_mirrored_pose_are_the_mirrored_positions(tumbling, mirror):
    said = [state(part, relation) for part, relation in POSITIONS]
    other = Measured(
        mirror(tumbling.points[:, :22]),
        head=np.stack([tumbling.value(k, ()) for k in ("nod", "turn", "tip")], 1) * [1, -1, -1],
    )
    mirrored = [statement.mirrored() for statement in said]
    # a value exactly on a threshold belongs to the lower band on both sides: none is drawn here
    assert (truth(said, tumbling) == truth(mirrored, other)).all()


def test_an_upright_pose_neither_lies_nor_leans(posed):
    joints = posed()
    assert not truth([state(part, relation) for part, relation in POSITIONS], joints[None]).any()


def test_head_angles_are_those_of_the_turns(posed):
    rotations = np.broadcast_to(np.eye(3), (3, 22, 3, 3)).copy()
    c, s = np.cos(0.6), np.sin(0.6)
    rotations[0, 15] = [[1, 0, 0], [0, c, -s], [0, s, c]]
    rotations[1, 12] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    rotations[2, 15] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    rotations[:, 0] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]  # the pelvis does not matter
    assert head_angles(rotations) == pytest.approx(np.diag([np.degrees(0.6)] * 3), abs=1e-9)
    measured = Measured(np.repeat(posed()[None], 3, axis=0), head=head_angles(rotations))
    said = [state("head", word) for word in ("bowed", "turned_left", "tipped_right")]
    assert (truth(said, measured) == np.eye(3, dtype=bool)).all()
    with pytest.raises(PoseError, match="expected rotations"):
        head_angles(rotations[:, :10])
