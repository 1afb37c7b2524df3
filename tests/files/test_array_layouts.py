"""Arrays in the layouts of the programs and data sets that write them: values, not only reading.

One file: each program's layout is one short test over the same turned poses.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import warnings
import zipfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace

import joblib
import numpy as np
import pytest
import roma
import torch

from tests.fakes.smpl_files import smpl_arrays
from unipose.app.examples import example_pose
from unipose.body.body import load_body
from unipose.errors import ConfigError, FileError, FileNote, PoseQueryError
from unipose.files import open_pose, save_pose
from unipose.files.smpl_parameters import mean_pelvis, on_body

UPRIGHT = torch.eye(3)
PELVIS = torch.tensor([0.0, -0.223, 0.0])


def turns(*shape, seed=3):
    return np.random.default_rng(seed).normal(0, 0.3, shape)


def matrices(vectors):
    return roma.rotvec_to_rotmat(torch.from_numpy(np.asarray(vectors))).numpy()


def write(path, **arrays):
    np.savez(path, **arrays)
    return path


@contextmanager
def noted(*words):
    """Expect notes that hold each of these words, and no others."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield
    texts = [str(note.message) for note in heard if note.category is FileNote]
    assert len(texts) == len(words), texts
    for word in words:
        assert any(word in text for text in texts), texts


# --- E: which axis is time -------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 20, 21, 22, 23, 24, 25])
@pytest.mark.parametrize("width", [63, 69])
def test_rows_of_a_root_and_a_body_are_as_many_poses(tmp_path, count, width):
    root, body, place = turns(count, 3), turns(count, width, seed=4), turns(count, 3, seed=5)
    path = write(tmp_path / "a.npz", global_orient=root, body_pose=body, transl=place)
    pose = open_pose(path, up="y")
    assert len(pose) == count
    assert np.allclose(pose.rotations[:, 0], matrices(root), atol=1e-6)
    assert np.allclose(pose.rotations[:, 7], matrices(body[:, 18:21]), atol=1e-6)
    assert np.allclose(pose.translation, place, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 23, 40])
def test_other_shapes_hold_the_same_poses(tmp_path, count):
    root, body = turns(count, 3), turns(count, 63, seed=4)
    expected = np.concatenate([matrices(root)[:, None], matrices(body.reshape(count, 21, 3))], 1)
    written = {
        "batch_first": (root[None], body[None]),
        "joints": (root[:, None], body.reshape(count, 21, 3)),
        "matrices": (expected[:, 0], expected[:, 1:]),
        "matrices_of_one_joint": (expected[:, :1], expected[:, 1:]),
        "matrices_batch_first": (expected[None, :, 0], expected[None, :, 1:]),
        "root_as_vectors": (root, expected[:, 1:]),
    }
    for name, (first, others) in written.items():
        path = write(tmp_path / f"{name}.npz", global_orient=first, body_pose=others)
        pose = open_pose(path, up="y")
        assert np.allclose(pose.rotations[:, :22], expected, atol=1e-6), name


def test_one_pose_of_matrices_is_not_three_of_vectors(tmp_path):
    rotations = matrices(turns(24, 3))
    path = write(tmp_path / "a.npz", global_orient=rotations[0], body_pose=rotations[1:])
    assert np.allclose(open_pose(path, up="y").rotations[0], rotations, atol=1e-6)


def test_of_two_axes_before_the_joints_the_first_counts_people(tmp_path):
    root, body = turns(2, 40, 3), turns(2, 40, 63)
    path = write(
        tmp_path / "a.npz", root_orient=root, pose_body=body, trans=turns(2, 40, 3, seed=6),
        betas=np.arange(32.0).reshape(2, 16), floor_plane=np.zeros(3), cam_R=np.zeros((40, 3, 3)),
    )  # fmt: skip
    with noted("holds 2 people", "not read: cam_R, floor_plane"):
        first = open_pose(path)
    with noted("not read"):
        second = open_pose(path, person="1")
    assert (len(first), float(first.betas[5, 1]), float(second.betas[5, 1])) == (40, 1, 17)
    down = np.diag([1.0, -1, -1])  # beside a camera: its frame, y down
    assert np.allclose(second.rotations[:, 0], down @ matrices(root[1]), atol=1e-6)
    with noted(), pytest.raises(FileError, match="no person '2'"):
        open_pose(path, person="2")


