"""Options of the contact benchmark, and what of it is kept on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.contact_data_sets import DataSet, DataSetFiles
from eval.program import ModelOptions
from unipose.body.body import Body
from unipose.contact.optimiser import CONTACT_CONFIGS, FALLBACK_CONFIGS, ContactConfig
from unipose.contact.refining import ContactRefiner
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole


@dataclass(frozen=True, kw_only=True)
class ContactOptions(ModelOptions):
    """Options of eval.contact."""

    data: Path = Path()
    """Folder with a manifest.csv and the recordings it names; not needed with --dataset."""
    dataset: DataSet | None = None
    """Measure on a public data set in place of the studio's scenes."""
    folder: Path = Path()
    """Where that data set lies."""
    body: Path | None = None
    """The body (SMPL, SMPL-X) that poses are posed on; without it the open body."""
    initial: Path | None = None
    """Folder of an estimator's first poses in that data set; without it our own estimator looks."""
    keypoints: Path | None = None
    """Folder of a detector's keypoints in that data set; without it our own detector looks."""
    corrupted: bool = False
    """First poses and keypoints in that data set are the truth with errors."""
    ask: str = ""
    """Ask this model too: MODEL@URL of an OpenAI-compatible address."""
    answers: Path | None = None
    """Refine by these answers too: a contacts.json with the scenes' keys."""
    scenes: int = 216
    """Of two people, over all seeds."""
    one_person: int = 24
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
        if self.dataset is None and self.data == Path():
            raise ConfigError("name the recordings with --data, or a data set with --dataset")
        if self.scenes < len(self.seeds) or self.one_person < len(self.seeds) or not self.seeds:
            raise ConfigError("at least one scene of each kind is needed for every seed")
        if not self.people or not {*self.people} <= {1, 2}:
            raise ConfigError(f"--people takes 2 and 1, got {self.people}")

    @property
    def files(self) -> DataSetFiles:
        """Return the data set that is asked for."""
        assert self.dataset is not None
        return DataSetFiles(
            name=self.dataset, folder=self.folder, split=self.split, initial=self.initial,
            keypoints=self.keypoints, corrupted=self.corrupted, severity=self.severity,
            limit=self.limit, seed=self.seed,
        )  # fmt: skip


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


_OF_ALL_SEEDS = ("scenes", "one_person", "some_scenes")
_ELSEWHERE = ("keep", "charts", "json", "own", "methods", "people", "seeds", "seed")
_OF_DATA_SETS = ("dataset", "folder", "initial", "keypoints", "corrupted")


class Keep:
    """Finished parts of a benchmark on disk: the same options compute them once."""

    def __init__(self, options: ContactOptions, *, people: int, seed: int) -> None:
        self.folder = options.keep
        count = len(options.seeds)
        asked = {
            key: str(-(-value // count) if key in _OF_ALL_SEEDS else value)
            for key, value in vars(options).items()
            if key not in (*_ELSEWHERE, "one_person" if people == 2 else "scenes")
            and (options.dataset or key not in _OF_DATA_SETS)
        }
        weights = repr((CONTACT_CONFIGS[people], FALLBACK_CONFIGS[people]))
        self.asked = json.dumps([asked, weights, people, seed], sort_keys=True)
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
