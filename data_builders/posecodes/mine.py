"""Count how common statements are in recorded poses, and mine which ones come along with others.

    python -m data_builders.posecodes.mine --data FOLDER

A statement that holds in most poses in which one or two others hold can be left out of a text that
says those. Rules must hold on both sides of the body, drop enough that no earlier rule drops, and
stay within arms or legs: what an arm does says nothing of a leg but by chance of the recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import Bool, Float
from torch import Tensor

from data_builders.pose_pool import PosePool
from data_builders.posecodes.captions import implications
from data_builders.posecodes.statistics import (
    STATISTICS,
    TRIVIAL_SHARE,
    PoseStatistics,
    Rule,
    write_statistics,
)
from unipose.body.body import load_body
from unipose.body.facing import front_facing_joints
from unipose.errors import ConfigError
from unipose.posecodes.facts import atoms, extra_atoms
from unipose.posecodes.head import head_angles
from unipose.posecodes.measure import Measured
from unipose.posecodes.statements import Statement, truth


@dataclass(frozen=True, kw_only=True)
class MineConfig:
    """What is counted, and what makes a rule."""

    data: Path | None = None
    """Folder of motion capture with a manifest.csv."""
    debug: bool = False
    """Count over two thousand made-up poses instead."""
    out: Path = STATISTICS
    fps: float = 12.0
    """Frames per second taken from the recordings."""
    one_reason: float = 0.70
    """Share of the poses with the reason that must have what is dropped."""
    two_reasons: float = 0.80
    at_least: int = 50
    """Poses that a rule must drop a statement of, beyond what earlier rules drop."""

    def __post_init__(self) -> None:
        if (self.data is None) != self.debug:
            raise ConfigError("name a folder with --data, or ask for made-up poses with --debug")


def count_statistics(
    true: Bool[np.ndarray, "pose atom"], said: Sequence[Statement], config: MineConfig
) -> PoseStatistics:
    """Return shares and rules of the statements `said`, given in which poses each is true."""
    shares = true.mean(axis=0)
    kept = true & (shares <= TRIVIAL_SHARE)
    at = {statement: i for i, statement in enumerate(said)}
    for reasons, dropped in implications():
        kept[:, at[dropped]] &= ~kept[:, [at[reason] for reason in reasons]].all(axis=1)
    mirror = np.array([at[statement.mirrored()] for statement in said])
    rules: list[Rule] = []
    for share, reasons, dropped in _candidates(kept.astype(np.float32), mirror, config):
        if not _is_sensible([said[i] for i in reasons], said[dropped]):
            continue
        twin = [int(mirror[i]) for i in reasons], int(mirror[dropped])
        pair = {(tuple(sorted(reasons)), dropped), (tuple(sorted(twin[0])), twin[1])}
        gone = sum((kept[:, [*why, what]].all(axis=1)).sum() for why, what in pair)
        if gone < config.at_least * len(pair):
            continue
        for why, what in sorted(pair):
            kept[:, what] &= ~kept[:, list(why)].all(axis=1)
            rules.append(Rule(tuple(said[i] for i in why), said[what], share))
    return PoseStatistics(len(true), dict(zip(said, shares.tolist(), strict=True)), tuple(rules))


_ARMS = ("shoulder", "upperarm", "elbow", "forearm", "wrist", "hand")
_LEGS = ("hip", "thigh", "knee", "shin", "ankle", "foot")


def _is_sensible(reasons: Sequence[Statement], dropped: Statement) -> bool:
    """Return whether each reason is of the trunk or of the limbs that the dropped one speaks of.

    Both sides doing the same is no reason: it is better said once of both.
    """
    if dropped.mirrored() in reasons:
        return False
    about = _limbs(dropped)
    return all(not _limbs(reason) or about & _limbs(reason) for reason in reasons)


def _limbs(said: Statement) -> set[str]:
    parts = {(part or "").rpartition("_")[2] for part in (said.first, said.second)}
    return {name for name, limb in (("arms", _ARMS), ("legs", _LEGS)) if parts & set(limb)}


def _candidates(
    true: Float[np.ndarray, "pose atom"], mirror: np.ndarray, config: MineConfig
) -> list[tuple[float, tuple[int, ...], int]]:
    """Return (share, reasons, dropped) of all rules that hold often enough on both sides.

    First those of one reason, the surest first; then those of two that extend none of the first.
    """
    together = true.T @ true
    share = _shares(together, config.at_least)
    share = np.minimum(share, share[np.ix_(mirror, mirror)])  # the rarer side counts
    sure = share >= config.one_reason
    found = [(float(share[a, c]), (int(a),), int(c)) for a, c in np.argwhere(sure)]
    count = true.shape[1]
    shares = np.zeros((count, count, count), dtype=np.float32)
    for a in range(count):
        shares[a] = _shares((true[true[:, a] > 0].T @ true[true[:, a] > 0]), config.at_least)
        shares[a, a] = shares[a, :, a] = 0.0
    shares = np.minimum(shares, shares[np.ix_(mirror, mirror, mirror)])
    shares[sure[:, None, :] | sure[None, :, :]] = 0.0
    more = [
        (float(shares[a, b, c]), (int(a), int(b)), int(c))
        for a, b, c in np.argwhere(shares >= config.two_reasons)
        if a < b
    ]
    return sorted(found, key=_order) + sorted(more, key=_order)


def _order(rule: tuple[float, tuple[int, ...], int]) -> tuple[float, tuple[int, ...], int]:
    return -rule[0], rule[1], rule[2]


def _shares(
    together: Float[np.ndarray, "atom atom"], at_least: int
) -> Float[np.ndarray, "atom atom"]:
    """Return how often the second holds where the first does; 0 where too few poses have both."""
    share = together / np.maximum(np.diag(together), 1.0)[:, None]
    share[together < at_least] = 0.0
    np.fill_diagonal(share, 0.0)
    return share


def main(config: MineConfig) -> None:
    """Count, and write the table that the captions use."""
    if config.data is None:
        pool = PosePool.random(2000, seed=0)
    else:
        pool = PosePool.read(config.data, "train", fps=config.fps)
    said, true = true_of_poses(pool.rotations)
    statistics = count_statistics(true, said, config)
    write_statistics(config.out, statistics)
    print(f"{statistics.poses} poses, {len(said)} statements, {len(statistics.rules)} rules")


def true_of_poses(
    rotations: Float[Tensor, "pose 22 3 3"],
) -> tuple[list[Statement], Bool[np.ndarray, "pose atom"]]:
    """Return all statements of the writers, options included, and which are true of which pose."""
    joints = front_facing_joints(rotations, load_body().rest_joints)
    measured = Measured(joints, head=head_angles(rotations.numpy()))
    facts = atoms() + extra_atoms(frozenset({"lying", "lean", "head"}))
    said = [fact.members[0] for fact in facts]
    return said, truth(said, measured, tolerance=False)


if __name__ == "__main__":
    main(tyro.cli(MineConfig, description=__doc__))