def test_features_that_are_no_pose_are_refused_by_their_width(tmp_path):
    for width in (263, 322):
        with pytest.raises(FileError, match=f"{width} numbers"):
            open_pose(write(tmp_path / "a.npz", poses=turns(5, width)))


# --- F: which way is up ----------------------------------------------------------------------


def test_aist_stands_as_it_is_and_its_place_is_in_metres(tmp_path):
    content = {
        "smpl_poses": np.zeros((4, 72)), "smpl_trans": np.tile([0.0, 93, 0], (4, 1)),
        "smpl_scaling": np.array([93.0]), "smpl_loss": 0.1,
    }  # fmt: skip
    (tmp_path / "gBR_sBM_cAll_d04_mBR0_ch01.pkl").write_bytes(pickle.dumps(content))
    pose = open_pose(tmp_path / "gBR_sBM_cAll_d04_mBR0_ch01.pkl")
    assert torch.allclose(pose.rotations[:, 0], UPRIGHT.expand(4, 3, 3))
    assert torch.allclose(pose.translation, torch.tensor([[0.0, 1, 0]]).expand(4, 3))


def test_poses_of_72_numbers_are_taken_as_y_up_and_said_to_be(tmp_path):
    path = write(tmp_path / "a.npz", poses=np.zeros((4, 72)), trans=np.tile([0, 1.0, 0], (4, 1)))
    with noted("read as y up; --up z"):
        pose = open_pose(path)
    assert torch.equal(pose.rotations[:, 0], UPRIGHT.expand(4, 3, 3))
    assert torch.equal(pose.translation, torch.tensor([[0.0, 1, 0]]).expand(4, 3))
    lying = open_pose(path, up="z")
    assert torch.allclose(lying.rotations[0, 0] @ UPRIGHT[1], torch.tensor([0.0, 0, -1]))


@pytest.mark.parametrize("width", [66, 156, 162, 165])
def test_amass_is_z_up_by_its_widths(tmp_path, width):
    poses = np.zeros((4, width))
    poses[:, 0] = np.pi / 2
    path = write(tmp_path / "a.npz", poses=poses, trans=np.tile([1.0, 2, 3], (4, 1)))
    pose = open_pose(path)
    assert torch.allclose(pose.rotations[:, 0], UPRIGHT.expand(4, 3, 3), atol=1e-6)
    pelvis = mean_pelvis(pose.body)
    before = pelvis + torch.tensor([1.0, 2, 3])
    assert torch.allclose(
        (pose.translation + pelvis)[0], before[[0, 2, 1]] * torch.tensor([1.0, 1, -1])
    )


def test_poses_of_72_numbers_with_amass_s_rate_are_z_up(tmp_path):
    poses = np.zeros((4, 72))
    poses[:, 0] = np.pi / 2
    pose = open_pose(write(tmp_path / "a.npz", poses=poses, mocap_framerate=60.0))
    assert torch.allclose(pose.rotations[0, 0], UPRIGHT, atol=1e-6)


