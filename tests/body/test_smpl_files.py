"""The user's own SMPL files: read without executing anything, equal to smplx, clearly refused."""

from __future__ import annotations

import builtins
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import roma
import smplx
import torch

from tests.fakes.smpl_files import (
    as_python2_pickle,
    family_arrays,
    smpl_arrays,
    write_official_pickle,
)
from unipose.body import Body, Pose, load_body
from unipose.body.body import OPEN_BODY_FILE, SmplBody, read_own_format
from unipose.body.pickled_arrays import PickleRefusedError, as_array, read_pickle
from unipose.body.smpl_files import KEYS, read_smpl_file
from unipose.errors import BodyFileError, MissingFileError, PoseError


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return smpl_arrays(bends=0.001)


def _poses(count: int, *, seed: int = 0, joints: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    turns = 0.5 * torch.randn(count, 24, 3, generator=generator)
    turns[:, joints:] = 0
    return roma.rotvec_to_rotmat(turns)


def _smplx_layer(arrays: dict[str, np.ndarray]) -> smplx.SMPLLayer:
    wide = np.zeros((6890, 3, 300))
    wide[:, :, :10] = arrays["shapedirs"]
    struct = smplx.utils.Struct(**{**arrays, "shapedirs": wide})
    return smplx.SMPLLayer(model_path="", data_struct=struct, num_betas=10)


def test_our_skinning_and_smplx_agree_on_the_same_arrays():
    still = smpl_arrays()
    rotations, betas = _poses(4), torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
    translation = torch.tensor([[0.1, 0.2, 0.3]]).repeat(4, 1)
    ours = Body(read_own_format(OPEN_BODY_FILE))(rotations, betas, translation)
    theirs = _smplx_layer(still)(
        global_orient=rotations[:, :1],
        body_pose=rotations[:, 1:],
        betas=betas,
        transl=translation,
        pose2rot=False,
    )
    assert float((ours.vertices - theirs.vertices).abs().max()) < 1e-5
    assert float((ours.joints - theirs.joints[:, :24]).abs().max()) < 1e-5


def test_an_npz_with_pose_correctives_equals_smplx(tmp_path: Path, arrays):
    np.savez(tmp_path / "body.npz", **arrays)
    body = load_body(tmp_path / "body.npz")
    rotations, betas = _poses(3), torch.randn(3, 10, generator=torch.Generator().manual_seed(1))
    ours = body(rotations, betas)
    theirs = _smplx_layer(arrays)(
        global_orient=rotations[:, :1], body_pose=rotations[:, 1:], betas=betas, pose2rot=False
    )
    assert body.id == "smpl"
    assert float((ours.vertices - theirs.vertices).abs().max()) < 1e-5
    assert float((body.joints(rotations, betas) - theirs.joints[:, :24]).abs().max()) < 1e-5


@pytest.mark.parametrize("family", ["smplh", "smplx"])
def test_reduced_to_24_joints_a_body_with_fingers_stays_the_same(tmp_path: Path, family: str):
    arrays = family_arrays(family, bends=0.01)
    np.savez(tmp_path / "any_name.npz", **arrays)
    body = load_body(tmp_path / "any_name.npz")
    assert body.id == family
    rotations = _poses(2, joints=22)
    joints = arrays["weights"].shape[1]
    full = torch.eye(3).repeat(2, joints, 1, 1)
    full[:, :22] = rotations[:, :22]

    def tensor(name: str) -> torch.Tensor:
        return torch.as_tensor(arrays[name], dtype=torch.float32)

    parents = torch.as_tensor(arrays["kintree_table"][0])
    parents[0] = -1
    vertices, places = smplx.lbs.lbs(
        torch.zeros(2, 10), full, tensor("v_template"), tensor("shapedirs")[:, :, :10],
        tensor("posedirs").flatten(0, 1).T, tensor("J_regressor"), parents, tensor("weights"),
        pose2rot=False,
    )  # fmt: skip
    assert float((body(rotations).vertices - vertices).abs().max()) < 2e-5
    assert float((body.joints(rotations)[:, :22] - places[:, :22]).abs().max()) < 2e-5


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_official_pickle_gives_the_same_arrays_without_chumpy(tmp_path, arrays, protocol: int):
    path = write_official_pickle(tmp_path / "m.pkl", arrays, protocol=protocol)
    assert "chumpy" not in sys.modules
    read = read_smpl_file(path)
    assert np.array_equal(read.template, arrays["v_template"])
    assert np.array_equal(read.shape_directions, arrays["shapedirs"])
    assert np.array_equal(read.regressor, arrays["J_regressor"])
    assert np.array_equal(read.faces, arrays["f"])
    assert "chumpy" not in sys.modules


def test_a_pickle_of_python_2_is_read(tmp_path: Path, arrays):
    path = write_official_pickle(tmp_path / "m.pkl", arrays)
    path.write_bytes(as_python2_pickle(path.read_bytes()))
    assert b"cnumpy.core.multiarray\n" in path.read_bytes()
    assert np.array_equal(read_smpl_file(path).weights, arrays["weights"])


def test_array_content_that_python_2_wrote_as_text_is_read():
    """Protocol 1 of Python 2: SHORT_BINSTRING holds the raw bytes of float64 1.5."""
    raw = np.array([1.5]).tobytes()
    pickled = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
        b"(I1\n(I1\ntcnumpy\ndtype\n(U\x02f8I0\nI1\ntR(I3\nU\x01<NNNI-1\nI-1\nI0\ntb"
        b"I00\nU" + bytes([len(raw)]) + raw + b"tb."
    )
    assert as_array(read_pickle(pickled)).tolist() == [1.5]


