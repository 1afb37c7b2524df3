"""The page of all benchmarks: kept as JSON, written as Markdown, and the README's tables out of it.

A table of the README stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`; what is
between them is written by `eval.bench` alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eval.bench_parts import GROUPS, PARTS, BenchFigure, BenchPart
from eval.page import PageSection, as_markdown
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole

TITLE = "Benchmarks"
INTRO = (
    "Every figure that the project claims, as the command beside it printed it. `make bench` "
    'measures them all (`MOCAP=FOLDER PHOTOS=FOLDER`; `SKIP="PART ..."` leaves parts out, a run '
    "that was stopped goes on) and writes this page, `benchmarks.json` beside it and the README's "
    "tables. Beside a figure stands what no knowledge scores (chance, unless it says otherwise) "
    "and its ceiling, where they exist. A part without seconds was printed by the same command "
    "earlier, or out of results that it had kept. Times are of a machine as busy as its load "
    "average says. In the commands MOCAP, PHOTOS and LIFTING are folders of "
    "recordings with a `manifest.csv`, of photographs with marked people, and of trained lifters."
)
LARGEST_SHARE = 1.5
"""What grows or is added may pass 1 a little; anything beyond this was printed in percent."""
DEEPER = "# "
"""Before the title of a part: its heading stands below that of its group."""
BLOCK = re.compile(
    r"(?<=<!-- figures: )(?P<name>\w+)(?P<open> -->\n).*?(?P<close><!-- end of figures -->)", re.S
)


@dataclass(frozen=True, kw_only=True)
class PrintedFigure:
    """One line as it is shown."""

    key: str
    what: str
    figure: str
    chance: str = ""
    ceiling: str = ""
    readme: str = ""


@dataclass(frozen=True, kw_only=True)
class PartResult:
    """What a part's command printed, and when, on which machine."""

    name: str
    command: str
    measured: str
    """Day and time, UTC."""
    seconds: float | None
    """How long the command took; None of output that was kept without it."""
    machine: Mapping[str, Any]
    figures: tuple[PrintedFigure, ...]


def looked_up(printed: Mapping[str, Any], key: str) -> Any | None:
    """Return the value at a place such as "described.truth"; names may hold dots themselves."""
    if key in printed:
        return printed[key]
    parts = key.split(".")
    for i in range(1, len(parts)):
        inner = printed.get(".".join(parts[:i]))
        if isinstance(inner, Mapping):
            found = looked_up(inner, ".".join(parts[i:]))
            if found is not None:
                return found
    return None


def shown(value: int | float, unit: str) -> str:
    """Return a number with its unit: no decimals from 100 on, one above 1, two digits below."""
    if unit == "share":
        value, unit = 100 * value, "%"
    size = abs(value)
    if isinstance(value, int) or size >= 100:
        text = f"{value:,.0f}"
    elif size >= 1 or size == 0:
        text = f"{value:.1f}"
    else:
        text = f"{value:.2g}"
    return f"{text.removesuffix('.0')} {unit}".strip()


def figures_of(part: BenchPart, printed: Mapping[str, Any]) -> tuple[PrintedFigure, ...]:
    """Return a part's lines.

    Raises ConfigError for a figure that was not printed, and for a share that was printed in
    percent.
    """
    return tuple(_line(part, figure, printed) for figure in part.figures)


def _line(part: BenchPart, figure: BenchFigure, printed: Mapping[str, Any]) -> PrintedFigure:
    def value(key: str) -> int | float:
        found = looked_up(printed, key)
        if found is None:
            raise ConfigError(f"{part.program} printed no {key!r}")
        return found

    def text(key: str, value: int | float) -> str:
        if figure.unit == "share" and abs(value) > LARGEST_SHARE:
            raise ConfigError(
                f"{part.program} printed {value:g} as {key!r}: expected a share from 0 to 1; "
                "a figure in percent has the unit '%' (eval/bench_parts.py)"
            )
        return shown(value, figure.unit)

    def beside(key: str | None, prefix: str) -> str:
        folder, _, name = figure.key.rpartition(".")
        key = key or (f"{folder}.{prefix}{name}" if folder else prefix + name)
        found = looked_up(printed, key)
        return "" if found is None else text(key, found)

    chance = beside(figure.chance, "chance_")
    whole = f" of {shown(value(figure.out_of), '')}" if figure.out_of else ""
    return PrintedFigure(
        key=figure.key, what=figure.what, figure=text(figure.key, value(figure.key)) + whole,
        chance=f"{chance} ({figure.by})" if chance and figure.by != "chance" else chance,
        ceiling=beside(figure.ceiling, "ceiling_"), readme=figure.readme,
    )  # fmt: skip


