"""Pictures of the studio as the records that every builder takes, one per person seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from data_builders.records import Record
from data_builders.studio.labels import HIDDEN, OUTSIDE, SEEN, StudioImage, StudioPerson
from data_builders.studio.sensor import encode_jpeg, encode_png
from data_builders.studio.studio import Studio
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints

__all__ = ["encode_jpeg", "encode_png", "records_of", "studio_records"]

LEAST_PX = 30
"""A person of whom less is seen is no record."""


def studio_records(
    studio: Studio,
    indices: Iterable[int],
    *,
    split: str = "train",
    file_of: Callable[[int], Path] | None = None,
) -> Iterator[tuple[StudioImage, list[Record]]]:
    """Yield each picture with the records of the people in it.

    `file_of` says in which file the picture will be found; the caller writes it there.
    """
    for index in indices:
        image = studio.sample(index)
        yield image, records_of(image, split=split, file=file_of(index) if file_of else None)


def records_of(image: StudioImage, *, split: str, file: Path | None = None) -> list[Record]:
    """Return one record per person of whom enough is seen."""
    return [
        Record(
            key=f"{image.key}#{person.number}",
            source="studio",
            split=split,
            pose=person.pose,
            image=file,
            box=person.box,
            camera=image.camera,
            keypoints_2d=_keypoints(person.whole_body_px, person.whole_body_seen),
            keypoints_3d=_keypoints(person.whole_body, None),
            label=person.label,
            other=_other(image, person),
        )
        for person in image.people
        if person.box is not None and person.seen_px >= LEAST_PX
    ]


def _keypoints(
    points: Float[np.ndarray, "133 axis"], seen: Int[np.ndarray, " 133"] | None
) -> Keypoints:
    """Return them with 1 for seen ones, 0.5 for hidden ones; those outside are missing."""
    places = torch.from_numpy(points)[None]
    if seen is None:
        return Keypoints.of(COCO_WHOLEBODY_133, places)
    scores = np.zeros(3)
    scores[[OUTSIDE, HIDDEN, SEEN]] = 0.0, 0.5, 1.0
    visible = torch.from_numpy(scores[seen])[None]
    return Keypoints.of(COCO_WHOLEBODY_133, places, visible, present=visible > 0)


def _other(image: StudioImage, person: StudioPerson) -> dict[str, str | float | int]:
    parts = {f"{c.part} - {c.other_part}" for c in person.contacts}
    return {
        "take": person.take,
        "frame": person.frame,
        "mirrored": int(person.mirrored),
        "people": len(image.people),
        "person": person.number,
        "who": "; ".join(person.phrases),
        "clothes": "; ".join(garment.words for garment in person.garments),
        "contacts": "; ".join(sorted(parts)),
        "contacts_between": "; ".join(
            f"{c.person} {c.part} - {c.other} {c.other_part}"
            for c in image.contacts
            if person.number in (c.person, c.other)
        ),
        "seen_share": round(person.seen_share, 4),
        "setting": image.setting,
    }
