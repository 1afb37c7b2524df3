"""The studio as a source: its scenes can be looked through before a picture is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_builders.imagescript.pictures import LEAST_JOINTS
from data_builders.imagescript.plan import StudioRequest
from data_builders.imagescript.schema import SPLITS
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from data_builders.records import Record
from data_builders.studio import Motions, Studio, StudioConfig, StudioImage, StudioPerson
from data_builders.studio.labels import OUTSIDE
from data_builders.studio.motions import Take
from data_builders.studio.records import LEAST_PX
from unipose.body.body import load_body
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import FileError
from unipose.files.atomic import written_whole

FPS = 30.0
"""Of the poses that the studio shows; a fifth of AMASS's 120 would do as well."""


def keep_motions(request: StudioRequest, split: str, path: Path) -> Drops:
    """Read the recorded poses of a split once, and keep them where all workers find them.

    Returns what was left out of them.
    """
    drops = Drops()
    if request.poses == "mocap":
        motions = Motions.read(request.folder, split, fps=FPS)
    else:
        records = open_source(f"{request.poses}={request.folder}?split={split}&fps={FPS:g}", drops)
        takes = [
            _take(name, list(some))
            for name, some in groupby(
                (r for r in records if isinstance(r, Record)),
                key=lambda r: r.key.rpartition(":")[0],
            )
        ]
        motions = Motions(takes, fps=FPS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        np.savez(
            temporary,
            names=np.array([take.name for take in motions.takes]),
            labels=np.array([take.label for take in motions.takes]),
            sources=np.array([take.source for take in motions.takes]),
            partners=np.array([take.partner for take in motions.takes]),
            ends=motions.ends,
            rotations=np.concatenate([take.rotations for take in motions.takes]),
            paths=np.concatenate([take.path for take in motions.takes]),
        )
    return drops


def _take(name: str, records: list[Record]) -> Take:
    poses = [record.pose for record in records if record.pose is not None]
    still = np.zeros((1, 3))
    return Take(
        name=name,
        label=records[0].label,
        source=records[0].source,
        rotations=np.concatenate([pose.rotations.numpy() for pose in poses]).astype(np.float32),
        path=np.concatenate(
            [still if p.translation is None else p.translation.double().numpy() for p in poses]
        ),
    )


def kept_motions(path: Path) -> Motions:
    """Return what `keep_motions` wrote. Raises FileError if it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            rows = {name: kept[name] for name in kept.files}
    except (OSError, ValueError) as error:
        raise FileError(path, f"holds no motions ({error}).", "Delete it, run again.") from error
    starts = [0, *rows["ends"][:-1]]
    takes = [
        Take(
            name=str(rows["names"][i]),
            label=str(rows["labels"][i]),
            source=str(rows["sources"][i]),
            rotations=rows["rotations"][start:end],
            path=rows["paths"][start:end],
            partner=int(rows["partners"][i]),
        )
        for i, (start, end) in enumerate(zip(starts, rows["ends"], strict=True))
    ]
    return Motions(takes, fps=FPS)


@lru_cache(maxsize=3)
def open_studio(config: StudioConfig, motions: Path, split: str, body: Path | None) -> Studio:
    """Return the studio of a split; a worker opens it once for all its tasks.

    Each split has a seed of its own, so that keys tell pictures of different splits apart.
    """
    seeded = replace(config, seed=len(SPLITS) * config.seed + SPLITS.index(split))
    return Studio(seeded, kept_motions(motions), load_body(body))


def candidates_in(
    studio: Studio, scenes: range, least_seen: float, drops: Drops
) -> Iterator[tuple[str, Float[np.ndarray, "24 3 3"]]]:
    """Yield key and local rotations of each person in some scenes who can be seen well enough.

    The pictures are taken for that and thrown away: taking one again is cheaper than keeping it.
    """
    for index in scenes:
        image = studio.sample(index)
        for person in image.people:
            key = f"{image.key}#{person.number}"
            if well_seen(person, least_seen):
                yield key, person.rotations
            else:
                drops.add(key, "too little of the person is in the picture, or in front")


def well_seen(person: StudioPerson, least_seen: float) -> bool:
    """Return whether enough of a person is in the picture, and in front, to speak of the pose."""
    return (
        person.box is not None
        and person.seen_px >= LEAST_PX
        and person.seen_share >= least_seen
        and int((person.joints_seen[:POSED_JOINTS] != OUTSIDE).sum()) >= LEAST_JOINTS
    )


def take_picture(studio: Studio, key: str) -> tuple[StudioImage, int]:
    """Return the picture that a key names, and the number of the person who is meant."""
    place, _, number = key.rpartition("#")
    return studio.sample(int(place.rpartition("/")[2])), int(number)