def test_a_camera_s_frame_is_known_by_heads_that_point_down(tmp_path):
    standing = np.zeros((4, 72))
    standing[:, 0] = np.pi
    place = np.tile([0, 0.3, 3.0], (4, 1))
    path = write(tmp_path / "a.npz", pose=standing, trans=place, betas=np.zeros(10))
    with noted("camera's frame, y down; --up y"):
        pose = open_pose(path)
    assert torch.allclose(pose.rotations[:, 0], UPRIGHT.expand(4, 3, 3), atol=1e-6)
    # the pelvis at (0, 0.3 - 0.223, 3), y down
    assert torch.allclose(
        (pose.translation + PELVIS)[0], torch.tensor([0, -0.077, -3.0]), atol=1e-6
    )
    kept = open_pose(path, up="y")
    assert torch.allclose(kept.rotations[0, 0] @ UPRIGHT[1], -UPRIGHT[1], atol=1e-6)


def test_a_camera_beside_the_person_tells_that_y_is_down(tmp_path):
    path = write(tmp_path / "a.npz", pose=np.zeros((2, 72)), pred_cam=np.ones((2, 3)))
    with noted("not read: pred_cam"):
        pose = open_pose(path)
    assert torch.allclose(pose.rotations[0, 0] @ UPRIGHT[1], -UPRIGHT[1])


def test_a_person_who_lies_is_said_to(tmp_path):
    path = write(tmp_path / "a.npz", global_orient=[[np.pi / 2, 0, 0]], body_pose=np.zeros((1, 69)))
    with noted("read as y up, though the trunk does not stand upright"):
        open_pose(path)


def test_up_is_one_of_three_axes(tmp_path):
    path = write(tmp_path / "a.npz", pose=np.zeros(72))
    with pytest.raises(ConfigError, match="up must be one of y, z, -y, got 'x'"):
        open_pose(path, up="x")
    np.save(tmp_path / "a.npy", np.eye(3)[None, None].repeat(24, 1))
    with pytest.raises(ConfigError, match="up must be one of y, z, -y, got 'x'"):
        open_pose(tmp_path / "a.npy", up="x")


# --- G: known fields under other names -------------------------------------------------------


EASYMOCAP = {
    "id": 0, "Rh": [[0.1, 2.9, 0.2]], "Th": [[0.0, 1.0, 3.0]], "poses": [[0.0] * 72],
    "shapes": [[0.1] * 10],
}  # fmt: skip


@pytest.mark.parametrize("content", [EASYMOCAP, [EASYMOCAP], {"annots": [EASYMOCAP]}])
def test_easymocap_turns_about_the_origin(tmp_path, content):
    (tmp_path / "000000.json").write_text(json.dumps(content))
    with noted("read as y up"):
        pose = open_pose(tmp_path / "000000.json")
    root = torch.from_numpy(matrices([0.1, 2.9, 0.2])).float()
    assert torch.allclose(pose.rotations[0, 0], root, atol=1e-6)
    expected = torch.tensor([0.0, 1, 3]) + root @ PELVIS - PELVIS
    assert torch.allclose(pose.translation[0], expected, atol=1e-6)
    assert torch.allclose(pose.betas, torch.full((1, 10), 0.1))


def test_of_the_people_in_a_frame_one_is_read_and_the_others_named(tmp_path):
    people = [EASYMOCAP, {**EASYMOCAP, "id": 7, "Th": [[5.0, 1, 3]]}]
    (tmp_path / "a.json").write_text(json.dumps(people))
    with noted("holds 2 people (0, 7); this is 0, --person ID", "read as y up"):
        assert float(open_pose(tmp_path / "a.json").translation[0, 0]) < 1
    second = open_pose(tmp_path / "a.json", person="7", up="y")
    assert float(second.translation[0, 0]) > 4.9
    with pytest.raises(FileError, match=r"no person '3'.*0, 7"):
        open_pose(tmp_path / "a.json", person="3")


@pytest.mark.parametrize("name", ["betas", "shape", "shapes", "smpl_betas"])
def test_betas_have_several_names(tmp_path, name):
    arrays = {"global_orient": np.zeros((1, 3)), "body_pose": np.zeros((1, 69))}
    path = write(tmp_path / "a.npz", **arrays, **{name: np.full((1, 10), 0.5)})
    assert torch.equal(open_pose(path, up="y").betas, torch.full((1, 10), 0.5))


