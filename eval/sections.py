"""What the evaluation programs found, as sections of a page: words, tables, bars and pictures.

A section of ours shows bars where a figure stands beside chance or a baseline of the same unit.
What is published stands in sections of its own, as tables alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eval import (
    comprehension,
    estimation,
    generation,
    published,
    recognition,
    training,
)
from eval.chart import Bar, Chart
from eval.page import Cell, Figure, PageSection
from eval.retrieval import RANKS, TOPS

RANK = 5
"""Of the recalls that are drawn; the tables have all."""
WAYS = ("pose_to_text", "text_to_pose")
COLOURS = "left limbs are blue, right limbs orange"


def sections_of(found: dict[str, dict[str, Any]]) -> list[PageSection]:
    """Return the page's sections: ours first, what is published well apart at the end."""
    ours = [section(found[part]) for part, section in SECTIONS.items() if part in found]
    theirs = [
        (("comprehension",), published.COMPREHENSION),
        (("generation",), published.GENERATION),
        (("generation",), published.EDITING),
        (("estimation", "network"), published.ESTIMATION),
    ]
    return ours + [table for parts, table in theirs if set(parts) & set(found)]


def _examples(found: dict[str, Any]) -> PageSection:
    some = found["shown"]
    if found["sees"]:
        title = "What it looks like: people in pictures"
        alt = "Person {}: the picture, the estimated pose, the true pose"
        note = (
            f"The first {len(some)} people in held-out pictures, not chosen, split "
            f"{found['split']!r}. The estimated and the true pose have the mean shape and are seen "
            f"from where the picture was taken; {COLOURS}. Below them: what the model says of the "
            "picture."
        )
    else:
        title = "What it looks like: described poses"
        alt = "Pose {}"
        note = (
            f"{len(some)} recorded poses, drawn by chance, split {found['split']!r}, and what the "
            f"model says of them; {COLOURS}."
        )
    figures = []
    for i, one in enumerate(some):
        caption = f"“{one['said'].strip()}”"
        if found["sees"]:
            error = one["mpjpe_mm"]
            off = "No pose was answered." if error is None else f"MPJPE {error:.0f} mm."
            caption += f" {off}"
        figures.append(Figure(file=one["file"], alt=alt.format(i + 1), caption=caption))
    return PageSection(title=title, note=note, figures=figures)


def _comprehension(found: dict[str, Any]) -> PageSection:
    described = found["described"]
    note = (
        f"Recordings of the split {found['split']!r}. R-precision (R@1 to 3) in groups of "
        f"{described['r_precision_group']}, shuffled with seed {described['r_precision_seed']}, "
        "with our own evaluators; `true`: the share of what is said that is true of the pose, and "
        "what the same texts score on other poses; word measures against the builders' three "
        f"captions, METEOR with synonyms: {described['meteor_synonyms']}. All in %."
    )
    if "left_out" in found:
        note += f" Left out: {found['left_out']}."
    kinds = [kind for kind in ("described", "compared", "seen") if kind in found]
    bars = [
        _share(found[kind], figure, f"{kind}: {name}")
        for kind in kinds
        for figure, name in (("r_precision_top1", "R@1"), ("truth", "true"))
    ]
    return PageSection(
        title="What is understood: pose to text, pose difference, image to text",
        note=note,
        columns=comprehension.COLUMNS,
        rows=comprehension.rows_of(found),
        charts=[_shares("comprehension", "The right text among others, and what is true", bars)],
    )


def _generation(found: dict[str, Any]) -> PageSection:
    kinds = {"generated": "mean_pose", "edited": "unchanged"}
    failed = {kind: found[kind]["failed"] for kind in kinds}
    shares = [
        bar
        for kind in kinds
        for bar in (
            *_recalls(found[kind], kind, WAYS, RANK),
            _share(found[kind], "truth", f"{kind}: true"),
        )
    ]
    errors = [
        Bar(
            name=f"{kind}: {name}",
            ours=found[kind][figure],
            beside=found[kind][f"{still}_{figure}"],
        )
        for kind, still in kinds.items()
        for figure, name in (("mpjpe_mm", "MPJPE"), ("pa_mpjpe_mm", "PA-MPJPE"))
    ]
    return PageSection(
        title="Poses from words: text to pose, pose edit",
        note=(
            f"Recordings of the split {found['split']!r}, prompts by our writer, recalls in the "
            "gallery that each row names; recall and truth in %, errors in mm, facing the front. "
            f"Answers that were no pose: {failed['generated']} and {failed['edited']} (counted as "
            "the mean pose, and as the pose as it was)."
        ),
        columns=generation.COLUMNS,
        rows=generation.rows_of(found),
        charts=[
            _shares("generation", f"Recall@{RANK}, and what is true", shares),
            _millimetres("generation_mm", "mean pose, or the pose as it was", errors),
        ],
    )


