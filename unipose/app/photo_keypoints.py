"""`unipose keypoints`: all people in photos or a film, as keypoints in a file and drawn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from unipose.app.keypoint_finders import KeypointFinder, whole_box
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box, ImagePeople, PersonInImage
from unipose.errors import FileError, PoseQueryError, UniPoseError
from unipose.file_signatures import is_photo
from unipose.files.atomic import written_whole
from unipose.files.film import FOLDER_FPS, FilmReader
from unipose.files.film_writer import film_writer
from unipose.files.keypoint_files import read_keypoint_file
from unipose.files.ordering import files_in_order
from unipose.files.photo import Pixels, open_photo
from unipose.render.skeleton import draw_keypoints


@dataclass(kw_only=True)
class PhotoKeypoints:
    """What is looked for, and by what."""

    finder: KeypointFinder
    boxes: dict[str, list[Box]] | None = None
    """Of each picture's name, ending or not; None lets the finder find people."""
    whole: bool = False
    """Each picture, or frame, is one person's box."""
    find_boxes: Callable[[Pixels], list[Box]] | None = None
    """Another detector of people."""
    picture: Path | None = None
    """Where the picture with what was found goes."""
    pictures: Path | None = None
    """... or those of several: a folder."""
    failed: list[UniPoseError] = field(default_factory=list)
    """Pictures that could not be read, or looked at."""

    def find(self, paths: Sequence[Path]) -> Iterator[ImagePeople]:
        """Give the people of each picture; one that cannot be read is told of and left out."""
        for path in paths:
            try:
                pixels = open_photo(path)
                people = self.finder.find(pixels, self._boxes_of(path, pixels))
            except (FileError, PoseQueryError) as error:
                if len(paths) == 1:
                    raise
                print(f"note: {path.name}: {error}", file=sys.stderr)
                self.failed.append(error)
                continue
            drawn = self._drawn(path, paths)
            if drawn is not None:
                with written_whole(drawn) as temporary:
                    Image.fromarray(draw_keypoints(pixels, _keypoints(people))).save(temporary)
            height, width = pixels.shape[:2]
            yield ImagePeople(image=path.name, people=people, size_px=(width, height))

    def find_in_film(self, film: FilmReader) -> Iterator[ImagePeople]:
        """Give the people of each frame of a film, which is named by its number.

        Ctrl-C ends the film that is drawn where it is, and what is given.
        """
        with ExitStack() as stack:
            drawn = None
            if self.picture is not None:
                drawn = stack.enter_context(film_writer(self.picture, fps=film.fps or FOLDER_FPS))
            frames = self.finder.in_frames(film.frames(), whole=self.whole)
            stopped_s = 0.0
            with suppress(KeyboardInterrupt):
                for frame, people in frames:
                    stopped_s = frame.seconds
                    if drawn is not None:
                        pixels = draw_keypoints(frame.pixels, _keypoints(people))
                        drawn.add(pixels, seconds=frame.seconds)
                    yield ImagePeople(image=str(frame.number), people=people, size_px=film.size_px)
                return
            print(f"note: stopped after {stopped_s:.1f} s", file=sys.stderr)

    def _boxes_of(self, path: Path, pixels: Pixels) -> list[Box] | None:
        if self.whole:
            return [whole_box(pixels)]
        if self.find_boxes is not None:
            return self.find_boxes(pixels)
        if self.boxes is None:
            return None
        for name in (path.name, path.stem):
            if name in self.boxes:
                return self.boxes[name]
        print(f"note: there are no boxes for {path.name}; nobody is looked for", file=sys.stderr)
        return []

    def _drawn(self, path: Path, paths: Sequence[Path]) -> Path | None:
        """Return where the picture of a photo goes; two photos of one name keep their endings."""
        if self.pictures is None:
            return self.picture
        self.pictures.mkdir(parents=True, exist_ok=True)
        alone = sum(other.stem == path.stem for other in paths) == 1
        return self.pictures / f"{path.stem if alone else path.name}.png"


def _keypoints(people: Sequence[PersonInImage]) -> list[Keypoints]:
    return [one.keypoints for one in people if one.keypoints is not None]


def photos_in(path: Path) -> list[Path]:
    """Return the photo, or the photos of a folder: photo 2 before photo 10.

    Raises PoseQueryError if a folder holds none.
    """
    if not path.is_dir():
        return [path]
    found = [file for file in files_in_order(path) if is_photo(file)]
    if not found:
        raise PoseQueryError(f"the folder {path} holds no photo")
    return found


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Return the boxes of a keypoint file (COCO's layout, a detector's ...) by picture.

    Raises FileError if it has none.
    """
    boxes = {
        Path(image.image).name: [one.box for one in image.people if one.box is not None]
        for image in read_keypoint_file(path)
    }
    if not any(boxes.values()):
        raise FileError(path, "holds no boxes of people.", "COCO's files call them bbox.")
    return boxes
