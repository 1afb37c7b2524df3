"""Sections of text, tables, bars and pictures as one page of Markdown, or of HTML.

The Markdown shows files that lie beside it; the HTML holds everything and needs no other file.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.chart import Chart, as_svg

Cell = str | int | float

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em;
  color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1em 0; display: block; overflow-x: auto; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #ddd; text-align: right;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
svg, img { max-width: 100%; height: auto; display: block; }
figure { margin: 1.5em 0; max-width: 44em; }
section.published { background: #f4f1ea; padding: 0.5em 1em; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818; } th, td { border-color: #444; }
  section.published { background: #2a2620; } }
"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture in the folder of the page, and the words below it."""

    file: str
    alt: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class PageSection:
    """A heading, a few words, a table, which may have no rows, and what is drawn."""

    title: str
    note: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    charts: Sequence[Chart] = ()
    figures: Sequence[Figure] = ()


def as_markdown(title: str, intro: str, sections: Sequence[PageSection]) -> str:
    """Return the page as Markdown; numbers stand right, drawings are files beside it."""
    lines = [f"# {title}", "", intro, ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        if section.note:
            lines += [section.note, ""]
        if section.rows:
            lines.append(_line(section.columns))
            lines.append(_line([":--", *["--:"] * (len(section.columns) - 1)]))
            lines += [_line([shown(cell) for cell in row]) for row in section.rows]
            lines.append("")
        for chart in section.charts:
            lines += [f"![{_plain(chart.title)}]({chart.file})", ""]
        for figure in section.figures:
            lines += [f"![{_plain(figure.alt)}]({figure.file})", "", _plain(figure.caption), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return words that somebody else chose, so that Markdown finds no marks in them."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(text.split()))


def as_html(title: str, intro: str, sections: Sequence[PageSection], folder: Path = Path()) -> str:
    """Return the page as HTML, its style and its pictures (read from `folder`) inside.

    Published sections look other than ours.
    """
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(intro)}</p>",
    ]
    for section in sections:
        kind = ' class="published"' if section.title.startswith("Published") else ""
        parts.append(f"<section{kind}>\n<h2>{html.escape(section.title)}</h2>")
        if section.note:
            parts.append(f"<p>{html.escape(section.note)}</p>")
        if section.rows:
            parts.append(_table(section))
        parts += [f"<figure>\n{as_svg(chart, alone=False)}\n</figure>" for chart in section.charts]
        parts += [_figure(figure, folder) for figure in section.figures]
        parts.append("</section>")
    return "\n".join([*parts, "</body>\n</html>\n"])


def _table(section: PageSection) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in section.columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(shown(cell))}</td>" for cell in row) + "</tr>"
        for row in section.rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _figure(figure: Figure, folder: Path) -> str:
    path = folder / figure.file
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure>\n<img alt="{html.escape(figure.alt)}" '
        f'src="data:image/{path.suffix[1:]};base64,{data}">\n'
        f"<figcaption>{html.escape(figure.caption)}</figcaption>\n</figure>"
    )


def shown(cell: Cell) -> str:
    """Return a cell's text: three decimals below 1, one above."""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3f}" if 0 < abs(cell) < 1 else f"{cell:.1f}"
