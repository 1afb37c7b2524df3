"""Which named pose a pose is nearest to, and what held-out wordings give."""

from __future__ import annotations

import json

import pytest
import torch

from eval import named
from eval.named import NamedOptions, NearestName
from unipose.body.pose import Pose
from unipose.posecodes.named_poses import NamedPoses

NAMED = NamedPoses.load()


def test_every_named_pose_is_nearest_to_its_own_name():
    centres = torch.cat([NAMED.centre(name).rotations[:, :22] for name in NAMED.names])
    assert NearestName(NAMED)(centres).tolist() == list(range(len(NAMED.names)))


class Knowing:
    """Gives the pose that a wording names; a stranger to every second one."""

    def generate_batch(self, texts: list[str]) -> Pose:
        names = [NAMED.find(text) if i % 2 == 0 else NAMED.names[0] for i, text in enumerate(texts)]
        return Pose.from_rotations(torch.cat([NAMED.centre(n).rotations for n in names]))

    def codes(self, pose: Pose) -> torch.Tensor:
        self.given = pose
        return torch.zeros(len(pose), 1, dtype=torch.long)

    def pose(self, codes: torch.Tensor) -> Pose:
        return self.given

    @property
    def maker(self) -> Knowing:
        return self


def test_what_is_right_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(named.UniPose, "load", lambda *_, **__: Knowing())
    named.main(NamedOptions(limit=32, json=True))
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["encoded"] == 100.0
    assert found["named_top1"] == pytest.approx(50, abs=5)
    assert found["chance"] == pytest.approx(100 / len(NAMED.names))
