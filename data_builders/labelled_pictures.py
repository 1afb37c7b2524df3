"""People in pictures to ask about, out of a source that has poses, cameras and pictures."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.picture_pool import Example, Look, PicturedPerson, seen_in_crop, with_root
from data_builders.readers.pictures import read_picture
from data_builders.readers.source import Drops
from data_builders.records import Record, RecordPair
from unipose.body.camera import Camera
from unipose.body.skeletons import POSED_JOINTS
from unipose.language.templates import Task
from unipose.vision.mesh_recovery_protocol import LEVEL


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledPerson:
    """One person in one picture whose pose is known."""

    image: Path
    orientation: int
    """As `Record.orientation`."""
    box: tuple[float, float, float, float] | None
    camera: Camera
    rotations: Float[Tensor, "22 3 3"]
    """The root's has the world's axes."""


def labelled_people(records: Iterable[Record | RecordPair], drops: Drops) -> list[LabelledPerson]:
    """Return the people whose pose and picture are known; the others are noted in `drops`."""
    people = []
    for record in records:
        if not isinstance(record, Record):
            drops.add(record.key, "is a pair without pictures")
        elif record.pose is None or record.image is None or record.camera is None:
            drops.add(record.key, "has not all of pose, picture and camera")
        else:
            people.append(
                LabelledPerson(
                    image=record.image,
                    orientation=record.orientation,
                    box=record.box,
                    camera=record.camera,
                    rotations=record.pose.rotations[0, :POSED_JOINTS].float(),
                )
            )
    return people


@dataclass(kw_only=True, eq=False)
class LabelledPictures:
    """Pictures that are opened when they are asked about; their texts are written."""

    people: Sequence[LabelledPerson]
    look: Look
    kept: int = 4096
    tasks: ClassVar = frozenset({Task.IMAGE_TO_TEXT, Task.ESTIMATE})
    actions: ClassVar[tuple[str, ...]] = ()
    _shown: Any = field(init=False)

    def __post_init__(self) -> None:
        self._shown = lru_cache(maxsize=self.kept)(self._open)

    def example(self, task: Task, chance: random.Random) -> Example:
        """Return an example: a person, whatever the task. Raises FileError for a broken picture."""
        return Example(shown=(self._shown(chance.randrange(len(self.people))),))

    def _open(self, number: int) -> PicturedPerson:
        person = self.people[number]
        pixels = read_picture(person.image, orientation=person.orientation)
        height, width = pixels.shape[:2]
        camera = person.camera
        root = camera.camera_from_world.float() @ person.rotations[0]
        if person.box is None:
            rotations = with_root(person.rotations, LEVEL @ root)
        else:
            centre = [width / 2 + camera.centre[0] * height, height / 2 + camera.centre[1] * height]
            rotations = seen_in_crop(
                person.rotations, root, person.box, camera.focal * height, centre
            )
        picture = self.look(torch.from_numpy(np.array(pixels)), person.box)
        return PicturedPerson(picture=picture, rotations=rotations)
