"""Keypoint sets and batches of keypoints: names, bones, mirrors, and maps between sets."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unipose.body.keypoint_sets import (
    COCO_17,
    COCO_WHOLEBODY_133,
    HALPE_26,
    HUMAN36M_17,
    KEYPOINT_SETS,
    OPENPOSE_25,
    KeypointSet,
    keypoint_set,
    keypoint_set_of,
)
from unipose.body.keypoints import Keypoints
from unipose.errors import PoseError, SkeletonError

SIZES = {
    "coco-17": 17, "coco-wholebody-133": 133, "h3wb-133": 133, "crowdpose-14": 14,
    "openpose-18": 18, "openpose-25": 25, "openpose-67": 67, "openpose-137": 137, "halpe-26": 26,
    "halpe-136": 136, "mpii-16": 16, "human36m-16": 16, "human36m-17": 17,
    "mpi-inf-3dhp-17": 17, "mpi-inf-3dhp-28": 28, "blazepose-33": 33, "smpl-22": 22, "smpl-24": 24,
}  # fmt: skip
EVERY = pytest.mark.parametrize("one", KEYPOINT_SETS.values(), ids=lambda one: one.name)


def keypoints_of(one: KeypointSet, *, axes: int = 2, seed: int = 0) -> Keypoints:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(3, len(one), axes, generator=generator) * 100
    return Keypoints.of(one, points, torch.rand(3, len(one), generator=generator) + 0.1)


def test_every_set_has_the_published_number_of_keypoints():
    assert {name: len(one) for name, one in KEYPOINT_SETS.items()} == SIZES


@EVERY
def test_a_mirror_is_its_own_inverse_and_keeps_bones(one: KeypointSet):
    mirror = one.mirror
    assert [mirror[i] for i in mirror] == list(range(len(one)))
    bones = {frozenset(edge) for edge in one.edges}
    assert {frozenset((mirror[a], mirror[b])) for a, b in one.edges} == bones


@EVERY
def test_bones_hang_together_and_reach_every_keypoint(one: KeypointSet):
    if "face-0" in one.names:  # the parts of a face are drawn apart
        body = [i for i, n in enumerate(one.names) if not n.startswith("face") and "pupil" not in n]
    elif one.name == "blazepose-33":
        body = [i for i, n in enumerate(one.names) if "shoulder" in n or "ankle" in n]
    else:
        body = list(range(len(one)))
    reached, edges = {body[0]}, one.edges
    for _ in range(len(one)):
        reached |= {b for a, b in edges if a in reached} | {a for a, b in edges if b in reached}
    assert set(body) <= reached


def test_faces_are_mirrored_as_ibug_numbers_them():
    mirror = {name: COCO_WHOLEBODY_133.names[i] for name, i in
              zip(COCO_WHOLEBODY_133.names, COCO_WHOLEBODY_133.mirror, strict=True)}  # fmt: skip
    wanted = {"face-0": "face-16", "face-8": "face-8", "face-17": "face-26", "face-36": "face-45",
              "face-40": "face-47", "face-48": "face-54", "face-57": "face-57",
              "face-60": "face-64", "face-65": "face-67", "face-30": "face-30"}  # fmt: skip
    assert {name: mirror[name] for name in wanted} == wanted


def test_sigmas_of_body_feet_face_and_hands_are_in_their_places():
    sigmas = dict(zip(COCO_WHOLEBODY_133.names, COCO_WHOLEBODY_133.sigmas, strict=True))
    assert sigmas["left_hip"] == 0.107
    assert sigmas["left_heel"] == 0.066
    assert sigmas["face-47"] == 0.034
    assert sigmas["right_thumb4"] == 0.047


@EVERY
@pytest.mark.parametrize("other", KEYPOINT_SETS.values(), ids=lambda one: one.name)
def test_there_and_back_keeps_what_both_sets_have(one: KeypointSet, other: KeypointSet):
    before = keypoints_of(one)
    after = before.mapped_to(other).mapped_to(one)
    both = [i for i, name in enumerate(one.names) if name in other.index]
    assert torch.equal(after.points[:, both], before.points[:, both])
    assert torch.equal(after.scores[:, both], before.scores[:, both])
    assert after.present[:, both].all()


def test_a_pelvis_is_made_between_the_hips():
    before = keypoints_of(COCO_17)
    after = before.mapped_to(HUMAN36M_17)
    left, right, pelvis = *COCO_17.indices("left_hip", "right_hip"), HUMAN36M_17.index["pelvis"]
    expected = (before.points[:, left] + before.points[:, right]) / 2
    torch.testing.assert_close(after.points[:, pelvis], expected)
    assert torch.equal(
        after.scores[:, pelvis], torch.minimum(before.scores[:, left], before.scores[:, right])
    )
    assert not after.present[:, HUMAN36M_17.index["back"]].any()


def test_a_midpoint_needs_both_ends():
    points = torch.rand(1, 17, 2)
    points[0, COCO_17.index["left_hip"]] = torch.nan
    after = Keypoints.of(COCO_17, points).mapped_to(OPENPOSE_25)
    assert not after.present[0, OPENPOSE_25.index["pelvis"]]
    assert after.present[0, OPENPOSE_25.index["neck"]]
    assert after.points.isfinite().all()


@given(seed=st.integers(0, 99))
def test_mirrored_twice_is_the_same_picture(seed: int):
    before = keypoints_of(HALPE_26, seed=seed)
    after = before.mirrored(width_px=640).mirrored(width_px=640)
    torch.testing.assert_close(after.points, before.points, atol=1e-3, rtol=0)
    assert torch.equal(after.scores, before.scores)


def test_what_is_missing_is_marked_and_never_nan():
    points = torch.full((2, 17, 3), torch.nan)
    points[0, 3] = 1.0
    found = Keypoints.of(COCO_17, points)
    assert found.present.sum() == 1
    assert found.points.isfinite().all()
    assert found.scores[1].sum() == 0


def test_a_landmark_is_asked_for_by_name():
    points = torch.zeros(2, 17, 2)
    points[0, COCO_17.index["left_eye"]] = torch.tensor([1.0, 2.0])
    points[1, COCO_17.index["left_eye"]] = torch.nan
    found = Keypoints.of(COCO_17, points).point("left_eye")
    assert found[0].tolist() == [1, 2]
    assert found[1].isnan().all()
    with pytest.raises(SkeletonError, match="no keypoint 'tail'"):
        Keypoints.of(COCO_17, points).point("tail")


def test_a_landmark_that_is_missing_is_made_of_others_too():
    points = keypoints_of(OPENPOSE_25).points
    points[1, OPENPOSE_25.index["pelvis"]] = torch.nan
    after = Keypoints.of(OPENPOSE_25, points).mapped_to(HUMAN36M_17)
    hips = points[1, OPENPOSE_25.indices("left_hip", "right_hip")].mean(0)
    assert torch.equal(after.point("pelvis")[0], points[0, OPENPOSE_25.index["pelvis"]])
    torch.testing.assert_close(after.point("pelvis")[1], hips)


def test_a_set_is_found_by_its_names():
    assert keypoint_set_of(list(HUMAN36M_17.names)) is HUMAN36M_17
    assert keypoint_set_of(HUMAN36M_17.names[::-1]).bones == ()


def test_what_does_not_fit_is_refused():
    with pytest.raises(PoseError, match=r"\(batch, 17, 2 or 3\)"):
        Keypoints.of(COCO_17, torch.zeros(2, 16, 2))
    with pytest.raises(PoseError, match="NaN"):
        Keypoints(
            keypoint_set=COCO_17, points=torch.full((2, 17, 2), torch.nan),
            scores=torch.zeros(2, 17), present=torch.ones(2, 17, dtype=torch.bool),
        )  # fmt: skip
    with pytest.raises(SkeletonError, match=r"no keypoint set 'coco'.*coco-17"):
        keypoint_set("coco")
    with pytest.raises(SkeletonError, match="left_tail"):
        COCO_17.indices("left_tail")


def test_parts_of_one_set_become_rows_in_their_order():
    parts = [Keypoints.of(COCO_17, torch.full((n, 17, 2), float(n))) for n in (2, 1)]
    assert Keypoints.stacked(parts).points[:, 0, 0].tolist() == [2.0, 2.0, 1.0]
    with pytest.raises(PoseError, match=r"of one set, got coco-17, human36m-17"):
        Keypoints.stacked([parts[0], Keypoints.of(HUMAN36M_17, torch.zeros(1, 17, 2))])
    with pytest.raises(PoseError, match="got none"):
        Keypoints.stacked([])