def test_a_fit_of_a_photograph_keeps_its_shape(tmp_path):
    content = {"pose": [0.0] * 72, "shape": [0.5] * 10, "trans": [0, 0, 3.0]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    pose = open_pose(tmp_path / "a.json", up="y")
    assert pose.betas.tolist() == [[0.5] * 10]
    assert pose.translation.tolist() == [[0, 0, 3]]


def python_2_array(array):
    shape = ", ".join(f"{n}L" for n in array.shape) + ("," if array.ndim == 1 else "")
    header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': ({shape}), }}"
    header += " " * ((16 - (10 + len(header) + 1) % 16) % 16) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + array.tobytes()


def test_headers_of_python_2_are_read(tmp_path):
    poses, trans = turns(30, 156), turns(30, 3)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("poses.npy", python_2_array(poses))
        archive.writestr("trans.npy", python_2_array(trans))
        archive.writestr("mocap_framerate.npy", python_2_array(np.array([120.0])))
    pose = open_pose(tmp_path / "a.npz")
    assert (len(pose), pose.fps) == (30, 120)
    assert np.allclose(pose.rotations[:, 5], matrices(poses[:, 15:18]), atol=1e-6)


class Harmful:
    """What a pickle may hold: it runs something when it is read."""

    def __reduce__(self):
        return (print, ("code ran",))


def test_objects_that_nobody_needs_are_left_alone(tmp_path, capsys):
    odd = np.array([Harmful()], dtype=object)
    path = write(tmp_path / "a.npz", poses=np.zeros((2, 156)), betas=odd, extra=odd, gender=odd)
    with noted("not read: betas, extra"):
        pose = open_pose(path)
    assert pose.betas is None
    content = {"smpl_poses": np.zeros((2, 72)), "loss": Harmful(), "more": [Harmful()]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with noted("not read: loss, more"):
        assert len(open_pose(tmp_path / "a.pkl")) == 2
    assert "code ran" not in capsys.readouterr().out


# --- H: results as pickles, and the way out --------------------------------------------------


def wham(frames=5):
    tracks = defaultdict(dict)
    for who, count in ((np.int64(2), frames), (np.int64(7), frames - 2)):
        tracks[who] = {
            "pose": np.full((count, 72), 0.1, np.float32), "trans": np.zeros((count, 3)),
            "pose_world": np.zeros((count, 72), np.float32), "betas": np.full((count, 10), 0.25),
            "trans_world": np.tile(np.float32([0, 1, int(who)]), (count, 1)),
            "verts": np.asfortranarray(np.zeros((count, 6, 3), np.float32)),
            "frame_ids": np.arange(count),
        }  # fmt: skip
    return tracks


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_joblib_s_tracks_are_read_in_their_world(tmp_path, compress):
    joblib.dump(wham(), tmp_path / "wham_output.pkl", compress=compress)
    with noted("holds 2 people (2, 7); this is 2", "not read: pose, trans, verts"):
        pose = open_pose(tmp_path / "wham_output.pkl")
    assert len(pose) == 5
    assert torch.equal(pose.rotations[:, 0], UPRIGHT.expand(5, 3, 3))
    assert pose.translation[4].tolist() == [0, 1, 2]
    assert torch.equal(pose.betas, torch.full((5, 10), 0.25))
    with noted("not read"):
        assert len(open_pose(tmp_path / "wham_output.pkl", person="7")) == 3


def phalp(frames=4):
    down = matrices([np.pi, 0.0, 0.0])
    body = {"body_pose": np.tile(np.eye(3, dtype=np.float32), (23, 1, 1)), "betas": np.ones(10)}
    return {
        f"img/{i:06d}.jpg": {
            "time": i, "shot": 0, "frame_path": f"img/{i:06d}.jpg", "tid": [1, 2],
            "tracked_time": [0, 3 if i else 0], "camera": [np.ones(3), np.ones(3)],
            "smpl": [{"global_orient": down[None], **body} for _ in range(2)],
            "mask": [{"size": [4, 4], "counts": b"0"}] * 2,
        }
        for i in range(frames)
    }  # fmt: skip


def test_the_person_in_most_of_phalp_s_frames_stands_upright(tmp_path):
    joblib.dump(phalp(), tmp_path / "demo_gymnasts.pkl", compress=3)
    with noted("holds 2 people (1, 2); this is 1", "not read: camera"):
        pose = open_pose(tmp_path / "demo_gymnasts.pkl")
    assert len(pose) == 4
    assert torch.allclose(pose.rotations[:, 0], UPRIGHT.expand(4, 3, 3), atol=1e-6)
    with noted("not read"):
        assert len(open_pose(tmp_path / "demo_gymnasts.pkl", person="2")) == 1


def gvhmr(frames=4):
    """Return GVHMR's tables: SMPL-X parameters in a world that is y up, and in the camera."""
    world = {
        "body_pose": turns(frames, 63).astype(np.float32),
        "global_orient": np.zeros((frames, 3), np.float32),
        "transl": np.tile(np.float32([0, 0.9, 2]), (frames, 1)),
        "betas": np.full((frames, 10), 0.25, np.float32),
    }
    camera = {**world, "global_orient": np.tile(np.float32([np.pi, 0, 0]), (frames, 1))}
    return {"smpl_params_global": world, "smpl_params_incam": camera, "K_fullimg": np.eye(3)[None]}


def as_tensors(tables):
    if isinstance(tables, dict):
        return {name: as_tensors(value) for name, value in tables.items()}
    return torch.from_numpy(tables)


@pytest.mark.parametrize("name", ["hmr4d_results.pt", "saved.pkl", "hmr4d_results.pt.pkl"])
def test_gvhmr_s_person_is_read_in_the_world(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".pt.pkl"):
        path.write_bytes(pickle.dumps(gvhmr()))
    else:
        torch.save(as_tensors(gvhmr()), path)
    with noted("not read: K_fullimg, smpl_params_incam", "read as y up"):
        pose = open_pose(path)
    assert torch.equal(pose.rotations[:, 0], UPRIGHT.expand(4, 3, 3))
    knee = torch.from_numpy(matrices(gvhmr()["smpl_params_global"]["body_pose"][:, 9:12]))
    assert torch.allclose(pose.rotations[:, 4], knee.float(), atol=1e-6)
    assert torch.equal(pose.betas, torch.full((4, 10), 0.25))


def test_an_archive_of_torch_that_holds_itself_ends(tmp_path):
    tables = gvhmr()
    itself: list = []
    itself += [itself, itself]
    torch.save({**as_tensors(tables), "more": itself}, tmp_path / "a.pt")
    with pytest.raises(FileError, match="is not read"):
        open_pose(tmp_path / "a.pt")
    doubled: list = [1]
    for _ in range(15):
        doubled = [doubled, doubled]
    torch.save({**as_tensors(tables), "more": doubled}, tmp_path / "b.pt")
    with noted("not read: K_fullimg, more", "read as y up"):
        assert len(open_pose(tmp_path / "b.pt")) == 4


def test_an_archive_of_torch_is_never_run(tmp_path, capsys):
    torch.save({**gvhmr(), "more": Harmful()}, tmp_path / "a.pt")
    with pytest.raises(FileError, match="nothing in it was executed"):
        open_pose(tmp_path / "a.pt")
    assert "code ran" not in capsys.readouterr().out


def test_mdm_s_sample_has_the_rows_of_its_rotations(tmp_path):
    expected = matrices(turns(7, 24, 3))
    thetas = np.moveaxis(expected[:, :, :2].reshape(7, 24, 6), 0, 2)
    sample = {"motion": np.zeros((25, 6, 7)), "thetas": thetas, "root_translation": np.ones((3, 7)),
              "text": "a person walks", "length": 7}  # fmt: skip
    np.save(tmp_path / "sample00_rep00_smpl_params.npy", sample)
    with noted("not read: length, motion, root_translation, text", "read as y up"):
        pose = open_pose(tmp_path / "sample00_rep00_smpl_params.npy")
    assert np.allclose(pose.rotations, expected, atol=1e-6)
    np.save(tmp_path / "results.npy", {"motion": np.zeros((3, 22, 3, 60)), "text": ["walk"] * 3})
    with pytest.raises(
        FileError, match=r"without joints' rotations: motion, text.*smpl_params\.npy"
    ):
        open_pose(tmp_path / "results.npy")


def test_romp_s_rows_are_the_people_of_a_picture(tmp_path):
    thetas = np.zeros((2, 72), np.float32)
    thetas[:, 0] = np.pi
    results = {
        "smpl_thetas": thetas, "smpl_betas": np.float32([[0.0] * 10, [1.0] * 10]),
        "cam_trans": np.float32([[0, 0, 4], [1, 0, 5]]), "cam": np.ones((2, 3)),
    }  # fmt: skip
    write(tmp_path / "a.npz", results=np.array(results, dtype=object))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"0001.jpg": results, "0002.jpg": results}))
    with noted("holds 2 people", "not read: cam"):
        first = open_pose(tmp_path / "a.npz")
    with noted("not read: cam"):
        second = open_pose(tmp_path / "a.pkl", person="1")
    assert torch.allclose(first.rotations[0, 0], UPRIGHT, atol=1e-6)
    assert (len(second), float(second.betas[1, 0])) == (2, 1)
    assert torch.allclose((second.translation + PELVIS)[0], torch.tensor([1, 0.223, -5]), atol=1e-5)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_is_never_run(tmp_path, protocol, capsys):
    for name, content in (("a", Harmful()), ("b", {"pose": Harmful()}), ("c", [Harmful()])):
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(FileError, match=r"nothing in it was executed|no pose"):
            open_pose(path)
    joblib.dump({"pose": np.array([Harmful()], dtype=object)}, tmp_path / "d.pkl")
    with pytest.raises(FileError):
        open_pose(tmp_path / "d.pkl")
    assert "code ran" not in capsys.readouterr().out


