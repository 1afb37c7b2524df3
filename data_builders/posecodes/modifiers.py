"""Pairs of poses become instructions: what to do to come from the first pose to the second."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from data_builders.posecodes import dice as chance
from data_builders.posecodes import phrases
from data_builders.posecodes.captions import SKIP, Style
from data_builders.posecodes.catalogue import SIDES
from data_builders.posecodes.changes import ACTIONS, Change
from data_builders.posecodes.dice import Dice
from data_builders.posecodes.facts import Fact, noun, plural
from data_builders.posecodes.pair_codes import PairCodes, columns, targets

_DETERMINERS = ("your",) * 3 + ("the",) * 2
_ENTITIES = (("elbow", "hand", "arm"), ("knee", "foot", "leg"))
_ANGLE_NAMES = {"elbow": ("elbow", "arm"), "knee": ("knee", "leg")}
_UNSIZED = 0.35
"""How often the size of a change is left open."""
_TARGET = 0.35
"""How often a short text also names a state that the second pose is in."""


class Said(NamedTuple):
    """Changes that one phrase makes: who, what, and how far (for choosing)."""

    subject: str
    action: str
    size: str
    members: tuple[Change, ...]
    weight: float


@cache
def _change(part: str, action: str, size: str, other: str | None) -> Change:
    return Change(part, action, size, other)


def _resized(change: Change, size: str) -> Change:
    return _change(change.part, change.action, size, change.other)


def write_modifiers_with_codes(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
) -> list[tuple[str, frozenset[Change]]]:
    """Return for each pair its instruction and exactly the changes that it asks for.

    Joints as in `write_captions`, row by row from `joints_a` to `joints_b`. "plain": each change in
    a sentence of its own; "full": all changes merged and linked; "short": three to six, the largest
    ones first, at least one for each limb that moves most. A pair without a change says so.
    """
    pairs = PairCodes(joints_a, joints_b)
    keys = chance.keys(seed, indices)
    skipped = chance.uniform(keys, len(columns())) < SKIP
    found = []
    for row, key in enumerate(keys.tolist()):
        found.append(_write(pairs, row, skipped[row], Dice(key), style))
    return found


def write_modifiers(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
) -> list[str]:
    """Return one instruction for each pair; see `write_modifiers_with_codes`."""
    return [
        text
        for text, _ in write_modifiers_with_codes(
            joints_a, joints_b, seed=seed, indices=indices, style=style
        )
    ]


def _write(
    pairs: PairCodes, row: int, skipped: np.ndarray, dice: Dice, style: Style
) -> tuple[str, frozenset[Change]]:
    moved = np.flatnonzero(pairs.moved[row]).tolist()
    if not moved:
        return dice.pick(phrases.NOTHING_CHANGES), frozenset()
    kept = [i for i in moved if not skipped[i]] or moved
    found = _single(pairs, row, kept, dice)
    if style != "plain":
        found = _both(_entities(_drop_idle(found)), dice)
    if style == "short":
        found = _choose(found, dice)
    clauses = _clauses(found, dice, alone=style == "plain")
    sentences = [f"{c}" for c in clauses] if style == "plain" else _link(clauses, dice)
    changes = {change for said in found for change in said.members}
    reached = np.flatnonzero(pairs.reached[row]).tolist()
    if style != "plain" and reached and dice.roll() < (_TARGET if style == "short" else 1.0):
        touched = frozenset().union(*(change.joints for change in changes))
        facts = [fact for i in reached if _touches((fact := targets()[i]), touched)]
        for fact in [dice.pick(facts)] if facts else []:
            view = dice.pick(
                [
                    v
                    for v in fact.views
                    if "_" in v.subject or v.subject in ("hands", "feet", "elbows", "knees")
                ]
                or fact.views
            )
            many = "_" not in view.subject
            subject = ("both " if many else "{d} ") + noun(view.subject)
            must = dice.pick(phrases.TARGETS[:3]) if many else dice.pick(phrases.TARGETS)
            sentences.append(f"{subject} {must} {dice.pick(view.predicates)}")
            said = fact.members[0]
            changes.add(Change(said.first, "reach", target=said))
    determiner = dice.pick(_DETERMINERS)
    text = " ".join(
        s[0].upper() + s[1:] + "." for s in (x.replace("{d}", determiner) for x in sentences)
    )
    return text, frozenset(changes)


def _touches(fact: Fact, touched: frozenset[str]) -> bool:
    said = fact.members[0]
    return Change(said.first, "reach", target=said).joints <= touched


def _single(pairs: PairCodes, row: int, kept: list[int], dice: Dice) -> list[Said]:
    found = []
    for i in kept:
        column, step = columns()[i], float(pairs.steps[row, i])
        sizes = ACTIONS[column.action].sizes
        action, size = column.action, "any"
        if action == "unbend" and pairs.straight[row, i] and dice.roll() < 0.8:
            action = "straighten"
        elif dice.roll() >= _UNSIZED:
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


def _both(found: list[Said], dice: Dice) -> list[Said]:
    """Merge what both sides do in the same way."""
    by_key = {(s.subject, s.action, s.members[0].other): s for s in found}
    for (subject, action, other), left in list(by_key.items()):
        if not subject.startswith("left_") or other not in (None, "torso"):
            continue
        right = by_key.get(("right" + subject[4:], action, other))
        if right is None or dice.roll() > 0.95:
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


def _choose(found: list[Said], dice: Dice) -> list[Said]:
    """Return three to six changes: the largest ones, each limb's first before any limb's second."""
    room = 3 + int(dice.roll() * 4)
    ranked = sorted(((s.weight + 0.6 * dice.roll(), i) for i, s in enumerate(found)), reverse=True)
    first, second, covered = [], [], set()
    for _, i in ranked:
        joints = _limbs(found[i])
        (second if joints <= covered else first).append(found[i])
        covered |= joints
    return (first + second)[:room]


def _place(said: Said) -> tuple[int, str]:
    part = said.members[0].part
    if part == "body":
        return 0, ""
    return (
        1 if "arm" in said.subject or part.split("_")[-1] in ("shoulder", "elbow", "hand") else 2
    ), said.subject


def _clauses(found: list[Said], dice: Dice, *, alone: bool) -> list[str]:
    """Return imperative clauses; several directions of one part become one clause."""
    if dice.roll() < 0.5:
        found = sorted(found, key=_place)
    else:
        found = sorted(found, key=lambda s: (-_place(s)[0] if _place(s)[0] else -9, s.subject))
    clauses: list[str] = []
    directions: dict[str, list[Said]] = {}
    rows: list[tuple[str, Said | list[Said]]] = []
    for said in found:
        if said.action in phrases.DIRECTIONS and not alone:
            if said.subject not in directions:
                directions[said.subject] = []
                rows.append((said.subject, directions[said.subject]))
            directions[said.subject].append(said)
        else:
            rows.append((said.subject, said))
    for subject, row in rows:
        if isinstance(row, Said):
            clauses.append(
                _moves(subject, [row], dice)
                if row.action in phrases.DIRECTIONS
                else _other(row, dice)
            )
        else:
            clauses.append(_moves(subject, row, dice))
    return clauses


def _named(subject: str, dice: Dice) -> str:
    if "_" in subject:
        return "{d} " + noun(subject)
    return dice.pick(("both " + subject, "{d} " + subject))


def _way(said: Said, dice: Dice) -> str:
    """Return a direction with its size: "slightly up", "much further left", "forward"."""
    plain = dice.roll() < 0.6
    way = dice.pick((phrases.DIRECTIONS if plain else phrases.COMPARED)[said.action])
    if said.size == "any":
        return way
    if said.size == "slight":
        return f"{dice.pick(phrases.SIZES['slight'])} {way}"
    return f"far {way}" if plain else f"{dice.pick(('much', 'a lot'))} {way}"


def _moves(subject: str, row: list[Said], dice: Dice) -> str:
    """Return one clause for all directions of one part."""
    many = "_" not in subject
    vertical = next((s for s in row if s.action in ("up", "down")), None)
    start = ""
    if vertical is not None and dice.roll() < 0.6:
        row = [s for s in row if s is not vertical]
        verb = dice.pick(phrases.VERBS[vertical.action])
        start = f"{verb} {_named(subject, dice)}"
        if vertical.size != "any":
            start += " " + dice.pick(
                phrases.SIZES["slight"] if vertical.size == "slight" else ("a lot",)
            )
        if not row:
            return start
        start += f" and {dice.pick(phrases.VERBS['move'])} {'them' if many else 'it'} "
    else:
        start = f"{dice.pick(phrases.VERBS['move'])} {_named(subject, dice)} "
    ways = [_way(said, dice) for said in row]
    return start + (ways[0] if len(ways) == 1 else ", ".join(ways[:-1]) + " and " + ways[-1])


def _other(said: Said, dice: Dice) -> str:
    """Return the clause of an angle, a distance, or the whole body."""
    action, size = said.action, said.size
    some = "" if size == "any" else dice.pick(phrases.SIZES[size])
    if said.subject == "body":
        verb, way = action.split("_")
        whole = dice.pick(("", "{d} upper body ", "{d} torso "))
        if verb == "turn":
            whole = whole or "{d} upper body "
        if size == "much":
            some = "far"
        verb = dice.pick(phrases.VERBS[verb])
        way = dice.pick(phrases.DIRECTIONS[way])
        if verb == "tilt" and not whole:
            whole = "{d} torso "
        return " ".join(f"{verb} {whole}{some} {way}".split())
    if said.members[0].other is not None:
        return _gap(said, some, dice)
    part = (
        said.subject.split("_")[-1] if "_" in said.subject else said.members[0].part.split("_")[-1]
    )
    name = dice.pick(_ANGLE_NAMES[part])
    subject = said.subject if "_" in said.subject else plural(part)
    subject = subject.replace(part, name) if "_" in subject else plural(name)
    who = _named(subject, dice)
    if action == "straighten":
        return f"{dice.pick(phrases.VERBS['straighten'])} {who}"
    if action == "unbend" and dice.roll() < 0.5:
        return f"bend {who} {some + ' ' if some else ''}less"
    more = action == "bend" and (not some or some == "much" or dice.roll() < 0.5)
    if some == "much" and not more:
        some = "a lot"
    if more and not some and dice.roll() < 0.5:
        more = False
    verb = dice.pick(phrases.VERBS[action])
    return " ".join(f"{verb} {who} {some} {'more' if more else ''}".split())


def _gap(said: Said, some: str, dice: Dice) -> str:
    """Return the clause of a distance that gets smaller or larger."""
    verb = dice.pick(phrases.VERBS["move"][:2])
    if said.members[0].other == "torso":
        who = _named(said.subject, dice)
        way = dice.pick(phrases.TOWARD[said.action][: 1 if some else 2]).replace("{o}", "{d} torso")
        if said.action == "apart" and some:
            way = "further " + way
        return " ".join(f"{verb} {who} {some} {way}".split())
    part = plural(said.members[0].part.split("_")[1])
    return " ".join(
        f"{verb} {_named(part, dice)} {some} {dice.pick(phrases.TOGETHER[said.action])}".split()
    )


def _link(clauses: list[str], dice: Dice) -> list[str]:
    """Return sentences of one to three clauses."""
    found: list[str] = []
    sentence, length = "", 0
    for clause in clauses:
        if not sentence:
            sentence, length = clause, 1
        elif " and " in sentence.rsplit(", then", 1)[-1] or dice.roll() < 0.3:
            sentence += f", then {clause}"
            length += 1
        else:
            sentence += f" and {clause}"
            length += 1
        if length >= 3 or (length == 2 and dice.roll() < 0.6) or dice.roll() < 0.25:
            found.append(sentence)
            sentence, length = "", 0
    if sentence:
        found.append(sentence)
    return found
