"""Do poses get better when somebody says which parts touch? After ProsePose.

Scenes are the studio's (`eval.contact_scenes`): two people of held-out recordings who touch, and
single people who touch themselves, with an estimator's errors. Who says what touches: nobody (for
two people BUDDI's heuristic pulls the nearest vertices of the whole meshes together; for one there
is no contact loss at all), an oracle, an oracle some of whose pairs are wrong in each of N samples,
our own model that looks at the picture, and the rule a language model has to beat: what is near in
the initial estimate touches.

Joint PA-MPJPE: both people under one similarity, 14 joints each. PCC: the share of true contacts
(pairs of the 22 fine regions, exact distances) nearer than a radius, averaged over the radii 0,
0.05 ... 0.95 m. Run as `python -m eval.contact --data FOLDER`; with `--keep FOLDER` what is
computed is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.studio import Motions, Studio
from eval.chart import Bar, Chart, as_svg
from eval.contact_bench import SHOWN_RADII, Bench, MethodScores
from eval.contact_scenes import draw_scenes, scene_config
from eval.contact_speed import measure_speed
from eval.estimation import HELD_OUT_STUDIO
from eval.program import ModelOptions, print_result, print_table, run, track
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.contact.contact_votes import ContactVotes
from unipose.contact.optimiser import CONTACT_CONFIGS, FALLBACK_CONFIGS, ContactConfig
from unipose.contact.refining import ContactRefiner
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole
from unipose.metrics.contact import RADII_M
from unipose.vision.landmark_lifter import LandmarkLifter


@dataclass(frozen=True, kw_only=True)
class ContactOptions(ModelOptions):
    """Options of eval.contact."""

    scenes: int = 216
    """Of two people, over all seeds."""
    one_person: int = 48
    """Of one person who touches themselves."""
    some_scenes: int = 72
    """For which our own model is asked, and shares of wrong pairs and N are varied."""
    people: tuple[int, ...] = (2, 1)
    """How many people the scenes have."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Studios, errors and wrong answers of their own; figures are means over all scenes."""
    severity: float = 0.8
    """Of the initial estimate's errors; 1 is the landmark lifter's own."""
    steps: int = 100
    """Of each of the two stages at most."""
    flat: float = 5e-4
    batch: int = 48
    samples: int = 20
    """N of the oracles that err."""
    reach_m: float = 0.1
    """How near parts of the initial estimate are that touch by the rule (metres)."""
    own: bool = True
    """Ask our own model too."""
    methods: tuple[str, ...] = ()
    """Only these ("oracle", "rule" ...); empty: all, and the speed."""
    side_px: int = 256
    keep: Path | None = None
    """Folder in which finished parts are kept."""
    charts: Path | None = None
    """Folder in which accuracy over samples and wrong pairs is drawn."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scenes < len(self.seeds) or self.one_person < len(self.seeds) or not self.seeds:
            raise ConfigError("at least one scene of each kind is needed for every seed")
        if not self.people or not {*self.people} <= {1, 2}:
            raise ConfigError(f"--people takes 2 and 1, got {self.people}")


def contact_refiner(options: ContactOptions, body: Body) -> ContactRefiner:
    """Return the refiner with the benchmark's steps."""

    def shorter(configs: dict[int, ContactConfig]) -> dict[int, ContactConfig]:
        return {
            people: replace(config, steps=options.steps, flat=options.flat)
            for people, config in configs.items()
        }

    return ContactRefiner(
        body=body, configs=shorter(CONTACT_CONFIGS), fallbacks=shorter(FALLBACK_CONFIGS),
        batch=options.batch,
    )  # fmt: skip


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
    ]
    if own is not None:
        main.append(Answerer(name="own_model", votes=own, some=True))
    curves = [oracle(f"oracle_30_wrong_n{count}", 0.3, count) for count in (1, 5)]
    curves += [oracle(f"oracle_{s}_wrong", s / 100, n) for s in (10, 20, 40)]
    return {2: [*main, *curves], 1: main}


