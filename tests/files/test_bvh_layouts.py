"""BVH files as their makers write them: names, trees, zero poses, worlds, layouts of the text.

One file: each maker's habit is one short test over the same few trees.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest
import roma
import torch

from tests.fakes.motion_files import bvh_text, write_bvh_text
from unipose.body.body import load_body
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError, FileError, FileNote
from unipose.file_signatures import check_file
from unipose.files import open_pose
from unipose.files.motion import SourceJoint, turn_about_axis
from unipose.files.source_skeletons import match_joints

BODY = load_body()

# --- names and trees -------------------------------------------------------------------------

LEFT_LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist", "hand")
# Chains of joints: the first one of each is in a chain above it (except the root). Then the joints
# found for pelvis, spine1, spine2, spine3, neck, head; and for LEFT_LIMBS ("-": none). {L} is the
# side; chains with it stand for both.
MAKERS = {
    "Character Studio": (
        "Bip01>Bip01 Pelvis>Bip01 Spine>Bip01 Spine1>Bip01 Neck>Bip01 Head>Bip01 HeadNub",
        "Bip01 Spine>Bip01 {L} Thigh>Bip01 {L} Calf>Bip01 {L} Foot>Bip01 {L} Toe0",
        "Bip01 {L} Toe0>Bip01 {L} Toe0Nub",
        "Bip01 Neck>Bip01 {L} Clavicle>Bip01 {L} UpperArm>Bip01 {L} Forearm>Bip01 {L} Hand",
        "Bip01 {L} Hand>Bip01 {L} Finger0>Bip01 {L} Finger01",
        "Bip01 {L} Hand>Bip01 {L} Finger1",
        "Bip01 {L} Hand>Bip01 {L} Finger2",
        "Bip01 Spine|-|-|Bip01 Spine1|Bip01 Neck|Bip01 Head",
        "Bip01 L Thigh|Bip01 L Calf|Bip01 L Foot|Bip01 L Toe0|Bip01 L Clavicle|Bip01 L UpperArm|"
        "Bip01 L Forearm|Bip01 L Hand|Bip01 L Finger1",
    ),
    "Xsens": (
        "Hips>Chest>Chest2>Chest3>Chest4>Neck>Head",
        "Chest4>{Left}Collar>{Left}Shoulder>{Left}Elbow>{Left}Wrist",
        "Hips>{Left}Hip>{Left}Knee>{Left}Ankle>{Left}Toe",
        "Hips|Chest|Chest3|Chest4|Neck|Head",
        "LeftHip|LeftKnee|LeftAnkle|LeftToe|LeftCollar|LeftShoulder|LeftElbow|LeftWrist|-",
    ),
    "Xsens MVN": (
        "Pelvis>L5>L3>T12>T8>Neck>Head",
        "T8>{Left}Shoulder>{Left}UpperArm>{Left}ForeArm>{Left}Hand",
        "Pelvis>{Left}UpperLeg>{Left}LowerLeg>{Left}Foot>{Left}Toe",
        "Pelvis|L5|T12|T8|Neck|Head",
        "LeftUpperLeg|LeftLowerLeg|LeftFoot|LeftToe|LeftShoulder|LeftUpperArm|LeftForeArm|"
        "LeftHand|-",
    ),
    "Motive": (
        "Sk_Hip>Sk_Ab>Sk_Chest>Sk_Neck>Sk_Head",
        "Sk_Chest>Sk_{L}Shoulder>Sk_{L}UArm>Sk_{L}FArm>Sk_{L}Hand>Sk_{L}Thumb1",
        "Sk_{L}Hand>Sk_{L}Index1>Sk_{L}Index2",
        "Sk_{L}Hand>Sk_{L}Middle1",
        "Sk_Hip>Sk_{L}Thigh>Sk_{L}Shin>Sk_{L}Foot>Sk_{L}Toe",
        "Sk_Hip|Sk_Ab|-|Sk_Chest|Sk_Neck|Sk_Head",
        "Sk_LThigh|Sk_LShin|Sk_LFoot|Sk_LToe|Sk_LShoulder|Sk_LUArm|Sk_LFArm|Sk_LHand|Sk_LMiddle1",
    ),
    "DAZ": (
        "hip>pelvis>{l}ThighBend>{l}ThighTwist>{l}Shin>{l}Foot>{l}Metatarsals>{l}Toe>{l}BigToe",
        "hip>abdomenLower>abdomenUpper>chestLower>chestUpper>neckLower>neckUpper>head>lEye",
        "chestUpper>{l}Collar>{l}ShldrBend>{l}ShldrTwist>{l}ForearmBend>{l}ForearmTwist>{l}Hand",
        "{l}Hand>{l}Thumb1",
        "{l}Hand>{l}Carpal2>{l}Mid1",
        "pelvis|abdomenLower|chestLower|chestUpper|neckLower|head",
        "lThighBend|lShin|lFoot|lToe|lCollar|lShldrBend|lForearmBend|lHand|lMid1",
    ),
    "Reallusion": (
        "CC_Base_Hip>CC_Base_Pelvis>CC_Base_{L}_Thigh>CC_Base_{L}_Calf>CC_Base_{L}_Foot",
        "CC_Base_{L}_Calf>CC_Base_{L}_KneeShareBone",
        "CC_Base_{L}_Thigh>CC_Base_{L}_ThighTwist01",
        "CC_Base_Hip>CC_Base_Waist>CC_Base_Spine01>CC_Base_NeckTwist01>CC_Base_Head",
        "CC_Base_Spine01>CC_Base_{L}_Clavicle>CC_Base_{L}_Upperarm>CC_Base_{L}_UpperarmTwist01",
        "CC_Base_{L}_Upperarm>CC_Base_{L}_Forearm>CC_Base_{L}_Hand",
        "CC_Base_Pelvis|CC_Base_Waist|-|CC_Base_Spine01|CC_Base_NeckTwist01|CC_Base_Head",
        "CC_Base_L_Thigh|CC_Base_L_Calf|CC_Base_L_Foot|-|CC_Base_L_Clavicle|CC_Base_L_Upperarm|"
        "CC_Base_L_Forearm|CC_Base_L_Hand|-",
    ),
    "MakeHuman": (
        "root>pelvis.{L}>upperleg01.{L}>upperleg02.{L}>lowerleg01.{L}>lowerleg02.{L}>foot.{L}",
        "foot.{L}>toe1-1.{L}>toe1-2.{L}",
        "root>spine02>spine01>neck01>neck02>head",
        "spine01>clavicle.{L}>shoulder01.{L}>upperarm01.{L}>upperarm02.{L}>lowerarm01.{L}>wrist.{L}",
        "root|spine02|-|spine01|neck01|head",
        "upperleg01.L|lowerleg01.L|foot.L|toe1-1.L|shoulder01.L|upperarm01.L|lowerarm01.L|wrist.L|-",
    ),
    "VRChat": (
        "Hips>{Left} leg>{Left} knee>{Left} ankle>{Left} toe",
        "Hips>Spine>Chest>Neck>Head",
        "Chest>{Left} shoulder>{Left} arm>{Left} elbow>{Left} wrist",
        "Hips|Spine|-|Chest|Neck|Head",
        "Left leg|Left knee|Left ankle|Left toe|Left shoulder|Left arm|Left elbow|Left wrist|-",
    ),
    "Unreal 5": (
        "root>pelvis>spine_01>spine_02>spine_03>spine_04>spine_05>neck_01>neck_02>head",
        "spine_05>clavicle_{l}>upperarm_{l}>lowerarm_{l}>lowerarm_twist_01_{l}",
        "lowerarm_{l}>hand_{l}>thumb_01_{l}",
        "hand_{l}>middle_metacarpal_{l}>middle_01_{l}",
        "pelvis>thigh_{l}>calf_{l}>foot_{l}>ball_{l}",
        "root>ik_foot_root>ik_foot_{l}",
        "pelvis|spine_01|spine_03|spine_05|neck_01|head",
        "thigh_l|calf_l|foot_l|ball_l|clavicle_l|upperarm_l|lowerarm_l|hand_l|middle_metacarpal_l",
    ),
    "Kinect": (
        "HipCenter>Spine>ShoulderCenter>Head",
        "ShoulderCenter>Shoulder{Left}>Elbow{Left}>Wrist{Left}>Hand{Left}",
        "HipCenter>Hip{Left}>Knee{Left}>Ankle{Left}>Foot{Left}",
        "HipCenter|Spine|-|ShoulderCenter|-|Head",
        "HipLeft|KneeLeft|AnkleLeft|FootLeft|-|ShoulderLeft|ElbowLeft|WristLeft|HandLeft",
    ),
    "capitals": (
        "HIPS>SPINE>NECK>HEAD",
        "SPINE>{LEFT}SHOULDER>{LEFT}ARM>{LEFT}FOREARM>{LEFT}HAND",
        "HIPS>{LEFT}UPLEG>{LEFT}LEG>{LEFT}FOOT>{LEFT}TOEBASE",
        "HIPS|-|-|SPINE|NECK|HEAD",
        "LEFTUPLEG|LEFTLEG|LEFTFOOT|LEFTTOEBASE|LEFTSHOULDER|LEFTARM|LEFTFOREARM|LEFTHAND|-",
    ),
    "cgspeed": (
        "Hips>{L}HipJoint>{Left}UpLeg>{Left}Leg>{Left}Foot>{Left}ToeBase",
        "Hips>LowerBack>Spine>Spine1>Neck>Neck1>Head",
        "Spine1>{Left}Shoulder>{Left}Arm>{Left}ForeArm>{Left}Hand>{Left}FingerBase>{Left}HandIndex1",
        "{Left}Hand>{L}Thumb",
        "Hips|LowerBack|Spine|Spine1|Neck|Head",
        "LeftUpLeg|LeftLeg|LeftFoot|LeftToeBase|LeftShoulder|LeftArm|LeftForeArm|LeftFingerBase|"
        "LeftHandIndex1",
    ),
    "fingers for hands": (
        "Hips>Spine>Head",
        "Spine>{Left}Arm>{Left}ForeArm>{Left}Fingers",
        "Hips>{Left}UpLeg>{Left}Leg>{Left}Foot",
        "Hips|-|-|Spine|-|Head",
        "LeftUpLeg|LeftLeg|LeftFoot|-|-|LeftArm|LeftForeArm|LeftFingers|-",
    ),
}
SIDES = (
    {"L": "L", "l": "l", "Left": "Left", "LEFT": "LEFT"},
    {"L": "R", "l": "r", "Left": "Right", "LEFT": "RIGHT"},
)


def joints_of(chains):
    """Return the joints of chains "A>B>C", parents before children."""
    children: dict[str, list[str]] = {}
    parent: dict[str, str] = {}
    for line in dict.fromkeys(chain.format(**side) for chain in chains for side in SIDES):
        names = line.split(">")
        for above, below in pairwise(names):
            if below not in parent:
                parent[below] = above
                children.setdefault(above, []).append(below)
    order, todo = [], [next(name for name in children if name not in parent)]
    while todo:
        order.append(todo.pop(0))
        todo = children.get(order[-1], []) + todo
    index = {name: i for i, name in enumerate(order)}
    return [
        SourceJoint(name=n, parent=index.get(parent.get(n, ""), -1), offset=(0.0, 1.0, 0.0))
        for n in order
    ]


@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_the_joints_of_a_maker_are_found(maker):
    *chains, trunk, limbs = MAKERS[maker]
    joints = joints_of(chains)
    match = match_joints(joints)
    found = {joint: joints[i].name for joint, i in match.places.items()}
    trunk_joints = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
    assert [found.get(joint, "-") for joint in trunk_joints] == trunk.split("|")
    assert [found.get(f"left_{part}", "-") for part in LEFT_LIMBS] == limbs.split("|")
    lefts = [joint.removeprefix("left_") for joint in found if joint.startswith("left_")]
    rights = [joint.removeprefix("right_") for joint in found if joint.startswith("right_")]
    assert sorted(lefts) == sorted(rights)


# --- one person in many files ----------------------------------------------------------------

PARTS = (
    ("pelvis", None, (0, 0, 0)),
    ("hip", "pelvis", (8, -5, 0)),
    ("knee", "hip", (0, -41, 0)),
    ("ankle", "knee", (0, -40, -1)),
    ("foot", "ankle", (1, -6, 12)),
    ("spine1", "pelvis", (0, 10, -1)),
    ("spine2", "spine1", (0, 12, 0)),
    ("spine3", "spine2", (0, 13, 0)),
    ("neck", "spine3", (0, 15, 1)),
    ("head", "neck", (0, 10, 1)),
    ("collar", "spine3", (3, 12, 0)),
    ("shoulder", "collar", (13, 0, 0)),
    ("elbow", "shoulder", (26, 0, 0)),
    ("wrist", "elbow", (24, 0, 0)),
    ("hand", "wrist", (9, 0, 0)),
)
ANGLES = (
    {},
    {
        "left_hip": (5, -40, 10), "left_knee": (0, 60, 0), "right_knee": (0, 20, 0),
        "left_elbow": (0, 0, -70), "right_shoulder": (50, 10, 0), "right_elbow": (0, 0, 40),
        "spine2": (0, 15, 10), "neck": (0, 10, 20), "pelvis": (4, 3, 30),
    },
    {
        "right_hip": (0, -70, 0), "right_knee": (0, 90, 0), "left_knee": (0, 10, 0),
        "left_shoulder": (-60, 0, 20), "left_elbow": (0, 0, -100), "right_elbow": (0, 0, 80),
    },
)  # fmt: skip
"""Degrees about (z, x, y) by SMPL joint."""


def person(**offsets):
    """Return SMPL's joints with the offsets of one person; `offsets` by part replace some."""
    joints = []
    for part, parent, offset in PARTS:
        x, y, z = offsets.get(part, offset)
        if part in LEFT_LIMBS:
            above = f"_{parent}" if parent in LEFT_LIMBS else parent
            for side, sign in (("left", 1), ("right", -1)):
                hangs_on = f"{side}{above}" if above.startswith("_") else above
                joints.append((f"{side}_{part}", hangs_on, (sign * x, y, z), None))
        else:
            joints.append((part, parent, (x, y, z), None))
    return joints


