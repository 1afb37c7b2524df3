"""BABEL: what is done in AMASS's recordings, second by second, in the words of annotators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_builders.readers.motions import find_recording, motion_records, seconds_of
from data_builders.readers.safe_files import field_of, numbers, read_json_table
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.pose import Pose
from unipose.errors import ConfigError, UniPoseError, UnusableRecordError
from unipose.files.npz import read_npz

SPLIT_OF_FILE = {
    "train.json": "train",
    "val.json": "val",
    "extra_train.json": "train",
    "extra_val.json": "val",
}
"""test.json comes without labels."""

Span = tuple[float, float, str]
"""From, to (seconds), what is done."""


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the labelled frames of AMASS, in the order of BABEL's files.

    Raises ConfigError without `amass=`, SourceError if a file of labels is damaged.
    """
    if choice.amass is None:
        raise ConfigError("babel only labels AMASS: add ?amass=FOLDER")
    for name, split in SPLIT_OF_FILE.items():
        if not (folder / name).is_file():
            continue
        for number, entry in SOURCE.whole(folder / name, read_json_table).items():
            path = entry.get("feat_p") if isinstance(entry, dict) else None
            if isinstance(path, str) and not choice.wants(split, path.partition("/")[2]):
                continue
            try:
                yield from _sequence(entry, split, choice, drops)
            except UniPoseError as error:
                drops.add(f"babel/{name}:{number}", str(error))


def _sequence(entry: Any, split: str, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    path = str(field_of(entry, "feat_p"))
    file = find_recording(choice.amass or Path(), path)
    if file is None:
        raise UnusableRecordError(f"AMASS at {choice.amass} has no recording {path}")
    pose = read_npz(file)
    spans = read_spans(entry, length_s=seconds_of(len(pose), pose))
    if not spans:
        raise UnusableRecordError("nobody labelled this sequence")
    labels = labels_of_frames(spans, pose)
    if len(labels) < len(pose):
        drops.add(f"babel/{path}", f"{len(pose) - len(labels)} frames have no label")
    yield from motion_records(
        pose, choice, source="babel", path=path.partition("/")[2], split=split, labels=labels
    )


def read_spans(entry: Any, *, length_s: float) -> list[Span]:
    """Return what is done when; labels of the whole sequence only where no span has one.

    Takes both kinds of files: `frame_ann` (one annotator) and the extra ones' `frame_anns`.
    """
    spans = []
    for block in _blocks(entry, "frame_ann"):
        for label in field_of(block, "labels") or ():
            start, end = (float(numbers(field_of(label, n), (), n)) for n in ("start_t", "end_t"))
            text = _text(label)
            if text and end > start:
                spans.append((start, end, text))
    if spans:
        return spans
    whole = [_text(label) for b in _blocks(entry, "seq_ann") for label in field_of(b, "labels")]
    return [(0.0, length_s, text) for text in whole if text]


def _blocks(entry: Any, name: str) -> list[Any]:
    """Return one annotator's block, or several, of those that are there."""
    one, several = entry.get(name), entry.get(f"{name}s")
    return [block for block in [one, *(several or ())] if block]


def _text(label: Any) -> str:
    """Return the annotator's own words, or the cleaned ones where they are all there is."""
    return str(label.get("raw_label") or label.get("proc_label") or "").strip()


def labels_of_frames(spans: list[Span], pose: Pose) -> dict[int, str]:
    """Return the label of each frame that has one; things done at once are joined by "and".

    spans (0, 1, walk) and (0.5, 2, wave), 2 frames per second
    frame 0: walk   1: walk and wave   2: walk and wave   3: wave   4: wave
    """
    labels = {}
    for frame in range(len(pose)):
        second = seconds_of(frame, pose)
        texts = dict.fromkeys(text for start, end, text in spans if start <= second <= end)
        if texts:
            labels[frame] = " and ".join(texts)
    return labels


SOURCE = Source(
    name="babel",
    about="BABEL's release: train.json, val.json, and the extra ones (one annotator each)",
    files=(
        Expected(path="train.json", size="some 10 MB"),
        Expected(path="val.json", size="some MB"),
        Expected(path="extra_train.json", size="some 10 MB", optional=True),
        Expected(path="extra_val.json", size="some MB", optional=True),
    ),
    licence="BABEL licence: non-commercial research, registration; AMASS has its own",
    cite="Punnakkal et al., BABEL: Bodies, Action and Behavior with English Labels, CVPR 2021",
    home="https://babel.is.tue.mpg.de",
    read=read,
    takes=("split", "only", "fps", "amass"),
)
