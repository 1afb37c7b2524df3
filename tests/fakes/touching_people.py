"""Two bodies that nearly touch before a camera, as an estimator would hand them over."""

from __future__ import annotations

from dataclasses import replace

import torch

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.body.whole_body import whole_body_points

SIZE_PX = (320, 240)
CAMERA = Camera(
    camera_from_world=torch.diag(torch.tensor([1.0, -1, -1])), position=torch.zeros(3), focal=1.0
)


def standing(x: float = 0.0, z: float = -4.0) -> Pose:
    """Return somebody in a T-pose."""
    return Pose(
        rotations=torch.eye(3).expand(1, 24, 3, 3), betas=torch.zeros(1, 10),
        translation=torch.tensor([[x, -1.0, z]]),
    )  # fmt: skip


def seen(pose: Pose, body: Body) -> PersonInImage:
    """Return somebody with their keypoints, all of them seen."""
    mesh = body.mesh(pose)
    places = whole_body_points(body).places(mesh.joints, mesh.vertices)
    pixels = CAMERA.project(places, height_px=SIZE_PX[1], width_px=SIZE_PX[0])
    low, high = pixels[0].amin(0).tolist(), pixels[0].amax(0).tolist()
    return PersonInImage(
        pose=pose, camera=CAMERA, box=(low[0], low[1], high[0], high[1]),
        keypoints=Keypoints.of(COCO_WHOLEBODY_133, pixels),
    )  # fmt: skip


def two_people(body: Body, *, apart: float = 1.84, slip: float = 0.25, name="a.png") -> ImagePeople:
    """Return two people side by side, of whom the second slipped away from the camera."""
    first, second = seen(standing(-apart / 2), body), seen(standing(apart / 2), body)
    assert second.pose is not None
    slipped = replace(second, pose=standing(apart / 2, -4.0 - slip))
    return ImagePeople(image=name, people=(first, slipped), size_px=SIZE_PX)
