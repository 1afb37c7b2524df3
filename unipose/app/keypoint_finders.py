"""Who finds keypoints for `unipose keypoints`: BlazePose and its like, or RTMPose and CIGPose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, KeypointSet
from unipose.body.people import Box, PersonInImage
from unipose.errors import PoseQueryError, WeightsError
from unipose.files.film import FilmFrame
from unipose.files.photo import Pixels
from unipose.vision.film_people import bodies_in_frames
from unipose.vision.keypoint_detector import DetectedPerson, KeypointDetector, PeopleFinder
from unipose.vision.nanodet import NanoDet
from unipose.vision.pose_vit_keypoints import open_keypoint_network
from unipose.wholebody.estimator import KeypointEngine, TorchEngine, WholeBodyEstimator
from unipose.wholebody.onnx_detector import OnnxPersonDetector
from unipose.wholebody.onnx_files import OnnxEngine, exported_engine

KeypointModel = Literal["blazepose", "cigpose", "rtmpose"]
SHIPPED = Path(__file__).parents[1] / "weights" / "wholebody"
"""A small RTMPose head of our own, over the eyes of unipose-mini."""
FramePeople = tuple[FilmFrame, tuple[PersonInImage, ...]]


@runtime_checkable
class KeypointFinder(Protocol):
    """What finds people's keypoints, of one set."""

    keypoint_set: KeypointSet

    def find(self, pixels: Pixels, boxes: Sequence[Box] | None) -> tuple[PersonInImage, ...]:
        """Return the people in boxes, or everybody in the picture."""
        ...

    def in_frames(self, frames: Iterable[FilmFrame], *, whole: bool) -> Iterator[FramePeople]:
        """Give each frame with its people; `whole`: each frame is one person's box."""
        ...


class BlazePoseFinder:
    """NanoDet, MoveNet, BlazePose; hands and face where the set has them."""

    def __init__(self, keypoint_set: KeypointSet, people: PeopleFinder | None = None) -> None:
        """Open the networks; `people` finds people in place of NanoDet.

        Raises MissingFileError or WeightsError that say how to get them.
        """
        self.keypoint_set = keypoint_set
        fine = any(name in COCO_WHOLEBODY_133.names[23:] for name in keypoint_set.names)
        self._detector = KeypointDetector(hands_and_face=fine, people=people)

    def find(self, pixels: Pixels, boxes: Sequence[Box] | None) -> tuple[PersonInImage, ...]:
        """Return the people in boxes, or everybody in the picture."""
        return self._named(self._detector.find(pixels, boxes))

    def in_frames(self, frames: Iterable[FilmFrame], *, whole: bool) -> Iterator[FramePeople]:
        """Give each frame with its people, who are followed where they can be."""
        if whole:
            for frame in frames:
                yield frame, self.find(frame.pixels, [whole_box(frame.pixels)])
            return
        for frame, bodies in bodies_in_frames(frames, self._detector):
            yield frame, self._named(self._detector.landmarks(frame.pixels, bodies))

    def _named(self, found: Sequence[DetectedPerson]) -> tuple[PersonInImage, ...]:
        return tuple(
            replace(one.person, keypoints=one.keypoints(self.keypoint_set)) for one in found
        )


class WholeBodyFinder:
    """RTMPose or CIGPose in boxes that are given or found."""

    def __init__(
        self,
        estimator: WholeBodyEstimator,
        keypoint_set: KeypointSet | None,
        people: PeopleFinder | None,
    ) -> None:
        """`keypoint_set` None takes the network's own; `people` None needs boxes that are given."""
        self._estimator = estimator
        self.keypoint_set = keypoint_set or estimator.engine.config.keypoint_set
        self._people = people

    def find(self, pixels: Pixels, boxes: Sequence[Box] | None) -> tuple[PersonInImage, ...]:
        """Return the people in boxes, or everybody in the picture."""
        if boxes is None:
            assert self._people is not None
            people = self._people.find(pixels)
        else:
            people = [PersonInImage(box=box, detector="a box") for box in boxes]
        found = self._estimator.find(pixels, people, different=boxes is None)
        mapped = (
            replace(one, keypoints=one.keypoints.mapped_to(self.keypoint_set))
            for one in found
            if one.keypoints is not None
        )
        return tuple(mapped)

    def in_frames(self, frames: Iterable[FilmFrame], *, whole: bool) -> Iterator[FramePeople]:
        """Give each frame with its people."""
        for frame in frames:
            boxes = [whole_box(frame.pixels)] if whole else None
            yield frame, self.find(frame.pixels, boxes)


def whole_box(pixels: Pixels) -> Box:
    """Return the box that holds the whole picture."""
    return 0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])


def open_finder(
    model: KeypointModel,
    keypoint_set: KeypointSet | None,
    *,
    weights: Path | None = None,
    onnx: bool = False,
    flip_test: bool = True,
    detects: bool = True,
    detector: Path | None = None,
    box_score: float = 0.3,
) -> KeypointFinder:
    """Return the finder of a model; `weights` None takes the shipped ones.

    `detects`: boxes are to be found, too, by the ONNX file of a `detector` or by NanoDet, which has
    to be sure of them by `box_score`.
    Raises PoseQueryError for what does not fit together, WeightsError for weights of the other
    model, and what opening them raises.
    """
    if model == "blazepose":
        if weights is not None or onnx:
            raise PoseQueryError(
                "--weights and --engine are for --model cigpose or rtmpose; leave them out"
            )
        from unipose.body.keypoint_sets import COCO_17

        people = _people_finder(detector, box_score) if detects else None
        return BlazePoseFinder(keypoint_set or COCO_17, people)
    if weights is None and model == "cigpose":
        raise PoseQueryError(
            "no weights of CIGPose come along; name a published checkpoint: "
            "--weights cigpose-m.pth (--model rtmpose has a small network of its own)"
        )
    engine = _engine(weights or SHIPPED, onnx=onnx)
    causal = engine.config.causal
    told = weights is None or weights.suffix.lower() != ".onnx"  # ONNX files of others do not tell
    if told and causal != (model == "cigpose"):
        kind = "CIGPose" if causal else "RTMPose"
        raise WeightsError(
            weights or SHIPPED, f"holds a {kind}.", f"Say --model {kind.casefold()}."
        )
    people = _people_finder(detector, box_score) if detects else None
    return WholeBodyFinder(WholeBodyEstimator(engine, flip_test=flip_test), keypoint_set, people)


def _people_finder(detector: Path | None, least: float) -> PeopleFinder:
    if detector is None:
        return NanoDet(least=least)
    return OnnxPersonDetector(detector, least=least)


def _engine(path: Path, *, onnx: bool) -> KeypointEngine:
    """Return what runs the network of a file or folder."""
    if path.suffix.lower() == ".onnx":
        return OnnxEngine(path)
    network = open_keypoint_network(path)
    return exported_engine(network) if onnx else TorchEngine(network)
