"""How people word questions and requests: files of sections, and one wording filled in.

A section is a header and wordings, one a line (`wordings/*.txt`):

    > check bent {a:knee,elbow,knees}      the call that all of these mean
    is {a} bent                            {a}: "the left knee", "his left knee", ...
    {a.bare} bent                          without determiner; also {a.side}, {a.part}

Slots of the header: parts (`knee` is left and right, `knees` both, `head` itself), words with their
synonyms (`{x:forward=forwards/to the front|backward}`), numbers (`{n:1-360}`) and texts that are
handed on as they are (`{text:edit}`: a line of `texts/edit.txt`). A header `= WORDS` is an answer
without a call, `+ NAME` a follow-up that the builder resolves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

from unipose.errors import ConfigError
from unipose.posecodes.calls import CENTRAL, PLURALS, SIDES

HERE = Path(__file__).parent
Split = Literal["train", "val", "test"]
_SLOT = re.compile(r"\{(\w+)(?::([^}]*))?(?:\.(\w+))?\}")
_SINGULARS = {plural: part for part, plural in PLURALS.items()}
_SYNONYMS = {
    "hand": ("hand", "hand", "hand", "hand", "hand", "palm"),
    "hands": ("hands", "both hands", "hands", "the two hands"),
    "feet": ("feet", "both feet", "feet"),
    "back": ("back", "back", "back", "spine", "torso", "trunk"),
    "chest": ("chest", "chest", "torso", "upper body"),
    "hips": ("hips", "hips", "hips", "pelvis"),
    "legs": ("legs", "both legs", "legs"),
    "arms": ("arms", "both arms", "arms"),
    "knees": ("knees", "both knees", "knees"),
    "elbows": ("elbows", "both elbows", "elbows"),
    "shin": ("shin", "lower leg", "calf"),
    "shins": ("shins", "lower legs", "calves"),
    "thigh": ("thigh", "thigh", "upper leg"),
    "thighs": ("thighs", "thighs", "upper legs"),
    "forearm": ("forearm", "forearm", "lower arm"),
    "forearms": ("forearms", "forearms", "lower arms"),
    "toe": ("toes", "toe", "toes"),
    "head": ("head",),
}
"""What people call a part: the call's word -> surface forms, drawn evenly."""
DETERMINERS = (
    *("the",) * 9, *("his",) * 3, *("her",) * 3, *("their",) * 3, "its", "my", *("",) * 2,
)  # fmt: skip


@dataclass(frozen=True)
class WordingSection:
    """One header and its wordings."""

    header: str
    """The call, answer or follow-up, with its slots."""
    kind: Literal["call", "words", "follow"]
    wordings: tuple[str, ...]
    file: str


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A wording with its slots filled, and what it means."""

    said: str
    meant: str
    """The call or the answer, filled alike."""
    wording: str
    """As it stands in the file."""


def split_of(wording: str) -> Split:
    """Return the split that a wording belongs to: one in seven is for test, one in twelve for val.

    It hangs on the words alone, so that a wording stays where it is whatever is added.
    """
    number = int.from_bytes(hashlib.sha256(wording.encode()).digest()[:4], "big") / 2**32
    return "test" if number < 1 / 7 else "val" if number < 1 / 7 + 1 / 12 else "train"


@cache
def sections(folder: Path = HERE / "wordings") -> tuple[WordingSection, ...]:
    """Return all sections of a folder. Raises ConfigError for a file that is not as expected."""
    found = []
    for path in sorted(folder.glob("*.txt")):
        header, lines = "", []
        for line in (line.strip() for line in [*path.read_text().splitlines(), ">"]):
            if line[:2] in ("> ", "= ", "+ ") or line == ">":
                if header and lines:
                    found.append(_section(header, lines, path))
                header, lines = line, []
            elif line and not line.startswith("#"):
                if not header:
                    raise ConfigError(f"{path.name}: the wording {line!r} stands before a header")
                lines.append(line)
    return tuple(found)


def _section(header: str, lines: list[str], path: Path) -> WordingSection:
    kinds: dict[str, Literal["call", "words", "follow"]] = {
        ">": "call", "=": "words", "+": "follow",
    }  # fmt: skip
    slots = {name for name, domain, _ in _SLOT.findall(header)}
    for line in lines:
        # the builder brings the slots of follow-ups and a few others itself
        unknown = {name for name, _, _ in _SLOT.findall(line)} - slots - _BROUGHT
        if unknown:
            raise ConfigError(f"{path.name}: {line!r} has slots that {header!r} lacks: {unknown}")
    text = header[2:] if header[0] != ">" else header
    return WordingSection(text, kinds[header[0]], tuple(dict.fromkeys(lines)), path.stem)


_BROUGHT = {"side", "part", "pose", "nth"}


def texts_of(source: str, split: Split) -> tuple[str, ...]:
    """Return the texts of one source that a split may use: the lines of `texts/SOURCE.txt`.

    Those of edits are joined by what is asked back, with a side put in; some stand there more often
    than once.
    """
    return _texts(source, split)


@cache
def _texts(source: str, split: Split) -> tuple[str, ...]:
    if source == "example":
        from unipose.app.examples import EXAMPLES

        return tuple(EXAMPLES)
    lines = (HERE / "texts" / f"{source}.txt").read_text().splitlines()
    kept = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    mine = tuple(line for line in kept if split_of(line) == split)
    if source == "edit":
        mine = (*mine, *SIDED_TIMES * tuple(_with_a_side(split)))
    if not mine:
        raise ConfigError(f"texts/{source}.txt has no line for {split}")
    return mine


SIDED_TIMES = 3
"""How often each of `_with_a_side` stands among the texts of edits."""
_PAIRED = "arm|hand|leg|foot|knee|elbow|shoulder|wrist|ankle|thigh|forearm|shin"
_COMMAND = re.compile(
    r"(?:raise|lift|lower|bend|straighten|move|put|stretch|extend|turn|swing|kick|reach|push|pull)\b"
    rf"[^,]*?\b((?:the|a|an|one|my|his|her) )({_PAIRED})\b(?!.*\b(?:{_PAIRED})s?\b)"
)


def _with_a_side(split: Split) -> Iterator[str]:
    """Yield what is asked back ("bend the knee") with the side that it lacks, both ways.

    The one word decides between doing it and asking back, so the two are learned side by side.
    """
    for section in sections():
        if section.kind == "words" and "the left or the right" in section.header:
            for found in filter(None, map(_COMMAND.match, section.wordings)):
                start, end = found.span(1)
                for side in SIDES:
                    text = f"{found.string[:start]}the {side} {found.string[end:]}"
                    if split_of(text) == split:
                        yield text


@dataclass(frozen=True)
class _Value:
    """What fills a slot: the words of the call, and what people say."""

    meant: str
    said: str = ""


def domain_of(domain: str) -> Iterator[str]:
    """Return the call's words of a slot of parts: `knee` -> left knee, right knee."""
    for item in (item.strip() for item in domain.split(",")):
        if item in _SINGULARS or item in CENTRAL or item not in PLURALS:
            yield item
        else:
            yield from (f"{side} {item}" for side in SIDES)


