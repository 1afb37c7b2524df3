"""What all benchmarks share: which model is asked, and how it computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eval.comprehension import ComprehensionOptions
from eval.estimation import EstimationOptions
from eval.generation import GenerationOptions
from eval.grounding import GroundingOptions
from eval.program import ModelOptions
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