def measure(options: ContactOptions) -> dict[str, object]:
    """Return all figures."""
    body = load_body()
    split = "" if options.split == "all" else options.split
    motions = Motions.read(options.data, split, fps=10.0, only=options.only)
    errors = LandmarkLifter.from_pretrained().errors
    assistant = options.load_assistant() if options.own else None
    refiner = contact_refiner(options, body)
    result: dict[str, object] = {"split": options.split, "seeds": len(options.seeds)}
    said: dict[int, list[ContactVotes]] = {}
    for people in options.people:
        total = options.scenes if people == 2 else options.one_person
        benches = []
        for seed in options.seeds:
            config = scene_config(
                people, seed=HELD_OUT_STUDIO + 100 + seed, side_px=options.side_px
            )
            drawn = draw_scenes(
                Studio(config, motions, body), errors, people=people, seed=seed,
                severity=options.severity,
            )  # fmt: skip
            scenes = list(itertools.islice(drawn, -(-total // len(options.seeds))))
            benches.append(Bench(scenes, refiner, seed=seed))
        some = max(1, min(options.some_scenes, total) // len(options.seeds))

        def own(bench: Bench, some: int = some) -> list[ContactVotes]:
            if id(bench) not in said:
                assert assistant is not None
                said[id(bench)] = bench.own(assistant, some)
            return said[id(bench)]

        asked = [
            who
            for who in answerers(options, None if assistant is None else own)[people]
            if not options.methods or who.name in options.methods
        ]
        prefix = "" if people == 2 else "one_person."
        result |= method_figures(benches, asked, options, some, prefix)
        for key, value in mean_tables(benches, own, assistant, options, some).items():
            result[f"{prefix}{key}"] = value
        if people == 2 and not options.methods:
            result |= speed_figures(benches[0], options)
    result["fallbacks"] = result.get("own_model.fallbacks", 0)
    return result


def method_figures(
    benches: list[Bench],
    asked: list[Answerer],
    options: ContactOptions,
    some: int,
    prefix: str,
) -> dict[str, object]:
    """Return the figures of every method over all seeds' scenes.

    `some_scenes_mm` is the error in those scenes that everybody answers in, `heuristic_mm` the
    heuristic's in the same ones.
    """
    found = {"initial": [bench.initial() for bench in benches]}
    jobs = list(itertools.product(asked, range(len(benches))))
    for who, i in track(jobs, f"{benches[0].people} people"):
        bench = benches[i]
        keep = Keep(options, people=bench.people, seed=options.seeds[i])

        def scores(bench: Bench = bench, who: Answerer = who) -> dict[str, Any]:
            votes = who.votes(bench)
            return vars(bench.refined(votes[:some] if who.some else votes))

        found.setdefault(who.name, []).append(MethodScores(**keep(who.name, scores)))
    result: dict[str, object] = {}
    for name, by_seed in found.items():
        pooled = MethodScores()
        for one in by_seed:
            pooled.add(one)
        figures = pooled.figures()
        figures["spread_mm"] = float(np.std([np.mean(one.error_mm) for one in by_seed]))
        for key, method in (("some_scenes_mm", name), ("heuristic_mm", "heuristic")):
            if method in found:
                first = [one.error_mm[:some] for one in found[method]]
                figures[key] = float(np.mean(np.concatenate(first)))
        result |= {f"{prefix}{name}.{key}": value for key, value in figures.items()}
    return result


def mean_tables(
    benches: list[Bench],
    own: Callable[[Bench], list[ContactVotes]],
    assistant: UniPose | None,
    options: ContactOptions,
    some: int,
) -> dict[str, float]:
    """Return `table_figures` as means over the seeds."""
    tables = []
    for bench in benches:
        keep = Keep(options, people=bench.people, seed=bench.seed)

        def figures(bench: Bench = bench) -> dict[str, Any]:
            return table_figures(bench, own, assistant, options, some)

        part = "rule tables" if assistant is None else "tables"
        tables.append(keep(part, figures))
    return {key: float(np.mean([table[key] for table in tables])) for key in tables[0]}


def speed_figures(bench: Bench, options: ContactOptions) -> dict[str, float]:
    """Return `measure_speed`'s figures, kept as all others are."""
    keep = Keep(options, people=bench.people, seed=bench.seed)
    return keep("speed", lambda: measure_speed(bench, steps=min(options.steps, 20)))


def table_figures(
    bench: Bench,
    own: Callable[[Bench], list[ContactVotes]],
    assistant: UniPose | None,
    options: ContactOptions,
    some: int,
) -> dict[str, float]:
    """Return F1 of our own model's tables: of pictures, and of one person's true pose."""
    found = {"rule_f1": bench.table_f1(bench.rule(options.reach_m))["f1"]}
    if assistant is None:
        return found
    shown = bench.table_f1(own(bench))
    found |= {
        "table_f1": shown["f1"], "chance_f1": shown["chance_f1"],
        "table_precision": shown["precision"], "table_recall": shown["recall"],
    }  # fmt: skip
    if bench.people == 1:
        for name, true in (("true_pose", True), ("initial_pose", False)):
            of_pose = bench.table_f1(bench.from_pose(assistant, some, true=true))
            found |= {f"{name}_f1": of_pose["f1"], f"{name}_chance_f1": of_pose["chance_f1"]}
    return found


_OF_ALL_SEEDS = ("scenes", "one_person", "some_scenes")


class Keep:
    """Finished parts of a benchmark on disk: the same options compute them once."""

    def __init__(self, options: ContactOptions, *, people: int, seed: int) -> None:
        self.folder = options.keep
        count = len(options.seeds)
        asked = {
            key: str(-(-value // count) if key in _OF_ALL_SEEDS else value)
            for key, value in vars(options).items()
            if key not in ("keep", "charts", "json", "own", "methods", "people", "seeds", "seed")
        }
        self.asked = json.dumps([asked, people, seed], sort_keys=True)
        self.name = f"{people}-{seed}"

    def __call__(self, part: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a part that was kept with the same options, or make and keep it."""
        if self.folder is None:
            return make()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.name}-{part}.json"
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["asked"] == self.asked:
                return kept["found"]
        started = time.process_time()
        found = make()
        spent = time.process_time() - started
        with written_whole(path) as temporary:
            content = {"asked": self.asked, "cpu_s": spent, "found": found}
            temporary.write_text(json.dumps(content), encoding="utf-8")
        return found


COLUMNS = ("", "joint PA-MPJPE mm", "average PCC", "PCC at 0.05 m", "0.10 m", "0.15 m",
           "scenes", "fell back")  # fmt: skip
FIGURES = (
    "joint_pa_mpjpe_mm", "average_pcc", *(f"pcc_at_{RADII_M[i]:.2f}_m" for i in SHOWN_RADII),
    "scenes", "fallbacks",
)  # fmt: skip


def rows_of(result: dict[str, object], prefix: str) -> list[tuple[Any, ...]]:
    """Return a table: a line for each method."""
    end = ".joint_pa_mpjpe_mm"
    names = [key.removesuffix(end) for key in result if key.endswith(end)]
    mine = [name for name in names if name.startswith("one_person.") == bool(prefix)]
    return [
        (name.removeprefix(prefix), *(result[f"{name}.{figure}"] for figure in FIGURES))
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
        print_table("Two people", COLUMNS, rows_of(result, ""))
        print_table("One person", COLUMNS, rows_of(result, "one_person."))
    for chart in charts_of(result) if options.charts else ():
        assert options.charts is not None
        options.charts.mkdir(parents=True, exist_ok=True)
        (options.charts / chart.file).write_text(as_svg(chart, alone=True), encoding="utf-8")
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, ContactOptions)
