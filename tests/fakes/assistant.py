"""An assistant without a model: it answers at once and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from unipose.body.people import PersonInImage
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError


class FakeAssistant:
    """Answers like `unipose.UniPose`; `asked` holds each text exactly as it came."""

    name = "fake"

    def __init__(self) -> None:
        self.asked: list[str] = []

    @property
    def maker(self) -> FakeAssistant:
        return self

    @classmethod
    def load(cls, folder: Path | None = None, **_: str) -> FakeAssistant:
        return cls()

    def describe(
        self, shown: Pose | np.ndarray, *, on_text: Callable[[str], None] | None = None
    ) -> str:
        if isinstance(shown, np.ndarray):
            return f"somebody in a picture of {shown.shape[1]} x {shown.shape[0]}"
        pose = shown
        return self._say(["turned", " by", f" {self._turn(pose):.2f}"], on_text)

    def generate(self, text: str, *, seed: int | None = None, samples: int = 1) -> Pose:
        self._hear(text)
        turns = torch.zeros(samples, 24, 3)
        turns[:, 1, 0] = 0.1 * len(text) % 1.5
        turns[:, 2, 0] = torch.arange(samples) * 0.1 + (seed or 0) * 0.01
        return Pose.from_axis_angle(turns)

    def likeliest(self, text: str) -> Pose:
        return self.generate(text)

    def edit(self, pose: Pose, text: str) -> Pose:
        self._hear(text)
        turns = pose.axis_angle.clone()
        turns[:, 4, 0] += 0.5
        return Pose.from_axis_angle(turns)

    def estimate(
        self,
        image: Path | np.ndarray,
        *,
        box: tuple[float, ...] | None = None,
        who: str | None = None,
    ) -> Pose:
        self.asked.append(f"{_name(image)} {box} {who}")
        turns = torch.zeros(1, 24, 3)
        turns[:, 16, 2] = 0.25 if box or who else 0.5
        shape, place = torch.full((1, 10), 0.5), torch.tensor([[0.0, -1.0, -40.0]])
        return Pose.from_axis_angle(turns, betas=shape, translation=place)

    def estimate_person(
        self,
        image: Path | np.ndarray,
        *,
        box: tuple[float, ...] | None = None,
        who: str | None = None,
    ) -> PersonInImage:
        return PersonInImage(pose=self.estimate(image, box=box, who=who))

    def estimate_people(self, image: Path | np.ndarray, boxes: list[tuple[float, ...]]) -> Pose:
        self.asked.append(f"{_name(image)} {len(boxes)}")
        return Pose.from_axis_angle(torch.zeros(len(boxes), 24, 3))

    def compare(
        self,
        a: Pose | np.ndarray,
        b: Pose | np.ndarray,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            return f"from {type(a).__name__} to {type(b).__name__}"
        return self._say([f"from {self._turn(a):.2f}", f" to {self._turn(b):.2f}"], on_text)

    @staticmethod
    def _say(pieces: list[str], on_text: Callable[[str], None] | None) -> str:
        for piece in pieces if on_text else []:
            on_text(piece)
        return "".join(pieces)

    def _hear(self, text: str) -> None:
        if not text.strip():
            raise PoseQueryError("an empty request; say what is wanted")
        self.asked.append(text)

    @staticmethod
    def _turn(pose: Pose) -> float:
        return float(pose.axis_angle.norm(dim=-1).sum())


def _name(image: Path | np.ndarray) -> str:
    return "pixels" if isinstance(image, np.ndarray) else Path(image).name


class SilentAssistant(FakeAssistant):
    """Says nothing of a pose, as a model that was hardly trained."""

    def describe(
        self, shown: Pose | np.ndarray, *, on_text: Callable[[str], None] | None = None
    ) -> str:
        return self._say([], on_text)

    def compare(self, a: Pose, b: Pose, *, on_text: Callable[[str], None] | None = None) -> str:
        return self._say([" "], on_text)
