"""Poses that are read off pictures: by networks that know photographs, or by the model's eyes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8

from unipose.assistant.model_answers import ModelAnswers
from unipose.assistant.request_texts import checked_request
from unipose.body.body import Body, load_body
from unipose.body.keypoints import LEAST_SCORE
from unipose.body.people import PersonInImage
from unipose.body.pose import Pose
from unipose.errors import BlindModelError, MissingFileError, PoseQueryError, WeightsError
from unipose.files.notes import add_note
from unipose.files.photo import open_photo
from unipose.language.decoding import Decoding
from unipose.language.model import PoseLanguageModel
from unipose.language.pictures import Picture
from unipose.language.rendering import Part
from unipose.language.templates import FIXED, Task, ask
from unipose.language.vocabulary import Vocabulary
from unipose.vision.keypoint_detector import LEAST_SEEN
from unipose.vision.landmark_estimator import LandmarkEstimator

Eyes = Literal["auto", "photo", "own"]
OWN_EYES_AGREE = 0.7
"""Object keypoint similarity from which the model's own eyes are believed (`eyes` "auto"): from
there on two sets of keypoints count as one person's. On renders of the studio they are believed for
three people in four, and are the better ones (validation)."""
WHOLE_ENOUGH = 10
"""Of 17 keypoints; of somebody of whom fewer are seen much is made up."""
DETECTOR = "unipose"
"""Who estimated a person, for those who compare several estimators."""

Photo = str | Path | UInt8[np.ndarray, "_ _ 3"] | Picture
"""A picture: a file (.jpg, .png, .bmp ...), its pixels (RGB), or what `model.look` made of it."""
Box = Sequence[float | int]
"""Who is meant in a picture: left, top, right, bottom (pixels). Without one, whom the eyes find in
its middle square (those with a mesh recovery head), or that square."""


class PictureReading(ModelAnswers):
    """A pose language model that is asked about pictures, and the eyes that look at them."""

    def __init__(
        self,
        model: PoseLanguageModel,
        vocabulary: Vocabulary,
        *,
        eyes: Eyes = "own",
        writer: PoseLanguageModel | None = None,
        name: str = "",
    ) -> None:
        super().__init__(model, vocabulary, writer=writer, name=name)
        self.eyes: Eyes = eyes

    def estimate(self, image: Photo, *, box: Box | None = None, who: str | None = None) -> Pose:
        """Return the pose of a person in a picture: that of `estimate_person`."""
        pose = self.estimate_person(image, box=box, who=who).pose
        assert pose is not None
        return pose

    def estimate_person(
        self,
        image: Photo,
        *,
        box: Box | None = None,
        who: str | None = None,
        focal_px: float | int | None = None,
    ) -> PersonInImage:
        """Return a person in a picture as whoever looks at it sees them: box, pose and camera.

        The world's axes are x to the right of the picture, y up, z towards the viewer: somebody who
        faces the camera faces the front. `who` says in words who of several is meant: on the left
        or right, in the middle, the nearest or farthest. The model's own eyes look at the whole
        picture then, for any words.

        Eyes with a mesh recovery head also say the shape (`pose.betas`) and the place
        (`pose.translation`, metres) before the camera, which stands at the origin and looks along
        -z; `camera` projects the posed body onto the picture. How far away somebody is shows only
        with the camera's focal length: without `focal_px` (pixels) HMR's long lens is assumed, tens
        of metres away (`RecoveredMeshes.in_picture`). Other eyes leave these three None, and so do
        the model's own where somebody is meant in words, whom the head was not told about.

        Raises BlindModelError if the model has no eyes, FileError for a file that is no picture,
        PoseQueryError for a bad box, a box and words, or a focal length where no place is told;
        PoseParseError if no pose is answered.
        """
        if who is not None and box is not None:
            raise PoseQueryError("say who is meant with a box or with words, not with both")
        if (person := self._read_off(image, box, focal_px, who)) is not None:
            return person
        picture = self._picture(image, box, whole=who is not None)
        if who is None:
            question = ask(FIXED[Task.ESTIMATE], image=picture)
        else:
            question = ask(FIXED[Task.REASON], image=picture, who=checked_request(who))
            picture = replace(picture, meshes=None, box=None)
        if focal_px is not None and picture.meshes is None:
            raise PoseQueryError(
                "where somebody is cannot be told here, with a focal length or without: that takes "
                "eyes with a mesh recovery head, and a box instead of words"
            )
        focal_px = None if focal_px is None else float(focal_px)
        return self._people([picture], [question], focal_px)[0]

    def estimate_people(self, image: Photo, boxes: Sequence[Box]) -> Pose:
        """Return the pose in each box of one picture, as `estimate` does of one.

        `unipose.vision.detector` finds the boxes. Raises PoseQueryError if there is none.
        """
        if not boxes:
            raise PoseQueryError("nobody was found in the picture; say where they are with a box")
        if self.photo_eyes is None:
            pictures = [self._picture(image, box) for box in boxes]
            questions = [ask(FIXED[Task.ESTIMATE], image=picture) for picture in pictures]
            people = self._people(pictures, questions, None)
        else:
            people = [self.estimate_person(image, box=box) for box in boxes]
        return side_by_side([person.pose for person in people if person.pose is not None])

    def _picture(self, image: Photo, box: Box | None, *, whole: bool = False) -> Picture:
        """Return a picture as a part of a question: what is in the box, or all of it if `whole`."""
        if self.model.eyes is None:
            raise BlindModelError()
        if isinstance(image, Picture):
            return image
        shown = torch.from_numpy(np.array(_pixels(image, box)))
        if box is None and not whole:
            box = self.model.eyes.find(shown)
        return self.model.look(shown, None if box is None else _edges(box))

    def _read_off(
        self,
        image: Photo,
        box: Box | None,
        focal_px: float | int | None = None,
        who: str | None = None,
    ) -> PersonInImage | None:
        """Return a person in a picture; None without eyes for photographs.

        Without a box it is who takes up most of the picture, as far as the detector is sure. With
        `eyes` "auto" the model's own eyes say the pose if their body agrees with the keypoints.
        Raises PoseQueryError if nobody is found.
        """
        if self.photo_eyes is None or isinstance(image, Picture):
            return None
        pixels = _pixels(image, box)
        boxes = None if box is None else [_edges(box)]
        focal = None if focal_px is None else float(focal_px)
        people = self.photo_eyes.people(pixels, boxes, focal_px=focal)
        if not people:
            raise PoseQueryError(
                "nobody was found in the picture; `unipose estimate --box` (in Python box=) says "
                "where somebody is"
            )
        if who is not None:
            person = person_meant(people, checked_request(who), width=pixels.shape[1])
        else:
            person = max(people, key=lambda one: one.confidence * _area(one.box))
            if len(people) > 1:
                add_note(
                    None,
                    f"{len(people)} people are seen; this is who takes up most of the picture, "
                    "--box or --who (in Python box=, who=) names another",
                )
        if (partly := part_seen(person)) is not None:
            add_note(None, partly)
        own = self._agreeing(pixels, person) if self.eyes == "auto" else None
        if own is None:
            return person
        return self._people([own], [ask(FIXED[Task.ESTIMATE], image=own)], focal)[0]

    def _agreeing(self, pixels: np.ndarray, person: PersonInImage) -> Picture | None:
        """Return what the model's eyes see of a person if it agrees with the keypoints."""
        assert self.photo_eyes is not None and person.keypoints is not None  # noqa: PT018
        if self.model.eyes is None:
            return None
        picture = self._picture(pixels, person.box)
        if picture.meshes is None or picture.crops is None:
            return None
        alike = self.photo_eyes.agreement(picture.meshes, picture.crops, person.keypoints)
        return picture if float(alike) >= OWN_EYES_AGREE else None

    def _people(
        self, pictures: list[Picture], questions: list[list[Part]], focal_px: float | None
    ) -> list[PersonInImage]:
        """Return the person in each picture, in the pose that is answered to its question."""
        poses = self._poses(questions, Decoding(), None)
        people = []
        for i, picture in enumerate(pictures):
            if picture.meshes is None or picture.crops is None or picture.size_px is None:
                people.append(PersonInImage(box=picture.box, pose=poses[i], detector=DETECTOR))
                continue
            boxes = None if picture.box is None else [picture.box]
            people += picture.meshes.posed_as(poses[i]).people(
                picture.crops, picture.size_px, boxes=boxes, focal_px=focal_px, body=self._body,
                detector=DETECTOR,
            )  # fmt: skip
        return people

    @cached_property
    def photo_eyes(self) -> LandmarkEstimator | None:
        """The eyes for photographs; None if they are not wanted, or not there and not asked for.

        Raises MissingFileError that says how to get them if they alone are asked for.
        """
        if self.eyes == "own":
            return None
        try:
            return LandmarkEstimator()
        except (MissingFileError, WeightsError) as error:
            if self.eyes == "photo":
                raise
            if isinstance(error, WeightsError):
                add_note(error.path, f"the model's own eyes are asked instead: {error.problem}")
            return None

    @cached_property
    def _body(self) -> Body:
        return load_body()


