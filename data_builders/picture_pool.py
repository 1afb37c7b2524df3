"""People in pictures to ask about, out of the studio as it takes them.

A source of pictures (this one, or `built_pictures`) gives an example of a task for a generator's
state: the same state, the same example, in any process. Pictures are handed to `look` as soon as
they are there and kept as it returns them (as pixels made ready, or as what frozen eyes saw), so
that none is taken and seen twice.

The root's rotation of a person in a picture has the axes of whoever looks: x to their right, y up,
z towards them. Somebody who faces the camera faces the front.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from data_builders.studio import Studio, StudioImage, StudioPerson
from data_builders.studio.labels import is_well_seen
from unipose.body.regions import GROUND
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.language.answers import Pair
from unipose.language.pictures import Picture
from unipose.language.templates import Task
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery_protocol import LEVEL

Look = Callable[[UInt8[Tensor, "height width 3"], Sequence[float] | None], Picture]
"""From a picture and the box of who is meant (None: all of it) to what the model takes."""

LONGEST_LABEL = 60
"""Characters of an action's name; longer ones are stories."""
STUDIO_TASKS = frozenset(
    {Task.IMAGE_TO_TEXT, Task.IMAGE_DIFF, Task.ESTIMATE, Task.REASON, Task.CONTACTS,
     Task.MOTION_LABEL}
)  # fmt: skip
"""What the studio knows enough for; actions only where its recordings have two of them."""
TRIES = 200
"""Pictures that are looked through for an example of a task."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PicturedPerson:
    """One person in one picture."""

    picture: Picture
    rotations: Float[Tensor, "22 3 3"] | None
    """As whoever looks at `picture` sees them; None where it is not known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """What a question and its answer are made of; which fields matter depends on the task."""

    shown: tuple[PicturedPerson, ...]
    text: str = ""
    """A caption, or the change from the first to the second; empty: to be written."""
    who: str = ""
    label: str = ""
    contacts: tuple[Pair, ...] = ()
    people: int = 1
    """Whose contacts: one person's own, or those between two."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Person:
    number: int
    middle: float
    near: PicturedPerson
    rotations: Float[Tensor, "22 3 3"]
    """As seen in the whole picture."""
    contacts: tuple[Pair, ...]
    label: str
    phrases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scene:
    """One picture of the studio: those who are seen well, left to right."""

    people: tuple[_Person, ...]
    whole: Picture | None
    """None where nobody needs to be told apart."""
    between: tuple[Pair, ...] = ()
    """Touches of the two people, if there are exactly two."""


class StudioPictures:
    """The studio's pictures and films, each a function of its number and the studio's seed."""

    def __init__(
        self, studio: Studio, look: Look, *, stills: int, films: int, kept: int = 4096
    ) -> None:
        """`stills` and `films`: so many different ones; `kept` pictures are not taken again."""
        self.studio, self.look = studio, look
        self.stills, self.films = stills, films
        self.actions = tuple(
            sorted({t.label for t in studio.motions.takes if 0 < len(t.label) <= LONGEST_LABEL})
        )
        self.tasks = STUDIO_TASKS - ({Task.MOTION_LABEL} if len(self.actions) < 2 else set())
        self._still = lru_cache(maxsize=kept)(lambda i: self._scene(studio.sample(i), True))
        self._film = lru_cache(maxsize=max(1, kept // studio.config.frames))(
            lambda i: tuple(self._scene(frame, False) for frame in studio.film(i).frames)
        )

    def example(self, task: Task, chance: random.Random) -> Example:
        """Return an example; ConfigError if the studio shows nothing of the kind."""
        count = self.films if task in (Task.IMAGE_DIFF, Task.MOTION_LABEL) else self.stills
        start = chance.randrange(count)
        for i in range(start, start + min(count, TRIES)):
            found = self._try(task, i % count, chance)
            if found is not None:
                return found
        raise ConfigError(f"none of {TRIES} of the studio's pictures is an example of {task}")

    def _try(self, task: Task, index: int, chance: random.Random) -> Example | None:
        if task in (Task.IMAGE_DIFF, Task.MOTION_LABEL):
            return _of_film(task, self._film(index), chance)
        scene = self._still(index)
        if task == Task.CONTACTS:
            return _touching(scene, chance)
        if task == Task.REASON:
            named = [person for person in scene.people if person.phrases]
            if not named or scene.whole is None:
                return None
            person = chance.choice(named)
            shown = PicturedPerson(picture=scene.whole, rotations=person.rotations)
            return Example(shown=(shown,), who=chance.choice(person.phrases))
        if not scene.people:
            return None
        return Example(shown=(chance.choice(scene.people).near,))

    def _scene(self, image: StudioImage, all_of_it: bool) -> _Scene:
        pixels = torch.from_numpy(np.ascontiguousarray(image.pixels))
        people = [
            self._person(image, person, pixels) for person in image.people if is_well_seen(person)
        ]
        people.sort(key=lambda person: person.middle)
        several = len(image.people) > 1 and any(person.phrases for person in people)
        between: tuple[Pair, ...] = ()
        if len(people) == len(image.people) == 2:
            first = people[0].number
            between = tuple(
                (c.part, c.other_part) if c.person == first else (c.other_part, c.part)
                for c in image.contacts
            )
        whole = self.look(pixels, None) if all_of_it and (several or between) else None
        return _Scene(people=tuple(people), whole=whole, between=between)

    def _person(
        self, image: StudioImage, person: StudioPerson, pixels: UInt8[Tensor, "height width 3"]
    ) -> _Person:
        height, width = pixels.shape[:2]
        assert person.box is not None  # those seen well have one
        focal = image.camera.focal * height
        centre = [width / 2 + image.camera.centre[0] * height,
                  height / 2 + image.camera.centre[1] * height]  # fmt: skip
        local = torch.from_numpy(person.rotations[:POSED_JOINTS]).float()
        root = torch.from_numpy(person.root_in_camera).float()
        near = seen_in_crop(local, root, person.box, focal, centre)
        return _Person(
            number=person.number,
            middle=(person.box[0] + person.box[2]) / 2,
            near=PicturedPerson(picture=self.look(pixels, person.box), rotations=near),
            rotations=with_root(local, LEVEL @ root),
            contacts=tuple((c.part, c.other_part) for c in person.contacts
                           if c.other_part != GROUND),
            label=person.label if len(person.label) <= LONGEST_LABEL else "",
            phrases=person.phrases if len(image.people) > 1 else (),
        )  # fmt: skip


def _of_film(task: Task, frames: Sequence[_Scene], chance: random.Random) -> Example | None:
    """Return two frames of one person, or all of them with what the person does."""
    seen: dict[int, list[_Person]] = {}
    for frame in frames:
        for person in frame.people:
            seen.setdefault(person.number, []).append(person)
    least = 2 if task == Task.IMAGE_DIFF else len(frames)
    there = [
        some
        for some in seen.values()
        if len(some) >= least and (task == Task.IMAGE_DIFF or some[0].label)
    ]
    if not there:
        return None
    person = chance.choice(there)
    if task == Task.MOTION_LABEL:
        return Example(shown=tuple(moment.near for moment in person), label=person[0].label)
    first, second = chance.sample(person, 2)
    return Example(shown=(first.near, second.near))


def _touching(scene: _Scene, chance: random.Random) -> Example | None:
    """Return who touches whom; pictures without a touch are taken one time in five."""
    if scene.between and scene.whole is not None and chance.random() < 0.5:
        shown = PicturedPerson(picture=scene.whole, rotations=None)
        return Example(shown=(shown,), contacts=scene.between, people=2)
    if not scene.people:
        return None
    person = chance.choice(scene.people)
    if not person.contacts and chance.random() >= 0.2:
        return None
    return Example(shown=(person.near,), contacts=person.contacts)


def seen_in_crop(
    local: Float[Tensor, "22 3 3"],
    root_in_camera: Float[Tensor, "3 3"],
    box: Sequence[float],
    focal_px: float,
    centre_px: Sequence[float],
) -> Float[Tensor, "22 3 3"]:
    """Return a pose as it looks in the square around the box.

    A crop does not know from where in the picture it was cut out: who stands at the edge is seen
    from the side.
    """
    crops = Crops.around(torch.tensor([list(box)], dtype=torch.float32))
    turn = crops.turns(torch.tensor([float(focal_px)]), torch.tensor([list(centre_px)]).float())[0]
    return with_root(local, LEVEL @ turn.mT @ root_in_camera)


def with_root(
    local: Float[Tensor, "22 3 3"], root: Float[Tensor, "3 3"]
) -> Float[Tensor, "22 3 3"]:
    """Return the pose with another rotation of its root."""
    return torch.cat([root[None], local[1:]])
