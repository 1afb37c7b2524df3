"""Pairs of poses worth comparing: much alike as a whole, yet different in enough small things.

For each second pose the most similar poses of the pool are found by the cosine of their features;
one of them that differs in at least ten low-level properties becomes the first pose. Properties
are counted on exact bands of the 77 elementary posecodes: with noise on the thresholds, or with
sets several times as large, nearly every pair would pass, a pose with itself too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int, Int8
from rich.progress import track

from data_builders.posecodes import keyed_random
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import ConfigError, FileError, PoseError
from unipose.files.atomic import written_whole
from unipose.posecodes.catalogue import measure

SPARE = 28
"""Neighbours fetched beyond those wanted, so that exact similarities decide who is among them."""
MEASURED_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class MiningConfig:
    """Which pairs pass, and which of them are taken."""

    neighbours: int = 100
    """A first pose is among this many most similar to the second."""
    least_differences: int = 10
    """Elementary posecodes in which the two poses fall into different bands."""
    similarity: tuple[float, float] = (-1.0, 1.0)
    """Bounds of the cosine; PoseFix keeps 0.7 to 0.9."""
    best: int = 3
    """The first pose is one of this many most similar ones that pass ..."""
    prefer_rare: bool = True
    """... the one that was a first pose least often; otherwise any of them."""
    both_ways: bool = False
    """Where the first pose needs a partner too, it gets the pair turned round."""
    sequence: Literal["any", "other", "same"] = "any"
    """Whether the poses must come from different recordings, or from one, the first earlier."""
    within_s: float = 0.5
    """With "same": how much earlier at most, seconds."""
    chunk: int = 1024
    """Second poses that are searched, and kept on disk, together."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("neighbours", "best", "chunk"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.similarity[0] > self.similarity[1]:
            raise ConfigError(f"no similarity lies between {self.similarity}")
        if self.both_ways and self.sequence == "same":
            raise ConfigError("a pair in time cannot be turned round: the first pose is earlier")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows of pairs by positions in the pool, in the order of the second poses asked for."""

    first: Int[np.ndarray, " pair"]
    second: Int[np.ndarray, " pair"]
    similarity: Float[np.ndarray, " pair"]
    differences: Int[np.ndarray, " pair"]
    unpaired: Int[np.ndarray, " pose"]
    """Second poses for which no first pose passed."""

    def statistics(self) -> dict[str, int | float]:
        """Return counts and the 5, 50 and 95 % points of differences and similarities."""
        found: dict[str, int | float] = {"pairs": len(self.first), "unpaired": len(self.unpaired)}
        found["distinct_first_poses"] = len(np.unique(self.first))
        for name, values in (("differences", self.differences), ("similarity", self.similarity)):
            if len(values):
                points = np.percentile(values, (5, 50, 95))
                found |= {f"{name}_p{p}": float(v) for p, v in zip((5, 50, 95), points)}
        return found


def low_level_properties(joints: Float[np.ndarray, "pose joint 3"]) -> Int8[np.ndarray, "pose 77"]:
    """Return the exact band of each elementary posecode (joints: metres, body frame)."""
    rows = [
        measure(joints[at : at + MEASURED_AT_ONCE]).bands
        for at in range(0, len(joints), MEASURED_AT_ONCE)
    ]
    return np.concatenate(rows).astype(np.int8)


def plain_features(joints: Float[np.ndarray, "pose joint 3"]) -> Float[np.ndarray, "pose feature"]:
    """Return features for the cosine where no retrieval model is at hand.

    Places of the first 22 joints relative to the pelvis and the directions of the bones, each
    without its mean over the pool and in units of its own spread.
    """
    if joints.ndim != 3 or joints.shape[1] < POSED_JOINTS or joints.shape[2] != 3:
        raise PoseError(f"expected joints (pose, 22 or more, 3), got {joints.shape}")
    places = np.asarray(joints[:, 1:POSED_JOINTS] - joints[:, :1], dtype=np.float32)
    parents = list(SMPL.parents[1:POSED_JOINTS])
    bones = np.asarray(joints[:, 1:POSED_JOINTS] - joints[:, parents], dtype=np.float32)
    bones /= np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-6)
    found = np.concatenate([places, bones], axis=1)
    found -= found.mean(axis=0)
    spread = np.sqrt((found**2).sum(axis=-1).mean(axis=0))
    found /= np.maximum(spread, 1e-3)[:, None]
    return found.reshape(len(found), -1)


def mine_pairs(
    features: Float[np.ndarray, "pose feature"],
    properties: Int8[np.ndarray, "_ property"],
    *,
    config: MiningConfig,
    seconds: Int[np.ndarray, " wanted"] | None = None,
    sequences: Int[np.ndarray, " _"] | None = None,
    times_s: Float[np.ndarray, " _"] | None = None,
    folder: Path | None = None,
    progress: bool = False,
) -> Pairs:
    """Return a first pose out of the pool for each of the poses `seconds` (default: all).

    `properties` as from `low_level_properties`; `sequences` (which recording a pose is from) and
    `times_s` are needed for the rules about recordings. The same arguments give the same pairs.
    With `folder` each searched chunk is kept there, and a later call with the same arguments goes
    on after the last one. Raises ConfigError for arrays that do not fit each other, PoseError for
    features that are not finite.
    """
    wanted = np.arange(len(features)) if seconds is None else np.asarray(seconds, dtype=np.int64)
    _check(features, properties, config, wanted, sequences, times_s)
    search = _Search(features, properties, config, sequences, times_s)
    kept = None if folder is None else _Folder(folder, search.digest(wanted))
    rows: list[_Row] = []
    starts = range(0, len(wanted), config.chunk)
    for start in track(starts, "mining pairs", disable=not progress, transient=True):
        chunk = wanted[start : start + config.chunk]
        found = None if kept is None else kept.read(start)
        if found is None:
            found = search.candidates(chunk)
            if kept is not None:
                kept.write(start, found)
        rows += _rows(found, len(chunk))
    return _choose(wanted, rows, config)


_Row = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of one second pose: the poses that pass, most similar first, similarities, differences."""


