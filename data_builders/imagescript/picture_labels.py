"""The pictures that were made: which they are, and what is known of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from data_builders.imagescript.plan import PictureGroup, Plan
from data_builders.imagescript.tables import numbers_of, read_rows
from unipose.body.skeletons import POSED_JOINTS


class PictureLabels:
    """Labels of the pictures of one turn ("second": chosen ones, "first": of pairs), by group."""

    def __init__(self, plan: Plan, turn: str) -> None:
        self.plan, self.turn = plan, turn

    def keys(self, group: PictureGroup) -> list[str]:
        """Return the keys of a group's pictures, in order of choice."""
        return self._table(group, ["key"])["key"].to_pylist()

    def labels(self, group: PictureGroup, keys: set[str]) -> dict[str, dict[str, Any]]:
        """Return all that is known of some pictures, by key; those not made are not there."""
        table = self._table(group)
        here = [i for i, key in enumerate(table["key"].to_pylist()) if key in keys]
        return {row["key"]: row for row in table.take(pa.array(here, pa.int64())).to_pylist()}

    def joints(self, group: PictureGroup) -> dict[str, Float[np.ndarray, "22 3"]]:
        """Return the joints that texts may speak of, by key; the others are NaN."""
        table = self._table(group, ["key", "person.joints", "spoken"]).flatten()
        joints = table["person.joints"].combine_chunks().flatten().flatten()
        places = joints.to_numpy(zero_copy_only=False).reshape(-1, POSED_JOINTS, 3).astype(float)
        places[~numbers_of(table["spoken"], POSED_JOINTS).astype(bool)] = np.nan
        return dict(zip(table["key"].to_pylist(), places, strict=True))

    def _table(self, group: PictureGroup, columns: list[str] | None = None) -> pa.Table:
        folder = self.plan.work / "labels" / self.turn
        pieces = [i for i, piece in enumerate(self.plan.photographs) if piece.group == group]
        return pa.concat_tables(read_rows(folder / f"{i:05d}.parquet", columns) for i in pieces)


def spoken_joints(labels: dict[str, Any]) -> Float[np.ndarray, "22 3"]:
    """Return the joints of a row of labels that texts may speak of; the others are NaN."""
    joints = np.array(labels["person"]["joints"], dtype=np.float64).reshape(POSED_JOINTS, 3)
    joints[~np.array(labels["spoken"], dtype=bool)] = np.nan
    return joints
