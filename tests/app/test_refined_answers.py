"""Questions about refined poses are answered from the files of each, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from unipose.app.examples import example_pose
from unipose.app.refined_answers import answer_refined
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.files import save_pose


@dataclass
class Said:
    text: str


class ElbowAnswerer:
    def answer_fully(self, question: str, *shown: Pose) -> Said:
        if "wearing" in question:
            raise PoseQueryError("a pose does not show clothes")
        turned = float(shown[0].axis_angle[0, 19].norm())
        return Said("bent" if turned > 0.5 else "straight")


def test_each_person_is_answered_before_and_after(tmp_path: Path):
    stand, wave = example_pose("stand"), example_pose("wave")
    both = Pose(rotations=torch.cat([stand.rotations, wave.rotations]))
    save_pose(both, tmp_path / "hug-before.npz")
    save_pose(Pose(rotations=both.rotations[[1, 1]]), tmp_path / "hug-after.npz")
    questions = ["the right elbow?", "what is she wearing?"]
    found = answer_refined(
        tmp_path, ["hug.jpg", "failed.jpg"], questions, ElbowAnswerer(), load_body()
    )
    assert [(one.image, one.person, one.before, one.after) for one in found] == [
        ("hug.jpg", 1, "straight", "bent"),
        ("hug.jpg", 1, "(a pose does not show clothes)", "(a pose does not show clothes)"),
        ("hug.jpg", 2, "bent", "bent"),
        ("hug.jpg", 2, "(a pose does not show clothes)", "(a pose does not show clothes)"),
    ]
    assert found[0].told(alone=False) == (
        "hug.jpg, person 1: the right elbow? Before: straight After: bent"
    )
    assert found[2].told(alone=True) == "the right elbow? bent"