def rotation(z, x, y):
    z, x, y = np.radians((z, x, y))
    return turn_about_axis(z, 2) @ turn_about_axis(x, 0) @ turn_about_axis(y, 1)


def angles_of(matrix):
    angles = roma.rotmat_to_euler("ZXY", torch.from_numpy(matrix), degrees=True)
    return tuple(float(angle) for angle in angles)


def reframed(frames_of, *, world=None):
    """Return the text of the same motion with each joint's own frame turned in the zero pose.

    frames_of: joint -> (3, 3), its frame in the T-pose. world: rotation of the whole world.
    """
    world = np.eye(3) if world is None else world
    parents = {name: parent for name, parent, *_ in person()}
    frames = {name: world @ frames_of(name) @ world.T for name in parents} | {None: np.eye(3)}
    moved = [
        (name, parent, tuple(frames[parent].T @ world @ offset), end)
        for name, parent, offset, end in person()
    ]
    rows = []
    for angles in ANGLES:
        rows.append({"position": tuple(world @ np.array((0, 90, 0)))})
        for name, parent in parents.items():
            local = world @ rotation(*angles.get(name, (0, 0, 0))) @ world.T
            rows[-1][name] = angles_of(frames[parent].T @ local @ frames[name])
    return bvh_text(rows, joints=moved)


