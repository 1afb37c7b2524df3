"""Rows that begin alike become one: the shared beginning is read once, the rest side by side.

Three rows (each letter a token; the shared beginning is `s p u`):

    s p u a b          ids       s p u a b c d e f
    s p u c            position  0 1 2 3 4 3 3 4 5
    s p u d e f        branch    0 0 0 1 1 2 3 3 3

A place sees what came before it in its own row: the shared beginning, and its own branch. So the
losses are those of the rows apart, for a fraction of the tokens where rows are short.
"""

from __future__ import annotations

from collections.abc import Sequence

from unipose.language.rendering import IGNORE_INDEX, READ_POSE, Row

PLACES = ("ids", "kinds", "spans", "targets", "answering")
MARKS = ("true_at", "told_at", "named_at")


def pack(rows: Sequence[Row], *, learn_shared: bool = True) -> Row:
    """Return rows as one; what they share at the beginning, and is not learned, is once.

    Without `learn_shared` all that they begin alike with is once, and none of it is learned. Claims
    to be read off shared places are taken from the first row.
    """
    shared = shared_places(rows, learned=not learn_shared)
    packed = Row(source=rows[0].source, pictures=list(rows[0].pictures))
    for name in PLACES:
        getattr(packed, name).extend(getattr(rows[0], name)[:shared])
    packed.targets[:] = [IGNORE_INDEX] * shared
    packed.positions, packed.branches = list(range(shared)), [0] * shared
    poses = len({span for span, kind in zip(packed.spans, packed.kinds, strict=True)
                 if kind == READ_POSE})  # fmt: skip
    packed.read = list(rows[0].read[:poses])
    for name in MARKS:
        marks = getattr(rows[0], name)
        setattr(packed, name, [(place, claims) for place, claims in marks if place < shared])
    for branch, row in enumerate(rows, start=1):
        moved = len(packed.ids) - shared
        for name in PLACES:
            getattr(packed, name).extend(getattr(row, name)[shared:])
        packed.read += row.read[poses:]
        packed.positions += range(shared, len(row.ids))
        packed.branches += [branch] * (len(row.ids) - shared)
        for name in MARKS:
            own = [(place, claims) for place, claims in getattr(row, name) if place >= shared]
            getattr(packed, name).extend((place + moved, claims) for place, claims in own)
    return packed


def shared_places(rows: Sequence[Row], *, learned: bool) -> int:
    """Return how many places all rows begin alike with; up to what is learned, unless `learned`."""
    count = 0
    for column in zip(*(_contents(row) for row in rows), strict=False):
        teaches = any(row.targets[count] != IGNORE_INDEX for row in rows)
        if len(set(column)) > 1 or (teaches and not learned):
            break
        count += 1
    return count


def _contents(row: Row) -> list[tuple[int, ...]]:
    """Return what stands at each place; a pose in places of filler is its codes."""
    poses = iter(row.read)
    found: list[tuple[int, ...]] = []
    codes: tuple[int, ...] = ()
    for place, (identity, kind) in enumerate(zip(row.ids, row.kinds, strict=True)):
        if kind != READ_POSE:
            found.append((identity,))
            continue
        if row.kinds[place - 1] != READ_POSE or row.spans[place - 1] != row.spans[place]:
            codes = tuple(next(poses).tolist())
        found.append((identity, *codes))
    return found
