"""PoseFix: how one pose of AMASS must change to become another, written by people and by rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_builders.readers.posescript import (
    INDEX,
    path_of,
    poses_of,
    read_index,
    read_splits,
    read_texts,
)
from data_builders.readers.safe_files import read_json
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record, RecordPair
from unipose.body.pose import Pose

PAIRS = "pair_id_2_pose_ids.json"
HUMAN = ("posefix_human*.json", "posefix_paraphrases*.json")
AUTOMATIC = ("posefix_auto*.json",)


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[RecordPair]:
    """Yield each described pair in the order of the texts.

    All poses that are needed are read first, each recording once (0.1 GB for 100,000 poses).
    Raises ConfigError without `amass=`, SourceError if a file of the release is damaged.
    """
    index = read_index(SOURCE, folder, choice)
    texts = read_texts(SOURCE, folder, choice, HUMAN, AUTOMATIC, drops)
    splits = read_splits(SOURCE, folder, "*_sequence_pair_ids.json")
    pairs = {}
    for number, pair in _read_pairs(folder, texts, drops).items():
        if choice.wants(splits.get(number, "train"), path_of(index, pair[1])):
            pairs[number] = pair
    wanted = sorted({pose for pair in pairs.values() for pose in pair}, key=int)
    poses = dict(poses_of(wanted, index, choice, drops, source="posefix/pose"))
    for number, (first, second) in pairs.items():
        lacking = [pose for pose in (first, second) if pose not in poses]
        if lacking:
            drops.add(f"posefix/{number}", f"its pose {lacking[0]} could not be read")
            continue
        key, split = f"posefix/{number}", splits.get(number, "train")
        yield RecordPair(
            key=key,
            source="posefix",
            split=split,
            first=_record(f"{key}:first", split, first, poses, index),
            second=_record(f"{key}:second", split, second, poses, index),
            texts=tuple(texts[number]),
            same_world=path_of(index, first) == path_of(index, second),
        )


def _record(
    key: str, split: str, number: str, poses: dict[str, Pose], index: dict[str, Any]
) -> Record:
    other = {"path": path_of(index, number), "frame": int(index[number][2])}
    return Record(key=key, source="posefix", split=split, pose=poses[number], other=other)


def _read_pairs(
    folder: Path, texts: dict[str, list[str]], drops: Drops
) -> dict[str, tuple[str, str]]:
    """Return the two poses of each pair that has a text; the file is a list, in pairs' order."""
    listed = SOURCE.whole(folder / PAIRS, read_json)
    pairs = {}
    for number in texts:
        try:
            # a plain list in the release; an object by number is the same thing
            pair = listed[number] if isinstance(listed, dict) else listed[int(number)]
            first, second = (str(int(pose)) for pose in pair)
        except (KeyError, IndexError, ValueError, TypeError):
            drops.add(f"posefix/{number}", f"{PAIRS} has no two poses for it")
            continue
        pairs[number] = (first, second)
    return pairs


SOURCE = Source(
    name="posefix",
    about="the PoseFix release with PoseScript's index of poses beside it",
    files=(
        Expected(path=INDEX, size="11 MB"),
        Expected(path=PAIRS, size="some MB"),
        Expected(path="posefix_human*.json", size="some MB"),
        Expected(path="posefix_paraphrases*.json", size="some MB", optional=True),
        Expected(path="posefix_auto*.json", size="some 10 MB", optional=True),
        Expected(path="*_sequence_pair_ids.json", size="under 1 MB each"),
    ),
    licence="CC BY-NC-SA 4.0; AMASS has its own",
    cite="Delmas et al., PoseFix: Correcting 3D Human Poses with Natural Language, ICCV 2023",
    home="https://github.com/naver/posescript",
    read=read,
    takes=("split", "only", "amass", "texts"),
)
