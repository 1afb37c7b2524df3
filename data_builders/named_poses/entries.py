"""Reads the text files that say what each named pose is (the format: poses/README.md).

[sitting cross-legged]                      a name; {side} and {other} in it make two poses of one:
                                            the rest is said for {side} = left, and mirrored
on: seat, feet                              what carries the body, on the floor
legs: hip 85, out 35..45, turn ~40          angles: aimed at, drawn from a range, only a start
is: crossed legs; not leaning forward       relations, as calls check them
touch: left hand, left knee                 skin that touches
measure: distance feet 10..40               quantities, as calls measure them
- someone sits cross-legged                 a wording to learn from
* cross-legged on the floor                 a wording that is only tested
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from data_builders.named_poses.angles import BOTH, LIMITS, PARTS, SIGNED, Name
from unipose.body.regions import REGIONS
from unipose.errors import ConfigError
from unipose.posecodes.calls import JOINTS, SIDES, arguments_of, sided
from unipose.posecodes.quantities import QUANTITIES
from unipose.posecodes.shown_pose import ones, pairs

FOLDER = Path(__file__).parent / "poses"
LEAST_WORDINGS, LEAST_TESTED = 8, 2
_SIGNED_QUANTITIES = frozenset({"side", "twist", "turn", "tip", "slope", "lean left"})
_SIDE = re.compile(r"\b(left|right)\b(?! (angle|way|form))")
SPREAD = 5.0
"""An angle without a range is drawn from so many degrees around it."""
ALIKE = 0.8
"""Share of words that a tested wording may have in common with one that is learned from."""
_IDLE_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "someone",
        "somebody",
        "person",
        "who",
        "is",
        "on",
        "of",
        "to",
        "in",
        "with",
        "and",
    ]
)

CARRIERS: tuple[str, ...] = (
    "seat", "back", "upper back", "belly", "chest", "head",
    *sided(
        "foot", "toes", "heel", "knee", "shin", "thigh", "hand", "elbow", "forearm", "shoulder",
        "hip", "instep",
    ),
)  # fmt: skip
"""What can carry a body; a foot carries with its sole, an instep with any skin of it."""
_PLURALS = {
    "feet": "foot", "toes": "toes", "heels": "heel", "knees": "knee", "shins": "shin",
    "thighs": "thigh", "hands": "hand", "elbows": "elbow", "forearms": "forearm",
    "shoulders": "shoulder", "insteps": "instep",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What an entry says of one angle, degrees."""

    low: float
    high: float
    firm: bool = True
    """False: only where the search starts; contacts and relations decide."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One relation that must hold, or must not."""

    arguments: tuple[str, ...]
    """As `relations.judgements` takes them."""
    holds: bool = True

    def __str__(self) -> str:
        return ("" if self.holds else "not ") + " ".join(self.arguments)


@dataclass(frozen=True, kw_only=True)
class Range:
    """One quantity that must lie between two numbers."""

    quantity: str
    parts: tuple[str, ...]
    low: float
    high: float

    def __str__(self) -> str:
        return f"{' '.join((self.quantity, *self.parts))} {self.low:g}..{self.high:g}"


