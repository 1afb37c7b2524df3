"""Which parts of bodies touch: a person's own, two people's, the floor; by `body.touch_rules`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from data_builders.studio.skinning import PosedBody, StudioBody
from unipose.body.regions import GROUND, REGIONS
from unipose.body.touch_rules import (
    ARM_REGIONS,
    CAME_NEARER_M,
    flank_vertices,
    hanging_arm_regions,
    least_rest_distances,
    own_flank,
)
from unipose.contact.region_points import cut_in_blocks
from unipose.render.compiled import compiled


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
        blocks, first = [], [0]
        for region in range(len(REGIONS)):
            blocks += cut_in_blocks(np.flatnonzero(regions == region), body.template)
            first.append(len(blocks))
        self.order = np.concatenate(blocks)
        self.ends = np.cumsum([len(block) for block in blocks])
        self.first = np.array(first)
        """A region's first block; the next one's is its end."""
        self.rest = body.template[self.order].astype(np.float64)
        self.farthest = _farthest([body.template[block] for block in blocks])
        self.least = least_rest_distances(body.regions.neighbours.numpy())
        self.limbs = _hanging_pairs()
        self.flank = flank_vertices(regions, body.rest_normals())[self.order]

    def of_oneself(self, number: int, posed: PosedBody) -> tuple[Contact, ...]:
        """Return which parts of one body touch each other, and which touch the floor (y = 0)."""
        distances, lowest = self._distances(
            posed, posed, own=True, hanging=hanging_arm_regions(posed.joints)
        )
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
        distances, _ = self._distances(posed, other_posed, own=False, hanging=NOTHING_HANGS)
        return _contacts(number, other, distances)

    def _distances(
        self,
        first: PosedBody,
        second: PosedBody,
        *,
        own: bool,
        hanging: Bool[np.ndarray, " limb"],
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
            self.ends,
            self.first,
            self.rest,
            self.farthest,
            self.least,
            self.limbs,
            hanging,
            self.flank,
            own,
            self.reach,
            found,
            lowest,
        )
        return found, lowest


NOTHING_HANGS = np.zeros(len(ARM_REGIONS), dtype=bool)


def _hanging_pairs() -> Int[np.ndarray, "region region"]:
    """Return which of ARM_REGIONS a pair of parts joins with its own side's flank; -1 for none."""
    limbs = np.full((len(REGIONS), len(REGIONS)), -1)
    for i, limb in enumerate(ARM_REGIONS):
        for part in own_flank(limb):
            pair = REGIONS.index(limb), part
            limbs[min(pair), max(pair)] = i
    return limbs


def _farthest(blocks: list[Float[np.ndarray, "_ 3"]]) -> Float[np.ndarray, "block block"]:
    """Return how far apart points of two blocks may be at most (metres)."""
    low, high = (np.stack([end(block, axis=0) for block in blocks]) for end in (np.min, np.max))
    span = np.maximum(high[:, None] - low, high - low[:, None])
    return np.sqrt((span**2).sum(-1))


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
    ends: np.ndarray,
    region_first: np.ndarray,
    rest: np.ndarray,
    farthest: np.ndarray,
    least: np.ndarray,
    limbs: np.ndarray,
    hanging: np.ndarray,
    flank: np.ndarray,
    own: bool,
    reach: float,
    found: np.ndarray,
    lowest: np.ndarray,
) -> None:
    """Write the distance of parts that are within reach (compiled).

    The boxes of parts, of blocks of vertices, and of one vertex sort out the rest.
    """
    parts, blocks = len(lowest), len(ends)
    points = np.empty((1 if own else 2, len(order), 3))
    low = np.full((len(points), parts + blocks, 3), np.inf)  # of parts, then of blocks
    high = np.full((len(points), parts + blocks, 3), -np.inf)
    for body in range(len(points)):
        mesh = first_mesh if body == 0 else second_mesh
        part, start = 0, 0
        for block in range(blocks):
            if block == region_first[part + 1]:
                part += 1
            for k in range(3):
                least_k, most_k = np.inf, -np.inf
                for i in range(start, ends[block]):
                    here = mesh[order[i], k]
                    points[body, i, k] = here
                    least_k, most_k = min(least_k, here), max(most_k, here)
                low[body, parts + block, k], high[body, parts + block, k] = least_k, most_k
                low[body, part, k] = min(low[body, part, k], least_k)
                high[body, part, k] = max(high[body, part, k], most_k)
            start = ends[block]
    first, low_a, high_a = points[0], low[0], high[0]
    second, low_b, high_b = points[-1], low[-1], high[-1]
    low_p, high_p, low_q, high_q = low_a[parts:], high_a[parts:], low_b[parts:], high_b[parts:]
    for part in range(parts):
        lowest[part] = low_a[part, 1]
    for a in range(parts):
        for b in range(a + 1 if own else 0, parts):
            gap = -reach
            for k in range(3):
                gap = max(gap, low_a[a, k] - high_b[b, k], low_b[b, k] - high_a[a, k])
            if gap > reach:
                continue
            hangs = own and limbs[a, b] >= 0 and hanging[limbs[a, b]]
            best = reach * reach
            hit = False
            for p in range(region_first[a], region_first[a + 1]):
                gap = -reach
                for k in range(3):
                    gap = max(gap, low_p[p, k] - high_b[b, k], low_b[b, k] - high_p[p, k])
                if gap > reach:
                    continue
                for q in range(region_first[b], region_first[b + 1]):
                    if own and farthest[p, q] < least[a, b]:
                        continue
                    gap = -reach
                    for k in range(3):
                        gap = max(gap, low_p[p, k] - high_q[q, k], low_q[q, k] - high_p[p, k])
                    if gap > reach:
                        continue
                    for i in range(ends[p - 1] if p else 0, ends[p]):
                        gap = -reach
                        for k in range(3):
                            gap = max(gap, first[i, k] - high_q[q, k], low_q[q, k] - first[i, k])
                        if gap > reach:
                            continue
                        for j in range(ends[q - 1] if q else 0, ends[q]):
                            x, y = first[i, 0] - second[j, 0], first[i, 1] - second[j, 1]
                            z = first[i, 2] - second[j, 2]
                            square = x * x + y * y + z * z
                            if square >= best or (hangs and (flank[i] or flank[j])):
                                continue
                            if own:
                                x, y = rest[i, 0] - rest[j, 0], rest[i, 1] - rest[j, 1]
                                z = rest[i, 2] - rest[j, 2]
                                before = np.sqrt(x * x + y * y + z * z)
                                if before < max(CAME_NEARER_M + np.sqrt(square), least[a, b]):
                                    continue
                            best = square
                            hit = True
            if hit:
                found[a, b] = np.sqrt(best)
