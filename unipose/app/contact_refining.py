"""`unipose refine`: poses of photos or files, made to agree with which parts are said to touch."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from unipose.app.photo_keypoints import photos_in
from unipose.body.body import Body
from unipose.body.people import Box, ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.contact.contact_picture import draw_refined
from unipose.contact.contact_votes import ContactVotes, load_contacts, read_votes, save_contacts
from unipose.contact.own_model import identity_of, own_model
from unipose.contact.prompts import VOCABULARIES, contact_question
from unipose.contact.refining import ContactRefiner, RefinedScene
from unipose.errors import ConfigError, EndpointError, FileError, PoseQueryError, UniPoseError
from unipose.files import open_pose, save_pose
from unipose.files.atomic import written_whole
from unipose.files.cache import cache_folder
from unipose.files.glb import write_glb
from unipose.files.keypoint_writing import write_people
from unipose.files.photo import Pixels, open_photo
from unipose.files.weights_mark import network_mark
from unipose.priors.endpoint import Endpoint, EndpointConfig
from unipose.priors.sampled_models import (
    CachedSampledModel,
    ModelQuestion,
    SampledModel,
    sample_all,
)

FIELD_OF_VIEW_DEG = 60.0
"""Across the picture, where no focal length is told (BEV's)."""
MARGIN = 0.15
"""Around the people a model is shown, in sides of their box."""
MOST_TOKENS = 900
"""Of an answer: reasoning and a table."""
TEMPERATURE = 0.7
OWN = "mini"

Progress = Callable[[Iterable[Any], int | None, str], Iterable[Any]]


@runtime_checkable
class PeopleEstimator(Protocol):
    """Who finds people in a photo with their poses: `vision.landmark_estimator`."""

    def people(
        self, pixels: Pixels, boxes: Sequence[Box] | None = None, *, focal_px: float | None = None
    ) -> tuple[PersonInImage, ...]:
        """Return the people with keypoints, pose, place and camera."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who is asked, and how often."""

    who: str
    """"mini", or MODEL@URL of an endpoint."""
    samples: int = 20
    cache: Path | None = None
    """None: the user's folder for caches."""

    def model(self, people: int, load_own: Callable[[], Any]) -> SampledModel:
        """Return who is asked, with all samples kept on disk.

        Raises ConfigError for neither of the two forms.
        """
        folder = self.cache or cache_folder() / "contacts"
        if self.who == OWN:
            own = own_model(load_own(), VOCABULARIES[people], people=people)
            return CachedSampledModel(own, folder)
        name, at, url = self.who.partition("@")
        if not at or not name:
            raise ConfigError(
                f"--ask takes {OWN}, or MODEL@URL such as qwen3-vl:8b@http://127.0.0.1:11434/v1; "
                f"got {self.who!r}"
            )
        config = EndpointConfig(
            url=url, model=name, temperature=TEMPERATURE, most_tokens=MOST_TOKENS, timeout_s=300.0
        )
        key = os.environ.get("OPENAI_API_KEY", "none")
        return CachedSampledModel(Endpoint(config, api_key=key), folder)


@dataclass(kw_only=True)
class RefinedFiles:
    """What was written, and what could not be done."""

    written: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refined: list[RefinedScene] = field(default_factory=list)
    kept: int = 0
    """Results that were there already."""


@dataclass(kw_only=True)
class PhotoRefining:
    """A run over photos or pose files."""

    refiner: ContactRefiner
    people: int
    out: Path
    contacts: Path | None = None
    asking: Asking | None = None
    focal_px: float | None = None
    load_own: Callable[[], Any] | None = None
    estimator: Callable[[], PeopleEstimator] | None = None
    track: Progress = lambda items, count, description: items

    def __post_init__(self) -> None:
        if self.contacts is not None and self.asking is not None:
            raise ConfigError("--contacts says what touches; leave out --ask")
        self.result = RefinedFiles()
        self._pixels: dict[str, Pixels] = {}
        self._asked: dict[str, Pixels] = {}  # of these two people alone, for a model to look at
        self._stopped: EndpointError | None = None

    def photos(self, source: Path) -> RefinedFiles:
        """Refine a photo, or all in a folder.

        One that cannot be read, or shows too few people, is told of and left out; results that
        were written with the same settings are not made again. Raises what is wrong with the only
        photo, and EndpointError if the endpoint stays broken: what it answered is kept.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        paths = photos_in(source)
        todo = [path for path in paths if not self._is_done(path.name)]
        self.result.kept = len(paths) - len(todo)
        scenes = list(self._scenes(todo, alone=len(paths) == 1))
        self._refine(scenes, self._votes(scenes))
        return self.result

    def poses(self, files: Sequence[Path], persons: Sequence[str]) -> RefinedFiles:
        """Refine the poses in files: the first poses of one, or the first pose of each.

        `persons` are the ids of people in files that hold several. Without a picture nobody can be
        asked; the contacts come from a file.
        """
        if self.asking is not None:
            raise ConfigError("a model is asked about pictures; for pose files give --contacts")
        self.out.mkdir(parents=True, exist_ok=True)
        given = [open_pose(file, person=one) for file, one in zip(
            files if len(files) > 1 else [*files] * max(1, len(persons)),
            [*persons] or [None] * len(files), strict=False,
        )]  # fmt: skip
        rows = [pose[0] for pose in given] if len(given) > 1 else list(_rows(given[0], self.people))
        if len(rows) != self.people:
            raise PoseQueryError(f"expected poses of {self.people} people, got {len(rows)}")
        placed = tuple(PersonInImage(pose=_placed(pose)) for pose in rows)
        scene = ImagePeople(image=files[0].name, people=placed)
        self._refine([scene], self._votes([scene]))
        return self.result

    def _scenes(self, paths: Sequence[Path], *, alone: bool) -> Iterator[ImagePeople]:
        if not paths or self.estimator is None:
            return
        estimator = self.estimator()
        for path in self.track(paths, len(paths), "people"):
            try:
                pixels = open_photo(path)
                height, width = pixels.shape[:2]
                focal = self.focal_px or width / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
                found = estimator.people(pixels, focal_px=float(focal))
                scene = ImagePeople(
                    image=path.name, people=_largest(found, self.people, path),
                    size_px=(width, height),
                )  # fmt: skip
            except UniPoseError as error:
                if alone:
                    raise
                self._fail(str(error))
                continue
            self._pixels[path.name] = pixels
            self._asked[path.name] = _only_these(pixels, scene, found)
            yield scene

    def _votes(self, scenes: Sequence[ImagePeople]) -> dict[str, ContactVotes]:
        """Return what is said of each scene; nothing where nobody says anything."""
        nothing = ContactVotes(people=self.people, samples=())
        votes = {scene.image: nothing for scene in scenes}
        if self.contacts is not None:
            known = load_contacts(self.contacts, VOCABULARIES)
            for name in votes:
                if name in known:
                    votes[name] = known[name]
                else:
                    self._fail(f"{self.contacts} says nothing of {name}")
        elif self.asking is not None and scenes:
            questions = [self._question(scene) for scene in scenes]
            model = self.asking.model(self.people, lambda: self._own)
            answers = sample_all(model, questions, count=self.asking.samples)
            waiting = set(votes)
            try:
                for place, answer in self.track(answers, len(questions), "asking"):
                    name = scenes[place].image
                    waiting.discard(name)
                    votes[name] = read_votes(
                        answer.texts, VOCABULARIES[self.people], people=self.people
                    )
                    if answer.problems:
                        some = f"{len(answer.problems)} of {self.asking.samples} answers failed"
                        self._fail(f"{answer.key}: {some}, the first because {answer.problems[0]}")
            except EndpointError as error:
                self._stopped = error
                votes = {name: said for name, said in votes.items() if name not in waiting}
        return votes

    def _question(self, scene: ImagePeople) -> ModelQuestion:
        boxes = [person.box for person in scene.people if person.box is not None]
        pixels = _cropped(self._asked[scene.image], boxes)
        return contact_question(pixels, people=self.people, key=scene.image)

    def _refine(self, scenes: Sequence[ImagePeople], votes: dict[str, ContactVotes]) -> None:
        file = self.out / "contacts.json"
        if votes:
            known = load_contacts(file, VOCABULARIES) if file.is_file() else {}
            save_contacts(known | votes, file)
        scenes = [scene for scene in scenes if scene.image in votes]
        step = self.refiner.batch
        batches = [scenes[i : i + step] for i in range(0, len(scenes), step)]
        for some in self.track(batches, len(batches), "refining"):
            for one in self.refiner.refine(some, [votes[scene.image] for scene in some]):
                self.result.refined.append(one)
                self._write(one)
        if self._stopped is not None:
            raise self._stopped

    def _write(self, one: RefinedScene) -> None:
        name, body = one.before.image, self.refiner.body
        stem = self.out / Path(name).stem
        files = []
        for when, scene in (("before", one.before), ("after", one.after)):
            files.append(
                save_pose(_together(scene, body), stem.with_name(f"{stem.name}-{when}.npz"))
            )
        if name in self._pixels:
            seen = stem.with_name(f"{stem.name}-keypoints.json")
            files.append(write_people([one.before], seen))
        for i, person in enumerate(one.after.people):
            assert person.pose is not None
            ending = ".glb" if self.people == 1 else f"-{i + 1}.glb"
            files.append(write_glb(person.pose, stem.with_name(f"{stem.name}{ending}"), body))
        picture = stem.with_name(f"{stem.name}-contacts.png")
        with written_whole(picture) as temporary:
            Image.fromarray(draw_refined(one, self.refiner, self._pixels.get(name))).save(temporary)
        report = {
            "settings": self._settings(), "image": name, "fell_back": one.fell_back,
            "votes": [[*pair, count] for pair, count in one.votes.votes.items()],
            "samples": len(one.votes.samples), "empty": one.votes.empty,
            "contact_before_m": one.contact_before_m, "contact_after_m": one.contact_after_m,
            "steps": one.steps,
        }  # fmt: skip
        with written_whole(self._report(name)) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        self.result.written += [str(file) for file in (*files, picture)]

    @cached_property
    def _own(self) -> Any:
        return (self.load_own or _no_model)()

    @cached_property
    def _marks(self) -> dict[str, Any]:
        """Marks of what a result hangs on and that its name does not tell."""
        assert self.refiner.prior is not None  # the refiner's __post_init__
        marks: dict[str, Any] = {
            "body": network_mark(self.refiner.body), "prior": network_mark(self.refiner.prior),
        }  # fmt: skip
        if self.asking is not None and self.asking.who == OWN:
            marks["own_model"] = identity_of(self._own)
        return marks

    def _settings(self) -> dict[str, Any]:
        asked = None if self.asking is None else [self.asking.who, self.asking.samples]
        given = None
        if self.contacts is not None and self.contacts.is_file():
            given = [str(self.contacts), self.contacts.stat().st_mtime_ns]
        return {
            "people": self.people, "ask": asked, "contacts": given, "focal_px": self.focal_px,
            "threshold": self.refiner.threshold, "most_empty": self.refiner.most_empty,
            "ground": self.refiner.ground, "body": self.refiner.body.id, "marks": self._marks,
        }  # fmt: skip

    def _report(self, name: str) -> Path:
        return self.out / f"{Path(name).stem}.json"

    def _is_done(self, name: str) -> bool:
        try:
            kept = json.loads(self._report(name).read_text(encoding="utf-8"))
            return kept["settings"] == self._settings() and kept["image"] == name
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _fail(self, problem: str) -> None:
        print(f"note: {problem}", file=sys.stderr)
        self.result.failed.append(problem)


def _no_model() -> Any:
    raise ConfigError("there is no model of our own to ask")


def _rows(pose: Pose, people: int) -> Iterator[Pose]:
    for i in range(min(len(pose), people)):
        yield pose[i]


def _placed(pose: Pose) -> Pose:
    return pose if pose.translation is not None else replace(pose, translation=torch.zeros(1, 3))


def _largest(found: Sequence[PersonInImage], people: int, path: Path) -> tuple[PersonInImage, ...]:
    """Return the people who take up most of a picture, from left to right."""

    def area(person: PersonInImage) -> float:
        left, top, right, bottom = person.box or (0.0, 0.0, 0.0, 0.0)
        return (right - left) * (bottom - top) * person.confidence

    if len(found) < people:
        seen = {0: "nobody", 1: "1 person"}.get(len(found), f"{len(found)} people")
        raise FileError(path, f"shows {seen}, expected {people}.", "--people N says how many.")
    chosen = sorted(found, key=area, reverse=True)[:people]
    return tuple(sorted(chosen, key=lambda person: (person.box or (0.0,))[0]))


def _only_these(pixels: Pixels, scene: ImagePeople, found: Sequence[PersonInImage]) -> Pixels:
    """Return the picture with everybody else painted white, where the chosen ones are not."""
    chosen = [person.box for person in scene.people]
    mask = np.zeros(pixels.shape[:2], dtype=bool)
    for keep in (False, True):
        for person in found:
            if person.box is not None and (person.box in chosen) == keep:
                left, top, right, bottom = (max(0, round(edge)) for edge in person.box)
                mask[top:bottom, left:right] = not keep
    return np.where(mask[..., None], np.uint8(255), pixels)


def _cropped(
    pixels: UInt8[np.ndarray, "_ _ 3"], boxes: Sequence[Box]
) -> UInt8[np.ndarray, "_ _ 3"]:
    if not boxes:
        return pixels
    edges = np.array(boxes)
    low, high = edges[:, :2].min(0), edges[:, 2:].max(0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    left, top = np.maximum(low, 0).astype(int)
    right, bottom = np.ceil(high).astype(int)
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _together(scene: ImagePeople, body: Body) -> Pose:
    """Return the poses of a scene as one batch."""
    poses = [person.pose for person in scene.people if person.pose is not None]
    betas = [torch.zeros(1, 10) if pose.betas is None else pose.betas for pose in poses]
    places = [pose.translation for pose in poses if pose.translation is not None]
    return Pose(
        rotations=torch.cat([pose.rotations for pose in poses]), betas=torch.cat(betas),
        translation=torch.cat(places), body=body.id,
    )  # fmt: skip
