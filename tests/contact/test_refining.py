"""Scenes are refined: what is said to touch comes near; where nothing is said, the fallback."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fakes.smpl_files import family_arrays, smpl_arrays
from tests.fakes.touching_people import standing, two_people
from unipose.body.body import load_body
from unipose.body.people import ImagePeople, PersonInImage
from unipose.contact.contact_votes import ContactVotes
from unipose.contact.optimiser import CONTACT_CONFIGS, FALLBACK_CONFIGS
from unipose.contact.refining import ContactRefiner
from unipose.errors import ConfigError, PoseQueryError

BODY = load_body()
HANDS = ContactVotes(people=2, samples=((("hand", "hand"),),))
NOTHING = ContactVotes(people=2, samples=((), ()))
pytestmark = pytest.mark.slow


def refiner(steps=40, contact=None, **options):
    def short(configs):
        return {
            n: replace(
                config, steps=steps, flat=0.0,
                stages=tuple(replace(w, contact=contact or w.contact) for w in config.stages),
            )
            for n, config in configs.items()
        }  # fmt: skip

    return ContactRefiner(
        body=BODY, configs=short(CONTACT_CONFIGS), fallbacks=short(FALLBACK_CONFIGS), **options
    )


def test_hands_that_touch_are_brought_together_and_the_rest_stays():
    scene = two_people(BODY)
    (found,) = refiner().refine([scene], [HANDS])
    assert not found.fell_back
    assert found.contact_before_m > 0.2
    assert found.contact_after_m < 0.06
    first, second = found.after.people
    slip = second.pose.translation[0, 2] - first.pose.translation[0, 2]
    assert abs(float(slip)) < 0.15
    turned = (first.pose.axis_angle - scene.people[0].pose.axis_angle)[0, :22].norm(dim=-1)
    assert float(turned.max()) < 0.6
    assert torch.equal(first.keypoints.points, scene.people[0].keypoints.points)


def test_a_scene_of_a_batch_becomes_what_it_becomes_alone():
    scenes = [two_people(BODY), two_people(BODY, apart=1.8, slip=0.1)]
    votes = [HANDS, ContactVotes(people=2, samples=((("hand", "head"),), ()))]
    together = refiner(steps=8).refine(scenes, votes)
    for scene, said, both in zip(scenes, votes, together):
        (alone,) = refiner(steps=8).refine([scene], [said])
        for a, b in zip(alone.after.people, both.after.people):
            assert torch.allclose(a.pose.rotations, b.pose.rotations, atol=2e-3)
            assert torch.allclose(a.pose.translation, b.pose.translation, atol=2e-3)


def test_where_nothing_is_said_the_heuristic_pulls_the_nearest_parts_together():
    said = refiner(steps=20).refine([two_people(BODY)] * 2, [NOTHING, HANDS])
    assert [one.fell_back for one in said] == [True, False]
    assert said[0].contact_after_m < said[0].contact_before_m


def test_too_many_empty_answers_are_not_believed():
    half = ContactVotes(people=2, samples=((("hand", "hand"),), ()))
    scene = two_people(BODY)
    (kept,) = refiner(steps=2, most_empty=2).refine([scene], [half])
    (fallen,) = refiner(steps=2, most_empty=1).refine([scene], [half])
    (rare,) = refiner(steps=2, threshold=2).refine([scene], [half])
    assert [one.fell_back for one in (kept, fallen, rare)] == [False, True, True]


def test_one_person_touches_themselves_and_the_ground():
    person = PersonInImage(pose=standing())
    scene = ImagePeople(image="a", people=(person,))
    votes = ContactVotes(people=1, samples=((("foot", "ground"), ("hand", "leg")),))
    (found,) = refiner(contact=10_000.0, ground=-1.1).refine([scene], [votes])
    assert found.contact_after_m < 0.6 * found.contact_before_m
    (still,) = refiner(steps=5).refine([scene], [ContactVotes(people=1, samples=())])
    assert still.fell_back
    moved = still.after.people[0].pose.rotations - scene.people[0].pose.rotations
    assert float(moved.abs().max()) < 1e-4


def test_of_one_person_half_of_the_samples_have_to_agree():
    votes = ContactVotes(people=1, samples=((("hand", "leg"),), (("hand", "head"), ("hand", "leg")),
                                            (("foot", "head"),), (("hand", "leg"),)))  # fmt: skip
    assert refiner().believed(votes).votes == {("hand", "leg"): 3}
    assert len(refiner(threshold=1).believed(votes).votes) == 3
    two = ContactVotes(people=2, samples=votes.samples)
    assert len(refiner().believed(two).votes) == 3


def test_a_users_smpl_file_ends_where_the_same_numbers_end(tmp_path):
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **smpl_arrays())
    body = load_body(tmp_path / "SMPL_NEUTRAL.npz")
    assert body.id == "smpl"
    scene = two_people(BODY)
    people = tuple(
        replace(person, pose=replace(person.pose, body="smpl")) for person in scene.people
    )
    (ours,) = refiner(steps=4).refine([scene], [HANDS])
    (theirs,) = replace(refiner(steps=4), body=body).refine(
        [replace(scene, people=people)], [HANDS]
    )
    for a, b in zip(ours.after.people, theirs.after.people):
        assert b.pose.body == "smpl"
        assert torch.allclose(a.pose.translation, b.pose.translation, atol=5e-3)


def test_a_body_of_smpl_x_layout_is_refined(tmp_path):
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **family_arrays("smplx"))
    body = load_body(tmp_path / "SMPLX_NEUTRAL.npz")
    scene = two_people(BODY)
    people = tuple(
        replace(person, pose=replace(person.pose, betas=None, body="smplx"))
        for person in scene.people
    )
    (found,) = replace(refiner(steps=2), body=body).refine([replace(scene, people=people)], [HANDS])
    assert [person.pose.body for person in found.after.people] == ["smplx"] * 2
    moved = found.after.people[1].pose.translation - scene.people[1].pose.translation
    assert 0 < float(moved.norm()) < 0.1  # two steps; the mesh is noise


def test_scenes_stop_on_their_own():
    flat = {2: replace(CONTACT_CONFIGS[2], steps=60, flat=1e-2)}
    found = ContactRefiner(body=BODY, configs=flat).refine([two_people(BODY)], [HANDS])
    assert 2 * 20 <= found[0].steps < 120


def test_what_does_not_fit_is_refused():
    scene = two_people(BODY)
    one = ContactVotes(people=1, samples=())
    with pytest.raises(PoseQueryError, match="2 people, but contacts of 1"):
        refiner().refine([scene], [one])
    nobody = ImagePeople(image="a", people=(PersonInImage(),) * 2)
    with pytest.raises(PoseQueryError, match="each person's pose and place"):
        refiner().refine([nobody], [HANDS])
    with pytest.raises(ConfigError, match="thresholds from 1"):
        refiner(threshold=0)


def test_the_interpenetration_loss_is_part_of_the_sum_where_it_is_wanted(monkeypatch):
    def nearness(vertices, faces):  # instead of depths, which take seconds
        places = vertices.mean(2)
        return -100 * (places[:, 1, 0] - places[:, 0, 0])

    monkeypatch.setattr("unipose.contact.optimiser.penetration", nearness)
    weights = tuple(replace(w, penetration=1000.0, contact=0.0) for w in CONTACT_CONFIGS[2].stages)
    config = {2: replace(CONTACT_CONFIGS[2], stages=weights, steps=4, flat=0.0)}
    scene = two_people(BODY, slip=0.0)
    (found,) = ContactRefiner(body=BODY, configs=config).refine([scene], [HANDS])
    first, second = (person.pose.translation[0, 0] for person in found.after.people)
    assert float(second - first) > 1.88
    alone = ImagePeople(image="a", people=(PersonInImage(pose=standing()),))
    hands = ContactVotes(people=1, samples=((("hand", "hand"),),))
    wrong = ContactRefiner(body=BODY, configs={1: replace(CONTACT_CONFIGS[1], stages=weights)})
    with pytest.raises(ConfigError, match="for two people"):
        wrong.refine([alone], [hands])
