"""One or two things to do, in few words, as people type in a chat: "raise your left arm", "squat".

Where the texts of `modifiers` list how a whole pose changes, these name the change that stands out,
or the state that is reached: "put your hand on your hip".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from data_builders.posecodes import keyed_random
from data_builders.posecodes.instructions import Said, clauses_of
from data_builders.posecodes.keyed_random import KeyedRandom
from data_builders.posecodes.modifiers import Modifier, as_text, merged_changes, reach
from unipose.posecodes import phrases
from unipose.posecodes.changes import Change, MeasuredPair
from unipose.posecodes.facts import Fact, atoms, merged, noun, plural
from unipose.posecodes.pair_codes import PairCodes
from unipose.posecodes.statements import Statement

_NAMED_STATES = 0.4
"""How often a state is named, where one is reached."""
_ALONE = 0.7
"""How often one change is named, and not two."""

_POSTURES: dict[str, tuple[str, ...]] = {
    "kneeling": ("kneel", "kneel down"),
    "kneeling_on_left": ("kneel on {d} left knee",),
    "kneeling_on_right": ("kneel on {d} right knee",),
    "standing": ("stand", "stand up", "stand upright", "stand up straight"),
    "sitting": ("sit", "sit down"),
    "squatting": ("squat", "squat down", "crouch", "crouch down"),
    "lunging_on_left": ("lunge forward on {d} left leg", "lunge onto {d} left leg"),
    "lunging_on_right": ("lunge forward on {d} right leg", "lunge onto {d} right leg"),
}
_MOVE = ("put", "bring", "move")
_STATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "above": (("raise", "lift", "put"), ("above {o}", "over {o}", "higher than {o}")),
    "close": (_MOVE, ("near {o}", "next to {o}", "beside {o}")),
    "on_hip": (("put", "place"), ("on {o}",)),
    "at_side": (("put", "bring"), ("at {o}", "down at {o}", "down by {o}")),
    "reach_front": (("stretch",), ("forward", "out in front")),
    "out_side": (("stretch",), ("out to {o}", "to {o}")),
    "on_ground": (("put", "place"), ("on the ground", "on the floor")),
    "behind": (_MOVE, ("behind {o}",)),
    "right_angle": (("bend",), ("to a right angle", "to 90 degrees")),
}
"""What is done with a limb, and where to; `{o}` is where."""
_ENDS = {"hand": ("hands", "arms"), "foot": ("feet", "legs")}
"""What is said to be spread where hands or feet come apart."""
_OWN = {"at_side": "side", "out_side": "side", "on_hip": "hip"}
"""Places of the limb's own side, which go without saying."""


def write_brief_modifiers_with_codes(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    named_states: float = _NAMED_STATES,
) -> list[Modifier]:
    """Return for each pair a brief instruction and exactly the changes that it asks for.

    Arguments as in `write_modifiers_with_codes`; `named_states` is how often a state is named
    where one is reached. A pair without a change says so.
    """
    pairs = PairCodes(joints_a, joints_b)
    reached = _reached(joints_a, joints_b)
    keys = keyed_random.keys(seed, indices).tolist()
    return [
        _write(pairs, row, reached[row], KeyedRandom(key), named_states)
        for row, key in enumerate(keys)
    ]


def write_brief_modifiers(
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
) -> list[str]:
    """Return one brief instruction for each pair; see `write_brief_modifiers_with_codes`."""
    rows = write_brief_modifiers_with_codes(joints_a, joints_b, seed=seed, indices=indices)
    return [row.text for row in rows]


def rarity(
    joints_a: Float[np.ndarray, "pose joint 3"], joints_b: Float[np.ndarray, "pose joint 3"]
) -> Float[np.ndarray, " pose"]:
    """Return one over how many of the pairs reach the rarest state that each pair reaches.

    It is 0 for a pair that reaches none. People ask for squatting more often than they squat.
    """
    reached = _reached(joints_a, joints_b)
    return (reached / reached.sum(axis=0).clip(min=1)).max(axis=1)