def renamed(text):
    """Name the joints as Mixamo does, so that no turn is taken over as SMPL's own."""
    words = {
        "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck",
        "head": "Head", "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
        "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
        "hand": "HandMiddle1",
    }  # fmt: skip
    lines = []
    for line in text.splitlines():
        kind, _, name = line.strip().partition(" ")
        if kind in ("ROOT", "JOINT"):
            side, _, part = name.rpartition("_")
            lines.append(line.replace(name, f"mixamorig:{side.capitalize()}{words[part]}"))
        else:
            lines.append(line)
    return "\n".join([*lines, ""])


def directions(pose):
    """Return unit vectors along limbs, hips' line and trunk (frame, bone, 3)."""
    places = BODY.joints(pose.rotations).double()
    at = {joint: places[:, i] for joint, i in SMPL.index.items()}
    at["hips"] = (at["left_hip"] + at["right_hip"]) / 2
    at["shoulders"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    pairs = [("right_hip", "left_hip"), ("hips", "shoulders")]
    for side in ("left", "right"):
        pairs += [
            (f"{side}_{a}", f"{side}_{b}")
            for a, b in (
                ("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("shoulder", "elbow"),
                ("elbow", "wrist"),
            )
        ]  # fmt: skip
    vectors = torch.stack([at[b] - at[a] for a, b in pairs], dim=1)
    return torch.nn.functional.normalize(vectors, dim=-1)


def degrees_apart(first, second):
    cosine = (first * second).sum(-1).clamp(-1, 1)
    return float(torch.rad2deg(torch.arccos(cosine)).max())


@pytest.fixture
def ordinary(tmp_path):
    """Return the person of this file as read from a T-pose that faces +z."""
    return open_pose(write_bvh_text(tmp_path, renamed(reframed(lambda _: np.eye(3))), "plain.bvh"))


def along_x(name):
    """Return a frame whose x axis lies along the bone of a joint in the T-pose."""
    parts = {part: offset for part, _, offset in PARTS}
    ends = {"pelvis": "spine1", "spine3": "neck"} | {
        above: part for part, above, _ in PARTS if above not in (None, "pelvis", "spine3")
    }
    side, _, part = name.rpartition("_")
    x, y, z = parts[ends.get(part, part)]
    first = np.array([-x if side == "right" else x, y, z], dtype=float)
    first /= np.linalg.norm(first)
    third = np.cross(first, [0, 0, 1.0] if abs(first[2]) < 0.9 else [0, 1.0, 0])
    third /= np.linalg.norm(third)
    return np.stack([first, np.cross(third, first), third], axis=1)


def test_bones_along_x_give_the_same_person(tmp_path, ordinary):
    text = renamed(reframed(along_x))
    pose = open_pose(write_bvh_text(tmp_path, text))
    assert degrees_apart(directions(pose), directions(ordinary)) < 0.5


def test_knees_and_elbows_bend_about_their_hinge_although_bones_lie_along_x(tmp_path):
    text = renamed(reframed(along_x))
    turns = open_pose(write_bvh_text(tmp_path, text)).axis_angle[2]
    knee = turns[SMPL.index["right_knee"]].numpy()
    assert np.degrees(knee) == pytest.approx([90, 0, 0], abs=12)
    elbow = turns[SMPL.index["left_elbow"]].numpy()
    assert np.degrees(elbow) == pytest.approx([0, -100, 0], abs=6)


def test_z_up_is_turned_to_y_up(tmp_path, ordinary):
    text = renamed(reframed(lambda _: np.eye(3), world=turn_about_axis(np.pi / 2, 0)))
    pose = open_pose(write_bvh_text(tmp_path, text))
    assert degrees_apart(directions(pose), directions(ordinary)) < 0.1
    assert torch.allclose(pose.translation, ordinary.translation, atol=1e-4)


def test_a_rest_pose_turned_about_the_vertical_turns_trunk_and_limbs_together(tmp_path, ordinary):
    turn = turn_about_axis(np.radians(130), 1)
    pose = open_pose(write_bvh_text(tmp_path, renamed(reframed(lambda _: np.eye(3), world=turn))))
    expected = directions(ordinary) @ torch.from_numpy(turn).T
    assert degrees_apart(directions(pose), expected) < 0.1
    assert torch.allclose(pose.rotations[:, 1:], ordinary.rotations[:, 1:], atol=1e-3)


def test_hanging_arms_under_names_of_smpl_are_not_taken_for_its_t_pose(tmp_path):
    low = {
        part: (length * 0.6, -length * 0.8, 0) for part, length in (("elbow", 26), ("wrist", 24))
    }
    text = bvh_text([{}], joints=person(**low))
    pose = open_pose(write_bvh_text(tmp_path, text))
    found = directions(pose)[0]
    assert found[5].tolist() == pytest.approx([0.6, -0.8, 0], abs=1e-3)
    assert found[6].tolist() == pytest.approx([0.6, -0.8, 0], abs=1e-3)


def standing_along_z(position):
    return renamed(bvh_text([{"position": position, "pelvis": (0, 90, 0)}] * 3, joints=person()))


def test_a_world_that_is_z_up_is_noticed_from_the_motion_and_said(tmp_path):
    path = write_bvh_text(tmp_path, standing_along_z((30, -200, 92)))
    with pytest.warns(FileNote, match="rest pose stands along y, but the person along z: z is"):
        pose = open_pose(path)
    assert directions(pose)[0, 1].tolist() == pytest.approx([0, 1, 0], abs=0.05)
    assert pose.translation[0, 1].abs() < 0.1
    told = open_pose(path, up="y")
    assert directions(told)[0, 1].tolist() == pytest.approx([0, 0, 1], abs=0.05)


def test_a_person_who_lies_on_the_floor_is_kept_lying_and_it_is_said(tmp_path):
    path = write_bvh_text(tmp_path, standing_along_z((30, 10, 250)))
    with pytest.warns(FileNote, match="y is taken as up"):
        pose = open_pose(path)
    assert directions(pose)[0, 1].tolist() == pytest.approx([0, 0, 1], abs=0.05)
    assert directions(open_pose(path, up="z"))[0, 1, 1] > 0.99


def test_a_world_that_is_y_down_is_noticed(tmp_path):
    rows = [{"position": (0, -20, 300), "pelvis": (0, 180, 0)}]
    path = write_bvh_text(tmp_path, renamed(bvh_text(rows, joints=person())))
    with pytest.warns(FileNote, match="-y is taken as up"):
        pose = open_pose(path)
    assert directions(pose)[0, 1, 1] > 0.99


def test_an_axis_that_cannot_be_up_is_refused(tmp_path):
    path = write_bvh_text(tmp_path, standing_along_z((0, 0, 92)))
    with pytest.raises(ConfigError, match="'north'"):
        open_pose(path, up="north")


def test_left_and_right_exchanged_is_said(tmp_path):
    text = renamed(bvh_text([{}], joints=person()))
    swapped = text.replace("Left", "Reft").replace("Right", "Left").replace("Reft", "Right")
    with pytest.warns(FileNote, match="feet point backwards"):
        open_pose(write_bvh_text(tmp_path, swapped))


# --- what moves ------------------------------------------------------------------------------


def below_a_reference(rows, **kwargs):
    joints = [("Reference", None, (0, 0, 0), None)]
    joints += [(n, p or "Reference", offset, end) for n, p, offset, end in person()]
    return renamed_below(bvh_text(rows, joints=joints, moving=["pelvis"], **kwargs))


def renamed_below(text):
    return renamed(text.replace("ROOT Reference", "ROOT pelvis_pelvis", 1)).replace(
        "mixamorig:PelvisHips", "Reference"
    )


def middle_of_hips(pose):
    places = BODY.joints(pose.rotations, None, pose.translation)
    return places[:, SMPL.indices("left_hip", "right_hip")].mean(1)


def test_positions_of_the_hips_move_the_person_below_another_root(tmp_path):
    rows = [{"position": (0, 0, 0), "pelvis position": (0, 90 - 10 * i, 0)} for i in range(4)]
    hips = middle_of_hips(open_pose(write_bvh_text(tmp_path, below_a_reference(rows))))
    falls = hips[0, 1] - hips[:, 1]
    assert falls.numpy() / float(hips[0, 1]) == pytest.approx(np.arange(4) * 10 / 85, abs=1e-3)
    assert hips[:, [0, 2]].abs().max() < 1e-3


def test_the_way_to_the_hips_turns_with_the_root(tmp_path):
    rows = [
        {"position": (0, 0, 0), "pelvis position": (50, 90, 0), "Reference": (0, 0, 90 * i)}
        for i in range(2)
    ]
    pose = open_pose(write_bvh_text(tmp_path, below_a_reference(rows)))
    hips = middle_of_hips(pose)
    x, y, z = hips[0].tolist()
    assert hips[1].tolist() == pytest.approx([z, y, -x], abs=1e-4)
    assert pose.rotations[1, 0, :, 2].tolist() == pytest.approx([1, 0, 0], abs=0.1)


def test_positions_of_zero_on_every_joint_leave_the_offsets(tmp_path, ordinary):
    names = [name for name, *_ in person()][1:]
    zero = {f"{name} position": (0, 0, 0) for name in names}
    rows = [{**zero, "position": (0, 90, 0), **angles} for angles in ANGLES]
    path = write_bvh_text(tmp_path, renamed(bvh_text(rows, joints=person(), moving=names)))
    assert degrees_apart(directions(open_pose(path)), directions(ordinary)) < 0.01


def test_a_limb_whose_offset_moves_is_followed(tmp_path):
    row = {"left_elbow position": (0, 26, 0)}
    rows = [{}, row]
    text = renamed(bvh_text(rows, joints=person(), moving=["left_elbow"]))
    found = directions(open_pose(write_bvh_text(tmp_path, text)))
    assert found[0, 5].tolist() == pytest.approx([1, 0, 0], abs=1e-3)
    assert found[1, 5].tolist() == pytest.approx([0, 1, 0], abs=1e-3)


# --- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "brace on the line"),
        ("HIERARCHY", "\n\n hierarchy "),
        ("End Site", "EndSite"),
        ("End Site", "END SITE"),
        ("Frames: ", "Frames:"),
        ("Frame Time: ", "Frame Time :"),
        ("Frame Time: ", "FRAME  TIME:\t"),
        ("Xrotation", "XROTATION"),
        ("JOINT", "joint"),
        ("\n", "\r\n"),
        ("\n", "\n\n"),
        ("MOTION", "Motion  "),
        (".", ","),
    ],
)
def test_the_text_may_be_laid_out_as_other_readers_allow(tmp_path, old, new):
    text = bvh_text(ANGLES_OF_HUMANOID)
    expected = open_pose(write_bvh_text(tmp_path, text, "plain.bvh"))
    changed = text.replace(old, new) if old != "{" else put_braces_on_the_line(text)
    assert changed != text
    path = tmp_path / "changed.bvh"
    path.write_bytes(changed.encode())
    pose = open_pose(path)
    assert torch.equal(pose.rotations, expected.rotations)
    assert pose.fps == expected.fps


