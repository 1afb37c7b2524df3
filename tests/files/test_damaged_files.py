"""Broken and hostile files: a named error within a second, and never a made-up pose.

One file: all formats are harmed in the same ways, by the same cutters and changers.
"""

from __future__ import annotations

import io
import json
import struct
import time
import warnings
import zipfile
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.motion_files import amc_text, asf_text, bvh_text, write_amc, write_bvh_text
from unipose.body.pose import Pose
from unipose.errors import FileError, FileNote, MissingFileError
from unipose.files import READ, open_pose, save_pose
from unipose.files.amc import read_amc


def refused(path, match="."):
    """Check that a file is refused by name, and within a second of this process's time."""
    start = time.process_time()
    with pytest.raises(FileError, match=match) as caught:
        open_pose(path)
    assert time.process_time() - start < 1.0
    assert str(path.name) in str(caught.value) or ".asf" in str(caught.value)


# --- whatever the ending ---------------------------------------------------------------------


@pytest.mark.parametrize("ending", READ)
def test_a_missing_file_is_named(tmp_path, ending):
    with pytest.raises(MissingFileError, match="nothing_here"):
        open_pose(tmp_path / f"nothing_here{ending}")


@pytest.mark.parametrize("ending", READ)
def test_a_folder_is_no_file(tmp_path, ending):
    (tmp_path / f"folder{ending}").mkdir()
    refused(tmp_path / f"folder{ending}", "is a folder")


@pytest.mark.parametrize("ending", READ)
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5000, bytes(range(256)) * 50, b"\n" * 3000, b"{" * 100_000]
)
def test_junk_is_refused(tmp_path, ending, content):
    (tmp_path / "07.asf").write_text(asf_text())
    path = tmp_path / f"07_junk{ending}"
    path.write_bytes(content)
    refused(path)


def test_a_long_line_of_junk_is_not_read_to_its_end(tmp_path):
    (tmp_path / "07.asf").write_text(asf_text())
    for name in ("07_a.bvh", "07_a.amc"):
        (tmp_path / name).write_bytes(b"# " + b"x" * 3_000_000)
        refused(tmp_path / name, "line of over")


# --- BVH -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("Frames: 2", "Frames: 99999999999999999999", "Frames: N"),
        ("Frames: 2", "Frames: -1", "Frames: N"),
        ("Frame Time: 0.0333333", "Frame Time: 0", "frame time"),
        ("Frame Time: 0.0333333", "Frame Time: -0.1", "frame time"),
        ("Frame Time: 0.0333333", "Frame Time: nan", "not a usable number"),
        ("Frame Time: 0.0333333", "Frame Time:", "Frame Time: S"),
        ("CHANNELS 6", "CHANNELS 5", "number of channels"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "unknown channel"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Xrotation", "number of channels"),
        ("CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 0", "ends within frame"),
        ("MOTION", "}\nMOTION", "closing brace too many"),
        ("MOTION", "", "cannot understand"),
        ("HIERARCHY", "HIERARCHIE", "expected HIERARCHY"),
        ("OFFSET 0 -42.2 0", "OFFSET 0 -42.2", "OFFSET and 3 numbers"),
        ("OFFSET 0 -42.2 0", "OFFSET 0 nan 0", "not a usable number"),
        ("OFFSET 0 -42.2 0", "", "no OFFSET"),
        ("OFFSET 0 -42.2 0", "OFFSET 0 0 0", "no length"),
        ("JOINT right_knee", "JOINT left_knee", "no joint found for 'right_knee'"),
        ("JOINT right_knee", "JOINT", "joint 14 has no name"),
        ("JOINT right_knee", "ROOT right_knee", "one ROOT"),
        (" 86 ", " nan ", "not a usable number"),
        (" 86 ", " 1e300 ", "not a usable number"),
        (" 86 ", " eighty ", "expected a number, found 'eighty'"),
    ],
)
def test_a_bvh_that_contradicts_itself_is_named(tmp_path, old, new, match):
    text = bvh_text([{}, {}])
    assert old in text
    refused(write_bvh_text(tmp_path, text.replace(old, new)), match)


