"""People who touch, and what an estimator would make of them: scenes of the contact benchmark.

The studio places people of held-out recordings until they touch, so what touches is known exactly.
The initial estimate is the truth with errors as the project's own landmark lifter has them: drawn
from the covariance that was measured of it, joints together with the size and the place of the
person. An error of size is one of depth: somebody slips along the camera's ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_builders.studio import Studio, StudioConfig
from data_builders.studio.contacts import Contact
from data_builders.studio.labels import SEEN, StudioImage
from unipose.body.camera import Camera
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.body.regions import GROUND
from unipose.contact.measured_contacts import MeasuredContact
from unipose.contact.scene_batch import BODY_AND_FEET, KEYPOINTS
from unipose.files.photo import Pixels
from unipose.vision.landmark_lifter import LifterErrors

SEEN_ERROR, HIDDEN_ERROR = 0.012, 0.04
"""Of keypoints, in longer sides of the person's box."""
SEEN_SCORE, HIDDEN_SCORE = 0.9, 0.35
PRESSED_M = 0.03
"""How far people are pressed into each other, along the way on which they were moved together:
bodies are soft, and touch with more than one point."""
BETA_ERROR = 0.7
"""Standard deviations of the body's shapes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactScene:
    """One scene: what is true, and what is known of it."""

    key: str
    picture: Pixels | None
    truth: ImagePeople | None
    """None where only what touches is known."""
    initial: ImagePeople
    contacts: tuple[MeasuredContact, ...]
    """Those that are true, nearest first, between the regions of `Bench.regions`; of one person
    those with the ground too."""

    @property
    def between_parts(self) -> tuple[MeasuredContact, ...]:
        """Return the contacts without those with the ground."""
        return tuple(contact for contact in self.contacts if contact.second != GROUND)


def scene_config(people: int, *, seed: int, side_px: int) -> StudioConfig:
    """Return a studio that only shows so many people, whole and unhidden, close to each other."""
    return StudioConfig(
        seed=seed, height_px=side_px, width_px=side_px, people=(0.0,) * (people - 1) + (1.0,),
        mixed=0.0, touching=1.0, touch_gap_m=-PRESSED_M, partners=0.3, truncated=0.0, occluded=0.0,
    )  # fmt: skip


def draw_scenes(
    studio: Studio, errors: LifterErrors, *, people: int, seed: int, severity: float
) -> Iterator[ContactScene]:
    """Give the studio's scenes in which something touches, without end.

    `severity` 1 is the lifter's own errors. Every scene is a function of the studio, its number and
    the seed.
    """
    factor = error_factor(errors, severity)
    index = 0
    while True:
        image = studio.sample(index)
        contacts = _contacts(image, people)
        if any(contact.second != GROUND for contact in contacts):
            yield _scene(image, contacts, factor, np.random.default_rng([seed, people, index]))
        index += 1


def error_factor(errors: LifterErrors, severity: float) -> Float[Tensor, "unknown unknown"]:
    """Return what turns independent normal numbers into an estimator's errors."""
    covariance = torch.linalg.inv(errors.precision.double())
    return severity * torch.linalg.cholesky(covariance)


def _contacts(image: StudioImage, people: int) -> tuple[MeasuredContact, ...]:
    """Return the true contacts between people, or of the one person; the first person first."""
    found: tuple[Contact, ...] = image.contacts if people == 2 else image.people[0].contacts
    return tuple(
        MeasuredContact(first=one.part, second=one.other_part, distance_m=one.distance_m)
        for one in sorted(found, key=lambda contact: contact.distance_m)
    )


def _scene(
    image: StudioImage,
    contacts: tuple[MeasuredContact, ...],
    factor: Float[Tensor, "unknown unknown"],
    random: np.random.Generator,
) -> ContactScene:
    height, width = image.pixels.shape[:2]
    size_px = (width, height)
    true, said = [], []
    for person in image.people:
        left, top, right, bottom = person.whole_box
        keypoints = noisy_keypoints(
            person.whole_body_px, person.whole_body_seen, side_px=max(right - left, bottom - top),
            random=random,
        )  # fmt: skip
        known = PersonInImage(
            box=person.box, pose=person.pose, camera=image.camera, keypoints=keypoints
        )
        pelvis = torch.from_numpy(person.joints[0])
        pose = with_errors(person.pose, pelvis, image.camera, factor, random)
        true.append(known)
        said.append(replace(known, pose=pose))
    return ContactScene(
        key=image.key,
        picture=image.pixels,
        truth=ImagePeople(image=image.key, people=tuple(true), size_px=size_px),
        initial=ImagePeople(image=image.key, people=tuple(said), size_px=size_px),
        contacts=contacts,
    )


def noisy_keypoints(
    points: Float[np.ndarray, "keypoint 2"],
    seen: Int[np.ndarray, " keypoint"] | None = None,
    *,
    side_px: float,
    random: np.random.Generator,
) -> Keypoints:
    """Return body and feet, the first of `points`, as a detector sees them.

    `seen` is as the studio says it (SEEN, HIDDEN, 0 outside); None: all are seen. What is hidden is
    guessed worse.
    """
    seen = np.full(len(points), SEEN) if seen is None else seen
    error = np.where(seen == SEEN, SEEN_ERROR, HIDDEN_ERROR) * side_px
    marked = points + random.normal(size=points.shape) * error[:, None]
    scores = np.where(seen == SEEN, SEEN_SCORE, HIDDEN_SCORE)
    return Keypoints.of(
        BODY_AND_FEET,
        torch.from_numpy(marked[:KEYPOINTS]).float()[None],
        torch.from_numpy(scores[:KEYPOINTS]).float()[None],
        present=torch.from_numpy(seen[:KEYPOINTS] > 0)[None],
    )


def with_errors(
    pose: Pose,
    pelvis: Float[Tensor, "3"],
    camera: Camera,
    factor: Float[Tensor, "unknown unknown"],
    random: np.random.Generator,
) -> Pose:
    """Return a true pose, whose pelvis is there in the world, with an estimator's errors."""
    error = factor @ torch.from_numpy(random.normal(size=len(factor)))
    assert pose.translation is not None
    turns = roma.rotvec_to_rotmat(error[:72].view(24, 3)).float()
    size, right, down = error[72:].tolist()
    away = pelvis.double() - camera.position.double()
    beside = camera.camera_from_world.double()
    moved = camera.position.double() + away * float(np.exp(-size))
    moved = moved + right * beside[0] + down * beside[1]
    betas = torch.zeros(1, 10) if pose.betas is None else pose.betas
    betas = betas + BETA_ERROR * torch.from_numpy(random.normal(size=10)).float()
    return replace(
        pose, rotations=pose.rotations @ turns, betas=betas,
        translation=pose.translation + (moved - pelvis).float(),
    )  # fmt: skip