@pytest.mark.parametrize("byte_order", ["utf-16-le", "utf-16-be"])
def test_a_file_that_windows_wrote_as_utf_16_is_read(tmp_path, byte_order):
    text = bvh_text(ANGLES_OF_HUMANOID)
    expected = open_pose(write_bvh_text(tmp_path, text, "plain.bvh"))
    path = tmp_path / "wide.bvh"
    path.write_bytes(f"\ufeff{text}".encode(byte_order))
    check_file(path)
    assert torch.equal(open_pose(path).rotations, expected.rotations)


JAPANESE = {
    "left_hip": "左足", "left_knee": "左ひざ", "left_ankle": "左足首", "left_shoulder": "左腕",
    "left_elbow": "左ひじ", "left_wrist": "左手首",
}  # fmt: skip
JAPANESE |= {joint.replace("left", "right"): name.replace("左", "右")
             for joint, name in JAPANESE.items()}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_in_other_scripts_can_be_mapped(tmp_path, ordinary, encoding):
    text = reframed(lambda _: np.eye(3))
    for joint, name in JAPANESE.items():
        text = text.replace(f"JOINT {joint}\n", f"JOINT {name}\n")
    path = tmp_path / "miku.bvh"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(FileError, match="左ひざ"):
        open_pose(path)
    pose = open_pose(path, skeleton=JAPANESE)
    assert degrees_apart(directions(pose), directions(ordinary)) < 0.5


