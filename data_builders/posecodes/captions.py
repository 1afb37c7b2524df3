"""Poses become sentences: true codes are chosen, merged, put in order and worded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from data_builders.posecodes import keyed_random
from data_builders.posecodes.keyed_random import KeyedRandom
from data_builders.posecodes.statistics import RARE_SHARE, TRIVIAL_SHARE, pose_statistics
from data_builders.posecodes.wording import MERGE, CaptionWriter, Line, in_order
from unipose.errors import ConfigError
from unipose.posecodes.facts import Fact, atoms, extra_atoms, merged, true_atoms
from unipose.posecodes.measure import Measured
from unipose.posecodes.positions import Extra
from unipose.posecodes.statements import Statement, state

Style = Literal["plain", "full", "short"]
Idle = Literal["nothing", "rules", "mined"]

SKIP = 0.15
"""Share of the ordinary codes that a caption leaves out at random."""
RARE = 2.5
"""Codes of this weight or more are never left out at random."""


@dataclass(frozen=True, kw_only=True)
class CaptionOptions:
    """What captions may speak of and what they leave out; the defaults are the ECCV-sized set."""

    extras: frozenset[Extra] = frozenset()
    """"lying" (and being upside down), "lean" of the trunk, "head" (needs its angles)."""
    eligible: Literal["weights", "statistics"] = "weights"
    """How trivial and rare codes are found: by hand-set weights (none is trivial), or by how many
    recorded poses they are true of: over 40 % is never said, under 6 % never skipped."""
    idle: Idle = "rules"
    """What a merged text leaves out because other codes imply it: nothing, what follows by our
    own rules, or also what mostly comes along in recorded poses."""
    pronouns: bool = False
    """Go on about one subject in a second sentence now and then: "It is ...", "She is ..."."""
    skip: float = SKIP

    def __post_init__(self) -> None:
        if not 0.0 <= self.skip < 1.0:
            raise ConfigError(f"expected a share to skip from 0 to below 1, got {self.skip}")


class Caption(NamedTuple):
    """A text and exactly the statements that it makes."""

    text: str
    statements: frozenset[Statement]


class ThreeCaptions(NamedTuple):
    """The captions that one pose is described by, from wordy to natural."""

    plain: Caption
    """Every code in a sentence of its own."""
    aggregated: Caption
    """The same kind of codes merged, ordered and linked."""
    filtered: Caption
    """Merged as well, without what other codes imply."""


class _Spoken:
    """A fact ready for writing: bits, views with their place in the walk over the body."""

    __slots__ = ("atoms", "bits", "rare", "views", "weight")

    def __init__(self, fact: Fact, at: dict[Statement, int]) -> None:
        self.bits = _bits(fact.members, at)
        self.atoms = len(fact.members)
        self.weight = fact.weight
        self.rare = fact.weight >= RARE
        self.views = tuple(Line(view) for view in fact.views)


def _bits(statements: Sequence[Statement], at: dict[Statement, int]) -> int:
    """Return the bits of statements in a table of true atoms."""
    return sum(1 << at[said] for said in statements)


class _Table:
    """Everything that is the same for all captions of the same options."""

    def __init__(self, options: CaptionOptions) -> None:
        self.extras = extra_atoms(options.extras)
        self.facts = atoms() + self.extras
        at = {fact.members[0]: i for i, fact in enumerate(self.facts)}
        self.atoms = tuple(_Spoken(fact, at) for fact in self.facts)
        self.merged = tuple(_Spoken(fact, at) for fact in merged())
        self.ordinary = np.array([not spoken.rare for spoken in self.atoms])
        self.trivial = np.zeros(len(self.facts), dtype=bool)
        self.support: list[tuple[int, int]] = []
        if options.eligible == "statistics":
            known = pose_statistics().shares
            shares = np.array([known[fact.members[0]] for fact in self.facts])
            self.ordinary, self.trivial = shares >= RARE_SHARE, shares > TRIVIAL_SHARE
            self.support = [(at[said], at[dropped]) for said, dropped in _supports()]
        rules = [] if options.idle == "nothing" else implications()
        self.implied = tuple(
            (_bits(reasons, at), ~_bits([dropped], at))
            for reasons, dropped in rules
            if all(said in at for said in (*reasons, dropped))
        )
        mined = pose_statistics().rules if options.idle == "mined" else ()
        self.mined = [
            ([at[said] for said in rule.reasons], at[rule.dropped])
            for rule in mined
            if all(said in at for said in (*rule.reasons, rule.dropped))
        ]

    def keep(
        self,
        true: Bool[np.ndarray, "pose atom"],
        chances: Float[np.ndarray, "pose atom"],
        skip: float,
    ) -> Bool[np.ndarray, "pose atom"]:
        """Return what is worth saying of what is true: not trivial, not skipped, not implied."""
        true = true & ~self.trivial
        for said, dropped in self.support:
            true[:, dropped] &= ~true[:, said]
        kept = true & ~(self.ordinary & (chances < skip))
        kept[~kept.any(axis=1)] = true[~kept.any(axis=1)]
        for reasons, dropped in self.mined:
            kept[:, dropped] &= ~kept[:, reasons].all(axis=1)
        return kept


def implications() -> list[tuple[tuple[Statement, ...], Statement]]:
    """Return our own rules: what the first ones say makes the last one idle."""
    rules: list[tuple[tuple[Statement, ...], Statement]] = []
    kneeling = state("body", "kneeling")
    for side in ("left", "right"):
        hand, hip = f"{side}_hand", f"{side}_hip"
        head, neck = state(hand, "above", "head"), state(hand, "above", "neck")
        shoulder = state(hand, "above", f"{side}_shoulder")
        rules += [((head,), neck), ((head,), shoulder), ((neck,), shoulder)]
        rules += [((state(hand, "at_side", hip),), state(hand, "below", hip))]
        rules += [((kneeling,), state("body", f"kneeling_on_{side}"))]
        rules += [((kneeling,), state(f"{side}_knee", "completely_bent"))]
        rules += [((kneeling,), state(f"{side}_foot", "behind", "torso"))]
    rules += [((kneeling,), state("body", "squatting"))]
    for where in ("back", "front", "left", "right"):
        lying = state("body", f"lying_on_{where}")
        rules += [((lying,), state("body", "torso_horizontal"))]
        for way in ("forward", "backward", "left", "right"):
            rules += [((lying,), state("body", f"bent_{way}"))]
    rules += [((state("body", "lying_on_back"),), state("torso", "facing_up"))]
    rules += [((state("body", "lying_on_front"),), state("torso", "facing_down"))]
    return rules


def _supports() -> list[tuple[Statement, Statement]]:
    """Return what is only said where the larger word that it helps to define is not."""
    found = []
    for side in ("left", "right"):
        found.append((state("body", "kneeling"), state(f"{side}_knee", "completely_bent")))
        for relation in ("below", "above"):
            knees = state("left_knee", relation, "right_knee")
            found.append((state("body", f"kneeling_on_{side}"), knees))
    return found


@cache
def _table(options: CaptionOptions) -> _Table:
    return _Table(options)


def write_captions_with_codes(
    joints: Float[np.ndarray, "pose joint 3"] | Measured,
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
    options: CaptionOptions | None = None,
) -> list[Caption]:
    """Return for each pose its caption and exactly the statements that the caption makes.

    `joints`: metres, body frame (x left, y up, z front), SMPL order, 22 or more; a joint that is
    NaN is not spoken of. Or measured poses, which may know the head's angles. A caption depends on
    its pose, `seed`, its own index and the options alone, so it is the same in any batch, order and
    process. "plain" says every code in a sentence of its own; "full" says the same merged and
    linked; "short" says what is most worth saying, in about forty words.
    """
    options = options or CaptionOptions()
    table = _table(options)
    measured = joints if isinstance(joints, Measured) else Measured(joints)
    true = true_atoms(measured)
    if table.extras:
        more = [measured.holds(fact.members[0].recipes) for fact in table.extras]
        true = np.concatenate([true, np.stack(more, axis=1)], axis=1)
    keys = keyed_random.keys(seed, indices)
    kept = table.keep(true, keyed_random.uniform(keys, true.shape[1]), options.skip)
    found = []
    for row, key in zip(kept, keys.tolist(), strict=True):
        columns = np.flatnonzero(row).tolist()
        text, bits = _write(columns, KeyedRandom(key), style, table, pronouns=options.pronouns)
        found.append(Caption(text, _statements(bits, columns, table)))
    return found


def write_captions(
    joints: Float[np.ndarray, "pose joint 3"] | Measured,
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
    options: CaptionOptions | None = None,
) -> list[str]:
    """Return one caption for each pose; see `write_captions_with_codes`."""
    rows = write_captions_with_codes(
        joints, seed=seed, indices=indices, style=style, options=options
    )
    return [row.text for row in rows]


def write_three_captions(
    joints: Float[np.ndarray, "pose joint 3"] | Measured,
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    options: CaptionOptions | None = None,
) -> list[ThreeCaptions]:
    """Return for each pose the three captions of PoseScript-A2 and UniPose.

    Codes are skipped at random anew for each of the three. `options.idle` says what the third one
    is filtered by ("nothing" is taken as "mined"); arguments else as in `write_captions`.
    """
    options = options or CaptionOptions(eligible="statistics", idle="mined", pronouns=True)
    measured = joints if isinstance(joints, Measured) else Measured(joints)
    idle: Idle = "mined" if options.idle == "nothing" else options.idle
    rows = [
        write_captions_with_codes(
            measured,
            seed=3 * seed + version,
            indices=indices,
            style="plain" if version == 0 else "full",
            options=replace(options, idle=idle if version == 2 else "nothing"),
        )
        for version in range(3)
    ]
    return [ThreeCaptions(*row) for row in zip(*rows, strict=True)]


def _statements(bits: int, columns: list[int], table: _Table) -> frozenset[Statement]:
    return frozenset(table.facts[i].members[0] for i in columns if bits >> i & 1)


def _write(
    columns: list[int], random: KeyedRandom, style: Style, table: _Table, *, pronouns: bool
) -> tuple[str, int]:
    """Return the text for the true columns, and the bits of what it says."""
    if not columns:
        return "Nothing stands out in this pose.", 0
    if style == "plain":
        spoken = [table.atoms[i] for i in columns]
    else:
        bits = sum(1 << i for i in columns)
        for reasons, rest in table.implied:
            if bits & reasons == reasons:
                bits &= rest
        spoken = _merge(bits, random, table)
    if style == "short":
        spoken = _choose(spoken, random)
    said = 0
    for fact in spoken:
        said |= fact.bits
    lines = [fact.views[0] if len(fact.views) == 1 else random.pick(fact.views) for fact in spoken]
    text = CaptionWriter(random, pronouns=pronouns).write(
        in_order(lines, random), alone=style == "plain"
    )
    return text, said


def _merge(bits: int, random: KeyedRandom, table: _Table) -> list[_Spoken]:
    """Return the facts to say: groups first, then what is left of the single ones."""
    found = []
    for fact in table.merged:
        if bits & fact.bits == fact.bits and random.random() < MERGE:
            found.append(fact)
            bits &= ~fact.bits
    while bits:
        lowest = bits & -bits
        found.append(table.atoms[lowest.bit_length() - 1])
        bits ^= lowest
    return found


def _choose(spoken: list[_Spoken], random: KeyedRandom) -> list[_Spoken]:
    """Return the few facts most worth saying: at most nine statements, two facts a limb."""
    room = 6 + int(random.random() * 4)
    scored = sorted(
        ((fact.weight + 2.0 * random.random(), i) for i, fact in enumerate(spoken)), reverse=True
    )
    found: list[_Spoken] = []
    crowd: dict[tuple[int, int], int] = {}
    later: list[_Spoken] = []
    for _, i in scored:
        fact = spoken[i]
        line = fact.views[0]
        where = line.limb, line.side
        if fact.atoms > room or len(found) >= 7:
            continue
        if line.limb and crowd.get(where, 0) >= 2:
            later.append(fact)
            continue
        crowd[where] = crowd.get(where, 0) + 1
        found.append(fact)
        room -= fact.atoms
    for fact in later:
        if len(found) < 4 and fact.atoms <= room:
            found.append(fact)
            room -= fact.atoms
    return found
