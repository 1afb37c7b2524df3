"""Asking what somebody does in a piece of a film: a prompt, a tolerant reader, a vote.

A model is shown a few frames, describes the movement, and then names the entry of a closed list
that means the same. What it writes is looked up, never trusted: a name that is not in the list
counts only if all its words are those of one entry.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unipose.errors import AnswerParseError
from unipose.files.photo import Pixels
from unipose.priors.sampled_models import ModelQuestion, SampledAnswer

NONE = "none"
FRAMES = 8
"""Pictures of a segment that a model is shown."""
INSTRUCTION = """\
The pictures are frames of a film in the order of time; they show one person in a frame of colour, \
or alone. Tell what this person does with their body. Look at the movement itself: legs, arms, \
trunk, and how they change from frame to frame. Things nearby and the place say little about it: \
somebody beside a river may simply walk.

Answer in two lines and no more.
DESCRIPTION: one sentence about the movement.
LABEL: the one entry of the list below that means the same, letter by letter; several words may \
say the same thing (argue, talk). If the person does different things one after the other, or no \
entry fits, write none.

The list:
"""
_LABEL = re.compile(r"^\W*label\W*:\s*(.*)$", re.IGNORECASE | re.MULTILINE)
_DESCRIPTION = re.compile(r"^\W*description\W*:\s*(.*)$", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class ActionAnswer:
    """What the samples of one question say together."""

    label: str
    """An entry of the list, or "" for none."""
    description: str
    """Of the first sample that named the label."""
    share: float
    """Of the samples that could be read, how many named it."""


def action_question(
    key: str, pictures: Sequence[Pixels], labels: Sequence[str], *, frames: int = FRAMES
) -> ModelQuestion:
    """Return the question about a segment; of its pictures at most `frames` are shown."""
    at = np.linspace(0, len(pictures) - 1, min(frames, len(pictures))).round().astype(int)
    return ModelQuestion(
        key=key,
        instruction=INSTRUCTION + "\n".join(labels),
        pictures=tuple(pictures[i] for i in at),
        text=f"{len(at)} frames of a piece of the film.",
    )


def description_question(description: str, labels: Sequence[str]) -> ModelQuestion:
    """Return the question which entry of the list means the same as a description.

    It tells whether a model reads the list at all, before pictures are asked about.
    """
    return ModelQuestion(
        key=description,
        instruction=INSTRUCTION + "\n".join(labels),
        text=f"There are no pictures this time. The movement is: {description}",
    )


def read_action(text: str, labels: Sequence[str]) -> tuple[str, str]:
    """Return the label (or "") and the description of one answer.

    Raises AnswerParseError if there is no line with a label, or none that the list holds.
    """
    lines = _LABEL.findall(text)
    if not lines:
        raise AnswerParseError(f"expected a line 'LABEL: ...', got {text[:80]!r}")
    said = _words(lines[-1])
    description = next(iter(_DESCRIPTION.findall(text)), "").strip()
    if said in ((NONE,), ()):
        return "", description
    fitting = [label for label in labels if _words(label) == said]
    if not fitting:
        fitting = [label for label in labels if set(_words(label)) == set(said)]
    if len(fitting) != 1:
        raise AnswerParseError(f"the list of actions has no entry {lines[-1].strip()[:60]!r}")
    return fitting[0], description


def vote(answer: SampledAnswer, labels: Sequence[str], *, least_share: float = 0.5) -> ActionAnswer:
    """Return the label that at least `least_share` of the readable samples name.

    Samples that cannot be read count for nothing; a tie is no label. Raises AnswerParseError, with
    the last reason, if none can be read.
    """
    read: list[tuple[str, str]] = []
    problem = "; ".join(answer.problems) or "the model gave no answer"
    for text in answer.texts:
        try:
            read.append(read_action(text, labels))
        except AnswerParseError as error:
            problem = str(error)
    if not read:
        raise AnswerParseError(f"{answer.key}: no answer can be used: {problem}")
    counts = Counter(label for label, _ in read).most_common(2)
    label, count = counts[0]
    share = count / len(read)
    tied = len(counts) > 1 and counts[1][1] == count
    if share < least_share or tied:
        label = ""
    description = next((said for named, said in read if named == label), read[0][1])
    return ActionAnswer(label=label, description=description, share=share)


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))