def test_joints_of_one_name_that_nobody_needs_are_told_apart(tmp_path, ordinary):
    text = renamed(reframed(lambda _: np.eye(3))).replace("LeftHandMiddle1", "Nub")
    pose = open_pose(write_bvh_text(tmp_path, text.replace("RightHandMiddle1", "Nub")))
    assert degrees_apart(directions(pose), directions(ordinary)) < 0.1


@pytest.mark.parametrize("unit", [0.01, 0.3937, 10])
def test_a_motion_in_metres_inches_or_millimetres_walks_as_far(tmp_path, unit):
    def walking(scale):
        joints = [(name, parent, tuple(scale * x for x in offset), end)
                  for name, parent, offset, end in person()]  # fmt: skip
        rows = [{"position": (0, 90 * scale, z * scale)} for z in (0, 100)]
        text = renamed(bvh_text(rows, joints=joints))
        return open_pose(write_bvh_text(tmp_path, text, f"{scale}.bvh")).translation

    assert torch.allclose(walking(unit), walking(1), atol=1e-4)
    assert float(walking(unit)[1, 2] - walking(unit)[0, 2]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "prefix", ["mixamorig1:", "mixamorig_", "mixamorig", "Armature|mixamorig:", "Character1_"]
)
def test_mixamo_s_prefix_may_be_written_as_other_programs_pass_it_on(tmp_path, ordinary, prefix):
    text = renamed(reframed(lambda _: np.eye(3))).replace("mixamorig:", prefix)
    assert torch.equal(open_pose(write_bvh_text(tmp_path, text)).rotations, ordinary.rotations)


