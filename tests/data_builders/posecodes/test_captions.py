"""Captions say what is true, say it the same way every time, and can be read back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_builders.posecodes.captions import (
    write_captions,
    write_captions_with_codes,
)
from unipose.posecodes.facts import atoms, true_atoms
from unipose.posecodes.measure import Measured
from unipose.posecodes.reader import read
from unipose.posecodes.statements import state, truth

STYLES = ("plain", "full", "short")
COUNT = 80
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("style", STYLES)
def test_what_a_caption_says_is_exactly_what_is_read_back(poses, style):
    joints = poses(COUNT, 11)
    for text, codes in write_captions_with_codes(joints, seed=1, indices=range(COUNT), style=style):
        reading = read(text)
        assert not reading.unread, text
        assert set(reading.statements) == codes, text


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("style", STYLES)
def test_a_thousand_captions_are_read_back_and_true(poses, style):
    joints = poses(1000, 18)
    rows = write_captions_with_codes(joints, seed=7, indices=range(1000), style=style)
    for row, (text, codes) in enumerate(rows):
        reading = read(text)
        assert (reading.unread, set(reading.statements)) == ([], codes), text
        assert truth(reading.statements, joints[row : row + 1], tolerance=False).all(), text


@pytest.mark.parametrize("style", STYLES)
def test_nothing_a_caption_says_is_false(poses, style):
    joints = poses(COUNT, 12)
    texts = write_captions(joints, seed=2, indices=range(COUNT), style=style)
    for row, text in enumerate(texts):
        said = read(text).statements
        assert truth(said, joints[row : row + 1], tolerance=False).all(), text


def test_a_caption_depends_on_its_pose_seed_and_index_alone(poses):
    joints = poses(25, 13)
    order = np.random.default_rng(0).permutation(25)
    together = write_captions(joints, seed=3, indices=range(25))
    shuffled = write_captions(joints[order], seed=3, indices=order)
    alone = [write_captions(joints[i : i + 1], seed=3, indices=[i])[0] for i in range(25)]
    assert [together[i] for i in order] == shuffled
    assert together == alone
    assert write_captions(joints, seed=4, indices=range(25)) != together


@pytest.mark.slow
def test_captions_are_the_same_in_another_process(poses, tmp_path):
    joints = poses(40, 14)
    np.save(tmp_path / "joints.npy", joints)
    program = (
        "import numpy as np, sys; from data_builders.posecodes.captions import write_captions;"
        "print('\\n'.join(write_captions(np.load(sys.argv[1]), seed=5, indices=range(40),"
        " style='full')))"
    )
    found = set()
    for salt in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "joints.npy")],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(run.stdout)
    assert found == {
        "\n".join(write_captions(joints, seed=5, indices=range(40), style="full")) + "\n"
    }


def test_a_mirrored_pose_has_the_mirrored_statements(poses, mirror):
    joints = poses(300, 15)
    said = [fact.members[0] for fact in atoms()]
    mirrored = [statement.mirrored() for statement in said]
    assert (truth(said, joints) == truth(mirrored, mirror(joints))).all()
    assert {s.mirrored().mirrored() for s in said} == set(said)


def test_one_hand_near_both_knees_does_not_become_both_hands(posed):
    joints = posed()
    joints[5] = joints[4] + [0.01, 0.0, 0.0]  # the knees side by side
    joints[20] = joints[4] + [0.02, 0.05, 0.0]  # the left wrist there, the elbow above it
    joints[18] = joints[20] + [0.0, 0.25, 0.0]
    texts = write_captions(
        np.repeat(joints[None], 60, axis=0), seed=0, indices=range(60), style="full"
    )
    near = {s for text in texts for s in read(text).statements if s.relation == "close"}
    assert state("left_hand", "close", "left_knee") in near
    assert state("left_hand", "close", "right_knee") in near
    assert not any(s.first == "right_hand" and "knee" in (s.second or "") for s in near)


def test_short_captions_are_short_and_of_few_words(poses):
    texts = write_captions(poses(COUNT, 16), seed=6, indices=range(COUNT))
    words = [len(text.split()) for text in texts]
    vocabulary = {word for text in texts for word in re.findall(r"[a-z0-9]+", text.lower())}
    assert 30 <= np.mean(words) <= 50
    assert max(words) <= 80
    assert len(vocabulary) <= 300
    assert len(set(texts)) == COUNT


def test_a_short_caption_says_the_rare_things_first(posed):
    kneeling = posed(left_knee=(2.4, 0.0, 0.0), right_knee=(2.4, 0.0, 0.0))
    rows = np.repeat(kneeling[None], 50, axis=0)
    texts = write_captions(rows, seed=0, indices=range(50))
    assert all(state("body", "kneeling") in read(text).statements for text in texts)


def test_the_t_pose_is_called_so(posed):
    rows = np.repeat(posed()[None], 100, axis=0)
    texts = write_captions(rows, seed=0, indices=range(100))
    assert sum("t pose" in text.lower() or "out" in text for text in texts) > 60


def test_a_pose_of_no_code_still_has_a_caption(monkeypatch, poses):
    monkeypatch.setattr(
        "data_builders.posecodes.captions.true_atoms",
        lambda measured: np.zeros((len(measured), len(atoms())), dtype=bool),
    )
    (text,) = write_captions(poses(1, 0), seed=0, indices=[0])
    assert read(text).statements == []
    assert read(text).unread == []


def test_every_atom_is_true_of_some_random_pose_or_rare(poses):
    share = true_atoms(Measured(poses(2000, 17))).mean(axis=0)
    assert (share > 0).mean() > 0.9
