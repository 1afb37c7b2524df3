"""BlazePose: people in photographs as 33 landmarks in the picture and in metres.

Two networks (Bazarevsky et al. 2020, Apache-2.0): a detector that places people by their hips and
the circle around their body, and a landmark network that looks at a square turned with the body.
The files come from `blazepose_files`; they run on the CPU by `ai-edge-litert`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import atan2, cos, hypot, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unipose.body.people import Box
from unipose.errors import ConfigError, MissingFileError
from unipose.vision.blazepose_files import blazepose_folder, checked

Pixels = UInt8[np.ndarray, "height width 3"]

LANDMARKS = 33
DETECTOR_PX, LANDMARK_PX = 224, 256
SCALE = 1.25
"""Of the square that holds the circle around the body."""
_HIPS, _CIRCLE = 33, 34
"""The auxiliary landmarks that the next square is made of."""


@dataclass(frozen=True, kw_only=True)
class TurnedSquare:
    """A square of a picture, turned about its middle."""

    centre: tuple[float, float]
    """Pixels: x right, y down, (0, 0) the picture's top left corner."""
    side: float
    angle: float = 0.0
    """Radians: how far the square's top is turned to the right of the picture's top."""

    def cut(self, pixels: Pixels, side_px: int) -> Float[np.ndarray, "side side 3"]:
        """Return the square's pixels, 0 to 1; black beyond the picture.

        Where it shrinks, whole pixels are averaged first, so that none is skipped.
        """
        shrink = max(1, int(self.side / side_px))
        picture = Image.fromarray(pixels)
        if shrink > 1:
            x, y, reach = *self.centre, self.side * 0.75
            corner = (max(0, int(x - reach)), max(0, int(y - reach)))
            edge = (min(picture.width, int(x + reach) + 1), min(picture.height, int(y + reach) + 1))
            if corner[0] >= edge[0] or corner[1] >= edge[1]:
                return np.zeros((side_px, side_px, 3), dtype=np.float32)
            picture = picture.reduce(shrink, box=(*corner, *edge))
        else:
            corner = (0, 0)
        matrix = self._matrix(side_px)
        matrix[:, 2] -= corner
        matrix /= shrink
        cut = picture.transform(
            (side_px, side_px), Image.Transform.AFFINE, data=tuple(matrix.ravel()),
            resample=Image.Resampling.BILINEAR,
        )  # fmt: skip
        return np.asarray(cut, dtype=np.float32) / 255

    def to_picture(self, places: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "point 2"]:
        """Return places in the square (0 to 1, from its top left corner) as pixels."""
        matrix = self._matrix(1)
        return (places @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    def _matrix(self, side_px: int) -> Float[np.ndarray, "2 3"]:
        """Return the affine map from the square's own pixels to the picture's."""
        step = self.side / side_px
        across = np.array([cos(self.angle), sin(self.angle)]) * step
        down = np.array([-sin(self.angle), cos(self.angle)]) * step
        corner = np.array(self.centre) - (across + down) * side_px / 2
        return np.stack([across, down, corner], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectedPerson:
    """What the detector says of one person."""

    score: float
    face: Box
    square: TurnedSquare
    """Around the whole body."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyLandmarks:
    """One person as the landmark network sees them in one square."""

    square: TurnedSquare
    points: Float[np.ndarray, "33 2"]
    """Pixels of the picture."""
    visibility: Float[np.ndarray, "33"]
    """How likely each landmark is in the picture and not covered."""
    inside: Float[np.ndarray, "33"]
    """How likely each landmark lies inside the picture ("presence")."""
    world: Float[np.ndarray, "33 3"]
    """Metres from the middle of the hips: x right, y down, z away from the camera."""
    presence: float
    """How likely there is a person in the square."""
    next_square: TurnedSquare
    """Around the body as it was found."""

    @property
    def quality(self) -> float:
        """How much of a person was seen: presence times the mean visibility."""
        return self.presence * float(self.visibility.mean())


class BlazePose:
    """The two networks; a landmark run takes about 15 ms on one core."""

    def __init__(self, folder: Path | None = None, *, threads: int = 2) -> None:
        """Open the networks. Raises MissingFileError or WeightsError that say how to get them."""
        folder = blazepose_folder() if folder is None else folder
        self._detector = _interpreter(checked(folder / "pose_detection.tflite"), threads)
        self._landmarks = _interpreter(checked(folder / "pose_landmark_full.tflite"), threads)

    def detect(self, pixels: Pixels, *, least: float = 0.5) -> list[DetectedPerson]:
        """Return the people that the detector finds, the surest first."""
        height, width = pixels.shape[:2]
        whole = TurnedSquare(centre=(width / 2, height / 2), side=float(max(height, width)))
        raw, logits = _run(self._detector, 2 * whole.cut(pixels, DETECTOR_PX) - 1)
        if raw.shape[-1] == 1:
            raw, logits = logits, raw
        scores = _sigmoid(np.clip(logits.reshape(-1), -100, 100))
        order = np.argsort(-scores)
        order = order[scores[order] >= least]
        raw = raw.reshape(-1, 12) / DETECTOR_PX
        anchors = _anchors()
        found: list[DetectedPerson] = []
        for at in order:
            middle = raw[at, :2] + anchors[at]
            size = raw[at, 2:4]
            corners = np.stack([middle - size / 2, middle + size / 2])
            points = whole.to_picture(raw[at, 4:].reshape(4, 2) + anchors[at])
            left, top, right, bottom = whole.to_picture(corners).ravel().tolist()
            person = DetectedPerson(
                score=float(scores[at]),
                face=(left, top, right, bottom),
                square=_around_circle(points[0], points[1]),
            )
            if all(_overlap(person.face, other.face) < 0.3 for other in found):
                found.append(person)
        return found

    def look(self, pixels: Pixels, square: TurnedSquare) -> BodyLandmarks:
        """Return the landmarks of the person in a square."""
        outputs = _run(self._landmarks, square.cut(pixels, LANDMARK_PX))
        by_size = {output.size: output.reshape(-1) for output in outputs}
        rows = by_size[39 * 5].reshape(39, 5)
        points = square.to_picture(rows[:, :2] / LANDMARK_PX)
        world = by_size[39 * 3].reshape(39, 3)[:LANDMARKS].copy()
        # the network speaks in the square's axes
        c, s = cos(square.angle), sin(square.angle)
        world[:, :2] = world[:, :2] @ np.array([[c, s], [-s, c]], dtype=np.float32)
        return BodyLandmarks(
            square=square,
            points=points[:LANDMARKS],
            visibility=_sigmoid(rows[:LANDMARKS, 3]),
            inside=_sigmoid(rows[:LANDMARKS, 4]),
            world=world,
            presence=float(by_size[1][0]),
            next_square=_around_circle(points[_HIPS], points[_CIRCLE]),
        )

    def follow(
        self, pixels: Pixels, starts: Sequence[TurnedSquare], *, rounds: int = 2
    ) -> BodyLandmarks:
        """Return the best of what is seen from several first squares, each looked at again.

        Each round looks at the square that the one before has found.
        """
        if not starts:
            raise ConfigError("expected at least one square to start from")
        best: BodyLandmarks | None = None
        for square in starts:
            for _ in range(rounds):
                found = self.look(pixels, square)
                square = found.next_square
                if best is None or found.quality > best.quality:
                    best = found
        assert best is not None
        return best


def square_of_box(box: Box, *, scale: float = 1.25, angle: float = 0.0) -> TurnedSquare:
    """Return the square that holds a person's box (left, top, right, bottom)."""
    left, top, right, bottom = box
    return TurnedSquare(
        centre=((left + right) / 2, (top + bottom) / 2),
        side=scale * max(right - left, bottom - top),
        angle=angle,
    )


def _around_circle(hips: Float[np.ndarray, "2"], circle: Float[np.ndarray, "2"]) -> TurnedSquare:
    """Return the square around a body: middle of the hips, and a point on the circle above it."""
    x, y = (float(v) for v in circle - hips)
    return TurnedSquare(
        centre=(float(hips[0]), float(hips[1])),
        side=max(2 * hypot(x, y) * SCALE, 1.0),
        angle=atan2(x, -y),
    )


def _interpreter(path: Path, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter  # slow to import
    except ImportError as error:
        raise MissingFileError(
            "ai-edge-litert", "the package that runs the pose network is not installed.",
            "`make setup` brings it (pip install ai-edge-litert).",
        ) from error  # fmt: skip
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def _run(interpreter: Any, image: Float[np.ndarray, "side side 3"]) -> list[np.ndarray]:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@cache
def _anchors() -> Float[np.ndarray, "anchor 2"]:
    """Return the middles of the detector's anchors, 0 to 1: strides 8, 16 and three times 32."""
    found = []
    for stride, count in ((8, 2), (16, 2), (32, 6)):
        places = DETECTOR_PX // stride
        grid = (np.arange(places) + 0.5) / places
        y, x = np.meshgrid(grid, grid, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), count, axis=0))
    return np.concatenate(found).astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _overlap(a: Box, b: Box) -> float:
    """Return the intersection over the union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


TURNS = (0.0, pi / 2, -pi / 2)
"""First turns of a square whose person may lie."""