_Bounded = TypeVar("_Bounded", Aim, Range)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One named pose, as its file says it."""

    name: str
    family: str
    where: str
    """File and line, for messages."""
    on: tuple[str, ...] = ()
    """Carriers on the floor; those and `held` are empty for a body in the air."""
    held: tuple[str, ...] = ()
    """Carriers on something else: a chair, a bar, a wall."""
    aims: dict[Name, Aim] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    touches: tuple[tuple[str, str], ...] = ()
    ranges: tuple[Range, ...] = ()
    learned: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    mirrors: str = ""
    """Name of the entry whose mirror image this one is."""
    mirrored: bool = True
    """Whether left and right may be exchanged under the same name."""


def read_entries(folder: Path = FOLDER) -> list[Entry]:
    """Return the entries of all files of a folder, in the order of names and lines.

    Raises ConfigError, with file and line, for whatever the format does not allow.
    """
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise ConfigError(f"no files of poses (*.txt) in {folder}")
    entries = [entry for file in files for entry in _entries_of(file)]
    _check_unique(entries)
    return entries


def _entries_of(file: Path) -> Iterator[Entry]:
    known: dict[str, list[tuple[str, str]]] = {}
    for where, name, own in _blocks(file):
        lines = known[name] = _with_likeness(where, own, known)
        if "{side}" not in name:
            if any("{" in text for _, text in lines):
                raise ConfigError(f"{where}: {{side}} stands in {name!r} but not in its name")
            yield _entry(file.stem, where, name, lines)
            continue
        left = _with_side(name, "left")
        for side in SIDES:
            of_side = [(at, _with_side(text, side)) for at, text in lines]
            mirrors = "" if side == "left" else left
            yield _entry(file.stem, where, _with_side(name, side), of_side, mirrors=mirrors)


def _with_likeness(
    where: str, lines: list[tuple[str, str]], known: dict[str, list[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """Return the lines, those of the pose that `like:` names put before them."""
    before: list[tuple[str, str]] = []
    for _, text in lines:
        if text.startswith("like:"):
            other = text.removeprefix("like:").strip()
            if other not in known:
                raise ConfigError(f"{where}: there is no pose {other!r} above in this file")
            before += [line for line in known[other] if line[1][0] not in "-*"]
    return before + [line for line in lines if not line[1].startswith("like:")]


def _with_side(text: str, side: str) -> str:
    other = SIDES[1 - SIDES.index(side)]
    return text.replace("{side}", side).replace("{other}", other)


def _blocks(file: Path) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Return place, name and lines (each with its place) of every block of a file."""
    block: tuple[str, str, list[tuple[str, str]]] | None = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        text, where = line.split("#")[0].strip(), f"{file.name}:{number}"
        if not text:
            continue
        if text.startswith("["):
            if not re.fullmatch(r"\[[a-z{},' -]+\]", text):
                raise ConfigError(f"{where}: expected a name such as [tree pose], got {text!r}")
            if block:
                yield block
            block = where, text[1:-1], []
        elif block is None:
            raise ConfigError(f"{where}: expected a name such as [tree pose], got {text[:60]!r}")
        else:
            block[2].append((where, text))
    if block:
        yield block


@dataclass(kw_only=True)
class _SaidWords:
    """What the lines of one block say."""

    carriers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aims: dict[Name, Aim] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    touches: list[tuple[str, str]] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    wordings: dict[str, list[str]] = field(default_factory=lambda: {"-": [], "*": []})

    def read(self, text: str) -> None:
        """Read one more line; ConfigError if there is no such line."""
        if text[0] in self.wordings:
            self.wordings[text[0]].append(text[1:].strip())
            return
        key, _, value = text.partition(":")
        if key in ("on", "held"):
            carriers = [carrier for word in _split(value, ",") for carrier in _carrier(word)]
            self.carriers[key] = tuple(carriers)
        elif key in PARTS or key in BOTH:
            self.aims |= _aims(key, value)
        elif key == "is":
            self.relations += [_relation(said) for said in _split(value, ";")]
        elif key == "touch":
            self.touches += [_touch(said) for said in _split(value, ";")]
        elif key == "measure":
            self.ranges += [one for said in _split(value, ";") for one in _ranges(said)]
        else:
            raise ConfigError(
                "expected on, held, is, touch, measure, like, a part "
                f"({', '.join((*PARTS, *BOTH))}), or a wording after - or *, got {text[:60]!r}"
            )


def _entry(
    family: str, where: str, name: str, lines: Sequence[tuple[str, str]], *, mirrors: str = ""
) -> Entry:
    said = _SaidWords()
    for at, text in lines:
        try:
            said.read(text)
        except ConfigError as error:
            raise ConfigError(f"{at}: {error}") from None
    _check_wordings(where, name, said.wordings)
    aims, ranges = said.aims, said.ranges
    if mirrors:
        aims = {at: _negated(aim) if at in SIGNED else aim for at, aim in aims.items()}
        ranges = [_negated(one) if one.quantity in _SIGNED_QUANTITIES else one for one in ranges]
    return Entry(
        name=name,
        family=family,
        where=where,
        on=said.carriers.get("on", ()),
        held=said.carriers.get("held", ()),
        aims=aims,
        relations=tuple(said.relations),
        touches=tuple(said.touches),
        ranges=tuple(ranges),
        learned=tuple(said.wordings["-"]),
        tested=tuple(said.wordings["*"]),
        mirrors=mirrors,
        mirrored=not _SIDE.search(name),
    )


def _negated(one: _Bounded) -> _Bounded:
    return replace(one, low=-one.high, high=-one.low)


def _split(value: str, at: str) -> list[str]:
    return [word.strip() for word in value.split(at) if word.strip()]


def _carrier(word: str) -> tuple[str, ...]:
    found = sided(_PLURALS[word]) if word in _PLURALS else (word,)
    if not set(found) <= set(CARRIERS):
        known = ", ".join((*CARRIERS, *_PLURALS))
        raise ConfigError(f"{word!r} carries nothing; there are {known}")
    return found


