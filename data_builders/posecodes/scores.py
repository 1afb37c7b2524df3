"""Scores of what was said against what is there, and against what is elsewhere (chance).

Of each text every statement is one vote, and every clause that the reader cannot read is one
false vote; a text without any statement is one false vote too. `true` is the share of votes that
hold under the declared noise of the thresholds (5 degrees, 0.05 m: the band in which the writer of
captions itself may choose either word); `true_strict` is the share that holds without any noise.
`chance` is what the same texts score on all the other poses of the set: the exact mean over every
wrong pairing, where a shuffle would draw one. `true_of_read` leaves out what cannot be read: words
that a person may well use, but the rules do not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.posecodes.changes import Change, MeasuredPair
from unipose.posecodes.measure import Measured
from unipose.posecodes.reader import read, read_change_text

Joints = Float[np.ndarray, "pose joint 3"]
LISTED = 20
"""Unread clauses that are listed."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Shares of votes."""

    true: float
    true_strict: float
    chance: float
    chance_strict: float
    votes: int
    unread: int
    """Votes that are false because the words could not be read."""
    unread_clauses: tuple[tuple[str, int], ...] = ()
    """The most frequent of these words, and how often they were said."""

    @property
    def true_of_read(self) -> float:
        """Share of the votes that could be read; 0 of none."""
        return self.true * self.votes / max(self.votes - self.unread, 1)


def score_statements(
    texts: Sequence[str], joints: Joints, made: Bool[np.ndarray, " pose"]
) -> Score:
    """Return how much of what each text states is true of the pose beside it.

    `joints`: metres, facing the front, a row per text. Where `made` is false there is no pose, and
    nothing is true of it; such rows are left out of chance.
    """
    measured = Measured(joints)
    rows, unread = [], []
    for text in texts:
        reading = read(text)
        rows.append([statement.recipes for statement in reading.statements])
        unread.append(_unread(text, reading.statements, reading.unread))

    def holds(row: int, vote: int, *, tolerance: bool) -> Bool[np.ndarray, " pose"]:
        return measured.holds(rows[row][vote], tolerance=tolerance)

    return _score([len(row) for row in rows], unread, made, holds)


def score_changes(
    texts: Sequence[str], before: Joints, after: Joints, made: Bool[np.ndarray, " pose"]
) -> Score:
    """Return how much of what each text asks for happened from `before` to `after`.

    Chance: the same text and the same first pose, with the results of the other rows.
    """
    rows = [read_change_text(text) for text in texts]
    pairs: dict[int, MeasuredPair] = {}

    def holds(row: int, vote: int, *, tolerance: bool) -> Bool[np.ndarray, " pose"]:
        if row not in pairs:
            pairs.clear()  # one at a time: rows come in order
            pairs[row] = MeasuredPair(np.broadcast_to(before[row], after.shape), after)
        return pairs[row].holds(rows[row].changes[vote], tolerance=tolerance)

    counts = [len(row.changes) for row in rows]
    unread = [_unread(text, row.changes, row.unread) for text, row in zip(texts, rows, strict=True)]
    return _score(counts, unread, made, holds)


def _unread(text: str, found: Sequence[object], unread: list[str]) -> list[str]:
    """Return the clauses that could not be read: the whole text if nothing else was found."""
    return unread if found or unread else [text]


def _score(
    counts: Sequence[int],
    unread: Sequence[list[str]],
    made: Bool[np.ndarray, " pose"],
    holds: Callable[..., Bool[np.ndarray, " pose"]],
) -> Score:
    """Return the score of texts with `counts` readable votes and `unread` clauses."""
    own, others = np.zeros(2), np.zeros(2)  # tolerant, strict
    clauses = Counter(clause for some in unread for clause in some)
    votes = sum(counts) + clauses.total()
    for row, count in enumerate(counts):
        elsewhere = made.copy()
        elsewhere[row] = False
        for vote in range(count):
            for kind, tolerance in enumerate((True, False)):
                table = holds(row, vote, tolerance=tolerance)
                own[kind] += bool(table[row] and made[row])
                others[kind] += table[elsewhere].mean() if elsewhere.any() else 0.0
    own, others = own / max(votes, 1), others / max(votes, 1)
    return Score(
        true=float(own[0]),
        true_strict=float(own[1]),
        chance=float(others[0]),
        chance_strict=float(others[1]),
        votes=votes,
        unread=clauses.total(),
        unread_clauses=tuple(clauses.most_common(LISTED)),
    )


def untouched(changes: Sequence[Change]) -> Bool[np.ndarray, " joint"]:
    """Return which of the 22 joints no change speaks of; never the pelvis, which cannot move."""
    touched = frozenset().union(*(change.joints for change in changes))
    names = SMPL.joints[:POSED_JOINTS]
    return np.array([name != "pelvis" and name not in touched for name in names])


def drift_mm(
    texts: Sequence[str],
    before: Joints,
    after: Joints,
    made: Bool[np.ndarray, " pose"],
    *,
    elsewhere: bool = False,
) -> float | None:
    """Return the mean movement (millimetres) of the joints that the texts do not touch.

    The pelvis of both poses is in one place, and nothing else is aligned. Every such joint of every
    made pose counts alike; None if there is none. With `elsewhere` the movement is the one from
    each first pose to the results of all the other rows: what it would be by chance.
    """
    before, after = before[:, :POSED_JOINTS], after[:, :POSED_JOINTS]
    total = joints = 0.0
    for row, text in enumerate(texts):
        results = made.copy() if elsewhere else np.zeros(len(made), dtype=bool)
        results[row] = made[row] and not elsewhere
        free = untouched(read_change_text(text).changes)
        if results.any() and free.any():
            moved = np.linalg.norm(after[results] - before[row], axis=-1)[:, free]
            total += moved.mean() * free.sum()
            joints += free.sum()
    return float(total / joints * 1000) if joints else None
