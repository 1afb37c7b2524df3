"""What training draws from: any sources of poses and texts, each as often as its share says.

A source is written as the builders write it (`readers.registry`), with one option more:

posescript=/data/posescript?amass=/data/AMASS&texts=automatic&share=70
posefix=/data/posefix?amass=/data/AMASS&texts=automatic&share=93
imagescript=/data/imagescript?texts=refined          a folder that data_builders.imagescript wrote

Shares count beside each other (1 without the option). Which split is read is the trainer's choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from rich.progress import track
from torch import Tensor

from data_builders.annotated_poses import AnnotatedPair, AnnotatedPoses
from data_builders.built_records import BUILT, read_built
from data_builders.mixed_talk import MixedTalk
from data_builders.pose_pool import PosePool
from data_builders.pose_talk import PoseTalk, TalkConfig
from data_builders.readers.registry import SOURCES, Request, request_of, split_request
from data_builders.readers.source import Drops
from data_builders.records import Record, RecordPair
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, EmptySourceError
from unipose.language.vocabulary import Vocabulary

CHUNK = 4096
"""Poses that are put together at a time: many small tensors take several times their size."""


@dataclass(frozen=True, kw_only=True)
class TrainingSource:
    """A source that training draws from."""

    share: float
    folder: Path
    request: Request | None
    """None for a built ImageScript."""
    refined: bool = False
    """Take a built ImageScript's refined texts in place of its automatic ones."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return BUILT if self.request is None else self.request.called

    @property
    def pictured(self) -> bool:
        """Whether it has pictures."""
        return self.request is None or "pictures" in self.request.source.takes

    def read(self, split: str, drops: Drops) -> Iterator[Record | RecordPair]:
        """Yield what it has of a split. Raises what `Request.read` raises."""
        if self.request is None:
            return read_built(self.folder, split, drops, refined=self.refined)
        choice = replace(self.request.choice, split=split)
        return replace(self.request, choice=choice).read(drops)


def parse_sources(texts: Iterable[str]) -> tuple[TrainingSource, ...]:
    """Return the sources that are asked for.

    Raises ConfigError for an unknown name or option and for a share that is no number above 0.
    """
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> TrainingSource:
    name, folder, options = split_request(text, (*SOURCES, BUILT))
    written = options.pop("share", "1")
    try:
        share = float(written)
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise ConfigError(f"share must be a number above 0, got {written!r} in {text!r}")
    if "split" in options:
        raise ConfigError(
            f"training takes the split train, and val to ask about: leave split out of {text!r}"
        )
    if name != BUILT:
        return TrainingSource(share=share, folder=folder, request=request_of(name, folder, options))
    kind = options.pop("texts", "automatic")
    if options or kind not in ("automatic", "refined"):
        raise ConfigError(
            f"{BUILT} takes texts=automatic or texts=refined, and share; got {text!r}"
        )
    return TrainingSource(share=share, folder=folder, request=None, refined=kind == "refined")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPoses:
    """Poses of one split, the texts that some of their sources have, and how they are mixed."""

    pool: PosePool
    """All of them; a part per source."""
    annotated: tuple[AnnotatedPoses | None, ...] = (None,)
    """Of each part."""
    names: tuple[str, ...] = ()
    """Of the sources; none for a folder with a manifest and for made-up poses."""
    drops: Drops = field(default_factory=Drops)

    @classmethod
    def read(
        cls,
        data: Path,
        sources: Sequence[TrainingSource] = (),
        *,
        split: str = "train",
        fps: float = 30.0,
    ) -> TrainingPoses:
        """Return the poses of `sources`, or without any, of a folder with a manifest.

        "" as the folder makes poses up. `fps` is that folder's; sources have their own. Only in the
        training split has every source to have something. Raises ConfigError or EmptySourceError if
        there is nothing, and what readers raise.
        """
        if sources:
            return read_sources(sources, split)
        if data == Path():
            return cls(pool=PosePool.random(64, seed=1 if split == "train" else 2))
        return cls(pool=PosePool.read(data, split, fps=fps))

    @property
    def texts(self) -> list[str]:
        """The sources' own texts."""
        return [text for some in self.annotated if some is not None for text in some.texts]

    @property
    def report(self) -> str:
        """What there is of each source and what was left out, in lines; "" without sources."""
        whole = sum(part.share for part in self.pool.parts)
        lines = []
        for name, part, own in zip(self.names, self.pool.parts, self.annotated):
            texts = "" if own is None else f" with {len(own.texts):,} texts of their own"
            lines.append(
                f"{name}: {part.share / whole:.1%} of samples, {part.poses:,} poses{texts}"
            )
        if len(self.drops):
            lines.append(self.drops.summary())
        return "".join(f"{line}\n" for line in lines)

    def talk(
        self,
        *,
        joints_at_rest: Float[Tensor, "24 3"],
        encode: Callable[[Float[Tensor, "pose 22 3 3"]], Int[Tensor, "pose code"]],
        vocabulary: Vocabulary,
        config: TalkConfig,
    ) -> PoseTalk | MixedTalk:
        """Return what draws samples: of each source as often as its share says."""

        def of(pool: PosePool, annotated: AnnotatedPoses | None) -> PoseTalk:
            return PoseTalk(
                pool, joints_at_rest=joints_at_rest, encode=encode, vocabulary=vocabulary,
                config=config, annotated=annotated,
            )  # fmt: skip

        if not self.names:
            return of(self.pool, None)
        talks = [of(self.pool.part(i), own) for i, own in enumerate(self.annotated)]
        shares = [part.share for part in self.pool.parts]
        return MixedTalk(talks, shares, practice=of(self.pool, None))


