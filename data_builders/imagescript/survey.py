"""Step 1: who might be taken. Sources are read, the studio's scenes are looked through."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_builders.imagescript.candidates import SCHEMA, Row, caption_joints, record_rows
from data_builders.imagescript.plan import Plan, StudioRequest, SurveyTask
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.studio_source import candidates_in, keep_motions, open_studio
from data_builders.imagescript.tables import write_drops
from data_builders.readers.registry import Request
from data_builders.readers.source import Drops
from data_builders.records import Record
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole

RECORDS_AT_ONCE = 2048


class Prepare(BuildStep):
    """Read the poses that the studio shows: a task per split."""

    name = "Motions"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`."""
        request = next((r for r in plan.requests if isinstance(r, StudioRequest)), None)
        if request is not None:
            split = plan.splits[task]
            drops = keep_motions(request, split, plan.work / "motions" / f"{split}.npz")
            write_drops(plan.work / "drops" / f"0-motions-{split}.jsonl", drops)


class Survey(BuildStep):
    """Write the candidates: a task per source as asked for, or per 500 scenes of the studio."""

    name = "Survey"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`."""
        asked = plan.surveys[task]
        drops = Drops()
        path = plan.work / "survey" / f"{task:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as file:
            for rows in _candidates(plan, asked, drops):
                file.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
        write_drops(plan.work / "drops" / f"1-survey-{task:05d}.jsonl", drops)


def _candidates(plan: Plan, task: SurveyTask, drops: Drops) -> Iterator[list[Row]]:
    config, request = plan.config, plan.requests[task.request]
    if isinstance(request, StudioRequest):
        yield _studio_rows(plan, task, drops)
        return
    at_rest = load_body(config.body).rest_joints
    wanted = {group.split for group in plan.groups_of(task.request)}
    records = _records(request, drops)
    while some := list(islice(records, RECORDS_AT_ONCE)):
        chosen = [record for record in some if record.split in wanted]
        yield record_rows(chosen, at_rest, config.orientation, drops)


def _records(request: Request, drops: Drops) -> Iterator[Record]:
    for record in request.read(drops):
        if not isinstance(record, Record):
            raise ConfigError(f"{request.source.name} has pairs of poses and no pictures")
        yield record


def _studio_rows(plan: Plan, task: SurveyTask, drops: Drops) -> list[Row]:
    config = plan.config
    motions = plan.work / "motions" / f"{task.split}.npz"
    studio = open_studio(config.studio, motions, task.split, config.body)
    found = list(candidates_in(studio, task.scenes, config.least_seen, drops))
    if not found:
        return []
    at_rest = load_body(config.body).rest_joints
    joints = caption_joints(np.stack([pose for _, pose in found]), at_rest, config.orientation)
    return [
        {
            "key": key,
            "source": "studio",
            "split": task.split,
            "sequence": key,
            "joints": row.ravel().astype(np.float32),
        }
        for (key, _), row in zip(found, joints, strict=True)
    ]
