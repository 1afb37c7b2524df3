"""Scores of what was said against what is there, and against what is elsewhere (chance).

Of each text every statement is one vote, and every clause that the reader cannot read is one
false vote; a text without any statement is one false vote too. `true` is the share of votes that
hold under the declared noise of the thresholds (5 degrees, 0.05 m: the band in which the writer of
captions itself may choose either word); `true_strict` is the share that holds without any noise.
`chance` is what the same texts score on all the other poses of the set: the exact mean over every
wrong pairing, where a shuffle would draw one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.posecodes.changes import Change, MeasuredPair
from unipose.posecodes.measure import Measured
from unipose.posecodes.reader import read, read_change_text

Joints = Float[np.ndarray, "pose joint 3"]


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
        unread.append(len(reading.unread))

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
    return _score(counts, [len(row.unread) for row in rows], made, holds)


def _score(
    counts: Sequence[int],
    unread: Sequence[int],
    made: Bool[np.ndarray, " pose"],
    holds: Callable[..., Bool[np.ndarray, " pose"]],
) -> Score:
    """Return the score of texts with `counts` readable votes and `unread` unreadable ones."""
    own, others = np.zeros(2), np.zeros(2)  # tolerant, strict
    votes = false = 0
    for row, count in enumerate(counts):
        lost = unread[row] if count or unread[row] else 1
        votes += count + lost
        false += lost
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
        unread=false,
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
