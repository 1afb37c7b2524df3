"""All people in a photograph with their keypoints: three networks, one after the other.

NanoDet says who is there, MoveNet where COCO's 17 keypoints of each are, and BlazePose, whose
square is turned with the body that MoveNet found, adds hands, feet and a third dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from unipose.body.keypoint_sets import BLAZEPOSE_33, COCO_17, KeypointSet
from unipose.body.keypoints import LEAST_SCORE, Keypoints
from unipose.body.people import Box, PersonInImage
from unipose.metrics.boxes import box_overlap
from unipose.metrics.keypoints import object_keypoint_similarity
from unipose.vision.blazepose import CIRCLE_SCALE, BlazePose, BodyLandmarks
from unipose.vision.hands_and_face import HandsAndFace
from unipose.vision.movenet import MoveNet
from unipose.vision.nanodet import NanoDet
from unipose.vision.turned_square import Pixels, TurnedSquare

BOX_SCALE = 1.1
"""Of the square that MoveNet looks at, to the box's longer side."""
LEAST_SEEN = 3
"""Keypoints that make a person of what the detector of people finds."""
SAME_OKS = 0.7
"""Object keypoint similarity from which two detections are of one person."""
MISSED_OVERLAP = 0.3
"""Intersection over union of boxes below which nobody who is found is the followed one."""
LEAST_SURE = 0.1
"""Confidence below which somebody whom only their keypoints speak for is followed no more."""
BOX_MARGIN = 0.1
"""Around the keypoints, as a share of their longer side: what a box holds beyond them."""
HEAD_ROOM = 1.15
"""The circle around the body to the furthest keypoint: a head goes on above its nose."""
_CARRIED = {"wrist": ("pinky", "index", "thumb"), "ankle": ("heel", "foot_index")}
_WITH_TOES = tuple(name.replace("foot_index", "big_toe") for name in BLAZEPOSE_33.names)
_SHOULDERS, _HIPS = (
    COCO_17.indices(f"left_{part}", f"right_{part}") for part in ("shoulder", "hip")
)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectedPerson:
    """What the networks say of one person."""

    person: PersonInImage
    """Box, COCO's 17 keypoints with scores, and confidence (0 to 1)."""
    landmarks: BodyLandmarks
    hands_and_face: tuple[Keypoints, ...] = ()
    """If they were looked for."""

    @property
    def body(self) -> Keypoints:
        """COCO's 17 keypoints: one row of pixels, with scores."""
        assert self.person.keypoints is not None
        return self.person.keypoints

    def keypoints(self, target: KeypointSet) -> Keypoints:
        """Return the keypoints of any set by name; what no network knows is missing.

        Hands and feet come with the wrist and ankle that MoveNet says, for its are the better ones;
        BlazePose's tip of the second toe stands for the big toe.
        """
        seen = self.landmarks.seen
        index = seen.keypoint_set.index
        points = seen.points.clone()
        for side in ("left", "right"):
            for joint, parts in _CARRIED.items():
                if float(self.body.scores[0, COCO_17.index[f"{side}_{joint}"]]) < LEAST_SCORE:
                    continue
                moved = self.body.point(f"{side}_{joint}") - seen.point(f"{side}_{joint}")
                points[:, [index[f"{side}_{part}"] for part in parts]] += moved[:, None]
        seen = replace(seen, points=points)
        toes = replace(seen, keypoint_set=replace(seen.keypoint_set, names=_WITH_TOES, bones=()))
        return joined((self.body, *self.hands_and_face, seen, toes)).mapped_to(target)


@runtime_checkable
class PeopleFinder(Protocol):
    """A detector of people."""

    def find(self, pixels: Pixels) -> list[PersonInImage]:
        """Return people (of a picture, RGB) with box and confidence, the surest first."""
        ...