def test_a_hierarchy_without_end_is_given_up(tmp_path):
    joints = "".join(f"JOINT j{i}\n{{\nOFFSET 0 0 0\nCHANNELS 0\n" for i in range(1100))
    text = f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 0\n{joints}"
    refused(write_bvh_text(tmp_path, text), "more than")


def test_a_bvh_cut_anywhere_is_refused_or_its_frames_are_counted(tmp_path):
    text = bvh_text([{}, {}])
    for end in range(0, len(text) - 2, 37):
        path = write_bvh_text(tmp_path, text[:end])
        with pytest.raises((FileError, FileNote)):
            open_pose(path)


@pytest.mark.parametrize("declared", [0, 1, 3, 1_000_000_000])
def test_a_frame_count_that_differs_is_said_and_the_frames_are_read(tmp_path, declared):
    text = bvh_text([{}, {"left_knee": (0, 30, 0)}]).replace("Frames: 2", f"Frames: {declared}")
    with pytest.warns(FileNote, match=f"declares {declared} frames but holds 2"):
        pose = open_pose(write_bvh_text(tmp_path, text))
    assert len(pose) == 2


# --- ASF and AMC -----------------------------------------------------------------------------


def test_an_amc_without_its_skeleton_says_so(tmp_path):
    (tmp_path / "a").mkdir()
    path = write_amc(tmp_path / "a", [{}])
    (tmp_path / "a" / "07.asf").unlink()
    refused(path, "needs its ASF skeleton")
    refused(path, r"07\.asf")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("\n2\nroot", "\n4\nroot", "frame 2 is missing or out of order"),
        ("\n2\nroot", "\nroot", "twice, or a frame number"),
        ("lfemur 0 0 0\n", "", "no line for the bone 'lfemur'"),
        ("lfemur 0 0 0\n", "lfemur 0 0\n", "expected 3 numbers of 'lfemur', found 'ltibia'"),
        ("lfemur 0 0 0\n", "lfemur 0 0 nan\n", "not a usable number"),
        ("lfemur 0 0 0\n", "lfemur 0 0 x\n", "expected a number, found 'x'"),
        ("lfemur", "tail", "moves 'tail'"),
        ("\n1\nroot", "\none\nroot", "expected a frame number"),
    ],
)
def test_an_amc_that_contradicts_itself_is_named(tmp_path, old, new, match):
    path = write_amc(tmp_path, [{}, {}])
    text = amc_text([{}, {}])
    assert old in text
    path.write_text(text.replace(old, new), encoding="latin-1")
    refused(path, match)


def test_a_bone_that_a_later_frame_lacks_is_named_with_its_frame(tmp_path):
    path = write_amc(tmp_path, [{}, {}, {}])
    first, _, rest = amc_text([{}, {}, {}]).partition("\n2\n")
    path.write_text(first + "\n2\n" + rest.replace("ltibia 0\n", "", 1), encoding="latin-1")
    refused(path, "frame 2: expected 1 numbers of 'ltibia'")


def test_an_amc_cut_anywhere_is_refused(tmp_path):
    text = amc_text([{}, {}])
    path = write_amc(tmp_path, [{}])
    for end in range(0, len(text) - 2, 149):
        path.write_text(text[:end], encoding="latin-1")
        with pytest.raises(FileError):
            open_pose(path)


def test_an_amc_of_many_chunks_reads_like_one_of_few(tmp_path, monkeypatch):
    path = write_amc(tmp_path, [{"lfemur": [i, 2 * i, -i]} for i in range(20)])
    whole = read_amc(path).tracks
    monkeypatch.setattr("unipose.files.numbers.CHUNK_BYTES", 1500)
    assert np.array_equal(read_amc(path).tracks, whole)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (":bonedata", ":bones", "no :bonedata"),
        ("length 0.45", "length 0", "length unit"),
        ("name ltibia", "name lfemur", "twice|not defined"),
        ("lfemur ltibia", "ltibia lfemur", "hangs|circle"),
        ("lhipjoint lfemur", "lhipjoint nothing", "not defined"),
        ("direction 0 0 1", "direction 0 0 0", "no direction"),
        ("dof rx rz", "dof rx rq", "degrees of freedom"),
        ("axis -90 0 20  XYZ", "axis -90 0 20  XXZ", "axis order"),
        ("axis -90 0 20  XYZ", "axis -90 0", "3 numbers"),
    ],
)
def test_a_skeleton_that_contradicts_itself_is_named(tmp_path, old, new, match):
    path = write_amc(tmp_path, [{}])
    assert old in asf_text()
    (tmp_path / "07.asf").write_text(asf_text().replace(old, new))
    refused(path, match)


