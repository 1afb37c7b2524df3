"""Step 4: for each picture that was made, another one of its source that is worth comparing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from datatrove.pipeline.base import PipelineStep
from jaxtyping import Int

from data_builders.imagescript.candidates import SCHEMA
from data_builders.imagescript.choosing import Pool
from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.made import Made
from data_builders.imagescript.plan import Plan
from data_builders.imagescript.tables import write_rows
from data_builders.pair_mining import (
    MiningConfig,
    Pairs,
    low_level_properties,
    mine_pairs,
    plain_features,
)

PAIRS = pa.schema(
    [
        ("first", pa.string()),
        ("second", pa.string()),
        ("similarity", pa.float32()),
        ("differences", pa.int32()),
        ("same_world", pa.bool_()),
    ]
)


class Pair(PipelineStep):
    """Mine the pairs of a group, and write which pictures must still be made for them."""

    name, type = "Pairs", "ImageScript"

    def __init__(self, config: BuildConfig) -> None:
        super().__init__()
        self.config = config

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Do task number `rank`: one group."""
        plan = Plan(self.config)
        group = plan.groups[rank]
        pool = Pool(plan, group)
        place = {key: i for i, key in enumerate(pool.keys)}
        seconds: list[str] = [row["key"] for row in Made(plan, "second").of(group)]
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
        yield from ()


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