class KeypointDetector:
    """The networks. About 60 ms a picture and 90 ms a person on one core; hands and face 90 ms."""

    def __init__(self, *, hands_and_face: bool = False, people: PeopleFinder | None = None) -> None:
        """Open the networks; `people` finds people in place of NanoDet.

        Raises MissingFileError or WeightsError that say how to get them.
        """
        self._people = people or NanoDet()
        self._keypoints, self._landmarks = MoveNet(), BlazePose()
        self._hands_and_face = HandsAndFace() if hands_and_face else None
        # these networks are too small to be shared out: a thread for each person is twice as fast
        self._pool = ThreadPoolExecutor(
            torch.get_num_threads(), initializer=torch.set_num_threads, initargs=(1,)
        )

    def find(self, pixels: Pixels, boxes: Sequence[Box] | None = None) -> list[DetectedPerson]:
        """Return the people in a picture (RGB), the surest first; or one for each of `boxes`.

        Of those whom the detector of people finds, somebody with fewer than LEAST_SEEN keypoints,
        or with the same keypoints as a surer one, is left out. Boxes are left, top, right, bottom
        in pixels, and each gets its person, whatever is in it.
        """
        if boxes is None:
            return self.landmarks(pixels, self.bodies(pixels))
        people = [PersonInImage(box=box, detector="a box") for box in boxes]
        return self.landmarks(pixels, list(self._pool.map(partial(self._body, pixels), people)))

    def people(self, pixels: Pixels) -> list[PersonInImage]:
        """Return box and confidence of the people in a picture, the surest first."""
        return self._people.find(pixels)

    def bodies(self, pixels: Pixels, before: Sequence[PersonInImage] = ()) -> list[PersonInImage]:
        """Return the people in a picture with COCO's keypoints: the first step of `find`.

        `before` are the bodies of a film's frame before: whom the detector of people misses now is
        followed, half as sure with each time, until they are not sure enough (LEAST_SURE).
        """
        found = self._different(pixels, self.people(pixels))
        missed = [
            replace(one, confidence=one.confidence / 2)
            for one in before
            if one.confidence >= 2 * LEAST_SURE and not _near(one, found)
        ]
        return [*found, *(one for one in self.follow(pixels, missed) if not _near(one, found))]

    def follow(self, pixels: Pixels, before: Sequence[PersonInImage]) -> list[PersonInImage]:
        """Return the bodies of the frame before where they are now: nobody new is looked for.

        Each is looked at where their keypoints were; whoever is gone is left out.
        """
        moved = [replace(one, box=box_around(one.keypoints)) for one in before if one.keypoints]
        return self._different(pixels, moved)

    def landmarks(self, pixels: Pixels, bodies: Sequence[PersonInImage]) -> list[DetectedPerson]:
        """Return bodies with all their landmarks: the second step of `find`."""
        return list(self._pool.map(partial(self._landmarked, pixels), bodies))

    def _different(self, pixels: Pixels, people: Sequence[PersonInImage]) -> list[PersonInImage]:
        """Return those of the people who are seen, and are not one who came before."""
        kept: list[PersonInImage] = []
        for one in self._pool.map(partial(self._body, pixels), people):
            assert one.keypoints is not None
            seen = int((one.keypoints.scores >= LEAST_SCORE).sum())
            if seen >= LEAST_SEEN and not any(_same(one.keypoints, other) for other in kept):
                kept.append(one)
        return kept

    def _body(self, pixels: Pixels, person: PersonInImage) -> PersonInImage:
        return replace(person, keypoints=self._keypoints.look(pixels, _square(person)))

    def _landmarked(self, pixels: Pixels, person: PersonInImage) -> DetectedPerson:
        assert person.keypoints is not None
        landmarks = self._landmarks.look(pixels, body_square(person.keypoints))
        more = self._hands_and_face.look(pixels, landmarks.seen) if self._hands_and_face else ()
        return DetectedPerson(person=person, landmarks=landmarks, hands_and_face=tuple(more))


def box_around(body: Keypoints) -> Box:
    """Return a box around the keypoints that are seen; a body goes on around its keypoints."""
    seen = body.scores[0] >= LEAST_SCORE
    points = body.points[0][seen if bool(seen.any()) else slice(None)]
    low, high = points.amin(dim=0), points.amax(dim=0)
    margin = BOX_MARGIN * float((high - low).max())
    left, top, right, bottom = (*(low - margin).tolist(), *(high + margin).tolist())
    return left, top, right, bottom


def _square(person: PersonInImage) -> TurnedSquare:
    assert person.box is not None
    return TurnedSquare.around_box(person.box, scale=BOX_SCALE)


def _same(body: Keypoints, other: PersonInImage) -> bool:
    """Whether keypoints are those of somebody who has been found."""
    assert other.box is not None and other.keypoints is not None  # noqa: PT018
    left, top, right, bottom = other.box
    seen = other.keypoints.scores >= LEAST_SCORE
    alike = object_keypoint_similarity(
        body.points, other.keypoints.points,
        present=seen, found_present=body.scores >= LEAST_SCORE,
        area_px=torch.tensor([(right - left) * (bottom - top) / 2]), sigmas=COCO_17.sigmas,
    )  # fmt: skip
    return float(alike) >= SAME_OKS


def _near(one: PersonInImage, found: Sequence[PersonInImage]) -> bool:
    """Whether somebody who is found stands where a person's keypoints are."""
    assert one.keypoints is not None
    boxes = torch.tensor([other.box for other in found if other.box is not None]).view(-1, 4)
    overlaps = box_overlap(torch.tensor(box_around(one.keypoints)), boxes)
    return bool((overlaps >= MISSED_OVERLAP).any())


def joined(parts: Sequence[Keypoints]) -> Keypoints:
    """Return the keypoints of several sets in one; of a name that several have, the first."""
    first = {
        name: (part, at)
        for part in reversed(parts)
        for at, name in enumerate(part.keypoint_set.names)
    }
    picked = [(part, at) for part, at in first.values()]
    return Keypoints(
        keypoint_set=KeypointSet(name="joined", names=tuple(first)),
        points=torch.stack([part.points[:, at] for part, at in picked], dim=1),
        scores=torch.stack([part.scores[:, at] for part, at in picked], dim=1),
        present=torch.stack([part.present[:, at] for part, at in picked], dim=1),
    )


def body_square(body: Keypoints) -> TurnedSquare:
    """Return the square for BlazePose around one person's 17 keypoints."""
    points = body.points[0].numpy()
    seen = (body.scores[0] >= LEAST_SCORE).numpy()
    hips, shoulders = points[_HIPS].mean(axis=0), points[_SHOULDERS].mean(axis=0)
    away = points[seen] if seen.any() else points
    radius = HEAD_ROOM * float(np.linalg.norm(away - hips, axis=1).max())
    up = shoulders - hips
    length = float(np.linalg.norm(up))
    up = up / length if length > 0 else np.array([0.0, -1.0])
    top = (hips + radius * up).astype(np.float32)
    return TurnedSquare.around_circle(hips, top, scale=CIRCLE_SCALE)
