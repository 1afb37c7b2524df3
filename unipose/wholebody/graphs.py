"""How keypoints hang together: skeletons of undirected edges, and groups that mean a part.

CIGPose (Li et al. 2026), section 3.3 and its published configurations: a graph of neighbours for
the first stage, groups of keypoints (an arm, a finger, the lips) for the second. Numbers are
places in the keypoint set's own order; pinned by tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14, KeypointSet
from unipose.errors import ConfigError

Edge = tuple[int, int]
LEFT_HAND, RIGHT_HAND = 91, 112
"""Where the 21 points of each hand begin."""


@dataclass(frozen=True, kw_only=True)
class KeypointGraph:
    """Edges between the keypoints of a set, and groups of them that may overlap."""

    edges: tuple[Edge, ...]
    """Undirected, each once."""
    groups: tuple[tuple[int, ...], ...]

    @property
    def directed(self) -> tuple[tuple[int, int], ...]:
        """Each edge in both directions: (from, to)."""
        return (*self.edges, *((b, a) for a, b in self.edges))


def graph_of(keypoint_set: KeypointSet) -> KeypointGraph:
    """Return the graph of a set. Raises ConfigError for a set that none is published for."""
    for known, graph in _GRAPHS:
        if known == keypoint_set:
            return graph
    raise ConfigError(
        f"there is no keypoint graph of {keypoint_set.name}; there are some of "
        f"{', '.join(known.name for known, _ in _GRAPHS)}"
    )


def _chain(first: int, last: int, *, closed: bool = False) -> list[Edge]:
    numbers = list(range(first, last + 1))
    return [*pairwise(numbers), *([(last, first)] if closed else [])]


def _star(centre: int, ends: Iterable[int]) -> list[Edge]:
    return [(centre, end) for end in ends]


def _fingers(root: int) -> list[range]:
    """Return the four points of each finger, the thumb first."""
    return [range(root + 1 + 4 * i, root + 5 + 4 * i) for i in range(5)]


def _hand(root: int) -> list[Edge]:
    thumb, *others = _fingers(root)
    edges = _chain(root, thumb[-1])
    for finger in others:
        edges += _chain(finger[0], finger[-1])
    return edges + _star(root, [finger[0] for finger in others])


def _groups(*spans: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(span) for span in spans)


def _hand_groups(root: int, wrist: int) -> tuple[tuple[int, ...], ...]:
    """Return the groups of a hand: all of it, each of its five fingers, wrist and root."""
    return _groups(range(root, root + 21), *_fingers(root), (wrist, root))


_BODY: list[Edge] = [
    (0, 1), (0, 2), (1, 3), (2, 4), (1, 2), (3, 5), (4, 6), (15, 13), (13, 11), (16, 14), (14, 12),
    (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (0, 3), (0, 4), (0, 5),
    (0, 6),
]  # fmt: skip
_FEET: list[Edge] = [
    (16, 20), (16, 21), (16, 22), (20, 22), (21, 22), (17, 19), (18, 19), (15, 17), (15, 18),
    (15, 19),
]  # fmt: skip
_FACE: list[Edge] = [
    *_chain(23, 39), *_chain(40, 44), *_chain(45, 49), *_chain(50, 53), *_chain(54, 58),
    *_chain(59, 64, closed=True), *_chain(65, 70, closed=True), *_chain(71, 82, closed=True),
    *_chain(83, 90, closed=True),
    (50, 62), (50, 65), (53, 54), (53, 58), (53, 56), (44, 62), (44, 50), (45, 50), (45, 65),
    (54, 74), (74, 58), (56, 74), (71, 74), (74, 77), (80, 77), (80, 71), (71, 83), (87, 77),
]  # fmt: skip
_HEAD: list[Edge] = [
    *_star(0, range(50, 54)), *_star(1, range(65, 71)), *_star(2, range(59, 65)),
    *_star(3, range(37, 40)), *_star(4, range(23, 26)),
]  # fmt: skip
_WRISTS: list[Edge] = [
    (9, LEFT_HAND), (9, LEFT_HAND + 1), (10, RIGHT_HAND), (10, RIGHT_HAND + 1),
]  # fmt: skip

WHOLE_BODY_GRAPH = KeypointGraph(
    edges=tuple(
        _BODY + _FEET + _FACE + _HEAD + _hand(LEFT_HAND) + _hand(RIGHT_HAND) + _WRISTS
    ),
    groups=(
        *_groups(
            range(5), (5, 7, 9), (6, 8, 10), (11, 12), (11, 13, 15), (12, 14, 16), range(23, 40),
            range(40, 45), range(45, 50), range(50, 59), range(59, 65), range(65, 71),
            range(71, 91), range(23, 91),
        ),
        *_hand_groups(LEFT_HAND, 9),
        *_hand_groups(RIGHT_HAND, 10),
        *_groups(range(17, 20), range(20, 23), (15, 17, 18, 19), (16, 20, 21, 22)),
    ),
)  # fmt: skip
COCO_GRAPH = KeypointGraph(
    edges=(
        (0, 1), (0, 2), (1, 2), (2, 4), (3, 1), (4, 6), (3, 5), (5, 6), (6, 8), (8, 10), (5, 7),
        (7, 9), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (14, 12), (14, 16),
    ),
    groups=_groups(range(5), (5, 7, 9), (6, 8, 10), (11, 12), (11, 13, 15), (12, 14, 16)),
)  # fmt: skip
CROWDPOSE_GRAPH = KeypointGraph(
    edges=(
        (0, 2), (2, 4), (1, 3), (3, 5), (1, 13), (0, 13), (12, 13), (1, 7), (0, 6), (6, 7), (7, 9),
        (6, 8), (9, 11), (8, 10),
    ),
    groups=_groups((0, 2, 4), (1, 3, 5), (6, 7), (6, 8, 10), (7, 9, 11), (13, 6, 7), (13, 12)),
)  # fmt: skip
_GRAPHS = (
    (COCO_WHOLEBODY_133, WHOLE_BODY_GRAPH),
    (COCO_17, COCO_GRAPH),
    (CROWDPOSE_14, CROWDPOSE_GRAPH),
)
