"""The library of named poses that comes with the package: names, wordings, poses.

    named = NamedPoses.load()
    named.names                                    ("sitting cross-legged", ...)
    named.wordings("sitting cross-legged", "train")
    named.draw("sitting cross-legged", generator)  one of its variants: (22, 3, 3)

Each pose has a solved centre and variants of it; data_builders/named_poses made them.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tokenizer.rotations import rotations_from_6d
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import PoseQueryError, WeightsError

NAMED_POSES_FILE = Path(__file__).parents[1] / "weights" / "named_poses.safetensors"
FORMAT = "unipose named poses 1"
WordingSplit = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class NamedPose:
    """What is known of one named pose, but for its rotations."""

    name: str
    family: str
    """Such as "yoga"."""
    row: int
    """Where its poses stand in `NamedPoses.sixd`."""
    other_side: bool
    """The poses of the row have left and right exchanged."""
    mirrored: bool
    """Whether left and right may be exchanged under this name."""
    train: tuple[str, ...]
    test: tuple[str, ...]
    entry: str
    """A mark of what the builder solved it from."""


class NamedPoses:
    """Named poses with their wordings and variants."""

    def __init__(self, poses: list[NamedPose], sixd: Float[Tensor, "row pose 22 6"]) -> None:
        self.poses_by_name = {pose.name: pose for pose in poses}
        self.sixd = sixd
        """float16: first two columns of each rotation; the first pose of a row is its centre."""

    @classmethod
    def load(cls, path: str | Path = NAMED_POSES_FILE) -> NamedPoses:
        """Return the poses of a file; WeightsError if it cannot be read."""
        path = Path(path)
        remedy = "Rebuild it with python -m data_builders.named_poses.build, or reinstall unipose."
        try:
            with safe_open(path, framework="pt") as file:
                metadata, sixd = file.metadata() or {}, file.get_tensor("sixd")
        except (SafetensorError, OSError) as error:
            raise WeightsError(path, f"it cannot be read ({error}).", remedy) from error
        if metadata.get("format") != FORMAT:
            raise WeightsError(path, "it holds no named poses of this version.", remedy)
        poses = [
            NamedPose(**{**one, "train": tuple(one["train"]), "test": tuple(one["test"])})
            for one in json.loads(metadata["poses"])
        ]
        return cls(poses, sixd)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, family by family."""
        return tuple(self.poses_by_name)

    @property
    def families(self) -> dict[str, tuple[str, ...]]:
        """Family -> its names."""
        found: dict[str, tuple[str, ...]] = {}
        for pose in self.poses_by_name.values():
            found[pose.family] = (*found.get(pose.family, ()), pose.name)
        return found

    def find(self, said: str) -> str:
        """Return the name that was said, in any case, with - or _ for spaces, or as a wording.

        The beginning of a name is enough if only one pose begins so; of its two sides the left one
        is meant. Raises PoseQueryError with the nearest names if there is none.
        """
        plain = _plain(said)
        for pose in self.poses_by_name.values():
            if plain == _plain(pose.name) or plain in map(_plain, (*pose.train, *pose.test)):
                return pose.name
        begun = [
            pose for pose in self.poses_by_name.values() if _plain(pose.name).startswith(plain)
        ]
        if plain and len({pose.row for pose in begun}) == 1:
            return begun[0].name
        near = self.nearest(said)
        raise PoseQueryError(f"there is no pose {said!r}; near it: {', '.join(near)}")

    def nearest(self, said: str, count: int = 3) -> list[str]:
        """Return the names most like what was said, word by word, and then as a whole."""
        plain = _plain(said)

        def likeness(name: str) -> float:
            other = _plain(name)
            words = (max(_ratio(one, two) for two in other.split()) for one in plain.split())
            return sum(words) + 0.5 * _ratio(plain, other)

        return sorted(self.names, key=likeness, reverse=True)[:count]

    def wordings(self, name: str, split: WordingSplit) -> tuple[str, ...]:
        """Return how people say it: those to learn from, or those that are only tested."""
        pose = self._pose(name)
        return pose.train if split == "train" else pose.test

    def poses(self, name: str) -> Float[Tensor, "pose 22 3 3"]:
        """Return the centre and the variants (local rotations, facing +z)."""
        pose = self._pose(name)
        rotations = rotations_from_6d(self.sixd[pose.row].float())
        return _exchanged(rotations) if pose.other_side else rotations

    def poses_and_mirrors(self, name: str) -> Float[Tensor, "pose 22 3 3"]:
        """Return all that goes by a name: its poses, and their mirror images where it allows."""
        poses = self.poses(name)
        return torch.cat([poses, _exchanged(poses)]) if self._pose(name).mirrored else poses

    def centre(self, name: str) -> Pose:
        """Return the pose itself, a batch of one."""
        return Pose.from_rotations(self.poses(name)[:1])

    def draw(self, name: str, generator: torch.Generator) -> Float[Tensor, "22 3 3"]:
        """Return one of the poses, mirrored half of the time where the name allows it.

        The same state of the generator gives the same pose.
        """
        poses = self.poses(name)
        chosen = poses[torch.randint(len(poses), (), generator=generator)]
        turned_over = float(torch.rand((), generator=generator)) < 0.5
        mirror = turned_over and self._pose(name).mirrored
        return _exchanged(chosen[None])[0] if mirror else chosen

    def _pose(self, name: str) -> NamedPose:
        if name not in self.poses_by_name:
            raise PoseQueryError(
                f"there is no pose {name!r}; near it: {', '.join(self.nearest(name))}"
            )
        return self.poses_by_name[name]


def _plain(said: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", said.lower().replace("_", " ")))


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _exchanged(rotations: Float[Tensor, "pose 22 3 3"]) -> Float[Tensor, "pose 22 3 3"]:
    return Pose.from_rotations(rotations).mirrored().rotations[:, :POSED_JOINTS]
