"""The adapter: it follows keypoints and labels, forgets afterwards, and resumes."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.films_to_adapt import BODY, make_adapter, make_film
from unipose.adaptation.adapter import MODES, Adapter, AdapterConfig, PersonFilm
from unipose.adaptation.film_keypoints import BODY_AND_FEET, KeypointLabels
from unipose.adaptation.networks import FilmNetwork, SplitMeshRecovery
from unipose.adaptation.segments import FilmSegment
from unipose.errors import ConfigError, FileError, PoseQueryError
from unipose.vision.mesh_recovery import MeshRecoveryNetwork
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes


def wrong_px(adapter: Adapter, film: PersonFilm, found: RecoveredMeshes) -> float:
    from unipose.adaptation.adapter import CROP_PX, project

    labels = KeypointLabels.of(film.keypoints, film.crops, least_score=0.3)
    _, points = adapter.points(found.rotations, found.betas)
    return float(labels.loss(project(points, found.camera).detach() * CROP_PX))


def weights_of(adapter: Adapter) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in adapter.network.parameters()])


def test_a_film_pulls_the_network_to_its_keypoints_and_is_forgotten():
    adapter, film = make_adapter(), make_film()
    before = weights_of(adapter).clone()
    adapted = adapter.adapt(film, MODES["cycleadapt"])
    assert wrong_px(adapter, film, adapted.after) < 0.7 * wrong_px(adapter, film, adapted.before)
    assert torch.equal(weights_of(adapter), before)
    again = adapter.adapt(film, MODES["cycleadapt"])
    assert torch.equal(again.after.rotations, adapted.after.rotations)


def test_a_label_pulls_where_no_keypoint_is_seen():
    unseen = ("left_elbow", "left_wrist")
    adapter = make_adapter(AdapterConfig(epochs=3, passes=2, rate=1e-2, alignment_weight=30.0))
    bent = adapter.adapt(make_film(hidden=unseen), MODES["alignment"])
    other = adapter.adapt(make_film(hidden=unseen, label="stretch the elbow"), MODES["alignment"])
    assert float(bent.cosines[-1].mean()) > float(bent.cosines[0].mean())

    def trace(found: RecoveredMeshes) -> float:
        return float(found.rotations[:, 18].diagonal(dim1=-2, dim2=-1).sum(-1).mean())

    assert trace(bent.after) < trace(other.after) - 0.1


def test_missing_keypoints_are_filled_in_where_the_motion_agrees():
    film = make_film(hidden=("left_wrist",))
    wrist = BODY_AND_FEET.index["left_wrist"]
    filled = make_adapter().adapt(film, MODES["fill_in"]).labels
    assert bool(filled.filled[:, wrist].all())
    assert int(filled.filled.sum()) == len(film)
    doubting = make_adapter(AdapterConfig(epochs=2, fill_threshold=1.1))
    assert not bool(doubting.adapt(film, MODES["fill_in"]).labels.filled.any())


def test_unlabelled_segments_are_neither_pulled_nor_filled_in():
    film = make_film(hidden=("left_wrist",))
    film = replace(film, segments=[film.segments[0], replace(film.segments[1], label="")])
    adapted = make_adapter().adapt(film, MODES["fill_in"])
    assert adapted.labels.filled.any(1).tolist() == [True] * 4 + [False] * 4


def test_anchors_pull_films_without_labels():
    film = make_film(label="")
    adapted = make_adapter().adapt(film, MODES["label_free"])
    assert adapted.cosines.shape == (3, 2)
    assert not torch.equal(adapted.after.rotations, adapted.before.rotations)


def test_an_adaptation_that_was_killed_goes_on_to_the_same_result(tmp_path: Path):
    film, state = make_film(hidden=("left_wrist",)), tmp_path / "state.safetensors"
    unbroken = make_adapter().adapt(film, MODES["fill_in"])

    class Killed(Exception):
        pass

    def kill(epoch: int, _: RecoveredMeshes) -> None:
        if epoch == 1:
            raise Killed

    adapter = make_adapter()
    before = weights_of(adapter).clone()
    with pytest.raises(Killed):
        adapter.adapt(film, MODES["fill_in"], state=state, on_epoch=kill)
    assert torch.equal(weights_of(adapter), before)
    resumed = make_adapter().adapt(film, MODES["fill_in"], state=state)
    assert torch.equal(resumed.after.rotations, unbroken.after.rotations)
    assert torch.equal(resumed.labels.points, unbroken.labels.points)
    assert torch.equal(resumed.cosines, unbroken.cosines)
    state.write_bytes(b"not a state")
    with pytest.raises(FileError, match="no state"):
        adapter.adapt(film, MODES["fill_in"], state=state)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.fakes.films_to_adapt import make_adapter, make_film
from unipose.adaptation.adapter import MODES

def kill(epoch, _):
    if epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)

film = make_film(hidden=("left_wrist",))
make_adapter().adapt(film, MODES["fill_in"], state=Path(sys.argv[1]), on_epoch=kill)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_outright_goes_on_to_the_same_result(tmp_path: Path):
    state = tmp_path / "state.safetensors"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(state)], check=False)
    assert killed.returncode == -signal.SIGKILL
    film, done = make_film(hidden=("left_wrist",)), []
    resumed = make_adapter().adapt(
        film, MODES["fill_in"], state=state, on_epoch=lambda epoch, _: done.append(epoch)
    )
    unbroken = make_adapter().adapt(film, MODES["fill_in"])
    assert done == [2]
    assert torch.equal(resumed.after.rotations, unbroken.after.rotations)
    assert torch.equal(resumed.labels.points, unbroken.labels.points)


def test_what_cannot_be_adapted_is_named():
    adapter, film = make_adapter(), make_film(label="fly")
    with pytest.raises(PoseQueryError, match="no label 'fly'"):
        adapter.adapt(film, MODES["alignment"])
    with pytest.raises(ConfigError, match="segments that follow each other"):
        replace(film, segments=[FilmSegment(start=0, end=3)])
    bare = Adapter(adapter.network, BODY, adapter.denoiser)
    with pytest.raises(ConfigError, match="motion-text space"):
        bare.adapt(film, MODES["alignment"])


def test_features_that_stay_are_computed_once():
    assert issubclass(MeshRecoveryNetwork, SplitMeshRecovery)
    film = make_film()
    network = make_adapter().network
    whole = FilmNetwork(network, film.pixels).all_frames()
    part = FilmNetwork(network, film.pixels)(torch.tensor([3, 5]))
    assert torch.allclose(part.rotations, whole.rotations[[3, 5]], atol=1e-6)
