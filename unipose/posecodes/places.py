"""Where a part is, in words: how high, on which side, in front or behind, close to what."""

from __future__ import annotations

from unipose.posecodes.bands import NEAR_CM
from unipose.posecodes.calls import PLURALS, SIDES
from unipose.posecodes.finding import Finding, finding
from unipose.posecodes.quantities import measure, the, words
from unipose.posecodes.shown_pose import ShownPose, ones

_TRUNK = frozenset(
    {"head", "neck", "chest", *(f"{s} {p}" for s in SIDES for p in ("shoulder", "hip"))}
)
_LEVELS = {
    "at head height": ("head",),
    "at shoulder height": ("left shoulder", "right shoulder"),
    "at chest height": ("chest",),
    "at hip height": ("left hip", "right hip"),
    "at knee height": ("left knee", "right knee"),
}
_CHAINS = (("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot", "toe"))
_LANDMARKS = (
    *(f"{side} {part}" for part in ("hand", "foot", "knee", "hip", "shoulder", "elbow")
      for side in SIDES),
    "head", "chest",
)  # fmt: skip
_ABOVE_HEAD_CM, _ON_GROUND_CM, _NEAR_GROUND_CM = 15.0, 10.0, 20.0
_AT_CM, _MIDDLE_CM, _BODY_CM, _TIE_CM = 12.0, 12.0, 20.0, 1.0


def where_is(pose: ShownPose, phrase: str) -> Finding:
    """Return where a part is, or both parts."""
    found = {part: _place(pose, part) for part in ones(phrase)}
    clause = ", ".join(
        f"{the(part)} is {words(measure('height', pose, part), 'cm')} high, {place}"
        for part, place in found.items()
    )
    if len(found) == 1:
        return finding("where", next(iter(found.values())), clause)
    value = "; ".join(f"{part}: {place}" for part, place in found.items())
    return finding("where", value, clause.replace(", the right", "; the right"))


def _place(pose: ShownPose, part: str) -> str:
    x, _, z = (100 * float(axis) for axis in pose.parts[part])
    found = [_height(pose, part)] if part not in _TRUNK else []
    if abs(x) > _MIDDLE_CM:
        found.append(f"to the {'left' if x > 0 else 'right'}")
    else:
        found.append("in the middle")
    if abs(z) > _BODY_CM:
        found.append("in front of the body" if z > 0 else "behind the body")
    close = _closest(pose, part)
    if close:
        found.append(f"close to {close}")
    return ", ".join(found)


def _height(pose: ShownPose, part: str) -> str:
    height = measure("height", pose, part)
    if height <= _ON_GROUND_CM:
        return "on the ground"
    if height <= _NEAR_GROUND_CM:
        return "near the ground"
    levels = {
        words_: sum(measure("height", pose, name) for name in names) / len(names)
        for words_, names in _LEVELS.items()
        if part not in names
    }
    if height > max(levels.values()) + _ABOVE_HEAD_CM:
        return "above the head" if height > measure("height", pose, "head") else "above the body"
    level = min(levels, key=lambda level: abs(levels[level] - height))
    if abs(levels[level] - height) <= _AT_CM:
        return level
    return level.replace("at ", "above " if height > levels[level] else "below ")


def _closest(pose: ShownPose, part: str) -> str:
    """Return the nearest landmark within 20 cm that the part is not joined to."""
    gaps = {
        other: measure("distance", pose, part, other)
        for other in _LANDMARKS
        if not _joined(part, other)
    }
    nearest = min(gaps, key=lambda other: gaps[other])
    if gaps[nearest] >= NEAR_CM:
        return ""
    name = nearest.partition(" ")[2]
    both = [gaps.get(f"{side} {name}", float("inf")) for side in SIDES]
    return f"both {PLURALS[name]}" if abs(both[0] - both[1]) < _TIE_CM else the(nearest)


def _joined(part: str, other: str) -> bool:
    if part == other or (part in _TRUNK and other in _TRUNK):
        return True
    (side, _, name), (other_side, _, other_name) = part.rpartition(" "), other.rpartition(" ")
    return side == other_side and any(name in c and other_name in c for c in _CHAINS)
