"""Limits of joints, and sides and lengths over the frames of a film."""

from __future__ import annotations

import pytest
import torch

from eval.plausible_joints import LIMBS, beyond_limits, film_consistency

NAMES = [f"{side}_{part}" for part in ("elbow", "knee", "hip") for side in ("left", "right")]


def standing() -> torch.Tensor:
    """Return somebody who stands and looks along z; x is their left, y up."""
    half = {"shoulder": (0.2, 1.4), "elbow": (0.25, 1.1), "wrist": (0.25, 0.85), "hip": (0.1, 0.9),
            "knee": (0.1, 0.5), "ankle": (0.1, 0.1)}  # fmt: skip
    rows = []
    for name in LIMBS.names:
        side, part = name.split("_")
        x, y = half[part]
        rows.append([x if side == "left" else -x, y, 0.02 if part == "knee" else 0.0])
    return torch.tensor(rows)


def moved(joint: str, x: float, y: float, z: float) -> torch.Tensor:
    joints = standing()
    joints[LIMBS.index[joint]] += torch.tensor([x, y, z])
    return joints


@pytest.mark.parametrize(
    ("joints", "wrong"),
    [
        (standing(), []),
        (moved("left_ankle", 0, 0.3, 0.4), ["left_knee"]),  # a shin that points forward
        (moved("right_ankle", 0, 0.3, -0.4), []),  # ... and one that is bent back
        (moved("left_wrist", 0, 0.5, 0.02), ["left_elbow"]),  # a forearm within its upper arm
        (torch.stack([moved("right_knee", 0, 0.4, -0.4)])[0], ["right_knee", "right_hip"]),
    ],
)
def test_what_nobody_can_do_is_told(joints: torch.Tensor, wrong: list[str]):
    for axes in (torch.eye(3), torch.diag(torch.tensor([1.0, -1.0, -1.0]))):
        found = beyond_limits((joints @ axes)[None])[0]
        assert [name for name, bad in zip(NAMES, found.tolist(), strict=True) if bad] == wrong


def test_exchanged_sides_turned_fronts_and_limbs_that_grow_are_counted():
    still = standing().expand(5, -1, -1).clone()
    found = film_consistency(still)
    assert [float(found[name].sum()) for name in found] == [0, 0, 0]
    exchanged = still.clone()
    exchanged[2] = still[2][list(LIMBS.mirror)]
    found = film_consistency(exchanged)
    assert found["side_swaps"].tolist() == [0, 100, 100, 0]
    assert found["front_flips"].tolist() == [0, 100, 100, 0]
    grown = still.clone()
    grown[:, LIMBS.index["left_wrist"], 1] -= torch.tensor([0.0, 0, 0, 0, 0.25])
    drift = film_consistency(grown)["length_drift"]
    assert int((drift > 0).sum()) == 1
    assert float(drift.max()) == pytest.approx(100 * 0.25 / 5**0.5 / 0.3, rel=1e-4)
