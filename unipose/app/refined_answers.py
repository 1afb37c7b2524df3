"""Questions about people whose poses were refined, answered from the files before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.files import open_pose


@runtime_checkable
class PoseAnswerer(Protocol):
    """Who answers: `assistant.UniPose`."""

    def answer_fully(self, question: str, *shown: Any) -> Any:
        """Return the answer, whose `text` is what is said."""
        ...


@dataclass(frozen=True, kw_only=True)
class RefinedAnswer:
    """What is answered about one person of a picture."""

    image: str
    person: int
    """From 1, from left to right."""
    question: str
    before: str
    after: str

    def told(self, *, alone: bool) -> str:
        """Return it as a line for people; `alone`: nobody else is asked about."""
        whom = "" if alone else f"{self.image}, person {self.person}: "
        if self.before == self.after:
            return f"{whom}{self.question} {self.after}"
        return f"{whom}{self.question} Before: {self.before} After: {self.after}"


def answer_refined(
    out: Path, images: Sequence[str], questions: Sequence[str], answerer: PoseAnswerer, body: Body
) -> list[RefinedAnswer]:
    """Answer each question about each person of each picture that `refine` has results of in `out`.

    A picture without results is passed over; what cannot be answered about a pose says so in place
    of the answer. Raises FileError for a result that cannot be read.
    """

    def answered(question: str, pose: Pose) -> str:
        try:
            return answerer.answer_fully(question, pose).text
        except PoseQueryError as error:
            return f"({error})"

    found = []
    for image in images:
        files = [out / f"{Path(image).stem}-{when}.npz" for when in ("before", "after")]
        if not all(file.is_file() for file in files):
            continue
        before, after = (open_pose(file, body=body) for file in files)
        for i in range(len(after)):
            for question in questions:
                found.append(
                    RefinedAnswer(
                        image=image, person=i + 1, question=question,
                        before=answered(question, before[i]), after=answered(question, after[i]),
                    )
                )  # fmt: skip
    return found