def read_sources(sources: Sequence[TrainingSource], split: str = "train") -> TrainingPoses:
    """Return the poses and texts of a split of some sources; see `TrainingPoses.read`."""
    drops = Drops()
    found: list[tuple[TrainingSource, PosePool, AnnotatedPoses | None]] = []
    for source in sources:
        try:
            found.append((source, *_gather(source, split, drops)))
        except EmptySourceError:
            if split == "train":
                raise
    if not found:
        names = ", ".join(source.name for source in sources)
        raise ConfigError(f"none of the sources {names} has poses of the split {split!r}")
    pool = PosePool.mix([one for _, one, _ in found], [source.share for source, _, _ in found])
    annotated = [
        None if own is None else replace(own, rotations=pool.part(i).rotations)
        for i, (_, _, own) in enumerate(found)
    ]  # of the pool's memory
    names = tuple(source.name for source, _, _ in found)
    return TrainingPoses(pool=pool, annotated=tuple(annotated), names=names, drops=drops)


def _gather(
    source: TrainingSource, split: str, drops: Drops
) -> tuple[PosePool, AnnotatedPoses | None]:
    """Read one source into memory. Raises EmptySourceError if it has no pose of the split."""
    poses = _Poses()
    captions: list[tuple[int, tuple[str, ...]]] = []
    pairs: list[AnnotatedPair] = []
    before = len(drops)
    records = source.read(split, drops)
    for record in track(records, description=f"reading {source.name}", transient=True):
        both = (record.first, record.second) if isinstance(record, RecordPair) else (record,)
        if any(one.pose is None for one in both):
            drops.add(record.key, "has no pose")
        elif isinstance(record, Record):
            place = poses.add(record, in_recording=record.image is None and not record.texts)
            if record.texts:
                captions.append((place, record.texts))
        elif record.texts:
            first, second = (poses.add(one, in_recording=False) for one in both)
            pairs.append(
                AnnotatedPair(
                    first=first, second=second, texts=record.texts, same_world=record.same_world
                )
            )
        else:
            drops.add(record.key, "has no text")
    if not poses.recording:
        raise EmptySourceError(
            source.folder,
            f"{source.name} has no pose of the split {split!r}.",
            Drops(dropped=drops.dropped[before:]).summary(),
        )
    fps = 0.0 if source.request is None else source.request.choice.fps
    pool = PosePool(poses.rotations(), torch.tensor(poses.recording), fps=fps or poses.fps)
    if not captions and not pairs:
        return pool, None
    return pool, AnnotatedPoses(rotations=pool.rotations, captions=captions, pairs=pairs)


class _Poses:
    """Rotations as they come, and the recording of each."""

    def __init__(self) -> None:
        self.whole: list[Tensor] = []
        self.some: list[Tensor] = []
        self.recording: list[int] = []
        self.last = ""
        self.fps = 30.0

    def add(self, record: Record, *, in_recording: bool) -> int:
        """Keep the pose of a record and return its position; moments have keys PATH:FRAME."""
        assert record.pose is not None  # others are left out
        self.some.append(record.pose.rotations[0, :POSED_JOINTS].float())
        if len(self.some) == CHUNK:
            self._put_together()
        path = record.key.rpartition(":")[0] if in_recording else ""
        place = len(self.recording)
        goes_on = bool(path) and path == self.last
        self.recording.append(self.recording[-1] if goes_on else place)
        self.last = path
        self.fps = record.pose.fps or self.fps
        return place

    def rotations(self) -> Float[Tensor, "pose 22 3 3"]:
        """Return all of them."""
        if self.some:
            self._put_together()
        return torch.cat(self.whole)

    def _put_together(self) -> None:
        self.whole.append(torch.stack(self.some))
        self.some = []
