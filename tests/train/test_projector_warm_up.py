"""The pose projector is taught alone: it fills in a form about a pose, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_builders.pose_form import TOUCHING, PoseForm, in_words, parts_of
from data_builders.pose_pool import PoolConfig, PosePool
from tests.fakes.tiny_model import PLAIN, tiny_assistant, tiny_plain_assistant, tiny_vocabulary
from train import align, projector_warm_up
from train.projector_warm_up import FilledForm, warm_up_projector
from unipose.errors import ConfigError
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.facts import atoms

FORM = replace(PLAIN, pose_places=0, pose_told=0)


def text_of(form: PoseForm, vocabulary: Vocabulary, truth: set[str]) -> str:
    """Return the form as a pose fills it in of which statements are true."""
    tokens = dict(enumerate(form.words))
    for statement, place, token in form.fillings:
        if in_words(atoms()[statement].members[0]) in truth:
            tokens[place] = token
    return vocabulary.decode([tokens[i] for i in range(len(tokens))])


def test_a_form_is_a_text_in_the_words_of_what_is_true():
    vocabulary = tiny_vocabulary()
    form = PoseForm.written(vocabulary)
    assert len(form.words) == len(set(range(len(form.words))) | set(form.told))
    assert sorted(form.told) == form.told
    assert {place for _, place, _ in form.fillings} == set(form.told)
    assert {statement for statement, _, _ in form.fillings} == set(range(len(atoms())))
    text = text_of(form, vocabulary, {"left hand above left shoulder", "left hand on hip"})
    assert "left hand" in text
    assert text.count("left shoulder") == 2  # of the hand, and beside the right shoulder


def test_what_excludes_each_other_is_written_in_the_same_places():
    form = PoseForm.written(tiny_vocabulary())
    places: dict[str, set[int]] = {}
    for statement, place, _ in form.fillings:
        places.setdefault(in_words(atoms()[statement].members[0]), set()).add(place)
    assert places["left knee straight"] <= places["left knee slightly bent"]
    above, behind = places["left hand above right hand"], places["left hand behind right hand"]
    assert not above & behind


def test_statements_about_the_same_parts_stand_in_one_line():
    statements = [fact.members[0] for fact in atoms()]
    touched = {s.second for s in statements if parts_of(s) == ("left_hand", TOUCHING)}
    assert {"left_ankle", "right_foot", "left_hip"} <= touched
    both = {s.relation for s in statements if parts_of(s) == ("left_hand", "right_hand")}
    assert {"close", "above", "behind"} <= both


def test_a_place_is_filled_in_with_the_words_of_what_is_true():
    form = PoseForm.written(tiny_vocabulary())
    filled = FilledForm(form)
    truth = torch.zeros(2, len(atoms()))
    straight = next(
        i for i, fact in enumerate(atoms()) if in_words(fact.members[0]) == "left knee straight"
    )
    truth[1, straight] = 1.0
    nothing, said = filled.chances(truth).argmax(-1)
    tokens = {place: token for i, place, token in form.fillings if i == straight}
    for k, place in enumerate(form.told):
        assert form.choices[nothing[k]] == form.words[place]
        assert form.choices[said[k]] == tokens.get(place, form.words[place])


def test_a_pose_is_shown_in_embeddings_of_words_whatever_is_learned():
    assistant = tiny_assistant(config=FORM)
    projector = assistant.model.pose_projector
    assert projector is not None
    last = projector.perceptron[-2]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        projector.words.copy_(torch.randn_like(projector.words))
        last.weight.mul_(100.0)
        last.bias.zero_()
    generator = torch.Generator().manual_seed(0)
    rotations = PosePool.random(8, seed=0).draw(8, generator, PoolConfig())
    joints = assistant.model.joints(rotations, facing=True)
    with torch.no_grad():
        shown = projector(rotations, joints)[:, projector.filled_in()]
        alike = (
            torch.nn.functional.normalize(shown, dim=-1)
            @ torch.nn.functional.normalize(
                torch.nn.functional.layer_norm(projector.words, projector.words.shape[1:]), dim=-1
            ).T
        )
    assert float(alike.amax(dim=-1).median()) > 0.85  # else the nearest of so many is far


def test_a_projector_of_other_places_than_the_form_has_is_refused():
    assistant = tiny_plain_assistant()
    with pytest.raises(ConfigError, match="the projector 3 and 2; leave --pose-places 0"):
        warm_up_projector(
            assistant.model, assistant.vocabulary, PosePool.random(4, seed=0), steps=1
        )


def test_a_projector_learns_what_is_true_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch):
    for name, value in (("POSES", 64), ("DRAWN", 32), ("BATCH", 32)):
        monkeypatch.setattr(projector_warm_up, name, value)
    assistant = tiny_assistant(config=FORM)
    model = assistant.model
    pool = PosePool.random(32, seed=0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    def missed(steps: int) -> float:
        return warm_up_projector(model, assistant.vocabulary, pool, steps=steps)

    assert model.pose_projector is not None
    model.pose_projector.requires_grad_(requires_grad=False)  # it is to stay as it is afterwards
    untaught = missed(1)
    assert missed(60) < 0.75 * untaught
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