class _Hostile:
    def __init__(self, call, *arguments) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("where", ["alone", "in an array", "as a further key", "in chumpy"])
@pytest.mark.parametrize("way", ["system", "eval", "getattr"])
def test_a_hostile_pickle_is_named_and_never_runs(tmp_path, way, where, protocol):
    arrays = {key: np.zeros(2) for key in KEYS}
    canary = tmp_path / "canary"
    bomb = {
        "system": _Hostile(os.system, f"touch {canary}"),
        "eval": _Hostile(builtins.eval, f"open({str(canary)!r}, 'w')"),
        "getattr": _Hostile(getattr, "text", "upper"),
    }[way]
    hidden = np.empty(1, dtype=object)
    hidden[0] = bomb
    content = {
        "alone": bomb,
        "in an array": {**arrays, "J_regressor": hidden},
        "as a further key": {**arrays, "notes": [bomb]},
        "in chumpy": {**arrays, "v_template": {"x": bomb}},
    }[where]
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(BodyFileError, match=r"model\.pkl.*nothing in it was executed"):
        load_body(path)
    assert not canary.exists()


def test_a_hostile_array_in_an_npz_never_runs(tmp_path: Path, arrays):
    canary = tmp_path / "canary"
    hidden = np.empty((), dtype=object)
    hidden[()] = _Hostile(os.system, f"touch {canary}")
    path = tmp_path / "model.npz"
    np.savez(path, **{**arrays, "J_regressor": hidden})
    with pytest.raises(BodyFileError, match="nothing in it was executed"):
        load_body(path)
    assert not canary.exists()


def test_a_sparse_regressor_inside_an_npz_is_read_and_other_objects_are_not_touched(
    tmp_path: Path, arrays
):
    from scipy import sparse

    canary = tmp_path / "canary"
    path = tmp_path / "model.npz"
    regressor = np.empty((), dtype=object)
    regressor[()] = sparse.csc_matrix(arrays["J_regressor"])
    notes = np.empty((), dtype=object)
    notes[()] = _Hostile(os.system, f"touch {canary}")
    np.savez(path, **{**arrays, "J_regressor": regressor, "joint2num": notes})
    assert np.array_equal(read_smpl_file(path).regressor, arrays["J_regressor"])
    assert not canary.exists()


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (b"\x80\x02cposix\nsystem\n.", "posix.system"),
        (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x02c__builtin__\n__import__\n.", "__import__"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.dot\x93.", "ndarray.dot"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "not a pickle that a program wrote"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00.", "cut short or damaged"),
        (b"\x80\x02P1\n.", "outside the file"),
        (b"\x80\x02X\x01\x00\x00\x001Q.", "outside the file"),
        (b"\x80\x02\x82\x01.", "cut short or damaged"),
        (b"", "cut short or damaged"),
    ],
    ids=[
        "a command", "a loader", "an import", "a dotted name", "a far memo", "a long text",
        "a persistent name", "a persistent object", "an extension", "nothing",
    ],
)  # fmt: skip
def test_what_a_body_pickle_may_not_hold_is_named(pickled: bytes, said: str):
    with pytest.raises(PickleRefusedError, match=said):
        read_pickle(pickled)


