"""Everything a caption can say in one breath: single statements, and groups that are one phrase."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool

from unipose.posecodes import phrases
from unipose.posecodes.catalogue import SIDES
from unipose.posecodes.measure import Measured
from unipose.posecodes.position_phrases import POSITION_WORDS
from unipose.posecodes.positions import GROUPS, Extra
from unipose.posecodes.statements import HAND_WORDS, OPPOSITE, Statement, state

ARM_AND_LEG = {"elbow": "arm", "knee": "leg"}
"""Joints whose angle is also spoken of as the limb's: a straight arm is a straight elbow."""
SEGMENT_LIMBS = {"arm": ("upperarm", "forearm"), "leg": ("thigh", "shin")}
"""A limb is horizontal or vertical if both of its segments are."""
PLACE_LIMBS = {"arm": ("elbow", "hand"), "leg": ("knee", "foot")}
"""A limb is above, below, behind ... the other if both of these are."""
CROSSED = {"hand": "hand", "arm": "hand", "foot": "foot", "leg": "foot"}


@dataclass(frozen=True)
class FactWording:
    """One way to word a fact: who it is about, and what is said of them."""

    subject: str
    """Key such as "left_hand", "hands", "left_arm", "body"."""
    predicates: tuple[str, ...]

    @property
    def relation(self) -> tuple[str, ...]:
        """What makes two views' predicates the same."""
        return self.predicates


@dataclass(frozen=True, eq=False)
class Fact:
    """One or several statements with their possible wordings."""

    members: tuple[Statement, ...]
    views: tuple[FactWording, ...]
    weight: float = 1.0
    """How much a short caption wants it."""

    def __repr__(self) -> str:
        return f"Fact({self.members[0]}{' +' + str(len(self.members) - 1)})"


def noun(key: str) -> str:
    """Return the words for a subject key: "left_upperarm" -> "left upper arm", "feet" -> "feet"."""
    side, _, part = key.rpartition("_")
    if side:
        return f"{side} {phrases.PART_WORDS[part][0]}"
    if key in phrases.PART_WORDS:
        return phrases.PART_WORDS[key][0]
    return key


def plural(part: str) -> str:
    """Return the plural of a part's word."""
    word = phrases.PART_WORDS[part][0]
    return phrases.PLURALS.get(part, word + "s")


def _split(part: str) -> tuple[str, str]:
    side, _, name = part.rpartition("_")
    return side, name