def test_a_harmed_pickle_of_joblib_is_refused(tmp_path):
    packed = io.BytesIO()
    joblib.dump(wham(), packed)
    data = packed.getvalue()
    for end in range(0, len(data) - 1, 97):
        (tmp_path / "a.pkl").write_bytes(data[:end])
        with noted(), pytest.raises(FileError):
            open_pose(tmp_path / "a.pkl")


def test_a_packed_bomb_is_not_unpacked(tmp_path):
    joblib.dump({"pose": np.zeros((200_000, 72))}, tmp_path / "a.pkl", compress=9)
    with pytest.raises(FileError, match="would unpack to more than"):
        open_pose(tmp_path / "a.pkl")


def test_the_rate_and_a_frame_can_be_told(tmp_path):
    poses = np.zeros((40, 156))
    poses[:, 3] = np.arange(40) / 40
    path = write(tmp_path / "a.npz", poses=poses)
    with pytest.raises(FileError, match=r"--fps N.*--frame N"):
        open_pose(path, at=1.0)
    assert open_pose(path, at=1.0, fps=20.0).axis_angle[0, 1, 0] == pytest.approx(0.5, abs=1e-6)
    assert open_pose(path, frame=30).axis_angle[0, 1, 0] == pytest.approx(0.75, abs=1e-6)
    assert open_pose(path, fps=20.0).fps == 20
    with pytest.raises(FileError, match="frames 0 to 39"):
        open_pose(path, frame=40)
    with pytest.raises(PoseQueryError, match="not by both"):
        open_pose(path, frame=1, at=1.0)


