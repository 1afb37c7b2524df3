"""Keypoints of any detector's file become joints and poses; what cannot be lifted is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import roma
import torch

from unipose.app.cli import app
from unipose.app.keypoint_lifting import lift_people
from unipose.body.body import load_body
from unipose.body.keypoint_points import keypoint_points
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133, HUMAN36M_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.errors import FileError, LiftingError
from unipose.files import open_pose
from unipose.files.keypoint_files import read_keypoints
from unipose.files.keypoint_writing import write_people
from unipose.lifting.keypoint_lifter import KeypointLifter, on_person
from unipose.lifting.saved_lifter import LifterConfig, make_task_net, save_lifter
from unipose.metrics import pa_mpjpe
from unipose.vision.body_landmarks import LandmarkedBody
from unipose.vision.joint_fitting import fit_joints
from unipose.vision.keypoints_alone import KeypointsAlone
from unipose.vision.mesh_recovery_protocol import LEVEL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = LifterConfig(keypoints="coco-17", changes={"width": 8})
    save_lifter(tmp_path / "lifter", make_task_net(config), config)
    return tmp_path


def people(count: int = 2, *, of=COCO_17) -> Keypoints:
    generator = torch.Generator().manual_seed(1)
    return Keypoints.of(of, 100 + 80 * torch.rand(count, len(of), 2, generator=generator))


def test_a_person_is_the_same_anywhere_and_at_any_size():
    points = people().points
    moved = on_person(points * 3 + 50)
    torch.testing.assert_close(moved, on_person(points))
    assert float(moved.abs().max()) == pytest.approx(0.8)
    with pytest.raises(LiftingError, match="frame 1 has all keypoints at one place"):
        on_person(torch.cat([points[:1], torch.zeros(1, 17, 2)]))


def test_a_mirrored_person_is_lifted_to_the_mirrored_joints(folder: Path):
    lifter = KeypointLifter.from_pretrained(folder / "lifter")
    plain = lifter.lift(people())
    mirrored = lifter.lift(people().mirrored(width_px=300))
    wanted = plain[:, list(COCO_17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(mirrored, wanted, atol=1e-5, rtol=0)


def test_other_sets_are_mapped_by_name_and_a_missing_joint_is_named(folder: Path):
    lifter = KeypointLifter.from_pretrained(folder / "lifter")
    whole = people(of=COCO_WHOLEBODY_133)
    torch.testing.assert_close(lifter.lift(whole), lifter.lift(whole.mapped_to(COCO_17)))
    with pytest.raises(LiftingError, match="frame 0 has no nose: human36m-17 has to hold"):
        lifter.lift(people(of=HUMAN36M_17))
    seen = people(3)
    present = seen.present.clone()
    present[1, 13] = False
    with pytest.raises(LiftingError, match="frame 1 has no left_knee"):
        lifter.lift(replace(seen, present=present))
    assert lifter.lift(people(0)).shape == (0, 17, 3)


@pytest.mark.slow
@pytest.mark.parametrize("of", [COCO_17, HUMAN36M_17], ids=lambda of: of.name)
def test_joints_of_a_posed_body_lead_back_to_its_pose(of):
    body = load_body()
    generator = torch.Generator().manual_seed(2)
    turns = 0.35 * torch.randn(4, 24, 3, generator=generator)
    turns[:, 0, 1] = torch.tensor([0.0, 1.5, 3.0, -1.5])  # facing four ways
    rotations = roma.rotvec_to_rotmat(turns)
    places = LandmarkedBody(body, range(len(of)), keypoint_points(body, of))
    betas = 0.7 * torch.randn(4, 10, generator=generator)
    _, joints = places(rotations, betas)
    found = fit_joints(joints @ LEVEL.mT, of)
    _, again = places(found.rotations, betas)
    assert float(pa_mpjpe(again, joints).max()) < 0.035
    with pytest.raises(LiftingError, match="frame 2"):
        fit_joints(torch.full((3, len(of), 3), 1.0).index_fill(0, torch.tensor(2), torch.nan), of)


@pytest.mark.slow
def test_the_command_lifts_a_detectors_file(folder: Path, capsys: pytest.CaptureFixture[str]):
    file, out = folder / "keypoints.json", folder / "poses.npz"
    images = [
        ImagePeople(image=f"{i}.jpg", people=(PersonInImage(keypoints=people()[i]),))
        for i in (0, 1)
    ]
    write_people(images, file)
    lifter = ["--lifter", str(folder / "lifter")]
    app(["lift", str(file), "-o", str(out), "--film", "--fps", "25", *lifter,
         "--picture", str(folder / "seen.png"), "--json"], standalone_mode=False)  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert (said["poses"], said["files"]) == (2, [str(out), str(folder / "seen.png")])
    poses = open_pose(out)
    assert (len(poses), poses.fps) == (2, 25.0)
    app(["lift", str(file), "-o", str(folder / "joints.npz"), "--joints", *lifter],
        standalone_mode=False)  # fmt: skip
    joints = read_keypoints(folder / "joints.npz")
    assert joints.points.shape == (2, 17, 3)
    assert joints.keypoint_set == COCO_17


def test_without_a_lifter_of_ones_own_keypoints_are_lifted_by_the_embedded_one():
    alone = KeypointsAlone()
    seen = people(3)
    present = seen.present.clone()
    present[:, 15:] = False  # the feet are beyond the picture
    somebody = PersonInImage(keypoints=replace(seen, present=present)[0])
    lifted = lift_people([ImagePeople(image="1", people=(somebody,))], Path("a.json"), alone)
    assert lifted.joints.shape == (1, 17, 3)
    hips = lifted.joints[:, COCO_17.indices("left_hip", "right_hip")]
    assert float(hips.mean(1).abs().max()) < 1e-6
    assert (len(lifted.poses), lifted.poses.fps) == (1, None)
    moved = alone.recover(replace(seen, points=seen.points * 3 + 40))
    torch.testing.assert_close(
        alone.joints(moved), alone.joints(alone.recover(seen)), atol=1e-4, rtol=0
    )
    present[1, 4:] = False
    with pytest.raises(LiftingError, match="frame 1 has 4 of COCO's 17 keypoints"):
        alone.recover(replace(seen, present=present))


def test_a_file_without_anybody_or_of_several_sets_is_named(folder: Path):
    lifter = KeypointLifter.from_pretrained(folder / "lifter")
    with pytest.raises(FileError, match="nobody with keypoints"):
        lift_people([ImagePeople(image="1")], Path("a.json"), lifter)
    mixed = tuple(PersonInImage(keypoints=people(1, of=of)) for of in (COCO_17, COCO_WHOLEBODY_133))
    with pytest.raises(FileError, match="several sets"):
        lift_people([ImagePeople(image="1", people=mixed)], Path("a.json"), lifter)
