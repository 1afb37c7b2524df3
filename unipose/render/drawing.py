"""Pictures of poses: one, several side by side with titles, or a sheet of many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.render.shading import BodyScene, side_colours, to_bytes

View = Literal["front", "three-quarter", "side", "back"]

AZIMUTHS: dict[View, float] = {"front": 0.0, "three-quarter": 30.0, "side": 90.0, "back": 180.0}
"""Degrees from where the body faces towards its left."""

ELEVATION, LYING_ELEVATION = 12.0, 24.0
"""Degrees above the horizon; a lying body is looked down upon."""

FIELD_OF_VIEW = math.radians(26)
MARGIN = 0.88
"""Share of the picture that the body may fill."""

FRAMING_POSES = 60
"""How many poses of a sequence decide where its camera stands."""

INK, PAPER = (58, 62, 70), 248


@dataclass(frozen=True, kw_only=True, eq=False)
class Viewpoint:
    """Where a camera stands around bodies, and the floor they stand on."""

    towards_camera: Float[Tensor, "3"]
    towards_sun: Float[Tensor, "3"]


def draw_pose(
    pose: Pose,
    body: Body,
    *,
    size: int = 512,
    view: View = "three-quarter",
    heading: float | None = None,
    labels: Sequence[str] = (),
    aspect: float | None = None,
    supersample: int = 2,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one pose, or several side by side (up to 6), seen from where the first one faces.

    Left limbs are cool, right limbs are warm. Each body stands on the floor by its lowest point;
    all are drawn at the same scale. `labels` (one per pose) are written above. `size` is the
    height in pixels of the picture without the labels. `heading` is as in `stage_of`, `aspect` is
    width / height (None: what suits the poses, from 0.75 to 1.5).

    Raises ConfigError for a batch of none or of more than 6 (`contact_sheet` draws many).
    """
    if len(pose) > 6:
        raise ConfigError(f"expected at most 6 poses side by side, got {len(pose)}; use a sheet")
    return contact_sheet(
        pose,
        body,
        columns=len(pose),
        size=size,
        view=view,
        heading=heading,
        labels=labels,
        aspect=aspect,
        supersample=supersample,
    )


