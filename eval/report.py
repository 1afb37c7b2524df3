"""Everything that is measured of a pose language model, on one page.

`python -m eval.report --data FOLDER --out DIR` runs the evaluation programs one after the other
and writes `report.md`, `report.html` (one file, nothing to load) and `report.json` into DIR. Our
figures stand beside chance and baselines; the published ones stand in tables of their own. What a
model without eyes cannot be asked is left out, and the page says so. The page is written again
after each part, so a long run that is stopped leaves what it had measured.
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
    generation,
    published,
    recognition,
    retrieval,
    training,
)
from eval.page import Cell, Section, as_html, as_markdown
from eval.program import EvalOptions, print_result, run
from eval.retrieval import EMBEDDED, RANKS, TOPS
from unipose.errors import BlindModelError, ConfigError
from unipose.files.atomic import written_whole

TITLE = "UniPose: what was measured"
PARTS = (
    "comprehension", "generation", "estimation", "network", "recognition", "evaluators", "training",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ReportOptions(EvalOptions):
    """Options of eval.report."""

    out: Path
    """Folder of the report."""
    model: Path | None = None
    """Folder of a model; without it the embedded one."""
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
    training: str = "mini"
    """Preset of train.pace."""
    parts: tuple[str, ...] = PARTS
    """What is measured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.parts) - set(PARTS))
        if unknown:
            raise ConfigError(f"expected parts out of {', '.join(PARTS)}, got {unknown[0]!r}")


