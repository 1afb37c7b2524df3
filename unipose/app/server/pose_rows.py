"""The pose model for many requests at once: descriptions, changes and poses of one batch.

Rows that are decoded alike (the likeliest answer, or drawn at one temperature) run together, of
whatever task; a row's own seed is its own chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Literal

import torch
from torch import Tensor

from unipose.app.server.row_worker import QueuedRow, RowWorker
from unipose.assistant import UniPose
from unipose.assistant.model_answers import edited_like, one_pose
from unipose.assistant.request_texts import as_sentence
from unipose.body.people import Box, PersonInImage
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.files.photo import Pixels
from unipose.language.answers import Pair
from unipose.language.call_loop import TextCallback
from unipose.language.decoding import Answer, Decoding, answer
from unipose.language.rendering import Part
from unipose.language.templates import FIXED, Task, ask

PoseTask = Literal[Task.DESCRIBE, Task.COMPARE, Task.GENERATE, Task.EDIT]
DRAWN_AT = 0.7
"""Temperature of poses that are drawn by a seed alone, as `UniPose.generate` draws them."""


@dataclass(kw_only=True, eq=False)
class QueuedPoseRow(QueuedRow):
    """One question to the pose model; its pieces are texts, the last one the whole answer."""

    task: PoseTask
    poses: tuple[Pose, ...] = ()
    """Each of them one pose."""
    text: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    generator: torch.Generator | None = None
    most_tokens: int = 200
    listening: bool = False
    """Whether pieces are told."""


@dataclass(kw_only=True, eq=False)
class QueuedCall(QueuedRow):
    """Anything else that needs the pose model, one at a time; its one piece is the result."""

    call: Callable[[UniPose], object]


class PoseEngine:
    """Runs the rows of one pose model, a batch in one step; see `row_worker.RowEngine`."""

    name = "pose"

    def __init__(self, assistant: UniPose) -> None:
        self.assistant = assistant
        self._rows: list[QueuedPoseRow | QueuedCall] = []

    def choose(
        self, waiting: Sequence[QueuedPoseRow | QueuedCall], most: int
    ) -> list[QueuedPoseRow | QueuedCall]:
        """Return the first and those that are decoded as it is."""
        if not waiting:
            return []
        first = waiting[0]
        if isinstance(first, QueuedCall):
            return [first]
        alike: list[QueuedPoseRow | QueuedCall] = [
            row
            for row in waiting
            if isinstance(row, QueuedPoseRow) and row.decoding == first.decoding
        ]
        return alike[:most]

    def running(self) -> list[QueuedPoseRow | QueuedCall]:
        """Return the rows that are not finished."""
        return list(self._rows)

    def join(self, rows: Sequence[QueuedPoseRow | QueuedCall]) -> None:
        """Take rows for the next step."""
        self._rows += rows

    def drop(self, rows: Sequence[QueuedPoseRow | QueuedCall]) -> None:
        """Let go of rows."""
        self._rows = [row for row in self._rows if row not in rows]

    def step(self) -> None:
        """Answer all rows."""
        first = self._rows[0]
        if isinstance(first, QueuedCall):
            try:
                first.tell(first.call(self.assistant))
                first.end()
            except Exception as error:  # noqa: BLE001 (it belongs to whoever asked for the call)
                first.end(error)
        else:
            self._answer([row for row in self._rows if isinstance(row, QueuedPoseRow)])
        self._rows = []

    @torch.inference_mode()
    def _answer(self, rows: list[QueuedPoseRow]) -> None:
        first = rows[0]
        # a pose is guessed at, a text is said: who does which may be two models
        assistant = self.assistant.maker if first.decoding.guess else self.assistant
        codes = _codes_of(rows, assistant)
        questions: list[list[Part]] = []
        for row in rows:
            mine = [codes.pop(0) for _ in row.poses]
            questions.append(_question(row, mine))
        told = [""] * len(rows)

        def keep_on(i: int, said: Answer) -> bool:
            row = rows[i]
            if row.listening and said.ids:
                text = assistant.vocabulary.decode(said.ids)
                if len(text) > len(told[i]) and not text.endswith("\ufffd"):
                    row.tell(text[len(told[i]) :])
                    told[i] = text
            return not row.unwanted and len(said.ids) < row.most_tokens

        model = assistant.writer if first.decoding.guess else assistant.model
        generators = [row.generator or torch.Generator() for row in rows]
        answers, _ = answer(
            model, assistant.vocabulary, questions, first.decoding,
            generator=generators, keep_on=keep_on,
        )  # fmt: skip
        for row, said in zip(rows, answers, strict=True):
            row.tell(said)
            row.end()


def _codes_of(rows: list[QueuedPoseRow], assistant: UniPose) -> list[Tensor]:
    """Return the codes of each pose of the rows."""
    shown = [pose.rotations.float() for row in rows for pose in row.poses]
    return list(assistant.codes(Pose(rotations=torch.cat(shown)))) if shown else []


def _question(row: QueuedPoseRow, codes: list[Tensor]) -> list[Part]:
    match row.task:
        case Task.DESCRIBE:
            return ask(FIXED[Task.DESCRIBE], pose=codes[0])
        case Task.COMPARE:
            return ask(FIXED[Task.COMPARE], first=codes[0], second=codes[1])
        case Task.GENERATE:
            return ask(FIXED[Task.GENERATE], text=row.text)
        case Task.EDIT:
            return ask(FIXED[Task.EDIT], pose=codes[0], text=row.text)


@dataclass(kw_only=True, eq=False)
class BatchedAssistant:
    """The pose model as one request sees it (`pose_actions.Assistant`)."""

    assistant: UniPose
    worker: RowWorker[QueuedPoseRow | QueuedCall]
    temperature: float = 0.0
    generator: torch.Generator | None = None
    most_tokens: int = 200
    cancelled: Event = field(default_factory=Event)
    answer_tokens: int = 0
    """Of texts that the pose model said."""
    cut: bool = False
    """Whether a text ended at `most_tokens`."""

    def describe(self, shown: Pose, *, on_text: TextCallback | None = None) -> str:
        """Return one pose in words."""
        return self._text(self._row(Task.DESCRIBE, shown), on_text)

    def compare(self, a: Pose, b: Pose, *, on_text: TextCallback | None = None) -> str:
        """Return in words what changes from one pose to the other."""
        return self._text(self._row(Task.COMPARE, a, b), on_text)

    def generate(self, text: str, *, seed: int | None = None, samples: int = 1) -> Pose:
        """Return the pose that a text describes. Raises as `UniPose.generate`."""
        if samples != 1 or seed is not None:
            raise PoseQueryError("a request makes one pose; its own seed is the only one")
        return self._pose(self._row(Task.GENERATE, text=as_sentence(text)))

    def likeliest(self, text: str) -> Pose:
        """Return the likeliest pose of a text, whatever the temperature."""
        return replace(self, temperature=0.0).generate(text)

    def edit(self, pose: Pose, text: str) -> Pose:
        """Return one pose changed as a text says. Raises as `UniPose.edit`."""
        return edited_like(self._pose(self._row(Task.EDIT, pose, text=as_sentence(text))), pose)

    def estimate_person(self, image: Pixels, *, box: Box | None = None) -> PersonInImage:
        """Return a person in a picture. Raises as `UniPose.estimate_person`."""
        found = self._call(lambda assistant: assistant.estimate_person(image, box=box))
        assert isinstance(found, PersonInImage)
        return found

    def contacts(self, image: Pixels, *, people: int, seed: int | None = None) -> list[Pair]:
        """Return which parts touch in a picture, as the model says, for a refiner of poses.

        Raises as `UniPose.contacts`.
        """
        found = self._call(
            lambda assistant: assistant.contacts(image, people=people, measured=False, seed=seed)
        )
        assert isinstance(found, list)
        return found

    def label(self, images: Sequence[Pixels], actions: Sequence[str]) -> str:
        """Return which of the actions pictures show. Raises as `UniPose.label`."""
        return str(self._call(lambda assistant: assistant.label(images, actions)))

    def _row(self, task: PoseTask, *poses: Pose, text: str = "") -> QueuedPoseRow:
        makes = task in (Task.GENERATE, Task.EDIT)
        (self.assistant.maker if makes else self.assistant).must_have_learned(task)
        return QueuedPoseRow(
            task=task, poses=poses, text=text, generator=self.generator,
            most_tokens=self.most_tokens,
            decoding=Decoding(temperature=self.temperature), cancelled=self.cancelled,
        )  # fmt: skip

    def _text(self, row: QueuedPoseRow, on_text: TextCallback | None) -> str:
        row.listening = on_text is not None
        said = self._listen(row, on_text)
        self.answer_tokens += len(said.ids)
        self.cut |= not said.complete
        return self.assistant.vocabulary.decode(said.ids)

    def _pose(self, row: QueuedPoseRow) -> Pose:
        row.decoding = replace(row.decoding, guess=True)
        maker = self.assistant.maker
        codes = one_pose(self._listen(row, None), maker.vocabulary)
        return maker.pose(codes[None])

    def _listen(self, row: QueuedPoseRow, on_text: TextCallback | None) -> Answer:
        said: object = None
        for said in self.worker.submit(row).listen():
            if isinstance(said, str) and on_text is not None:
                on_text(said)
        assert isinstance(said, Answer)
        return said

    def _call(self, call: Callable[[UniPose], object]) -> object:
        (found,) = self.worker.submit(QueuedCall(call=call, cancelled=self.cancelled)).listen()
        return found
