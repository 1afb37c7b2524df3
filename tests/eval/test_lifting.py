"""The benchmark of lifters: figures by seed, gains seed by seed, what a step costs, pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_builders.lifting.lifting_splits import read_split
from eval.lifted_people import from_hips, overlaid
from eval.lifting import LiftingOptions, finished_runs, main, measure
from eval.lifting_pictures import curve_sheet
from eval.plausible_joints import LIMBS
from train import lifter_runs
from train.lifter import PRESETS
from train.lifter_runs import LifterRuns
from unipose.errors import MissingFileError
from unipose.lifting.lifting_scores import lift_all, mean_scores
from unipose.lifting.saved_lifter import load_lifter


@pytest.mark.slow
def test_figures_are_means_over_seeds_and_gains_are_seed_by_seed(tmp_path: Path, capsys):
    lifter_runs.main(
        LifterRuns(
            out=tmp_path, nets=("simple",), seals=("none", "margin", "nce"), seeds=2,
            training=replace(PRESETS["debug"], steps=6, save_every=3), size="tiny",
        )
    )  # fmt: skip
    assert len(finished_runs(tmp_path)) == 6
    options = LiftingOptions(runs=tmp_path, folder=Path(), gbi_steps=5, picture=tmp_path / "drawn")
    data = read_split(options.source, "test")
    found = measure(options, data)
    errors = {
        (loss, seed): mean_scores(
            lift_all(load_lifter(tmp_path / f"simple.{loss}.{seed}" / "last")[0], data), data
        )["mpjpe_mm"]
        for loss in ("plain", "margin") for seed in (0, 1)
    }  # fmt: skip
    plain = [errors["plain", seed] for seed in (0, 1)]
    assert found["simple.plain.mpjpe_mm"] == pytest.approx(sum(plain) / 2)
    assert found["simple.plain.mpjpe_mm_std"] == pytest.approx(np.std(plain, ddof=1))
    gains = [errors["plain", seed] - errors["margin", seed] for seed in (0, 1)]
    assert found["simple.margin.gain_mm"] == pytest.approx(sum(gains) / 2)
    assert found["simple.margin.gain_std_mm"] == pytest.approx(np.std(gains, ddof=1))
    assert found["simple.seal"] in ("margin", "nce")
    assert found["simple.gain_mm"] == found[f"simple.{found['simple.seal']}.gain_mm"]
    assert float(str(found["simple.step_cost_ratio"])) > 1
    assert "simple.plain.gain_mm" not in found
    main(options)
    assert "simple.margin" in capsys.readouterr().out
    drawn = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert {"simple.margin.energy.png", "simple.nce.path.png", "simple.training.png"} <= drawn
    with Image.open(tmp_path / "drawn" / "simple.margin.gbi.png") as picture:
        assert picture.width > 600


def test_a_folder_without_runs_says_how_to_get_them(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"train\.lifter_runs"):
        finished_runs(tmp_path)


def test_joints_are_laid_over_marked_points_by_size_and_shift_alone():
    generator = torch.Generator().manual_seed(0)
    joints = torch.randn(3, 12, 3, generator=generator)
    points = 40 * joints[..., :2] + torch.tensor([100.0, 50.0])
    marked = torch.ones(3, 12, dtype=torch.bool)
    marked[1, 4:] = False
    torch.testing.assert_close(overlaid(joints, points, marked), points, atol=1e-3, rtol=0)
    hips = from_hips(joints)[:, LIMBS.indices("left_hip", "right_hip")]
    assert float(hips.mean(1).abs().max()) < 1e-6


def test_curves_of_one_point_are_left_out():
    drawn = curve_sheet({"a": {"x": [1.0, 2.0]}, "b": {"x": [1.0]}}, across="step")
    assert drawn.shape == (210, 990, 3)
