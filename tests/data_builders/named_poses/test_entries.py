"""The files of named poses, and what their reader refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_builders.named_poses.entries import read_entries
from unipose.errors import ConfigError

WORDINGS = """
- one goes here
- two of them
- three in a row
- four for luck
- five alive
- six or so
* seven heaven
* eight straight
"""


def read(folder: Path, text: str, *, wordings: str = WORDINGS):
    (folder / "odd.txt").write_text(text + wordings)
    return read_entries(folder)


def test_there_are_150_poses_with_8_wordings_each():
    entries = read_entries()
    assert len([entry for entry in entries if not entry.mirrors]) >= 150
    assert min(len(entry.learned) + len(entry.tested) for entry in entries) >= 8
    share = sum(len(e.tested) for e in entries) / sum(len(e.learned + e.tested) for e in entries)
    assert 0.2 < share < 0.3


def test_a_block_is_read_as_it_is_written(tmp_path):
    (entry,) = read(tmp_path, "[odd]\non: feet\nlegs: hip 80..90, knee ~30\nis: not bent knees\n")
    assert entry.on == ("left foot", "right foot")
    hip, knee = entry.aims["right leg", "hip"], entry.aims["left leg", "knee"]
    assert (hip.low, hip.high, hip.firm) == (80, 90, True)
    assert (knee.low, knee.high, knee.firm) == (30, 30, False)
    assert [str(relation) for relation in entry.relations] == ["not bent knees"]
    assert entry.tested == ("seven heaven", "eight straight")


def test_a_name_with_a_side_makes_two_poses(tmp_path):
    wordings = "".join(f"{line} {{side}}\n" for line in WORDINGS.strip().splitlines())
    text = "[odd {side}]\nback: lean 20\n{side} arm: lift 90\nmeasure: side head chest 5..20\n"
    left, right = read(tmp_path, text, wordings=wordings)
    assert (left.name, right.name, right.mirrors) == ("odd left", "odd right", "odd left")
    assert not left.mirrored
    assert right.aims["back", "lean"].high == -15
    assert ("right arm", "lift") in right.aims
    assert (right.ranges[0].low, right.ranges[0].high) == (-20, -5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("on: tail", r"odd.txt:2: 'tail' carries nothing"),
        ("legs: knee 300", r"odd.txt:2: 'knee 300' is beyond what a body can do"),
        ("legs: shin 30", r"odd.txt:2: legs has no angle 'shin'"),
        ("legs: knee thirty", r"odd.txt:2: expected a number or LOW..HIGH in 'knee thirty'"),
        ("is: happy", r"odd.txt:2: 'happy' is no relation"),
        ("touch: left hand", r"odd.txt:2: expected two parts or regions of skin"),
        ("measure: distance feet 30..10", r"odd.txt:2: expected a quantity and LOW..HIGH"),
        ("colour: blue", r"odd.txt:2: expected on, held, is"),
        ("like: even", r"odd.txt:1: there is no pose 'even' above"),
        ("left arm: lift {side}", r"{side} stands in 'odd' but not in its name"),
        ("- to the left", r"'to the left' names a side, and so must the name 'odd'"),
        ("- six or so", r"'six or so' is a wording of 'odd' too"),
        ("- eight straight on", r"'eight straight' is too much like"),
    ],
)
def test_a_broken_line_is_named_with_its_place(tmp_path, line, said):
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, f"[odd]\n{line}\n")


def test_too_few_wordings_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"at least 8 wordings, 2 .* it has 2 and 1"):
        read(tmp_path, "[odd]\n", wordings="- one\n* two\n")


def test_a_wording_may_not_stand_in_two_poses(tmp_path):
    other = WORDINGS.replace("one goes here", "Three, in a row!")
    with pytest.raises(ConfigError, match="is a wording of 'odd' too"):
        read(tmp_path, "[odd]\n" + WORDINGS + "[even]\n", wordings=other)
