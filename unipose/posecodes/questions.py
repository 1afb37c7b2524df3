"""The exact answer to every question of the call language (`calls.QUESTIONS`), by measuring."""

from __future__ import annotations

from collections.abc import Sequence

from unipose.errors import PoseQueryError
from unipose.posecodes import comparisons
from unipose.posecodes.assessing import assess
from unipose.posecodes.bands import TOUCH_CM, rule_of
from unipose.posecodes.calls import QUESTIONS, WITH_TWO_POSES, Call
from unipose.posecodes.finding import Finding, Judgement, finding, joined, two_clauses
from unipose.posecodes.measuring import how_much
from unipose.posecodes.not_shown import not_shown
from unipose.posecodes.places import where_is
from unipose.posecodes.postures import name_posture, what_stands_out
from unipose.posecodes.quantities import hinge_of, measure, words
from unipose.posecodes.relations import judgements
from unipose.posecodes.shown_pose import ONE_OF, Film, ShownPose, ones, show_film, show_pose
from unipose.posecodes.touching import touching_parts

__all__ = ["Film", "Finding", "ShownPose", "answer_call", "show_film", "show_pose"]


def answer_call(
    call: Call,
    poses: Sequence[ShownPose],
    *,
    last: Finding | None = None,
    film: Film | None = None,
) -> Finding:
    """Return what measuring says to a question.

    `poses`: one, or for between, moved and became two, the earlier one first; none for why, when
    and unknown. `last` is the finding that "why" asks about, `film` the recording of "when".

    Raises PoseQueryError for a verb that is no question, for another number of poses, for "why"
    without a finding before it, and for "when" without a recording.
    """
    verb, arguments = call.verb, call.arguments
    if verb == "unknown":
        return not_shown(arguments[0])
    if verb == "why":
        return _why(last)
    if verb == "when":
        return comparisons.when_extreme(film, *arguments)
    if verb not in QUESTIONS:
        raise PoseQueryError(f"{verb!r} is nothing that is answered by measuring")
    needed = 2 if verb in WITH_TWO_POSES else 1
    if len(poses) != needed:
        poses_ = "two poses, the earlier one first" if needed == 2 else "one pose"
        raise PoseQueryError(f"{verb!r} needs {poses_}, got {len(poses)}")
    if needed == 2:
        return _of_two(verb, arguments, *poses)
    return _of_one(verb, arguments, *poses)


def _of_one(verb: str, arguments: tuple[str, ...], pose: ShownPose) -> Finding:
    if verb == "check":
        return _yes_no(judgements(pose, arguments), rule_of(arguments[0]))
    if verb == "which":
        return comparisons.which_side(pose, *arguments)
    if verb == "measure":
        return how_much(pose, arguments)
    if verb == "where":
        return where_is(pose, arguments[0])
    if verb == "touching":
        return _touching(pose, *arguments)
    if verb == "count":
        return _count(pose, arguments)
    if verb == "posture":
        return _posture(pose)
    return assess(pose, arguments[0])


def _of_two(verb: str, arguments: tuple[str, ...], first: ShownPose, second: ShownPose) -> Finding:
    if verb == "between":
        return comparisons.which_pose(first, second, *arguments)
    if verb == "became":
        return _became(judgements(first, arguments), judgements(second, arguments))
    way, *part = arguments
    if way == "more":
        return comparisons.which_moved_more(first, second, *part)
    if not part:
        return comparisons.what_moved(first, second, way)
    if way == "most":
        return comparisons.how_far(first, second, *part)
    return _yes_no(comparisons.moved_judgements(first, second, way, *part), "")


def _yes_no(found: list[Judgement], rule: str) -> Finding:
    """Return whether all judgements hold; those that do not come first."""
    found = sorted(found, key=lambda judgement: judgement.holds)
    least = comparisons.weakest(found)
    if len(found) == 1 or least.opening not in ("Yes", "No"):
        opening = least.opening
    elif least.holds:
        opening = "Yes, both"
    else:
        opening = "No, only one" if found[-1].holds else "No, neither"
    clauses = [judgement.clause for judgement in found]
    evidence = " ".join(_sentence(judgement.evidence or judgement.clause) for judgement in found)
    return finding(
        "yes_no",
        least.holds,
        two_clauses(clauses),
        opening=opening,
        evidence=f"{evidence} {rule}".strip(),
        margin=abs(least.slack),
        margin_unit=least.unit,
    )


