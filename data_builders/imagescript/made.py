"""The pictures that were made, and which of them are in the data set."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from data_builders.imagescript.plan import Group, Plan
from data_builders.imagescript.tables import read_rows


class Made:
    """Labels of the pictures of one turn ("second": chosen ones, "first": of pairs), by group."""

    def __init__(self, plan: Plan, turn: str) -> None:
        self.plan, self.turn = plan, turn

    def of(self, group: Group) -> list[dict[str, Any]]:
        """Return key and place of a group's pictures, as many as asked for, in order of choice."""
        rows = self._table(group, ["key", "place"]).to_pylist()
        return rows[: group.count] if self.turn == "second" else rows

    def labels(self, group: Group, keys: set[str]) -> dict[str, dict[str, Any]]:
        """Return all that is known of some pictures, by key; those not made are not there."""
        table = self._table(group)
        here = [i for i, key in enumerate(table["key"].to_pylist()) if key in keys]
        return {row["key"]: row for row in table.take(pa.array(here, pa.int64())).to_pylist()}

    def _table(self, group: Group, columns: list[str] | None = None) -> pa.Table:
        folder = self.plan.work / "labels" / self.turn
        pieces = [i for i, piece in enumerate(self.plan.photographs) if piece.group == group]
        return pa.concat_tables(read_rows(folder / f"{i:05d}.parquet", columns) for i in pieces)
