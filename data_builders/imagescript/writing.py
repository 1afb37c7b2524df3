"""Step 7: rows with pictures and texts, as the Parquet files that users load."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import roma
import torch

from data_builders.imagescript.picture_labels import PictureLabels, spoken_joints
from data_builders.imagescript.plan import PictureGroup, Plan
from data_builders.imagescript.schema import FEATURES
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.tables import number_of, picture_path, read_rows, write_rows
from data_builders.posecodes.captions import CaptionOptions, write_three_captions
from data_builders.posecodes.modifiers import write_three_modifiers
from unipose.posecodes.joints import whole_turns

Row = dict[str, Any]


class DescriptionRow(NamedTuple):
    """A row of ImageScript to be written."""

    group: PictureGroup
    key: str


class Compared(NamedTuple):
    """A row of ImageDiff to be written."""

    group: PictureGroup
    first: str
    second: str
    similarity: float
    differences: int
    same_world: bool

    @property
    def key(self) -> str:
        """What names the pair."""
        return f"{self.first} -> {self.second}"


class Write(BuildStep):
    """Write one file of each of ImageScript-A, ImageDiff-A and the reasoning set."""

    name = "Texts"

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`."""
        split, number = plan.files[task]
        described = described_of(plan, split)
        some = part(described, number, self.config.rows_per_file)
        rows, who = script_rows(plan, some)
        write_file(plan, "imagescript-a", split, number, len(described), rows)
        write_file(plan, "reasoning", split, number, len(described), who)
        if self.config.pairs:
            compared = compared_of(plan, split)
            rows = diff_rows(plan, part(compared, number, self.config.rows_per_file))
            write_file(plan, "imagediff-a", split, number, len(compared), rows)


def described_of(plan: Plan, split: str) -> list[DescriptionRow]:
    """Return ImageScript's rows of a split: source after source, each in order of choice."""
    made = PictureLabels(plan, "second")
    return [
        DescriptionRow(group, key)
        for group in plan.groups
        if group.split == split
        for key in made.keys(group)[: group.count]
    ]


def compared_of(plan: Plan, split: str) -> list[Compared]:
    """Return ImageDiff's rows of a split; see `pairing.KeepPairs`."""
    return [
        Compared(group, **row)
        for group in plan.groups
        if group.split == split
        for row in read_rows(plan.work / "pairs" / "kept" / f"{group.name}.parquet").to_pylist()
    ]


def part(rows: Sequence[Any], number: int, size: int) -> list[Any]:
    """Return what belongs into file `number`."""
    return list(rows[number * size : (number + 1) * size])


def chosen_for_refining(plan: Plan, split: str, rows: Sequence[Any]) -> list[Any]:
    """Return the rows that are refined: of the training split an even share, else all."""
    if split != "train":
        return list(rows)
    order = sorted(range(len(rows)), key=lambda i: number_of(f"{plan.config.seed} {rows[i].key}"))
    return [rows[i] for i in sorted(order[: round(plan.config.refined * len(rows))])]


def write_file(
    plan: Plan, name: str, split: str, number: int, total: int, rows: Sequence[Row]
) -> None:
    """Write file `number` of a configuration's split, unless it has no rows."""
    if rows:
        files = ceil(total / plan.config.rows_per_file)
        path = plan.config.out / name / f"{split}-{number:05d}-of-{files:05d}.parquet"
        write_rows(path, rows, FEATURES[name].arrow_schema)


def script_rows(plan: Plan, rows: Sequence[DescriptionRow]) -> tuple[list[Row], list[Row]]:
    """Return rows of ImageScript-A, and those of the reasoning set among them."""
    labels = _labels(plan, [(row.group, row.key) for row in rows])
    if not rows:
        return [], []
    options = CaptionOptions(
        eligible="statistics",
        idle="mined",
        pronouns=True,
        extras=frozenset(plan.config.extras),
    )
    captions = write_three_captions(
        np.stack([spoken_joints(labels[row.key]) for row in rows]),
        seed=plan.config.seed,
        indices=[number_of(row.key) for row in rows],
        options=options,
    )
    described, who = [], []
    for row, three in zip(rows, captions, strict=True):
        known, texts = labels[row.key], [caption.text for caption in three]
        described.append(
            {
                "key": row.key,
                "image": _image(plan, row.key, "person"),
                "person": known["person"],
                "captions": texts,
            }
        )
        if known["whole"] is not None and known["who"]:
            who.append(
                {
                    "key": row.key,
                    "image": _image(plan, row.key, "whole"),
                    "person": known["whole"],
                    "people": known["people"],
                    "who": known["who"],
                    "captions": texts,
                }
            )
    return described, who


def diff_rows(plan: Plan, rows: Sequence[Compared]) -> list[Row]:
    """Return rows of ImageDiff-A."""
    if not rows:
        return []
    labels = _labels(plan, [(row.group, key) for row in rows for key in (row.first, row.second)])
    first, second = (
        np.stack([spoken_joints(labels[key]) for key in keys])
        for keys in ([row.first for row in rows], [row.second for row in rows])
    )
    modifiers = write_three_modifiers(
        first,
        second,
        seed=plan.config.seed,
        indices=[number_of(row.key) for row in rows],
        turns=np.array([_turn(labels[row.first], labels[row.second], row) for row in rows]),
    )
    return [
        {
            "key": row.key,
            "image_a": _image(plan, row.first, "person"),
            "image_b": _image(plan, row.second, "person"),
            "person_a": labels[row.first]["person"],
            "person_b": labels[row.second]["person"],
            "texts": [modifier.text for modifier in three],
            "similarity": row.similarity,
            "differences": row.differences,
            "same_world": row.same_world,
        }
        for row, three in zip(rows, modifiers, strict=True)
    ]


def _turn(first: Row, second: Row, row: Compared) -> float:
    """Return by how many degrees the body turns to its left, NaN if nobody can know."""
    poses = [labels["person"]["pose"] for labels in (first, second)]
    if not row.same_world or None in poses:
        return float("nan")
    a, b = (roma.rotvec_to_rotmat(torch.tensor(pose[:1])).numpy() for pose in poses)
    return float(whole_turns(a, b)[0])


def _labels(plan: Plan, wanted: list[tuple[PictureGroup, str]]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for group in dict.fromkeys(group for group, _ in wanted):
        keys = {key for other, key in wanted if other == group}
        for turn in ("second", "first") if plan.config.pairs else ("second",):
            found |= PictureLabels(plan, turn).labels(group, keys - found.keys())
    return found


def _image(plan: Plan, key: str, kind: str) -> dict[str, Any]:
    path = picture_path(plan.work / "pictures", key, kind)
    return {"bytes": path.read_bytes(), "path": path.name}