@dataclass
class BenchPage:
    """The results of all parts, the newest of each."""

    results: dict[str, PartResult] = field(default_factory=dict)

    @classmethod
    def read(cls, page: Path) -> BenchPage:
        """Return what lies beside a page as JSON; an empty page if there is none."""
        path = page.with_suffix(".json")
        if not path.is_file():
            return cls()
        rows = json.loads(path.read_text(encoding="utf-8"))["parts"]
        known = {part.name for part in PARTS}
        return cls({
            row["name"]: PartResult(
                **row | {"figures": tuple(PrintedFigure(**one) for one in row["figures"])}
            )
            for row in rows
            if row["name"] in known
        })  # fmt: skip

    @property
    def names(self) -> list[str]:
        """Return all parts, measured or not, in the page's order."""
        return [part.name for part in PARTS]

    @property
    def total_seconds(self) -> float:
        """Return how long all measured parts took together."""
        return round(sum((result.seconds or 0.0 for result in self.results.values()), start=0.0), 1)

    def seconds(self, name: str, otherwise: float) -> float:
        """Return how long a part took when it was measured."""
        return (self.results[name].seconds if name in self.results else None) or otherwise

    def said(self, name: str) -> str:
        """Return when a part was measured."""
        return self.results[name].measured if name in self.results else "not yet"

    def put(self, result: PartResult) -> None:
        """Put a part's result in the place of an older one."""
        self.results[result.name] = result

    def write(self, page: Path, readme: Path) -> None:
        """Write the page, its figures as JSON, and the tables of a README."""
        rows = [asdict(self.results[name]) for name in self.names if name in self.results]
        texts = {
            page: self.as_text(),
            page.with_suffix(".json"): json.dumps({"parts": rows}, indent=1) + "\n",
        }
        if readme.is_file():
            texts[readme] = self.with_tables(readme.read_text(encoding="utf-8"))
        for path, text in texts.items():
            with written_whole(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def as_text(self) -> str:
        """Return the page as Markdown."""
        sections = []
        for group, parts in GROUPS.items():
            sections.append(PageSection(title=group))
            sections += [
                self._section(part, self.results[part.name])
                for part in parts if part.name in self.results
            ]  # fmt: skip
        missing = [name for name in self.names if name not in self.results]
        known = sum(one.seconds is not None for one in self.results.values())
        took = (
            f"{known} of {len(self.names)} parts were timed and took "
            f"{self.total_seconds / 60:.0f} minutes together."
        )
        lacking = f" Not measured yet: {', '.join(missing)}." if missing else ""
        text = as_markdown(TITLE, f"{INTRO} {took}{lacking}", sections)
        return text.replace(f"\n## {DEEPER}", "\n### ")

    def _section(self, part: BenchPart, result: PartResult) -> PageSection:
        on = result.machine
        took = "" if result.seconds is None else f", {result.seconds:.0f} s"
        load = on.get("load_average")
        busy = "" if load is None else f", load average {load} at the start"
        return PageSection(
            title=f"{DEEPER}{part.title}",
            note=(
                f"`{result.command}`, {result.measured} UTC{took}, {on['cores']} cores of "
                f"{on['processor']}, {on['memory_gb']} GB{busy}."
            ),
            columns=("", "figure", "chance or baseline", "ceiling"),
            rows=[(one.what, one.figure, one.chance, one.ceiling) for one in result.figures],
        )

    def table(self, name: str) -> str:
        """Return a table of the README. Raises ConfigError if no figure belongs to it."""
        lines = [
            one for part in self.names if part in self.results
            for one in self.results[part].figures if one.readme == name
        ]  # fmt: skip
        known = {figure.readme for part in PARTS for figure in part.figures}
        if name not in known:
            raise ConfigError(f"no figure belongs to a table {name!r} of the README")
        columns: Sequence[str] = ("what", "figure", "chance", "ceiling")
        kept = [c for c in columns if c in ("what", "figure") or any(getattr(x, c) for x in lines)]
        head = {"what": "", "figure": "", "chance": "chance", "ceiling": "ceiling"}
        rows = [[head[c] for c in kept], ["---"] * len(kept)]
        rows += [[getattr(one, c) for c in kept] for one in lines]
        return "".join("| " + " | ".join(row) + " |\n" for row in rows)

    def with_tables(self, readme: str) -> str:
        """Return a README with its tables as this page has them."""
        return BLOCK.sub(
            lambda block: (
                f"{block['name']}{block['open']}{self.table(block['name'])}{block['close']}"
            ),
            readme,
        )