def test_a_number_with_point_and_comma_is_refused(tmp_path):
    text = bvh_text(ANGLES_OF_HUMANOID).replace("0.0333333", "0,033.3")
    with pytest.raises(FileError, match=r"expected a number, found '0,033\.3'"):
        open_pose(write_bvh_text(tmp_path, text))


ANGLES_OF_HUMANOID = [{}, {"left_knee": (0, 30, 0), "chest": (5, 10, 20)}]


def put_braces_on_the_line(text):
    return re.sub(r"\n\t*{", " {", text)


# --- several ROOTs ---------------------------------------------------------------------------


def two_roots(first, second):
    """Return one motion of two trees, frame by frame beside each other."""
    (tree, rows), (other, other_rows) = (text.split("MOTION\n") for text in (first, second))
    frames, seconds, *rows = rows.splitlines()
    rows = [f"{row} {more}" for row, more in zip(rows, other_rows.splitlines()[2:], strict=True)]
    tree += other.removeprefix("HIERARCHY\n")
    return "\n".join([f"{tree}MOTION", frames, seconds, *rows, ""])


def test_a_prop_with_a_root_of_its_own_is_left_out_and_named(tmp_path):
    text = bvh_text(ANGLES_OF_HUMANOID)
    expected = open_pose(write_bvh_text(tmp_path, text, "plain.bvh"))
    prop = bvh_text([{}, {}], joints=[("Sword", None, (0, 0, 0), (0, 0, 40))])
    for name, both in (("after", two_roots(text, prop)), ("before", two_roots(prop, text))):
        path = write_bvh_text(tmp_path, both, f"{name}.bvh")
        with pytest.warns(FileNote, match=r"2 ROOTs .*Sword.*; this is root, --person ROOT"):
            pose = open_pose(path)
        assert torch.equal(pose.rotations, expected.rotations)
        assert torch.equal(pose.translation, expected.translation)


