"""Do poses get better when somebody says which parts touch? After ProsePose.

Scenes are the studio's (`eval.contact_scenes`): two people of held-out recordings who touch, and
single people who touch themselves, with an estimator's errors. Who says what touches: nobody (for
two people BUDDI's heuristic pulls the nearest vertices of the whole meshes together; for one there
is no contact loss at all), an oracle, an oracle some of whose pairs are wrong in each of N samples,
our own model that looks at the picture, and the rule a language model has to beat: what is near in
the initial estimate touches. Controls know nothing of the scene: a table of as many pairs of any
words ("random"), and for two people "they touch" without saying where ("anywhere").

Joint PA-MPJPE: both people under one similarity, 14 joints each. PCC: the share of true contacts
(pairs of the 22 fine regions, exact distances) nearer than a radius, averaged over the radii 0,
0.05 ... 0.95 m. Run as `python -m eval.contact --data FOLDER`; with `--keep FOLDER` what is
computed is kept, and a run that was stopped goes on. `--dataset NAME --folder FOLDER` measures the
same on Hi4D, CHI3D, FlickrCI3D or MOYO (`eval.contact_data_sets`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from data_builders.studio import Motions, Studio
from eval.chart import Bar, Chart, as_svg
from eval.contact_bench import SHOWN_RADII, Bench, MethodScores, SeedBench
from eval.contact_data_sets import PEOPLE, DataSetScenes
from eval.contact_options import ContactOptions, Keep, contact_refiner
from eval.contact_scenes import draw_scenes, scene_config
from eval.contact_speed import SCENES, measure_speed
from eval.estimation import HELD_OUT_STUDIO
from eval.program import print_result, print_table, run, track
from unipose.app.contact_refining import Asking
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.regions import FINE_REGIONS
from unipose.contact.contact_votes import ContactVotes, load_contacts
from unipose.contact.prompts import VOCABULARIES
from unipose.metrics.contact import RADII_M
from unipose.vision.landmark_lifter import LandmarkLifter


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """Who says what touches, and in how many of a seed's scenes."""

    name: str
    votes: Callable[[Bench], list[ContactVotes]]
    some: bool = False
    """Only in `some_scenes`: models are slow, curves are many."""


def answerers(
    options: ContactOptions, own: Callable[[Bench], list[ContactVotes]] | None
) -> dict[int, list[Answerer]]:
    """Return who answers, by number of people, the most important first."""
    n = options.samples

    def oracle(name: str, share: float, samples: int, *, some: bool = True) -> Answerer:
        return Answerer(name=name, votes=lambda bench: bench.oracle(share, samples), some=some)

    main = [
        Answerer(name="heuristic", votes=lambda bench: bench.nothing()),
        oracle("oracle", 0.0, 1, some=False),
        oracle("oracle_30_wrong", 0.3, n, some=False),
        Answerer(name="rule", votes=lambda bench: bench.rule(options.reach_m)),
        oracle("random", 1.0, 1),
    ]
    if own is not None:
        main.append(Answerer(name="own_model", votes=own, some=True))
    if options.ask:
        main.append(Answerer(name="asked", votes=lambda b: asked_votes(b, options), some=True))
    if options.answers is not None:
        main.append(Answerer(name="answers", votes=lambda b: given_votes(b, options)))
    anywhere = Answerer(name="anywhere", votes=lambda bench: bench.anywhere(), some=True)
    curves = [oracle(f"oracle_30_wrong_n{count}", 0.3, count) for count in (1, 5)]
    curves += [oracle(f"oracle_{s}_wrong", s / 100, n) for s in (10, 20, 40)]
    return {2: [*main, anywhere, *curves], 1: main}


def asked_votes(bench: Bench, options: ContactOptions) -> list[ContactVotes]:
    """Return what the model at an address says, its answers kept on disk."""

    def nobody() -> UniPose:
        raise AssertionError

    folder = None if options.keep is None else options.keep / "answers"
    asking = Asking(who=options.ask, samples=options.samples, cache=folder)
    count = min(len(bench.scenes), options.some_scenes)
    return bench.asked(asking.model(bench.people, nobody), count, samples=options.samples)


def given_votes(bench: Bench, options: ContactOptions) -> list[ContactVotes]:
    """Return what a file says of the scenes; of those that it lacks nothing is said."""
    assert options.answers is not None
    given = load_contacts(options.answers, VOCABULARIES)
    return [given.get(scene.key, nothing) for scene, nothing in zip(bench.scenes, bench.nothing())]