def measure_comprehension(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.comprehension finds."""
    return comprehension.measure(
        comprehension.ComprehensionOptions(
            data=options.data, split=options.split, only=options.only, limit=options.limit,
            seed=options.seed, model=options.model, pose=options.pose, pair=options.pair,
            poses=options.poses, pairs=options.poses, people=options.people,
            pictures=options.pictures,
        )
    )  # fmt: skip


def measure_generation(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.generation finds."""
    return generation.measure(
        generation.GenerationOptions(
            data=options.data, split=options.split, only=options.only, limit=options.limit,
            seed=options.seed, model=options.model, pose=options.pose, pair=options.pair,
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
            network=options.network if network else None,
            pictures=options.pictures, people=options.people,
        )
    )  # fmt: skip


def measure_recognition(options: ReportOptions) -> dict[str, Any]:
    """Return what eval.recognition finds."""
    return recognition.measure(
        recognition.RecognitionOptions(
            data=options.data, split=options.split, only=options.only, seed=options.seed,
            model=options.model, people=options.people,
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


def sections_of(found: dict[str, dict[str, Any]]) -> list[Section]:
    """Return the page's sections: ours first, what is published well apart at the end."""
    ours = [SECTIONS[part](found[part]) for part in PARTS if part in found]
    theirs = [
        (("comprehension",), published.COMPREHENSION),
        (("generation",), published.GENERATION),
        (("generation",), published.EDITING),
        (("estimation", "network"), published.ESTIMATION),
    ]
    return ours + [table for parts, table in theirs if set(parts) & set(found)]


def _comprehension(found: dict[str, Any]) -> Section:
    told = found["described"]
    note = (
        f"Recordings of the split {found['split']!r}. R-precision (R@1 to 3) in groups of "
        f"{told['r_precision_group']}, shuffled with seed {told['r_precision_seed']}, with our own "
        "evaluators; `true`: the share of what is said that is true of the pose, and what the same "
        "texts score on other poses; word measures against the builders' three captions, METEOR "
        f"with synonyms: {told['meteor_synonyms']}. All in %."
    )
    if "left_out" in found:
        note += f" Left out: {found['left_out']}."
    return Section(
        title="What is understood: pose to text, pose difference, image to text",
        note=note,
        columns=comprehension.COLUMNS,
        rows=comprehension.rows_of(found),
    )


def _generation(found: dict[str, Any]) -> Section:
    failed = {kind: found[kind]["failed"] for kind in ("generated", "edited")}
    return Section(
        title="Poses from words: text to pose, pose edit",
        note=(
            f"Recordings of the split {found['split']!r}, prompts by our writer, recalls in the "
            "gallery that each row names; recall and truth in %, errors in mm, facing the front. "
            f"Answers that were no pose: {failed['generated']} and {failed['edited']} (counted as "
            "the mean pose, and as the pose as it was)."
        ),
        columns=generation.COLUMNS,
        rows=generation.rows_of(found),
    )


def _estimation(found: dict[str, Any], title: str) -> Section:
    if "left_out" in found:
        return Section(title=title, note=f"Left out: {found['left_out']}.")
    rows: list[tuple[Cell, ...]] = [
        (name, *(some[key] for key in estimation.FIGURES), some["failed"])
        for name, some in found["by"].items()
    ]
    rows.append(
        ("  the training's mean pose", *(found[f"mean_pose_{k}"] for k in estimation.FIGURES), "")
    )
    return Section(
        title=title,
        note=(
            f"{found['people']} people in held-out pictures ({found['pictures']}), split "
            f"{found['split']!r}; 22 joints, pelvis on pelvis, mm. Failed answers count as the "
            "mean pose."
        ),
        columns=("", "MPJPE", "PA-MPJPE", "MPVPE", "failed"),
        rows=rows,
    )


def _recognition(found: dict[str, Any]) -> Section:
    return Section(
        title="What is recognised: contacts and actions",
        note=(
            f"Held-out pictures and films of the studio, split {found['split']!r}, and their true "
            "poses. Contacts: F1 over pairs of body parts, and of the same tables on other people. "
            "Actions: out of a list."
        ),
        columns=recognition.COLUMNS,
        rows=recognition.rows_of(found),
    )


def _evaluators(found: dict[str, Any]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for kind in ("pose", "pair"):
        some = found[kind]
        for way in ("pose_to_text", "text_to_pose"):
            name = way.replace("_", " ").replace("pose", kind)
            recalls = [100 * some[f"{way}_at_{k}"] for k in RANKS]
            grouped = [100 * some[f"r_precision_top{k}"] for k in TOPS]
            first = way == "pose_to_text"
            rows.append(
                (f"{name} (gallery {some['gallery']})", *recalls, *(grouped if first else [""] * 3))
            )
        chance = [100 * some[f"chance_at_{k}"] for k in RANKS]
        chance += [100 * some[f"chance_r_precision_top{k}"] for k in TOPS]
        rows.append(("  by chance", *chance))
    return Section(
        title="The evaluators themselves",
        note=f"Recorded poses and our writer's texts, split {found['split']!r}; %.",
        columns=("", *(f"@{k}" for k in RANKS), *(f"R@{k}" for k in TOPS)),
        rows=rows,
    )


def _training(found: dict[str, Any]) -> Section:
    return Section(
        title="Training speed beside transformers' Trainer",
        note=(
            f"The same Llama-type model of {found['weights']:,} weights, the same rows, in turns; "
            f"medians of {found['blocks']} blocks, {found['threads']} threads, load average "
            f"{found['load_average']:.1f} at the start. Above 1 our loop is faster."
        ),
        columns=training.COLUMNS,
        rows=training.rows_of(found),
    )


SECTIONS: dict[str, Callable[[dict[str, Any]], Section]] = {
    "comprehension": _comprehension,
    "generation": _generation,
    "estimation": lambda found: _estimation(found, "Poses from pictures: the language model"),
    "network": lambda found: _estimation(found, "Poses from pictures: the mesh recovery network"),
    "recognition": _recognition,
    "evaluators": _evaluators,
    "training": _training,
}


def write(found: dict[str, dict[str, Any]], options: ReportOptions) -> None:
    """Write the page as Markdown, as HTML, and its figures as JSON."""
    options.out.mkdir(parents=True, exist_ok=True)
    model = "the embedded model" if options.model is None else f"the model {options.model.name!r}"
    intro = (
        f"Measured of {model} with seed {options.seed}. Every figure of ours stands beside what "
        "chance or no knowledge would score; published figures stand in tables of their own."
    )
    sections = sections_of(found)
    texts = {
        "report.md": as_markdown(TITLE, intro, sections),
        "report.html": as_html(TITLE, intro, sections),
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
