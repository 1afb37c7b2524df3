"""The evaluators' own benchmark: galleries, chance, and what the report says of published rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from data_builders.pose_pool import PosePool
from eval.retrieval import RetrievalOptions, embed_pairs, embed_poses, main, measure
from eval.retrieval import print_report as report
from eval.truth import draw_poses
from tests.fakes.retrieval import tiny_retrieval
from unipose.body.body import load_body
from unipose.errors import ConfigError


def recorded() -> list[torch.Tensor]:
    return [PosePool.random(30, seed=i).rotations for i in range(3)]


def test_each_pose_stands_beside_its_own_text():
    body, model = load_body(), tiny_retrieval("pose")
    seen, read = embed_poses(model, draw_poses(recorded(), 40, seed=0), body, seed=3)
    assert seen.shape == read.shape == (40, 10)
    again = embed_poses(model, draw_poses(recorded(), 40, seed=0), body, seed=3)
    assert torch.equal(read, again[1])
    assert not torch.equal(
        read, embed_poses(model, draw_poses(recorded(), 40, seed=0), body, seed=4)[1]
    )


def test_pairs_without_a_change_are_not_in_the_gallery():
    still = [poses[:1].expand(30, -1, -1, -1) for poses in recorded()]
    model, body = tiny_retrieval("pair"), load_body()
    with pytest.raises(ConfigError, match="do not differ"):
        embed_pairs(model, still, 40, body, seed=0)
    seen, read = embed_pairs(model, recorded(), 40, body, seed=0)
    assert len(seen) == len(read) <= 40


def test_features_that_agree_find_each_other():
    features = normalize(torch.randn(70, 6, generator=torch.Generator().manual_seed(0)), dim=-1)
    found = measure(features, features, seed=5)
    assert found["mean_recall"] == found["pose_to_text_at_1"] == found["r_precision_top1"] == 1.0
    assert found["gallery"] == 70
    assert found["chance_at_5"] == pytest.approx(5 / 70)
    assert found["chance_r_precision_top3"] == pytest.approx(3 / 32)
    assert (found["r_precision_groups"], found["r_precision_left_out"]) == (2, 6)
    assert found["r_precision_seed"] == 5


def test_published_rows_stand_apart_and_are_labelled(capsys: pytest.CaptureFixture[str]):
    features = normalize(torch.randn(40, 6), dim=-1)
    found = measure(features, features, seed=0)
    report({"pose": found, "pair": found}, split="test")
    printed = " ".join(capsys.readouterr().out.split())
    ours, theirs = printed.split("PUBLISHED")
    assert "31.30" not in ours
    assert "NOT comparable" in theirs
    assert "31.30" in theirs


@pytest.mark.slow
def test_the_program_reports_every_figure_with_chance_and_gallery(
    mocap_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for kind in ("pose", "pair"):
        tiny_retrieval(kind).save_pretrained(tmp_path / kind)
    folders = {kind: tmp_path / kind for kind in ("pose", "pair")}
    options = RetrievalOptions(
        data=mocap_folder, only="*bvh*", limit=8, poses=40, pairs=60, json=True, **folders
    )
    main(options)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["pose_gallery"] == 40
    assert result["pair_gallery"] >= 32
    for kind in ("pose", "pair"):
        assert 0.0 <= result[f"{kind}_mean_recall"] <= 1.0
        assert 0.0 < result[f"{kind}_chance_mean_recall"] < 0.5
        assert result[kind]["gallery"] == result[f"{kind}_gallery"]
    assert result["split"] == "test"


def test_a_gallery_is_no_smaller_than_a_group():
    with pytest.raises(ConfigError, match="32"):
        RetrievalOptions(data=Path(), poses=31)
