"""A changed pose goes back onto the skeleton it came from, and nothing else of its file changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from tests.fakes.recordings import MAKERS, recording, write_recording
from unipose.app.examples import example_pose
from unipose.body.body import load_body
from unipose.body.skeletons import SMPL
from unipose.errors import FileError, FileNote, SkeletonError
from unipose.files import open_pose, save_pose
from unipose.files.bvh import read_bvh
from unipose.files.bvh_text import BvhText
from unipose.files.edited_bvh import write_edited_bvh
from unipose.files.number_style import number_style
from unipose.files.retarget import retarget
from unipose.files.retarget_back import eased, source_change, turned_motion
from unipose.files.source_bones import find_bones
from unipose.files.standing_feet import follow_feet

BODY = load_body()
FRAME = 4
ARM = {"left_shoulder": (10, 20, 80), "left_elbow": (0, -50, 0), "head": (0, 30, 0)}
CROUCH = {
    f"{side}_{part}": (x, 0, 0)
    for side in ("left", "right")
    for part, x in (("hip", -40), ("knee", 70), ("ankle", -30))
}


class ReadRecording:
    """A file, what is read from it, and the change of one of its frames."""

    def __init__(self, path, frame=FRAME):
        self.path, self.frame = path, frame
        self.motion = read_bvh(path)
        self.bones = find_bones(self.motion)
        self.pose = retarget(self.motion, frames=np.array([frame]), bones=self.bones)

    def edited(self, turns):
        """Return the pose with local rotations turned by degrees about x, y, z."""
        rotations = self.pose.rotations.clone()
        for joint, degrees in turns.items():
            turn = roma.rotvec_to_rotmat(torch.tensor(degrees).float().deg2rad())
            rotations[0, SMPL.index[joint]] = rotations[0, SMPL.index[joint]] @ turn
        return replace(self.pose, rotations=rotations)

    def write(self, turns, *, blend=0, name="out.bvh"):
        """Write the file with this change; return it as it is read again, and what was done."""
        change = source_change(self.motion, self.bones, self.frame, self.pose, self.edited(turns))
        weights = eased(self.frame, blend, len(self.motion))
        turned = turned_motion(self.motion, change, weights)
        after, root = follow_feet(self.motion, turned, self.bones, weights)
        out = write_edited_bvh(self.path, self.path.with_name(name), self.motion, after)
        return ReadRecording(out, self.frame), change, root

    def places(self):
        joints = [*range(len(self.motion.joints))]
        found = self.motion.joint_positions(np.array([self.frame]), joints)
        return {joint.name: found[i][0] for i, joint in enumerate(self.motion.joints)}


def rows_that_differ(first, second):
    one, other = first.read_bytes().split(b"\n"), second.read_bytes().split(b"\n")
    assert len(one) == len(other)
    start = next(i for i, row in enumerate(one) if row.startswith(b"Frame Time")) + 1
    return [i - start for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]


def degrees_between(first, second):
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@pytest.mark.slow
@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_a_pose_that_stays_gives_the_same_bytes(tmp_path, maker):
    its = ReadRecording(write_recording(tmp_path, maker))
    again, change, root = its.write({}, blend=2)
    assert change.turns == {}
    assert again.path.read_bytes() == recording(maker)
    assert str(root) == "stays: the feet have not moved"


@pytest.mark.slow
@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_only_the_joints_that_turn_change_and_only_in_their_frame(tmp_path, maker):
    its = ReadRecording(write_recording(tmp_path, maker))
    again, change, _ = its.write(ARM)
    assert rows_that_differ(its.path, again.path) == [FRAME]
    names = {its.motion.joints[i].name for i in change.turns}
    moved = np.flatnonzero((its.motion.tracks != again.motion.tracks).any(0))
    of_joint = {column: j.name for j in its.motion.joints for column, _ in j.turns}
    assert {of_joint[int(column)] for column in moved} == names
    assert len(names) == 3
    text = BvhText.read(again.path)
    lengths = {text.word(FRAME, int(column)).count("e") for column in moved}
    assert lengths == ({1} if maker == "HDM05" else {0})


@pytest.mark.slow
@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_bones_of_the_file_turn_in_the_world_as_those_of_the_pose(tmp_path, maker):
    its = ReadRecording(write_recording(tmp_path, maker))
    again, _, _ = its.write(ARM)
    old, new = its.places(), again.places()
    names = {joint: its.motion.joints[i].name for joint, i in its.bones.places.items()}
    worlds = []
    for pose in (its.pose, its.edited(ARM)):
        turn, turns = pose.rotations[0].double(), {}
        for k, above in enumerate(SMPL.parents):
            turns[k] = turn[k] if above < 0 else turns[above] @ turn[k]
        worlds.append(turns)
    for joint, end in (
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow"), ("left_knee", "left_ankle"),
    ):  # fmt: skip
        k, start, stop = SMPL.index[joint], names[joint], names[end]
        expected = (worlds[1][k] @ worlds[0][k].T).numpy() @ (old[stop] - old[start])
        assert degrees_between(new[stop] - new[start], expected) < 0.02
    for name, place in old.items():
        if not name.lower().startswith(("left", "l")) and "ead" not in name:
            assert new[name] == pytest.approx(place, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_the_written_file_is_read_as_the_edited_pose(tmp_path, maker):
    its = ReadRecording(write_recording(tmp_path, maker))
    again, _, _ = its.write(ARM)
    first, second = (BODY.joints(p.rotations)[0] for p in (again.pose, its.edited(ARM)))
    assert 1000 * float((first - second).norm(dim=-1).max()) < 2
    assert open_pose(again.path).rotations.shape == (9, 24, 3, 3)


@pytest.mark.slow
def test_a_recording_on_smpls_own_skeleton_is_read_back_exactly(tmp_path):
    save_pose(example_pose("squat"), tmp_path / "squat.bvh")
    its = ReadRecording(tmp_path / "squat.bvh", 0)
    turns = ARM | {"spine2": (15, 10, 0), "left_collar": (0, 0, 12), "pelvis": (0, 90, 0)}
    again, _, _ = its.write(turns)
    off = roma.rotmat_geodesic_distance(again.pose.rotations, its.edited(turns).rotations)
    assert float(torch.rad2deg(off).max()) < 0.05


@pytest.mark.slow
def test_a_spine_with_fewer_joints_takes_over_what_smpls_turn_together(tmp_path):
    path = write_recording(tmp_path, "Mixamo")
    its = ReadRecording(path)
    match = its.bones.turns
    fewer = {joint: turns for joint, turns in match.items() if joint not in ("spine1", "spine2")}
    bones = replace(its.bones, turns=fewer)
    edited = its.edited({"spine1": (20, 0, 0), "spine2": (15, 0, 0)})
    change = source_change(its.motion, bones, FRAME, its.pose, edited)
    assert change.degrees(its.motion) == {"Spine2": pytest.approx(35, abs=1.5)}
    assert change.lost == ()


def test_what_the_skeleton_has_no_joint_for_is_named(tmp_path):
    its = ReadRecording(write_recording(tmp_path, "Mixamo"))
    bones = replace(its.bones, turns={j: t for j, t in its.bones.turns.items() if j != "head"})
    change = source_change(its.motion, bones, FRAME, its.pose, its.edited({"head": (0, 30, 0)}))
    assert (change.turns, change.lost) == ({}, ("head",))


@pytest.mark.slow
def test_a_joint_without_rotation_channels_that_would_have_to_turn_is_refused(tmp_path):
    path = write_recording(tmp_path, "Mixamo")
    text = path.read_text()
    arm = text.index("JOINT mixamorig:LeftForeArm")
    head, tail = text[:arm], text[arm:]
    tail = tail.replace("CHANNELS 3 Xrotation Yrotation Zrotation", "CHANNELS 0", 1)
    body, rows = (head + tail).split("Frame Time: 0.0333333\n")
    joints = [line.split()[1] for line in body.splitlines() if line.split()[0] in ("ROOT", "JOINT")]
    at = 3 + 3 * joints.index("mixamorig:LeftForeArm")
    rows = "\n".join(
        " ".join(row.split()[:at] + row.split()[at + 3 :]) for row in rows.splitlines()
    )
    path.write_text(f"{body}Frame Time: 0.0333333\n{rows}\n")
    its = ReadRecording(path)
    with pytest.raises(SkeletonError, match=r"'LeftForeArm' would have to turn by 50 degrees.*no"):
        its.write(ARM)
    _, change, _ = its.write({"left_shoulder": (0, 0, 40)})
    assert [*change.degrees(its.motion)] == ["LeftArm"]


@pytest.mark.slow
def test_a_knee_with_one_axis_bends_as_far_as_it_can_and_the_rest_is_said(tmp_path):
    its = ReadRecording(write_recording(tmp_path, "HDM05"))
    again, _, _ = its.write({"left_knee": (40, 0, 0)})
    bent = its.motion.tracks[FRAME] != again.motion.tracks[FRAME]
    (column,) = np.flatnonzero(bent[3:]) + 3
    more = np.degrees(again.motion.tracks[FRAME, column] - its.motion.tracks[FRAME, column])
    assert more == pytest.approx(40, abs=0.1)
    with pytest.warns(FileNote, match="'ltibia' turns about 1 of 3 axes only and stays 2"):
        its.write({"left_knee": (0, 25, 0)})


@pytest.mark.slow
def test_frames_around_ease_in_and_out_without_jumps(tmp_path):
    path = write_recording(tmp_path, "MotionBuilder", frames=15)
    its = ReadRecording(path, 7)
    again, change, _ = its.write(ARM, blend=3)
    assert rows_that_differ(path, again.path) == [4, 5, 6, 7, 8, 9, 10]
    (shoulder,) = (i for i in change.turns if its.motion.joints[i].name == "LeftArm")
    old, new = (_locals(motion, shoulder) for motion in (its.motion, again.motion))
    off = torch.rad2deg(roma.rotmat_geodesic_distance(old, new)).numpy()
    full = change.degrees(its.motion)["LeftArm"]
    parts = [0, 0, 0, 0, 0.1464, 0.5, 0.8536, 1, 0.8536, 0.5, 0.1464, 0, 0, 0, 0]
    assert off / full == pytest.approx(parts, abs=1e-3)
    columns = [column for column, _ in its.motion.joints[shoulder].turns]
    added = np.degrees(again.motion.tracks[:, columns] - its.motion.tracks[:, columns])
    assert np.abs(np.diff(added, axis=0)).max() < 60


def _locals(motion, joint):
    frames = np.arange(len(motion))
    turns = motion.global_rotations(frames, [joint])
    above = turns[motion.joints[joint].parent]
    return torch.from_numpy(above.swapaxes(1, 2) @ turns[joint])


def test_weights_of_frames_end_with_the_recording():
    assert eased(0, 2, 2) == [(0, 1.0), (1, 0.75)]
    assert eased(5, 0, 9) == [(5, 1.0)]


@pytest.mark.slow
def test_feet_that_stood_still_keep_standing_when_knees_bend(tmp_path):
    its = ReadRecording(write_recording(tmp_path, "Mixamo", frames=20), 16)
    again, _, root = its.write(CROUCH, blend=1)
    assert root.feet == ("left",)
    assert root.slid_cm < 1e-3
    assert root.moved_cm > 5
    old, new = its.places(), again.places()
    stood, stands = (places["LeftFoot"] + places["LeftToeBase"] for places in (old, new))
    assert stands / 2 == pytest.approx(stood / 2, abs=1e-5)
    assert new["Hips"][1] < old["Hips"][1] - 0.05
    assert rows_that_differ(its.path, again.path) == [15, 16, 17]


@pytest.mark.slow
def test_the_root_stays_where_the_foot_that_stood_is_the_one_that_is_lifted(tmp_path):
    its = ReadRecording(write_recording(tmp_path, "Mixamo", frames=20), 16)
    again, _, root = its.write({"left_hip": (-80, 0, 0)})
    assert str(root) == "stays: the left foot that stood is lifted"
    assert again.places()["Hips"] == pytest.approx(its.places()["Hips"], abs=1e-9)


@pytest.mark.slow
def test_a_foot_that_stood_and_is_not_lifted_holds_the_root(tmp_path):
    its = ReadRecording(write_recording(tmp_path, "Mixamo", frames=20), 16)
    _, _, root = its.write({"right_hip": (-50, 0, 0)})
    assert str(root) == "stays: the left foot stood still and did not move"


@pytest.mark.slow
def test_feet_that_go_alike_both_keep_standing(tmp_path):
    save_pose(example_pose("stand"), tmp_path / "stand.bvh")
    _, _, root = ReadRecording(tmp_path / "stand.bvh", 0).write(CROUCH)
    assert root.feet == ("left", "right")
    assert str(root).startswith("moves ")


# --- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "number", "written"),
    [
        (["1.50", "-0.25"], 2.0, "2.00"),
        (["1.5", "-0.25", "3"], 1 / 3, "0.33"),
        (["1.5", "-0.25", "3"], 2.0, "2"),
        (["0", "90", "-3"], 1 / 3, "0.333333"),
        (["1.23457", "-0.0123457", "12.3457", "2"], 200 / 3, "66.6667"),
        (["1.500000e+01", "0.000000e+00"], -12.5, "-1.250000e+01"),
        (["1.5000E+01", "0.0000E+00"], -12.5, "-1.2500E+01"),
        (["1,50", "-0,25"], 1.239, "1,24"),
        (["+1.50", "-0.25"], 1.239, "+1.24"),
        (["1.50", "-0.25"], -1e-9, "0.00"),
        ([".5", "-.25"], 0.123, "0.12"),
    ],
)
def test_numbers_are_written_in_the_format_of_the_others(words, number, written):
    assert number_style(words).write(number) == written


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_that_windows_wrote_stays_as_wide_as_it_was(tmp_path, encoding):
    path = tmp_path / "wide.bvh"
    path.write_bytes(("\ufeff" + recording("Mixamo").decode()).encode(encoding))
    its = ReadRecording(path)
    assert its.write({})[0].path.read_bytes() == path.read_bytes()
    again, _, _ = its.write(ARM)
    plain = ReadRecording(write_recording(tmp_path, "Mixamo")).write(ARM, name="plain-out.bvh")[0]
    assert again.path.read_bytes().decode("utf-16").encode() == plain.path.read_bytes()


@pytest.mark.slow
def test_decimal_commas_stay_commas(tmp_path):
    path = tmp_path / "comma.bvh"
    path.write_bytes(recording("Mixamo").replace(b".", b","))
    again, _, _ = ReadRecording(path).write(ARM)
    plain = ReadRecording(write_recording(tmp_path, "Mixamo")).write(ARM, name="plain-out.bvh")[0]
    assert again.path.read_bytes().replace(b",", b".") == plain.path.read_bytes()


@pytest.mark.slow
def test_of_two_people_only_the_one_who_was_read_changes(tmp_path):
    tree, rows = recording("Mixamo").decode().split("MOTION\n")
    head, rows = rows.split("0.0333333\n")
    twice = "\n".join(f"{row} {row}" for row in rows.splitlines())
    path = tmp_path / "two.bvh"
    path.write_text(f"{tree}{tree.removeprefix('HIERARCHY')}MOTION\n{head}0.0333333\n{twice}\n")
    with pytest.warns(FileNote, match="2 ROOTs"):
        its = ReadRecording(path)
    second = read_bvh(path, person="Hips 2")
    its.motion, its.bones = second, find_bones(second)
    change = source_change(second, its.bones, FRAME, its.pose, its.edited(ARM))
    after = turned_motion(second, change, eased(FRAME, 0, len(second)))
    out = write_edited_bvh(path, tmp_path / "out.bvh", second, after)
    width = second.tracks.shape[1] // 2
    assert (read_bvh(out, person="Hips").tracks[:, :width] == second.tracks[:, :width]).all()
    assert (read_bvh(out, person="Hips 2").tracks[FRAME] != second.tracks[FRAME])[width:].any()


def test_a_file_that_is_no_bvh_is_named(tmp_path):
    (tmp_path / "no.bvh").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match="no BVH motion: expected HIERARCHY"):
        BvhText.read(tmp_path / "no.bvh")