def _sentence(clause: str) -> str:
    return clause[0].upper() + clause[1:] + "." * (not clause.endswith("."))


def _became(before: list[Judgement], after: list[Judgement]) -> Finding:
    """Return whether a relation does not hold in the first pose and holds in the second."""
    first, second = comparisons.weakest(before), comparisons.weakest(after)
    became = second.holds and not first.holds
    clause = two_clauses([first.clause, second.clause], ", then ")
    if first.clause == second.clause:
        clause = f"{first.clause}, then the same"
    opening = "Yes"
    if not became:
        opening = "No, already before" if first.holds and second.holds else "No"
        if first.holds and not second.holds:
            opening = "No, the other way round"
    return finding(
        "yes_no",
        became,
        f"first {clause}",
        opening=opening,
        margin=abs(min(-first.slack, second.slack)),
        margin_unit=first.unit if -first.slack < second.slack else second.unit,
    )


def _why(last: Finding | None) -> Finding:
    if last is None:
        raise PoseQueryError("there is no answer before it that could be explained")
    return Finding(
        kind=last.kind,
        value=last.value,
        unit=last.unit,
        fact=last.evidence[:1].lower() + last.evidence[1:].rstrip("."),
        sentence=last.evidence,
        evidence=last.evidence,
        margin=last.margin,
        margin_unit=last.margin_unit,
    )


def _touching(pose: ShownPose, phrase: str = "") -> Finding:
    found: dict[str, None] = {}
    for part in ones(phrase) if phrase else ("",):
        for one, other in touching_parts(pose, part):
            found[f"the {one} touches the {other}"] = None
    clauses = list(found)
    names = tuple(clause.replace("the ", "") for clause in clauses)
    if not clauses:
        clause = f"the {phrase} {'touch' if phrase in ONE_OF else 'touches'} no other part"
        return finding("list", (), clause if phrase else "no two parts touch each other")
    evidence = f"Skin within {words(TOUCH_CM, 'cm')} touches: {joined(clauses)}."
    return finding("list", names, joined(clauses[:4]), evidence=evidence)


_LIMBS = {"limbs": ("hands", "feet")}


def _count(pose: ShownPose, arguments: tuple[str, ...]) -> Finding:
    relation, phrase, *than = arguments
    parts = [part for word in _LIMBS.get(phrase, (phrase,)) for part in ones(word)]
    found = {}
    for part in parts:
        side = part.split(" ")[0]
        other = [f"{side} {ONE_OF[word]}" if word in ONE_OF else word for word in than]
        found[part] = judgements(pose, (relation, part, *other))[0]
    true = [part for part, judgement in found.items() if judgement.holds]
    if relation in ("bent", "straight"):
        phrase = {"hands": "elbows", "arms": "elbows", "feet": "knees", "legs": "knees"}.get(
            phrase, phrase
        )
        true = [hinge_of(part) for part in true]
    verb = "are" if len(true) != 1 else "is"
    relation_words = f"{relation} the {than[0]}" if than else relation.replace("on g", "on the g")
    clause = f"{len(true)} of {len(parts)} {phrase} {verb} {relation_words}"
    if 0 < len(true) < len(parts):
        clause += f": {joined([f'the {part}' for part in true])}"
    evidence = " ".join(_sentence(judgement.clause) for judgement in found.values())
    nearest = min(found.values(), key=lambda judgement: abs(judgement.slack))
    return finding(
        "count",
        len(true),
        clause,
        evidence=evidence,
        margin=abs(nearest.slack),
        margin_unit=nearest.unit,
    )


def _posture(pose: ShownPose) -> Finding:
    posture, slack, unit = name_posture(pose)
    outstanding = what_stands_out(pose)
    value = posture or "no posture that I have a word for"
    if outstanding:
        value += f", {outstanding}"
    hips = words(measure("height", pose, "pelvis"), "cm")
    lean = words(measure("lean", pose), "degrees")
    return finding(
        "posture",
        value,
        f"the body is {value}" if posture else value,
        evidence=f"The hips are {hips} above the ground, the trunk leans {lean}.",
        margin=slack if posture else None,
        margin_unit=unit,
    )
