"""What is written comes back: every format, and the conventions of foreign ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError, MissingFileError
from unipose.file_signatures import check_file
from unipose.files import open_pose, save_pose

BODY = load_body()


def some_poses(count=3, *, seed=0, joints=24, **known):
    torch.manual_seed(seed)
    return Pose.from_axis_angle(torch.randn(count, joints, 3) * 0.7, **known)


@pytest.mark.parametrize("ending", [".npz", ".json", ".bvh"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_written_pose_comes_back_whole(tmp_path, ending, count):
    pose = some_poses(count, translation=torch.randn(count, 3), fps=30.0)
    back = open_pose(save_pose(pose, tmp_path / f"pose{ending}"))
    assert torch.allclose(back.rotations, pose.rotations, atol=1e-6)
    assert torch.allclose(back.translation, pose.translation, atol=1e-6)
    assert (back.fps, back.body) == (30, "open")


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_shape_and_body_travel_with_the_pose(tmp_path, ending):
    pose = some_poses(2, betas=torch.randn(2, 10), body="smplx")
    back = open_pose(save_pose(pose, tmp_path / f"pose{ending}"))
    assert torch.allclose(back.betas, pose.betas, atol=1e-6)
    assert (back.body, back.fps, back.translation) == ("smplx", None, None)


def test_an_npy_holds_rotations_only(tmp_path):
    pose = some_poses(2, fps=30.0)
    back = open_pose(save_pose(pose, tmp_path / "pose.npy"))
    assert torch.equal(back.rotations, pose.rotations)
    assert back.fps is None


def test_a_bvh_keeps_a_pose_in_gimbal_lock(tmp_path):
    pose = Pose.from_axis_angle(torch.zeros(1, 24, 3).index_fill(1, torch.tensor([16]), 0))
    turns = pose.axis_angle.clone()
    turns[0, SMPL.index["left_shoulder"], 0] = torch.pi / 2
    pose = Pose.from_axis_angle(turns)
    back = open_pose(save_pose(pose, tmp_path / "pose.bvh"))
    assert torch.allclose(back.rotations, pose.rotations, atol=1e-5)


def test_a_bvh_stands_on_the_skeleton_of_its_body(tmp_path):
    lines = save_pose(some_poses(1), tmp_path / "p.bvh").read_text().splitlines()
    knee = next(i for i, line in enumerate(lines) if line.strip() == "JOINT left_knee")
    offset = [float(word) for word in lines[knee + 2].split()[1:]]
    knee_at, hip_at = SMPL.indices("left_knee", "left_hip")
    expected = 100 * (BODY.rest_joints[knee_at] - BODY.rest_joints[hip_at])
    assert offset == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.parametrize("shape", [(22, 3, 3), (24, 3, 3), (2, 22, 3, 3), (2, 24, 3, 3)])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".json"])
def test_rotation_matrices_of_every_shape_are_read(tmp_path, shape, ending):
    rotations = some_poses(2).rotations[:, : shape[-3]].numpy().reshape(-1, *shape[-3:])
    rotations = rotations if len(shape) == 4 else rotations[0]
    path = tmp_path / f"pose{ending}"
    if ending == ".npy":
        np.save(path, rotations)
    elif ending == ".npz":
        np.savez_compressed(path, rotations=rotations)
    else:
        path.write_text(json.dumps(rotations.tolist()))
    pose = open_pose(path)
    assert len(pose) == (shape[0] if len(shape) == 4 else 1)
    assert np.allclose(pose.rotations[-1, : shape[-3]], rotations.reshape(-1, *shape[-3:])[-1])


@pytest.mark.parametrize(
    ("width", "body", "rate"),
    [
        (72, "smpl", "mocap_framerate"),
        (156, "smplh", "mocap_framerate"),
        (165, "smplx", "mocap_frame_rate"),
    ],
)
def test_amass_is_turned_from_z_up_to_y_up(tmp_path, width, body, rate):
    # a person who stands in a z-up world: +90 degrees about x lifts the body's y to z
    poses = np.zeros((4, width))
    poses[:, 0] = np.pi / 2
    poses[:, 3 * SMPL.index["left_knee"]] = 1.0
    trans = np.array([[0, 0, 1.0], [0, -1, 1], [0, -2, 1], [0, -3, 1]])
    path = tmp_path / "walk_poses.npz"
    np.savez(path, poses=poses, trans=trans, betas=np.ones(16), gender="male", **{rate: 60.0})
    pose = open_pose(path)
    assert torch.allclose(pose.rotations[:, 0], torch.eye(3).expand(4, 3, 3), atol=1e-6)
    assert torch.allclose(pose.axis_angle[:, SMPL.index["left_knee"], 0], torch.ones(4))
    steps = pose.translation.diff(dim=0)
    assert torch.allclose(steps, torch.tensor([[0.0, 0, 1]]).expand(3, 3), atol=1e-6)
    assert (pose.fps, pose.body, len(pose.betas)) == (60, body, 4)
    assert open_pose(path, at=0.05).translation.shape == (1, 3)


def test_fingers_of_smplh_are_not_taken_for_smpls_hands(tmp_path):
    poses = np.zeros((1, 156))
    poses[:, 66:] = 0.5
    np.savez(tmp_path / "a.npz", poses=poses, trans=np.zeros((1, 3)))
    pose = open_pose(tmp_path / "a.npz")
    assert torch.equal(pose.rotations[0, 22:], torch.eye(3).expand(2, 3, 3))


def test_the_split_names_of_amass_equal_the_joined_ones(tmp_path):
    poses = np.random.default_rng(0).normal(size=(3, 66)) * 0.5
    trans = np.zeros((3, 3))
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans, surface_model_type="smplx")
    np.savez(
        tmp_path / "b.npz", root_orient=poses[:, :3], pose_body=poses[:, 3:], trans=trans,
        surface_model_type="smplx",
    )  # fmt: skip
    a, b = open_pose(tmp_path / "a.npz"), open_pose(tmp_path / "b.npz")
    assert torch.equal(a.rotations, b.rotations)
    assert a.body == b.body == "smplx"


@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_smpl_parameters_are_taken_as_they_are(tmp_path, matrices, ending):
    pose = some_poses(2)
    full = pose.rotations.numpy() if matrices else pose.axis_angle.numpy()
    arrays = {"global_orient": full[:, :1], "body_pose": full[:, 1:], "betas": np.ones((1, 10))}
    path = tmp_path / f"p{ending}"
    if ending == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_text(json.dumps({name: value.tolist() for name, value in arrays.items()}))
    back = open_pose(path, up="y")
    assert torch.allclose(back.rotations, pose.rotations, atol=1e-5)
    assert back.body == "smpl"


def test_one_pose_of_72_numbers_is_read(tmp_path):
    pose = some_poses(1)
    (tmp_path / "p.json").write_text(json.dumps({"pose": pose.axis_angle.flatten().tolist()}))
    back = open_pose(tmp_path / "p.json", up="y")
    assert torch.allclose(back.rotations, pose.rotations, atol=1e-5)


def test_a_foreign_shape_is_drawn_in_the_mean_shape_at_the_same_place(tmp_path):
    # SMPL's pelvis lies 22 cm under its origin: lifted by 1.2 m, it is about a metre high
    lifted = torch.tensor([[0.0, 1.2, 0]])
    pose = some_poses(1, betas=torch.ones(1, 10), translation=lifted, body="smpl")
    back = open_pose(save_pose(pose, tmp_path / "p.bvh"))
    pelvis = BODY.rest_joints[0] + back.translation[0]
    assert pelvis[1] == pytest.approx(0.977, abs=0.01)


def test_the_time_beyond_the_end_is_an_error_that_says_where_the_end_is(tmp_path):
    for ending in (".npz", ".bvh"):
        path = save_pose(some_poses(4, fps=10.0), tmp_path / f"p{ending}")
        for seconds in (9.0, -1.0, float("inf"), float("nan")):
            with pytest.raises(FileError, match=r"ends at 0\.30 s"):
                open_pose(path, at=seconds)


def test_an_unknown_ending_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(FileError, match=r"\.npz.*\.amc"):
        open_pose(tmp_path / "p.xyz")
    with pytest.raises(FileError, match=r"\.npz.*\.glb"):
        save_pose(some_poses(1), tmp_path / "p.fbx")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_json_is_read_in_the_encodings_of_windows(tmp_path, encoding):
    path = save_pose(some_poses(2), tmp_path / "clip.json")
    expected = open_pose(path).rotations
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    check_file(path)
    assert torch.equal(open_pose(path).rotations, expected)


def test_a_failed_writing_leaves_nothing_and_spares_what_was_there(tmp_path):
    path = save_pose(some_poses(1), tmp_path / "p.bvh")
    before = path.read_bytes()
    with pytest.raises(FileError, match="one pose"):
        save_pose(some_poses(3), tmp_path / "q.obj")
    with pytest.raises(MissingFileError, match="folder"):
        save_pose(some_poses(1), tmp_path / "nowhere" / "p.npz")
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(FileError, match="is a folder"):
        save_pose(some_poses(1), tmp_path / "d.npz")
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.npz", "p.bvh"]