def _aims(key: str, value: str) -> dict[Name, Aim]:
    aims = {}
    for part in BOTH.get(key, (key,)):
        limits = LIMITS[PARTS[part]]
        for said in _split(value, ","):
            word, _, number = said.partition(" ")
            if word not in limits:
                raise ConfigError(f"{key} has no angle {word!r}; there are {', '.join(limits)}")
            firm = not number.strip().startswith("~")
            low, high = _numbers(number.strip().removeprefix("~"), said)
            least, most = map(float, limits[word])
            if not least <= low <= high <= most:
                raise ConfigError(f"{said!r} is beyond what a body can do ({least:g} to {most:g})")
            if low == high and firm:
                low, high = max(low - SPREAD, least), min(high + SPREAD, most)
            aims[part, word] = Aim(low=low, high=high, firm=firm)
    return aims


def _numbers(text: str, said: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    try:
        return float(low), float(high if dots else low)
    except ValueError:
        raise ConfigError(f"expected a number or LOW..HIGH in {said!r}") from None


def _relation(said: str) -> Relation:
    holds = not said.startswith("not ")
    arguments = arguments_of("check").get(tuple(said.removeprefix("not ").split()))
    if arguments is None:
        raise ConfigError(f"{said!r} is no relation that can be checked (see posecodes/calls.py)")
    return Relation(arguments=arguments, holds=holds)


def _touch(said: str) -> tuple[str, str]:
    parts = _split(said, ",")
    known = (*REGIONS, *sided(*JOINTS))
    if len(parts) != 2 or not set(parts) <= set(known):
        raise ConfigError(f"expected two parts or regions of skin, got {said!r}")
    return parts[0], parts[1]


def _ranges(said: str) -> list[Range]:
    *words, numbers = said.split()
    low, high = _numbers(numbers, said)
    arguments = arguments_of("measure").get(tuple(words))
    whole = " ".join(words)
    if arguments is None and whole in QUANTITIES and QUANTITIES[whole].of == "body":
        arguments = (whole,)
    if whole in ("angle back", "angle head"):  # posecodes measure them, calls do not ask for them
        arguments = tuple(words)
    if arguments is None or low >= high:
        raise ConfigError(
            f"expected a quantity and LOW..HIGH (see posecodes/calls.py), got {said!r}"
        )
    return [
        Range(quantity=arguments[0], parts=parts, low=low, high=high)
        for parts in _filled(arguments)
    ]


def _filled(arguments: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the parts to measure: a word for both is two parts, of a distance its two ends."""
    quantity, *parts = arguments
    if not parts or quantity == "tilt":
        return [tuple(parts)]
    if len(parts) == 2:
        return [tuple(pair) for pair in pairs(*parts)]
    return [ones(parts[0])] if quantity == "distance" else [(part,) for part in ones(parts[0])]


def _check_wordings(where: str, name: str, wordings: dict[str, list[str]]) -> None:
    learned, tested = wordings["-"], wordings["*"]
    if len(learned) + len(tested) < LEAST_WORDINGS or len(tested) < LEAST_TESTED:
        raise ConfigError(
            f"{where}: {name!r} needs at least {LEAST_WORDINGS} wordings, {LEAST_TESTED} of them "
            f"after *; it has {len(learned) + len(tested)} and {len(tested)}"
        )
    for one in () if _SIDE.search(name) else (*learned, *tested):
        if _SIDE.search(one):
            raise ConfigError(f"{where}: {one!r} names a side, and so must the name {name!r}")
    for one in tested:
        for other in learned:
            if _likeness(one, other) > ALIKE:
                raise ConfigError(f"{where}: the tested {one!r} is too much like {other!r}")


def _likeness(one: str, other: str) -> float:
    a, b = (set(re.findall(r"[a-z]+", text.lower())) - _IDLE_WORDS for text in (one, other))
    return len(a & b) / max(len(a | b), 1)


def _check_unique(entries: Sequence[Entry]) -> None:
    names: dict[str, str] = {}
    said: dict[str, str] = {}
    for entry in entries:
        if entry.name in names:
            raise ConfigError(f"{entry.where}: {entry.name!r} is in {names[entry.name]} already")
        names[entry.name] = entry.where
        for wording in (*entry.learned, *entry.tested):
            plain = " ".join(re.findall(r"[a-z]+", wording.lower()))
            if plain in said:
                raise ConfigError(f"{entry.where}: {wording!r} is a wording of {said[plain]!r} too")
            said[plain] = entry.name
