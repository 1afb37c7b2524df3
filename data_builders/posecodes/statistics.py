"""How common each statement is in recorded poses, and which ones come along with others.

The numbers are a file beside this one, made by `python -m data_builders.posecodes.mine`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from unipose.posecodes.statements import Statement, state

STATISTICS = Path(__file__).with_name("statistics.json")

TRIVIAL_SHARE = 0.40
"""A statement true of more poses than this is not worth saying."""
RARE_SHARE = 0.06
"""A statement true of fewer poses than this is never left out at random."""


@dataclass(frozen=True)
class Rule:
    """Where all reasons are said, the dropped statement mostly holds as well."""

    reasons: tuple[Statement, ...]
    dropped: Statement
    share: float
    """Of the poses with all reasons, how many have the dropped one (the rarer side counts)."""


@dataclass(frozen=True)
class PoseStatistics:
    """What was counted over recorded poses."""

    poses: int
    shares: dict[Statement, float]
    rules: tuple[Rule, ...]
    """In the order in which they are applied."""


@cache
def pose_statistics() -> PoseStatistics:
    """Return the numbers counted over our recorded poses."""
    return read_statistics(STATISTICS)


def read_statistics(path: Path) -> PoseStatistics:
    """Read what `write_statistics` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    rules = tuple(
        Rule(tuple(_read(words) for words in reasons), _read(dropped), share)
        for reasons, dropped, share in found["rules"]
    )
    shares = {_read(words): share for words, share in found["shares"].items()}
    return PoseStatistics(found["poses"], shares, rules)


def write_statistics(path: Path, statistics: PoseStatistics) -> None:
    """Write the numbers as JSON, a line for each share and each rule."""
    shares = [
        f"  {json.dumps(_written(said))}: {share:.4f}" for said, share in statistics.shares.items()
    ]
    rows = [
        [[_written(said) for said in rule.reasons], _written(rule.dropped), round(rule.share, 3)]
        for rule in statistics.rules
    ]
    rules = ["  " + json.dumps(row) for row in rows]
    text = f'{{"poses": {statistics.poses},\n "shares": {{\n' + ",\n".join(shares)
    text += '\n },\n "rules": [\n' + ",\n".join(rules) + "\n ]\n}\n"
    path.write_text(text, encoding="utf-8")


def _written(said: Statement) -> str:
    return " ".join(word for word in (said.first, said.relation, said.second) if word)


def _read(words: str) -> Statement:
    return state(*words.split())
