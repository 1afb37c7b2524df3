"""Where people stand, what touches, what they wear and how they are told apart."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch

from data_builders.studio.block_random import BlockRandom
from data_builders.studio.clothing import PALETTE, Garment, Slot, draw_outfit, linear
from data_builders.studio.contacts import TouchFinder
from data_builders.studio.placing import slide
from data_builders.studio.skinning import StudioBody
from data_builders.studio.words import positions, who_phrases
from unipose.body.body import load_body
from unipose.body.skeletons import SMPL

BODY = StudioBody(load_body())
REST = np.tile(np.eye(3), (24, 1, 1))


def stand(x: float = 0.0, *, rotations: np.ndarray = REST):
    return BODY.stand(rotations, np.zeros(10), np.array([x, 0.0, 0.0]))


def test_the_fast_skinning_is_the_bodys_own():
    random = torch.Generator().manual_seed(2)
    betas, shift = torch.randn(1, 10, generator=random), torch.randn(1, 3, generator=random)
    turns = torch.linalg.qr(torch.randn(1, 24, 3, 3, generator=random))[0]
    turns = turns * torch.linalg.det(turns)[..., None, None]
    mesh = BODY.body(turns, betas, shift)
    posed = BODY.stand(
        turns[0].double().numpy(), betas[0].double().numpy(), shift[0].double().numpy()
    )
    np.testing.assert_allclose(posed.vertices, mesh.vertices[0].numpy(), atol=2e-5)
    np.testing.assert_allclose(posed.joints, mesh.joints[0].numpy(), atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(posed.normals, axis=1), 1, atol=1e-5)


def test_a_t_pose_touches_only_the_ground():
    contacts = TouchFinder(BODY, 0.02).of_oneself(0, stand())
    assert {contact.part for contact in contacts} == {"left foot", "right foot"}
    assert {contact.other_part for contact in contacts} == {"ground"}


def test_a_raised_forearm_touches_the_head():
    rotations = REST.copy()
    cosine, sine = np.cos(2.62), np.sin(2.62)  # elbow folded by 150 degrees, towards the front
    fold = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    rotations[18] = fold.T if (fold @ [1.0, 0, 0])[2] < 0 else fold
    contacts = TouchFinder(BODY, 0.03).of_oneself(0, stand(rotations=rotations))
    own = {frozenset((c.part, c.other_part)) for c in contacts if c.other >= 0}
    assert any(any("left" in part for part in pair) for pair in own)


def bend(**angles: tuple[float, float, float]) -> np.ndarray:
    """Return the zero pose with joints turned by rotation vectors."""
    rotations = REST.copy()
    for joint, vector in angles.items():
        turn = torch.tensor(vector, dtype=torch.float64)
        rotations[SMPL.index[joint]] = roma.rotvec_to_rotmat(turn).numpy()
    return rotations


def own_contacts(rotations: np.ndarray) -> set[tuple[str, str]]:
    contacts = TouchFinder(BODY, 0.02).of_oneself(0, stand(rotations=rotations))
    return {(c.part, c.other_part) for c in contacts if c.other >= 0}


def arms_at_the_sides(angle: float) -> np.ndarray:
    """Return the zero pose with both arms lowered (1.57 is straight down)."""
    return bend(left_shoulder=(0.0, 0.0, -angle), right_shoulder=(0.0, 0.0, angle))


HANDS_ON_THIGHS = {("left hand", "left thigh"), ("right hand", "right thigh")}


def test_an_arm_that_merely_hangs_touches_nothing(monkeypatch):
    assert own_contacts(arms_at_the_sides(1.5)) == set()
    monkeypatch.setattr("unipose.body.touch_rules.HANGING_COSINE", 2.0)  # as if nothing ever hung
    assert own_contacts(arms_at_the_sides(1.5)) > HANDS_ON_THIGHS


def test_a_hanging_hand_that_presses_touches_the_thigh():
    assert own_contacts(arms_at_the_sides(1.6)) == HANDS_ON_THIGHS


def test_two_people_slid_together_touch_and_do_not_cross():
    one, other = stand(), stand()
    way = slide([one.vertices], other.vertices, (1.0, 0.0))
    assert way == pytest.approx(2 * one.vertices[:, 0].max(), abs=0.02)  # finger tip to finger tip
    contacts = TouchFinder(BODY, 0.02).between(0, one, 1, stand(way + 0.004))
    assert {(c.part, c.other_part) for c in contacts} == {("left hand", "right hand")}
    assert TouchFinder(BODY, 0.02).between(0, one, 1, stand(way + 0.2)) == ()


def test_people_are_on_the_left_only_if_nobody_comes_near():
    assert positions([40.0, 200.0, None], 256.0) == ["on the left", "on the right", ""]
    assert positions([200.0, 120.0, 40.0], 256.0) == [
        "on the right",
        "in the middle",
        "on the left",
    ]
    assert positions([100.0, 110.0, 200.0], 256.0) == ["", "", "on the right"]
    assert positions([100.0], 256.0) == [""]


def test_a_phrase_is_told_only_if_it_fits_nobody_else():
    red, blue = (Garment(kind="T-shirt", colour=colour) for colour in ("red", "blue"))
    told = who_phrases(["on the left", "on the right"], [(red,), (blue,)], ["black", "black"])
    assert told[0] == (
        "the person on the left",
        "the person in a red T-shirt",
        "the person on the left in a red T-shirt",
    )
    same = who_phrases(["", ""], [(red,), (red,)], ["black", "black"])
    assert same == [(), ()]
    unseen = who_phrases(["", ""], [(red,), ()], ["black", ""])
    assert unseen == [(), ()]


def test_a_garments_colour_is_the_one_it_is_called():
    for seed in range(20):
        outfit = draw_outfit(BlockRandom(seed))
        for slot, garment in zip((Slot.TOP, Slot.BOTTOM), outfit.garments):
            away = {
                name: float(np.abs(outfit.colours[slot] - linear(np.array(rgb, dtype=float))).sum())
                for name, rgb in PALETTE.items()
            }
            assert min(away, key=away.__getitem__) == garment.colour
