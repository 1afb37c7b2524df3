"""The .glb we write, read back: its skin, evaluated by hand, is our own skinning."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
import trimesh

from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError, PoseError
from unipose.files.glb import strongest_weights, write_glb

DTYPES = {5126: "<f4", 5125: "<u4", 5123: "<u2", 5121: "<u1"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def random_pose(count: int, **known) -> Pose:
    generator = torch.Generator().manual_seed(3)
    turns = torch.randn(count, 24, 3, generator=generator) * 0.4
    return Pose.from_axis_angle(turns, **known)


class Glb:
    """A reader of what a .glb says, written from the glTF 2.0 text alone."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        assert size % 4 == 0
        self.document = json.loads(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.binary = data[28 + size :]
        assert len(self.binary) == binary_size == self.document["buffers"][0]["byteLength"]

    def array(self, accessor: int) -> np.ndarray:
        entry = self.document["accessors"][accessor]
        view = self.document["bufferViews"][entry["bufferView"]]
        width = WIDTHS[entry["type"]]
        values = np.frombuffer(
            self.binary,
            DTYPES[entry["componentType"]],
            entry["count"] * width,
            view.get("byteOffset", 0),
        )
        values = values.reshape(entry["count"], width)
        if "min" in entry:
            assert values.min(0).tolist() == entry["min"]
            assert values.max(0).tolist() == entry["max"]
        return values

    def skinned(self, time: int | None = None) -> np.ndarray:
        """Return the vertices as a viewer shows them, at key `time` of the animation."""
        nodes = [dict(node) for node in self.document["nodes"]]
        if time is not None:
            (animation,) = self.document["animations"]
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                value = self.array(sampler["output"])[time]
                nodes[channel["target"]["node"]][channel["target"]["path"]] = value
        (skin,) = self.document["skins"]
        matrices = {}

        def visit(index: int, above: np.ndarray) -> None:
            node, local = nodes[index], np.eye(4)
            local[:3, :3] = roma.unitquat_to_rotmat(torch.tensor(node["rotation"])).numpy()
            local[:3, 3] = node["translation"]
            matrices[index] = above @ local
            for child in node.get("children", []):
                visit(child, matrices[index])

        visit(skin["skeleton"], np.eye(4))
        bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        moves = np.stack([matrices[joint] for joint in skin["joints"]]) @ bind
        attributes = self.document["meshes"][0]["primitives"][0]["attributes"]
        rest = self.array(attributes["POSITION"])
        rest = np.concatenate([rest, np.ones_like(rest[:, :1])], axis=1)
        weights, joints = (self.array(attributes[n]) for n in ("WEIGHTS_0", "JOINTS_0"))
        blended = (moves[joints] * weights[..., None, None]).sum(1)
        return np.einsum("vij,vj->vi", blended, rest)[:, :3]


def with_four_weights(body: Body, pose: Pose) -> np.ndarray:
    """Return our own skinning with the weights that the file may hold."""
    joints, kept = strongest_weights(body.weights)
    still = load_body()
    few = torch.zeros_like(body.weights).scatter_add_(1, joints, kept)
    still.weights = few
    still._transposed_weights = few.T.contiguous()
    betas = torch.zeros(1, 10) if pose.betas is None else pose.betas
    return still(pose.rotations, betas, pose.translation).vertices.numpy()


def test_a_viewer_shows_the_vertices_of_our_own_skinning(body: Body, tmp_path: Path) -> None:
    pose = random_pose(1, translation=torch.tensor([[0.3, -0.2, 1.5]]))
    shown = Glb(write_glb(pose, tmp_path / "one.glb", body)).skinned()
    np.testing.assert_allclose(shown, with_four_weights(body, pose)[0], atol=2e-5)
    full = body.mesh(pose).vertices[0].numpy()
    assert np.linalg.norm(shown - full, axis=1).mean() < 1e-3  # what the cut to 4 weights costs


def test_the_shape_of_the_body_goes_along(body: Body, tmp_path: Path) -> None:
    pose = random_pose(1, betas=torch.full((1, 10), 0.8))
    shown = Glb(write_glb(pose, tmp_path / "shaped.glb", body)).skinned()
    np.testing.assert_allclose(shown, with_four_weights(body, pose)[0], atol=2e-5)


def test_a_sequence_is_an_animation_with_a_key_per_pose(body: Body, tmp_path: Path) -> None:
    pose = random_pose(12, translation=torch.rand(12, 3), fps=25.0)
    file = Glb(write_glb(pose, tmp_path / "moving.glb", body))
    (animation,) = file.document["animations"]
    assert len(animation["channels"]) == 25
    times = file.array(animation["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, np.arange(12) / 25, atol=1e-6)
    for key in (0, 7, 11):
        expected = with_four_weights(body, pose[key])[0]
        np.testing.assert_allclose(file.skinned(key), expected, atol=2e-5)


def test_between_two_keys_a_joint_turns_the_short_way(body: Body, tmp_path: Path) -> None:
    turns = torch.zeros(40, 24, 3)
    turns[:, 0, 1] = torch.linspace(0, 12, 40)  # almost two turns about the vertical
    pose = Pose.from_axis_angle(turns, fps=10.0)
    file = Glb(write_glb(pose, tmp_path / "turning.glb", body))
    keys = file.array(file.document["animations"][0]["samplers"][0]["output"])
    assert ((keys[1:] * keys[:-1]).sum(1) > 0.9).all()


def test_the_joints_carry_the_skeletons_names_and_tree(body: Body, tmp_path: Path) -> None:
    document = Glb(write_glb(random_pose(1), tmp_path / "one.glb", body)).document
    (skin,) = document["skins"]
    assert [document["nodes"][j]["name"] for j in skin["joints"]] == list(SMPL.joints)
    parents = {c: i for i, node in enumerate(document["nodes"]) for c in node.get("children", [])}
    assert tuple(parents.get(j, -1) for j in range(24)) == SMPL.parents


def test_another_program_reads_the_mesh(body: Body, tmp_path: Path) -> None:
    scene = trimesh.load(write_glb(random_pose(1), tmp_path / "one.glb", body))
    (mesh,) = scene.geometry.values()
    assert len(mesh.vertices) == len(body.template)
    np.testing.assert_allclose(mesh.vertices, body.template.numpy(), atol=1e-6)
    assert (mesh.faces == body.faces.numpy()).all()


def test_a_vertex_keeps_its_strongest_joints_and_they_sum_to_one() -> None:
    weights = torch.zeros(2, 24)
    weights[0, [3, 6, 9, 12, 15]] = torch.tensor([0.1, 0.3, 0.2, 0.35, 0.05])
    weights[1, 7] = 1.0
    joints, kept = strongest_weights(weights)
    assert joints.tolist() == [[12, 6, 9, 3], [7, 0, 0, 0]]
    torch.testing.assert_close(kept.sum(1), torch.ones(2))
    assert kept[0, 0] == pytest.approx(0.35 / 0.95)


def test_the_same_pose_gives_the_same_bytes(body: Body, tmp_path: Path) -> None:
    files = [write_glb(random_pose(3, fps=5.0), tmp_path / f"{i}.glb", body) for i in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_poses_without_a_frame_rate_are_no_animation(body: Body, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="frame rate"):
        write_glb(random_pose(2), tmp_path / "samples.glb", body)
    assert not list(tmp_path.iterdir())


def test_the_shape_of_another_body_is_refused(body: Body, tmp_path: Path) -> None:
    foreign = random_pose(1, betas=torch.ones(1, 10), body="smpl")
    with pytest.raises(PoseError, match="smpl"):
        write_glb(foreign, tmp_path / "one.glb", body)
