"""Steps 4 and 6: for each picture another one of its source that is worth comparing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from data_builders.imagescript.candidates import SCHEMA
from data_builders.imagescript.choosing import Pool
from data_builders.imagescript.picture_labels import PictureLabels
from data_builders.imagescript.plan import Plan
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.tables import read_rows, write_drops, write_rows
from data_builders.pair_mining import (
    MiningConfig,
    Pairs,
    low_level_properties,
    mine_pairs,
    plain_features,
)
from data_builders.readers.source import Drops
from unipose.posecodes.pair_codes import PairCodes

PAIRS = pa.schema(
    [
        ("first", pa.string()),
        ("second", pa.string()),
        ("similarity", pa.float32()),
        ("differences", pa.int32()),
        ("same_world", pa.bool_()),
    ]
)


class Pair(BuildStep):
    """Mine the pairs of a group, and write which pictures must still be made for them."""

    name = "Pairs"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`: one group."""
        group = plan.groups[task]
        pool = Pool(plan, group)
        place = {key: i for i, key in enumerate(pool.keys)}
        seconds = PictureLabels(plan, "second").keys(group)
        wanted = np.array([place[key] for key in seconds], dtype=np.int64)
        pairs = _mine(pool, wanted, plan)
        rows = [
            {
                "first": pool.keys[first],
                "second": pool.keys[second],
                "similarity": float(similarity),
                "differences": int(differences),
                "same_world": pool.sequences[first] == pool.sequences[second],
            }
            for first, second, similarity, differences in zip(
                pairs.first, pairs.second, pairs.similarity, pairs.differences, strict=True
            )
        ]
        write_rows(plan.work / "pairs" / f"{group.name}.parquet", rows, PAIRS)
        there = set(seconds)
        missing = [i for i in dict.fromkeys(pairs.first.tolist()) if pool.keys[i] not in there]
        first = pool.rows(np.array(missing, dtype=np.int64))
        write_rows(plan.work / "pairs" / "first" / f"{group.name}.parquet", first, SCHEMA)


class KeepPairs(BuildStep):
    """Keep the pairs of which both pictures were made and something can be said, as many as asked.

    Poses that differ may look alike: what differs may be small, or outside of the pictures.
    """

    name = "Pairs to keep"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`: one group."""
        group = plan.groups[task]
        joints = PictureLabels(plan, "second").joints(group) | PictureLabels(plan, "first").joints(
            group
        )
        table = read_rows(plan.work / "pairs" / f"{group.name}.parquet")
        drops, made = Drops(), []
        for row in table.to_pylist():
            if row["first"] in joints:
                made.append(row)
            else:
                drops.add(f"{row['first']} -> {row['second']}", "the first picture was not made")
        said = _something_changes(
            [joints[row["first"]] for row in made], [joints[row["second"]] for row in made]
        )
        kept = []
        for row, worth in zip(made, said, strict=True):
            if worth:
                kept.append(row)
            else:
                key = f"{row['first']} -> {row['second']}"
                drops.add(key, "nothing changes that can be seen and said")
        write_rows(
            plan.work / "pairs" / "kept" / f"{group.name}.parquet", kept[: group.count], PAIRS
        )
        write_drops(plan.work / "drops" / f"6-pairs-{task:05d}.jsonl", drops)


def _something_changes(
    first: list[Float[np.ndarray, "22 3"]], second: list[Float[np.ndarray, "22 3"]]
) -> Bool[np.ndarray, " pair"]:
    if not first:
        return np.zeros(0, dtype=bool)
    return np.any(PairCodes(np.stack(first), np.stack(second)).moved, axis=1)


def _mine(pool: Pool, wanted: Int[np.ndarray, " pose"], plan: Plan) -> Pairs:
    if len(pool.keys) < 2:  # nobody to be compared with
        none = np.empty(0, dtype=np.int64)
        return Pairs(none, none, none.astype(np.float64), none, wanted)
    return mine_pairs(
        plain_features(pool.joints),
        low_level_properties(pool.joints),
        config=MiningConfig(seed=plan.config.seed),
        seconds=wanted,
        folder=plan.work / "pairs" / "mined",
    )
