"""People in held-out pictures, with the pose that whoever looks at them sees.

Two sources: the studio, which takes pictures of test recordings with a seed that no training has,
and a folder that `python -m data_builders.imagescript` wrote. A pose is the one in the square
around the person's box: its world has x to the right of the picture, y up, z towards the viewer,
which is what an assistant and a mesh recovery network are asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import roma
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from data_builders.studio import Studio, StudioImage, StudioPerson
from data_builders.studio.labels import is_well_seen
from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import ConfigError, MissingFileError
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery_protocol import LEVEL

LARGEST_SHARE = 4
"""Pictures that are taken for each person asked for, at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenPerson:
    """One person in one picture; pixels are None where only the pose was asked for."""

    key: str
    pixels: UInt8[np.ndarray, "height width 3"] | None
    box: tuple[float, float, float, float]
    """Left, top, right, bottom (pixels)."""
    rotations: Float[Tensor, "24 3 3"]
    betas: Float[Tensor, " 10"] | None
    """None where they are not known, or are those of another body."""


def studio_people(studio: Studio, count: int) -> list[SeenPerson]:
    """Return the first `count` people of the studio's pictures who are seen well enough.

    Raises ConfigError if the studio hardly shows anybody.
    """
    found: list[SeenPerson] = []
    for index in range(LARGEST_SHARE * count):
        image = studio.sample(index)
        found += [
            person_of_studio(image, person) for person in image.people if is_well_seen(person)
        ]
        if len(found) >= count:
            return found[:count]
    raise ConfigError(f"{LARGEST_SHARE * count} pictures show only {len(found)} people well")


def person_of_studio(image: StudioImage, person: StudioPerson) -> SeenPerson:
    """Return a person of a picture, who has a box, as whoever looks at them sees them."""
    assert person.box is not None  # those seen well have one
    height, width = image.pixels.shape[:2]
    camera = image.camera
    centre = (width / 2 + camera.centre[0] * height, height / 2 + camera.centre[1] * height)
    return SeenPerson(
        key=f"{image.key}#{person.number}",
        pixels=image.pixels,
        box=person.box,
        rotations=as_seen(
            torch.from_numpy(person.rotations).float(),
            torch.from_numpy(person.root_in_camera).float(),
            person.box,
            camera.focal * height,
            centre,
        ),
        betas=torch.from_numpy(person.betas).float(),
    )


def built_people(
    folder: Path, body: Body, *, split: str, count: int, seed: int, pixels: bool = True
) -> list[SeenPerson]:
    """Return up to `count` people of an ImageScript folder whose pose is known, drawn by `seed`.

    Without `pixels` no picture is decoded. Raises MissingFileError if the split is not there,
    ConfigError if it knows nobody's pose in the picture.
    """
    files = sorted((folder / "imagescript-a").glob(f"{split}-*.parquet"))
    if not files:
        raise MissingFileError(
            folder,
            f"there are no pictures of the split {split!r} here.",
            "Build them with python -m data_builders.imagescript.",
        )
    known = [row for row in _rows(files, ["key", "person"]) if _has_pose(row["person"])]
    if not known:
        raise ConfigError(f"{folder}: nobody's pose is known in the split {split!r}")
    order = np.random.default_rng(seed).permutation(len(known))[:count]
    chosen = {known[i]["key"]: known[i]["person"] for i in sorted(order)}
    if not pixels:
        return [_of_row(key, person, None, body) for key, person in chosen.items()]
    return [
        _of_row(row["key"], chosen[row["key"]], row["image"]["bytes"], body)
        for row in _rows(files, ["key", "image"])
        if row["key"] in chosen
    ]


def _rows(files: Sequence[Path], columns: list[str]) -> Iterator[dict[str, Any]]:
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64, columns=columns):
                yield from batch.to_pylist()


def _has_pose(person: dict[str, Any]) -> bool:
    needed = ("pose", "root_in_camera", "focal_px", "centre_px", "box")
    return all(person[name] is not None for name in needed)


def _of_row(key: str, person: dict[str, Any], image: bytes | None, body: Body) -> SeenPerson:
    box = (person["box"][0], person["box"][1], person["box"][2], person["box"][3])
    shaped = person["betas"] is not None and person["body"] == body.id
    return SeenPerson(
        key=key,
        pixels=None if image is None else np.array(Image.open(io.BytesIO(image)).convert("RGB")),
        box=box,
        rotations=as_seen(
            roma.rotvec_to_rotmat(torch.tensor(person["pose"])),
            roma.rotvec_to_rotmat(torch.tensor(person["root_in_camera"])[None])[0],
            box,
            person["focal_px"][0],
            person["centre_px"],
        ),
        betas=torch.tensor(person["betas"]) if shaped else None,
    )


def as_seen(
    local: Float[Tensor, "24 3 3"],
    root_in_camera: Float[Tensor, "3 3"],
    box: Sequence[float],
    focal_px: float,
    centre_px: Sequence[float],
) -> Float[Tensor, "24 3 3"]:
    """Return the pose as it looks in the square around the box, its root's world y up.

    A crop does not know where in the picture it was cut out: whoever stands at the edge is seen
    from the side (`Crops.turns`).
    """
    crops = Crops.around(torch.tensor([list(box)], dtype=torch.float32))
    centre = torch.tensor([list(centre_px)], dtype=torch.float32)
    turn = crops.turns(torch.tensor([float(focal_px)]), centre)[0]
    return torch.cat([(LEVEL @ turn.mT @ root_in_camera)[None], local[1:]])


def poses_of(people: Sequence[SeenPerson]) -> Pose:
    """Return their poses as one batch, without shapes."""
    return Pose(rotations=torch.stack([person.rotations for person in people]))


def mean_rotations(rotations: Float[Tensor, "pose 24 3 3"]) -> Float[Tensor, "24 3 3"]:
    """Return the mean pose: 6D entries are averaged as they are, then made rotations again."""
    return rotations_from_6d(rotations_to_6d(rotations).mean(dim=0))
