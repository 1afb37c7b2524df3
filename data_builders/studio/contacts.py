"""Which parts of bodies touch: a person's own, two people's, and the floor.

An arm that hangs lies on the flank, and nobody calls that touching. Depth does not tell whether it
presses there, for the mesh's flesh does not give way: of the hanging hands near a thigh, most go
into it by more than a centimetre. So of a hanging arm only what reaches its own side's trunk and
thigh in front or behind is a touch: a hand that is laid there, or pressed halfway through.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from operator import mul

import numpy as np
from jaxtyping import Bool, Float, Int

from data_builders.studio.skinning import PosedBody, StudioBody
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL
from unipose.render.compiled import compiled

CAME_NEARER = 0.06
"""Metres by which two places of one body must have come nearer than in the zero pose."""

NEIGHBOURS_APART = 0.22
"""Metres that two places of parts near each other must be apart in the zero pose for a touch to
count: a folded arm or leg touches itself, a bent elbow's crease does not."""

HANGS = float(np.cos(np.radians(45)))
"""An arm hangs if its parts point down the trunk within this angle (cosine)."""

FLANK = 0.5
"""How far sideways skin of trunk and thighs faces (x of its normal) that a hanging arm lies on."""

BLOCK = 24
"""At most so many vertices are sorted out together."""

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
        blocks, first = [], [0]
        for region in range(len(REGIONS)):
            blocks += _cut(np.flatnonzero(regions == region), body.template)
            first.append(len(blocks))
        self.order = np.concatenate(blocks)
        self.ends = np.cumsum([len(block) for block in blocks])
        self.first = np.array(first)
        """A region's first block; the next one's is its end."""
        self.rest = body.template[self.order].astype(np.float64)
        self.farthest = _farthest([body.template[block] for block in blocks])
        near = _near_each_other(body.regions.neighbours.numpy())
        self.least = np.where(near, NEIGHBOURS_APART, CAME_NEARER)
        self.limbs = _hanging_pairs()
        sideways = np.abs(body.rest_normals()[self.order, 0]) > FLANK
        self.flank = sideways & np.isin(regions[self.order], [REGIONS.index(p) for p in FLANKS])

    def of_oneself(self, number: int, posed: PosedBody) -> tuple[Contact, ...]:
        """Return which parts of one body touch each other, and which touch the floor (y = 0)."""
        distances, lowest = self._distances(posed, posed, own=True, hanging=_hanging(posed))
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


SIDES = ("left", "right")
LIMBS = tuple(f"{side} {part}" for side in SIDES for part in ("upper arm", "forearm", "hand"))
NOTHING_HANGS = np.zeros(len(LIMBS), dtype=bool)
TRUNK = ("chest", "stomach", "waist", "upper back", "lower back", "buttocks")
FLANKS = (*TRUNK, "left thigh", "right thigh")


def _hanging_pairs() -> Int[np.ndarray, "region region"]:
    """Return which of LIMBS a pair of parts joins with its own side's flank; -1 for none."""
    limbs = np.full((len(REGIONS), len(REGIONS)), -1)
    for i, limb in enumerate(LIMBS):
        for part in (*TRUNK, f"{limb.split()[0]} thigh"):
            pair = REGIONS.index(limb), REGIONS.index(part)
            limbs[min(pair), max(pair)] = i
    return limbs


def _hanging(posed: PosedBody) -> Bool[np.ndarray, " limb"]:
    """Return which of LIMBS hang: a forearm with its upper arm (the elbow), a hand with both."""
    hanging = []
    pelvis, chest, *arms = posed.joints[_HANGING_JOINTS].tolist()
    down = [low - high for low, high in zip(pelvis, chest)]
    for shoulder, elbow, wrist in (arms[:3], arms[3:]):
        arm = _along(down, shoulder, elbow) > HANGS
        hanging += [arm, arm, arm and _along(down, elbow, wrist) > HANGS]
    return np.array(hanging)


_HANGING_JOINTS = list(
    SMPL.indices(
        "pelvis",
        "spine3",
        *(f"{side}_{joint}" for side in SIDES for joint in ("shoulder", "elbow", "wrist")),
    )
)


def _along(down: list[float], start: list[float], end: list[float]) -> float:
    """Return the cosine of the angle between `down` and the way from `start` to `end`."""
    way = [b - a for a, b in zip(start, end)]
    return sum(map(mul, down, way)) / (hypot(*down) * hypot(*way) + 1e-12)


def _cut(
    vertices: Int[np.ndarray, " _"], template: Float[np.ndarray, "vertex 3"]
) -> list[Int[np.ndarray, " _"]]:
    """Return them in blocks of neighbours, cut in halves across the longest side."""
    if len(vertices) <= BLOCK:
        return [vertices] if len(vertices) else []
    places = template[vertices]
    axis = int(np.argmax(places.max(0) - places.min(0)))
    order = vertices[np.argsort(places[:, axis], kind="stable")]
    half = len(order) // 2
    return _cut(order[:half], template) + _cut(order[half:], template)


def _farthest(blocks: list[Float[np.ndarray, "_ 3"]]) -> Float[np.ndarray, "block block"]:
    """Return how far apart points of two blocks may be at most (metres)."""
    low, high = (np.stack([end(block, axis=0) for block in blocks]) for end in (np.min, np.max))
    span = np.maximum(high[:, None] - low, high - low[:, None])
    return np.sqrt((span**2).sum(-1))


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
                                if before < max(CAME_NEARER + np.sqrt(square), least[a, b]):
                                    continue
                            best = square
                            hit = True
            if hit:
                found[a, b] = np.sqrt(best)