def _binary(relation: str, objects: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(p.replace("{o}", o) for p in phrases.BINARY[relation] for o in objects)


def _limb(word: str, *, many: bool) -> tuple[str, ...]:
    said = phrases.LIMBS[word]
    for one in ("hip", "side"):
        said = tuple(p.replace(f"{{d}} {one}", f"{{d}} {one}{'s' if many else ''}") for p in said)
    return said


def _subjects(part: str, relation: str) -> tuple[str, ...]:
    """Return the keys under which a part's fact can be filed."""
    side, name = _split(part)
    if name in ARM_AND_LEG and relation in phrases.UNARY:
        return part, f"{side}_{ARM_AND_LEG[name]}"
    if relation in ("at_side", "reach_front", "out_side"):
        return part, f"{side}_arm"
    return (part,)


def _one(said: Statement, weight: float) -> Fact:
    first, relation, second = said.first, said.relation, said.second
    if relation in phrases.BODY:
        return Fact((said,), (FactWording("body", phrases.BODY[relation]),), weight)
    if relation == "torso_horizontal":
        return Fact((said,), (FactWording("torso", phrases.UNARY["horizontal"]),), weight)
    if second is None:
        table = phrases.UNARY.get(relation) or phrases.LIMBS[relation]
        views = tuple(FactWording(subject, table) for subject in _subjects(first, relation))
        return Fact((said,), views, weight)
    if relation in HAND_WORDS:
        words = _limb(relation, many=False)
        views = tuple(FactWording(subject, words) for subject in _subjects(first, relation))
        return Fact((said,), views, weight)
    if (relation, second) == ("above", "head"):
        return Fact((said,), (FactWording(first, _limb("overhead", many=False)),), weight)
    (side, part), (_, other) = _split(first), _split(second)
    if part == other:  # the left one and the right one of the same part
        if relation in phrases.PAIR:
            return Fact((said,), (FactWording(plural(part), phrases.PAIR[relation]),), weight)
        views = tuple(
            FactWording(a, _binary(rel, (f"{{d}} {noun(b)}", "the other " + noun(part))))
            for a, rel, b in ((first, relation, second), (second, OPPOSITE[relation], first))
        )
        if relation == "at_right" and part in CROSSED:
            limbs = [p for p, joint in CROSSED.items() if joint == part]
            views += (
                tuple(FactWording(plural(limb), phrases.LIMBS["crossed"]) for limb in limbs) * 2
            )
        return Fact((said,), views, weight)
    objects = tuple(f"{{d}} {word}" for word in phrases.PART_WORDS[other])
    if side and _split(second)[0]:
        objects = (f"{{d}} {noun(second)}",)
    said_as = _binary(relation, objects)
    if relation in ("at_left", "at_right") and part == "hand":
        return Fact(
            (said,),
            (FactWording(first, said_as), FactWording(first, phrases.LIMBS["across"])),
            weight,
        )
    return Fact((said,), (FactWording(first, said_as),), weight)


_WHOLE = {
    "kneeling": 6.0, "kneeling_on_left": 6.0, "kneeling_on_right": 6.0, "bent_forward": 4.0,
    "bent_backward": 5.0, "bent_left": 4.0, "bent_right": 4.0, "standing": 1.2, "sitting": 5.0,
    "squatting": 5.0, "torso_horizontal": 4.0, "lunging_on_left": 3.5, "lunging_on_right": 3.5,
}  # fmt: skip
_BENDS = {
    "completely_bent": 3.0, "bent_more": 2.5, "right_angle": 2.5, "bent_less": 2.0,
    "slightly_bent": 1.5, "straight": 2.0,
}  # fmt: skip
_ONE_SIDE: tuple[tuple[float, str, str, str | None], ...] = (
    *(
        (weight, f"~{joint}", band, None)
        for joint in ARM_AND_LEG
        for band, weight in _BENDS.items()
    ),
    *(
        (3.5, "~hand", "close", part)
        for part in ("~shoulder", "!shoulder", "!elbow", "~knee", "!knee", "~ankle", "!ankle")
    ),
    *((3.5, "~hand", "close", part) for part in ("~foot", "!foot")),
    (2.5, "~hand", "at_!", "~shoulder"),
    (1.8, "~foot", "at_!", "~hip"),
    (2.0, "~hand", "above", "~shoulder"),
    (3.5, "~foot", "above", "~hip"),
    (2.5, "~hand", "above", "neck"),
    (3.5, "~hand", "above", "head"),
    (1.5, "~hand", "below", "~hip"),
    (2.0, "~hand", "at_side", "~hip"),
    (3.0, "~hand", "on_hip", "~hip"),
    (2.6, "~hand", "reach_front", "~shoulder"),
    (2.6, "~hand", "out_side", "~shoulder"),
    (3.5, "~hand", "on_ground", None),
    (2.5, "~hand", "behind", "torso"),
    (1.2, "~foot", "behind", "torso"),
    (1.2, "~foot", "front", "torso"),
    *((2.0, f"~{part}", "horizontal", None) for part in ("thigh", "shin", "upperarm", "forearm")),
    *((1.0, f"~{part}", "vertical", None) for part in ("thigh", "shin", "upperarm", "forearm")),
)
"""Weight in short captions, first part, relation, second part; "~" is a side, "!" the other."""
_LEFT_TO_RIGHT: tuple[tuple[float, str, tuple[str, ...]], ...] = (
    (2.0, "elbow", ("close", "wide")),
    (2.0, "hand", ("close", "shoulder_width", "wide")),
    (1.0, "hand", ("spread",)),
    (1.0, "knee", ("close", "wide")),
    (2.0, "foot", ("close", "shoulder_width", "wide")),
    (1.2, "shoulder", ("below", "above", "behind", "front")),
    (1.2, "elbow", ("below", "above", "behind", "front")),
    (2.5, "knee", ("below", "above", "behind", "front")),
    (2.5, "hand", ("below", "above", "behind", "front")),
    (2.5, "foot", ("below", "above", "behind", "front")),
    (3.5, "hand", ("at_right",)),
    (3.5, "foot", ("at_right",)),
)


@cache
def _atoms() -> dict[Statement, float]:
    """Return every statement a writer may make, with its weight in short captions."""
    found = {state("body", name): weight for name, weight in _WHOLE.items()}
    found[state("torso", "vertical")] = 1.0
    for side, other in zip(SIDES, SIDES[::-1], strict=True):

        def own(words: str, side: str = side, other: str = other) -> str:
            one, two = ("", "") if words.startswith("at_") else ("_", "_")
            return words.replace("~", side + one).replace("!", other + two)

        for weight, first, relation, second in _ONE_SIDE:
            said = state(own(first), own(relation), second and own(second))
            found.setdefault(said, weight)
    for weight, part, relations in _LEFT_TO_RIGHT:
        for relation in relations:
            found[state(f"left_{part}", relation, f"right_{part}")] = weight
    return found


def _both_sides(said: Statement, weight: float) -> Fact | None:
    """Return the fact that a left statement and its mirror image make together."""
    twin = said.mirrored()
    side, part = _split(said.first)
    if side != "left" or twin == said:
        return None
    members = (said, twin)
    if said.second is None or said.relation in HAND_WORDS:
        words = _both_words(said)
        views = tuple(
            FactWording(plural(_split(key)[1]), words)
            for key in _subjects(said.first, said.relation)
        )
        return Fact(members, views, weight + 1)
    other_side, other = _split(said.second)
    if said.second == "head":
        keys = ("hand", "arm")
        return Fact(
            members,
            tuple(FactWording(plural(k), phrases.LIMBS["overhead"]) for k in keys),
            weight + 1,
        )
    if other == part:
        return None
    if other_side == "right":
        words = _binary(said.relation, (f"the opposite {phrases.PART_WORDS[other][0]}",))
        return Fact(
            members, (FactWording(f"each {phrases.PART_WORDS[part][0]}", words),), weight + 1
        )
    if said.relation in ("at_left", "at_right"):
        return None
    objects = (f"{{d}} {plural(other)}",)
    if not other_side:
        objects = tuple(f"{{d}} {word}" for word in phrases.PART_WORDS[other])
    return Fact(members, (FactWording(plural(part), _binary(said.relation, objects)),), weight + 1)


def _both_words(said: Statement) -> tuple[str, ...]:
    if said.relation in phrases.UNARY:
        return phrases.UNARY[said.relation]
    return _limb(said.relation, many=True)


def _limb_facts() -> list[Fact]:
    found = []
    for limb, parts in SEGMENT_LIMBS.items():
        for tilt in ("horizontal", "vertical"):
            members = {s: tuple(state(f"{s}_{p}", tilt) for p in parts) for s in SIDES}
            words = phrases.UNARY[tilt]
            for side in SIDES:
                found.append(Fact(members[side], (FactWording(f"{side}_{limb}", words),), 2.5))
            both = members["left"] + members["right"]
            found.append(Fact(both, (FactWording(plural(limb), words),), 3.5))
    for limb, parts in PLACE_LIMBS.items():
        for relation in ("above", "below", "front", "behind"):
            members = tuple(state(f"left_{p}", relation, f"right_{p}") for p in parts)
            views = tuple(
                FactWording(
                    f"{a}_{limb}",
                    _binary(rel, (f"{{d}} {noun(f'{b}_{limb}')}", f"the other {limb}")),
                )
                for a, rel, b in (
                    ("left", relation, "right"),
                    ("right", OPPOSITE[relation], "left"),
                )
            )
            found.append(Fact(members, views, 2.4))
    return found


def t_pose() -> tuple[Statement, ...]:
    """Return what arms straight out to the sides are made of."""
    arms = [
        state(f"{side}_{part}", how)
        for side in SIDES
        for part, how in (("elbow", "straight"), ("upperarm", "horizontal"))
    ]
    return (*arms, state("left_hand", "wide", "right_hand"))


@cache
def atoms() -> tuple[Fact, ...]:
    """Return the facts of one statement each; the order is the order of columns."""
    return tuple(_one(said, weight) for said, weight in _atoms().items())


def true_atoms(measured: Measured) -> Bool[np.ndarray, "pose atom"]:
    """Return which atoms hold, exactly, for which pose."""
    return np.stack([measured.holds(fact.members[0].recipes) for fact in atoms()], axis=1)


@cache
def extra_atoms(groups: frozenset[Extra]) -> tuple[Fact, ...]:
    """Return the facts of the optional groups, in one order whatever the order of asking."""
    return tuple(
        Fact((state(part, relation),), (FactWording(part, POSITION_WORDS[part, relation]),), weight)
        for group, weight in (("lying", 6.0), ("lean", 3.0), ("head", 2.6))
        if group in groups
        for part, relation in GROUPS[group]
    )


@cache
def merged() -> tuple[Fact, ...]:
    """Return the facts of several statements, those with most of them first."""
    found = [Fact(t_pose(), (FactWording("arms", phrases.LIMBS["t_pose"]),), 5.0)]
    found += _limb_facts()
    found += [f for said, w in _atoms().items() if (f := _both_sides(said, w)) is not None]
    return tuple(sorted(found, key=lambda fact: -len(fact.members)))
