"""Farthest point sampling: the poses of a pool that differ most, in the order of their picking.

Each pick is the pose farthest from all picks before it, in mean distance per joint. That distance
is a metric, so a new pick q cannot be nearer to a pose p than p's nearest pick c if d(q, c) is at
least twice d(p, c): such poses need no look, and the picks stay those of the plain loop.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int
from rich.progress import Progress

from unipose.errors import ConfigError, FileError, PoseError
from unipose.files.atomic import written_whole

PICKS_PER_CALL = 64
"""Picks between two looks at the progress bar."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Poses of a pool by their positions in it, most different first."""

    picks: Int[np.ndarray, " pick"]
    distances: Float[np.ndarray, " pick"]
    """Metres from each pick to the nearest pick before it; infinite for the first."""


def choose_farthest(
    joints: Float[np.ndarray, "pose joint 3"],
    count: int,
    *,
    seed: int = 0,
    start: int | None = None,
    save: Path | None = None,
    save_every: int = 1000,
    progress: bool = False,
) -> Selection:
    """Return `count` poses of a pool, each the farthest from those before it.

    `joints`: metres, places are taken relative to the first joint. The distance is the mean over
    joints; of equally far poses the first one is taken. The first pick is `start`, or drawn with
    `seed`. Where only copies of picks are left, fewer than `count` are returned.

    With `save` the state is kept in that .npz file every `save_every` picks, and a later call goes
    on from it (for more picks too). Raises PoseError for joints that are no poses, ConfigError for
    a count or start outside the pool, FileError if `save` belongs to another pool or start.
    """
    places = _relative_places(joints)
    if not 1 <= count <= len(places):
        raise ConfigError(f"asked for {count} of {len(places)} poses")
    first = int(np.random.default_rng(seed).integers(len(places))) if start is None else start
    if not 0 <= first < len(places):
        raise ConfigError(f"the first pick is pose {first}, but there are {len(places)} poses")
    state = (
        _SelectionState.begin(places, first)
        if save is None
        else _SelectionState.open(save, places, first)
    )
    state.grow(count)
    saved = state.done
    with Progress(disable=not progress, transient=True) as bar:
        task = bar.add_task("choosing poses", total=count, completed=min(state.done, count))
        while state.done < count and not state.exhausted:
            state.extend(places, min(state.done + PICKS_PER_CALL, count))
            bar.update(task, completed=state.done)
            if save is not None and state.done - saved >= save_every:
                state.write(save)
                saved = state.done
    if save is not None and state.done > saved:
        state.write(save)
    kept = min(state.done, count)
    return Selection(state.picks[:kept].copy(), state.distances[:kept].copy())


def _relative_places(joints: Float[np.ndarray, "pose joint 3"]) -> Float[np.ndarray, "pose row"]:
    """Return the places relative to the first joint: x of all joints, then y, then z."""
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[2] != 3 or 0 in joints.shape:
        raise PoseError(f"expected joints (pose, joint, 3), got {joints.shape}")
    if not np.isfinite(joints).all():
        broken = int(np.flatnonzero(~np.isfinite(joints).all(axis=(1, 2)))[0])
        raise PoseError(f"pose {broken} has joints that are NaN or infinite")
    relative = joints - joints[:, :1]
    return np.ascontiguousarray(relative.transpose(0, 2, 1)).reshape(len(joints), -1)