def written(tmp_path, pose, **how):
    path = save_pose(pose, tmp_path / "b.npz", **how)
    with np.load(path, allow_pickle=False) as arrays:
        return path, dict(arrays)


def test_what_is_written_has_smpl_s_names(tmp_path):
    poses, place = turns(3, 72), turns(3, 3, seed=9)
    content = {"poses": poses, "trans": place, "betas": np.ones(10), "fps": 30.0}
    pose = open_pose(write(tmp_path / "a.npz", **content), up="y")
    path, arrays = written(tmp_path, pose)
    assert np.allclose(arrays["global_orient"], poses[:, :3], atol=1e-6)
    assert np.allclose(arrays["body_pose"], poses[:, 3:], atol=1e-6)
    assert np.allclose(arrays["transl"], place, atol=1e-6)
    assert (arrays["betas"].shape, float(arrays["fps"])) == ((3, 10), 30)
    back = open_pose(path)  # nothing has to be assumed
    assert torch.allclose(back.rotations, pose.rotations, atol=1e-6)


def test_amass_s_layout_comes_back_upright_at_its_place(tmp_path):
    poses, place = turns(3, 66), turns(3, 3, seed=9)
    pose = open_pose(
        write(tmp_path / "a.npz", global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=place),
        up="y", fps=60.0,
    )  # fmt: skip
    path, arrays = written(tmp_path, pose, layout="amass")
    assert arrays["poses"].shape == (3, 156)
    assert (arrays["trans"].shape, arrays["betas"].shape) == ((3, 3), (16,))
    assert float(arrays["mocap_framerate"]) == 60
    turned = matrices([np.pi / 2, 0.0, 0.0]) @ matrices(poses[:, :3])
    assert np.allclose(matrices(arrays["poses"][:, :3]), turned, atol=1e-6)
    back = open_pose(path)
    assert torch.allclose(back.rotations, pose.rotations, atol=1e-6)
    assert torch.allclose(back.translation, pose.translation, atol=1e-6)
    with pytest.raises(FileError, match="smpl or amass"):
        save_pose(pose, tmp_path / "b.npz", layout="smplx")


