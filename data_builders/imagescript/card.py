"""The card of a built data set: what is in it, whose pictures they are, how to load it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from huggingface_hub import DatasetCardData

from data_builders.imagescript.schema import FEATURES, KINDS, SPLITS
from data_builders.posecodes.diversity import TextFigures, figures_table
from data_builders.readers.source import Source
from data_builders.records import Dropped
from unipose.errors import ConfigError, FileError
from unipose.files.atomic import written_whole

POINTS = (5, 50, 95)
"""Percentiles that the card gives of the pairs."""

LICENCE_IDS = {"cc by 4.0": "cc-by-4.0", "cc0": "cc0-1.0", "apache-2.0": "apache-2.0", "mit": "mit"}
"""What the Hub calls the licences that a source may have alone; every other is "other"."""

ABOUT = {
    "imagescript-a": "a picture of a person and three automatic descriptions of the pose",
    "imagescript-r": "the same with one description that a language model (or rules) made shorter",
    "imagediff-a": "two pictures and automatic texts on how the first pose becomes the second",
    "imagediff-r": "the same with texts that a language model (or rules) made shorter",
    "reasoning": "a picture of several people, words for one of them, and that one's pose",
}


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """One source as the card names it."""

    name: str
    about: str
    licence: str
    cite: str
    home: str
    counts: Mapping[str, Mapping[str, int]]
    """Records by configuration and split; a pair counts once."""

    @classmethod
    def of(cls, source: Source, counts: Mapping[str, Mapping[str, int]]) -> SourceFacts:
        """Return the facts of a public source."""
        return cls(
            name=source.name,
            about=source.about,
            licence=source.licence,
            cite=source.cite,
            home=source.home,
            counts=counts,
        )

    def count(self, config: str, split: str) -> int:
        """Return how many records of a configuration's split are of this source."""
        return self.counts.get(config, {}).get(split, 0)


@dataclass(frozen=True, kw_only=True)
class PairFigures:
    """How alike the two poses of pairs are: 5, 50 and 95 % points."""

    pairs: int
    similarity: tuple[float, float, float]
    differences: tuple[float, float, float]

    @classmethod
    def of(cls, similarity: Sequence[float], differences: Sequence[int]) -> PairFigures:
        """Return the figures of pairs. Raises ConfigError if there is none, or not one of each."""
        if not len(similarity) or len(similarity) != len(differences):
            raise ConfigError(
                f"expected a similarity and a count of differences per pair, got {len(similarity)} "
                f"and {len(differences)}"
            )
        points = [np.percentile(values, POINTS).tolist() for values in (similarity, differences)]
        return cls(pairs=len(similarity), similarity=tuple(points[0]), differences=tuple(points[1]))


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """Everything the card says that the files do not say themselves."""

    sources: tuple[SourceFacts, ...]
    texts: Mapping[str, TextFigures] = field(default_factory=dict)
    """By the name of the row: "imagescript-a, plain"."""
    pairs: Mapping[str, PairFigures] = field(default_factory=dict)
    """By configuration."""
    dropped: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    """The commonest reasons to leave a record out, and how often; see `common_reasons`."""
    seed: int = 0
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Of the builder, by name."""
    unipose: str
    """Version of unipose that built the data set."""
    name: str = "ImageScript and ImageDiff"

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("a card needs at least one source")
        unknown = {config for source in self.sources for config in source.counts} - set(FEATURES)
        if unknown:
            raise ConfigError(f"unknown configurations {sorted(unknown)}; there are {[*FEATURES]}")


def common_reasons(dropped: Iterable[Dropped], *, most: int = 8) -> tuple[tuple[str, int], ...]:
    """Return the commonest reasons; those that differ only in numbers or paths count as one.

    "/data/a.jpg: 12 px high" and "/data/b.jpg: 9 px high" are both "…: … px high".
    """
    counts = Counter(_without_particulars(drop.reason) for drop in dropped)
    return tuple(counts.most_common(most))


def write_card(folder: Path, facts: CardFacts) -> Path:
    """Write README.md beside the Parquet files that lie in `folder`, and return its path.

    Raises FileError if there is no Parquet file, or other counts of rows than the facts state.
    """
    rows = _rows_written(folder)
    for config, splits in rows.items():
        for split, written in splits.items():
            stated = sum(source.count(config, split) for source in facts.sources)
            if stated != written:
                raise FileError(
                    folder / config,
                    f"{split} holds {written} rows, the sources' counts sum to {stated}.",
                    "Build the data set again into an empty folder.",
                )
    parts = [
        f"---\n{_header(rows, facts)}\n---\n\n# {facts.name}",
        _opening(rows),
        _counts(rows, facts),
        _loading(rows),
        _columns(),
        _sources(facts),
        _statistics(facts),
        _left_out(facts),
        _LIMITS,
        _rebuilding(facts),
    ]
    path = folder / "README.md"
    with written_whole(path) as temporary:
        temporary.write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")
    return path


def _rows_written(folder: Path) -> dict[str, dict[str, int]]:
    """Return the rows of each configuration's splits; of what is not there, nothing."""
    rows: dict[str, dict[str, int]] = {}
    for config in FEATURES:
        for split in SPLITS:
            files = sorted((folder / config).glob(f"{split}-*.parquet"))
            if files:
                total = sum(pq.read_metadata(file).num_rows for file in files)
                rows.setdefault(config, {})[split] = total
    if not rows:
        raise FileError(
            folder,
            "holds no Parquet files; expected CONFIGURATION/SPLIT-*.parquet.",
            "Write the records before the card.",
        )
    return rows


