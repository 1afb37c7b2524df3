"""The question that follows another: of the other side, of both sides, of another part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from unipose.posecodes.calls import PLURALS, SIDES, Call, arguments_of


def _replaced(call: Call, change: Callable[[str], str]) -> Call:
    return replace(call, arguments=tuple(change(argument) for argument in call.arguments))


def _swapped(argument: str) -> str:
    side, _, part = argument.partition(" ")
    return f"{'right' if side == 'left' else 'left'} {part}" if side in SIDES and part else argument


def of_other_side(call: Call) -> Call:
    """Return the same question of the other side."""
    return _replaced(call, _swapped)


def of_both_sides(call: Call) -> Call | None:
    """Return the same question of both sides, if it can be asked."""

    def plural(argument: str) -> str:
        side, _, part = argument.partition(" ")
        return PLURALS[part] if side in SIDES and part in PLURALS else argument

    asked = _replaced(call, plural)
    return asked if _allowed(asked) else None


def of_another_part(call: Call, random: Random) -> tuple[Call | None, str]:
    """Return the same question of another part on the same side, and the part."""
    places = [i for i, argument in enumerate(call.arguments) if argument.split(" ")[0] in SIDES
              and " " in argument]  # fmt: skip
    if not places:
        return None, ""
    at = places[0]
    side = call.arguments[at].split(" ")[0]
    ways = []
    for part in PLURALS:
        other = f"{side} {part}"
        if other in call.arguments:
            continue
        asked = replace(call, arguments=(*call.arguments[:at], other, *call.arguments[at + 1 :]))
        if _allowed(asked):
            ways.append((asked, other))
    return random.choice(ways) if ways else (None, "")


def _allowed(call: Call) -> bool:
    words = tuple(" ".join(call.arguments).split())
    return arguments_of(call.verb).get(words) == call.arguments
