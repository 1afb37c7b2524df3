"""Bars of ours beside what no knowledge scores: SVG written by hand, in a page or as a file.

The bars carry their numbers, and the same numbers are in the `<desc>` for whoever cannot see them.
Colours follow the reader's light or dark mode.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, NAMES, NUMBERS = 640, 240, 70
"""Of the drawing, of the column of names on its left, and of the numbers on its right (pixels)."""
THICK, GAP, HEAD = 13, 12, 58
"""Of a bar, between two pairs of bars, and above the first (pixels)."""

STYLE = (
    ".bars text{font:13px system-ui,sans-serif;fill:#222}"
    ".bars .ours{fill:#2b6cb0}.bars .beside{fill:#8a8478}"
    "@media(prefers-color-scheme:dark){.bars text{fill:#ddd}"
    ".bars .ours{fill:#63a4e8}.bars .beside{fill:#8f897d}}"
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One figure of ours, and the same figure of who knows nothing."""

    name: str
    ours: int | float
    beside: int | float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Figures of one unit; no published one is ever among them."""

    name: str
    """Of its file."""
    title: str
    unit: str
    """Figures in % are drawn on an axis that ends at 100."""
    beside: str
    """Whose the second bars are."""
    bars: Sequence[Bar]

    @property
    def file(self) -> str:
        """The file beside a page that cannot hold the drawing itself."""
        return f"report_{self.name}.svg"

    @property
    def text(self) -> str:
        """Everything that is drawn, in words."""
        values_text = (
            f"{bar.name} {number(bar.ours)} ({self.beside} {number(bar.beside)})"
            for bar in self.bars
        )
        return f"{self.title}, {self.unit}: " + "; ".join(values_text)


def as_svg(chart: Chart, *, alone: bool) -> str:
    """Return the drawing; `alone` as a file of its own, else to stand in an HTML page."""
    figures = [figure for bar in chart.bars for figure in (bar.ours, bar.beside)]
    end = 100.0 if chart.unit == "%" else max([*figures, 0.0]) or 1.0
    height = HEAD + len(chart.bars) * (2 * THICK + GAP)
    space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    lines = [
        f'<svg{space} class="bars" role="img" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}">',
        f"<title>{html.escape(chart.title)}</title>",
        f"<desc>{html.escape(chart.text)}</desc>",
        f"<style>{STYLE}</style>",
        _words(0, 16, f"{chart.title}, {chart.unit}"),
    ]
    for x, kind, name in ((NAMES, "ours", "ours"), (NAMES + 80, "beside", chart.beside)):
        lines += [_box(x, 28, THICK, kind), _words(x + THICK + 6, 39, name)]
    for i, bar in enumerate(chart.bars):
        top = HEAD + i * (2 * THICK + GAP)
        lines.append(_words(NAMES - 10, top + THICK + 4, bar.name, anchor="end"))
        for y, kind, value in ((top, "ours", bar.ours), (top + THICK, "beside", bar.beside)):
            length = (WIDTH - NAMES - NUMBERS) * min(1.0, max(0.0, value / end))
            lines += [_box(NAMES, y, length, kind)]
            lines += [_words(NAMES + length + 6, y + THICK - 2, number(value))]
    return "\n".join([*lines, "</svg>"])


def number(value: int | float) -> str:
    """Return a figure as it stands behind its bar."""
    return f"{value:,.1f}"


def _box(x: int | float, y: int, length: int | float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{length:.1f}" height="{THICK - 1}"/>'


def _words(x: int | float, y: int, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>'
