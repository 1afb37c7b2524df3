"""Step 2: which pictures are taken: farthest point sampling among each group's candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from data_builders.imagescript.candidates import SCHEMA
from data_builders.imagescript.plan import PictureGroup, Plan
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.tables import numbers_of, read_rows, write_rows
from data_builders.selection import choose_farthest
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import EmptySourceError


class Choose(BuildStep):
    """Write each group's pictures in the order of choice, those that stand in included."""

    name = "Farthest points"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`: one group."""
        group = plan.groups[task]
        pool = Pool(plan, group)
        chosen = choose_farthest(
            pool.joints,
            min(plan.asked(group), len(pool.keys)),
            seed=self.config.seed,
            save=plan.work / "choice" / f"{group.name}.npz",
        )
        rows = pool.with_others(pool.rows(chosen.picks))
        write_rows(plan.work / "choice" / f"{group.name}.parquet", rows, SCHEMA)


class Pool:
    """All candidates of a group: their keys and joints in memory, the rest on disk."""

    def __init__(self, plan: Plan, group: PictureGroup) -> None:
        """Raise EmptySourceError if there is no candidate."""
        self.paths = [plan.work / "survey" / f"{i:05d}.parquet" for i in plan.surveys_of(group)]
        (plan.work / "choice").mkdir(parents=True, exist_ok=True)
        keys, sequences, joints, places = [], [], [], []
        seen: set[str] = set()
        for number, path in enumerate(self.paths):
            table = read_rows(path, ["key", "sequence", "split", "joints"])
            found = zip(table["key"].to_pylist(), table["split"].to_pylist())
            # a source may be asked twice, and give the same person both times
            mine = [
                i for i, (k, split) in enumerate(found) if split == group.split and k not in seen
            ]
            places += [(number, row) for row in mine]
            table = table.take(pa.array(mine, pa.int64()))
            keys += table["key"].to_pylist()
            seen.update(keys[-len(mine) :] if mine else ())
            sequences += table["sequence"].to_pylist()
            joints.append(numbers_of(table["joints"], POSED_JOINTS * 3))
        if not keys:
            raise EmptySourceError(
                plan.config.out,
                f"{group.source} has no candidate for {group.split}.",
                f"See {plan.work / 'drops'} for what was left out.",
            )
        self.keys: list[str] = keys
        self.sequences: list[str] = sequences
        self.places = np.array(places)
        self.joints = filled(np.concatenate(joints).reshape(-1, POSED_JOINTS, 3))

    def with_others(self, rows: pa.Table) -> pa.Table:
        """Return rows with the boxes of the other people in each picture, as far as known."""
        wanted = set(rows["picture"].to_pylist()) - {None}
        boxes: dict[str, list[tuple[str, list[float]]]] = {}
        for path in self.paths if wanted else ():
            table = read_rows(path, ["key", "picture", "box"])
            for key, picture, box in zip(*(column.to_pylist() for column in table.columns)):
                if picture in wanted and box is not None:
                    boxes.setdefault(picture, []).append((key, box))
        others = [
            [number for other, box in boxes.get(picture, ()) if other != key for number in box]
            for key, picture in zip(rows["key"].to_pylist(), rows["picture"].to_pylist())
        ]
        at = rows.schema.get_field_index("others")
        return rows.set_column(
            at, SCHEMA.field("others"), [pa.array(others, SCHEMA.field("others").type)]
        )

    def rows(self, picks: np.ndarray) -> pa.Table:
        """Return whole rows of candidates, in the order asked for."""
        found: list[dict[str, Any]] = [{}] * len(picks)
        for number, path in enumerate(self.paths):
            here = np.flatnonzero(self.places[picks, 0] == number)
            if len(here):
                table = read_rows(path).take(pa.array(self.places[picks[here], 1]))
                for place, row in zip(here.tolist(), table.to_pylist(), strict=True):
                    found[place] = row
        return pa.Table.from_pylist(found, schema=SCHEMA)


def filled(joints: Float[np.ndarray, "pose 22 3"]) -> Float[np.ndarray, "pose 22 3"]:
    """Return joints with unknown ones where they are on average: they tell no two poses apart."""
    unknown = np.isnan(joints)
    if not unknown.any():
        return joints.astype(np.float64)
    known = np.where(unknown, 0.0, joints)
    means = known.sum(axis=0) / np.maximum((~unknown).sum(axis=0), 1)
    return np.where(unknown, means, joints).astype(np.float64)