def _write(
    pairs: PairCodes,
    row: int,
    reached: Bool[np.ndarray, " goal"],
    random: KeyedRandom,
    named: float,
) -> Modifier:
    goals = [goal for goal, there in zip(_goals(), reached, strict=True) if there]
    moved = np.flatnonzero(pairs.moved[row]).tolist()
    if goals and (not moved or random.random() < named):
        weights = [goal.weight + 3 * random.random() for goal in goals]
        goal = goals[int(np.argmax(weights))]
        return Modifier(
            as_text([_order(goal, random)], random), frozenset(map(reach, goal.members))
        )
    if not moved:
        return Modifier(random.pick(phrases.NOTHING_CHANGES), frozenset())
    found = merged_changes(pairs, row, moved, random)
    found.sort(key=lambda said: said.weight + random.random(), reverse=True)
    found = found[: 1 if random.random() < _ALONE else 2]
    clauses = [_gap(said, random) or clauses_of([said], random, alone=True)[0] for said in found]
    changes = frozenset[Change]().union(*(said.members for said in found))
    return Modifier(as_text([" and ".join(clauses)], random), changes)


def _order(goal: Fact, random: KeyedRandom) -> str:
    """Return the clause that asks for a state."""
    relation = goal.members[0].relation
    if relation in _POSTURES:
        return random.pick(_POSTURES[relation])
    verbs, ways = _STATES[relation]
    view = random.pick(goal.views)
    many = len(goal.members) > 1
    who = (random.pick(("both ", "{d} ")) if many else "{d} ") + noun(view.subject)
    way = random.pick(ways).replace("{o}", "{d} " + _where(goal.members[0], many=many))
    return f"{random.pick(verbs)} {who} {way}"


def _where(said: Statement, *, many: bool) -> str:
    """Return the words for the place of a state: "left knee", "hips"."""
    if said.relation in _OWN:
        return _OWN[said.relation] + "s" * many
    place = said.second or ""
    return plural(place.split("_")[1]) if many and "_" in place else noun(place)


def _gap(said: Said, random: KeyedRandom) -> str | None:
    """Return the short clause of a distance between left and right, if there is one."""
    change = said.members[0]
    if change.other in (None, "torso") or said.size != "any":
        return None
    part = change.part.split("_")[1]
    if change.action == "apart" and part in _ENDS and random.random() < 0.7:
        return "spread {d} " + random.pick(_ENDS[part])
    return None


@cache
def _goals() -> tuple[Fact, ...]:
    """Return the states that brief instructions ask for: of the body, of one limb or of both."""
    return tuple(
        fact
        for fact in atoms() + merged()
        if _is_goal(*fact.members) and not fact.views[0].subject.startswith("each ")
    )


def _is_goal(said: Statement, twin: Statement | None = None, *more: Statement) -> bool:
    part, place = said.first.split("_")[-1], (said.second or "").split("_")[-1]
    asked_for = said.relation in _POSTURES or said.relation in _STATES
    placed = part != place and (said.relation != "behind" or part == "hand")
    return asked_for and placed and not more and twin in (None, said.mirrored())


def _reached(
    joints_a: Float[np.ndarray, "pose joint 3"], joints_b: Float[np.ndarray, "pose joint 3"]
) -> Bool[np.ndarray, "pose goal"]:
    """Return which states hold in the second pose, and not yet in the first."""
    pair = MeasuredPair(joints_a, joints_b)
    recipes_of = {said: said.recipes for goal in _goals() for said in goal.members}
    after = {said: pair.second.holds(recipes) for said, recipes in recipes_of.items()}
    before = {
        said: pair.first.holds(recipes, tolerance=True) for said, recipes in recipes_of.items()
    }
    found = [
        np.all([after[said] & ~before[said] for said in goal.members], axis=0) for goal in _goals()
    ]
    return np.stack(found, axis=1)