def _check(
    features: np.ndarray,
    properties: np.ndarray,
    config: MiningConfig,
    wanted: np.ndarray,
    sequences: np.ndarray | None,
    times_s: np.ndarray | None,
) -> None:
    if features.ndim != 2 or len(features) < 2:
        raise ConfigError(f"expected features (2 poses or more, feature), got {features.shape}")
    if not np.isfinite(features).all():
        raise PoseError("features hold NaN or infinite numbers")
    for name, rows in (("properties", properties), ("sequences", sequences), ("times_s", times_s)):
        if rows is not None and len(rows) != len(features):
            raise ConfigError(f"{len(features)} poses have features, but {len(rows)} {name}")
    if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(features):
        raise ConfigError(f"second poses must be 0 to {len(features) - 1}")
    if len(np.unique(wanted)) != len(wanted):
        raise ConfigError("a second pose is asked for twice")
    if config.sequence != "any" and sequences is None:
        raise ConfigError(
            f'sequence="{config.sequence}" needs to know which recording a pose is of'
        )
    if config.sequence == "same" and times_s is None:
        raise ConfigError('sequence="same" needs the time of each pose')


class _Search:
    """Finds, for a chunk of second poses, the first poses that pass."""

    def __init__(
        self,
        features: np.ndarray,
        properties: np.ndarray,
        config: MiningConfig,
        sequences: np.ndarray | None,
        times_s: np.ndarray | None,
    ) -> None:
        from faiss import IndexFlatIP  # slow to import, and only needed here

        units = np.array(features, dtype=np.float32, order="C")
        units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
        self.units, self.properties, self.config = units, properties, config
        self.sequences, self.times_s = sequences, times_s
        self.index = IndexFlatIP(units.shape[1])
        self.index.add(units)

    def digest(self, wanted: np.ndarray) -> str:
        """Return what a kept chunk must have been made from."""
        digest = hashlib.blake2b(json.dumps(asdict(self.config)).encode(), digest_size=16)
        for rows in (self.units, self.properties, wanted, self.sequences, self.times_s):
            digest.update(b"-" if rows is None else np.ascontiguousarray(rows).data)
        return digest.hexdigest()

    def candidates(self, second: np.ndarray) -> dict[str, np.ndarray]:
        """Return who passes for each second pose, one after the other, and how many those are."""
        size = min(self.config.neighbours + SPARE + 1, len(self.units))
        _, near = self.index.search(self.units[second], size)
        near = np.where(near < 0, second[:, None], near).astype(np.int64)  # faiss: -1 is nobody
        near.sort(axis=1)  # of equally similar ones the first in the pool comes first
        exact = np.empty(near.shape)
        for row, (pose, others) in enumerate(zip(second, near, strict=True)):
            exact[row] = (self.units[others].astype(np.float64) * self.units[pose]).sum(axis=1)
        exact[near == second[:, None]] = -np.inf
        exact = np.round(exact, 6)
        order = np.argsort(-exact, axis=1, kind="stable")[:, : self.config.neighbours]
        near = np.take_along_axis(near, order, axis=1)
        exact = np.take_along_axis(exact, order, axis=1)
        differ = self.properties[near] != self.properties[second][:, None]
        differences = differ.sum(axis=2, dtype=np.int16)
        passed = self._passed(second, near, exact, differences)
        return {
            "counts": passed.sum(axis=1),
            "first": near[passed].astype(np.int32),
            "similarity": exact[passed].astype(np.float32),
            "differences": differences[passed],
        }

    def _passed(
        self, second: np.ndarray, near: np.ndarray, exact: np.ndarray, differences: np.ndarray
    ) -> np.ndarray:
        low, high = self.config.similarity
        passed = (differences >= self.config.least_differences) & (low <= exact)
        passed &= (exact <= high) & np.isfinite(exact)
        if self.config.sequence != "any":
            assert self.sequences is not None
            same = self.sequences[near] == self.sequences[second][:, None]
            passed &= same if self.config.sequence == "same" else ~same
        if self.config.sequence == "same":
            assert self.times_s is not None
            earlier = self.times_s[second][:, None] - self.times_s[near]
            passed &= (earlier > 0) & (earlier < self.config.within_s)
        return passed


