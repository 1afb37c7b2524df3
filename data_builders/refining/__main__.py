"""Refine a file of texts: `python -m data_builders.refining --texts in.jsonl --out out.jsonl`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro
from rich.progress import track

from data_builders.refining.backend import Backend, Cached
from data_builders.refining.draft import Draft
from data_builders.refining.endpoint import Endpoint, EndpointConfig
from data_builders.refining.refine import RefineConfig, Report, refine
from unipose.errors import ConfigError, FileError, MissingFileError
from unipose.files.atomic import written_whole


@dataclass(frozen=True, kw_only=True)
class RefineTextsConfig:
    """Which texts, who rewrites them, and where they go."""

    texts: Path
    """JSON lines: {"key": ..., "text": ..., "kind": "caption" or "change"}."""
    out: Path
    """JSON lines, in the same order; the report lies beside it, ending in .report.json."""
    url: str = ""
    """An endpoint that speaks /v1/chat/completions; its key is read from OPENAI_API_KEY."""
    model: str = ""
    """The endpoint's model; without a url a Hugging Face folder or name; empty: the rules."""
    concurrency: int = 8
    requests_per_minute: float = 0.0
    prices: tuple[float, float] = (0.0, 0.0)
    """Per million tokens of prompts and of answers, for the report."""
    device: str = "cpu"
    cache: Path | None = None
    """Folder of kept answers; default: beside `out`. A run that was stopped goes on from there."""
    refine: RefineConfig = field(default_factory=RefineConfig)

    def __post_init__(self) -> None:
        if self.url and not self.model:
            raise ConfigError("an endpoint needs the name of a model: --model")


def main(config: RefineTextsConfig) -> Report:
    """Refine all texts of the file and return what was done."""
    drafts = list(read_drafts(config.texts))
    backend = _backend(config)
    if backend is not None:
        backend = Cached(backend, config.cache or config.out.with_suffix(".answers"))
    report = Report()
    rows = refine(drafts, backend, config=config.refine, report=report)
    with written_whole(config.out) as temporary, temporary.open("w", encoding="utf-8") as file:
        for refined in track(rows, "refining", total=len(drafts), transient=True):
            file.write(json.dumps(asdict(refined), ensure_ascii=False) + "\n")
    told = report.as_json() | {"cost": report.cost(*config.prices)}
    with written_whole(config.out.with_suffix(".report.json")) as temporary:
        temporary.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
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


def _backend(config: RefineTextsConfig) -> Backend | None:
    if config.url:
        endpoint = EndpointConfig(
            url=config.url,
            model=config.model,
            concurrency=config.concurrency,
            requests_per_minute=config.requests_per_minute,
        )
        return Endpoint(endpoint, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    if config.model:
        from data_builders.refining.local_model import LocalModel  # loads transformers

        return LocalModel(config.model, device=config.device)
    return None


if __name__ == "__main__":
    main(tyro.cli(RefineTextsConfig))
