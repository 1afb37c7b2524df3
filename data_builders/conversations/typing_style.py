"""How people type: capitals or none, marks or none, slips of the finger, small words around."""

from __future__ import annotations

import re
from random import Random

_BEFORE = (
    "please", "hey", "hi", "ok", "okay", "so", "um", "now", "well", "and", "hmm", "ok so",
    "quick question", "tell me", "hey unipose", "alright", "then", "sorry", "oh", "also", "yo",
)  # fmt: skip
_AFTER = ("please", "pls", "thanks", "thx", "for me", "now", "then", "mate", "btw", "here", "plz")
_QUESTION = re.compile(
    r"^(is|are|was|were|do|does|did|has|have|can|could|what|which|who|where|when|how|why|in which)"
    r"\b"
)
_NEIGHBOURS = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnm",
        ("wa", "qes", "wrd", "etf", "ryg", "tuh", "yij", "uok", "ipl", "ol", "qsz", "adw", "sfe",
         "dgr", "fht", "gjy", "hku", "jli", "ko", "xa", "zcs", "xvd", "cbf", "vng", "bmh", "nj"),
        strict=True,
    )
)  # fmt: skip
"""Letter -> letters beside it on a keyboard."""
_KEPT = re.compile(r"\S*[./\\\d<>{}\[\]]\S*|left|right|front|back")
"""Words without slips: names of files, numbers, and words that a slip turns into another."""


SLIPS = 0.14
"""Share of sentences with a slip of the finger."""


def typed(
    said: str, random: Random, *, request: bool = False, exact: tuple[str, ...] = (),
    slips: float = SLIPS,
) -> str:  # fmt: skip
    """Return a sentence as somebody may type it. `exact` are stretches that stay as they are.

    `request` sentences take "please" more often and no question mark.
    """
    text = said
    if random.random() < 0.10:
        text = f"{random.choice(_BEFORE)}{random.choice((' ', ', '))}{text}"
    elif random.random() < (0.12 if request else 0.05):
        text = f"{text} {random.choice(_AFTER)}"
    if random.random() < slips:
        for _ in range(1 if random.random() < 0.7 else 2):
            text = _slip(text, random, exact)
    asks = not request and (bool(_QUESTION.match(said)) or random.random() < 0.6)
    style = random.random()
    if style < 0.40:  # as typed in a hurry
        return text
    mark = "?" if asks else random.choice((".", ".", "!", ""))
    if random.random() < 0.05:
        mark *= random.choice((2, 3))
    text = text.rstrip("?.! ") + mark if not _ends_exact(text, exact) else text
    if style < 0.60:
        return text
    text = text[:1].upper() + text[1:] if not any(text.startswith(e) for e in exact) else text
    text = re.sub(r"\bi\b(?=[ '])", "I", text)
    if style > 0.985 and not exact:
        return text.upper()
    return text


def _ends_exact(text: str, exact: tuple[str, ...]) -> bool:
    return any(text.endswith(part) for part in exact)


def _slip(text: str, random: Random, exact: tuple[str, ...]) -> str:
    """Return the text with one slip in a word of four letters or more."""
    shielded = " ".join(exact)
    words = text.split(" ")
    places = [
        i
        for i, word in enumerate(words)
        if len(word) > 3 and not _KEPT.fullmatch(word) and word not in shielded
    ]
    if not places:
        return text
    at = random.choice(places)
    words[at] = _misspelt(words[at], random)
    return " ".join(words)


def _misspelt(word: str, random: Random) -> str:
    i = random.randrange(1, len(word) - 1)
    way = random.random()
    if way < 0.4:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if way < 0.65:
        return word[:i] + word[i + 1 :]
    if way < 0.8:
        return word[:i] + word[i] + word[i:]
    near = _NEIGHBOURS.get(word[i].lower())
    return word[:i] + random.choice(near) + word[i + 1 :] if near else word
