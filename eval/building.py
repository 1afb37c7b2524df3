"""How fast and how true the data builders are: `python -m eval.building --data FOLDER --json`.

Work is measured in CPU-seconds of one process, so that what else the machine does counts little;
the two ways of sampling take turns in the same run. Truth is counted without noise on thresholds,
over recorded poses.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from data_builders.mocap import read_manifest
from data_builders.pair_mining import MiningConfig, low_level_properties, mine_pairs, plain_features
from data_builders.posecodes.captions import (
    CaptionOptions,
    write_captions_with_codes,
    write_three_captions,
)
from data_builders.posecodes.modifiers import write_modifiers_with_codes, write_three_modifiers
from data_builders.selection import choose_farthest
from data_builders.studio import Motions, Studio, StudioConfig
from eval.interrupted_build import resumed_equal
from eval.program import EvalOptions, print_result, print_table, run, select, track
from unipose.body.body import load_body
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.posecodes.changes import MeasuredPair
from unipose.posecodes.head import head_angles
from unipose.posecodes.joints import whole_turns
from unipose.posecodes.measure import Measured
from unipose.posecodes.reader import read, read_change_text

Part = Literal["words", "choice", "pairs", "studio", "truth", "resume"]
PARTS: tuple[Part, ...] = ("words", "choice", "pairs", "studio", "truth", "resume")
STOPWATCH = Path(__file__).with_name("stopwatch.py")
ALL_EXTRAS = CaptionOptions(
    extras=frozenset({"lying", "lean", "head"}), eligible="statistics", idle="mined", pronouns=True
)


@dataclass(frozen=True, kw_only=True)
class BuildingOptions(EvalOptions):
    """Options of eval.building."""

    split: str = "all"
    parts: tuple[Part, ...] = PARTS
    """What is measured."""
    poses: int = 20_000
    """Recorded poses that are chosen from and spoken of."""
    pool: int = 52_000
    """Poses that pairs are mined among."""
    picks: int = 1_000
    texts: int = 2_000
    """Poses that are described to take the time of it."""
    pictures: int = 400
    """Pictures of the studio that are timed."""
    built: int = 120
    """Pictures of the build that is killed and goes on."""
    repeats: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.poses, self.pool, self.picks, self.texts, self.pictures, self.built) < 2:
            raise ConfigError("every number must be at least 2")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """Recorded poses: local rotations with the root as recorded, and joints facing the front."""

    rotations: Float[np.ndarray, "pose 22 3 3"]
    joints: Float[np.ndarray, "pose 22 3"]


def main(options: BuildingOptions) -> None:
    """Measure the data builders."""
    torch.set_num_threads(1)
    result: dict[str, int | float | bool] = {}
    need = max(options.poses, options.pool if "pairs" in options.parts else 0)
    recorded = _recorded(options, need) if set(options.parts) - {"studio", "resume"} else None
    if recorded is not None:
        poses = _some(recorded, options.poses)
        if "words" in options.parts:
            result |= time_words(poses.joints[: options.texts], repeats=options.repeats)
        if "choice" in options.parts:
            result |= time_choice(poses.joints, options.picks, repeats=options.repeats)
        if "pairs" in options.parts:
            alone = options.parts == ("pairs",)
            result |= time_pairs(recorded.joints) if alone else _in_own_process(options)
        if "truth" in options.parts:
            result |= count_contradictions(poses)
    if "studio" in options.parts:
        result |= time_studio(options)
    if "resume" in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            result |= resumed_equal(options.data, Path(folder), pictures=options.built)
    if not options.json:
        print_table("Data builders", ("figure", "value"), list(result.items()))
    print_result(dict(result), as_json=options.json)


def time_words(
    joints: Float[np.ndarray, "pose 22 3"], *, repeats: int
) -> dict[str, int | float | bool]:
    """Return captions and modifiers per CPU-second, of the full kind; medians."""
    count = len(joints)
    later = np.roll(joints, -4, axis=0)
    return {
        "captions_per_cpu_s": count
        / _cpu_s(
            lambda: write_captions_with_codes(joints, seed=1, indices=range(count), style="full"),
            repeats,
        ),
        "plain_captions_per_cpu_s": count
        / _cpu_s(
            lambda: write_captions_with_codes(joints, seed=1, indices=range(count), style="plain"),
            repeats,
        ),
        "modifiers_per_cpu_s": count
        / _cpu_s(
            lambda: write_modifiers_with_codes(
                joints, later, seed=1, indices=range(count), style="full"
            ),
            repeats,
        ),
    }


def time_choice(
    joints: Float[np.ndarray, "pose 22 3"], picks: int, *, repeats: int
) -> dict[str, int | float | bool]:
    """Return how much faster the pruned sampling is than the plain loop, and if it picks the same.

    Both on one thread, in turns. The plain loop is timed in float32, as the field runs it; the
    picks are compared with its float64 twin, because rounding decides between near equals.
    """
    choose_farthest(joints[:100], 10, start=0)  # compiles
    ours, plain = [], []
    single = torch.from_numpy(joints).float()
    chosen = np.empty(0)
    for _ in range(repeats):
        begin = time.process_time()
        chosen = choose_farthest(joints, picks, start=0).picks
        between = time.process_time()
        plain_choice(single, picks)
        ours.append(between - begin)
        plain.append(time.process_time() - between)
    same = bool(np.array_equal(chosen, plain_choice(torch.from_numpy(joints).double(), picks)))
    return {
        "fps_speedup": statistics.median(p / o for p, o in zip(plain, ours, strict=True)),
        "fps_s": statistics.median(ours),
        "fps_plain_s": statistics.median(plain),
        "fps_same_picks": same,
    }


def plain_choice(joints: Float[torch.Tensor, "pose 22 3"], picks: int) -> np.ndarray:
    """Return the picks of farthest point sampling as it is usually written, from pose 0 on."""
    places = joints - joints[:, :1]
    nearest = torch.full((len(places),), torch.inf, dtype=places.dtype)
    chosen = [0]
    for _ in range(picks - 1):
        distance = (places - places[chosen[-1]]).norm(dim=-1).mean(dim=-1)
        nearest = torch.minimum(nearest, distance)
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def time_pairs(joints: Float[np.ndarray, "pose 22 3"]) -> dict[str, int | float | bool]:
    """Return seconds, from joints to pairs, and how many were found."""
    start, work = time.perf_counter(), time.process_time()
    pairs = mine_pairs(
        plain_features(joints), low_level_properties(joints), config=MiningConfig(seed=1)
    )
    return {
        "pairs_s": time.perf_counter() - start,
        "pairs_cpu_s": time.process_time() - work,
        "pairs": len(pairs.first),
        "pairs_pool": len(joints),
        "pairs_own_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def _in_own_process(options: BuildingOptions) -> dict[str, int | float | bool]:
    """Return the figures of pair mining in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "eval.building", "--data", str(options.data), "--json"]
    command += ["--parts", "pairs", "--pool", str(options.pool), "--seed", str(options.seed)]
    command += ["--split", options.split, "--poses", "2"]
    watched = subprocess.run(  # noqa: S603
        [sys.executable, "-I", str(STOPWATCH), *command],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(watched.stdout)
    if found["status"]:
        raise ConfigError(f"{' '.join(command)} failed: {watched.stderr.strip()[-300:]}")
    figures = json.loads(found["output"].strip().splitlines()[-1])
    del figures["pairs_own_peak_mb"]
    return figures | {"pairs_peak_mb": found["peak_mb"]}


def time_studio(options: BuildingOptions) -> dict[str, int | float | bool]:
    """Return pictures with all labels per CPU-second, at 256 x 256, one process; the median block.

    As the studio takes them by default, and with one person a picture.
    """
    motions = Motions.read(options.data, "train")
    found: dict[str, int | float | bool] = {}
    for name, config in (
        ("studio_images_per_s", StudioConfig(seed=options.seed)),
        ("studio_single_images_per_s", StudioConfig(seed=options.seed, people=(1.0,))),
    ):
        studio = Studio(config, motions, load_body())
        for i in range(10):
            studio.sample(1_000_000 + i)
        size = max(2, options.pictures // 8)
        rates = []
        for block in track(range(8), "taking pictures"):
            start = time.process_time()
            for i in range(size):
                studio.sample(block * size + i)
            rates.append(size / (time.process_time() - start))
        found[name] = statistics.median(rates)
    return found


def count_contradictions(poses: Recorded) -> dict[str, int | float | bool]:
    """Return how many statements of captions and changes of modifiers are false or unread.

    Each text is read back; what it states is measured exactly, without noise on thresholds.
    """
    count = len(poses.joints)
    measured = Measured(poses.joints, head=head_angles(poses.rotations))
    statements = false = 0
    rows = write_three_captions(measured, seed=1, indices=range(count), options=ALL_EXTRAS)
    known: dict[object, np.ndarray] = {}
    for i, three in track(list(enumerate(rows)), "reading captions"):
        for text, codes in three:
            reading = read(text)
            false += len(reading.unread) + len(codes ^ set(reading.statements))
            for said in reading.statements:
                holds = known.get(said)
                if holds is None:
                    holds = known[said] = measured.holds(said.recipes)
                statements, false = statements + 1, false + (not holds[i])
    later = np.minimum(np.arange(count) + 4, count - 1)
    turns = whole_turns(poses.rotations[:, 0], poses.rotations[later, 0])
    pair = MeasuredPair(poses.joints, poses.joints[later], turns=turns)
    asked = wrong = 0
    pairs = write_three_modifiers(
        poses.joints, poses.joints[later], seed=2, indices=range(count), turns=turns
    )
    for i, three in track(list(enumerate(pairs)), "reading modifiers"):
        for text, changes in three:
            reading = read_change_text(text)
            wrong += len(reading.unread) + len(changes ^ set(reading.changes))
            for change in reading.changes:
                holds = known.get(change)
                if holds is None:
                    holds = known[change] = pair.holds(change)
                asked, wrong = asked + 1, wrong + (not holds[i])
    return {
        "contradictions": int(false + wrong),
        "statements": statements,
        "changes": asked,
        "poses": count,
    }


def _some(recorded: Recorded, count: int) -> Recorded:
    """Return so many of the poses, evenly spread."""
    rows = np.linspace(0, len(recorded.joints) - 1, count).round().astype(int)
    return Recorded(rotations=recorded.rotations[rows], joints=recorded.joints[rows])


def _recorded(options: BuildingOptions, count: int) -> Recorded:
    """Return `count` recorded poses, drawn from all recordings. Raises ConfigError for too few."""
    recordings = select(read_manifest(options.data), options)
    rows = [
        recording.open(fps=12.0 if count <= options.poses else 30.0).rotations[:, :POSED_JOINTS]
        for recording in track(recordings, "reading recordings")
    ]
    rotations = torch.cat(rows).float()
    chosen = np.random.default_rng(options.seed).permutation(len(rotations))[:count]
    if len(chosen) < count:
        raise ConfigError(f"{options.data} has {len(chosen)} poses, {count} are needed")
    rotations = rotations[np.sort(chosen)]
    joints = forward_kinematics(face_front(rotations), load_body().rest_joints)
    return Recorded(rotations=rotations.numpy(), joints=joints.double().numpy())


def _cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU-seconds of a call, after one that fills the tables."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    run(main, BuildingOptions)