@pytest.mark.parametrize("second", ["dancer", "root"])
def test_of_two_people_the_one_who_is_named_is_read(tmp_path, second):
    moves = [{"right_knee": (0, 50, 0)}, {"right_elbow": (0, -30, 0)}]
    first, other = bvh_text(ANGLES_OF_HUMANOID), bvh_text(moves)
    path = write_bvh_text(tmp_path, two_roots(first, other.replace("ROOT root", f"ROOT {second}")))
    expected = open_pose(write_bvh_text(tmp_path, other, "plain.bvh"))
    person = "root 2" if second == "root" else second
    assert torch.equal(open_pose(path, person=person).rotations, expected.rotations)
    with pytest.raises(FileError, match=rf"no ROOT 'Bob'.*There are root, {person}"):
        open_pose(path, person="Bob")


# --- the user's own map ----------------------------------------------------------------------


def test_joints_without_meaning_are_listed_and_read_with_a_map(tmp_path, ordinary):
    text = renamed(bvh_text([{"position": (0, 90, 0), **a} for a in ANGLES], joints=person()))
    text = text.replace("LeftLeg", "bone 7").replace("RightLeg", "bone 8")
    path = write_bvh_text(tmp_path, text)
    with pytest.raises(
        FileError, match=r"'left_knee', 'right_knee'.*LeftUpLeg, bone 7.*--skeleton"
    ):
        open_pose(path)
    told = {"left_knee": "bone 7", "right_knee": "mixamorig:bone 8"}
    file = tmp_path / "map.json"
    file.write_text(json.dumps(told), encoding="utf-8-sig")
    for skeleton in (told, file):
        pose = open_pose(path, skeleton=skeleton)
        assert degrees_apart(directions(pose), directions(ordinary)) < 0.01


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"kneecap": "Hips"}, "no joint of SMPL"),
        ({"left_knee": "Patella"}, "'Patella', which the file does not have; its joints are Hips"),
    ],
)
def test_a_map_that_does_not_fit_is_named(tmp_path, told, match):
    path = write_bvh_text(tmp_path, renamed(bvh_text([{}], joints=person())))
    with pytest.raises(FileError, match=match):
        open_pose(path, skeleton=told)


