"""Fits of other people's making: their layout, their camera, whose they are, and what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from data_builders.readers.mat_files import read_mat
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from tests.fakes.coco_datasets import coco_person, coco_whole_body_person, write_coco, write_mpii
from tests.fakes.picture_datasets import standing, write_human36m, write_mpi_inf_3dhp
from unipose.body.keypoint_sets import COCO_17, MPI_INF_3DHP_28, MPII_16
from unipose.errors import ConfigError, EmptySourceError, SourceError
from unipose.files.smpl_parameters import mean_pelvis

PELVIS = mean_pelvis("smpl").numpy()
FOCAL, CENTRE = (900.0, 900.0), (300.0, 220.0)
FACING = [np.pi, *[0.0] * 71]
"""A person that stands upright in a camera's frame (y down) and faces it."""


def read(text):
    drops = Drops()
    return list(open_source(text, drops)), drops


def fit_at_pixel(pixel, *, depth=12.0, **changed):
    """Return a fit whose pelvis falls on a pixel, as NeuralAnnot writes it."""
    place = (np.array(pixel) - CENTRE) / np.array(FOCAL) * depth
    pelvis = np.array([*place, depth])
    smpl = {"pose": FACING, "shape": [0.1] * 10, "trans": (pelvis - PELVIS).tolist(), **changed}
    return {"smpl_param": smpl, "cam_param": {"focal": list(FOCAL), "princpt": list(CENTRE)}}


def person_with_hips(number):
    """Return a person of COCO whose hips are marked: their middle is (104, 150)."""
    person = coco_person(number)
    hip = COCO_17.names.index("right_hip")
    person["keypoints"][3 * hip : 3 * hip + 3] = [100, 150, 2]
    return person


