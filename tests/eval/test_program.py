"""What all benchmarks share: which model is asked, and how it computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eval.comprehension import ComprehensionOptions
from eval.estimation import EstimationOptions
from eval.generation import GenerationOptions
from eval.grounding import GroundingOptions
from eval.program import ModelOptions, print_table
from eval.recognition import RecognitionOptions
from eval.report import ReportOptions
from eval.speed import SpeedOptions
from eval.truth import TruthOptions
from unipose.errors import ConfigError


@pytest.mark.parametrize(
    "options",
    [ComprehensionOptions, EstimationOptions, GenerationOptions, GroundingOptions,
     RecognitionOptions, ReportOptions, SpeedOptions, TruthOptions],
)  # fmt: skip
def test_every_benchmark_of_the_model_takes_a_device_and_a_number_type(
    options: type[ModelOptions],
):
    assert issubclass(options, ModelOptions)


def test_the_model_is_loaded_as_it_was_asked_for():
    model = ModelOptions(data=Path(), dtype="bfloat16").load_assistant().model
    assert model.slots.dtype == torch.bfloat16
    assert model.joints_at_rest.dtype == torch.float32
    with pytest.raises(ConfigError, match="the device 'warp'"):
        ModelOptions(data=Path(), device="warp").load_assistant()


def test_a_table_that_goes_into_a_file_is_as_wide_as_its_names(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    names = ["videopose.margin", "mixste.nce, chosen on validation"]
    print_table("Lifting", ["", *"abcdefg"], [(name, *["124.65 ± 11.20"] * 7) for name in names])
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)
    assert "…" not in printed
    assert printed.count("124.65 ± 11.20") == 14