def test_an_array_that_claims_more_than_it_has_is_refused():
    honest = pickle.dumps(np.zeros(3), protocol=2)
    claims = honest.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85")
    assert claims != honest
    with pytest.raises(PickleRefusedError, match="bytes of content"):
        as_array(read_pickle(claims))


def test_a_container_that_contains_itself_is_refused():
    loop = b"\x80\x02cchumpy.ch\nCh\n)\x81q\x00}X\x01\x00\x00\x00xh\x00sb."
    with pytest.raises(PickleRefusedError, match="nested too deeply"):
        as_array(read_pickle(loop))


def test_a_missing_file_says_what_to_give(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"nobody\.npz: there is no such body file.*open"):
        load_body(tmp_path / "nobody.npz")
    with pytest.raises(MissingFileError, match="folder"):
        load_body(tmp_path)


@pytest.mark.parametrize(
    ("vertices", "joints", "said"),
    [(778, 16, "MANO"), (5023, 5, "FLAME"), (6890, 25, "another model")],
)
def test_another_model_of_the_family_is_named(tmp_path, arrays, vertices, joints, said):
    other = {
        **arrays,
        "v_template": np.zeros((vertices, 3)),
        "kintree_table": np.zeros((2, joints)),
    }
    np.savez(tmp_path / "m.npz", **other)
    with pytest.raises(BodyFileError, match=said):
        load_body(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("weights", np.zeros((6890, 24)), "do not sum to 1"),
        ("weights", np.zeros((6890, 22)), r"weights has shape \(6890, 22\), expected \(6890, 24\)"),
        ("posedirs", np.zeros((6890, 3, 93)), r"expected \(6890, 3, 207\)"),
        ("shapedirs", np.zeros((6890, 3, 4)), "4 shapes, expected 10"),
        ("f", np.full((5, 3), 6890), "vertices that are not there"),
        ("v_template", np.full((6890, 3), np.nan), "NaN"),
        ("kintree_table", np.zeros((2, 24)), "not in SMPL's order"),
        ("J_regressor", np.full((24, 6890), "text"), "holds <U4, no numbers"),
        ("J_regressor", None, "lacks J_regressor"),
    ],
)
def test_a_broken_body_file_says_what_is_wrong(tmp_path, arrays, key, value, said):
    broken = {**arrays, key: value}
    np.savez(tmp_path / "m.npz", **{k: v for k, v in broken.items() if v is not None})
    with pytest.raises(BodyFileError, match=rf"m\.npz: .*{said}"):
        load_body(tmp_path / "m.npz")


@pytest.mark.parametrize("name", ["m.npz", "m.pkl"])
@pytest.mark.parametrize("kept", [0, 3, 1000, 100_000])
def test_a_truncated_file_is_named_not_guessed(tmp_path: Path, arrays, name: str, kept: int):
    path = tmp_path / name
    if name == "m.npz":
        np.savez(path, **arrays)
    else:
        write_official_pickle(path, arrays)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BodyFileError, match=rf"{name}: "):
        load_body(path)


def test_a_text_file_is_no_body(tmp_path: Path):
    (tmp_path / "m.npz").write_text("hello")
    with pytest.raises(BodyFileError, match=r"neither an \.npz nor a pickle"):
        load_body(tmp_path / "m.npz")


def test_the_family_is_read_off_the_arrays_not_the_name(tmp_path: Path, arrays):
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **arrays)
    body = load_body(tmp_path / "SMPLX_NEUTRAL.npz")
    assert (type(body), body.id) == (SmplBody, "smpl")


def test_shapes_of_the_open_body_are_refused_by_a_licensed_one(tmp_path: Path, arrays):
    np.savez(tmp_path / "m.npz", **arrays)
    pose = Pose(rotations=_poses(1), betas=torch.zeros(1, 10), body="open")
    with pytest.raises(PoseError, match="belong to the body 'open', this body is 'smpl'"):
        load_body(tmp_path / "m.npz").mesh(pose)


def test_gradients_through_a_licensed_body_are_finite_at_the_zero_pose(tmp_path: Path, arrays):
    np.savez(tmp_path / "m.npz", **arrays)
    turns = torch.zeros(1, 24, 3, requires_grad=True)
    mesh = load_body(tmp_path / "m.npz")(roma.rotvec_to_rotmat(turns))
    mesh.vertices.square().sum().backward()
    assert turns.grad is not None
    assert bool(torch.isfinite(turns.grad).all())
    assert float(turns.grad.abs().max()) > 0
