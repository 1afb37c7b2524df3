"""Contacts and actions that our own models name are printed with how far they can be trusted."""

from __future__ import annotations

import json
import sys

import pytest
from PIL import Image

from unipose.app import adaptation_setup, cli, contact_refining, film_adaptation
from unipose.app.contact_refining import RefinedFiles


class Refining:
    """Refines nothing."""

    def __init__(self, **_: object) -> None:
        pass

    def photos(self, source: object) -> RefinedFiles:
        return RefinedFiles(written=["out/a-after.npz"])


class Adaptation:
    """Says that somebody who walks is something else."""

    def run(self, film: object, people: object) -> dict[str, object]:
        action = {"start_s": 0.0, "end_s": 2.0, "action": "basketball signal", "used": True}
        person = {"person": 1, "first_frame": 0, "frames": 30, "actions": [action],
                  "after": {"file": "person-1-after.npz"}}  # fmt: skip
        return {"keypoints": "from a file", "labels": "self", "people": [person]}


@pytest.fixture
def printed(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command over a picture and gives what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(contact_refining, "PhotoRefining", Refining)
    monkeypatch.setattr(adaptation_setup, "prepare", lambda asked, progress: Adaptation())
    monkeypatch.setattr(film_adaptation, "follow_people", lambda film, keypoints, progress: [])
    (tmp_path / "frames").mkdir()
    for name in ("a.png", "frames/0.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["unipose", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (
            ("refine", "a.png", "-o", "out", "--ask", "mini"),
            "note: contacts of our own model are guesses (F1 12 % on pairs of people, 11 % by "
            "chance): correct out/contacts.json and give it to --contacts",
        ),
        (
            ("adapt", "frames", "-o", "out", "--ask", "self"),
            "note: actions named by --ask self are guesses (23 % right among 22 held-out actions, "
            "5 % by chance): correct out/labels.json and give it to --labels",
        ),
    ],
    ids=["refine", "adapt"],
)
def test_what_our_own_model_names_is_said_to_be_a_guess(printed, words, last):
    assert printed(*words).splitlines()[-1] == last
    assert f"note: {json.loads(printed(*words, '--json'))['note']}" == last


@pytest.mark.parametrize(
    "words",
    [
        ("refine", "a.png", "-o", "out", "--ask", "other@http://127.0.0.1:1/v1"),
        ("adapt", "frames", "-o", "out"),
    ],
    ids=["refine", "adapt"],
)
def test_others_are_not_called_guesses(printed, words):
    assert "guess" not in printed(*words)
