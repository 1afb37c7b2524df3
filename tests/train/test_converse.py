"""The program that trains the conversation model: it runs, resumes, and writes what is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file

from train.converse import PRESETS, ConverseConfig, checked_calls, main, open_base, writers
from unipose.errors import WeightsError
from unipose.language.chat_rendering import Message
from unipose.language.conversation_model import ADAPTERS, merge_adapters


def run_to(out: Path, *, steps: int, **changed: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)  # the debug base is drawn anew
    config = replace(PRESETS["debug"], out=out, save_every=2, threads=1, workers=0, **changed)  # type: ignore[arg-type]
    main(replace(config, steps=steps))
    return load_file(out / "model" / ADAPTERS)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path: Path):
    whole = run_to(tmp_path / "whole", steps=4)
    broken = tmp_path / "broken"
    run_to(broken, steps=4)
    (broken / "step-00000004.safetensors").unlink()
    resumed = run_to(broken, steps=4)
    for name, weight in whole.items():
        torch.testing.assert_close(weight, resumed[name], msg=name)


@pytest.mark.slow
def test_a_run_goes_on_from_the_adapters_of_another(tmp_path: Path):
    first = run_to(tmp_path / "first", steps=2)
    second = run_to(tmp_path / "second", steps=2, start=tmp_path / "first" / "model")
    a_names = [name for name in first if "lora_A" in name]
    moved = max(float((second[name] - first[name]).abs().max()) for name in a_names)
    assert 0 < moved < 0.05
    with pytest.raises(WeightsError, match="another base or rank"):
        run_to(tmp_path / "third", steps=2, start=tmp_path / "first" / "model", rank=2)


@pytest.mark.slow
def test_what_is_written_can_be_merged_into_the_base(tmp_path: Path):
    written = run_to(tmp_path / "run", steps=2)
    assert any(bool((weight != 0).any()) for name, weight in written.items() if "lora_B" in name)
    model, _ = open_base(ConverseConfig(llm="debug", out=tmp_path, steps=1, batch=1, peak_rate=1.0))
    merge_adapters(model, tmp_path / "run" / "model")


class OneCall:
    """Answers every turn with the same call."""

    def __init__(self, call: str) -> None:
        self.call = call

    def answer(self, messages: Sequence[Message], **_: object) -> str:
        assert messages[-1].role == "user"
        return self.call


@pytest.mark.slow
def test_the_share_of_right_calls_is_that_of_turns_that_mean_the_call(tmp_path: Path):
    _, writer = writers(replace(PRESETS["debug"], out=tmp_path))
    random = Random(3)
    turns = [writer.write(random, turns=1).exchanges[0] for _ in range(60)]
    meant = Counter(str(turn.calls[0]) for turn in turns if turn.calls)
    call, count = meant.most_common(1)[0]
    assert 0 < count < 60
    found = checked_calls(OneCall(call), writer, count=60, seed=3)
    assert found == {"right_calls": count / 60}
