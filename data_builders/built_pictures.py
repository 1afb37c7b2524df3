"""People in pictures to ask about, out of a data set that data_builders.imagescript has built."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import roma
import torch
from datasets import Dataset, Image

from data_builders.imagescript.schema import FEATURES
from data_builders.picture_pool import (
    LONGEST_LABEL,
    TRIES,
    Example,
    Look,
    PicturedPerson,
    seen_in_crop,
    with_root,
)
from unipose.body.regions import GROUND
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, MissingFileError
from unipose.files.photo import read_photo
from unipose.language.templates import Task
from unipose.vision.mesh_recovery_protocol import LEVEL


def check_built(folder: Path, split: str, *, refined: bool = False) -> dict[str, list[Any]]:
    """Return the files of a split by configuration.

    Raises MissingFileError if there are none.
    """
    kind = "r" if refined else "a"
    names = (f"imagescript-{kind}", f"imagediff-{kind}", "reasoning")
    found = {
        name: sorted(str(path) for path in (folder / name).glob(f"{split}-*.parquet"))
        for name in names
    }
    if not any(found.values()):
        raise MissingFileError(
            folder,
            f"there are no pictures of the split {split!r} here.",
            "Build them with python -m data_builders.imagescript.",
        )
    return {name: files for name, files in found.items() if files}


@dataclass(kw_only=True, eq=False)
class BuiltPictures:
    """A folder that `python -m data_builders.imagescript` wrote."""

    tables: dict[str, Dataset]
    """Configuration ("imagescript-a", "reasoning" ...) -> its rows."""
    look: Look
    tasks: frozenset[Task]
    actions: tuple[str, ...] = ()
    kept: int = 4096
    _row: Any = field(init=False)

    def __post_init__(self) -> None:
        self._row = lru_cache(maxsize=self.kept)(self._read_row)

    @classmethod
    def read(
        cls,
        folder: Path,
        look: Look,
        *,
        split: str = "train",
        refined: bool = False,
        kept: int = 4096,
        cache: Path | None = None,
    ) -> BuiltPictures:
        """Open the automatic (or the refined) texts of a data set, and its reasoning rows.

        `cache` is where `datasets` keeps its copy of the files (None: where it always does).
        Raises MissingFileError if there are none of this split.
        """
        tables = {}
        for name, files in check_built(folder, split, refined=refined).items():
            where: Any = None if cache is None else str(cache)
            table = Dataset.from_parquet(files, features=FEATURES[name], cache_dir=where)
            assert isinstance(table, Dataset)
            for column in ("image", "image_a", "image_b"):
                if column in table.column_names:
                    table = table.cast_column(column, Image(decode=False))
            tables[name.partition("-")[0]] = table
        tasks: set[Task] = set()
        actions: tuple[str, ...] = ()
        if "imagescript" in tables:
            people = tables["imagescript"].select_columns("person").data.column("person")
            labels = {
                person["label"].as_py() for chunk in people.chunks for person in chunk
            } - {None, ""}  # fmt: skip
            actions = tuple(sorted(a for a in labels if len(a) <= LONGEST_LABEL))
            tasks |= {Task.IMAGE_TO_TEXT, Task.ESTIMATE, Task.CONTACTS}
            tasks |= {Task.MOTION_LABEL} if len(actions) > 1 else set()
        tasks |= {Task.IMAGE_DIFF} if "imagediff" in tables else set()
        tasks |= {Task.REASON} if "reasoning" in tables else set()
        return cls(tables=tables, look=look, tasks=frozenset(tasks), actions=actions, kept=kept)

    def example(self, task: Task, chance: random.Random) -> Example:
        """Return an example; ConfigError if no row is one."""
        name = {Task.IMAGE_DIFF: "imagediff", Task.REASON: "reasoning"}.get(task, "imagescript")
        count = len(self.tables[name])
        start = chance.randrange(count)
        for i in range(start, start + min(count, TRIES)):
            found = self._try(task, self._row(name, i % count), chance)
            if found is not None:
                return found
        raise ConfigError(f"none of {TRIES} rows of {name} is an example of {task}")

    def _try(self, task: Task, row: dict[str, Any], chance: random.Random) -> Example | None:
        shown, person = row["shown"], row["person"]
        if task in (Task.ESTIMATE, Task.REASON) and shown[0].rotations is None:
            return None
        if task == Task.CONTACTS:
            # an empty list is "none" where the studio looked, and "not known" elsewhere
            if not person["key"].startswith("studio/"):
                return None
            pairs = [tuple(pair.split(" - ")) for pair in person["contacts"] or ()]
            contacts = tuple((a, b) for a, b in pairs if b != GROUND)
            if not contacts and chance.random() >= 0.2:
                return None
            return Example(shown=shown, contacts=contacts)
        if task == Task.MOTION_LABEL:
            known = person["label"] in self.actions
            return Example(shown=shown, label=person["label"]) if known else None
        who = chance.choice(row["who"]) if task == Task.REASON and row["who"] else ""
        if task == Task.REASON and not who:
            return None
        return Example(shown=shown, who=who, text=chance.choice(row["texts"]))

    def _read_row(self, name: str, index: int) -> dict[str, Any]:
        row = self.tables[name][index]
        marks = ("_a", "_b") if name == "imagediff" else ("",)
        shown = tuple(
            self._shown(row[f"image{m}"], row[f"person{m}"], row["key"], name == "reasoning")
            for m in marks
        )
        texts = row["texts"] if name == "imagediff" else row["captions"]
        person = row[f"person{marks[0]}"]
        kept = {name: person[name] for name in ("key", "label", "contacts")}
        return {"shown": shown, "person": kept, "who": row.get("who"), "texts": texts}

    def _shown(
        self, image: dict[str, Any], person: dict[str, Any], key: str, whole: bool
    ) -> PicturedPerson:
        pixels = torch.from_numpy(read_photo(image["bytes"], key).copy())
        box = None if whole else person["box"]
        rotations = None
        if person["pose"] is not None and person["root_in_camera"] is not None:
            local = roma.rotvec_to_rotmat(torch.tensor(person["pose"]))[:POSED_JOINTS]
            root = roma.rotvec_to_rotmat(torch.tensor(person["root_in_camera"])[None])[0]
            rotations = (
                with_root(local, LEVEL @ root)
                if box is None
                else seen_in_crop(local, root, box, person["focal_px"][0], person["centre_px"])
            )
        return PicturedPerson(picture=self.look(pixels, box), rotations=rotations)