def _header(rows: Mapping[str, Mapping[str, int]], facts: CardFacts) -> str:
    """Return the YAML that the `datasets` library and the Hub read."""
    total = sum(sum(splits.values()) for splits in rows.values())
    licences = {source.licence for source in facts.sources}
    licence = LICENCE_IDS.get(min(licences).lower(), "other") if len(licences) == 1 else "other"
    configs = [
        {
            "config_name": config,
            "data_files": [
                {"split": split, "path": f"{config}/{split}-*.parquet"} for split in splits
            ],
        }
        for config, splits in rows.items()
    ]
    configs[0]["default"] = True
    return DatasetCardData(
        pretty_name=facts.name,
        language="en",
        license=licence,
        license_name="by-source" if licence == "other" else None,
        task_categories=["image-to-text", "image-text-to-text", "keypoint-detection"],
        size_categories=_size(total),
        annotations_creators="machine-generated",
        tags=["human-pose", "3d", "smpl", "captions"],
        configs=configs,
    ).to_yaml()


def _size(rows: int) -> str:
    for most, name in ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K")):
        if rows < most:
            return name
    return "100K<n<1M" if rows < 10**6 else "1M<n<10M"


def _opening(rows: Mapping[str, Mapping[str, int]]) -> str:
    listed = "\n".join(
        f"- **{config}** ({sum(splits.values()):,}): {ABOUT[config]}"
        for config, splits in rows.items()
    )
    return (
        "Pictures of people, their 3D pose, and texts about the pose in plain English, made by the "
        f"data builders of UniPose.\n\n{listed}\n\n"
        "`gallery.html` shows a sample of all of it, with keypoints and poses drawn; it opens in "
        "any browser, without a network."
    )


def _counts(rows: Mapping[str, Mapping[str, int]], facts: CardFacts) -> str:
    names = [source.name for source in facts.sources]
    lines = _head("configuration", "split", *names, "all")
    for config, splits in rows.items():
        for split, total in splits.items():
            counts = [f"{source.count(config, split):,}" for source in facts.sources]
            lines.append(_row(config, split, *counts, f"**{total:,}**"))
    return "## Sizes\nRecords by configuration, split and source.\n\n" + "\n".join(lines)


def _loading(rows: Mapping[str, Mapping[str, int]]) -> str:
    config, splits = next(iter(rows.items()))
    column = "texts" if config.startswith("imagediff") else "captions"
    return f"""## How to load
```python
from datasets import load_dataset

data = load_dataset("PATH/OF/THIS/FOLDER", "{config}")          # {", ".join(splits)}
row = data["{next(iter(splits))}"][0]
print(row["{column}"][0])

streamed = load_dataset("PATH/OF/THIS/FOLDER", "{config}", streaming=True)
```"""


def _columns() -> str:
    kinds = ", ".join(KINDS["imagescript-a"])
    return f"""## Columns
`captions` of imagescript-a are three, in this order: {kinds}. A person, the same everywhere:

| column | what it is |
|---|---|
| `box` | left, top, right, bottom of the person, pixels of the stored picture |
| `pose` | 24 rotations of SMPL's joints as axis-angle, local, the root's in the world; null where \
the source knows joints only |
| `betas`, `body` | shape, and the body it belongs to: shapes of different bodies are never mixed |
| `root_in_camera` | the root's rotation with the camera's axes (x right, y down, z ahead) |
| `translation` | metres, in the world; y is up |
| `focal_px`, `centre_px` | the camera, pixels of the stored picture |
| `joints` | SMPL's first 22 joints, metres, in the body's frame: x to its left, y up, z to its \
front; NaN where not known |
| `keypoints_2d` | names, pixels, and `visible`: 1 seen, 0.5 hidden, 0 not known (NaN) |
| `label` | what the source calls the action |
| `contacts` | parts that touch: "left hand - left thigh" |

A pair has `image_a`, `image_b`, `person_a`, `person_b`; its `texts` say how A becomes B. With
`same_world` both are of one recording, and a turn of the whole body between them means something.
In reasoning, `people` counts those in the picture, and each phrase of `who` fits this person and
nobody else."""


