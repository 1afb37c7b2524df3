"""What a build of ImageScript and ImageDiff is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from data_builders.engine import Place
from data_builders.imagescript.schema import SPLITS
from data_builders.studio.config import StudioConfig
from unipose.errors import ConfigError
from unipose.posecodes.positions import Extra
from unipose.priors.open_chat_model import ChatModelConfig

COUNTS = {
    "human36m.train": 15_000,
    "mpi_inf_3dhp.train": 25_000,
    "coco.train": 5_000,
    "mpii.train": 5_000,
    "3dpw.test": 2_000,
    "studio.train": 4_250,
    "studio.val": 250,
    "studio.test": 500,
}
"""UniPose's (supplement A.1), and 5,000 pictures of our own studio."""


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """Where pictures come from, how many are taken, and what is written about them."""

    out: Path
    """Folder of the data sets; a run that was stopped goes on in it."""
    source: tuple[str, ...]
    """NAME=FOLDER?option=value, as docs/sources.md lists them, or studio=FOLDER with a folder of
    recorded poses (studio=FOLDER?poses=amass if it is not one with a manifest)."""
    counts: tuple[str, ...] = ()
    """Pictures by source and split: "coco.train=5000"; a source without any has those of COUNTS."""
    seed: int = 0
    orientation: Literal["zero", "yaw"] = "zero"
    """The frame of captions: every body upright and to the front (UniPose), or only turned to the
    front, so that lying and leaning stay (PoseScript)."""
    extras: tuple[Extra, ...] = ()
    """What captions speak of beyond the usual: "lying", "lean"."""
    say_unseen: bool = False
    """Speak of joints that lie outside of the picture too."""
    least_seen: float = 0.35
    """A person of whom a smaller share is seen (where that is known) is no sample."""
    margin: float = 1.5
    """A picture is cut to a square this much larger than the person's box; 0: it stays whole."""
    picture_px: int = 448
    """Larger pictures are made smaller."""
    pairs: bool = True
    """Make ImageDiff too."""
    reasoning: bool = True
    """Make the set of pictures with several people, and who is meant, too."""
    refined: float = 0.125
    """Share of the training rows that are refined (UniPose: 6,250 of 50,000); of the other splits
    all are."""
    writer: ChatModelConfig = field(default_factory=ChatModelConfig)
    """Who refines; the rules by default."""
    pool: float = 3.0
    """The studio looks at this many scenes per picture asked for, to choose from."""
    spare: float = 0.12
    """Share of pictures chosen beyond those asked for, to stand in for files that are broken and
    for pairs of which nothing can be said."""
    studio: StudioConfig = field(default_factory=StudioConfig)
    body: Path | None = None
    """A licensed SMPL file; the open body by default."""
    gallery: int = 100
    """Samples on the page to look at."""
    chunk: int = 200
    """Pictures of a task."""
    rows_per_file: int = 1000
    place: Annotated[Place, tyro.conf.arg(name="")] = field(default_factory=Place)
    """Where the work is done; it does not change a byte of what is made."""

    def __post_init__(self) -> None:
        if not self.source:
            raise ConfigError("name at least one --source NAME=FOLDER")
        self.counted()
        if "head" in self.extras:
            raise ConfigError("how the head is held is not known of keypoints; leave out 'head'")
        for name in ("least_seen", "refined", "spare"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.margin and self.margin < 1:
            raise ConfigError(f"a margin below 1 cuts people; got {self.margin} (0: no cutting)")
        if min(self.pool, self.chunk, self.rows_per_file, self.gallery) < 1 or self.picture_px < 32:
            raise ConfigError("pool, chunk, rows_per_file, gallery or picture_px is too small")

    def counted(self) -> dict[str, int]:
        """Return the pictures asked for by source and split, ours where nothing is said."""
        found: dict[str, int] = {}
        for text in self.counts:
            name, _, count = text.partition("=")
            source, _, split = name.rpartition(".")
            if not source or split not in SPLITS or not count.isdigit():
                raise ConfigError(f"counts are like coco.train=5000, got {text!r}")
            found[name] = int(count)
        given = {name.rpartition(".")[0] for name in found}
        return {n: c for n, c in COUNTS.items() if n.rpartition(".")[0] not in given} | found
