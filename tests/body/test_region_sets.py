"""Coarse regions of contact questions as masks over a body's vertices."""

import pytest
import torch

from unipose.body.body import load_body
from unipose.body.regions import (
    GROUND,
    PROSEPOSE_ONE_PERSON,
    PROSEPOSE_TWO_PEOPLE,
    REGIONS,
    RegionSet,
    find_regions,
)

BODY = load_body()
EVERY = pytest.mark.parametrize(
    "one", [PROSEPOSE_ONE_PERSON, PROSEPOSE_TWO_PEOPLE], ids=lambda one: one.name
)


def mask_of(one: RegionSet, name: str) -> torch.Tensor:
    return one.masks(BODY)[one.names.index(name)]


def test_the_words_are_those_of_the_prompts():
    assert tuple(PROSEPOSE_TWO_PEOPLE.parts) == (
        "head", "neck", "chest", "stomach", "waist (back)", "waist (front)", "back",
        "shoulder (back)", "shoulder (front)", "arm", "hand", "leg", "foot", "butt",
    )  # fmt: skip
    assert tuple(PROSEPOSE_ONE_PERSON.parts) == (
        "head", "back", "shoulder", "arm", "hand", "leg", "foot", "stomach", "butt", "ground",
    )  # fmt: skip
    assert PROSEPOSE_ONE_PERSON.sides_of("hand") == ("left hand", "right hand")
    assert PROSEPOSE_ONE_PERSON.sides_of("back") == ("back",)


@EVERY
def test_every_region_but_the_ground_has_vertices(one: RegionSet):
    masks = one.masks(BODY)
    assert masks.shape == (len(one.names), len(BODY.template))
    empty = [name for name, row in zip(one.names, masks, strict=True) if not row.any()]
    assert empty == ([GROUND] if GROUND in one.names else [])


def test_two_people_cover_the_whole_body():
    assert PROSEPOSE_TWO_PEOPLE.masks(BODY).any(0).all()


def test_front_and_back_of_a_shoulder_make_it_whole():
    front, back = (mask_of(PROSEPOSE_TWO_PEOPLE, f"left shoulder ({h})") for h in ("front", "back"))
    whole = mask_of(PROSEPOSE_ONE_PERSON, "left shoulder")
    assert torch.equal(front | back, whole)
    assert not (front & back).any()
    z = BODY.template[:, 2]
    assert z[front].mean() > z[back].mean()


def test_regions_overlap_where_words_do():
    back, waist = (mask_of(PROSEPOSE_TWO_PEOPLE, name) for name in ("back", "waist (back)"))
    assert torch.equal(back & waist, waist)
    fine = find_regions(BODY).of_vertex == REGIONS.index("upper back")
    assert torch.equal(back & fine, fine)


def test_left_and_right_lie_on_their_sides():
    for name in ("hand", "arm", "leg", "foot"):
        left, right = (
            mask_of(PROSEPOSE_ONE_PERSON, f"{side} {name}") for side in ("left", "right")
        )
        assert BODY.template[left, 0].mean() > 0 > BODY.template[right, 0].mean()
        assert not (left & right).any()
