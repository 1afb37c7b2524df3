"""The loss of contacts is the smallest sum over all allowed sides, as brute force finds it."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from unipose.body.regions import PROSEPOSE_ONE_PERSON, PROSEPOSE_TWO_PEOPLE
from unipose.contact.assignments import FAR_M, assign
from unipose.contact.contact_votes import ContactVotes

NAMES = {2: PROSEPOSE_TWO_PEOPLE.names, 1: PROSEPOSE_ONE_PERSON.names}


def random_distances(people, *, seed=0, count=1):
    generator = torch.Generator().manual_seed(seed)
    size = len(NAMES[people])
    distances = torch.rand(count, size, size, generator=generator)
    if people == 1:
        distances = (distances + distances.mT) / 2
        distances[:, range(size), range(size)] = torch.inf
    return distances


def brute_force(sample, distances, *, vocabulary, both_sides):
    """Return the smallest sum over every choice of sides, one loop per mention."""
    names = vocabulary.names

    def options(term):
        return [region for word in term.split("/") for region in vocabulary.sides_of(word)]

    def side(region):
        return region.split(" ")[0]

    best = float("inf")
    for first in product(*(options(a) for a, _ in sample)):
        for second in product(*(options(b) for _, b in sample)):
            allowed = True
            for column, chosen in ((0, first), (1, second)):
                for term in {pair[column] for pair in sample}:
                    sides = [side(c) for pair, c in zip(sample, chosen) if pair[column] == term]
                    paired = all(len(vocabulary.sides_of(w)) == 2 for w in term.split("/"))
                    if both_sides and paired and len(sides) > 1 and len(set(sides)) < 2:
                        allowed = False
            if allowed:
                pairs = zip(first, second)
                total = sum(float(distances[names.index(a), names.index(b)]) for a, b in pairs)
                best = min(best, total)
    return best


SAMPLES = [
    (("hand", "back"),),
    (("hand", "back"), ("hand", "back")),
    (("hand", "hand"), ("hand", "arm"), ("leg", "leg")),
    (("hand", "chest"), ("hand", "arm"), ("hand", "arm"), ("foot", "butt")),
    (("hand", "shoulder (back)/shoulder (front)"), ("hand", "arm"), ("arm", "arm")),
    (("head", "chest"), ("neck", "head")),
]


@pytest.mark.parametrize("both_sides", [True, False])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_loss_of_two_people_is_that_of_brute_force(sample, both_sides):
    distances = random_distances(2)
    votes = ContactVotes(people=2, samples=(sample,))
    found = assign([votes], PROSEPOSE_TWO_PEOPLE, both_sides=both_sides).loss(distances)
    ways = [distances[0], distances[0].T]  # either may be Person 1
    expected = min(
        brute_force(sample, way, vocabulary=PROSEPOSE_TWO_PEOPLE, both_sides=both_sides)
        for way in ways
    )
    assert float(found[0]) == pytest.approx(expected, abs=1e-5)


def test_each_pair_of_one_person_chooses_for_itself_and_no_region_touches_itself():
    distances = random_distances(1)
    sample = (("hand", "hand"), ("hand", "leg"), ("foot", "ground"))
    votes = ContactVotes(people=1, samples=(sample,))
    found = assign([votes], PROSEPOSE_ONE_PERSON).loss(distances)
    expected = sum(
        brute_force((pair,), distances[0], vocabulary=PROSEPOSE_ONE_PERSON, both_sides=False)
        for pair in sample
    )
    assert float(found[0]) == pytest.approx(expected, abs=1e-5)
    hands = [NAMES[1].index(f"{side} hand") for side in ("left", "right")]
    alone = ContactVotes(people=1, samples=((("hand", "hand"),),))
    assert float(assign([alone], PROSEPOSE_ONE_PERSON).loss(distances)) == pytest.approx(
        float(distances[0, hands[0], hands[1]])
    )


def test_samples_are_averaged_and_empty_ones_count():
    distances = random_distances(2)
    one, two = SAMPLES[0], SAMPLES[4]
    losses = [
        float(
            assign(
                [ContactVotes(people=2, samples=samples)], PROSEPOSE_TWO_PEOPLE
            ).loss(distances)[0]
        )
        for samples in ((one,), (two,), (one, two, one, ()))
    ]  # fmt: skip
    assert losses[2] == pytest.approx((2 * losses[0] + losses[1]) / 4, abs=1e-6)


def test_scenes_of_a_batch_do_not_touch_each_other():
    distances = random_distances(2, count=3)
    votes = [
        ContactVotes(people=2, samples=(SAMPLES[3],)),
        ContactVotes(people=2, samples=((),)),
        ContactVotes(people=2, samples=(SAMPLES[0], SAMPLES[5])),
    ]
    together = assign(votes, PROSEPOSE_TWO_PEOPLE).loss(distances)
    alone = [
        assign([one], PROSEPOSE_TWO_PEOPLE).loss(distances[i : i + 1])[0]
        for i, one in enumerate(votes)
    ]
    assert torch.allclose(together, torch.stack(alone))
    assert float(together[1]) == 0.0


def test_only_what_is_said_is_wanted_and_has_a_gradient():
    votes = [ContactVotes(people=2, samples=((("hand", "head"),),))]
    assignments = assign(votes, PROSEPOSE_TWO_PEOPLE)
    names = NAMES[2]
    wanted = {(names[a], names[b]) for a, b in assignments.wanted[0].tolist()}
    assert wanted == {
        ("left hand", "head"), ("right hand", "head"),
        ("head", "left hand"), ("head", "right hand"),
    }  # fmt: skip
    distances = random_distances(2).requires_grad_()
    assignments.loss(distances).sum().backward()
    assert distances.grad is not None
    assert int((distances.grad != 0).sum()) == 1


def test_what_cannot_touch_is_infinitely_far_and_pulls_nothing():
    distances = torch.full((1, len(NAMES[2]), len(NAMES[2])), torch.inf).requires_grad_()
    votes = [ContactVotes(people=2, samples=((("hand", "head"),),))]
    loss = assign(votes, PROSEPOSE_TWO_PEOPLE).loss(distances)
    loss.sum().backward()
    assert float(loss.detach()) == FAR_M
    assert distances.grad is not None
    assert not distances.grad.nan_to_num().any()


def test_a_table_that_repeats_itself_without_end_stays_small():
    sample = (("hand", "hand"),) * 4 + (("arm", "leg"), ("leg", "foot"), ("foot", "arm")) * 4
    votes = [ContactVotes(people=2, samples=(sample,))]
    assignments = assign(votes, PROSEPOSE_TWO_PEOPLE)
    assert assignments.cases.shape[2] <= 512
    assert assignments.left_out > 0
