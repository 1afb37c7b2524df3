"""Step 9: the report, the card and the gallery; then what only the build needed is removed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_builders.imagescript.card import (
    CardFacts,
    PairFigures,
    SourceFacts,
    common_reasons,
    write_card,
)
from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.gallery import write_gallery
from data_builders.imagescript.plan import Plan, StudioRequest, name_of
from data_builders.imagescript.schema import FEATURES, KINDS
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.tables import read_drops, read_rows
from data_builders.posecodes.diversity import TextFigures, text_figures
from unipose.body.body import load_body
from unipose.errors import EmptySourceError
from unipose.files.atomic import written_whole

REPORT = "report.json"
Counts = dict[str, dict[str, dict[str, int]]]


class Finish(BuildStep):
    """Count what was made, write what people read, and tidy up."""

    name = "Card"

    def do(self, plan: Plan, task: int) -> None:
        """Do the one task."""
        out = self.config.out
        drops = read_drops(plan.work / "drops")
        drops.write(out / "dropped.jsonl")
        counts = count_rows(out)
        if not counts:
            raise EmptySourceError(out, "nothing is left to be shown.", drops.summary())
        refining = _refining(plan)
        report = {
            "rows": counts,
            "asked": {group.name: group.count for group in plan.groups},
            "dropped": len(drops),
            "dropped_by_reason": dict(Counter(d.reason for d in drops.dropped).most_common(20)),
            "refining": refining,
        }
        with written_whole(out / REPORT) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        facts = CardFacts(
            sources=tuple(_sources(plan, counts)),
            texts=_texts(out, counts),
            pairs=_pairs(out, counts),
            dropped=len(drops),
            reasons=common_reasons(drops.dropped),
            seed=self.config.seed,
            settings=_settings(self.config),
            unipose=version("unipose"),
        )
        write_card(out, facts)
        body = load_body(self.config.body)
        write_gallery(out, samples=self.config.gallery, seed=self.config.seed, body=body)
        for name in ("pictures", "survey", "motions"):
            shutil.rmtree(plan.work / name, ignore_errors=True)
        for left in out.rglob(".*.part*"):  # by tasks that were killed while they wrote
            left.unlink(missing_ok=True)


def count_rows(out: Path) -> Counts:
    """Return the rows of each configuration, split and source."""
    found: Counts = {}
    for name in FEATURES:
        person = "person_b" if name.startswith("imagediff") else "person"
        for path in _files(out, name):
            sources = read_rows(path, [f"{person}.source"])[person].to_pylist()
            here = found.setdefault(name, {}).setdefault(path.name.partition("-")[0], {})
            for source, count in sorted(Counter(row["source"] for row in sources).items()):
                here[source] = here.get(source, 0) + count
    return found


def read_summary(out: Path) -> str:
    """Return what a finished build holds, for people."""
    report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    lines = [f"{out}:"]
    for name, splits in report["rows"].items():
        counts = ", ".join(f"{split} {sum(rows.values()):,}" for split, rows in splits.items())
        lines.append(f"  {name:14} {counts}")
    lines.append(f"  {report['dropped']:,} records were left out (see {out / 'dropped.jsonl'})")
    reasons = list(report["dropped_by_reason"].items())[:5]
    lines += [f"    {count:,} x {reason}" for reason, count in reasons]
    lines.append(f"  look at it: {out / 'gallery.html'}; what it is: {out / 'README.md'}")
    return "\n".join(lines)


def _files(out: Path, name: str) -> list[Path]:
    return sorted((out / name).glob("*.parquet"))


def _sources(plan: Plan, counts: Counts) -> Iterator[SourceFacts]:
    for request in {name_of(request): request for request in plan.requests}.values():
        name = name_of(request)
        mine = {
            config: {split: rows.get(name, 0) for split, rows in splits.items()}
            for config, splits in counts.items()
        }
        if not isinstance(request, StudioRequest):
            yield replace(SourceFacts.of(request.source, mine), name=name)
            continue
        yield SourceFacts(
            name=name,
            about=f"renders of our own studio; people in poses of {request.poses}",
            licence="as the recorded poses' licence says; the pictures are our own",
            cite="unipose",
            home="python -m data_builders.imagescript",
            counts=mine,
        )


def _texts(out: Path, counts: Counts) -> dict[str, TextFigures]:
    """Return the figures of all texts, those of ImageScript-A kind by kind."""
    found = {}
    for name in counts:
        if name == "reasoning":  # the captions of imagescript-a
            continue
        column = "texts" if name.startswith("imagediff") else "captions"
        rows = [row for path in _files(out, name) for row in read_rows(path, [column])[column]]
        texts = [row.as_py() for row in rows]
        if name in KINDS:
            for i, kind in enumerate(KINDS[name]):
                found[f"{name}, {kind}"] = text_figures([row[i] for row in texts])
        else:
            found[name] = text_figures([text for row in texts for text in row])
    return found


def _pairs(out: Path, counts: Counts) -> dict[str, PairFigures]:
    found = {}
    for name in counts:
        if name.startswith("imagediff"):
            tables = [read_rows(p, ["similarity", "differences"]) for p in _files(out, name)]
            columns = (
                [value for table in tables for value in table[column].to_pylist()]
                for column in ("similarity", "differences")
            )
            found[name] = PairFigures.of(*columns)
    return found


def _settings(config: BuildConfig) -> dict[str, str | int | float | bool]:
    """Return the settings that change texts or pictures."""
    names = ("orientation", "say_unseen", "least_seen", "margin", "picture_px", "refined", "pool")
    settings: dict[str, str | int | float | bool] = {name: getattr(config, name) for name in names}
    return settings | {
        "refined_by": config.writer.model or "rules",
        "extras": ", ".join(config.extras),
    }


def _refining(plan: Plan) -> dict[str, Any]:
    """Return the reports of all tasks that refined, added up, and what a model cost."""
    total: dict[str, Any] = {}
    for path in sorted((plan.work / "refining").glob("*.json")):
        for name, value in json.loads(path.read_text(encoding="utf-8")).items():
            if isinstance(value, dict):
                total[name] = dict(Counter(total.get(name, {})) + Counter(value))
            else:
                total[name] = total.get(name, 0) + value
    prompt_price, answer_price = plan.config.writer.prices
    spent = total.get("prompt_tokens", 0) * prompt_price
    return total | {"cost": (spent + total.get("answer_tokens", 0) * answer_price) / 1e6}
