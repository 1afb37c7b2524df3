"""The labels of a picture agree with each other and with the body that was drawn."""

from __future__ import annotations

import numpy as np
import torch

from data_builders.studio.labels import HIDDEN, OUTSIDE, SEEN
from unipose.body.body import load_body
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL


def everybody(images):
    return [(image, person) for image in images for person in image.people]


def test_people_are_many_and_seen(images):
    people = everybody(images)
    assert len(people) > len(images)
    assert sum(person.seen_px for _, person in people) > 0.05 * sum(i.depth.size for i in images)
    assert {image.pixels.shape for image in images} == {(96, 112, 3)}
    assert all(image.pixels.std() > 5 for image in images)


def test_the_pose_is_the_one_that_was_drawn(images):
    body = load_body()
    for _, person in everybody(images)[:6]:
        mesh = body.mesh(person.pose)
        np.testing.assert_allclose(mesh.joints[0].numpy(), person.joints, atol=2e-5)
        assert abs(float(mesh.vertices[0, :, 1].min())) < 1e-4  # stands on the floor


def test_projected_keypoints_are_where_the_camera_projects_them(images):
    for image, person in everybody(images):
        height, width = image.depth.shape
        for points, px in (
            (person.joints, person.joints_px),
            (person.whole_body, person.whole_body_px),
        ):
            again = image.camera.project(torch.from_numpy(points), height_px=height, width_px=width)
            np.testing.assert_allclose(again.numpy(), px, rtol=1e-9)


def test_seen_keypoints_lie_in_their_persons_mask_and_at_its_depth(images):
    seen = 0
    for image, person in everybody(images):
        height = image.depth.shape[0]
        for px, depth, verdict in (
            (person.joints_px, person.joints_depth, person.joints_seen),
            (person.whole_body_px, person.whole_body_depth, person.whole_body_seen),
        ):
            for (x, y), z in zip(px[verdict == SEEN], depth[verdict == SEEN]):
                rows = slice(max(int(y) - 1, 0), int(y) + 2)
                columns = slice(max(int(x) - 1, 0), int(x) + 2)
                own = image.instances[rows, columns] == person.number + 1
                assert own.any()
                step = z / (image.camera.focal * height)
                assert (z - image.depth[rows, columns][own] < 0.18 + step).any()
                seen += 1
    assert seen > 500


def test_keypoints_outside_are_outside_and_hidden_ones_inside(images):
    for image, person in everybody(images):
        height, width = image.depth.shape
        px, verdict = person.whole_body_px, person.whole_body_seen
        inside = (px >= 0).all(1) & (px[:, 0] < width) & (px[:, 1] < height)
        assert np.array_equal(verdict != OUTSIDE, inside & (person.whole_body_depth > 0))
        if person.seen_px == 0:
            assert not (person.joints_seen == SEEN).any()


def test_something_is_hidden_and_something_is_outside(images):
    verdicts = np.concatenate([person.whole_body_seen for _, person in everybody(images)])
    assert {HIDDEN, OUTSIDE, SEEN} <= set(verdicts.tolist())


def test_masks_boxes_and_depth_agree(images):
    for image in images:
        assert np.array_equal(image.instances > 0, image.parts > 0)
        assert image.parts.max() <= len(REGIONS)
        assert np.isfinite(image.depth[image.instances > 0]).all()
        for person in image.people:
            mask = image.instances == person.number + 1
            assert mask.sum() == person.seen_px
            assert ((image.covered >> person.number & 1) >= mask).all()
            assert 0 <= person.seen_share <= 1
            if person.box is not None:
                left, top, right, bottom = (int(side) for side in person.box)
                assert mask[top:bottom, left:right].sum() == mask.sum()
                assert mask[top].any()
                assert mask[:, right - 1].any()


def test_part_masks_are_near_their_joints(images):
    """Pixels of a hand lie near the projected wrist, in metres at the wrist's depth."""
    checked = 0
    for image, person in everybody(images):
        for side in ("left", "right"):
            wrist = SMPL.index[f"{side}_hand"]
            part = REGIONS.index(f"{side} hand") + 1
            mask = (image.parts == part) & (image.instances == person.number + 1)
            if not mask.any() or not person.joints_depth[wrist] > 0.3:
                continue
            rows, columns = np.nonzero(mask)
            metre = person.joints_depth[wrist] / (image.camera.focal * mask.shape[0])
            away = np.hypot(
                columns + 0.5 - person.joints_px[wrist, 0], rows + 0.5 - person.joints_px[wrist, 1]
            )
            assert away.max() * metre < 0.3
            checked += 1
    assert checked > 5


def test_the_roots_rotation_is_given_in_both_frames(images):
    for image, person in everybody(images):
        expected = image.camera.camera_from_world.numpy() @ person.rotations[0]
        np.testing.assert_allclose(person.root_in_camera, expected, atol=1e-12)


def test_phrases_fit_one_person_only(images):
    for image in images:
        phrases = [phrase for person in image.people for phrase in person.phrases]
        assert len(phrases) == len(set(phrases))


def test_somebody_stands_on_the_ground(images):
    grounded = [
        any(c.other_part == "ground" for c in person.contacts) for _, person in everybody(images)
    ]
    assert all(grounded)
