"""How rich a set of texts is: length, vocabulary and n-grams, beside published automatic ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from unipose.errors import ConfigError

_WORD = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True, kw_only=True)
class TextFigures:
    """What is counted over a set of texts; None: not known of a published set."""

    texts: int
    unique: float | None
    """Share of texts that no other text equals."""
    words: float
    """Mean words of a text."""
    bytes: float | None
    """Mean bytes of a text."""
    vocabulary: int
    """Different words."""
    distinct: tuple[float, float, float] | None
    """Different n-grams per n-gram, n = 1, 2, 3. They fall as a set grows: compare equal sizes."""


PUBLISHED: dict[str, TextFigures] = {
    "PoseScript-A2": TextFigures(
        texts=300_000, unique=None, words=72.0, bytes=395.0, vocabulary=2158, distinct=None
    ),
    "PoseScript-H": TextFigures(
        texts=6_293, unique=None, words=54.2, bytes=270.0, vocabulary=1866, distinct=None
    ),
}
"""As published or derived from file sizes; the vocabulary of A2 counts H2 and action labels too."""


def text_figures(texts: Sequence[str]) -> TextFigures:
    """Return the figures of `texts`. Raises ConfigError if there is none."""
    if not texts:
        raise ConfigError("no texts to count")
    rows = [_WORD.findall(text.lower()) for text in texts]
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    shares = []
    for n in (1, 2, 3):
        grams = [gram for row in rows for gram in zip(*(row[i:] for i in range(n)), strict=False)]
        shares.append(len(set(grams)) / max(len(grams), 1))
    return TextFigures(
        texts=len(texts),
        unique=sum(count == 1 for count in counts.values()) / len(texts),
        words=sum(map(len, rows)) / len(texts),
        bytes=sum(len(text.encode()) for text in texts) / len(texts),
        vocabulary=len({word for row in rows for word in row}),
        distinct=(shares[0], shares[1], shares[2]),
    )


def figures_table(named: dict[str, TextFigures]) -> str:
    """Return a Markdown table of sets of texts, the published ones last."""
    rows = [
        "| texts | count | unique | words | bytes | vocabulary | distinct 1/2/3-grams per 1000 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in (named | PUBLISHED).items():
        unique = "–" if figures.unique is None else f"{figures.unique:.1%}"
        size = "–" if figures.bytes is None else f"{figures.bytes:.0f}"
        shares = figures.distinct
        distinct = "–" if shares is None else " / ".join(f"{1000 * share:.2f}" for share in shares)
        rows.append(
            f"| {name} | {figures.texts} | {unique} | {figures.words:.1f} | {size} "
            f"| {figures.vocabulary} | {distinct} |"
        )
    return "\n".join(rows)
