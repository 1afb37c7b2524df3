"""The instruction reader: what a text asks to change from one pose to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from unipose.errors import PoseError
from unipose.posecodes import phrases
from unipose.posecodes.catalogue import SIDES
from unipose.posecodes.changes import Change
from unipose.posecodes.facts import ARM_AND_LEG
from unipose.posecodes.lexicon import Lexicon, Token, part_entries, token_text, word_entries
from unipose.posecodes.lexicon import words as split_words
from unipose.posecodes.meanings import Named
from unipose.posecodes.position_phrases import TURN_WORDS, TURN_WORDS_ALSO
from unipose.posecodes.statement_reader import read
from unipose.posecodes.statements import CENTRAL

Item = tuple[str, str, str, Named | None]
"""What is said after the parts: kind, name, size, and the second part if there is one."""
_JOINT_OF = {limb: joint for joint, limb in ARM_AND_LEG.items()}
_MOVED = {"arm": ("elbow", "hand"), "leg": ("knee", "foot")}
_END = {"arm": "hand", "leg": "foot"}
_WAYS = tuple(phrases.DIRECTIONS)
_NOTHING = frozenset(
    " ".join(split_words(text.rstrip(".")))
    for text in (
        *phrases.NOTHING_CHANGES,
        "no change",
        "no changes",
        "do not move",
        "keep the same pose",
        "keep the pose",
        "stay as you are",
        "the poses are the same",
        "the two poses are the same",
        "do nothing",
        "hold still",
        "hold this pose",
        "keep this pose",
    )
)


@dataclass(frozen=True)
class ChangeReading:
    """What was understood, in order and without repeats, and the words that were not."""

    changes: list[Change] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_changes(text: str) -> list[Change]:
    """Return the changes that an instruction asks for; none if it says that nothing changes."""
    return read_change_text(text).changes


def read_change_text(text: str) -> ChangeReading:
    """Return the changes and what could not be read.

    A sentence without an instruction ("your left knee should be straight") is read as a state that
    the second pose is in. Unknown words make the whole instruction they stand in unread.
    """
    found: dict[Change, None] = {}
    unread: list[str] = []
    for sentence in _split(text):
        words = " ".join(split_words(sentence))
        if words in _NOTHING:
            continue
        if (turned := _whole_turns().get(words)) is not None:
            found[turned] = None
            continue
        rows = change_lexicon().sentences(sentence)
        for row in rows:
            if any(token.get("verb") for token in row) and not any(t.get("target") for t in row):
                _ChangeParser(found, unread).sentence(row)
                continue
            reading = read(sentence)
            unread += reading.unread
            if not reading.statements and not reading.unread:
                unread.append(sentence)
            for said in reading.statements:
                found[Change(said.first, "reach", target=said)] = None
    return ChangeReading(list(found), unread)


@cache
def _whole_turns() -> dict[str, Change]:
    """Return the sentences that turn the whole body, as what they ask for."""
    return {
        " ".join(split_words(phrase.replace("{d}", ""))): Change("body", action, size)
        for table in (TURN_WORDS_ALSO, TURN_WORDS)
        for (action, size), said in table.items()
        for phrase in said
    }


def _split(text: str) -> list[str]:
    row = text
    for stop in "!?;:":
        row = row.replace(stop, ".")
    return [part.strip() for part in row.split(".") if part.strip()]


def _entries(kind: str, table: dict[str, tuple[str, ...]]) -> list[tuple[str, str, str]]:
    return [(p.replace("{o}", ""), kind, name) for name, said in table.items() for p in said]


@cache
def change_lexicon() -> Lexicon:
    """Return the phrases of instructions."""
    # "back" is a direction here, and "lower" a verb: "lower your arms"
    found = [e for e in part_entries() if e[0] != "back" and not e[0].startswith("lower ")]
    found += word_entries()
    for kind, tables in {
        "verb": (phrases.VERBS, phrases.VERBS_ALSO),
        "way": (phrases.DIRECTIONS, phrases.COMPARED, phrases.DIRECTIONS_ALSO),
        "size": (phrases.SIZES, phrases.SIZES_ALSO),
        "gap": (phrases.TOGETHER, phrases.TOGETHER_ALSO),
        "toward": (phrases.TOWARD, phrases.TOWARD_ALSO),
    }.items():
        for table in tables:
            found += _entries(kind, table)
    found += [(word, "more", "more") for word in phrases.MORE]
    found += [(word, "less", "less") for word in phrases.LESS]
    found += [(word, "target", "target") for word in phrases.TARGETS]
    found += [("straight", "straight", "straight"), ("and then", "link", "then")]
    return Lexicon(found)


class _ChangeParser:
    """Reads one sentence of instructions."""

    def __init__(self, found: dict[Change, None], unread: list[str]) -> None:
        self.found, self.unread = found, unread
        self.parts: list[Named] = []

    def sentence(self, tokens: list[Token]) -> None:
        """Read the sentence instruction by instruction; each begins with a verb."""
        tokens = _with_verbs(tokens)
        starts = [i for i, token in enumerate(tokens) if _is_verb(tokens, i, token)]
        if not starts:
            self.unread.append(token_text(tokens))
            return
        before = [token for token in tokens[: starts[0]] if not token.get("link")]
        if not all(token.get("person") or token.get("fill") for token in before):
            # "keep the left arm straight and ..."
            self._keep(_reached(before), before)
        for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
            row = tokens[start:end]
            while row and row[-1].get("link"):
                row = row[:-1]
            self._keep(self._instruction(row) or _reached(row), row)

    def _keep(self, said: list[Change] | None, row: list[Token]) -> None:
        if said:
            self.found.update(dict.fromkeys(said))
        else:
            self.unread.append(token_text(row))

    def _instruction(self, row: list[Token]) -> list[Change] | None:
        verb = row[0].get("verb") or ""
        parts, items = self._parts_and_items(row[1:])
        if items is None:
            return None
        if parts:
            parts = self.parts = [self._sided(named) for named in parts]
        elif (
            verb not in ("lean", "turn")
            and not (verb == "bend" and items)
            and any(token.text in ("it", "them") for token in row)
        ):
            parts = self.parts
        try:
            return _changes(verb, parts, items)
        except PoseError:
            return None

    def _sided(self, named: Named) -> Named:
        """Return the part on the side last spoken of, if it was named without a side."""
        if named.side != "none" or named.part in CENTRAL:
            return named
        last = {p.side for p in self.parts} & set(SIDES)
        return Named(last.pop(), named.part) if len(last) == 1 else named

    def _parts_and_items(self, row: list[Token]) -> tuple[list[Named], list[Item] | None]:
        """Return the parts named and the items; None for the items if a word is unknown."""
        parts: list[Named] = []
        items: list[Item] = []
        size, at = "", 0
        while at < len(row):
            token = row[at]
            if token.get("size"):
                follows = at + 1 < len(row) and any(
                    row[at + 1].get(k) for k in ("way", "gap", "toward", "more", "less")
                )
                if follows or not items:
                    size = token.get("size") or ""
                elif items[-1][2] in ("", token.get("size")):
                    items[-1] = (items[-1][0], items[-1][1], token.get("size") or "", items[-1][3])
                at += 1
            elif token.get("toward") and (named := _mention(row, at + 1)):
                items.append(("toward", token.get("toward") or "", size, named[0]))
                size, at = "", named[1]
            elif not items and not size and (named := _mention(row, at)):
                parts.append(named[0])
                at = named[1]
            elif token.text in ("it", "them") or token.get("link") or token.get("fill"):
                at += 1
            else:
                kind = next(
                    (k for k in ("gap", "way", "less", "more", "straight") if token.get(k)), None
                )
                if kind is None:
                    return parts, None
                items.append((kind, token.get(kind) or "", size, None))
                size, at = "", at + 1
        if size:
            items.append(("size", "", size, None))
        return parts, items


def _with_verbs(tokens: list[Token]) -> list[Token]:
    """Repeat the verb where it is left out: "move the hand up and (move) the foot back"."""
    found: list[Token] = []
    verb, complete = None, False
    for i, token in enumerate(tokens):
        if _is_verb(tokens, i, token):
            verb, complete = token, False
        elif any(token.get(kind) for kind in ("way", "gap", "more", "less", "size")):
            complete = True
        named = any(token.get(kind) for kind in ("side", "part", "parts"))
        if verb and complete and named and tokens[i - 1].get("link"):
            after = tokens[i + 1] if i + 1 < len(tokens) else None
            if not token.get("side") or (after and (after.get("part") or after.get("parts"))):
                found.append(verb)
                complete = False
        found.append(token)
    return found


def _reached(row: list[Token]) -> list[Change] | None:
    """Return the state that an instruction leads to: "put your left hand on your hip"."""
    said = token_text(row[1:] if row[0].get("verb") else row)
    if row[0].get("verb") == "down":  # "lower your arms to your sides"
        said = said.replace(" to side", " at side")
    reading = read(said)
    if reading.unread or not reading.statements:
        return None
    return [Change(said.first, "reach", target=said) for said in reading.statements]


def _is_verb(tokens: list[Token], i: int, token: Token) -> bool:
    """Return whether an instruction begins here: a verb first in its sentence or after a link."""
    if not token.get("verb"):
        return False
    if token.get("way") and i > 0:  # "lower" is a verb only before what is lowered
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        kinds = ("part", "parts", "side")
        if after is None or not (any(after.get(k) for k in kinds) or after.text in ("it", "them")):
            return False
    return i == 0 or any(tokens[i - 1].get(kind) for kind in ("link", "person", "fill"))


def _mention(row: list[Token], at: int) -> tuple[Named, int] | None:
    """Return the part named at `at` and where the text goes on."""
    side = None
    if at < len(row) and row[at].text in SIDES and at + 1 < len(row):
        side, at = row[at].text, at + 1
        linked = at + 2 < len(row) and row[at].text == "and" and row[at + 1].text in SIDES
        if linked and row[at + 2].get("parts"):
            side, at = "both", at + 2
    if at >= len(row):
        return None
    if part := row[at].get("part"):
        return Named(side or "none", part), at + 1
    if part := row[at].get("parts"):
        return Named(side or "both", part), at + 1
    if side is None and row[at].get("person") and row[at].text not in ("them", "one"):
        return Named("none", "torso"), at + 1
    return None


_TRUNK = ("torso", "waist", "pelvis")


def _changes(verb: str, parts: list[Named], items: list[Item]) -> list[Change]:
    """Return what one instruction asks for; an empty list if that cannot be measured."""
    trunk = verb == "bend" or (verb == "move" and parts)
    if verb in ("lean", "turn") or (trunk and all(p.part in _TRUNK for p in parts)):
        return _body("turn" if verb == "turn" else "lean", parts, items)
    if not parts:
        return []
    if verb in ("bend", "unbend", "straighten"):
        return _angles(verb, parts, items)
    if verb in ("apart", "closer"):
        sizes = [item[2] for item in items if item[2]]
        fits = _only(items, "gap", "size", "more")
        return _gaps(verb, sizes[0] if sizes else "", parts) if fits else []
    found: list[Change] = []
    if verb in _WAYS:
        own = items[0][2] if items and items[0][0] in ("size", "more") else ""
        items = items[1:] if items and items[0][0] in ("size", "more") else items
        if items and items[0][:2] == ("way", verb):  # "raise it higher"
            own, items = own or items[0][2], items[1:]
        found += _directions(verb, own, parts)
    for item in items:
        said = _moved(item, parts)
        if not said:
            return []
        found += said
    return found


def _moved(item: Item, parts: list[Named]) -> list[Change]:
    kind, name, size, other = item
    if kind == "way":
        return _directions(name, size, parts)
    if kind == "gap":
        return _gaps(name, size, parts)
    return _toward(name, size, parts, other) if kind == "toward" and other is not None else []


def _only(items: list[Item], *kinds: str) -> bool:
    return all(item[0] in kinds for item in items)


def _body(verb: str, parts: list[Named], items: list[Item]) -> list[Change]:
    found = []
    if any(p.part not in (*_TRUNK, "body") for p in parts) or not _only(
        items, "way", "size", "more"
    ):
        return []
    late = next((size for kind, _, size, _ in items if kind != "way" and size), "")
    for kind, way, size, _ in items:
        if kind != "way":
            continue
        towards = "forward" if verb == "lean" and way == "down" else way
        sized = (size or late).replace("medium", "any") or "any"
        found.append(Change("body", f"{verb}_{towards}", sized))
    return found


def _angles(verb: str, parts: list[Named], items: list[Item]) -> list[Change]:
    if not _only(items, "more", "less", "size", "way"):
        return []
    ways = [item[1] for item in items if item[0] == "way"]
    if ways and not (verb == "straighten" and set(ways) <= {"up"}):
        return []
    size = next((item[2] for item in items if item[2]), "any")
    if any(item[0] == "less" for item in items):
        verb = {"bend": "unbend"}.get(verb, "bend")
    if verb == "straighten" and size != "any":
        verb = "unbend"
    return [
        Change(f"{s}_{_JOINT_OF.get(p.part, p.part)}", verb, size) for p in parts for s in p.sides()
    ]


def _directions(way: str, size: str, parts: list[Named]) -> list[Change]:
    found = []
    size = (size or "any").replace("medium", "any")
    for named in parts:
        for part in _MOVED.get(named.part, (named.part,)):
            if named.side == "none" and part not in ("head", "neck"):
                return []
            for side in named.sides():
                found.append(Change(part if side == "none" else f"{side}_{part}", way, size))
    return found


def _gaps(way: str, size: str, parts: list[Named]) -> list[Change]:
    ends = [f"{s}_{_END.get(p.part, p.part)}" for p in parts for s in p.sides()]
    if len(ends) != 2 or "none" in ends[0] + ends[1]:
        return []
    size = (size or "any").replace("medium", "any")
    return [Change(ends[0], way, size, ends[1])]


def _toward(way: str, size: str, parts: list[Named], other: Named) -> list[Change]:
    size = (size or "any").replace("medium", "any")
    end = _END.get(other.part, other.part)
    found = []
    for named in parts:
        for side in named.sides():
            if side == "none":
                return []
            part = f"{side}_{_END.get(named.part, named.part)}"
            second = side if other.side == "both" and named.side == "both" else other.side
            found.append(Change(part, way, size, end if second == "none" else f"{second}_{end}"))
    return found