# --- arrays ----------------------------------------------------------------------------------


def npy_bytes(header: str, content: bytes = b"") -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def write_zip(path, members, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


CLAIM = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 24, 3, 3), }"


def test_an_array_that_claims_a_billion_poses_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy_bytes(CLAIM, b"\0" * 100))
    refused(tmp_path / "a.npy", "claims")
    refused(write_zip(tmp_path / "a.npz", {"rotations": npy_bytes(CLAIM, b"\0" * 100)}), "claims")


def test_a_bomb_is_not_unpacked(tmp_path):
    content = npy_bytes(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (32000, 156), }",
        b"\0" * (4 * 32_000 * 156),
    )
    path = write_zip(tmp_path / "a.npz", {"poses": content}, compression=zipfile.ZIP_DEFLATED)
    refused(path, "unpack")


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.npz", {"rotations": npy_bytes(CLAIM, b"\0" * 300)})
    damaged = path.read_bytes().replace(struct.pack("<I", len(npy_bytes(CLAIM)) + 300), b"\xff" * 4)
    path.write_bytes(damaged)
    refused(path)


class Harmful:
    """What a pickle may hold: it runs something when it is read."""

    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_pickled_objects_are_refused_and_never_run(tmp_path, ending, capsys):
    path = tmp_path / f"a{ending}"
    array = np.array([Harmful()], dtype=object)
    if ending == ".npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, poses=array, trans=np.zeros((1, 3)))
    refused(path, "pickled")
    assert "code ran" not in capsys.readouterr().out


def test_arrays_that_are_not_looked_at_may_hold_anything(tmp_path):
    rotations = np.tile(np.eye(3), (24, 1, 1))
    np.savez(tmp_path / "a.npz", rotations=rotations, labels=np.array([Harmful()], dtype=object))
    assert len(open_pose(tmp_path / "a.npz")) == 1


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"poses": np.zeros((2, 100))}, "100 numbers"),
        ({"poses": np.full((2, 72), np.nan)}, "NaN"),
        ({"poses": np.full((2, 72), 1e30)}, "absurdly"),
        ({"poses": np.zeros((0, 72))}, "no pose|0 numbers"),
        ({"poses": np.array(["a", "b"])}, "instead of numbers"),
        ({"poses": np.zeros((2, 72)), "trans": np.zeros((3, 3))}, "trans has the shape"),
        ({"poses": np.zeros((2, 72)), "trans": np.full((2, 3), np.inf)}, "trans holds NaN"),
        ({"poses": np.zeros((2, 72)), "betas": np.zeros((3, 10))}, "betas has the shape"),
        ({"poses": np.zeros((2, 72)), "mocap_framerate": 0.0}, "one positive number"),
        ({"poses": np.zeros((2, 72)), "mocap_framerate": np.nan}, "one positive number"),
        ({"root_orient": np.zeros((2, 3))}, "no pose_body"),
        ({"root_orient": np.zeros((2, 3)), "pose_body": np.zeros((3, 63))}, "different numbers"),
        ({"global_orient": np.zeros((2, 3))}, "no body_pose"),
        ({"rotations": np.zeros((24, 3, 3))}, "not orthonormal"),
        ({"rotations": -np.tile(np.eye(3), (24, 1, 1))}, "reflection"),
        ({"rotations": np.zeros((23, 3, 3))}, "has the shape"),
        ({"rotations": np.tile(np.eye(3), (24, 1, 1)), "body": "horse"}, "'horse'"),
        ({"something": np.zeros(3)}, "holds no pose"),
    ],
)
@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_arrays_that_do_not_fit_are_named(tmp_path, arrays, match, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".npz":
        np.savez(path, **arrays)
        refused(path, match)
    else:
        content = {name: np.asarray(value).tolist() for name, value in arrays.items()}
        path.write_text(json.dumps(content))
        refused(path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000 + "]" * 200_000,
        '{"rotations": ' * 50_000 + "1" + "}" * 50_000,
        '{"rotations": [[1, 2], [3]]}',
        '{"rotations": {"a": 1}}',
        '{"rotations": null}',
        '{"rotations": "words"}',
        '{"rotations": [1e999]}',
        '{"rotations": [' + "9" * 5000 + "]}",
        '{"poses": [[NaN]]}',
        '{"rotations": ["' + "x" * 100_000 + '"' + ', ""' * 100_000 + "]}",
        '"a pose"',
        "17",
        "null",
        "{'rotations': 1}",
        "\ufeff",
    ],
)
def test_json_that_holds_no_pose_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    refused(tmp_path / "a.json")


