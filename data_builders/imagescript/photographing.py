"""Steps 3 and 5: the pictures themselves, cut out, with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Features, List, Value
from jaxtyping import Float, UInt8

from data_builders.imagescript.candidates import Row, record_of
from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.pictures import LEAST_JOINTS, Window, outside, person_of
from data_builders.imagescript.plan import STUDIO, Plan
from data_builders.imagescript.schema import PERSON
from data_builders.imagescript.step import BuildStep
from data_builders.imagescript.studio_source import open_studio, take_picture
from data_builders.imagescript.tables import picture_path, read_rows, write_drops, write_rows
from data_builders.readers.pictures import read_picture
from data_builders.readers.source import Drops
from data_builders.records import Record
from data_builders.studio.records import records_of
from data_builders.studio.words import positions
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import UniPoseError, UnusableRecordError
from unipose.files.atomic import written_whole

LABELS: pa.Schema = Features(
    {
        "key": Value("string"),
        "place": Value("int64"),  # in the order of choice
        "sequence": Value("string"),
        "person": PERSON,
        "spoken": List(Value("bool")),  # of 22 joints: those that captions may speak of
        "people": Value("int32"),
        "who": List(Value("string")),
        "whole": PERSON,  # in the pixels of the whole picture, where who is meant must be said
    }
).arrow_schema
"""What is known of a picture that was made."""


class Photograph(BuildStep):
    """Make the pictures of one slice; `turn` is "second" (those chosen) or "first" (of pairs)."""

    name = "Pictures"

    def __init__(self, config: BuildConfig, turn: str) -> None:
        super().__init__(config)
        self.turn = turn

    def do(self, plan: Plan, task: int) -> None:
        """Do task number `task`."""
        piece = plan.photographs[task]
        folder = "choice" if self.turn == "second" else "pairs/first"
        table = read_rows(plan.work / folder / f"{piece.group.name}.parquet")
        rows = table.slice(piece.start, piece.stop - piece.start).to_pylist()
        drops = Drops()
        photos = _take_all(plan, piece.group.source, piece.group.split, rows, drops)
        taken = [
            {**photo, "place": piece.start + i, "sequence": row["sequence"]}
            for i, (row, photo) in enumerate(zip(rows, photos, strict=True))
            if photo is not None
        ]
        write_rows(plan.work / "labels" / self.turn / f"{task:05d}.parquet", taken, LABELS)
        write_drops(plan.work / "drops" / f"3-{self.turn}-{task:05d}.jsonl", drops)


def _take_all(
    plan: Plan, source: str, split: str, rows: list[Row], drops: Drops
) -> Iterator[dict[str, Any] | None]:
    """Yield the labels of each picture, written beside it; None where it could not be made."""
    motions = plan.work / "motions" / f"{split}.npz"
    for row in rows:
        try:
            shot = (
                _studio_shot(plan.config, motions, split, row["key"])
                if source == STUDIO
                else _source_shot(row)
            )
            yield _store(plan, shot, np.array(row["joints"]).reshape(POSED_JOINTS, 3))
        except UniPoseError as error:
            drops.add(row["key"], str(error))
            yield None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shot:
    """A whole picture, and the person in it who is meant."""

    pixels: UInt8[np.ndarray, "height width 3"]
    record: Record
    joints_px: Float[np.ndarray, "22 2"] | None
    people: int
    who: tuple[str, ...]
    contacts: tuple[str, ...] = ()


def _studio_shot(config: BuildConfig, motions: Path, split: str, key: str) -> _Shot:
    studio = open_studio(config.studio, motions, split, config.body)
    image, number = take_picture(studio, key)
    record = next(r for r in records_of(image, split=split) if r.key == key)
    person = image.people[number]
    people = sum(other.box is not None for other in image.people)
    return _Shot(
        pixels=image.pixels,
        record=record,
        joints_px=person.joints_px[:POSED_JOINTS],
        people=people,
        who=person.phrases if people > 1 else (),
        contacts=tuple(sorted({f"{c.part} - {c.other_part}" for c in person.contacts})),
    )


def _source_shot(row: Row) -> _Shot:
    record = record_of(row)
    assert record.image is not None  # a candidate has a picture
    pixels = read_picture(record.image, orientation=record.orientation)
    boxes = np.array(row["others"] or ()).reshape(-1, 4)
    who: tuple[str, ...] = ()
    if len(boxes) and record.box is not None:
        middles = [(box[0] + box[2]) / 2 for box in (record.box, *boxes.tolist())]
        place = positions(middles, pixels.shape[1])[0]
        who = (f"the person {place}",) if place else ()
    return _Shot(pixels=pixels, record=record, joints_px=None, people=1 + len(boxes), who=who)


def _store(plan: Plan, shot: _Shot, joints: Float[np.ndarray, "22 3"]) -> dict[str, Any]:
    """Write the picture and return its labels."""
    config, record = plan.config, shot.record
    size = (shot.pixels.shape[1], shot.pixels.shape[0])
    window = Window.around(record.box, size, margin=config.margin, most_px=config.picture_px)
    hidden = outside(record.keypoints_2d, window, shot.joints_px)
    if (~hidden).sum() < LEAST_JOINTS:
        raise UnusableRecordError(
            f"fewer than {LEAST_JOINTS} of the person's {POSED_JOINTS} joints are in the picture"
        )
    _keep(plan, record.key, "person", window.cut(shot.pixels))
    whole = None
    if config.reasoning and shot.who:
        everything = Window.around(None, size, margin=0.0, most_px=config.picture_px)
        _keep(plan, record.key, "whole", everything.cut(shot.pixels))
        whole = person_of(record, joints, everything, size, shot.contacts)
    return {
        "key": record.key,
        "person": person_of(record, joints, window, size, shot.contacts),
        "spoken": (~hidden | config.say_unseen).tolist(),
        "people": shot.people,
        "who": list(shot.who),
        "whole": whole,
    }


def _keep(plan: Plan, key: str, kind: str, data: bytes) -> None:
    path = picture_path(plan.work / "pictures", key, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(data)
