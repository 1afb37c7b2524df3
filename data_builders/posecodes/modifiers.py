"""Pairs of poses become instructions: what to do to come from the first pose to the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from data_builders.posecodes import keyed_random
from data_builders.posecodes.captions import SKIP, Style
from data_builders.posecodes.instructions import (
    Said,
    clauses_of,
    link,
    state_sentence,
    turn_sentence,
)
from data_builders.posecodes.keyed_random import KeyedRandom
from unipose.errors import ConfigError
from unipose.posecodes import phrases
from unipose.posecodes.catalogue import SIDES
from unipose.posecodes.changes import ACTIONS, Change
from unipose.posecodes.facts import Fact, plural
from unipose.posecodes.pair_codes import PairCodes, columns, targets
from unipose.posecodes.statements import Statement

_DETERMINERS = ("your",) * 3 + ("the",) * 2
_ENTITIES = (("elbow", "hand", "arm"), ("knee", "foot", "leg"))
_UNSIZED = 0.35
"""How often the size of a change is left open."""
_TARGET = 0.35
"""How often a short text also names a state that the second pose is in."""


@cache
def _change(part: str, action: str, size: str, other: str | None) -> Change:
    return Change(part, action, size, other)


def _resized(change: Change, size: str) -> Change:
    return _change(change.part, change.action, size, change.other)


@dataclass(frozen=True, kw_only=True)
class ModifierOptions:
    """What instructions may leave out and how they are linked."""

    skip: float = SKIP
    """Share of the changes that are left out at random."""
    states: Literal["one", "all"] = "one"
    """Whether a merged text names one or all of the states that the moved parts end in."""
    gerunds: bool = False
    """Link now and then by what is done meanwhile: "... while bending your left knee"."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.skip < 1.0:
            raise ConfigError(f"expected a share to skip from 0 to below 1, got {self.skip}")


class Modifier(NamedTuple):
    """An instruction and exactly the changes that it asks for."""

    text: str
    changes: frozenset[Change]


class ThreeModifiers(NamedTuple):
    """The instructions that lead from one pose to another."""

    complete: Modifier
    """Every change, merged and linked, and all states to reach."""
    skipping: Modifier
    """The same with some changes left out at random."""
    plain: Modifier
    """Some left out as well, each change in a sentence of its own."""


def write_modifiers_with_codes(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
    options: ModifierOptions | None = None,
    turns: Float[np.ndarray, " pose"] | None = None,
) -> list[Modifier]:
    """Return for each pair its instruction and exactly the changes that it asks for.

    Joints as in `write_captions`, row by row from `joints_a` to `joints_b`; what is NaN in either
    pose does not change. "plain": each change in a sentence of its own; "full": all changes merged
    and linked; "short": three to six, the largest ones first, at least one for each limb that moves
    most. A pair without a change says so. `turns`: by how many degrees the whole body turns to its
    left where both poses share a world (`whole_turns`), said first; NaN where that is not known.
    """
    pairs = PairCodes(joints_a, joints_b)
    return _write_all(pairs, turns, seed, indices, style, options or ModifierOptions())


def write_modifiers(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
    options: ModifierOptions | None = None,
    turns: Float[np.ndarray, " pose"] | None = None,
) -> list[str]:
    """Return one instruction for each pair; see `write_modifiers_with_codes`."""
    rows = write_modifiers_with_codes(
        joints_a,
        joints_b,
        seed=seed,
        indices=indices,
        style=style,
        options=options,
        turns=turns,
    )
    return [row.text for row in rows]


def write_three_modifiers(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    options: ModifierOptions | None = None,
    turns: Float[np.ndarray, " pose"] | None = None,
) -> list[ThreeModifiers]:
    """Return for each pair the three instructions of PoseFix and UniPose; see `write_modifiers`."""
    options = options or ModifierOptions(states="all", gerunds=True)
    pairs = PairCodes(joints_a, joints_b)
    versions: tuple[tuple[Style, float], ...] = (
        ("full", 0.0),
        ("full", options.skip),
        ("plain", options.skip),
    )
    rows = [
        _write_all(pairs, turns, 3 * seed + i, indices, style, replace(options, skip=skip))
        for i, (style, skip) in enumerate(versions)
    ]
    return [ThreeModifiers(*row) for row in zip(*rows, strict=True)]