class _Folder:
    """Searched chunks on disk; a chunk of other arguments is not taken for this one's."""

    def __init__(self, folder: Path, digest: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.digest = folder, digest

    def _path(self, start: int) -> Path:
        return self.folder / f"{self.digest}-{start:09d}.npz"

    def read(self, start: int) -> dict[str, np.ndarray] | None:
        path = self._path(start)
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as kept:
                return {name: kept[name] for name in ("counts", *_COLUMNS)}
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise FileError(path, f"holds no candidates ({error}).", "Delete it.") from error

    def write(self, start: int, found: dict[str, np.ndarray]) -> None:
        with written_whole(self._path(start)) as temporary:
            np.savez(
                temporary,
                counts=found["counts"],
                first=found["first"],
                similarity=found["similarity"],
                differences=found["differences"],
            )


_COLUMNS = ("first", "similarity", "differences")


def _rows(found: dict[str, np.ndarray], count: int) -> Iterator[_Row]:
    ends = np.cumsum(found["counts"])
    assert len(ends) == count
    for end, size in zip(ends, found["counts"], strict=True):
        first, similarity, differences = (found[name][end - size : end] for name in _COLUMNS)
        yield first, similarity, differences


def _choose(wanted: np.ndarray, rows: list[_Row], config: MiningConfig) -> Pairs:
    """Return one pair for each second pose that has candidates, one second pose after the other.

    Rarely used first poses are preferred in a drawn order of the second poses, so that none of
    them is served first for its place in the pool.
    """
    chance = keyed_random.uniform(keyed_random.keys(config.seed, wanted), 2)
    place = {int(pose): row for row, pose in enumerate(wanted)}
    taken: dict[int, tuple[int, float, int]] = {}
    uses: dict[int, int] = {}
    for row in np.argsort(chance[:, 0], kind="stable").tolist():
        first, similarity, differences = rows[row]
        if row in taken or not len(first):
            continue
        best = [int(pose) for pose in first[: config.best]]
        turn = int(chance[row, 1] * len(best))
        order = [*range(turn, len(best)), *range(turn)]
        if config.prefer_rare:
            order.sort(key=lambda i: uses.get(best[i], 0))
        i = order[0]
        taken[row] = best[i], float(similarity[i]), int(differences[i])
        uses[best[i]] = uses.get(best[i], 0) + 1
        back = place.get(best[i])
        if config.both_ways and back is not None and back not in taken:
            taken[back] = int(wanted[row]), float(similarity[i]), int(differences[i])
            uses[int(wanted[row])] = uses.get(int(wanted[row]), 0) + 1
    paired = sorted(taken)
    return Pairs(
        first=np.array([taken[row][0] for row in paired], dtype=np.int64),
        second=wanted[paired],
        similarity=np.array([taken[row][1] for row in paired], dtype=np.float64),
        differences=np.array([taken[row][2] for row in paired], dtype=np.int64),
        unpaired=np.delete(wanted, paired),
    )
