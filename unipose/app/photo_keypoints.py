"""`unipose keypoints`: all people in photographs, as keypoints in a file and on the picture."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, KeypointSet
from unipose.body.people import Box, ImagePeople
from unipose.errors import FileError, PoseQueryError
from unipose.file_signatures import is_photo
from unipose.files.atomic import written_whole
from unipose.files.keypoint_files import read_keypoint_file
from unipose.files.photo import open_photo
from unipose.render.skeleton import draw_keypoints
from unipose.vision.keypoint_detector import DetectedPerson, KeypointDetector

Pixels = UInt8[np.ndarray, "height width 3"]


@dataclass(kw_only=True)
class PhotoKeypoints:
    """What is looked for, and by what."""

    keypoint_set: KeypointSet
    boxes: dict[str, list[Box]] | None = None
    """Of each picture's name, ending or not; None lets the detector find people."""
    find_boxes: Callable[[Pixels], list[Box]] | None = None
    """Another detector of people."""
    picture: Path | None = None
    """Where the pictures with what was found go: a file, or a folder of them."""
    failed: list[FileError] = field(default_factory=list)
    """Pictures that could not be read."""

    def __post_init__(self) -> None:
        names = self.keypoint_set.names
        whole = any(name in COCO_WHOLEBODY_133.names[23:] for name in names)
        self._detector = KeypointDetector(hands_and_face=whole)

    def find(self, paths: Sequence[Path]) -> Iterator[ImagePeople]:
        """Give the people of each picture; one that cannot be read is told of and left out."""
        for path in paths:
            try:
                pixels = open_photo(path)
            except FileError as error:
                if len(paths) == 1:
                    raise
                print(f"note: {error}", file=sys.stderr)
                self.failed.append(error)
                continue
            found = self._detector.find(pixels, self._boxes_of(path, pixels))
            people = [
                replace(one.person, keypoints=one.keypoints(self.keypoint_set)) for one in found
            ]
            if self.picture is not None:
                self._draw(path, pixels, found, several=len(paths) > 1)
            yield ImagePeople(
                image=path.name, people=tuple(people), size_px=(pixels.shape[1], pixels.shape[0])
            )

    def _boxes_of(self, path: Path, pixels: Pixels) -> list[Box] | None:
        if self.find_boxes is not None:
            return self.find_boxes(pixels)
        if self.boxes is None:
            return None
        return self.boxes.get(path.name, self.boxes.get(path.stem, []))

    def _draw(
        self, path: Path, pixels: Pixels, found: Sequence[DetectedPerson], *, several: bool
    ) -> None:
        assert self.picture is not None
        drawn = draw_keypoints(pixels, [one.keypoints(self.keypoint_set) for one in found])
        out = self.picture / f"{path.stem}.png" if several else self.picture
        if several:
            out.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(out) as temporary:
            Image.fromarray(drawn).save(temporary)


def photos_in(path: Path) -> list[Path]:
    """Return the photo, or the photos of a folder in the order of their names.

    Raises PoseQueryError if a folder holds none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if is_photo(file))
    if not found:
        raise PoseQueryError(f"the folder {path} holds no photo")
    return found


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Return the boxes of a keypoint file (COCO's layout, a detector's ...) by picture.

    Raises FileError if it has none.
    """
    boxes = {
        image.image: [one.box for one in image.people if one.box is not None]
        for image in read_keypoint_file(path)
    }
    if not any(boxes.values()):
        raise FileError(path, "holds no boxes of people.", "COCO's files call them bbox.")
    return boxes