def fill(
    section: WordingSection, wording: str, random: Random, *, split: Split = "train"
) -> Filled:
    """Return one wording of a section with every slot drawn."""
    values: dict[str, _Value] = {}
    for name, domain, _ in _SLOT.findall(section.header):
        if name not in values:
            values[name] = _draw(name, domain, random, split, {v.meant for v in values.values()})
    determiner = random.choice(DETERMINERS)

    def meant(match: re.Match[str]) -> str:
        return values[match[1]].meant

    def said(match: re.Match[str]) -> str:
        name, _, form = match.groups()
        if name == "nth" and "n" in values:
            return _ORDINALS[int(values["n"].meant)]
        value = values.get(name)
        if value is None:
            return match[0]
        if value.said:
            return value.said
        return part_in_words(value.meant, form or "", determiner, random)

    return Filled(
        said=_SLOT.sub(said, wording), meant=_SLOT.sub(meant, section.header), wording=wording
    )


_ORDINALS = dict(
    enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"), 1
    )
)


def part_in_words(part: str, form: str, determiner: str, random: Random) -> str:
    """Return what people call a part ("left knee", "hands", "head")."""
    side, _, name = part.partition(" ")
    if side not in SIDES:
        side, name = "", part
    word = random.choice(_SYNONYMS.get(name, (name,)))
    if form == "side":
        return side
    if form == "part":
        return word
    whole = f"{side} {word}".strip()
    if form == "bare" or not determiner or whole.startswith("the "):
        return whole
    if whole.startswith("both "):
        return whole if determiner == "the" else f"both {determiner} {whole[5:]}"
    return f"{determiner} {whole}"


def _draw(name: str, domain: str, random: Random, split: Split, taken: set[str]) -> _Value:
    if name == "text":
        text = random.choice(texts_of(domain, split))
        return _Value(text, text)
    if re.fullmatch(r"\d+-\d+", domain):
        low, high = map(int, domain.split("-"))
        number = _number(low, high, random)
        return _Value(number, number)
    if "|" in domain or "=" in domain or not _is_parts(domain):
        word, _, ways = random.choice(domain.split("|")).partition("=")
        return _Value(word.strip(), random.choice([way.strip() for way in ways.split("/")])
                      if ways else word.strip())  # fmt: skip
    parts = [part for part in domain_of(domain) if part not in taken]
    if not parts:
        raise ConfigError(f"no part of {domain!r} is left for a second slot")
    return _Value(random.choice(parts))


def _is_parts(domain: str) -> bool:
    known = {*PLURALS, *_SINGULARS, *CENTRAL}
    return all(item.strip() in known for item in domain.split(","))


def _number(low: int, high: int, random: Random) -> str:
    if high > 20 and random.random() < 0.7:  # what people say
        usual = [n for n in (10, 15, 20, 30, 45, 60, 90, 120, 135, 180, 270) if low <= n <= high]
        return str(random.choice(usual))
    return str(random.randint(low, high))


def wordings_of(section: WordingSection, split: Split | None) -> Sequence[str]:
    """Return the wordings of a section that belong to a split; all of them for None."""
    return [w for w in section.wordings if split is None or split_of(w) == split]
