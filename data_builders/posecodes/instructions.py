"""Wording of instructions: clauses that begin with a verb, and how they are linked."""

from __future__ import annotations

from typing import NamedTuple

from data_builders.posecodes.keyed_random import KeyedRandom
from unipose.posecodes import phrases
from unipose.posecodes.changes import Change
from unipose.posecodes.facts import Fact, noun, plural
from unipose.posecodes.position_phrases import TURN_WORDS

_ANGLE_NAMES = {"elbow": ("elbow", "arm"), "knee": ("knee", "leg")}


class Said(NamedTuple):
    """Changes that one phrase makes: who, what, and how far (for choosing)."""

    subject: str
    action: str
    size: str
    members: tuple[Change, ...]
    weight: float


def _place(said: Said) -> tuple[int, str]:
    part = said.members[0].part
    if part == "body":
        return 0, ""
    return (
        1 if "arm" in said.subject or part.split("_")[-1] in ("shoulder", "elbow", "hand") else 2
    ), said.subject


def clauses_of(found: list[Said], random: KeyedRandom, *, alone: bool) -> list[str]:
    """Return imperative clauses; several directions of one part become one clause."""
    if random.random() < 0.5:
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
                _moves(subject, [row], random)
                if row.action in phrases.DIRECTIONS
                else _other(row, random)
            )
        else:
            clauses.append(_moves(subject, row, random))
    return clauses


def _named(subject: str, random: KeyedRandom) -> str:
    if "_" in subject:
        return "{d} " + noun(subject)
    return random.pick(("both " + subject, "{d} " + subject))


def _way(said: Said, random: KeyedRandom) -> str:
    """Return a direction with its size: "slightly up", "much further left", "forward"."""
    plain = random.random() < 0.6
    way = random.pick((phrases.DIRECTIONS if plain else phrases.COMPARED)[said.action])
    if said.size == "any":
        return way
    if said.size == "slight":
        return f"{random.pick(phrases.SIZES['slight'])} {way}"
    return f"far {way}" if plain else f"{random.pick(('much', 'a lot'))} {way}"


def _moves(subject: str, row: list[Said], random: KeyedRandom) -> str:
    """Return one clause for all directions of one part."""
    many = "_" not in subject
    vertical = next((s for s in row if s.action in ("up", "down")), None)
    start = ""
    if vertical is not None and random.random() < 0.6:
        row = [s for s in row if s is not vertical]
        verb = random.pick(phrases.VERBS[vertical.action])
        start = f"{verb} {_named(subject, random)}"
        if vertical.size != "any":
            start += " " + random.pick(
                phrases.SIZES["slight"] if vertical.size == "slight" else ("a lot",)
            )
        if not row:
            return start
        start += f" and {random.pick(phrases.VERBS['move'])} {'them' if many else 'it'} "
    else:
        start = f"{random.pick(phrases.VERBS['move'])} {_named(subject, random)} "
    ways = [_way(said, random) for said in row]
    return start + (ways[0] if len(ways) == 1 else ", ".join(ways[:-1]) + " and " + ways[-1])


def _other(said: Said, random: KeyedRandom) -> str:
    """Return the clause of an angle, a distance, or the whole body."""
    action, size = said.action, said.size
    some = "" if size == "any" else random.pick(phrases.SIZES[size])
    if said.subject == "body":
        verb, way = action.split("_")
        whole = random.pick(("", "{d} upper body ", "{d} torso "))
        if verb == "turn":
            whole = whole or "{d} upper body "
        if size == "much":
            some = "far"
        verb = random.pick(phrases.VERBS[verb])
        way = random.pick(phrases.DIRECTIONS[way])
        if verb == "tilt" and not whole:
            whole = "{d} torso "
        return " ".join(f"{verb} {whole}{some} {way}".split())
    if said.members[0].other is not None:
        return _gap(said, some, random)
    part = (
        said.subject.split("_")[-1] if "_" in said.subject else said.members[0].part.split("_")[-1]
    )
    name = random.pick(_ANGLE_NAMES[part])
    subject = said.subject if "_" in said.subject else plural(part)
    subject = subject.replace(part, name) if "_" in subject else plural(name)
    who = _named(subject, random)
    if action == "straighten":
        return f"{random.pick(phrases.VERBS['straighten'])} {who}"
    if action == "unbend" and random.random() < 0.5:
        return f"bend {who} {some + ' ' if some else ''}less"
    more = action == "bend" and (not some or some == "much" or random.random() < 0.5)
    if some == "much" and not more:
        some = "a lot"
    if more and not some and random.random() < 0.5:
        more = False
    verb = random.pick(phrases.VERBS[action])
    return " ".join(f"{verb} {who} {some} {'more' if more else ''}".split())


