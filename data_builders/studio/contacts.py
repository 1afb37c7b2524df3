"""Which parts of bodies touch: a person's own, two people's, and the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from data_builders.studio.skinning import PosedBody, StudioBody
from unipose.body.regions import REGIONS
from unipose.render.compiled import compiled

CAME_NEARER = 0.06
"""Metres by which two places of one body must have come nearer than in the zero pose."""

NEIGHBOURS_APART = 0.22
"""Metres that two places of parts near each other must be apart in the zero pose for a touch to
count: a folded arm or leg touches itself, a bent elbow's crease does not."""

GROUND = "ground"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Two parts that touch."""

    person: int
    """Number in the picture."""
    part: str
    """One of unipose.body.regions.REGIONS."""
    other: int
    """The same person's number for a touch of oneself; -1 for the ground."""
    other_part: str
    distance_m: float


class TouchFinder:
    """Looks for contacts between bodies of one kind."""

    def __init__(self, body: StudioBody, reach: float) -> None:
        self.reach = reach
        regions = body.regions.of_vertex.numpy()
        self.order = np.argsort(regions, kind="stable")
        self.ends = np.cumsum(np.bincount(regions, minlength=len(REGIONS)))
        self.rest = body.template[self.order].astype(np.float64)
        self.neighbours = _near_each_other(body.regions.neighbours.numpy())

    def of_oneself(self, number: int, posed: PosedBody) -> tuple[Contact, ...]:
        """Return which parts of one body touch each other, and which touch the floor (y = 0)."""
        distances, lowest = self._distances(posed, posed, own=True)
        return (
            *_contacts(number, number, distances),
            *(
                Contact(
                    person=number,
                    part=name,
                    other=-1,
                    other_part=GROUND,
                    distance_m=max(height, 0.0),
                )
                for name, height in zip(REGIONS, lowest.tolist())
                if height < self.reach
            ),
        )

    def between(
        self, number: int, posed: PosedBody, other: int, other_posed: PosedBody
    ) -> tuple[Contact, ...]:
        """Return which parts of two people touch."""
        (low, high), (other_low, other_high) = posed.box.tolist(), other_posed.box.tolist()
        for k in range(3):
            if max(low[k], other_low[k]) - min(high[k], other_high[k]) > self.reach:
                return ()
        distances, _ = self._distances(posed, other_posed, own=False)
        return _contacts(number, other, distances)

    def _distances(
        self, first: PosedBody, second: PosedBody, *, own: bool
    ) -> tuple[Float[np.ndarray, "region region"], Float[np.ndarray, " region"]]:
        """Return the smallest distance of each pair of parts (infinite beyond reach).

        And the height of each part's lowest point.
        """
        found = np.full((len(REGIONS), len(REGIONS)), np.inf)
        lowest = np.full(len(REGIONS), np.inf)
        compiled(_touch)(
            first.vertices,
            second.vertices,
            self.order,
            self.rest,
            self.ends,
            self.neighbours,
            own,
            self.reach,
            found,
            lowest,
        )
        return found, lowest


def _near_each_other(
    neighbours: Bool[np.ndarray, "region region"],
) -> Bool[np.ndarray, "region region"]:
    """Return neighbours and theirs (an armpit is no touch), but not a left and a right part."""
    steps = neighbours.astype(int)
    near = steps @ steps > 0
    for i, first in enumerate(REGIONS):
        for k, second in enumerate(REGIONS):
            if {first.split()[0], second.split()[0]} == {"left", "right"}:
                near[i, k] = neighbours[i, k]
    return near


def _contacts(
    person: int, other: int, distances: Float[np.ndarray, "region region"]
) -> tuple[Contact, ...]:
    first, second = np.nonzero(distances < np.inf)
    return tuple(
        Contact(
            person=person,
            part=REGIONS[a],
            other=other,
            other_part=REGIONS[b],
            distance_m=float(distances[a, b]),
        )
        for a, b in zip(first.tolist(), second.tolist())
    )


def _touch(  # noqa: C901 - one loop, for speed
    first_mesh: np.ndarray,
    second_mesh: np.ndarray,
    order: np.ndarray,
    rest: np.ndarray,
    ends: np.ndarray,
    neighbours: np.ndarray,
    own: bool,
    reach: float,
    found: np.ndarray,
    lowest: np.ndarray,
) -> None:
    """Write the distance of parts that are within reach (compiled); boxes sort out the rest."""
    parts = len(ends)
    first = np.empty(first_mesh.shape)
    second = first if own else np.empty(first_mesh.shape)
    for i in range(len(order)):
        for k in range(3):
            first[i, k] = first_mesh[order[i], k]
            if not own:
                second[i, k] = second_mesh[order[i], k]
    boxes = np.empty((2, parts, 2, 3))
    boxes[:, :, 0] = np.inf
    boxes[:, :, 1] = -np.inf
    for part in range(parts):
        for i in range(ends[part - 1] if part else 0, ends[part]):
            for k in range(3):
                here = first[i, k]
                if here < boxes[0, part, 0, k]:
                    boxes[0, part, 0, k] = here
                if here > boxes[0, part, 1, k]:
                    boxes[0, part, 1, k] = here
                if not own:
                    here = second[i, k]
                    if here < boxes[1, part, 0, k]:
                        boxes[1, part, 0, k] = here
                    if here > boxes[1, part, 1, k]:
                        boxes[1, part, 1, k] = here
        lowest[part] = boxes[0, part, 0, 1]
    if own:
        boxes[1] = boxes[0]
    near = np.empty(len(second), dtype=np.int64)
    for a in range(parts):
        for b in range(a + 1 if own else 0, parts):
            apart = False
            for k in range(3):
                if boxes[0, a, 0, k] - reach > boxes[1, b, 1, k] or (
                    boxes[1, b, 0, k] - reach > boxes[0, a, 1, k]
                ):
                    apart = True
            if apart:
                continue
            count = 0
            for j in range(ends[b - 1] if b else 0, ends[b]):
                inside = True
                for k in range(3):
                    if (
                        second[j, k] < boxes[0, a, 0, k] - reach
                        or second[j, k] > boxes[0, a, 1, k] + reach
                    ):
                        inside = False
                if inside:
                    near[count] = j
                    count += 1
            best = reach * reach
            hit = False
            for i in range(ends[a - 1] if a else 0, ends[a]):
                inside = True
                for k in range(3):
                    if (
                        first[i, k] < boxes[1, b, 0, k] - reach
                        or first[i, k] > boxes[1, b, 1, k] + reach
                    ):
                        inside = False
                if not inside:
                    continue
                for n in range(count):
                    j = near[n]
                    x = first[i, 0] - second[j, 0]
                    if x * x >= best:
                        continue
                    y, z = first[i, 1] - second[j, 1], first[i, 2] - second[j, 2]
                    square = x * x + y * y + z * z
                    if square >= best:
                        continue
                    if own:
                        x, y = rest[i, 0] - rest[j, 0], rest[i, 1] - rest[j, 1]
                        z = rest[i, 2] - rest[j, 2]
                        before = np.sqrt(x * x + y * y + z * z)
                        if before < CAME_NEARER + np.sqrt(square):
                            continue
                        if neighbours[a, b] and before < NEIGHBOURS_APART:
                            continue
                    best = square
                    hit = True
            if hit:
                found[a, b] = np.sqrt(best)
