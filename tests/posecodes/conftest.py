"""A stick figure in random poses: joints to caption without a body model or a data set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import roma
import torch

from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.posecodes.joints import normalised_root
from unipose.posecodes.measure import Measured

OFFSETS = {
    "pelvis": (0, 0, 0), "hip": (0.06, -0.09, 0), "spine1": (0, 0.11, -0.02),
    "knee": (0.04, -0.38, 0), "spine2": (0, 0.14, 0), "ankle": (0, -0.40, -0.03),
    "spine3": (0, 0.06, 0.02), "foot": (0.02, -0.06, 0.12), "neck": (0, 0.21, -0.03),
    "collar": (0.08, 0.12, -0.02), "head": (0, 0.09, 0.05), "shoulder": (0.11, 0.03, 0),
    "elbow": (0.26, 0, -0.01), "wrist": (0.25, 0, 0),
}  # fmt: skip
TURNS = {
    "pelvis": 0.25, "hip": 0.6, "knee": 0.7, "shoulder": 0.9, "elbow": 0.8, "neck": 0.2,
    "head": 0.3, "spine1": 0.2, "spine2": 0.15, "spine3": 0.15,
}  # fmt: skip
NAMES = SMPL.joints[:POSED_JOINTS]


def figure_joints(turns: np.ndarray) -> np.ndarray:
    """Return joints (pose, 22, 3) of the figure for axis-angle turns (pose, 22, 3)."""
    local = roma.rotvec_to_rotmat(torch.from_numpy(turns)).numpy()
    world, places = [], []
    for i, name in enumerate(NAMES):
        offset = np.array(OFFSETS[name.split("_")[-1]], dtype=float)
        if name.startswith("right"):
            offset[0] *= -1
        parent = SMPL.parents[i]
        if parent < 0:
            world.append(local[:, i])
            places.append(np.zeros((len(turns), 3)))
        else:
            places.append(places[parent] + world[parent] @ offset)
            world.append(world[parent] @ local[:, i])
    return np.stack(places, axis=1)


def random_turns(count: int, seed: int) -> np.ndarray:
    """Return axis-angle turns as wide as people's, arms hanging on average."""
    draw = np.random.default_rng(seed)
    turns = np.stack(
        [draw.normal(0, TURNS.get(name.split("_")[-1], 0.1), (count, 3)) for name in NAMES], axis=1
    )
    turns[:, 0, 1] = 0.0
    turns[:, SMPL.index["left_shoulder"], 2] -= 0.8
    turns[:, SMPL.index["right_shoulder"], 2] += 0.8
    return turns


@pytest.fixture(scope="session")
def poses() -> Callable[[int, int], np.ndarray]:
    """Return a maker of random poses: poses(count, seed) -> joints (count, 22, 3)."""
    return lambda count, seed: figure_joints(random_turns(count, seed))


@pytest.fixture(scope="session")
def pairs() -> Callable[[int, int], tuple[np.ndarray, np.ndarray]]:
    """Return a maker of pairs: the second pose, and one half-way to it from another one."""

    def make(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        second, other = random_turns(count, seed), random_turns(count, seed + 1)
        return figure_joints((second + other) / 2), figure_joints(second)

    return make


@pytest.fixture(scope="session")
def posed() -> Callable[..., np.ndarray]:
    """Return a maker of one pose: posed(left_elbow=(x, y, z)) -> joints (22, 3), T-pose else."""

    def make(**turns: tuple[float, float, float]) -> np.ndarray:
        rows = np.zeros((1, POSED_JOINTS, 3))
        for name, turn in turns.items():
            rows[0, SMPL.index[name]] = turn
        return figure_joints(rows)[0]

    return make


@pytest.fixture(scope="session")
def mirror() -> Callable[[np.ndarray], np.ndarray]:
    """Return what mirrors joints at the plane x = 0 and exchanges left and right."""
    order = list(SMPL.mirror[:POSED_JOINTS])
    return lambda joints: joints[..., order, :] * np.array([-1.0, 1.0, 1.0])


@pytest.fixture
def tumbling(poses: Callable[[int, int], np.ndarray]) -> Measured:
    """Return 60 poses turned every way, with made-up angles of the head."""
    draw = np.random.default_rng(3)
    turned = np.linalg.qr(draw.normal(size=(60, 3, 3)))[0]
    turned *= np.linalg.det(turned)[:, None, None]
    joints = np.einsum("pab,pjb->pja", normalised_root(turned, "yaw"), poses(60, 41))
    return Measured(joints, head=draw.normal(0, 30, (60, 3)))
