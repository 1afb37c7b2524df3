"""What coding costs: errors of known damage are exact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import unipose
from eval.reconstruction import ReconstructionOptions, load_codec, main, measure
from tests.fakes.tiny_model import TINY_CODEC
from tokenizer.codec import CodecError, PoseTokenizer
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


class Damaging(PoseTokenizer):
    """Gives every pose back as `told`."""

    def __init__(self, told: Pose) -> None:
        super().__init__(TINY_CODEC)
        self.told = told

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return self.told.sixd.expand(len(codes), -1, -1)


def turned(joint: str, angle: float) -> Pose:
    turns = torch.zeros(1, 24, 3)
    turns[0, SMPL.index[joint], 0] = angle
    return Pose.from_axis_angle(turns)


def test_a_pose_that_comes_back_unchanged_has_no_error(body: Body) -> None:
    pose = turned("left_hip", -1.0)
    found = measure(Damaging(pose), body, pose)
    assert float(found.mpjpe.max()) < 1e-6
    assert float(found.pa_mpjpe.max()) < 1e-6


def test_a_turned_knee_moves_what_hangs_on_it(body: Body) -> None:
    found = measure(Damaging(turned("left_knee", 0.3)), body, turned("left_knee", 0.0))
    rest = body.rest_joints
    knee, *below = rest[SMPL.indices("left_knee", "left_ankle", "left_foot")]
    across = torch.tensor([0.0, 1.0, 1.0])  # the turn is about x
    moved = sum(2 * torch.sin(torch.tensor(0.15)) * ((j - knee) * across).norm() for j in below)
    assert float(found.mpjpe[0]) == pytest.approx(float(moved) / 22, rel=1e-4)
    assert float(found.mpjpe_all[0]) == pytest.approx(float(moved) / 24, rel=1e-4)


def test_a_turn_of_the_root_is_an_error_only_without_alignment(body: Body) -> None:
    found = measure(Damaging(turned("pelvis", 0.5)), body, turned("pelvis", 0.0))
    assert float(found.mpjpe[0]) > 0.1
    assert float(found.pa_mpjpe[0]) < 1e-5


POSE_CODES = Path(unipose.__file__).parent / "weights" / "pose_codes"
FAR_FROM_RECORDED = {
    "bent to the floor": {"spine1": (1.9, 0, 0), "left_hip": (-1.0, 0, 0), "right_hip": (-1, 0, 0)},
    "lying on the back": {"pelvis": (-1.57, 0, 0), "left_hip": (-1.2, 0, 0.8)},
    "head down": {"pelvis": (3.0, 0, 0), "left_knee": (1.0, 0, 0)},
    "crouching": {
        "pelvis": (0.7, 0, 0), "spine1": (1.2, 0, 0), "left_knee": (2.5, 0, 0),
        "right_knee": (2.5, 0, 0), "left_hip": (-1.9, 0, 0.5), "right_hip": (-1.9, 0, -0.5),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FAR_FROM_RECORDED)
def test_the_shipped_tokenizer_keeps_people_far_from_recorded_ones(body: Body, name: str) -> None:
    turns = torch.zeros(1, 24, 3)
    for joint, turn in FAR_FROM_RECORDED[name].items():
        turns[0, SMPL.index[joint]] = torch.tensor(turn)
    found = measure(load_codec(POSE_CODES), body, Pose.from_axis_angle(turns))
    assert float(found.mpjpe) < 0.02


def test_the_shipped_tokenizer_does_not_explode_on_impossible_poses(body: Body) -> None:
    turns = torch.randn(100, 24, 3, generator=torch.Generator().manual_seed(0)) * 0.5
    pose = Pose.from_axis_angle(turns)
    codec = load_codec(POSE_CODES)
    searched = measure(codec, body, pose).mpjpe
    codec.config = replace(codec.config, search_rounds=0)
    rounded = measure(codec, body, pose).mpjpe
    assert float(searched.mean()) < 0.035 < 0.045 < float(rounded.mean())
    assert float(searched.max()) < 0.15


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="is no pose tokenizer"):
        load_codec(tmp_path)


def test_the_program_reports_its_keys(
    mocap_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    PoseTokenizer(TINY_CODEC).save_pretrained(tmp_path)
    options = ReconstructionOptions(
        data=mocap_folder, tokenizer=tmp_path, limit=2, fps=5.0, json=True
    )
    main(options)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["mpjpe_mm"] >= result["pa_mpjpe_mm"] > 0
    assert 0 < result["codebook_use"] <= 1
    assert 0 <= result["above_50_mm"] <= 1
    assert result["poses"] == sum(source["poses"] for source in result["sources"].values())