@pytest.mark.parametrize("content", ["[]", "{", '{"left_knee": 3}', "\xff"])
def test_a_map_that_is_none_is_refused_by_name(tmp_path, content):
    path = write_bvh_text(tmp_path, renamed(bvh_text([{}], joints=person())))
    (tmp_path / "map.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(FileError, match=r"map\.json"):
        open_pose(path, skeleton=tmp_path / "map.json")


def test_a_skeleton_without_a_head_says_so(tmp_path):
    joints = [joint for joint in person() if joint[0] not in ("neck", "head")]
    path = write_bvh_text(tmp_path, renamed(bvh_text([{}], joints=joints)))
    with pytest.warns(FileNote, match="no joint found for the head"):
        pose = open_pose(path)
    assert torch.allclose(pose.rotations[0, SMPL.index["head"]], torch.eye(3), atol=1e-5)


def test_fillers_at_the_ends_of_feet_and_hands_are_no_directions(tmp_path):
    ends = {"ankle": (0, 5, 0), "wrist": (0, 5, 0)}
    joints = [
        (name, parent, offset, ends.get(name.rpartition("_")[2]))
        for name, parent, offset, _ in person()
        if not name.endswith(("foot", "hand"))
    ]
    pose = open_pose(write_bvh_text(tmp_path, renamed(bvh_text([{}], joints=joints))))
    for joint in ("left_ankle", "right_ankle", "left_wrist", "right_wrist"):
        turn = pose.axis_angle[0, SMPL.index[joint]]
        assert turn.norm() < np.radians(15)


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_end_sites_toes_and_the_middle_of_the_fingers_count(tmp_path, order):
    """BVHs made from keypoints end a foot in toes and heel, a hand in thumb and little finger."""

    def read(ends):
        joints = [
            (name, parent, offset, ends.get(name.rpartition("_")[2]))
            for name, parent, offset, _ in person()
            if not name.endswith(("foot", "hand"))
        ]
        return open_pose(write_bvh_text(tmp_path, renamed(bvh_text([{}], joints=joints))))

    several = {
        "ankle": [(0, -5, 12), (0, -4, -6)][::order],
        "wrist": [(8, -4, 5), (8, -4, -5)][::order],
    }
    one = {"ankle": (0, -5, 12), "wrist": (8, -4, 0)}
    assert torch.allclose(read(several).rotations, read(one).rotations, atol=1e-6)
