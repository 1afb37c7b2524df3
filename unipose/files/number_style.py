"""How a text file writes its numbers, so that others can be written in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBER = re.compile(r"([+-]?)(\d*)([.,]?)(\d*)([eE]?)[+-]?\d*")
MOST_DIGITS = 15
"""Significant digits that a double surely has."""
USUAL_DECIMALS = 6
"""Of numbers that happen to be whole ones, which say nothing of how others are written."""


@dataclass(frozen=True, kw_only=True)
class NumberStyle:
    """The format of a column of numbers, as C's printf would name it."""

    kind: str
    """"f": as many decimals always; "r": at most so many; "g": significant digits; "e" or "E"."""
    digits: int
    comma: bool = False
    """Whether the decimal point is a comma."""
    plus: bool = False
    """Whether numbers above zero have a sign."""

    def write(self, number: float) -> str:
        """Return the number in this style; what rounds to zero has no sign."""
        form = f".{self.digits}{'f' if self.kind == 'r' else self.kind}"
        text = format(number, form)
        if float(text) == 0:
            text = format(0.0, form)
        if self.kind == "r" and "." in text:
            text = text.rstrip("0").rstrip(".")
        if self.plus and not text.startswith("-"):
            text = f"+{text}"
        return text.replace(".", ",") if self.comma else text


def number_style(words: Iterable[str]) -> NumberStyle:
    """Return how these numbers were written.

    >>> number_style(["1.50", "-0.25"]).write(2)
    '2.00'
    >>> number_style(["1.5", "-0.25", "3"]).write(1 / 3)
    '0.33'
    >>> number_style(["1.23457", "-0.0123457", "12.3457"]).write(200 / 3)
    '66.6667'
    """
    found = [match.groups() for word in words if (match := _NUMBER.fullmatch(word))]
    comma = any(point == "," for _, _, point, *_ in found)
    plus = any(sign == "+" for sign, *_ in found)
    exponents = [e for *_, e in found if e]
    if exponents and len(exponents) == len(found):
        digits = max(len(decimals) for *_, decimals, _ in found)
        return NumberStyle(kind=exponents[0], digits=digits, comma=comma, plus=plus)
    plain = [(whole, decimals) for _, whole, _, decimals, e in found if not e]
    lengths = [len(decimals) for _, decimals in plain]
    most = max(lengths, default=0)
    if most == 0:
        return NumberStyle(kind="r", digits=USUAL_DECIMALS, plus=plus)
    if min(lengths) == most:
        return NumberStyle(kind="f", digits=most, comma=comma, plus=plus)
    significant = [len((whole + decimals).lstrip("0")) for whole, decimals in plain]
    # %g fills its significant digits in most numbers, rounding to decimals fills those
    if significant.count(max(significant)) > lengths.count(most):
        digits = min(max(significant), MOST_DIGITS)
        return NumberStyle(kind="g", digits=digits, comma=comma, plus=plus)
    return NumberStyle(kind="r", digits=min(most, MOST_DIGITS), comma=comma, plus=plus)
