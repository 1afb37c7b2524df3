"""Everything that is measured of a pose language model, on one page.

`python -m eval.report --data FOLDER --out DIR` runs the evaluation programs one after the other
and writes `report.html` (one file, nothing to load), `report.md` (with its drawings and pictures
beside it) and `report.json` into DIR. Our figures stand beside chance and baselines; the published
ones stand in tables of their own. What a model without eyes cannot be asked is left out, and the
page says so. The page is written again after each part, so a long run that is stopped leaves what
it had measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval import (
    comprehension,
    estimation,
    examples,
    generation,
    recognition,
    retrieval,
    training,
)
from eval.chart import as_svg
from eval.page import as_html, as_markdown
from eval.program import ModelOptions, print_result, run
from eval.retrieval import EMBEDDED
from eval.sections import SECTIONS, sections_of
from unipose.body.body import load_body
from unipose.errors import BlindModelError, ConfigError
from unipose.files.atomic import written_whole

TITLE = "UniPose: what was measured"
PARTS = tuple(SECTIONS)


@dataclass(frozen=True, kw_only=True)
class ReportOptions(ModelOptions):
    """Options of eval.report."""

    out: Path
    """Folder of the report."""
    network: Path | None = None
    """Folder of a mesh recovery network; without it none is measured."""
    pose: Path = EMBEDDED / "retrieval_pose"
    """Folder of the evaluator of poses."""
    pair: Path = EMBEDDED / "retrieval_pair"
    """Folder of the evaluator of pairs."""
    pictures: Path | None = None
    """Folder of a built ImageScript; without it the studio takes the pictures."""
    poses: int = 384
    """How many poses, and how many pairs of poses, each part asks about."""
    people: int = 192
    """How many people in pictures are described and estimated."""
    examples: int = 6
    """How many people (or poses, for a model without eyes) are drawn."""
    training: str = "mini"
    """Preset of train.throughput."""
    parts: tuple[str, ...] = PARTS
    """What is measured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.parts) - set(PARTS))
        if unknown:
            raise ConfigError(f"expected parts out of {', '.join(PARTS)}, got {unknown[0]!r}")
        if self.examples < 1:
            raise ConfigError(f"--examples must be at least 1, got {self.examples}")


def measure_examples(options: ReportOptions) -> dict[str, Any]:
    """Return what is said of a few people or poses; their pictures go into the report's folder."""
    assistant = options.load_assistant()
    held_out = estimation.EstimationOptions(
        data=options.data, split=options.split, only=options.only, seed=options.seed,
        pictures=options.pictures, people=options.examples,
    )  # fmt: skip
    sees = assistant.model.eyes is not None
    options.out.mkdir(parents=True, exist_ok=True)
    return examples.show(assistant, held_out, options.out, load_body(), sees=sees)


def measure_comprehension(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.comprehension finds."""
    return comprehension.measure(
        comprehension.ComprehensionOptions(
            data=options.data, split=options.split, only=options.only, limit=options.limit,
            seed=options.seed, model=options.model, device=options.device, dtype=options.dtype,
            pose=options.pose, pair=options.pair,
            poses=options.poses, pairs=options.poses, people=options.people,
            pictures=options.pictures,
        )
    )  # fmt: skip


def measure_generation(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.generation finds."""
    return generation.measure(
        generation.GenerationOptions(
            data=options.data, split=options.split, only=options.only, limit=options.limit,
            seed=options.seed, model=options.model, device=options.device, dtype=options.dtype,
            pose=options.pose, pair=options.pair,
            poses=options.poses, pairs=options.poses,
        )
    )  # fmt: skip


def measure_estimation(options: ReportOptions, *, network: bool) -> dict[str, Any]:
    """Return what eval.estimation finds, of the language model or of the network."""
    if network and options.network is None:
        return {"left_out": "no mesh recovery network was named (--network FOLDER)"}
    return estimation.measure(
        estimation.EstimationOptions(
            data=options.data, split=options.split, only=options.only, seed=options.seed,
            model=None if network else options.model,
            device=options.device, dtype=options.dtype,
            network=options.network if network else None,
            pictures=options.pictures, people=options.people,
        )
    )  # fmt: skip


def measure_recognition(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.recognition finds."""
    return recognition.measure(
        recognition.RecognitionOptions(
            data=options.data, split=options.split, only=options.only, seed=options.seed,
            model=options.model, device=options.device, dtype=options.dtype,
            people=options.people,
        )
    )  # fmt: skip


def measure_evaluators(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.retrieval finds."""
    return retrieval.measure_evaluators(
        retrieval.RetrievalOptions(
            data=options.data, split=options.split, only=options.only, limit=options.limit,
            seed=options.seed, pose=options.pose, pair=options.pair,
            poses=options.poses, pairs=options.poses,
        )
    )  # fmt: skip


MEASURES: dict[str, Callable[[ReportOptions], dict[str, Any]]] = {
    "examples": measure_examples,
    "comprehension": measure_comprehension,
    "generation": measure_generation,
    "estimation": lambda options: measure_estimation(options, network=False),
    "network": lambda options: measure_estimation(options, network=True),
    "recognition": measure_recognition,
    "evaluators": measure_evaluators,
    "training": lambda options: training.measure(
        training.TrainingOptions(preset=options.training, seed=options.seed)
    ),
}


def measure(options: ReportOptions) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield all that has been found, after each part."""
    found: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        if part not in options.parts:
            continue
        try:
            found[part] = MEASURES[part](options)
        except BlindModelError:
            found[part] = {"left_out": "this model has no eyes, so it was shown no pictures"}
        yield found


def write(found: dict[str, dict[str, Any]], options: ReportOptions) -> None:
    """Write the page as Markdown with its bars beside it, as HTML, and its figures as JSON."""
    options.out.mkdir(parents=True, exist_ok=True)
    model = "the embedded model" if options.model is None else f"the model {options.model.name!r}"
    intro = (
        f"Measured of {model} with seed {options.seed}. Every figure of ours stands beside what "
        "chance or no knowledge would score; published figures stand in tables of their own."
    )
    sections = sections_of(found)
    texts = {
        **{c.file: as_svg(c, alone=True) + "\n" for section in sections for c in section.charts},
        "report.md": as_markdown(TITLE, intro, sections),
        "report.html": as_html(TITLE, intro, sections, options.out),
        "report.json": json.dumps(found, indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        with written_whole(options.out / name) as path:
            path.write_text(text, encoding="utf-8")


def main(options: ReportOptions) -> None:
    """Measure everything and write one page."""
    result: dict[str, object] = {}
    for found in measure(options):
        write(found, options)
        result = {**found}
    print_result({"report": str(options.out / "report.html"), **result}, as_json=options.json)


if __name__ == "__main__":
    run(main, ReportOptions)