def measure(options: ContactOptions) -> dict[str, object]:
    """Return all figures."""
    said: dict[tuple[int, int], list[ContactVotes]] = {}
    body = load_body(options.body)
    result: dict[str, object] = {"split": options.split, "body": body.id}
    if options.dataset is None:
        result["seeds"] = len(options.seeds)
        groups = studio_benches(options, body)
    else:
        groups = [[data_set_bench(options, body, result)]]
    assistant = cache(options.load_assistant)
    for benches in groups:
        people = benches[0].people
        some = min(max(1, options.some_scenes // len(benches)), benches[0].count)

        def own(bench: Bench, some: int = some) -> list[ContactVotes]:
            key = bench.people, bench.seed
            if key not in said:
                said[key] = bench.own(assistant(), some)
            return said[key]

        asked = [
            who
            for who in answerers(options, own if options.own else None)[people]
            if not options.methods or who.name in options.methods
        ]
        prefix = "" if people == 2 or options.dataset else "one_person."
        result |= method_figures(benches, asked, options, some, prefix)
        for key, value in mean_tables(benches, own, assistant, options, some).items():
            result[f"{prefix}{key}"] = value
        if people == 2 and not options.methods and options.dataset is None:
            result |= speed_figures(benches[0], options)
    result["fallbacks"] = result.get("own_model.fallbacks", 0)
    return result


def studio_benches(options: ContactOptions, body: Body) -> list[list[SeedBench]]:
    """Return the studio's scenes, all seeds, for each number of people."""
    split = "" if options.split == "all" else options.split
    motions = cache(partial(Motions.read, options.data, split, fps=10.0, only=options.only))
    errors = LandmarkLifter.from_pretrained().errors
    refiner = contact_refiner(options, body)

    def build(people: int, seed: int, count: int) -> Bench:
        config = scene_config(people, seed=HELD_OUT_STUDIO + 100 + seed, side_px=options.side_px)
        drawn = draw_scenes(
            Studio(config, motions(), body), errors, people=people, seed=seed,
            severity=options.severity,
        )  # fmt: skip
        return Bench(list(itertools.islice(drawn, count)), refiner, seed=seed)

    totals = {2: options.scenes, 1: options.one_person}
    return [
        [
            SeedBench(
                people=people, seed=seed, count=-(-totals[people] // len(options.seeds)),
                build=partial(build, people, seed),
            )
            for seed in options.seeds
        ]
        for people in options.people
    ]  # fmt: skip


def data_set_bench(options: ContactOptions, body: Body, result: dict[str, object]) -> SeedBench:
    """Return the scenes of a data set; what figures on it hang on is written into `result`."""
    files = options.files
    found = DataSetScenes(files, body)
    scenes = found.scenes()
    marked = files.name in ("chi3d", "flickrci3d")
    regions = VOCABULARIES[PEOPLE[files.name]] if marked else FINE_REGIONS
    shapes = "of the source" if found.truth_body == body.id else "mean of the body"
    result |= {
        "dataset": files.name, "initial_poses": files.initial_poses,
        "true_shapes": shapes if found.truth_body else "no true poses",
        "dropped": len(found.drops.dropped),
    }  # fmt: skip
    bench = Bench(scenes, contact_refiner(options, body), seed=options.seed, regions=regions)
    return SeedBench(
        people=bench.people, seed=bench.seed, count=len(scenes), build=lambda _: bench
    )  # fmt: skip


def method_figures(
    benches: list[SeedBench],
    asked: list[Answerer],
    options: ContactOptions,
    some: int,
    prefix: str,
) -> dict[str, object]:
    """Return the figures of every method over all seeds' scenes.

    `some_scenes_mm` is the error in those scenes that everybody answers in, `heuristic_mm` the
    heuristic's in the same ones.
    """
    initial = Answerer(name="initial", votes=lambda bench: [])
    found: dict[str, list[MethodScores]] = {}
    jobs = list(itertools.product([initial, *asked], benches))
    for who, bench in track(jobs, f"{benches[0].people} people"):

        def scores(drawn: SeedBench = bench, who: Answerer = who) -> dict[str, Any]:
            bench = drawn.first(some if who.some else None)
            if who.name == "initial":
                return vars(bench.initial())
            votes = who.votes(bench)
            return vars(bench.refined(votes[:some] if who.some else votes))

        keep = Keep(options, people=bench.people, seed=bench.seed)
        found.setdefault(who.name, []).append(MethodScores(**keep(who.name, scores)))
    result: dict[str, object] = {}
    for name, by_seed in found.items():
        pooled = MethodScores()
        for one in by_seed:
            pooled.add(one)
        figures = pooled.figures()
        if pooled.error_mm:
            figures["spread_mm"] = float(np.std([np.mean(one.error_mm) for one in by_seed]))
        for key, method in (("some_scenes_mm", name), ("heuristic_mm", "heuristic")):
            if method in found and pooled.error_mm:
                first = [one.error_mm[:some] for one in found[method]]
                figures[key] = float(np.mean(np.concatenate(first)))
        result |= {f"{prefix}{name}.{key}": value for key, value in figures.items()}
    return result


def mean_tables(
    benches: list[SeedBench],
    own: Callable[[Bench], list[ContactVotes]],
    assistant: Callable[[], UniPose],
    options: ContactOptions,
    some: int,
) -> dict[str, float]:
    """Return `table_figures` as means over the seeds."""
    tables = []
    for bench in benches:
        keep = Keep(options, people=bench.people, seed=bench.seed)

        def figures(drawn: SeedBench = bench) -> dict[str, Any]:
            return table_figures(drawn.first(), own, assistant, options, some)

        tables.append(keep("tables" if options.own else "rule tables", figures))
    return {key: float(np.mean([table[key] for table in tables])) for key in tables[0]}


def speed_figures(bench: SeedBench, options: ContactOptions) -> dict[str, float]:
    """Return `measure_speed`'s figures, kept as all others are."""
    keep = Keep(options, people=bench.people, seed=bench.seed)
    steps = min(options.steps, 20)
    return keep("speed", lambda: measure_speed(bench.first(SCENES), steps=steps))


def table_figures(
    bench: Bench,
    own: Callable[[Bench], list[ContactVotes]],
    assistant: Callable[[], UniPose],
    options: ContactOptions,
    some: int,
) -> dict[str, float]:
    """Return F1 of our own model's tables: of pictures, and of one person's true pose."""
    found = {"rule_f1": bench.table_f1(bench.rule(options.reach_m))["f1"]}
    if options.answers is not None:
        found["answers_f1"] = bench.table_f1(given_votes(bench, options))["f1"]
    if options.ask:
        found["asked_f1"] = bench.table_f1(asked_votes(bench, options))["f1"]
    if not options.own:
        return found
    shown = bench.table_f1(own(bench))
    found |= {
        "table_f1": shown["f1"], "chance_f1": shown["chance_f1"],
        "table_precision": shown["precision"], "table_recall": shown["recall"],
    }  # fmt: skip
    if bench.people == 1 and bench.truth is not None:
        for name, true in (("true_pose", True), ("initial_pose", False)):
            of_pose = bench.table_f1(bench.from_pose(assistant(), some, true=true))
            found |= {f"{name}_f1": of_pose["f1"], f"{name}_chance_f1": of_pose["chance_f1"]}
    return found


COLUMNS = ("", "joint PA-MPJPE mm", "average PCC", "PCC at 0.05 m", "0.10 m", "0.15 m",
           "scenes", "fell back")  # fmt: skip
FIGURES = (
    "joint_pa_mpjpe_mm", "average_pcc", *(f"pcc_at_{RADII_M[i]:.2f}_m" for i in SHOWN_RADII),
    "scenes", "fallbacks",
)  # fmt: skip


def rows_of(result: dict[str, object], prefix: str) -> list[tuple[Any, ...]]:
    """Return a table: a line for each method."""
    end = ".average_pcc"
    names = [key.removesuffix(end) for key in result if key.endswith(end)]
    mine = [name for name in names if name.startswith("one_person.") == bool(prefix)]
    return [
        (name.removeprefix(prefix), *(result.get(f"{name}.{figure}", "") for figure in FIGURES))
        for name in mine
    ]


def charts_of(result: dict[str, object]) -> list[Chart]:
    """Return what is drawn: the error over N, and over the share of wrong pairs."""

    def bar(name: str, key: str) -> Bar:
        ours, beside = (result[f"{key}.{figure}"] for figure in ("some_scenes_mm", "heuristic_mm"))
        assert isinstance(ours, float)
        assert isinstance(beside, float)
        return Bar(name=name, ours=ours, beside=beside)

    by_samples = [("oracle_30_wrong_n1", 1), ("oracle_30_wrong_n5", 5), ("oracle_30_wrong", 20)]
    by_share = [("oracle", 0), *((f"oracle_{s}_wrong", s) for s in (10, 20, 30, 40))]
    drawn = {
        "contact_samples": ("Error by samples, 30 % of pairs wrong", [
            bar(f"N = {n}", key) for key, n in by_samples if f"{key}.heuristic_mm" in result
        ]),
        "contact_wrong": ("Error by wrong pairs, N = 20", [
            bar(f"{s} % wrong", key) for key, s in by_share if f"{key}.heuristic_mm" in result
        ]),
    }  # fmt: skip
    return [
        Chart(name=name, title=title, unit="mm", beside="heuristic", bars=bars)
        for name, (title, bars) in drawn.items()
    ]


def main(options: ContactOptions) -> None:
    """Measure what is gained when somebody says which parts touch."""
    result = measure(options)
    if not options.json:
        print_table(str(options.dataset or "Two people"), COLUMNS, rows_of(result, ""))
        if options.dataset is None:
            print_table("One person", COLUMNS, rows_of(result, "one_person."))
    for chart in charts_of(result) if options.charts and options.dataset is None else ():
        assert options.charts is not None
        options.charts.mkdir(parents=True, exist_ok=True)
        (options.charts / chart.file).write_text(as_svg(chart, alone=True), encoding="utf-8")
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, ContactOptions)
