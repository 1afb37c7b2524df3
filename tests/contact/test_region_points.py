"""The nearest vertices of regions, by the compiled loop and by torch, on known meshes."""

from __future__ import annotations

import pytest
import roma
import torch

from unipose.body.body import load_body
from unipose.body.regions import FINE_REGIONS, PROSEPOSE_ONE_PERSON, PROSEPOSE_TWO_PEOPLE, REGIONS
from unipose.contact.penetration import penetration, winding_numbers
from unipose.contact.pose_prior import MaxMixture
from unipose.contact.region_points import NONE, RegionPoints
from unipose.errors import MissingFileError, WeightsError

BODY = load_body()


def posed(count, *, people, seed=0):
    generator = torch.Generator().manual_seed(seed)
    turns = roma.rotvec_to_rotmat(torch.randn(count * people, 24, 3, generator=generator) * 0.3)
    places = torch.zeros(count * people, 3)
    places[1::2, 0] = 0.4 if people == 2 else 0.0
    return BODY(turns, None, places).vertices.unflatten(0, (count, people))


def every_pair(points, count):
    every = torch.arange(len(points.names))
    return torch.cartesian_prod(every, every).expand(count, -1, -1)


def test_fine_regions_are_the_regions():
    assert sorted(FINE_REGIONS.names) == sorted(REGIONS)
    assert FINE_REGIONS.masks(BODY).sum(0).eq(1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("people", "words"), [(2, PROSEPOSE_TWO_PEOPLE), (1, PROSEPOSE_ONE_PERSON)]
)
def test_the_compiled_loop_finds_what_torch_finds(people, words):
    points = RegionPoints(BODY, words, own=people == 1)
    vertices = posed(2, people=people)
    wanted = every_pair(points, 2)
    fast, slow = (
        look(vertices, wanted) for look in (points._nearest_compiled, points._nearest_torch)
    )

    def lengths(found):
        ends = [
            vertices[:, side].gather(1, found[..., i : i + 1].clamp(min=0).expand(-1, -1, 3))
            for i, side in ((0, 0), (1, -1))
        ]
        return (ends[0] - ends[1]).norm(dim=-1).masked_fill((found == NONE).any(-1), -1.0)

    assert torch.equal(fast == NONE, slow == NONE)
    assert torch.allclose(lengths(fast), lengths(slow), atol=1e-6)


def test_a_persons_own_neighbours_do_not_count():
    points = RegionPoints(BODY, PROSEPOSE_ONE_PERSON, own=True)
    names = points.names
    pairs = [("left hand", "left arm"), ("left hand", "ground"), ("ground", "left hand")]
    wanted = torch.tensor([[[names.index(a), names.index(b)] for a, b in pairs]])
    vertices = BODY.template[None, None]
    (arm, floor, above) = points.nearest(vertices, wanted)[0]
    assert float((BODY.template[arm[0]] - BODY.template[arm[1]]).norm()) >= 0.22
    hand = points.masks[names.index("left hand")]
    lowest = BODY.template[hand, 1].min()
    assert floor[1] == NONE
    assert above[0] == NONE
    assert float(BODY.template[floor[0], 1]) == float(lowest)


def cube(place=0.0, side=1.0):
    corners = torch.tensor([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]).float()
    faces = torch.tensor(
        [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6],
         [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    )  # fmt: skip
    return corners * side + place, faces


def test_winding_numbers_tell_inside_from_outside():
    corners, faces = cube()
    points = torch.tensor([[0.5, 0.5, 0.5], [0.1, 0.9, 0.2], [1.5, 0.5, 0.5], [-3.0, 0.0, 9.0]])
    found = winding_numbers(points, corners[faces])
    assert torch.allclose(found, torch.tensor([1.0, 1.0, 0.0, 0.0]), atol=1e-5)


def test_meshes_that_cross_are_pushed_apart_and_others_are_not():
    first, faces = cube()
    second, _ = cube(place=0.9)
    apart, _ = cube(place=2.0)
    both = torch.stack([torch.stack([first, second]), torch.stack([first, apart])])
    both = both.requires_grad_()
    depth = penetration(both, faces)
    # a corner in each, 10 cm deep along each axis
    assert depth.detach().tolist() == pytest.approx([2 * 3 * 10.0**2, 0.0], rel=1e-4)
    depth.sum().backward()
    assert both.grad is not None
    step = both.detach() - 1e-4 * both.grad
    assert float(penetration(step, faces)[0]) < depth.detach().tolist()[0]


def test_a_prior_has_the_cost_of_its_nearest_gaussian():
    means = torch.zeros(2, 63)
    means[1] = 3.0
    spread = torch.stack([torch.eye(63), 4 * torch.eye(63)])
    prior = MaxMixture(torch.tensor([0.5, 0.5]), means, spread)
    offset = 63 * float(torch.tensor(2.0).log())  # of the wide one
    turns = torch.stack([torch.full((63,), 0.1), means[1]])
    assert prior(turns).tolist() == pytest.approx([63 * 0.01 / 2, offset], rel=1e-4)


def test_our_prior_knows_a_person_from_a_knot():
    prior = MaxMixture.load()
    generator = torch.Generator().manual_seed(0)
    standing = torch.zeros(1, 63)
    knot = torch.randn(1, 63, generator=generator) * 1.5
    assert float(prior(standing)) < 0.1 * float(prior(knot))


def test_a_file_that_is_no_prior_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="no pose prior"):
        MaxMixture.load(tmp_path / "gmm_08.pkl")
    evil = tmp_path / "gmm_08.pkl"
    evil.write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    with pytest.raises(WeightsError, match="nothing in it was executed"):
        MaxMixture.load(evil)
