"""A few held-out people as a reader sees them: picture, estimated pose, true pose, what is said.

They are the first that come, not chosen. Both poses are drawn with the mean shape, from where the
picture was taken, at one scale. A model without eyes is shown recorded poses, and describes them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from data_builders.mocap import read_manifest
from eval.estimation import EstimationOptions, errors_mm, held_out_people
from eval.pictures import SeenPerson
from eval.program import select, track
from eval.truth import draw_poses, read_sparsely
from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.pose import Pose
from unipose.errors import PoseParseError
from unipose.files.atomic import written_whole
from unipose.render.drawing import (
    FIELD_OF_VIEW,
    Viewpoint,
    draw_mesh,
    draw_pose,
    frame,
    grounded_shift,
    tile,
)
from unipose.vision.crops import Crops

SIDE_PX = 224
QUALITY = 82
"""Of WebP: some 10 KB for a row of three."""
TOWARDS_VIEWER = Viewpoint(
    towards_camera=torch.tensor([0.0, 0.0, 1.0]),
    towards_sun=torch.nn.functional.normalize(torch.tensor([-0.5, 0.9, 0.6]), dim=0),
)
"""A level camera before whoever faces the front, as the poses of crops are meant."""
NOBODY = (226, 226, 224)


@runtime_checkable
class ExampleModel(Protocol):
    """Who describes poses, and people in pictures if it sees."""

    def describe(
        self, shown: Pose | np.ndarray, *, box: tuple[float, float, float, float] | None = None
    ) -> str:
        """Return a text."""
        ...

    def estimate(self, image: np.ndarray, *, box: tuple[float, float, float, float]) -> Pose:
        """Return one pose; PoseParseError if it is none."""
        ...


def show(
    model: ExampleModel, options: EstimationOptions, folder: Path, body: Body, *, sees: bool
) -> dict[str, Any]:
    """Write `options.people` pictures into the folder; return their names and what was said."""
    if sees:
        shown = show_people(model, held_out_people(options, body), folder, body)
    else:  # as many recordings as poses, or all of them would have to be read
        some = select(read_manifest(options.data), replace(options, limit=options.people))
        poses = draw_poses(read_sparsely(some), options.people, seed=options.seed)
        shown = show_poses(model, poses, folder, body)
    return {"split": options.split, "seed": options.seed, "sees": sees, "shown": shown}


def show_people(
    model: ExampleModel, people: list[SeenPerson], folder: Path, body: Body
) -> list[dict[str, Any]]:
    """Write a row of three pictures per person: their crop, the estimated and the true pose."""
    rows = []
    for i, person in enumerate(track(people, "drawing people")):
        assert person.pixels is not None
        answer = error = None
        try:
            answer = model.estimate(person.pixels, box=person.box)
            error = errors_mm([answer], [person], person.rotations, body)["mpjpe_mm"]
        except PoseParseError:
            pass  # the row shows that there is no pose
        said = model.describe(person.pixels, box=person.box)
        file = _save(row_of(person, answer, body), folder, f"report_person_{i + 1}.webp")
        rows.append({"file": file, "said": said, "mpjpe_mm": error})
    return rows


def show_poses(model: ExampleModel, poses: Pose, folder: Path, body: Body) -> list[dict[str, Any]]:
    """Write a picture of each pose."""
    rows = []
    for i in track(range(len(poses)), "drawing poses"):
        said = model.describe(poses[i])
        file = _save(draw_pose(poses[i], body, size=SIDE_PX), folder, f"report_pose_{i + 1}.webp")
        rows.append({"file": file, "said": said})
    return rows


def row_of(
    person: SeenPerson, answer: Pose | None, body: Body
) -> UInt8[np.ndarray, "height width 3"]:
    """Return crop, estimated and true pose side by side; a grey panel where none was answered."""
    assert person.pixels is not None
    crops = Crops.around(torch.tensor([list(person.box)], dtype=torch.float32))
    crop = crops.cut(torch.from_numpy(np.array(person.pixels)), SIDE_PX)[0]
    picture = crop.movedim(0, 2).round().clamp(0, 255).to(torch.uint8).numpy()
    if answer is None:
        nobody = np.full((SIDE_PX, SIDE_PX, 3), NOBODY, dtype=np.uint8)
        drawn = [nobody, *as_viewed(person.rotations[None], body)]
    else:
        drawn = as_viewed(torch.stack([answer.rotations[0].float(), person.rotations]), body)
    names = ("the picture", "no pose was answered" if answer is None else "estimated", "true")
    return tile([picture, *drawn], 3, names)


def as_viewed(
    rotations: Float[Tensor, "pose 24 3 3"], body: Body
) -> list[UInt8[np.ndarray, "height width 3"]]:
    """Draw poses on the floor from where their picture was taken, all at one scale."""
    with torch.no_grad():
        shift = grounded_shift(body, Pose(rotations=rotations))
        meshes = body(rotations, None, shift).vertices
    target, distance = frame(meshes, TOWARDS_VIEWER, 1.0)
    place = target + TOWARDS_VIEWER.towards_camera * distance
    camera = Camera.look_at(place, target, field_of_view=FIELD_OF_VIEW)
    return [
        draw_mesh(mesh, body, camera, TOWARDS_VIEWER, size=(SIDE_PX, SIDE_PX), supersample=2)
        for mesh in meshes
    ]


def _save(pixels: UInt8[np.ndarray, "height width 3"], folder: Path, name: str) -> str:
    with written_whole(folder / name) as path:
        Image.fromarray(pixels).save(path, format="WEBP", quality=QUALITY)
    return name
