"""Refine a file of texts: `python -m data_builders.refining --texts in.jsonl --out out.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro
from rich.progress import track

from data_builders.refining.draft import Draft
from data_builders.refining.refine import RefineConfig, Report, refine
from unipose.errors import FileError, MissingFileError
from unipose.files.atomic import written_whole
from unipose.priors.chat_models import CachedChatModel
from unipose.priors.open_chat_model import ChatModelConfig, open_chat_model


@dataclass(frozen=True, kw_only=True)
class RefineTextsConfig(ChatModelConfig):
    """Which texts, who rewrites them, and where they go."""

    texts: Path
    """JSON lines: {"key": ..., "text": ..., "kind": "caption" or "change"}."""
    out: Path
    """JSON lines, in the same order; the report lies beside it, ending in .report.json."""
    cache: Path | None = None
    """Folder of kept answers; default: beside `out`. A run that was stopped goes on from there."""
    refine: RefineConfig = field(default_factory=RefineConfig)


def main(config: RefineTextsConfig) -> Report:
    """Refine all texts of the file and return what was done."""
    drafts = list(read_drafts(config.texts))
    backend = open_chat_model(config)
    if backend is not None:
        backend = CachedChatModel(backend, config.cache or config.out.with_suffix(".answers"))
    report = Report()
    rows = refine(drafts, backend, config=config.refine, report=report)
    with written_whole(config.out) as temporary, temporary.open("w", encoding="utf-8") as file:
        for refined in track(rows, "refining", total=len(drafts), transient=True):
            file.write(json.dumps(asdict(refined), ensure_ascii=False) + "\n")
    summary = report.as_json() | {"cost": report.cost(*config.prices)}
    with written_whole(config.out.with_suffix(".report.json")) as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return report


def read_drafts(path: Path) -> Iterator[Draft]:
    """Give the drafts of a file; raises FileError at a line that is none."""
    if not path.is_file():
        raise MissingFileError(path, "there is no such file.")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                key, text, kind = row["key"], row["text"], row.get("kind", "caption")
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise FileError(path, f"line {number} has no key and text ({error}).") from error
            if kind not in ("caption", "change") or not isinstance(text, str):
                raise FileError(path, f"line {number}: kind {kind!r} of a text is not known.")
            yield Draft(key=str(key), text=text, kind=kind)


if __name__ == "__main__":
    main(tyro.cli(RefineTextsConfig))