def contact_sheet(
    pose: Pose,
    body: Body,
    *,
    columns: int | None = None,
    size: int = 256,
    view: View = "three-quarter",
    heading: float | None = None,
    labels: Sequence[str] = (),
    aspect: float | None = None,
    colours: Sequence[Float[Tensor, "vertex 3"]] = (),
    supersample: int = 2,
    same_view: bool = True,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw every pose of a batch in a grid of pictures of `size` pixels.

    With `same_view` the camera stands where the first pose faces, so that a turn of the body is
    seen; without it every body is seen from its own front. `heading` and `aspect` are as in
    `draw_pose`; `colours` (linear light, for each pose) take the place of cool and warm limbs.

    Raises ConfigError for a batch of none or labels that do not count the poses.
    """
    if not len(pose):
        raise ConfigError("there is no pose to draw")
    if labels and len(labels) != len(pose):
        raise ConfigError(f"expected {len(pose)} labels, got {len(labels)}")
    meshes = _placed(body, pose, grounded_shift(body, pose))
    stages = [stage_of(pose[0 if same_view else i], view, heading) for i in range(len(pose))]
    aspect = panel_aspect(meshes, stages) if aspect is None else aspect
    if same_view:  # one camera for all: floors and sizes can be compared
        framing = [frame(meshes, stages[0], aspect)] * len(meshes)
    else:
        framing = [frame(m[None], stage, aspect) for m, stage in zip(meshes, stages, strict=True)]
    distance = max(distance for _, distance in framing)  # one scale for all
    width = round(size * aspect)
    panels = []
    for i, (mesh, stage, (target, _)) in enumerate(zip(meshes, stages, framing, strict=True)):
        camera = Camera.look_at(
            target + stage.towards_camera * distance, target, field_of_view=FIELD_OF_VIEW
        )
        panels.append(
            draw_mesh(
                mesh,
                body,
                camera,
                stage,
                size=(size, width),
                colours=colours[i] if colours else None,
                supersample=supersample,
            )
        )
    return tile(panels, columns or best_columns(len(panels)), labels)


def draw_sequence(
    pose: Pose,
    body: Body,
    *,
    size: int = 480,
    view: View = "three-quarter",
    supersample: int = 2,
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Draw the poses of a sequence one after the other, with a camera that goes along.

    The camera keeps its direction and its distance. With a translation the body moves over a floor
    with lines; without one each pose stands on the floor by its lowest point. Width and height of
    the pictures are even.
    """
    if not len(pose):
        raise ConfigError("there is no pose to draw")
    stage = stage_of(pose[0], view)
    shift, grid = _along_the_way(body, pose)
    sample = torch.linspace(0, len(pose) - 1, min(len(pose), FRAMING_POSES)).round().long()
    some = _placed(body, pose[sample], shift[sample])
    aspect = panel_aspect(some.reshape(1, -1, 3), [stage])
    target, distance = frame(some[:, ::4], stage, aspect)
    place = target + stage.towards_camera * distance
    camera = Camera.look_at(place, target, field_of_view=FIELD_OF_VIEW)
    height, width = 2 * round(size / 2), 2 * round(size * aspect / 2)
    for i in range(len(pose)):
        yield draw_mesh(
            _placed(body, pose[i], shift[i : i + 1])[0],
            body,
            camera,
            stage,
            size=(height, width),
            supersample=supersample,
            grid_origin=None if grid is None else grid[i],
        )


def _along_the_way(
    body: Body, pose: Pose
) -> tuple[Float[Tensor, "pose 3"], Float[Tensor, "pose 3"] | None]:
    """Return what to add to each posed body, and where the world's origin then lies.

    Without a translation the second is None and each body is put on the floor by itself.
    """
    if pose.translation is None or len(pose) == 1:
        return grounded_shift(body, pose), None
    with torch.no_grad():
        pelvis = body.joints(pose.rotations.float(), body.betas_of(pose), pose.translation)[:, 0]
    window = max(1, round(pose.fps or 1.0)) | 1
    ends = torch.nn.functional.pad(pelvis.T[None], (window // 2, window // 2), mode="replicate")
    along = torch.nn.functional.avg_pool1d(ends, window, stride=1)[0].T
    sample = torch.linspace(0, len(pose) - 1, min(len(pose), FRAMING_POSES)).round().long()
    with torch.no_grad():
        heights = body.mesh(pose[sample]).vertices[..., 1]
    shift = -along * torch.tensor([1.0, 0.0, 1.0])
    shift[:, 1] = -heights.min()
    return pose.translation + shift, shift * torch.tensor([1.0, 0.0, 1.0])


def _placed(
    body: Body, pose: Pose, shift: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch vertex 3"]:
    with torch.no_grad():
        return body(pose.rotations.float(), body.betas_of(pose), shift).vertices


def draw_mesh(
    vertices: Float[Tensor, "vertex 3"],
    body: Body,
    camera: Camera,
    stage: Viewpoint,
    *,
    size: tuple[int, int],
    supersample: int,
    colours: Float[Tensor, "vertex 3"] | None = None,
    grid_origin: Float[Tensor, "3"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one posed body on the floor y = 0 (`size` is height and width in pixels)."""
    low, high = vertices.amin(0), vertices.amax(0)
    centre = (low + high) / 2
    near_floor = vertices[vertices[:, 1] < 0.4]
    reach = (near_floor - centre)[:, [0, 2]].norm(dim=-1).max() if len(near_floor) else 0.0
    scene = BodyScene(
        vertices=vertices,
        faces=body.faces.cpu(),
        colours=side_colours(body.weights.cpu()) if colours is None else colours,
        floor_height=0.0,
        floor_centre=centre * torch.tensor([1.0, 0.0, 1.0]),
        floor_radius=float(reach) + 0.6,
        to_sun=stage.towards_sun,
        grid_origin=grid_origin,
    )
    picture = scene.draw(
        camera,
        height_px=size[0] * supersample,
        width_px=size[1] * supersample,
    )
    return to_bytes(picture, supersample=supersample).numpy()


def grounded_shift(body: Body, pose: Pose) -> Float[Tensor, "batch 3"]:
    """Return the translations that put each pelvis over the origin and each body on y = 0."""
    shifts = []
    for some in pose.rotations.float().split(64):
        betas = body.betas_of(pose)
        start = sum(len(shift) for shift in shifts)
        with torch.no_grad():
            mesh = body(some, None if betas is None else betas[start : start + len(some)])
        shift = -mesh.joints[:, 0]
        shift[:, 1] = -mesh.vertices[..., 1].amin(1)
        shifts.append(shift)
    return torch.cat(shifts)


def on_the_floor(pose: Pose, body: Body) -> Pose:
    """Return poses that stand on the floor y = 0, each by itself unless they move through a room.

    With a place in a room (`translation`) a sequence keeps its way; it starts above the origin, and
    its lowest point is on the floor.
    """
    if pose.translation is None or len(pose) == 1:
        return replace(pose, translation=grounded_shift(body, pose))
    sample = torch.linspace(0, len(pose) - 1, min(len(pose), FRAMING_POSES)).round().long()
    with torch.no_grad():
        meshes = body.mesh(pose[sample])
    start = meshes.joints[0, 0].clone()
    start[1] = meshes.vertices[..., 1].min()
    return replace(pose, translation=pose.translation - start)


def stage_of(pose: Pose, view: View = "three-quarter", heading: float | None = None) -> Viewpoint:
    """Return the directions of camera and sun for a pose; a lying body is seen from its side.

    `heading` is the direction that is the front for every body that is not lying, in radians from
    +z towards +x (0: the viewer's own place, as in "is she facing us"); None: where it faces.
    """
    if view not in AZIMUTHS:
        raise ConfigError(f"there is no view {view!r}; there are {', '.join(AZIMUTHS)}")
    root = pose.rotations[0, 0].float().cpu()
    left, up, front = root.unbind(1)
    azimuth = AZIMUTHS[view]
    if math.hypot(float(front[0]), float(front[2])) > 0.5:
        heading = math.atan2(float(front[0]), float(front[2])) if heading is None else heading
    else:  # on its back, on its front or bent over: along the body there is little to see
        heading = math.atan2(float(left[0]), float(left[2]))
        azimuth = -azimuth
    lying = abs(float(up[1])) < 0.5
    elevation = math.radians(LYING_ELEVATION if lying else ELEVATION)
    return viewpoint_at(heading + math.radians(azimuth), elevation)


def viewpoint_at(angle: float, elevation: float) -> Viewpoint:
    """Return where the camera stands, `angle` from +z towards +x; the sun is to its left."""
    return Viewpoint(
        towards_camera=_direction(angle, elevation),
        towards_sun=_direction(angle - math.radians(38), math.radians(52)),
    )


def frame(
    meshes: Float[Tensor, "frame vertex 3"], stage: Viewpoint, aspect: float
) -> tuple[Float[Tensor, "3"], float]:
    """Return the target and the distance from which all of `meshes` fill the picture."""
    points = meshes.reshape(-1, 3).double()
    if len(points) > 200_000:
        points = points[:: len(points) // 200_000 + 1]
    unit = Camera.look_at(stage.towards_camera, torch.zeros(3), field_of_view=FIELD_OF_VIEW)
    axes = unit.camera_from_world
    tangent = math.tan(FIELD_OF_VIEW / 2) * MARGIN
    target = (points.amin(0) + points.amax(0)) / 2
    distance = 0.0
    for _ in range(8):
        x, y, z = ((points - target) @ axes.mT).unbind(-1)
        distance = max(
            float((x.abs() / (tangent * aspect) - z).max()), float((y.abs() / tangent - z).max())
        )
        across, down = x / (distance + z), y / (distance + z)
        right = float(across.max() + across.min()) / 2 * distance
        below = float(down.max() + down.min()) / 2 * distance
        target = target + axes[0] * right + axes[1] * below
    return target, distance


def panel_aspect(meshes: Float[Tensor, "batch vertex 3"], stages: Sequence[Viewpoint]) -> float:
    """Return width / height of the panels: narrow for standing bodies, wide for lying ones."""
    wanted = []
    for mesh, stage in zip(meshes, stages, strict=True):
        camera = Camera.look_at(stage.towards_camera, torch.zeros(3))
        extent = mesh.double() @ camera.camera_from_world.mT
        span = extent.amax(0) - extent.amin(0)
        wanted.append(float((span[0] + 0.25) / (span[1] + 0.25)))
    return min(1.5, max(0.75, *wanted))


def best_columns(panels: int) -> int:
    """Return how many columns make a sheet a little wider than high."""
    return max(1, math.ceil(math.sqrt(panels * 1.5)))


def tile(
    panels: Sequence[UInt8[np.ndarray, "height width 3"]], columns: int, labels: Sequence[str]
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """Return panels in rows of `columns`, with one label above each."""
    starts = range(0, len(panels), columns)
    rows = [side_by_side(panels[i : i + columns], labels[i : i + columns]) for i in starts]
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER)
        for row in rows
    ]
    return np.concatenate(padded)


def side_by_side(
    panels: Sequence[UInt8[np.ndarray, "height _ 3"]], labels: Sequence[str] = ()
) -> UInt8[np.ndarray, "row_height row_width 3"]:
    """Return panels of one height in a row, with one label above each."""
    height = panels[0].shape[0]
    text = max(12, round(height * 0.05))
    head = round(text * 1.9) if labels else 0
    row = Image.new("RGB", (sum(panel.shape[1] for panel in panels), height + head), (PAPER,) * 3)
    pen = ImageDraw.Draw(row)
    font = ImageFont.load_default(text)
    x = 0
    for i, panel in enumerate(panels):
        row.paste(Image.fromarray(panel), (x, head))
        if labels:
            place = (x + panel.shape[1] / 2, head / 2 + text * 0.1)
            pen.text(place, labels[i], fill=INK, font=font, anchor="mm")
        x += panel.shape[1]
    return np.asarray(row)


def _direction(angle: float, elevation: float) -> Float[Tensor, "3"]:
    """Return the unit vector at `angle` from +z towards +x, `elevation` above the horizon."""
    flat = math.cos(elevation)
    return torch.tensor([math.sin(angle) * flat, math.sin(elevation), math.cos(angle) * flat])
