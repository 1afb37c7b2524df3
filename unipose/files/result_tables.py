"""One person out of what programs write: tables of people, tracks and frames, as plain data.

EasyMocap lists the people of a frame; WHAM and VIBE keep a table of tracks; PHALP (4D-Humans) a
table of frames with the people in each; ROMP a table whose rows are the people of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unipose.errors import FileError
from unipose.files.notes import add_note
from unipose.files.smpl_parameters import ARRAYS, POSES

CONTAINERS = frozenset({
    "results", "annots", "smpl_params", "smpl_param", "pred_smpl_params", "params", "arr_0",
    "smpl_params_global",
})  # fmt: skip
"""Names under which a person, or a table of people, lies one level deeper; GVHMR's is the one in
the world, beside the same in the camera."""
MOST_NAMED = 12
LONGEST_WORD = 100

Fields = Mapping[Any, Any]


def one_person(
    content: Any, path: Path, *, person: str | None = None
) -> tuple[dict[str, np.ndarray], set[str]]:
    """Return the known arrays of one person, and the names of what else there is.

    Of several people it is the one whose id is `person`, or the one with the most poses, which a
    FileNote says. Raises FileError if there is nobody, not this one, or an array is none.
    """
    people = _people(content)
    if not people and isinstance(content, Mapping):
        people = {"": [content]}
    if not people:
        raise FileError(path, "holds no pose: expected a person, or a list or table of people.")
    chosen = person if person is not None and len(people) > 1 else max(people, key=_size(people))
    known = ", ".join(list(people)[:MOST_NAMED])
    if chosen not in people:
        raise FileError(path, f"there is no person {chosen!r}.", f"There are {known}.")
    if person is None and len(people) > 1:
        add_note(
            path,
            f"holds {len(people)} people ({known}); this is {chosen}, --person ID picks another",
        )
    frames = people[chosen]
    names = {str(name) for fields in frames for name in fields}
    shared = [n for n in frames[0] if n in ARRAYS and all(n in fields for fields in frames)]
    arrays = {}
    for name in shared:
        values = [
            as_array(fields[name], path, name) for fields in frames if fields[name] is not None
        ]
        if len(values) == len(frames):
            arrays[name] = values[0] if len(values) == 1 else _stacked(values, path, name)
    return arrays, names - set(arrays)


def _people(content: Any) -> dict[str, list[Fields]]:
    """Return what is known of each person, frame by frame."""
    if isinstance(content, list):
        return _grouped([row for row in content if isinstance(row, Mapping)])
    if not isinstance(content, Mapping):
        return {}
    if "smpl_thetas" in content:
        return _rows_of(content)
    if _has_pose(content):
        return {"": [content]}
    for name in CONTAINERS & set(map(str, content)):
        found = _people(content.get(name))
        if found:
            around = {key: value for key, value in content.items() if key != name}
            return {who: [{**around, **f} for f in frames] for who, frames in found.items()}
    tables = [value for value in content.values() if isinstance(value, Mapping)]
    if any("smpl" in table and "tid" in table for table in tables):
        return _grouped([row for table in tables for row in _in_frame(table)])
    if any("smpl_thetas" in table for table in tables):
        return _grouped([{**row[0], "id": who} for t in tables for who, row in _rows_of(t).items()])
    return {str(who): [v] for who, v in content.items() if isinstance(v, Mapping) and _has_pose(v)}


def _has_pose(fields: Fields) -> bool:
    return any(name in POSES for name in fields)


def _grouped(rows: list[Fields]) -> dict[str, list[Fields]]:
    """Return rows by the `id` they name; rows without one are the frames of one person."""
    people: dict[str, list[Fields]] = {}
    for row in rows:
        if _has_pose(row):
            people.setdefault(str(row.get("id", "")), []).append(row)
    return people


def _in_frame(table: Fields) -> list[Fields]:
    """Return the people that PHALP saw in one frame; who is only remembered is left out."""
    bodies, ids = list(table.get("smpl", ())), list(table.get("tid", ()))
    since = list(table.get("tracked_time", ())) or [0] * len(ids)
    return [
        {**body, "id": who, "camera": None}
        for body, who, age in zip(bodies, ids, since, strict=False)
        if isinstance(body, Mapping) and age == 0
    ]


def _rows_of(table: Fields) -> dict[str, list[Fields]]:
    """Return the people of one picture, a row of each of ROMP's arrays."""
    if "smpl_thetas" not in table or np.ndim(table["smpl_thetas"]) < 2:
        return {"0": [dict(table)]} if "smpl_thetas" in table else {}
    count = len(table["smpl_thetas"])
    return {
        str(i): [{n: v[i] for n, v in table.items() if np.ndim(v) > 0 and len(v) == count}]
        for i in range(count)
    }


def _size(people: dict[str, list[Fields]]) -> Any:
    def size(who: str) -> int:
        return sum(
            np.size(value)
            for fields in people[who]
            for name, value in fields.items()
            if name in POSES and isinstance(value, np.ndarray)
        ) or len(people[who])

    return size


def as_array(value: object, path: Path, name: str) -> np.ndarray:
    """Return lists of numbers, or one word, as an array; FileError for anything else."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, str):
        return np.array(value[:LONGEST_WORD])
    try:
        return np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FileError(path, f"{name} is no regular array of numbers.") from error


def _stacked(values: list[np.ndarray], path: Path, name: str) -> np.ndarray:
    if len({value.shape for value in values}) > 1:
        raise FileError(path, f"{name} has another shape in some frames than in others.")
    if values[0].dtype.kind in "US":  # a word is said once
        return values[0]
    return np.stack(values)
