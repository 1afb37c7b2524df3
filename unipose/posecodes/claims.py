"""Everything our texts can claim, as one row of columns: statements first, then changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from unipose.posecodes.changes import ACTIONS, Change
from unipose.posecodes.facts import atoms, true_atoms
from unipose.posecodes.measure import Measured
from unipose.posecodes.pair_codes import PairCodes, columns
from unipose.posecodes.statements import Statement

Claim = Statement | Change
Joints = Float[np.ndarray, "pose joint 3"]


@cache
def claims() -> tuple[Claim, ...]:
    """Return every statement and every change that a writer may make; the order of columns."""
    return tuple(fact.members[0] for fact in atoms()) + tuple(change for change, _ in _changes())


def true_claims(first: Joints, second: Joints) -> Bool[np.ndarray, "pose claim"]:
    """Return what is true of each second pose, and of the way to it from the first."""
    pairs = PairCodes(first, second)
    moved = np.zeros((len(first), len(_changes())), dtype=bool)
    for i, (change, column) in enumerate(_changes()):
        if change.action == "straighten":
            moved[:, i] = pairs.moved[:, column] & pairs.straight[:, column]
        else:
            low, high = ACTIONS[change.action].sizes[change.size]
            step = pairs.steps[:, column]
            moved[:, i] = pairs.moved[:, column] & (low < step) & (step <= high)
    return np.concatenate([true_atoms(Measured(second)), moved], axis=1)


def claimed(texts: Sequence[Iterable[Claim]]) -> Bool[np.ndarray, "text claim"]:
    """Return the columns of what each text claims; a state to reach is that statement."""
    place = _places()
    found = np.zeros((len(texts), len(place)), dtype=bool)
    for row, said in enumerate(texts):
        for claim in said:
            target = claim.target if isinstance(claim, Change) else None
            column = place.get(target or claim)
            if column is not None:  # a reader knows words that no writer uses
                found[row, column] = True
    return found


@cache
def _changes() -> tuple[tuple[Change, int], ...]:
    """Return each change with the column of paircodes that it is measured by."""
    found = []
    for i, column in enumerate(columns()):
        found += [(column.change(size), i) for size in ACTIONS[column.action].sizes]
        if column.action == "unbend":
            found.append((Change(column.part, "straighten"), i))
    return tuple(found)


@cache
def _places() -> dict[Claim, int]:
    return {claim: i for i, claim in enumerate(claims())}
