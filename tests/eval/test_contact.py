"""The contact benchmark: wrong answers, the plain loop, what is kept, and a run of it all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eval.bench_parts import PARTS, BenchFigure
from eval.contact import answerers, charts_of, measure, rows_of
from eval.contact_bench import wrong_answers
from eval.contact_options import ContactOptions, Keep
from eval.contact_speed import loop_loss
from unipose.body.regions import PROSEPOSE_TWO_PEOPLE
from unipose.contact.assignments import assign
from unipose.contact.contact_votes import ContactVotes
from unipose.errors import ConfigError

TRUE = (("hand", "back"), ("hand", "back"), ("arm", "chest"), ("head", "neck"))


def test_a_share_of_an_oracles_pairs_is_wrong_in_each_sample():
    samples = wrong_answers(TRUE, PROSEPOSE_TWO_PEOPLE, share=0.3, samples=200, seed="0")
    wrong = sum(pair != real for sample in samples for pair, real in zip(sample, TRUE))
    assert wrong / (200 * len(TRUE)) == pytest.approx(0.3, abs=0.06)
    assert len(set(samples)) > 20
    again = wrong_answers(TRUE, PROSEPOSE_TWO_PEOPLE, share=0.3, samples=20, seed="0")
    assert again == samples[:20]


def test_the_plain_loop_finds_the_same_loss():
    size = len(PROSEPOSE_TWO_PEOPLE.names)
    distances = torch.rand(1, size, size, generator=torch.Generator().manual_seed(1))
    samples = (TRUE, TRUE[:2], (), (("leg", "waist (back)/waist (front)/stomach"),))
    votes = ContactVotes(people=2, samples=samples)
    ours = assign([votes], PROSEPOSE_TWO_PEOPLE).loss(distances)
    looped = loop_loss(distances[0], votes, PROSEPOSE_TWO_PEOPLE)
    assert float(ours[0]) == pytest.approx(float(looped), abs=1e-5)


def test_finished_parts_are_kept_for_the_same_options_only(tmp_path):
    options = ContactOptions(data=tmp_path, keep=tmp_path / "kept", seeds=(0, 1), scenes=20)
    alone = ContactOptions(data=tmp_path, keep=tmp_path / "kept", seeds=(1,), scenes=10,
                           one_person=12, some_scenes=36)  # fmt: skip
    asked = []

    def make():
        asked.append(1)
        return {"x": 1.0}

    assert Keep(options, people=2, seed=1)("part", make) == {"x": 1.0}
    assert Keep(alone, people=2, seed=1)("part", make) == {"x": 1.0}  # the same seed's scenes
    assert len(asked) == 1
    other = ContactOptions(data=tmp_path, keep=tmp_path / "kept", seeds=(0, 1), scenes=30)
    Keep(other, people=2, seed=1)("part", make)
    assert len(asked) == 2


def test_no_scene_for_a_seed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least one scene"):
        ContactOptions(data=tmp_path, scenes=2)


@pytest.mark.slow
def test_the_whole_benchmark_runs(mocap_folder, tmp_path):
    options = ContactOptions(
        data=mocap_folder, split="val", seeds=(0,), scenes=2, one_person=2, some_scenes=1, steps=2,
        samples=2, own=False, keep=tmp_path / "kept", side_px=48,
    )  # fmt: skip
    result = measure(options)
    for method in ("initial", "heuristic", "oracle", "oracle_30_wrong", "rule"):
        assert result[f"{method}.joint_pa_mpjpe_mm"] > 10
        assert 0 <= result[f"one_person.{method}.average_pcc"] <= 100
    assert result["loss_speedup"] > 1
    assert result["heuristic.fallbacks"] == 2
    assert len(rows_of(result, "")) == 12
    assert {"random.average_pcc", "anywhere.average_pcc"} <= result.keys()
    assert [chart.name for chart in charts_of(result)] == ["contact_samples", "contact_wrong"]
    assert measure(options) == result  # everything was kept


COMPARED = [
    figure for part in PARTS if part.program == "eval.contact" for figure in part.figures
    if figure.chance is not None
]  # fmt: skip
"""What the page of benchmarks shows of the scenes of two people and of one, beside another."""


@pytest.mark.parametrize("figure", COMPARED, ids=lambda figure: figure.key)
def test_the_page_compares_the_same_figure_of_the_same_scenes(figure: BenchFigure):
    assert figure.chance is not None
    alone = "one_person."  # of whose few scenes everybody is asked
    (method, _, key), (other, _, beside) = (
        one.removeprefix(alone).partition(".") for one in (figure.key, figure.chance)
    )
    assert (key, figure.chance.startswith(alone)) == (beside, figure.key.startswith(alone))
    everybody = answerers(ContactOptions(data=Path("mocap")), lambda _: [])[2]
    asked_in_some = {"initial": False} | {who.name: who.some for who in everybody}
    if not figure.key.startswith(alone) and key != "some_scenes_mm":
        assert asked_in_some[method] == asked_in_some[other]


def test_our_model_stands_beside_who_knows_no_place_and_one_person_beside_nobody_asked():
    beside = {figure.key: figure.chance for figure in COMPARED}
    for who in ("own_model", "oracle"):
        assert beside[f"{who}.some_scenes_mm"] == "anywhere.some_scenes_mm"
        alone = beside[f"one_person.{who}.joint_pa_mpjpe_mm"]
        assert alone == "one_person.heuristic.joint_pa_mpjpe_mm"


def test_the_numbers_of_scenes_on_the_page_are_those_of_the_benchmark():
    options = ContactOptions(data=Path("mocap"))
    assert (options.scenes, options.some_scenes) == (216, 72)
    assert options.one_person <= options.some_scenes
