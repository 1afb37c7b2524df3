"""Solve the named poses and write the one file that the library ships.

    python -m data_builders.named_poses.build --out unipose/weights/named_poses.safetensors

An entry that has not changed since the file was written keeps its poses (`--again` solves all).
What does not hold is printed, and then nothing is written unless `--faulty` is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from jaxtyping import Float
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor

from data_builders.named_poses.entries import FOLDER, Entry, read_entries
from data_builders.named_poses.holding import faults
from data_builders.named_poses.solve import Solver, SolverConfig
from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole
from unipose.posecodes.named_poses import FORMAT, NAMED_POSES_FILE, NamedPoses

CONFIG = SolverConfig(variants=10)
KEPT, LEAST = 8, 4
"""Variants that are kept; how many of those tried have to hold."""


@dataclass(frozen=True, kw_only=True)
class NamedPosesConfig:
    """What is built."""

    entries: Path = FOLDER
    out: Path = NAMED_POSES_FILE
    again: bool = False
    """Solve every entry, also those that the file already has (after a change of the solver)."""
    faulty: bool = False
    """Write the file although something does not hold (to look at it)."""


def main(config: NamedPosesConfig) -> None:
    """Write the file, or say what does not hold."""
    entries = read_entries(config.entries)
    known = {} if config.again else _known(config.out)
    solver = NamedPoseSolver()
    others = {entry.mirrors: entry for entry in entries if entry.mirrors}
    solved, wrong = [], {}
    for entry in track([e for e in entries if not e.mirrors], "solving", transient=True):
        mark = fingerprint(entry)
        if mark not in known:
            known[mark], told = solver.poses(entry, others.get(entry.name))
            if told:
                wrong[entry.name] = told
                print(f"{entry.where} {entry.name}: {'; '.join(told)}")
        solved.append(known[mark])
    if wrong and not config.faulty:
        raise ConfigError(f"{len(wrong)} poses do not hold; mend the entries, or give --faulty")
    write(entries, torch.stack(solved), config.out, unsure=wrong)


class NamedPoseSolver:
    """Solves an entry and keeps what holds."""

    def __init__(self) -> None:
        self.solver = Solver(load_body(), CONFIG)

    def poses(
        self, entry: Entry, other_side: Entry | None = None
    ) -> tuple[Float[Tensor, "pose 22 6"], list[str]]:
        """Return centre and variants as they are stored, and the faults.

        What is kept also holds, mirrored, what the entry of the other side says.

        Faults are the centre's; of the variants only that too few of them hold. Only those that
        hold are kept; missing ones are repeated.
        """
        seed = int.from_bytes(hashlib.sha256(entry.name.encode()).digest()[:4], "big")
        sixd = rotations_to_6d(self.solver.solve(entry, seed=seed)).half()
        told = self._faults(entry, other_side, sixd[0])
        good: list[int] = []
        bad = ""
        for i in range(1, len(sixd)):
            if len(good) == KEPT:
                break
            if wrong := self._faults(entry, other_side, sixd[i]):
                bad = wrong[0]
            else:
                good.append(i)
        if len(good) < LEAST:
            told.append(f"only {len(good)} of {len(sixd) - 1} variants hold: {bad}")
        good = (good or [0]) * KEPT
        return sixd[[0, *good[:KEPT]]], told

    def _faults(
        self, entry: Entry, other_side: Entry | None, sixd: Float[Tensor, "22 6"]
    ) -> list[str]:
        rotations = rotations_from_6d(sixd.float())
        found = faults(entry, rotations, self.solver.body, self.solver.balls)
        if other_side is not None:
            mirrored = Pose.from_rotations(rotations[None]).mirrored().rotations[0, :POSED_JOINTS]
            found += faults(other_side, mirrored, self.solver.body, self.solver.balls)
        return found


def fingerprint(entry: Entry) -> str:
    """Return a short mark of all that an entry says of its poses."""
    bare = replace(entry, where="", family="", learned=(), tested=(), mirrored=True)
    return hashlib.sha256(repr(bare).encode()).hexdigest()[:12]


def write(
    entries: list[Entry],
    solved: Float[Tensor, "row pose 22 6"],
    out: Path,
    *,
    unsure: Collection[str] = (),
) -> None:
    """Write the entries and their poses; those whose name is in `unsure` are solved anew later."""
    rows = {entry.name: row for row, entry in enumerate(e for e in entries if not e.mirrors)}
    table = [
        {
            "name": entry.name,
            "family": entry.family,
            "row": rows[entry.mirrors or entry.name],
            "other_side": bool(entry.mirrors),
            "mirrored": entry.mirrored,
            "train": entry.learned,
            "test": entry.tested,
            "entry": "" if entry.name in unsure or entry.mirrors else fingerprint(entry),
        }
        for entry in entries
    ]
    metadata = {"format": FORMAT, "poses": json.dumps(table)}
    with written_whole(out) as temporary:
        save_file({"sixd": solved.half().contiguous()}, temporary, metadata)


def _known(out: Path) -> dict[str, Float[Tensor, "pose 22 6"]]:
    """Return the poses of an earlier file by their entry's mark."""
    if not out.is_file():
        return {}
    named = NamedPoses.load(out)
    return {one.entry: named.sixd[one.row] for one in named.poses_by_name.values() if one.entry}


if __name__ == "__main__":
    main(tyro.cli(NamedPosesConfig))