def _estimation(found: dict[str, Any], title: str, name: str) -> PageSection:
    if "left_out" in found:
        return PageSection(title=title, note=f"Left out: {found['left_out']}.")
    rows: list[tuple[Cell, ...]] = [
        (who, *(some[key] for key in estimation.FIGURES), some["failed"])
        for who, some in found["by"].items()
    ]
    rows.append(
        ("  the training's mean pose", *(found[f"mean_pose_{k}"] for k in estimation.FIGURES), "")
    )
    columns = ("MPJPE", "PA-MPJPE", "MPVPE")
    bars = [
        Bar(name=f"{who}: {column}", ours=some[key], beside=found[f"mean_pose_{key}"])
        for who, some in found["by"].items()
        for key, column in zip(estimation.FIGURES, columns, strict=True)
    ]
    return PageSection(
        title=title,
        note=(
            f"{found['people']} people in held-out pictures ({found['pictures']}), split "
            f"{found['split']!r}; 22 joints, pelvis on pelvis, mm. Failed answers count as the "
            "mean pose."
        ),
        columns=("", *columns, "failed"),
        rows=rows,
        charts=[_millimetres(name, "the training's mean pose", bars)],
    )


def _recognition(found: dict[str, Any]) -> PageSection:
    bars = [
        _share(some, figure, f"{name}: {said}")
        for name, some in found["by"].items()
        for figure, said in (("f1", "F1"), ("accuracy", "right"))
        if figure in some
    ]
    return PageSection(
        title="What is recognised: contacts and actions",
        note=(
            f"Held-out pictures and films of the studio, split {found['split']!r}, and their true "
            "poses. Contacts: F1 over pairs of body parts, and of the same tables on other people. "
            "Actions: out of a list."
        ),
        columns=recognition.COLUMNS,
        rows=recognition.rows_of(found),
        charts=[_shares("recognition", "Contacts and actions", bars)],
    )


def _evaluators(found: dict[str, Any]) -> PageSection:
    rows: list[tuple[Cell, ...]] = []
    bars: list[Bar] = []
    for kind in ("pose", "pair"):
        some = found[kind]
        for way in WAYS:
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
        bars += _recalls(some, kind, WAYS, RANK)
        bars.append(_share(some, "r_precision_top1", f"{kind}: R@1"))
    return PageSection(
        title="The evaluators themselves",
        note=f"Recorded poses and our writer's texts, split {found['split']!r}; %.",
        columns=("", *(f"@{k}" for k in RANKS), *(f"R@{k}" for k in TOPS)),
        rows=rows,
        charts=[_shares("evaluators", "Recall and R-precision of the evaluators", bars)],
    )


def _training(found: dict[str, Any]) -> PageSection:
    bars = [
        Bar(
            name=f"{batches}, {clock}",
            ours=found[f"ours_tokens_per_{key}"],
            beside=found[f"{who}_tokens_per_{key}"],
        )
        for who, batches in (("trainer", "same batches"), ("padded", "padded"))
        for key, clock in (("s", "per second"), ("cpu_s", "per CPU-second"))
    ]
    return PageSection(
        title="Training speed beside transformers' Trainer",
        note=(
            f"The same Llama-type model of {found['weights']:,} weights, the same rows, in turns; "
            f"the quickest of {found['blocks']} blocks, {found['threads']} threads, load average "
            f"{found['load_average']:.1f} at the start. Above 1 our loop is faster."
        ),
        columns=training.COLUMNS,
        rows=training.rows_of(found),
        charts=[
            Chart(
                name="training", title="Training speed (more is better)", unit="tokens",
                beside="transformers' Trainer", bars=bars,
            )
        ],
    )  # fmt: skip


def _share(found: dict[str, Any], figure: str, name: str) -> Bar:
    return Bar(name=name, ours=100 * found[figure], beside=100 * found[f"chance_{figure}"])


def _recalls(found: dict[str, Any], kind: str, ways: tuple[str, ...], rank: int) -> list[Bar]:
    chance = 100 * found[f"chance_at_{rank}"]
    return [
        Bar(
            name=f"{kind}: {way.replace('_', ' ')} @{rank}",
            ours=100 * found[f"{way}_at_{rank}"],
            beside=chance,
        )
        for way in ways
    ]


def _shares(name: str, title: str, bars: list[Bar]) -> Chart:
    title = f"{title} (more is better)"
    return Chart(name=name, title=title, unit="%", beside="by chance", bars=bars)


def _millimetres(name: str, beside: str, bars: list[Bar]) -> Chart:
    title = "Distance from the true pose (less is better)"
    return Chart(name=name, title=title, unit="mm", beside=beside, bars=bars)


SECTIONS: dict[str, Callable[[dict[str, Any]], PageSection]] = {
    "examples": _examples,
    "comprehension": _comprehension,
    "generation": _generation,
    "estimation": lambda found: _estimation(
        found, "Poses from pictures: the language model", "estimation"
    ),
    "network": lambda found: _estimation(
        found, "Poses from pictures: the mesh recovery network", "network"
    ),
    "recognition": _recognition,
    "evaluators": _evaluators,
    "training": _training,
}
"""Part of a report -> its section, in the order of the page."""
