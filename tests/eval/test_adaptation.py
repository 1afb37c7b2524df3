"""The benchmark of adaptation: films of the studio, errors of the truth, results that resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_builders.studio import Motions
from data_builders.studio.labels import OUTSIDE, SEEN
from eval import adaptation_films
from eval.adaptation import (
    FIGURES,
    AdaptationOptions,
    Results,
    as_person,
    film_errors,
    summary,
    wrong_label,
)
from eval.adaptation_films import BenchmarkFilm, Hider, Keypoint2DNoise, chosen_takes, shoot_all
from eval.narrow_network import narrow_takes
from tests.fakes.studio import made_up_motions
from unipose.adaptation.film_keypoints import KeypointLabels
from unipose.body.body import Body, load_body
from unipose.errors import ConfigError
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.fixture(scope="module")
def films(body: Body) -> list[BenchmarkFilm]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(adaptation_films.LABELS, "wave with the left hand", "wave")
        return shoot_all(made_up_motions(), body, count=3, frames=4, seed=3, side_px=32)


def truth_of(film: BenchmarkFilm) -> RecoveredMeshes:
    frames = len(film.pixels)
    rotations = torch.cat([LEVEL @ film.rotations[:, :1], film.rotations[:, 1:]], dim=1)
    return RecoveredMeshes(
        rotations=rotations, betas=film.betas.expand(frames, -1), camera=torch.zeros(frames, 3)
    )


def test_the_truth_has_no_error_and_a_turn_is_one(films: list[BenchmarkFilm], body: Body):
    found = film_errors(truth_of(films[0]), films[0], body)
    assert max(found.values()) < 0.02
    upside_down = replace(truth_of(films[0]), rotations=films[0].rotations)
    turned = film_errors(upside_down, films[0], body)
    assert turned["mpjpe_mm"] > 300
    assert turned["pa_mpjpe_mm"] < 0.1


def test_a_third_of_the_films_is_whole_cut_off_and_covered(films: list[BenchmarkFilm]):
    assert [film.part for film in films] == ["whole", "cut off", "covered"]
    shares = [float((film.seen == OUTSIDE).float().mean()) for film in films]
    assert shares[0] == 0
    assert min(shares[1:]) > 0.05
    assert films[1].label == "wave"


def test_keypoints_are_where_they_were_seen_give_or_take(films: list[BenchmarkFilm]):
    film = films[0]
    none = Keypoint2DNoise(spread=0.0, drift=0.0, outliers=0.0, missing=0.0, guessed=0.0)
    exact = film.keypoints(none, seed=1)
    assert torch.equal(exact.present, film.seen == SEEN)
    assert torch.allclose(exact.points[exact.present], film.points[exact.present])
    noisy, again = (film.keypoints(Keypoint2DNoise(), seed=1) for _ in range(2))
    assert torch.equal(noisy.points, again.points)
    both = exact.present & noisy.present
    off = (noisy.points - exact.points)[both].norm(dim=1) / film.crops.side[0]
    assert 0.005 < float(off.median()) < 0.04
    person = as_person(film, none, label="wave", seed=1)
    labels = KeypointLabels.of(person.keypoints, person.crops, least_score=0.3)
    assert float(labels.points[labels.counted].abs().max()) < 112


def test_films_are_functions_of_their_number(body: Body):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(adaptation_films.LABELS, "wave with the left hand", "wave")
        first, again = (
            shoot_all(made_up_motions(), body, count=1, frames=2, seed=3, side_px=16)[0]
            for _ in range(2)
        )
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.points, again.points)


def test_actions_come_in_turn_and_recordings_once():
    take = made_up_motions().takes[0]
    takes = [replace(take, name=str(i), label=name) for i, name in
             enumerate(("walk", "walk", "walk", "run"))]  # fmt: skip
    assert [one.name for one in chosen_takes(takes, 6)] == ["0", "3", "1", "2", "0", "3"]
    with pytest.raises(ConfigError, match="no recording of this split"):
        shoot_all(Motions([take], fps=30.0), load_body(), count=1, frames=2, seed=0, side_px=16)


def test_the_narrow_network_has_not_seen_people_who_move_on():
    take = made_up_motions().takes[0]
    names = ("walk", "Run Right", "salsa dance", "", "directing traffic", "forward jump")
    motions = Motions([replace(take, label=name) for name in names], fps=30.0)
    assert [one.label for one in narrow_takes(motions)] == ["salsa dance", "directing traffic"]


def test_what_hides_stays_at_its_share():
    person = (10.0, 0.0, 50.0, 100.0)
    whole = Hider("whole", np.random.default_rng(0))
    assert whole(person, height=120, width=60) is None
    hider = Hider("cut off", np.random.default_rng(0))
    hider.beside, hider.share = False, 0.5
    assert hider(person, height=120, width=60) == (0.0, 50.0, 60.0, 120.0)
    hider.part = "covered"
    assert hider(person, height=120, width=60) == (0.0, 50.0, 60.0, pytest.approx(88.0))


def test_results_are_kept_and_summed_up(tmp_path: Path, films: list[BenchmarkFilm]):
    results = Results(tmp_path / "results.jsonl")
    for film in range(3):
        for seed in range(2):
            for mode, error in (("cycleadapt", 100.0), ("fill_in", 80.0)):
                row = dict.fromkeys(FIGURES, error + 10 * film + 2 * seed)
                results.add(film, seed, mode, row | {"ms_per_frame": 5.0, "filled": 0.1})
    again = Results(tmp_path / "results.jsonl")
    assert again.rows == results.rows
    found = summary(again, films, ["cycleadapt", "fill_in"], seeds=2)
    assert found["cycleadapt.mpjpe_mm"] == pytest.approx(111)
    assert found["cycleadapt.mpjpe_mm_std"] == pytest.approx(1)
    assert found["fill_in.hard_pa_mpjpe_mm"] == pytest.approx(96)
    assert found["hard_pa_gain"] == pytest.approx(20 / 116)


def test_a_wrong_label_is_that_of_another_action(films: list[BenchmarkFilm]):
    two = [films[0], replace(films[1], label="walk")]
    assert [wrong_label(two, 0), wrong_label(two, 1)] == ["walk", "wave"]
    with pytest.raises(ConfigError, match="no wrong one"):
        wrong_label(films, 0)


def test_unknown_modes_are_refused():
    with pytest.raises(ConfigError, match="no mode 'magic'"):
        AdaptationOptions(data=Path(), modes=("magic",))
