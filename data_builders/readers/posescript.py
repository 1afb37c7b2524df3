"""PoseScript: descriptions of single poses of AMASS, written by people and by rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_builders.readers.motions import find_recording, one_pose
from data_builders.readers.safe_files import read_json, read_json_table
from data_builders.readers.source import SPLITS, Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.pose import Pose
from unipose.errors import ConfigError, SourceError, UniPoseError, UnusableRecordError
from unipose.files.npz import read_npz

INDEX = "ids_2_dataset_sequence_and_frame_index*.json"
HUMAN = ("posescript_human*.json", "human*.json")
AUTOMATIC = ("posescript_auto*.json", "automatic_*.json")
"""Names of the second release, and of the first."""


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each described pose, recording by recording, so that every file is opened once.

    Raises ConfigError without `amass=`, SourceError if a file of the release is damaged.
    """
    index = read_index(SOURCE, folder, choice)
    splits = read_splits(SOURCE, folder, "ids*.json")
    texts = read_texts(SOURCE, folder, choice, HUMAN, AUTOMATIC, drops)
    wanted = (
        number
        for number in texts
        if choice.wants(splits.get(number, "train"), path_of(index, number))
    )
    for number, pose in poses_of(wanted, index, choice, drops, source="posescript"):
        _, path, frame = index[number]
        yield Record(
            key=f"posescript/{number}",
            source="posescript",
            split=splits.get(number, "train"),
            pose=pose,
            texts=tuple(texts[number]),
            other={"path": path, "frame": int(frame)},
        )


def path_of(index: dict[str, Any], number: str) -> str:
    """Return the recording that a pose is of, "" if the index does not say."""
    entry = index.get(number)
    return str(entry[1]) if isinstance(entry, list) and len(entry) == 3 else ""


def poses_of(
    wanted: Iterable[str],
    index: dict[str, Any],
    choice: SourceOptions,
    drops: Drops,
    *,
    source: str,
) -> Iterator[tuple[str, Pose]]:
    """Yield number and pose of what is wanted, sorted by recording and frame."""
    by_path: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number in wanted:
        entry = index.get(number)
        try:
            dataset, path, frame = entry  # type: ignore[misc]  # anything else is the error below
            if dataset != "AMASS":
                raise ValueError
            by_path[str(path)].append((int(frame), number))
        except (TypeError, ValueError):
            drops.add(f"{source}/{number}", f"expected [AMASS, path, frame], got {entry}")
    for path in sorted(by_path):
        try:
            pose = _recording(choice, path)
        except UniPoseError as error:
            for _, number in by_path[path]:
                drops.add(f"{source}/{number}", str(error))
            continue
        for frame, number in sorted(by_path[path]):
            if 0 <= frame < len(pose):
                yield number, one_pose(pose, frame)
            else:
                drops.add(f"{source}/{number}", f"{path} has {len(pose)} frames, no {frame}")


def _recording(choice: SourceOptions, path: str) -> Pose:
    file = find_recording(choice.amass or Path(), path)
    if file is None:
        raise UnusableRecordError(f"AMASS at {choice.amass} has no recording {path}")
    return read_npz(file)


def read_index(source: Source, folder: Path, choice: SourceOptions) -> dict[str, Any]:
    """Return [AMASS, recording, frame] by the poses' numbers."""
    if choice.amass is None:
        raise ConfigError(f"{source.name} only points into AMASS: add ?amass=FOLDER")
    return source.whole(_newest(source, folder, INDEX), read_json_table)


def read_splits(source: Source, folder: Path, ending: str) -> dict[str, str]:
    """Return the split of each number that files called <split>_<ending> list."""
    splits = {}
    for split in SPLITS:
        for file in sorted(folder.glob(f"{split}_{ending}")):
            listed = source.whole(file, read_json)
            if not isinstance(listed, list):
                raise source.broken(file, "holds no list of numbers")
            splits.update({str(number): split for number in listed})
    return splits


def read_texts(
    source: Source,
    folder: Path,
    choice: SourceOptions,
    human: tuple[str, ...],
    automatic: tuple[str, ...],
    drops: Drops,
) -> dict[str, list[str]]:
    """Return the texts of each number, people's first; numbers without one are noted in `drops`."""
    patterns = {"human": human, "automatic": automatic, "all": human + automatic}[choice.texts]
    files = [file for pattern in patterns for file in sorted(folder.glob(pattern))]
    if not files:
        raise SourceError(
            folder,
            f"{choice.texts} texts are missing; {source.name} is made of\n{source.listing()}",
        )
    texts: dict[str, list[str]] = defaultdict(list)
    for file in files:
        for number, written in source.whole(file, read_json_table).items():
            several = written if isinstance(written, list) else [written]
            texts[number] += [t.strip() for t in several if isinstance(t, str) and t.strip()]
    for number in [number for number, written in texts.items() if not written]:
        drops.add(f"{source.name}/{number}", "the files of texts have no text for it")
        del texts[number]
    return dict(texts)


def _newest(source: Source, folder: Path, pattern: str) -> Path:
    """Return the larger release's file where both lie there (it ends in _100k)."""
    files = sorted(folder.glob(pattern), key=lambda file: len(file.name))
    if not files:
        raise SourceError(
            folder / pattern, f"is missing; {source.name} is made of\n{source.listing()}"
        )
    return files[-1]


SOURCE = Source(
    name="posescript",
    about="a PoseScript release (version 2, or the first)",
    files=(
        Expected(path=INDEX, size="11 MB"),
        Expected(path="*human*.json", size="1.7 MB"),
        Expected(path="posescript_auto_100k.json", size="119 MB", optional=True),
        Expected(path="*_ids*.json", size="under 1 MB each"),
    ),
    licence="CC BY-NC-SA 4.0; AMASS has its own",
    cite="Delmas et al., PoseScript: Linking 3D Human Poses and Natural Language, ECCV 2022",
    home="https://github.com/naver/posescript",
    read=read,
    takes=("split", "only", "amass", "texts"),
)
