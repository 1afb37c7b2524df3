"""The pose projector is taught alone: it shows a pose in the words of what is true of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_builders.pose_lessons import in_words
from data_builders.pose_pool import PosePool
from tests.fakes.tiny_model import tiny_plain_assistant
from train import align, projector_warm_up
from train.projector_warm_up import (
    WordsOfPoses,
    parts_of,
    statement_groups,
    warm_up_projector,
)
from unipose.errors import ConfigError
from unipose.posecodes.facts import atoms


def test_statements_about_the_same_parts_stand_in_one_place():
    groups = statement_groups()
    assert len(groups) == align.PRESETS["smol"].pose_places
    statements = [fact.members[0] for fact in atoms()]
    assert {parts_of(s) for s in statements if s.first == "left_knee" and not s.second} == {
        ("left_knee", "")
    }
    touched = {s.second for s in statements if parts_of(s) == ("left_hand", "near")}
    assert {"left_ankle", "right_foot"} <= touched


def test_a_pose_is_shown_in_the_words_of_what_is_true():
    assistant = tiny_plain_assistant()
    words = WordsOfPoses(assistant.model, assistant.vocabulary)
    truth = torch.zeros(2, len(atoms()))
    straight = next(
        i for i, fact in enumerate(atoms()) if in_words(fact.members[0]) == "left knee straight"
    )
    truth[1, straight] = 1.0
    nothing, said = words.shown(truth)
    place = int(words.place[straight])
    moved = (said - nothing).abs().amax(dim=1)
    assert float(moved[place]) > 0.1
    assert float(moved[[i for i in range(len(moved)) if i != place]].max()) == 0
    expected = torch.nn.functional.layer_norm(
        words.parts[place] + words.states[straight], said.shape[-1:]
    )
    assert torch.allclose(said[place], expected, atol=1e-6)


def test_a_projector_learns_what_is_true_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch):
    for name, value in (("POSES", 64), ("DRAWN", 32), ("BATCH", 32)):
        monkeypatch.setattr(projector_warm_up, name, value)
    assistant = tiny_plain_assistant()
    model = assistant.model
    pool = PosePool.random(32, seed=0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    def missed(steps: int) -> float:
        return warm_up_projector(model, assistant.vocabulary, pool, steps=steps)

    assert model.pose_projector is not None
    model.pose_projector.requires_grad_(requires_grad=False)  # it is to stay as it is afterwards
    untaught = missed(1)
    assert missed(40) < 0.7 * untaught
    changed = {n for n, w in model.state_dict().items() if not torch.equal(w, before[n])}
    assert changed
    assert all(name.startswith("pose_projector.") for name in changed)
    assert not any(weight.requires_grad for weight in model.pose_projector.parameters())


@pytest.mark.slow
def test_a_projector_that_stays_is_the_same_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (("POSES", 64), ("DRAWN", 32), ("BATCH", 32)):
        monkeypatch.setattr(projector_warm_up, name, value)
    config = replace(
        align.PRESETS["debug"], concepts=False, pose_projector=16, claim_weight=0.0, practice=0,
        warm_up=3, without=("poses",), workers=0, out=tmp_path,
    )  # fmt: skip
    align.main(config)
    taught = load_file(tmp_path / "projector.safetensors")
    (tmp_path / "step-00000004.safetensors").unlink()
    align.main(config)  # from step 2 on
    written = load_file(tmp_path / "model/model.safetensors")
    assert taught
    for name, weight in taught.items():
        assert torch.equal(written[f"pose_projector.{name}"], weight)


def test_a_warm_up_without_a_projector_is_refused():
    with pytest.raises(ConfigError, match="--warm-up 0"):
        replace(align.PRESETS["paper"], warm_up=10)
