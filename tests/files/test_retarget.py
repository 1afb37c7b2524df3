"""Retargeting: directions of bones and the twist of the arms survive the change of skeleton."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders.mocap import read_manifest
from eval.retargeting import measure
from tests.fakes.motion_files import BONES, DOFS, bvh_text, write_amc, write_bvh_text
from unipose.body.body import load_body
from unipose.body.skeletons import SMPL
from unipose.errors import FileError
from unipose.files import open_pose
from unipose.files.amc import read_amc
from unipose.files.bvh import read_bvh
from unipose.files.retarget import retarget, shortest_turns

BODY = load_body()


def joint(pose, name):
    """Return where a joint of the open body lies."""
    return BODY.joints(pose.rotations, None, pose.translation)[0, SMPL.index[name]].numpy()


def bone(pose, start, end):
    vector = joint(pose, end) - joint(pose, start)
    return vector / np.linalg.norm(vector)


def test_the_rest_pose_of_cmu_stands_with_arms_out_and_legs_apart(tmp_path):
    pose = open_pose(write_amc(tmp_path, [{}]))
    assert bone(pose, "left_shoulder", "left_wrist") @ [1, 0, 0] > 0.9999
    assert bone(pose, "right_shoulder", "right_wrist") @ [-1, 0, 0] > 0.9999
    assert bone(pose, "left_hip", "left_knee") == pytest.approx([0.342, -0.9397, 0], abs=1e-3)
    assert joint(pose, "head")[1] > joint(pose, "neck")[1] > joint(pose, "pelvis")[1] > 0.8


def test_hanging_arms_at_rest_hang_on_the_body(tmp_path):
    pose = open_pose(write_bvh_text(tmp_path, bvh_text([{}])))
    for side in ("left", "right"):
        assert bone(pose, f"{side}_shoulder", f"{side}_elbow") @ [0, -1, 0] > 0.9999
        assert bone(pose, f"{side}_elbow", f"{side}_wrist") @ [0, -1, 0] > 0.9999
        assert bone(pose, f"{side}_hip", f"{side}_knee") @ [0, -1, 0] > 0.9999


def test_an_elbow_bends_about_the_vertical_of_the_t_pose_in_every_skeleton(tmp_path):
    cmu = open_pose(write_amc(tmp_path, [{"lradius": [90], "rradius": [90]}]))
    # arms hang at rest and forearms point to the front: a bend about -x
    bent = {"left_elbow": (0, -90, 0), "right_elbow": (0, -90, 0)}
    humanoid = open_pose(write_bvh_text(tmp_path, bvh_text([bent])))
    for pose in (cmu, humanoid):
        turns = pose.axis_angle[0]
        for side, y in (("left", -1), ("right", 1)):
            turn = turns[SMPL.index[f"{side}_elbow"]].numpy()
            assert turn == pytest.approx([0, y * np.pi / 2, 0], abs=0.02)


def test_left_stays_left(tmp_path):
    pose = open_pose(write_amc(tmp_path, [{"lfemur": [-60, 0, 0]}]))
    assert joint(pose, "left_knee")[2] > 0.2  # raised to the front
    assert abs(joint(pose, "right_knee")[2]) < 0.05
    assert joint(pose, "left_knee")[0] > 0 > joint(pose, "right_knee")[0]


def test_the_trunk_leans_as_in_the_source_however_it_bends(tmp_path):
    frames = [{"lowerback": [30, 10, 5], "upperback": [20, 0, -10], "thorax": [10, 5, 0]}]
    errors = measure(read_amc(write_amc(tmp_path, frames)), BODY, np.array([0]))
    assert errors["trunk"][0] < 0.01


@pytest.mark.filterwarnings("ignore::unipose.errors.FileNote")  # such poses look mirrored, or lie
@settings(max_examples=10)
@given(st.data())
def test_every_limb_points_as_in_the_source(tmp_path_factory, data):
    angle = st.floats(-150, 150)
    moving = [name for name, *_, dofs in BONES if dofs and "thumb" not in name]
    frame = {
        name: [data.draw(angle) for _ in range(DOFS[name])]
        for name in data.draw(st.lists(st.sampled_from(moving), max_size=6, unique=True))
    }
    path = write_amc(tmp_path_factory.mktemp("amc"), [frame])
    errors = measure(read_amc(path), BODY, np.array([0]))
    limbs = [name for name in errors if name.startswith(("left", "right"))]
    assert len(limbs) == 12
    assert max(errors[name][0] for name in limbs) < 0.1


def test_turning_the_source_turns_the_body_and_nothing_else(tmp_path):
    frame = {"lhumerus": [20, -30, 40], "lradius": [50], "rfemur": [-40, 5, 10], "rtibia": [60]}
    turned = frame | {"root": (0, 17, 0, 0, 75, 0)}
    pose = open_pose(write_amc(tmp_path, [frame, turned]))
    assert torch.allclose(pose.rotations[0, 1:], pose.rotations[1, 1:], atol=1e-5)
    cosine, sine = np.cos(np.radians(75)), np.sin(np.radians(75))
    turn = torch.tensor([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], dtype=torch.float32)
    assert torch.allclose(pose.rotations[1, 0], turn @ pose.rotations[0, 0], atol=1e-5)


def test_one_frame_by_time_is_that_frame_of_the_whole(tmp_path):
    frames = [{"lradius": [10 * i], "root": (0, 17, i, 0, 0, 0)} for i in range(7)]
    path = write_amc(tmp_path, frames)
    whole, one = open_pose(path, fps=10.0), open_pose(path, fps=10.0, at=0.4)
    assert torch.equal(whole.rotations[4:5], one.rotations)
    assert torch.equal(whole.translation[4:5], one.translation)


def test_feet_of_a_standing_source_are_near_the_floor(tmp_path):
    # ankles of the humanoid are 5 cm above its soles, hips 83.2 cm above its ankles
    pose = open_pose(write_bvh_text(tmp_path, bvh_text([{"position": (10, 88.2, -20)}])))
    assert joint(pose, "left_ankle")[1] == pytest.approx(0.05, abs=0.03)


def test_a_skeleton_that_is_not_known_is_named(tmp_path):
    text = bvh_text([{}]).replace("left_knee", "kneecap")
    with pytest.raises(
        FileError, match=r"no joint found for 'left_knee'; the file's joints are root, .*--skeleton"
    ):
        open_pose(write_bvh_text(tmp_path, text))


def test_the_shortest_turn_turns_even_to_the_opposite():
    start = np.eye(3)
    for end in (np.eye(3), -np.eye(3), np.roll(np.eye(3), 1, axis=0)):
        turns = shortest_turns(start, end)
        assert np.allclose(turns @ start[..., None], end[..., None], atol=1e-9)
        assert np.allclose(np.linalg.det(turns), 1)


def test_two_formats_of_one_trial_agree(mocap_folder):
    recordings = {r.path: r for r in read_manifest(mocap_folder)}
    native = recordings["cmu/asfamc/02/02_01.amc"].open(15.0)
    converted = recordings["cmu/bvh/actions/walking/walking_1.bvh"].open(15.0)
    turn = native.rotations.mT @ converted.rotations
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    assert torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).max() < 0.5
    assert torch.allclose(native.translation, converted.translation, atol=1e-3)


def test_the_jump_clip_of_a_trial_has_its_legs(mocap_folder):
    recordings = {r.path: r for r in read_manifest(mocap_folder)}
    clip = recordings["cmu/bvh/jump/02_01.bvh"].open(30.0)
    trial = retarget(
        recordings["cmu/asfamc/02/02_01.amc"].read(), frames=3 + 4 * np.arange(len(clip))
    )
    hips_and_knees = [SMPL.index[f"{s}_{j}"] for s in ("left", "right") for j in ("hip", "knee")]
    ends = [SMPL.index[f"{s}_{j}"] for s in ("left", "right") for j in ("knee", "ankle")]
    bones = [
        (j := BODY.joints(pose.rotations))[:, ends] - j[:, hips_and_knees] for pose in (clip, trial)
    ]
    cosine = torch.nn.functional.cosine_similarity(*bones, dim=-1)
    assert torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).max() < 0.5


def test_a_walker_is_upright_and_faces_where_it_goes(mocap_folder):
    recordings = {r.path: r for r in read_manifest(mocap_folder)}
    pose = recordings["cmu/asfamc/02/02_01.amc"].open(30.0)
    path = pose.translation[-1] - pose.translation[0]
    facing = pose.rotations[:, 0, :, 2].mean(0)
    assert torch.nn.functional.cosine_similarity(path, facing, dim=0) > 0.95
    joints = BODY.joints(pose.rotations, None, pose.translation)
    assert (joints[:, SMPL.index["head"], 1] > 1.4).all()
    assert joints[..., 1].min() > -0.05


def test_the_files_agree_on_the_rate(tmp_path):
    assert read_bvh(write_bvh_text(tmp_path, bvh_text([{}]))).fps == 30
    assert read_bvh(write_bvh_text(tmp_path, bvh_text([{}], frame_time="0.00833"))).fps == 120
    rate = read_bvh(write_bvh_text(tmp_path, bvh_text([{}], frame_time="0.0333667"))).fps
    assert rate == pytest.approx(29.97, abs=1e-3)
