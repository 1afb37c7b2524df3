"""Hands and face of a person in a photograph: MediaPipe's networks (Apache-2.0).

BlazePose's landmarks say where they are; each network looks twice, the second time at the square
that its first answer gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.vision.graph_model import GraphModel
from unipose.vision.network_files import network_file
from unipose.vision.turned_square import Pixels, TurnedSquare

HAND_PX, FACE_PX = 224, 192
LEAST_PRESENCE = 0.1
"""Below it there is no hand or face where it was looked for."""
HAND_SCALES = (2.7, 2.0)
"""Of the first square, to twice the distance wrist - knuckles; of the second, to the hand."""
FACE_SCALES = (4.0, 1.5)
"""Of the first square, to the distance of the eyes; of the second, to the face."""
FACE_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Of the face mesh's 468 vertices, those at the 68 places that COCO-WholeBody marks: jaw from the
person's right, brows, nose, eyes, lips."""
_NAMES = COCO_WHOLEBODY_133.names
FACE = KeypointSet(name="face-68", names=_NAMES[23:91])
HANDS = {
    "left": KeypointSet(name="left-hand-21", names=_NAMES[91:112]),
    "right": KeypointSet(name="right-hand-21", names=_NAMES[112:133]),
}


class HandsAndFace:
    """The two networks. Some 90 ms a person on one core."""

    def __init__(self) -> None:
        """Open the networks. Raises MissingFileError or WeightsError that say how to get them."""
        self._hand = GraphModel(network_file("handlandmark-full"))
        self._face = GraphModel(network_file("facemesh"))

    def look(self, pixels: Pixels, landmarks: Keypoints) -> list[Keypoints]:
        """Return face, left and right hand of the person with these landmarks of BlazePose.

        One row each, in pixels; the score is how likely there is a hand or face (0 to 1), and all
        keypoints are missing below LEAST_PRESENCE.
        """
        face = _twice(
            pixels, _face_square(landmarks), self._face, FACE_PX, ("Identity_2", "Identity_1"),
            _around_face,
        )  # fmt: skip
        found = [_row(FACE, face[0][list(FACE_68)], face[1])]
        for side, keypoint_set in HANDS.items():
            places, presence = _twice(
                pixels, _hand_square(landmarks, side), self._hand, HAND_PX,
                ("Identity", "Identity_1"), _around_hand,
            )  # fmt: skip
            found.append(_row(keypoint_set, places, presence))
        return found


def _twice(
    pixels: Pixels,
    square: TurnedSquare,
    network: GraphModel,
    side_px: int,
    outputs: tuple[str, str],
    square_around: Callable[[Float[np.ndarray, "point 2"]], TurnedSquare],
) -> tuple[Float[np.ndarray, "point 2"], float]:
    """Return places (pixels) and presence, of the square that the first look has found."""
    best: tuple[Float[np.ndarray, "point 2"], float] | None = None
    for _ in range(2):
        image = torch.from_numpy(square.cut(pixels, side_px).astype(np.float32) / 255)
        found, presence = network(image[None], *outputs)
        places = square.to_picture(found.reshape(-1, 3)[:, :2].numpy() / side_px)
        if best is None or float(presence) >= best[1]:
            best = places, float(presence)
        if best[1] < LEAST_PRESENCE:
            break
        square = square_around(places)
    assert best is not None
    return best


def _row(
    keypoint_set: KeypointSet, places: Float[np.ndarray, "point 2"], presence: float
) -> Keypoints:
    scores = torch.full((1, len(places)), presence)
    return Keypoints.of(
        keypoint_set, torch.from_numpy(places)[None], scores, present=scores >= LEAST_PRESENCE
    )


def _face_square(landmarks: Keypoints) -> TurnedSquare:
    eyes = [landmarks.point(f"{side}_eye")[0].numpy() for side in ("left", "right")]
    mouth = (landmarks.point("left_mouth") + landmarks.point("right_mouth"))[0].numpy() / 2
    middle = (eyes[0] + eyes[1]) / 2
    up = middle - mouth
    # of a face in profile the eyes are close; eyes and mouth still are apart
    size = max(float(np.linalg.norm(eyes[0] - eyes[1])), 0.9 * float(np.linalg.norm(up)))
    centre = (middle + mouth) / 2
    return replace(
        TurnedSquare.around_circle(centre, centre + up), side=max(FACE_SCALES[0] * size, 1.0)
    )


def _around_face(places: Float[np.ndarray, "point 2"]) -> TurnedSquare:
    low, high = places.min(axis=0), places.max(axis=0)
    centre = (low + high) / 2
    across = places[263] - places[33]  # outer corners of the eyes
    up = np.array([across[1], -across[0]])
    return replace(
        TurnedSquare.around_circle(centre, centre + up),
        side=max(FACE_SCALES[1] * float((high - low).max()), 1.0),
    )


def _hand_square(landmarks: Keypoints, side: str) -> TurnedSquare:
    wrist, index, pinky = (
        landmarks.point(f"{side}_{name}")[0].numpy() for name in ("wrist", "index", "pinky")
    )
    knuckles = (2 * index + pinky) / 3
    return TurnedSquare.around_circle(knuckles, knuckles + (knuckles - wrist), scale=HAND_SCALES[0])


def _around_hand(places: Float[np.ndarray, "point 2"]) -> TurnedSquare:
    wrist, middle_finger = places[0], places[9]
    palm = places[[0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]]
    low, high = palm.min(axis=0), palm.max(axis=0)
    centre = (low + high) / 2
    up = middle_finger - wrist
    centre = centre + 0.1 * up
    return replace(
        TurnedSquare.around_circle(centre, centre + up),
        side=max(HAND_SCALES[1] * float((high - low).max()), 1.0),
    )
