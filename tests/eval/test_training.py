"""The race against transformers' Trainer, run whole on its tiny preset."""

from __future__ import annotations

import pytest

from eval.training import TrainingOptions, measure, rows_of
from unipose.errors import ConfigError


@pytest.mark.slow
def test_both_loops_train_and_their_paces_are_told() -> None:
    result = measure(TrainingOptions(preset="debug"))
    assert result["blocks"] == 1
    assert all(result[f"{who}_tokens_per_s"] > 0 for who in ("ours", "trainer", "padded"))  # type: ignore[operator]
    ratio = result["ours_tokens_per_s"] / result["trainer_tokens_per_s"]  # type: ignore[operator]
    assert result["tokens_per_s_ratio"] == pytest.approx(ratio)
    assert rows_of(result)[0][2] == 1.0


@pytest.mark.slow
def test_a_race_that_cannot_be_run_says_why() -> None:
    with pytest.raises(ConfigError, match="no preset 'huge'"):
        measure(TrainingOptions(preset="huge"))
