"""How well one kind of thing finds its partner of another kind: recall and R-precision.

Row i of the scores is a query, and column i is its one true answer. A tie is broken by chance and
counted as what is to be expected of it, so features that are all alike score chance, not all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.errors import ConfigError

RECALL_RANKS = (1, 5, 10, 20)
MEAN_RANKS = (1, 5, 10)
"""mRecall is the mean over these, in both directions (UniPose supplement, table 4)."""
TOP_RANKS = (1, 2, 3)
GROUP = 32


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Shares (0 to 1) of queries whose true answer is among the first k of the whole gallery."""

    pose_to_text: dict[int, float]
    text_to_pose: dict[int, float]
    gallery: int
    """How many candidates each query has: recalls of different galleries are different measures."""

    @property
    def mean(self) -> float:
        """Mean over both directions and ranks 1, 5 and 10 (mRecall)."""
        both = (self.pose_to_text, self.text_to_pose)
        return sum(found[k] for found in both for k in MEAN_RANKS) / (2 * len(MEAN_RANKS))

    def chance(self, k: int) -> float:
        """Return what drawing the answers would score at rank k."""
        return min(1.0, k / self.gallery)

    @property
    def mean_chance(self) -> float:
        """Return what drawing the answers would score as the mean."""
        return sum(self.chance(k) for k in MEAN_RANKS) / len(MEAN_RANKS)


@dataclass(frozen=True, kw_only=True)
class RPrecision:
    """Shares (0 to 1) of queries whose true answer is among the first k of their small group."""

    top: dict[int, float]
    group: int
    groups: int
    left_out: int
    """Queries that did not fill a last group."""
    seed: int
    """Of the shuffle that makes the groups: other groups, other numbers."""

    def chance(self, k: int) -> float:
        """Return what drawing the answers would score at rank k."""
        return k / self.group


def recall(scores: Float[Tensor, "pose text"], *, ranks: Sequence[int] = RECALL_RANKS) -> Recall:
    """Return the recall of poses that look for their text (rows), and of texts for their pose.

    `scores`: larger is more alike; pose i belongs to text i, and the gallery is all of them.
    Raises ConfigError unless there are as many poses as texts.
    """
    if scores.shape[0] != scores.shape[1] or not len(scores):
        raise ConfigError(f"expected as many poses as texts, got scores {tuple(scores.shape)}")
    wanted = sorted({*ranks, *MEAN_RANKS})
    return Recall(
        pose_to_text=_mean_hits(scores, wanted),
        text_to_pose=_mean_hits(scores.mT, wanted),
        gallery=len(scores),
    )


def r_precision(
    queries: Float[Tensor, "pair feature"],
    candidates: Float[Tensor, "pair feature"],
    *,
    seed: int,
    group: int = GROUP,
) -> RPrecision:
    """Return how often a query finds its own candidate among those of a group of 32.

    The pairs are shuffled by `seed` and cut into groups; what does not fill a last group is left
    out. Features are of length 1, so that their product ranks as their distance does. To measure
    texts that were made for poses: poses are the queries, texts the candidates.

    Five pairs in groups of two, shuffled to 3 0 | 4 1 | 2: query 3 chooses between candidates 3
    and 0, query 0 between the same two, query 4 between 4 and 1, ...; pair 2 is left out.

    Raises ConfigError if there are fewer pairs than a group needs.
    """
    if len(queries) != len(candidates) or len(queries) < group or group < 2:
        raise ConfigError(
            f"R-precision needs groups of {group} pairs, got {len(queries)} queries and "
            f"{len(candidates)} candidates"
        )
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(seed))
    groups = len(order) // group
    right = torch.zeros(len(TOP_RANKS), dtype=torch.float64)
    for members in order[: groups * group].view(groups, group):
        scores = queries[members] @ candidates[members].mT
        right += torch.tensor([*_mean_hits(scores, TOP_RANKS).values()], dtype=torch.float64)
    top: dict[int, float] = {k: float(right[i]) / groups for i, k in enumerate(TOP_RANKS)}
    left_out = len(order) - groups * group
    return RPrecision(top=top, group=group, groups=groups, left_out=left_out, seed=seed)


def hits(scores: Float[Tensor, "query candidate"], rank: int) -> Float[Tensor, " query"]:
    """Return for each query how likely its answer (on the diagonal) is among the first `rank`.

    1 or 0, but for ties. Scores 3 3 1 with the answer in the first column: one of two places that
    are as good as each other, so 0.5 at rank 1 and 1 at rank 2.
    """
    own = scores.diagonal()[:, None]
    better = (scores > own).sum(dim=1)
    alike: Int[Tensor, " query"] = (scores == own).sum(dim=1)
    return ((rank - better) / alike).clamp(0.0, 1.0)


def _mean_hits(scores: Float[Tensor, "query candidate"], ranks: Sequence[int]) -> dict[int, float]:
    if not bool(torch.isfinite(scores).all()):
        raise ConfigError("expected finite scores, got NaN or infinite ones")
    return {k: float(hits(scores, k).double().mean()) for k in ranks}
