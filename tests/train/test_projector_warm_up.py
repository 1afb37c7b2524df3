"""The pose projector is taught alone: statements get directions, true ones point along them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_builders.pose_pool import PosePool
from tests.fakes.tiny_model import tiny_plain_assistant
from tokenizer.rotations import rotations_to_6d
from train import align, projector_warm_up
from train.projector_warm_up import (
    places_of_statements,
    states_of_statements,
    warm_up_projector,
)
from unipose.errors import ConfigError
from unipose.posecodes.facts import atoms


def test_each_statement_has_a_state_of_its_own():
    assistant = tiny_plain_assistant()
    states = states_of_statements(assistant.model, assistant.vocabulary)
    assert states.shape == (len(atoms()), assistant.model.llm.config.hidden_size)
    assert len(states.unique(dim=0)) == len(atoms())


def test_statements_of_the_same_parts_stand_in_one_place():
    place = places_of_statements(8)
    statements = [fact.members[0] for fact in atoms()]
    knees = {
        int(place[i])
        for i, some in enumerate(statements)
        if some.first == "left_knee" and some.second is None
    }
    assert len(knees) == 1
    assert set(place.tolist()) == set(range(8))


def test_a_projector_learns_what_is_true_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch):
    for name, value in (("POSES", 64), ("DRAWN", 32), ("BATCH", 32)):
        monkeypatch.setattr(projector_warm_up, name, value)
    assistant = tiny_plain_assistant()
    model = assistant.model
    pool = PosePool.random(32, seed=0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    def missed(steps: int) -> float:
        return warm_up_projector(
            model, assistant.vocabulary, pool,
            lambda rotations: model.codec.encode(rotations_to_6d(rotations)), steps=steps,
        )  # fmt: skip

    assert model.pose_projector is not None
    model.pose_projector.requires_grad_(requires_grad=False)  # it is to stay as it is afterwards
    untaught = missed(1)
    assert missed(40) < 0.7 * untaught
    changed = {n for n, w in model.state_dict().items() if not torch.equal(w, before[n])}
    assert changed
    assert all(name.startswith("pose_projector.") for name in changed)
    assert not any(weight.requires_grad for weight in model.pose_projector.parameters())


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
