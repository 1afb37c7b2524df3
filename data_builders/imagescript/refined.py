"""Step 8: ImageScript-R and ImageDiff-R, the same rows with one text in natural language."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from data_builders.imagescript.plan import Plan
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.writing import (
    Row,
    chosen_for_refining,
    compared_of,
    described_of,
    diff_rows,
    part,
    script_rows,
    write_file,
)
from data_builders.refining.draft import Draft
from data_builders.refining.refine import RefineConfig, Report, refine
from unipose.files.atomic import written_whole
from unipose.priors.chat_models import CachedChatModel, ChatModel
from unipose.priors.open_chat_model import open_chat_model


def refining_tasks(plan: Plan) -> int:
    """Return how many tasks refine: one if a server is asked, so that its limits hold."""
    return 1 if plan.config.writer.url else len(plan.files)


class Refine(BuildStep):
    """Refine the texts of one file of each set, or of all files where a server writes."""

    name = "Refined texts"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`."""
        backend = open_chat_model(self.config.writer)
        if backend is not None:
            backend = CachedChatModel(backend, plan.work / "answers")
        report = Report()
        for split, number in plan.files if self.config.writer.url else (plan.files[task],):
            _refine_file(plan, split, number, backend, report)
        path = plan.work / "refining" / f"{task:05d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(report.as_json()) + "\n", encoding="utf-8")


def _refine_file(
    plan: Plan, split: str, number: int, backend: ChatModel | None, report: Report
) -> None:
    size, seed = plan.config.rows_per_file, plan.config.seed
    described = chosen_for_refining(plan, split, described_of(plan, split))
    rows, _ = script_rows(plan, part(described, number, size))
    drafts = [
        Draft(key=row["key"], text=row["captions"][-1], joints=_joints(row["person"]))
        for row in rows
    ]
    done = _refined(rows, drafts, "captions", backend, seed, report)
    write_file(plan, "imagescript-r", split, number, len(described), done)
    if not plan.config.pairs:
        return
    compared = chosen_for_refining(plan, split, compared_of(plan, split))
    rows = diff_rows(plan, part(compared, number, size))
    drafts = [
        Draft(
            key=row["key"],
            text=row["texts"][0],
            kind="change",
            joints=_joints(row["person_b"]),
            joints_before=_joints(row["person_a"]),
        )
        for row in rows
    ]
    done = _refined(rows, drafts, "texts", backend, seed, report)
    write_file(plan, "imagediff-r", split, number, len(compared), done)


def _refined(
    rows: Sequence[Row],
    drafts: Sequence[Draft],
    column: str,
    backend: ChatModel | None,
    seed: int,
    report: Report,
) -> list[Row]:
    texts = refine(drafts, backend, config=RefineConfig(seed=seed), report=report)
    return [
        {**row, column: [refined.text], "by": refined.by}
        for row, refined in zip(rows, texts, strict=True)
    ]


def _joints(person: Row) -> np.ndarray:
    return np.array(person["joints"], dtype=np.float64)