def test_a_pose_of_the_open_body_keeps_its_pelvis_on_a_body_with_another_origin(tmp_path):
    arrays = smpl_arrays()
    arrays["v_template"] = arrays["v_template"] - [0.0, 1.1, 0.0]  # about SMPL's
    np.savez(tmp_path / "smpl.npz", **arrays)
    smpl, own = load_body(tmp_path / "smpl.npz"), load_body()
    pose = replace(example_pose("squat"), translation=torch.tensor([[1.0, 2.0, 3.0]]))
    for betas in (None, torch.full((1, 10), 2.0)):
        shaped = replace(pose, betas=betas)
        moved = smpl.mesh(on_body(shaped, smpl)).joints[:, 0]
        torch.testing.assert_close(moved, own.mesh(shaped).joints[:, 0], atol=1e-5, rtol=0)


def test_a_pose_of_the_open_body_stands_where_smpl_s_pelvis_is_at_the_same_place(tmp_path):
    from unipose.body.body import load_body
    from unipose.body.pose import Pose

    place = torch.tensor([[0.3, 0.1, 2.0]])
    pose = Pose.from_axis_angle(torch.zeros(1, 24, 3), translation=place, betas=torch.ones(1, 10))
    path, arrays = written(tmp_path, pose)
    pelvis = load_body().rest_joints[0] + place[0]
    assert np.allclose(arrays["transl"][0] + PELVIS.numpy(), pelvis.numpy(), atol=1e-5)
    assert "betas" not in arrays  # they are not SMPL's
    back = open_pose(path)
    assert torch.allclose(back.translation, place, atol=1e-6)
    assert torch.equal(back.betas, pose.betas)
    assert back.body == "open"
