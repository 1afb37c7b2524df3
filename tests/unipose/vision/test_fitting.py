"""A body is fitted to what keypoint networks saw: the places agree, and conventions hold."""

import roma
import torch

from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.vision.body_landmarks import COCO, HIPS, LANDMARKS, LandmarkedBody
from unipose.vision.crops import project
from unipose.vision.fitting import FittingConfig, fit
from unipose.vision.landmark_lifter import CropLandmarks, LifterErrors
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes

BODY = LandmarkedBody(load_body())


def made_up_people(count: int, seed: int = 0, turn: float = 0.3) -> RecoveredMeshes:
    """Return people who face the camera in drawn poses."""
    generator = torch.Generator().manual_seed(seed)
    rotations = roma.rotvec_to_rotmat(turn * torch.randn(count, 24, 3, generator=generator))
    rotations[:, 0] = LEVEL @ rotations[:, 0]
    camera = torch.tensor([1.0, 0.05, 0.1]).repeat(count, 1)
    betas = 0.5 * torch.randn(count, 10, generator=generator)
    return RecoveredMeshes(rotations=rotations, betas=betas, camera=camera)


def seen_exactly(people: RecoveredMeshes) -> CropLandmarks:
    """Return where the landmarks of people are, as networks that never err would say."""
    _, landmarks = BODY(people.rotations, people.betas)
    world = landmarks[:, COCO:] - landmarks[:, HIPS].mean(dim=1, keepdim=True)
    return CropLandmarks(
        points=project(landmarks, people.camera),
        scores=torch.ones(len(people), LANDMARKS),
        world=world,
    )


def turned_a_little(people: RecoveredMeshes, radians: float, seed: int = 1) -> RecoveredMeshes:
    generator = torch.Generator().manual_seed(seed)
    some = roma.rotvec_to_rotmat(radians * torch.randn(len(people), 24, 3, generator=generator))
    return RecoveredMeshes(
        rotations=people.rotations @ some, betas=people.betas, camera=people.camera * 1.05
    )


def apart(people: RecoveredMeshes, seen: CropLandmarks) -> torch.Tensor:
    """Return how far COCO's keypoints of people are from those seen (sides of the crop)."""
    _, landmarks = BODY(people.rotations, people.betas)
    return (project(landmarks, people.camera) - seen.points)[:, :COCO].norm(dim=-1)


def test_keypoints_seen_exactly_are_met_within_a_pixel_of_256():
    truth = made_up_people(5)
    seen, start = seen_exactly(truth), turned_a_little(truth, 0.15)
    assert apart(start, seen).mean() * 256 > 4
    found = fit(start, seen, BODY, LifterErrors(), FittingConfig(steps=8, outlier=20.0))
    assert apart(found, seen).mean() * 256 < 1
    assert found.betas is start.betas


def test_a_body_nearer_to_the_truth_is_found():
    truth = made_up_people(8)
    start = turned_a_little(truth, 0.15)
    found = fit(start, seen_exactly(truth), BODY, LifterErrors(), FittingConfig(steps=8))

    def error(people: RecoveredMeshes) -> float:
        joints, wanted = BODY(people.rotations, people.betas)[0], BODY(truth.rotations, truth.betas)
        return float((joints - wanted[0]).norm(dim=-1).mean())

    assert error(found) < 0.6 * error(start)


def test_what_agrees_already_stays():
    truth = made_up_people(3)
    found = fit(truth, seen_exactly(truth), BODY, LifterErrors())
    torch.testing.assert_close(found.rotations, truth.rotations, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.camera, truth.camera, atol=1e-4, rtol=0)


def test_nobody_seen_is_the_lifters_answer():
    start = made_up_people(2)
    nothing = CropLandmarks(
        points=torch.zeros(2, LANDMARKS, 2),
        scores=torch.zeros(2, LANDMARKS),
        world=torch.zeros(2, LANDMARKS - COCO, 3),
    )
    found = fit(start, nothing, BODY, LifterErrors())
    torch.testing.assert_close(found.rotations, start.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.camera, start.camera, atol=1e-5, rtol=0)


def test_one_landmark_far_off_hardly_moves_the_body():
    truth = made_up_people(4)
    seen = seen_exactly(truth)
    seen.points[:, 9] += 0.5
    found = fit(truth, seen, BODY, LifterErrors())
    joints, wanted = BODY(found.rotations, found.betas)[0], BODY(truth.rotations, truth.betas)[0]
    assert (joints - wanted).norm(dim=-1).mean() < 0.01


def test_a_person_upside_down_stays_upside_down():
    truth = made_up_people(3)
    half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))  # about the line of sight
    rotations = truth.rotations.clone()
    rotations[:, 0] = half_turn @ rotations[:, 0]
    hanging = RecoveredMeshes(rotations=rotations, betas=truth.betas, camera=truth.camera)
    found = fit(turned_a_little(hanging, 0.15), seen_exactly(hanging), BODY, LifterErrors())
    joints, _ = BODY(found.rotations, found.betas)
    assert (joints[:, 15, 1] > 0.3).all()  # the head below the pelvis: y is down
    assert Pose(rotations=found.rotations).rotations.shape == (3, 24, 3, 3)


def test_a_fit_of_the_mirror_image_is_the_mirrored_fit():
    truth = made_up_people(3)
    start, seen = turned_a_little(truth, 0.2), seen_exactly(truth)
    found = fit(start, seen, BODY, LifterErrors()).mirrored()
    other = fit(start.mirrored(), seen.mirrored(), BODY, LifterErrors())
    # the open body itself is mirrored to within millimetres
    torch.testing.assert_close(other.rotations, found.rotations, atol=0.03, rtol=0)


def test_people_are_fitted_alone_as_beside_others():
    truth = made_up_people(4)
    start, seen = turned_a_little(truth, 0.2), seen_exactly(truth)
    together = fit(start, seen, BODY, LifterErrors())
    one = CropLandmarks(points=seen.points[2:3], scores=seen.scores[2:3], world=seen.world[2:3])
    first = RecoveredMeshes(
        rotations=start.rotations[2:3], betas=start.betas[2:3], camera=start.camera[2:3]
    )
    alone = fit(first, one, BODY, LifterErrors())
    torch.testing.assert_close(alone.rotations, together.rotations[2:3], atol=1e-4, rtol=0)