def _write_all(
    pairs: PairCodes,
    turns: Float[np.ndarray, " pose"] | None,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style,
    options: ModifierOptions,
) -> list[Modifier]:
    keys = keyed_random.keys(seed, indices)
    skipped = keyed_random.uniform(keys, len(columns())) < options.skip
    turned = [None] * len(keys) if turns is None else [_whole_turn(t) for t in turns.tolist()]
    return [
        _write(pairs, row, skipped[row], turned[row], KeyedRandom(key), style, options)
        for row, key in enumerate(keys.tolist())
    ]


def _whole_turn(degrees: float) -> Change | None:
    """Return the change for a turn of the whole body to its left, if it is large enough to say."""
    size = abs(degrees)
    if size > ACTIONS["around"].sizes["any"][0]:
        return _change("body", "around", "any", None)
    action = "whole_left" if degrees > 0 else "whole_right"
    for name, (low, high) in ACTIONS[action].sizes.items():
        if low < size <= high:
            return _change("body", action, name, None)
    return None


def _write(
    pairs: PairCodes,
    row: int,
    skipped: Bool[np.ndarray, " column"],
    turned: Change | None,
    random: KeyedRandom,
    style: Style,
    options: ModifierOptions,
) -> Modifier:
    moved = np.flatnonzero(pairs.moved[row]).tolist()
    if not moved and turned is None:
        return Modifier(random.pick(phrases.NOTHING_CHANGES), frozenset())
    kept = [i for i in moved if not skipped[i]] or moved
    plain = style == "plain"
    found = _single(pairs, row, kept, random) if plain else merged_changes(pairs, row, kept, random)
    if style == "short":
        found = _choose(found, random)
    clauses = clauses_of(found, random, alone=plain)
    sentences = clauses if plain else link(clauses, random, gerunds=options.gerunds)
    changes = {change for said in found for change in said.members}
    if not plain:
        for fact in _states(pairs, row, changes, random, style, options):
            sentences.append(state_sentence(fact, random))
            changes.add(reach(fact.members[0]))
    if turned is not None:
        sentences.insert(0, turn_sentence(turned, random))
        changes.add(turned)
    return Modifier(as_text(sentences, random), frozenset(changes))


def as_text(sentences: list[str], random: KeyedRandom) -> str:
    """Return sentences as a text that speaks of "your" or "the" limbs throughout."""
    determiner = random.pick(_DETERMINERS)
    spoken = (sentence.replace("{d}", determiner) for sentence in sentences)
    return " ".join(s[0].upper() + s[1:] + "." for s in spoken)


def merged_changes(pairs: PairCodes, row: int, moved: list[int], random: KeyedRandom) -> list[Said]:
    """Return the given changes of a pair; what goes together is said together."""
    return _both(_entities(_drop_idle(_single(pairs, row, moved, random))), random)


def _states(
    pairs: PairCodes,
    row: int,
    changes: set[Change],
    random: KeyedRandom,
    style: Style,
    options: ModifierOptions,
) -> list[Fact]:
    """Return the states to name: of parts that the changes move, and not what they say already."""
    reached = np.flatnonzero(pairs.reached[row]).tolist()
    if not reached:
        return []
    if random.random() >= (_TARGET if style == "short" else 1.0):
        return []
    touched = frozenset().union(*(change.joints for change in changes))
    facts = [fact for i in reached if _touches((fact := targets()[i]), touched)]
    if options.states == "one" or style == "short":
        return [random.pick(facts)] if facts else []
    straightened = {change.part for change in changes if change.action == "straighten"}
    return [
        fact
        for fact in facts
        if not (fact.members[0].relation == "straight" and fact.members[0].first in straightened)
        and random.random() >= options.skip
    ]