def _gap(said: Said, some: str, random: KeyedRandom) -> str:
    """Return the clause of a distance that gets smaller or larger."""
    verb = random.pick(phrases.VERBS["move"][:2])
    if said.members[0].other == "torso":
        who = _named(said.subject, random)
        way = random.pick(phrases.TOWARD[said.action][: 1 if some else 2]).replace(
            "{o}", "{d} torso"
        )
        if said.action == "apart" and some:
            way = "further " + way
        return " ".join(f"{verb} {who} {some} {way}".split())
    part = plural(said.members[0].part.split("_")[1])
    return " ".join(
        f"{verb} {_named(part, random)} {some} {random.pick(phrases.TOGETHER[said.action])}".split()
    )


def link(clauses: list[str], random: KeyedRandom, *, gerunds: bool = False) -> list[str]:
    """Return sentences of one to three clauses."""
    found: list[str] = []
    roll = random.random
    sentence, length = "", 0
    for clause in clauses:
        if not sentence:
            sentence, length = clause, 1
        elif gerunds and " while " not in sentence and (doing := _doing(clause)) and roll() < 0.3:
            sentence += f" while {doing}"
            length += 1
        elif " and " in sentence.rsplit(", then", 1)[-1] or random.random() < 0.3:
            sentence += f", then {clause}"
            length += 1
        else:
            sentence += f" and {clause}"
            length += 1
        if length >= 3 or (length == 2 and random.random() < 0.6) or random.random() < 0.25:
            found.append(sentence)
            sentence, length = "", 0
    if sentence:
        found.append(sentence)
    return found


_GERUNDS = {
    "bend": "bending", "flex": "flexing", "unbend": "unbending", "unfold": "unfolding",
    "straighten": "straightening", "extend": "extending", "stretch": "stretching",
    "move": "moving", "bring": "bringing", "shift": "shifting", "raise": "raising",
    "lift": "lifting", "lower": "lowering", "drop": "dropping", "lean": "leaning",
    "tilt": "tilting", "turn": "turning", "twist": "twisting", "rotate": "rotating",
    "spread": "spreading",
}  # fmt: skip


def _doing(clause: str) -> str | None:
    """Return a clause of one verb as what is done meanwhile: "bending {d} left knee"."""
    verb, _, rest = clause.partition(" ")
    one = verb in _GERUNDS and " and " not in rest
    return f"{_GERUNDS[verb]} {rest}" if one else None


def turn_sentence(change: Change, random: KeyedRandom) -> str:
    """Return the sentence for a turn of the whole body."""
    return random.pick(TURN_WORDS[change.action, change.size])


def state_sentence(fact: Fact, random: KeyedRandom) -> str:
    """Return the sentence for a state that the second pose is in."""
    parts = ("hands", "feet", "elbows", "knees")
    views = [view for view in fact.views if "_" in view.subject or view.subject in parts]
    view = random.pick(views or fact.views)
    many = "_" not in view.subject
    subject = ("both " if many else "{d} ") + noun(view.subject)
    must = random.pick(phrases.TARGETS[:3]) if many else random.pick(phrases.TARGETS)
    return f"{subject} {must} {random.pick(view.predicates)}"