def write_json(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def coco_with_fits(folder, fits, people=(1, 2)):
    write_coco(folder, [person_with_hips(number) for number in people])
    return write_json(folder / "fits" / "MSCOCO_train_SMPL_NeuralAnnot.json", fits)


def assert_pelvis_falls_on(record, pixel, size):
    pelvis = mean_pelvis("smpl") + record.pose.translation[0]
    seen = record.camera.project(pelvis.double(), width_px=size[0], height_px=size[1])
    assert seen.tolist() == pytest.approx(pixel, abs=1e-3)


def test_a_fit_of_coco_stands_upright_in_the_camera_that_comes_with_it(tmp_path):
    fits = coco_with_fits(tmp_path, {"1": fit_at_pixel((108, 147))})
    (with_fit, without), drops = read(f"coco={tmp_path}?fits={fits}")
    pose, camera = with_fit.pose, with_fit.camera
    assert torch.allclose(pose.rotations[0, 0], torch.eye(3), atol=1e-6)
    assert (pose.body, pose.betas[0, 0].item()) == ("smpl", pytest.approx(0.1))
    # a pelvis at (x, y, z) of a camera that is y down is at (x, -y, -z) of our world
    x, y = (108 - 300) / 900 * 12, (147 - 220) / 900 * 12
    pelvis = pose.translation[0].numpy() + PELVIS
    assert pelvis == pytest.approx([x, -y, -12], abs=1e-5)
    assert (camera.focal, camera.position.abs().sum().item()) == (pytest.approx(900 / 427), 0)
    assert camera.centre == pytest.approx(((300 - 320) / 427, (220 - 213.5) / 427))
    assert_pelvis_falls_on(with_fit, (108, 147), (640, 427))
    assert with_fit.other["fit"] == "MSCOCO_train_SMPL_NeuralAnnot.json"
    assert (without.pose, without.camera, "fit" in without.other) == (None, None, False)
    assert len(drops) == 0


def test_coco_whole_body_takes_the_same_fits(tmp_path):
    person = coco_whole_body_person(7)
    write_coco(tmp_path, [person], stem="coco_wholebody_val_v1.0")
    fits = write_json(tmp_path / "fits.json", {"7": fit_at_pixel((108, 150))})
    (record,), _ = read(f"coco_wholebody={tmp_path}?fits={fits}")
    assert_pelvis_falls_on(record, (108, 150), (640, 427))


BROKEN = {
    "the fit's pose holds NaN": fit_at_pixel((108, 150), pose=[float("nan")] * 72),
    "the fit's pose has the shape (71,)": fit_at_pixel((108, 150), pose=[0.0] * 71),
    "the fit's shape holds something that is no number": fit_at_pixel((1, 1), shape=["a"] * 10),
    "the fit's trans holds lists of different lengths": fit_at_pixel((1, 1), trans=[[1], [2, 3]]),
    "absurdly large angles": fit_at_pixel((108, 150), pose=[1e5] * 72),
    "the fit lies behind its camera": fit_at_pixel((108, 150), depth=-3.0),
    "lengths of the person away from the marked hips": fit_at_pixel((400, 150)),
    "has no 'cam_param'": {"smpl_param": fit_at_pixel((108, 150))["smpl_param"]},
    "has no 'smpl_param'": {"smplx_param": {}, "cam_param": {"focal": FOCAL, "princpt": CENTRE}},
    "expected positive focal lengths": {
        **fit_at_pixel((108, 150)),
        "cam_param": {"focal": [-900.0, 900.0], "princpt": CENTRE},
    },
    "expected an object with 'cam_param'": [1, 2],
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_person_whose_fit_is_broken_is_left_out_with_a_reason(reason, tmp_path):
    fits = coco_with_fits(tmp_path, {"1": fit_at_pixel((108, 150)), "2": BROKEN[reason]})
    records, drops = read(f"coco={tmp_path}?fits={fits}")
    assert [record.key for record in records] == ["coco/val2017/1"]
    assert reason in drops.dropped[0].reason


def test_where_a_hip_is_not_marked_the_place_of_a_fit_cannot_be_doubted(tmp_path):
    write_coco(tmp_path, [coco_person(1)])
    fits = write_json(tmp_path / "fits.json", {"1": fit_at_pixel((400, 150))})
    (record,), _ = read(f"coco={tmp_path}?fits={fits}")
    assert record.pose is not None


def test_fits_of_which_none_is_of_these_people_are_an_error_and_not_silence(tmp_path):
    fits = coco_with_fits(tmp_path, {"900001": fit_at_pixel((108, 150)), "2": None})
    with pytest.raises(EmptySourceError, match="not one of the 2 records has a pose") as error:
        read(f"coco={tmp_path}?fits={fits}")
    assert fits.name in str(error.value)


@pytest.mark.parametrize("content", [None, b'{"1": {"smpl_pa', b"[1, 2]", b""])
def test_a_file_of_fits_that_cannot_be_read_is_named_with_its_home(content, tmp_path):
    fits = coco_with_fits(tmp_path, {})
    fits.unlink() if content is None else fits.write_bytes(content)
    with pytest.raises(SourceError, match=r"NeuralAnnot\.json.*NeuralAnnot_RELEASE"):
        read(f"coco={tmp_path}?fits={fits}")


def test_sources_that_have_poses_of_their_own_take_no_fits():
    with pytest.raises(ConfigError, match="amass has no option 'fits'"):
        open_source("amass=/data?fits=/data/fits.json", Drops())


def mpii_listing(folder, *, shift=0.0):
    """Return the list of people that the fits of MPII are numbered after, from the .mat file."""
    release = read_mat(next(folder.glob("**/*.mat")), "RELEASE")
    rectangle = np.atleast_1d(release.annolist[0].annorect)[0]
    joints = np.zeros((len(MPII_16), 3))
    for point in rectangle.annopoints.point:
        joints[int(point.id)] = (point.x + shift, point.y, 1)
    person = {"image_id": 3, "bbox": [90.0, 190.0, 50.0, 20.0], "iscrowd": 0, "category_id": 1}
    stranger = {**person, "id": 0, "keypoints": [7.0] * 48, "num_keypoints": 16}
    image = {"id": 3, "file_name": "images/015601864.jpg", "width": 1280, "height": 720}
    people = [stranger, {**person, "id": 1, "keypoints": joints.ravel().tolist()}]
    return {"images": [image], "annotations": people, "categories": []}


def mpii_with_fits(folder, **options):
    write_mpii(folder)
    write_json(folder / "annotations" / "train.json", mpii_listing(folder, **options))
    fits = {"0": fit_at_pixel((700, 100)), "1": fit_at_pixel((125, 200))}
    return write_json(folder / "annotations" / "MPII_train_SMPL_NeuralAnnot.json", fits)


def test_a_fit_of_mpii_is_given_to_the_person_who_has_the_same_joints(tmp_path):
    fits = mpii_with_fits(tmp_path)
    for pictures in ("header", "unchecked"):  # the size of the picture is in the list too
        (record,), _ = read(f"mpii={tmp_path}?fits={fits}&pictures={pictures}")
        assert record.key == "mpii/015601864.jpg:0"
        assert torch.allclose(record.pose.rotations[0, 0], torch.eye(3), atol=1e-6)
        assert_pelvis_falls_on(record, (125, 200), (1280, 720))


def test_a_fit_of_mpii_is_not_given_to_a_person_with_other_joints(tmp_path):
    fits = mpii_with_fits(tmp_path, shift=3.0)
    with pytest.raises(EmptySourceError, match="not one of the 1 records has a pose"):
        read(f"mpii={tmp_path}?fits={fits}")


def test_mpii_s_fits_without_the_list_of_people_say_what_is_missing(tmp_path):
    fits = mpii_with_fits(tmp_path)
    listing = fits.with_name("train.json")
    listing.write_text(json.dumps({"images": []}))
    with pytest.raises(SourceError, match="has no images or no annotations"):
        read(f"mpii={tmp_path}?fits={fits}")
    listing.unlink()
    with pytest.raises(SourceError, match=r"train\.json: is missing; it says whom the numbers"):
        read(f"mpii={tmp_path}?fits={fits}")


def test_entries_of_mpii_s_list_that_are_broken_are_left_out_with_a_reason(tmp_path):
    fits = mpii_with_fits(tmp_path)
    listing = fits.with_name("train.json")
    content = json.loads(listing.read_text())
    content["annotations"][0]["image_id"] = 99
    listing.write_text(json.dumps(content))
    (record,), drops = read(f"mpii={tmp_path}?fits={fits}")
    reasons = {drop.key: drop.reason for drop in drops.dropped}
    assert reasons["mpii/train.json:0"] == "image_id 99 is not in the file"
    assert record.pose is not None


def fit_of_3dhp(**changed):
    """Return a fit in the world of MPI-INF-3DHP, y up: its pelvis where the fake person has it."""
    pelvis = standing(MPI_INF_3DHP_28.names)[MPI_INF_3DHP_28.names.index("pelvis")]
    trans = [(pelvis - PELVIS + 0.02).tolist()]
    return {"pose": [[0.0, 0.3, 0.0], *[[0.0] * 3] * 23], "shape": [0.0] * 10, "trans": trans} | (
        changed
    )


def test_a_fit_of_mpi_inf_3dhp_is_in_the_world_and_the_same_in_every_camera(tmp_path):
    write_mpi_inf_3dhp(tmp_path)
    far = fit_of_3dhp(trans=[[3.0, 1.0, 0.0]])
    nan = fit_of_3dhp(shape=[float("nan")] * 10)
    table = {"1": {"1": {"0": fit_of_3dhp(), "1": far, "2": nan}, "2": {"3": far}}}
    fits = write_json(tmp_path / "MPI-INF-3DHP_SMPL_NeuralAnnot.json", table)
    records, drops = read(f"mpi_inf_3dhp={tmp_path}?fits={fits}&fps=0")
    fitted = [record for record in records if record.pose is not None]
    assert {record.other["frame"] for record in fitted} == {0}
    assert len(fitted) == 8
    pose = fitted[0].pose
    assert torch.allclose(pose.axis_angle[0, 0], torch.tensor([0, 0.3, 0]), atol=1e-6)
    seen = fitted[0].camera.project(
        (mean_pelvis("smpl") + pose.translation[0]).double(), width_px=2048, height_px=2048
    )
    assert np.abs(seen.numpy() - fitted[0].keypoints_2d.point("pelvis").numpy()).max() < 15
    assert {record.other["frame"] for record in records} == {0, 3, 4, 5}
    reasons = {drop.key.rpartition(":")[2]: drop.reason for drop in drops.dropped}
    assert "from the measured one" in reasons["1"]
    assert reasons["2"] == "the fit's shape holds NaN"


def test_human36m_s_fits_are_read_under_either_name(tmp_path):
    write_human36m(tmp_path)
    (first,), _ = read(f"human36m={tmp_path}")
    file = tmp_path / "annotations" / "Human36M_subject1_smpl_param.json"
    file.rename(file.with_name("Human36M_subject1_SMPL_NeuralAnnot.json"))
    (second,), _ = read(f"human36m={tmp_path}")
    assert torch.equal(first.pose.rotations, second.pose.rotations)
    # z up in the file, where the pelvis hangs 0.223 m under SMPL's origin along y
    assert first.pose.translation[0].numpy() + PELVIS == pytest.approx([0, 1.2, 0.223], abs=1e-5)