# --- mutations -------------------------------------------------------------------------------


def good_files() -> dict[str, bytes]:
    pose = Pose.from_axis_angle(
        torch.linspace(-1, 1, 2 * 24 * 3).reshape(2, 24, 3), translation=torch.zeros(2, 3), fps=30.0
    )
    packed = io.BytesIO()
    np.savez_compressed(packed, poses=np.zeros((2, 66)), trans=np.zeros((2, 3)))
    rotations = io.BytesIO()
    np.save(rotations, pose.rotations.numpy())
    return {
        ".bvh": bvh_text([{}, {"chest": (10, 20, 30)}]).encode(),
        ".amc": amc_text([{}, {"lfemur": (10, 20, 30)}]).encode("latin-1"),
        ".npz": packed.getvalue(),
        ".npy": rotations.getvalue(),
        ".json": json.dumps({"rotations": pose.rotations.tolist(), "fps": 30}).encode(),
    }


GOOD = good_files()


@pytest.mark.parametrize("ending", sorted(GOOD))
def test_the_unharmed_files_of_these_tests_are_good(tmp_path, ending):
    (tmp_path / "07.asf").write_text(asf_text())
    (tmp_path / f"07_a{ending}").write_bytes(GOOD[ending])
    assert len(open_pose(tmp_path / f"07_a{ending}")) == 2


@pytest.mark.parametrize("ending", sorted(GOOD))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_harmed_files_give_a_valid_pose_or_our_error(tmp_path, ending, data):
    content = bytearray(GOOD[ending])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "double", "drop"])):
            case "flip":
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                content = content[: max(place, 1)]
            case "double":
                content[place:place] = content[place : place + 40]
            case "drop":
                del content[place : place + data.draw(st.integers(1, 40))]
        if not content:
            break
    (tmp_path / "07.asf").write_text(asf_text())
    path = tmp_path / f"07_a{ending}"
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileNote)
            pose = open_pose(path)
    except FileError:
        return
    assert len(pose) > 0
    assert torch.isfinite(pose.rotations).all()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_harmed_skeleton_gives_a_valid_pose_or_our_error(tmp_path, data):
    path = write_amc(tmp_path, [{}])
    text = bytearray(asf_text().encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "07.asf").write_bytes(text)
    try:
        pose = open_pose(path)
    except (FileError, FileNote):
        return
    assert len(pose) == 1


def test_the_checks_of_zip_are_not_needed_for_a_refusal(tmp_path):
    # stored, with a matching checksum, but not an array
    content = b"\x93NUMPY\x01\x00\xff\xff" + b"x" * 50
    assert zlib.crc32(content)
    refused(write_zip(tmp_path / "a.npz", {"rotations": content}), "header")


def test_an_empty_batch_is_not_written(tmp_path):
    empty = Pose(rotations=torch.zeros(0, 24, 3, 3))
    with pytest.raises(FileError, match="no pose to write"):
        save_pose(empty, tmp_path / "a.npz")
