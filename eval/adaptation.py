"""Does a network adapt to a film, and does the action's name help? The paper's ablation, in order.

Films of held-out recordings in the studio (`eval.adaptation_films`): a third whole, a third cut
off, a third covered, with noisy 2D keypoints of which many are missing. A network that has seen
little (`eval.narrow_network`) is adapted to each film anew, with each seed's noise. Labels are the
recordings' own, written as entries of the motion dictionary. Figures are means over films, and
their spread over seeds: millimetres over SMPL's first 22 joints (every tenth vertex for MPVPE),
pelvis on pelvis, as the crop's viewer sees them; m/s2 for the acceleration error.

The videos of public data sets are measured by `eval.adaptation_videos`.
Run as `python -m eval.adaptation --data FOLDER`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, pstdev
from time import process_time

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from data_builders.studio import Motions
from eval.adaptation_cost import overhead
from eval.adaptation_films import HARD, BenchmarkFilm, Keypoint2DNoise, shoot_all
from eval.narrow_network import HEAD, look_at_pictures, teach_head
from eval.program import EvalOptions, print_result, print_table, run, track
from unipose.adaptation.adapter import MODES, Adapter, AdapterConfig, PersonFilm
from unipose.adaptation.calibration import threshold_of
from unipose.adaptation.default_models import embedded_network, load_denoiser, load_space
from unipose.adaptation.networks import FilmNetwork
from unipose.adaptation.segments import cut_film
from unipose.body.body import Body, load_body
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.metrics import acceleration_error, mpjpe, mpvpe, pa_mpjpe, root_aligned
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery import MeshRecoveryNetwork
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes

FILM_SEEDS = 9_000_000
"""Seeds of the studio from here on are those of this benchmark."""
EVERY_VERTEX = 10
FIGURES = ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm", "accel_error")
ORDER = ("none", *MODES)
SMALL_HEAD = AdapterConfig(passes=3, rate=1e-4, denoiser_rate=1e-4, alignment_weight=0.3)
"""For a small head over features that stay: chosen on validation (docs/log.md)."""


@dataclass(frozen=True, kw_only=True)
class AdaptationOptions(EvalOptions):
    """Options of eval.adaptation."""

    films: int = 21
    frames: int = 60
    """Of a film, at 30 per second; shorter recordings give shorter films."""
    seeds: int = 3
    """Of the keypoints' noise and of the order of learning."""
    modes: tuple[str, ...] = ORDER
    wrong_labels: bool = True
    """Also adapt with the label of another action."""
    adapter: AdapterConfig = field(default_factory=lambda: SMALL_HEAD)
    noise: Keypoint2DNoise = field(default_factory=Keypoint2DNoise)
    pictures: int = 250
    """That the narrow head learns from."""
    head_steps: int = 300
    space: Path | None = None
    """Folder of a motion-text model; without it the embedded one."""
    denoiser: Path | None = None
    cache: Path = Path("runs/eval_adaptation")
    """Films, the head and finished results; a run that was stopped goes on."""
    workers: int = 1
    """Processes that adapt; each has a thread."""
    timing: bool = True
    """Also measure what our terms cost beside a ResNet-50."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [mode for mode in self.modes if mode not in ORDER]
        if unknown:
            raise ConfigError(f"there is no mode {unknown[0]!r}, only {', '.join(ORDER)}")
        if min(self.films, self.seeds) < 1 or self.frames < 3:
            raise ConfigError("at least one film of three frames and one seed are needed")


def film_errors(found: RecoveredMeshes, film: BenchmarkFilm, body: Body) -> dict[str, float]:
    """Return the errors of a film, means over its frames."""
    betas = film.betas.expand(len(found), -1)
    said = torch.cat([LEVEL @ found.rotations[:, :1], found.rotations[:, 1:]], dim=1)
    joints = [
        root_aligned(body.joints(rotations, shape))[:, :POSED_JOINTS]
        for rotations, shape in ((said, found.betas), (film.rotations, betas))
    ]
    chosen = torch.arange(0, len(body.template), EVERY_VERTEX)
    vertices = []
    for rotations in (said, film.rotations):
        mesh = body.some_vertices(rotations, chosen)
        vertices.append(mesh.vertices - mesh.joints[:, :1])
    return {
        "mpjpe_mm": 1000 * float(mpjpe(*joints).mean()),
        "pa_mpjpe_mm": 1000 * float(pa_mpjpe(*joints).mean()),
        "mpvpe_mm": 1000 * float(mpvpe(*vertices).mean()),
        "accel_error": float(acceleration_error(*joints, fps=film.fps).mean()),
    }


def as_person(
    film: BenchmarkFilm,
    noise: Keypoint2DNoise,
    *,
    label: str,
    seed: int,
    features: Tensor | None = None,
) -> PersonFilm:
    """Return a film as the adapter takes it."""
    segments = [replace(one, label=label) for one in cut_film(len(film.pixels), fps=film.fps)]
    return PersonFilm(
        pixels=film.pixels,
        crops=film.crops,
        keypoints=film.keypoints(noise, seed=seed),
        fps=film.fps,
        segments=segments,
        features=features,
    )


def narrow_network(options: AdaptationOptions, body: Body) -> MeshRecoveryNetwork:
    """Return the network that has seen little: from the cache, or taught now."""
    what = f"{options.pictures}-{options.head_steps}"
    folder = options.cache / f"narrow-{what}"
    if not (folder / "model.safetensors").is_file():
        network = embedded_network(HEAD)
        motions = Motions.read(options.data, "train", fps=30.0)
        pairs = look_at_pictures(
            network, motions, body, pictures=options.pictures, seed=FILM_SEEDS + 100_000
        )
        teach_head(network, pairs, body, steps=options.head_steps, seed=0)
        network.save_pretrained(folder)
    return MeshRecoveryNetwork.from_pretrained(folder)


def benchmark_films(options: AdaptationOptions, body: Body, side_px: int) -> list[BenchmarkFilm]:
    """Return the films of the split, kept in the cache."""
    name = f"films-{options.split}-{options.films}-{options.frames}-{options.seed}"
    path = options.cache / f"{name}.safetensors"
    words = path.with_suffix(".json")
    if not (path.is_file() and words.is_file()):
        split = "" if options.split == "all" else options.split
        films = shoot_all(
            Motions.read(options.data, split, fps=30.0, only=options.only), body,
            count=options.films, frames=options.frames, seed=FILM_SEEDS + options.seed,
            side_px=side_px,
        )  # fmt: skip
        tensors = {f"{i}.{n}": t.contiguous() for i, one in enumerate(films)
                   for n, t in _tensors(one).items()}  # fmt: skip
        save_file(tensors, path)
        words.write_text(json.dumps([{n: getattr(one, n) for n in WORDS} for one in films]))
    kept = load_file(path)
    films = []
    for i, row in enumerate(json.loads(words.read_text())):
        own = {n.partition(".")[2]: t for n, t in kept.items() if n.partition(".")[0] == str(i)}
        crops = Crops(centre=own.pop("centre"), side=own.pop("side"))
        films.append(BenchmarkFilm(crops=crops, **own, **row))
    return films


WORDS = ("key", "part", "name", "label", "fps")


def _tensors(film: BenchmarkFilm) -> dict[str, Tensor]:
    own = {n: value for n, value in vars(film).items() if isinstance(value, Tensor)}
    return own | {"centre": film.crops.centre, "side": film.crops.side}


def wrong_label(films: Sequence[BenchmarkFilm], number: int) -> str:
    """Return the label of the next film whose action is another one."""
    own = films[number].label
    others = [film.label for film in (*films[number:], *films[:number]) if film.label != own]
    if not others:
        raise ConfigError("all films have one label, so there is no wrong one")
    return others[0]


class Results:
    """Finished adaptations, one line each, so that a stopped run goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[tuple[int, int, str], dict[str, float]] = {}
        if path.is_file():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.rows[row.pop("film"), row.pop("seed"), row.pop("mode")] = row

    def add(self, film: int, seed: int, mode: str, row: dict[str, float]) -> None:
        """Keep a result at once."""
        self.rows[film, seed, mode] = row
        with self.path.open("a") as file:
            file.write(json.dumps({"film": film, "seed": seed, "mode": mode, **row}) + "\n")
            file.flush()


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptationBench:
    """Everything that adaptations of the benchmark share."""

    films: list[BenchmarkFilm]
    adapter: Adapter
    body: Body
    results: Results
    wanted: list[str]

    @classmethod
    def of(cls, options: AdaptationOptions) -> AdaptationBench:
        """Return what the options ask for; films and network are made if the cache lacks them."""
        options.cache.mkdir(parents=True, exist_ok=True)
        body = load_body()
        network = narrow_network(options, body)
        space, dictionary = load_space(options.space)
        settings = {
            "adapter": asdict(options.adapter), "noise": asdict(options.noise),
            "films": [options.split, options.films, options.frames, options.seed],
            "narrow": [options.pictures, options.head_steps],
            "space": str(options.space), "denoiser": str(options.denoiser),
        }  # fmt: skip
        mark = hashlib.blake2b(json.dumps(settings).encode(), digest_size=6).hexdigest()
        (options.cache / f"settings-{mark}.json").write_text(json.dumps(settings, indent=2))
        return cls(
            films=benchmark_films(options, body, network.image_px),
            adapter=Adapter(
                network, body, load_denoiser(options.denoiser), space=space, dictionary=dictionary
            ),
            body=body,
            results=Results(options.cache / f"results-{mark}.jsonl"),
            wanted=[*options.modes, *(["wrong"] if options.wrong_labels else [])],
        )  # fmt: skip