def _sources(facts: CardFacts) -> str:
    lines = _head("source", "about", "licence", "cite", "home")
    lines += [_row(s.name, s.about, s.licence, s.cite, s.home) for s in facts.sources]
    return (
        "## Sources and licences\nEach picture and pose stays under the licence of its source; the "
        "column `source` says which that is.\nWhoever passes records on is bound by it.\n\n"
    ) + "\n".join(lines)


def _statistics(facts: CardFacts) -> str:
    parts = []
    if facts.texts:
        table = figures_table(dict(facts.texts)).replace("| PoseScript-", "| *theirs:* PoseScript-")
        parts.append(
            "### Texts\nThe rows of PoseScript are theirs, as published or derived from published "
            "file sizes, not measured here;\nthe vocabulary of A2 counts that of H and of action "
            "labels too. Shares of distinct n-grams fall\nas a set grows: compare sets of equal "
            f"size.\n\n{table}"
        )
    if facts.pairs:
        lines = _head("pairs", "count", "similarity 5 / 50 / 95 %", "differences 5 / 50 / 95 %")
        for config, figures in facts.pairs.items():
            alike = " / ".join(f"{value:.3f}" for value in figures.similarity)
            apart = " / ".join(f"{value:.0f}" for value in figures.differences)
            lines.append(_row(config, f"{figures.pairs:,}", alike, apart))
        parts.append(
            "### Pairs\nSimilarity is the cosine of the two poses' features, differences count the "
            "elementary posecodes (of 77)\nthat fall into other bands.\n\n" + "\n".join(lines)
        )
    return "\n\n".join(["## Statistics", *parts]) if parts else ""


def _left_out(facts: CardFacts) -> str:
    text = f"## Left out\n{facts.dropped:,} records were left out; `dropped.jsonl` names each."
    if not facts.reasons:
        return text
    lines = _head("commonest reasons", "records")
    lines += [_row(_without_paths(reason), f"{count:,}") for reason, count in facts.reasons]
    return f"{text}\n\n" + "\n".join(lines)


_LIMITS = """## Limits
- Captions are by rules: posecodes read them off the 3D joints. They are true of the joints within \
the rules' thresholds, and never speak of clothes, objects, mood or what an action is for.
- The R configurations are shortened versions of the same; `by` says who wrote them. No person \
wrote or checked each text.
- Pictures of the source `studio` are renders of recorded movements, not photographs: people, \
clothes and rooms are synthetic. Expect a model trained on them alone to do worse on photographs.
- Where a source knows no rotations (`pose` is null), joints come from its own landmarks, and what \
these do not tell is NaN and not spoken of.
- Boxes, keypoints and poses are as right as their source; fitted poses of photographs can be off.
- Who was recorded, and where, is the sources' choice: they do not stand for everybody. Do not use \
this to judge a person."""


def _rebuilding(facts: CardFacts) -> str:
    lines = _head("setting", "value")
    lines += [_row("unipose", facts.unipose), _row("seed", facts.seed)]
    lines += [_row(name, _without_paths(str(value))) for name, value in facts.settings.items()]
    return (
        "## How it was built\nThe same version, sources and settings give the same bytes, but for "
        "texts that a language model\nwrote: `by` names it.\n\n"
    ) + "\n".join(lines)


def _head(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _row(*cells: object) -> str:
    """Return a row of a Markdown table; no cell can leave its place or become HTML."""
    safe = [" ".join(str(cell).split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells]
    return f"| {' | '.join(safe)} |"


_FOLDERS = re.compile(r"(?<![\w:/])/(?:[^\s/'\",:]+/)+")


def _without_paths(text: str) -> str:
    """Shorten paths to the name of the file: the card is for strangers."""
    return _FOLDERS.sub("…/", text)


def _without_particulars(reason: str) -> str:
    shorter = re.sub(r"(?<!\w)/\S+?(?=[:,;]?(?:\s|$))", "…", reason)
    return re.sub(r"(?<![\w.])-?\d[\d.,]*\d|(?<![\w.])-?\d", "…", shorter)