def _pixels(image: str | Path | np.ndarray, box: Box | None) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return a picture's pixels; PoseQueryError for what is none, or a box that is not in it."""
    pixels = image if isinstance(image, np.ndarray) else open_photo(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise PoseQueryError(
            "expected the pixels of a picture as bytes (height, width, 3), got "
            f"{pixels.dtype} {pixels.shape}"
        )
    if box is not None:
        height, width = pixels.shape[:2]
        edges = [float(edge) for edge in box]
        inside = len(edges) == 4 and edges[0] < width and edges[1] < height
        if not (inside and 0 < edges[2] > edges[0] and 0 < edges[3] > edges[1]):
            raise PoseQueryError(
                f"expected a box (left, top, right, bottom) in a picture of {width} x {height} "
                f"pixels, got {edges}"
            )
    return pixels


def part_seen(person: PersonInImage) -> str | None:
    """Return what there is to say of somebody who is hardly seen; None of others."""
    if person.keypoints is None:
        return None
    seen = int((person.keypoints.scores >= LEAST_SCORE).sum())
    if seen >= WHOLE_ENOUGH:
        return None
    if seen < LEAST_SEEN:
        return "hardly anybody is seen there; the pose is made up"
    return f"{seen} of {len(person.keypoints.keypoint_set)} keypoints are seen; the rest is made up"


def person_meant(people: Sequence[PersonInImage], who: str, *, width: int) -> PersonInImage:
    """Return who of the people in a picture of `width` pixels is meant by words of their place."""

    def across(one: PersonInImage) -> float:
        return 0.0 if one.box is None else (one.box[0] + one.box[2]) / 2

    orders: dict[str, Callable[[PersonInImage], float]] = {
        r"left\w*": across,
        r"right\w*": lambda one: -across(one),
        r"middle|cent(?:er|re)": lambda one: abs(across(one) - width / 2),
        r"nearest|closest|biggest|largest|foreground": lambda one: -_area(one.box),
        r"farthest|furthest|smallest|background": lambda one: _area(one.box),
    }
    said = [order for words, order in orders.items() if re.search(rf"\b(?:{words})\b", who.lower())]
    if len(people) == 1:
        return people[0]
    if len(said) != 1:
        raise PoseQueryError(
            f"{len(people)} people are seen, and {who!r} does not tell which: say one of left, "
            "right, middle, nearest and farthest, or --box (in Python box=)"
        )
    return min(people, key=said[0])


def _edges(box: Box) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right, bottom


def _area(box: Box | None) -> float:
    return 0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1])


def side_by_side(poses: list[Pose]) -> Pose:
    """Return poses of which the same is known as one batch."""
    betas = [pose.betas for pose in poses if pose.betas is not None]
    places = [pose.translation for pose in poses if pose.translation is not None]
    return replace(
        poses[0],
        rotations=torch.cat([pose.rotations for pose in poses]),
        betas=torch.cat(betas) if betas else None,
        translation=torch.cat(places) if places else None,
    )