def measure(options: AdaptationOptions) -> dict[str, object]:
    """Return the figures of all modes; those that are there already are not computed again."""
    bench = AdaptationBench.of(options)
    numbers = range(len(bench.films))
    if options.workers > 1:
        _share_out(bench, options)
        bench = replace(bench, results=Results(bench.results.path))
    else:
        for number in track(numbers, "adapting"):
            _adapt_to(bench, number, options)
    result = summary(bench.results, bench.films, bench.wanted, seeds=options.seeds)
    if options.timing:
        result |= overhead(bench.adapter, bench.body)
    assert bench.adapter.dictionary is not None
    return result | {
        "films": len(bench.films), "frames": sum(len(film.pixels) for film in bench.films),
        "seeds": options.seeds, "split": options.split, "keypoints": "detected (simulated noise)",
        "labels": "of the recordings, as entries of the dictionary",
        "fill_threshold": bench.adapter.dictionary.fill_threshold,
    }  # fmt: skip


def _share_out(bench: AdaptationBench, options: AdaptationOptions) -> None:
    """Adapt to all films in processes that are forked off, each with its share of them.

    Raises ConfigError if one of them failed; what was finished is kept.
    """
    torch.set_num_threads(1)
    workers = [
        get_context("fork").Process(
            target=_adapt_to_some,
            args=(bench, range(i, len(bench.films), options.workers), options),
        )
        for i in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    for worker in track(workers, "adapting"):
        worker.join()
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed:
        raise ConfigError(f"{len(failed)} of {len(workers)} workers failed; start again to go on")


def _adapt_to_some(
    bench: AdaptationBench, numbers: Sequence[int], options: AdaptationOptions
) -> None:
    for number in numbers:
        _adapt_to(bench, number, options)


def _adapt_to(bench: AdaptationBench, number: int, options: AdaptationOptions) -> None:
    """Adapt to one film in all modes and with all seeds that are missing."""
    films, adapter, body, results = bench.films, bench.adapter, bench.body, bench.results
    film = films[number]
    missing = [
        (seed, mode)
        for seed in range(options.seeds)
        for mode in bench.wanted
        if (number, seed, mode) not in results.rows
    ]
    if not missing:
        return
    seen = FilmNetwork(adapter.network, film.pixels)
    plain = film_errors(seen.all_frames(), film, body)
    for seed, mode in missing:
        if mode == "none":
            results.add(number, seed, mode, plain | {"ms_per_frame": 0.0})
            continue
        adapter.config = replace(options.adapter, seed=seed)
        label = wrong_label(films, number) if mode == "wrong" else film.label
        person = as_person(
            film, options.noise, label=label, seed=1000 * number + seed, features=seen.features
        )
        start = process_time()
        adapted = adapter.adapt(person, MODES["fill_in" if mode == "wrong" else mode])
        took_ms = 1000 * (process_time() - start) / len(film.pixels)
        row = film_errors(adapted.after, film, body) | {"ms_per_frame": took_ms}
        if len(adapted.cosines):
            row["cosine"] = float(adapted.cosines[-1].mean())
        row["filled"] = float(adapted.labels.filled.float().mean())
        results.add(number, seed, mode, row)


def summary(
    results: Results, films: Sequence[BenchmarkFilm], modes: Sequence[str], *, seeds: int
) -> dict[str, object]:
    """Return means over films, with their spread over seeds, for all films and the hard ones."""
    found: dict[str, object] = {}
    hard = [i for i, film in enumerate(films) if film.part in HARD]
    groups = {"": list(range(len(films))), "hard_": hard} | {
        f"{part.replace(' ', '_')}_": [i for i, film in enumerate(films) if film.part == part]
        for part in sorted({film.part for film in films})
    }
    for mode in modes:
        for group, members in groups.items():
            if not members:
                continue
            for figure in FIGURES:
                each = [
                    fmean(results.rows[i, seed, mode][figure] for i in members)
                    for seed in range(seeds)
                ]
                if mode == "wrong":
                    found[f"wrong_label_{group}{figure}"] = fmean(each)
                    continue
                found[f"{mode}.{group}{figure}"] = fmean(each)
                if not group or group == "hard_":
                    found[f"{mode}.{group}{figure}_std"] = pstdev(each)
        if mode not in ("none", "wrong"):
            every = [results.rows[i, s, mode] for i in range(len(films)) for s in range(seeds)]
            found[f"{mode}.ms_per_frame"] = fmean(row["ms_per_frame"] for row in every)
            found[f"{mode}.filled_share"] = fmean(row["filled"] for row in every)
    reached = [row["cosine"] for (_, _, mode), row in results.rows.items() if mode == "ema"]
    if reached:  # what the dictionary's threshold should be, if these are validation's films
        found["calibrated_fill_threshold"] = threshold_of(torch.tensor(reached))
    if {"cycleadapt", "fill_in"} <= set(modes) and hard:
        base, ours = (float(str(found[f"{m}.hard_pa_mpjpe_mm"])) for m in ("cycleadapt", "fill_in"))
        found["hard_pa_gain"] = (base - ours) / base
    return found


def main(options: AdaptationOptions) -> None:
    """Measure how much a network gains by adapting to films, with and without labels."""
    result = measure(options)
    if not options.json:
        rows = [
            (mode, *(float(str(result[f"{mode}.{figure}"])) for figure in FIGURES),
             float(str(result[f"{mode}.hard_pa_mpjpe_mm"])))
            for mode in options.modes
        ]  # fmt: skip
        print_table(
            f"Adaptation to {result['films']} films x {result['seeds']} seeds, "
            f"split {options.split!r}; mm",
            ["", "MPJPE", "PA-MPJPE", "MPVPE", "accel. m/s2", "PA, cut off or covered"],
            rows,
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, AdaptationOptions)
