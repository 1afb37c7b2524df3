"""Scenes of public data sets for eval.contact: Hi4D, CHI3D, FlickrCI3D and MOYO.

What touches is marked in the source, or measured on its true bodies. Initial poses are those of an
estimator's files (`--initial`), of our own estimator before the picture, or, where `--corrupted`
asks for it, the truth with the errors that the studio's scenes have. Photographs without true poses
(FlickrCI3D) are measured by PCC and by their tables alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.readers.contact_sets import (
    ContactRecord,
    read_chi3d,
    read_flickrci3d,
    read_hi4d,
    read_moyo,
)
from data_builders.readers.source import Drops
from eval.contact_scenes import ContactScene, error_factor, noisy_keypoints, with_errors
from unipose.app.contact_refining import FIELD_OF_VIEW_DEG
from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.people import Box, ImagePeople, PersonInImage
from unipose.body.regions import FINE_REGIONS
from unipose.contact.measured_contacts import MeasuredContact, near_regions
from unipose.contact.optimiser import SceneOptimiser
from unipose.contact.region_points import RegionPoints
from unipose.contact.scene_batch import SceneBatch, landmark_places
from unipose.errors import ConfigError, FileError
from unipose.files import open_pose
from unipose.files.film import open_film
from unipose.files.keypoint_files import read_keypoint_file
from unipose.files.photo import Pixels, open_photo
from unipose.files.smpl_parameters import on_body
from unipose.vision.landmark_estimator import LandmarkEstimator
from unipose.vision.landmark_lifter import LandmarkLifter
from unipose.vision.mesh_recovery_protocol import LEVEL

DataSet = Literal["hi4d", "chi3d", "flickrci3d", "moyo"]
PEOPLE: dict[DataSet, int] = {"hi4d": 2, "chi3d": 2, "flickrci3d": 2, "moyo": 1}
MARGIN_PX = 70
"""Around the people that a model is shown (ProsePose's)."""
STAND_IN_SIZE_PX = (512, 512)
"""Of the picture through which a pose without a camera is seen."""
STAND_IN_M = 4.0
"""How far its camera stands from it."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DataSetFiles:
    """Where a data set lies, and what an estimator said of it."""

    name: DataSet
    folder: Path
    split: str = "test"
    """Of CHI3D and FlickrCI3D; of Hi4D and MOYO everything is taken."""
    initial: Path | None = None
    """Folder of first poses, one file a scene with one row a person (see `file_of`), placed before
    the camera: x right, y up, z towards the viewer."""
    keypoints: Path | None = None
    """Folder of a detector's files, one .json a scene with the people in the source's order;
    without it our own detector looks."""
    corrupted: bool = False
    """Poses and keypoints are the truth with errors, as in the studio's scenes."""
    severity: float = 0.8
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.corrupted and self.initial is not None:
            raise ConfigError("--corrupted makes initial poses of the truth: leave out --initial")

    @property
    def initial_poses(self) -> str:
        """Return where initial poses come from, as the report says it."""
        if self.corrupted:
            return "the truth with errors"
        return "our own estimator" if self.initial is None else "from files"

    def records(self, drops: Drops) -> Iterator[ContactRecord]:
        """Yield the source's records; SourceError if the folder holds none of it."""
        match self.name:
            case "hi4d":
                return read_hi4d(self.folder, drops)
            case "chi3d":
                return read_chi3d(self.folder, drops, split=self.split)
            case "flickrci3d":
                return read_flickrci3d(self.folder, drops, split=self.split)
            case "moyo":
                return read_moyo(self.folder, drops)


def file_of(folder: Path, key: str, endings: Sequence[str]) -> Path:
    """Return a scene's file: "hi4d/pair00/dance00:10" is in hi4d-pair00-dance00-10.npz.

    Raises FileError if there is none with these endings.
    """
    stem = key.translate(str.maketrans("/:@ ", "----"))
    for ending in endings:
        if (path := folder / f"{stem}{ending}").is_file():
            return path
    raise FileError(folder / f"{stem}{endings[0]}", "is missing: each scene needs its file.")


class DataSetScenes:
    """Turns a data set's records into scenes of the contact benchmark."""

    def __init__(self, files: DataSetFiles, body: Body) -> None:
        self.files, self.body, self.drops = files, body, Drops()
        self.people = PEOPLE[files.name]
        self.truth_body = ""
        """Whose poses the source has; on another body they have its mean shape."""
        points = RegionPoints(body, FINE_REGIONS, own=self.people == 1)
        self._fine = SceneOptimiser(body=body, points=points)

    def scenes(self) -> list[ContactScene]:
        """Return the scenes in which something touches.

        Records that are broken, or of which an estimator's file is missing, are left out and
        counted (`drops`). Raises ConfigError if no scene is left.
        """
        found = list(islice(self._usable(), self.files.limit))
        if not found:
            raise ConfigError(
                f"{self.files.folder} has no usable scene in which something touches; "
                f"{self.drops.summary()}"
            )
        return found

    def _usable(self) -> Iterator[ContactScene]:
        for number, record in enumerate(self.files.records(self.drops)):
            truth = self._truth(record)
            contacts = self._contacts(record, truth)
            if contacts:
                build = partial(self._scene, record, truth, contacts, number)
                yield from self.drops.keep(record.key, build)

    def _scene(
        self,
        record: ContactRecord,
        truth: ImagePeople | None,
        contacts: tuple[MeasuredContact, ...],
        number: int,
    ) -> ContactScene:
        picture, boxes = picture_of(record), self._boxes(record, truth)
        if not self.files.corrupted:
            initial = self._estimated(record, truth, picture, boxes)
        elif truth is not None:
            initial = self._with_errors(truth, np.random.default_rng([self.files.seed, number]))
        else:
            raise ConfigError(f"{record.source} has no true poses that could be corrupted")
        return ContactScene(
            key=record.key, picture=None if picture is None else _cropped(picture, boxes),
            truth=truth, initial=initial, contacts=contacts,
        )  # fmt: skip

    def _truth(self, record: ContactRecord) -> ImagePeople | None:
        """Return the true people on our body before a camera; None without true poses."""
        people = []
        for person in record.scene.people:
            if person.pose is None:
                return None
            self.truth_body = person.pose.body
            people.append(replace(person, pose=on_body(person.pose, self.body)))
        scene = replace(record.scene, people=tuple(people))
        if all(person.camera is not None for person in people):
            return scene
        middle = torch.stack([self._pelvis(person) for person in people]).mean(0)
        camera = Camera.look_at(middle + torch.tensor([0.0, 0.0, STAND_IN_M]), middle)
        seen = tuple(replace(person, camera=camera) for person in people)
        return replace(scene, people=seen, size_px=STAND_IN_SIZE_PX)

    def _contacts(
        self, record: ContactRecord, truth: ImagePeople | None
    ) -> tuple[MeasuredContact, ...]:
        """Return what touches: as marked, or parts of the true bodies that are near enough."""
        if record.contacts is not None:
            return tuple(MeasuredContact(first=a, second=b) for a, b in record.contacts)
        assert truth is not None
        assert record.touch_m is not None
        (matrix,) = self._fine.distances(SceneBatch.of([truth], self.body))
        return tuple(near_regions(matrix, FINE_REGIONS.names, record.touch_m, people=self.people))

    def _pelvis(self, person: PersonInImage) -> Float[Tensor, " 3"]:
        pose = person.pose
        assert pose is not None
        return self.body.joints(pose.rotations, self.body.betas_of(pose), pose.translation)[0, 0]

    def _projected(self, truth: ImagePeople) -> Float[Tensor, "person 23 2"]:
        batch = SceneBatch.of([truth], self.body)
        return batch.project(landmark_places(batch, self._fine.landmarks))[0]

    def _boxes(self, record: ContactRecord, truth: ImagePeople | None) -> list[Box]:
        """Return the source's boxes, or those around the true keypoints in the picture."""
        marked = [person.box for person in record.scene.people if person.box is not None]
        if truth is None or len(marked) == self.people:
            return marked
        found: list[Box] = []
        for points in self._projected(truth):
            (left, top), (right, bottom) = points.amin(0).tolist(), points.amax(0).tolist()
            found.append((left, top, right, bottom))
        return found

    def _with_errors(self, truth: ImagePeople, random: np.random.Generator) -> ImagePeople:
        people = []
        for person, points in zip(truth.people, self._projected(truth)):
            assert person.pose is not None
            assert person.camera is not None
            side = float((points.amax(0) - points.amin(0)).max())
            pose = with_errors(
                person.pose, self._pelvis(person), person.camera, self._factor, random
            )
            keypoints = noisy_keypoints(points.double().numpy(), side_px=side, random=random)
            people.append(replace(person, pose=pose, keypoints=keypoints))
        return replace(truth, people=tuple(people))

    @cached_property
    def _factor(self) -> Float[Tensor, "unknown unknown"]:
        return error_factor(LandmarkLifter.from_pretrained().errors, self.files.severity)

    @cached_property
    def _estimator(self) -> LandmarkEstimator:
        return LandmarkEstimator()

    def _estimated(
        self,
        record: ContactRecord,
        truth: ImagePeople | None,
        picture: Pixels | None,
        boxes: list[Box],
    ) -> ImagePeople:
        """Return the people as an estimator says them, in the source's order."""
        size_px = record.scene.size_px
        if picture is not None:
            size_px = picture.shape[1], picture.shape[0]
        if size_px is None or (
            picture is None and None in (self.files.initial, self.files.keypoints)
        ):
            raise ConfigError(
                f"{record.key} has no picture: give first poses with --initial and keypoints with "
                "--keypoints, or say --corrupted"
            )
        camera = _at_origin(None if truth is None else truth.people[0].camera, size_px)
        people: Sequence[PersonInImage] = [PersonInImage(box=box) for box in boxes]
        if picture is not None:
            focal_px = camera.focal * size_px[1]
            people = self._estimator.people(picture, boxes, focal_px=focal_px)
        if self.files.keypoints is not None:
            file = file_of(self.files.keypoints, record.key, (".json",))
            seen = [one.keypoints for one in read_keypoint_file(file)[0].people]
            people = [replace(a, keypoints=b) for a, b in self._pairs(people, seen, file)]
        if self.files.initial is not None:
            file = file_of(self.files.initial, record.key, (".npz", ".pkl", ".json"))
            rows = open_pose(file)
            poses = [rows[i] for i in range(len(rows))]
            if any(pose.translation is None for pose in poses):
                raise FileError(file, "has no places of the people (translation).")
            people = [
                replace(a, pose=b, camera=camera) for a, b in self._pairs(people, poses, file)
            ]
        placed = (replace(one, pose=on_body(one.pose, self.body)) for one in people if one.pose)
        return ImagePeople(image=record.key, people=tuple(placed), size_px=size_px)

    def _pairs(self, people: Sequence[PersonInImage], other: Sequence[T], file: Path) -> zip:
        if len(other) != len(people):
            raise FileError(file, f"has {len(other)} people, expected {len(people)}.")
        return zip(people, other)


def _at_origin(camera: Camera | None, size_px: tuple[int, int]) -> Camera:
    """Return a source's camera (or one of 60 degrees) as estimators say places before it."""
    width, height = size_px
    if camera is None:
        focal = width / height / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
        return Camera(camera_from_world=LEVEL, position=torch.zeros(3), focal=float(focal))
    return replace(camera, camera_from_world=LEVEL, position=torch.zeros(3))


def picture_of(record: ContactRecord) -> Pixels | None:
    """Return a record's picture, or its frame of a film; None where the source has none of it."""
    if record.image is not None and record.image.is_file():
        return open_photo(record.image)
    if record.film is not None and record.film.is_file():
        for frame in open_film(record.film).frames():
            if frame.number == record.frame:
                return frame.pixels
        raise FileError(record.film, f"has no frame {record.frame}.")
    return None


def _cropped(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    edges = np.array(boxes)
    left, top = np.maximum(edges[:, :2].min(0) - MARGIN_PX, 0).astype(int)
    right, bottom = np.ceil(edges[:, 2:].max(0) + MARGIN_PX).astype(int)
    return np.ascontiguousarray(pixels[top:bottom, left:right])