@dataclass(eq=False)
class _SelectionState:
    """All that is needed to go on picking."""

    pool: str
    """Digest of the places and the first pick."""
    picks: np.ndarray
    distances: np.ndarray
    nearest: np.ndarray
    """Per pose: metres to its nearest pick."""
    owner: np.ndarray
    """Per pose: which pick that is, as a position in `picks`."""
    done: int = 0
    exhausted: bool = False

    @classmethod
    def begin(cls, places: np.ndarray, first: int) -> _SelectionState:
        digest = hashlib.blake2b(places.data, digest_size=16, salt=first.to_bytes(8, "little"))
        return cls(
            pool=digest.hexdigest(),
            picks=np.array([first], dtype=np.int64),
            distances=np.array([np.inf]),
            nearest=np.full(len(places), np.inf),
            owner=np.zeros(len(places), dtype=np.int32),
        )

    @classmethod
    def open(cls, path: Path, places: np.ndarray, first: int) -> _SelectionState:
        """Return the state kept in a file, or a new one if there is no file."""
        state = cls.begin(places, first)
        if not path.is_file():
            return state
        try:
            with np.load(path, allow_pickle=False) as kept:
                rows = {name: kept[name] for name in ("picks", "distances", "nearest", "owner")}
                pool = str(kept["pool"])
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise FileError(path, f"holds no selection ({error}).", "Delete it.") from error
        if pool != state.pool:
            raise FileError(
                path, "is a selection from other poses or another start.", "Name another file."
            )
        return cls(pool=pool, done=len(rows["picks"]), **rows)

    def write(self, path: Path) -> None:
        with written_whole(path) as temporary:
            np.savez(
                temporary,
                pool=self.pool,
                picks=self.picks[: self.done],
                distances=self.distances[: self.done],
                nearest=self.nearest,
                owner=self.owner,
            )

    def grow(self, count: int) -> None:
        """Make room for `count` picks."""
        more = max(count - len(self.picks), 0)
        self.picks = np.concatenate([self.picks, np.zeros(more, dtype=np.int64)])
        self.distances = np.concatenate([self.distances, np.zeros(more)])

    def extend(self, places: np.ndarray, until: int) -> None:
        """Pick until there are `until` picks, or only copies of picks are left."""
        self.done = _compiled()(
            places, self.nearest, self.owner, self.picks, self.distances, self.done, until
        )
        self.exhausted = self.done < until


def _extend(
    places: np.ndarray,
    nearest: np.ndarray,
    owner: np.ndarray,
    picks: np.ndarray,
    distances: np.ndarray,
    done: int,
    until: int,
) -> int:
    """Add picks[done:until] and return how many picks there are then (compiled by numba)."""
    poses, joints = places.shape[0], places.shape[1] // 3
    gaps = np.zeros(until)  # from the new pick to each earlier one
    lengths = np.empty(joints)
    farthest = np.argmax(nearest)
    for k in range(done, until):
        if k > 0:
            if nearest[farthest] == 0.0:
                return k
            picks[k], distances[k] = farthest, nearest[farthest]
        new = places[picks[k]]
        for i in range(k + poses):
            row = places[picks[i]] if i < k else places[i - k]
            limit = np.inf
            if i >= k:
                p = i - k
                # the slack covers rounding: what is left out here cannot be nearer
                if gaps[owner[p]] > nearest[p] * (2.0 + 1e-9):
                    continue
                limit = nearest[p]
            for j in range(joints):
                x = new[j] - row[j]
                y = new[joints + j] - row[joints + j]
                z = new[2 * joints + j] - row[2 * joints + j]
                lengths[j] = np.sqrt(x * x + y * y + z * z)
            total = 0.0
            for j in range(joints):
                total += lengths[j]
            distance = total / joints
            if i < k:
                gaps[i] = distance
            elif distance < limit:
                nearest[i - k] = distance
                owner[i - k] = k
        gaps[k] = 0.0
        farthest = np.argmax(nearest)
    return until


@cache
def _compiled() -> Callable[..., int]:
    """Return the compiled `_extend`: a few seconds the first time, then read from disk."""
    from numba import njit

    signature = (
        "int64(float64[:, ::1], float64[::1], int32[::1], int64[::1], float64[::1], int64, int64)"
    )
    plain = inspect.unwrap(_extend)  # the tests' shape checks wrap every function
    return njit(signature, cache=True, nogil=True)(plain)