def reach(said: Statement) -> Change:
    """Return the change that ends in a state."""
    return Change(said.first, "reach", target=said)


def _touches(fact: Fact, touched: frozenset[str]) -> bool:
    return reach(fact.members[0]).joints <= touched


def _single(pairs: PairCodes, row: int, kept: list[int], random: KeyedRandom) -> list[Said]:
    found = []
    for i in kept:
        column, step = columns()[i], float(pairs.steps[row, i])
        sizes = ACTIONS[column.action].sizes
        action, size = column.action, "any"
        if action == "unbend" and pairs.straight[row, i] and random.random() < 0.8:
            action = "straighten"
        elif random.random() >= _UNSIZED:
            size = next(s for s, (low, high) in sizes.items() if low < step <= high)
        change = _change(column.part, action, size, column.other)
        found.append(Said(column.part, action, size, (change,), step / column.scale))
    return found


_IDLE = {
    "lean_forward": ("forward", "down"),
    "lean_back": ("back", "down"),
    "lean_left": ("left", "down"),
    "lean_right": ("right", "down"),
    "turn_left": ("forward", "back"),
    "turn_right": ("forward", "back"),
}
"""What the shoulders do when the body does that goes without saying."""


def _drop_idle(found: list[Said]) -> list[Said]:
    idle = {way for said in found if said.subject == "body" for way in _IDLE[said.action]}
    return [s for s in found if not (s.subject.endswith("shoulder") and s.action in idle)]


def _entities(found: list[Said]) -> list[Said]:
    """Merge elbow and hand to the arm, knee and foot to the leg, where both go the same way."""
    by_key = {(s.subject, s.action): s for s in found if s.members[0].other is None}
    for side in SIDES:
        for inner, outer, limb in _ENTITIES:
            for action in ("left", "right", "up", "down", "forward", "back"):
                a, b = (
                    by_key.get((f"{side}_{inner}", action)),
                    by_key.get((f"{side}_{outer}", action)),
                )
                if a is None or b is None:
                    continue
                size = a.size if a.size == b.size else "any"
                members = tuple(_resized(m, size) for m in (*a.members, *b.members))
                merged = Said(f"{side}_{limb}", action, size, members, max(a.weight, b.weight))
                del by_key[a.subject, action], by_key[b.subject, action]
                by_key[merged.subject, action] = merged
    return list(by_key.values()) + [s for s in found if s.members[0].other is not None]


def _both(found: list[Said], random: KeyedRandom) -> list[Said]:
    """Merge what both sides do in the same way."""
    by_key = {(s.subject, s.action, s.members[0].other): s for s in found}
    for (subject, action, other), left in list(by_key.items()):
        if not subject.startswith("left_") or other not in (None, "torso"):
            continue
        right = by_key.get(("right" + subject[4:], action, other))
        if right is None or random.random() > 0.95:
            continue
        size = left.size if left.size == right.size else "any"
        members = tuple(_resized(m, size) for m in (*left.members, *right.members))
        del by_key[subject, action, other], by_key[right.subject, action, other]
        name = plural(subject[5:])
        weight = max(left.weight, right.weight)
        by_key[name, action, other] = Said(name, action, size, members, weight)
    return list(by_key.values())


def _limbs(said: Said) -> frozenset[str]:
    return said.members[0].joints | said.members[-1].joints


def _choose(found: list[Said], random: KeyedRandom) -> list[Said]:
    """Return three to six changes: the largest ones, each limb's first before any limb's second."""
    room = 3 + int(random.random() * 4)
    ranked = sorted(
        ((s.weight + 0.6 * random.random(), i) for i, s in enumerate(found)), reverse=True
    )
    first, second, covered = [], [], set()
    for _, i in ranked:
        joints = _limbs(found[i])
        (second if joints <= covered else first).append(found[i])
        covered |= joints
    return (first + second)[:room]
