"""The rasteriser: exact depth, as the plain one in torch, nothing broken behind the camera."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import trimesh

from tests.fakes.torch_rasterizer import rasterize_with_torch
from unipose.body.camera import Camera
from unipose.errors import ConfigError
from unipose.render.rasterizer import Raster, rasterize

Rasteriser = Callable[..., Raster]
BOTH = pytest.mark.parametrize("by", [rasterize, rasterize_with_torch])


def look_from(x: float, y: float, z: float) -> Camera:
    return Camera.look_at(torch.tensor([x, y, z], dtype=torch.float32), torch.zeros(3))


def ball() -> tuple[torch.Tensor, torch.Tensor]:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=0.8)
    return torch.tensor(mesh.vertices).float(), torch.tensor(mesh.faces).long()


def square(half: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a square in the plane z = 0 that faces +z."""
    corners = [[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]]
    return torch.tensor(corners) * half, torch.tensor([[0, 1, 2], [0, 2, 3]])


def draw(
    mesh: tuple[torch.Tensor, torch.Tensor],
    camera: Camera,
    *,
    by: Rasteriser = rasterize,
) -> Raster:
    return by(*mesh, camera, height_px=96, width_px=128)


def test_the_plain_rasteriser_agrees_on_a_curved_surface() -> None:
    camera = look_from(0.4, 0.7, 3.0)
    compiled, plain = (draw(ball(), camera, by=by) for by in (rasterize, rasterize_with_torch))
    seen = compiled.faces >= 0
    assert float(seen.float().mean()) > 0.1
    assert float((compiled.faces == plain.faces).float().mean()) >= 0.999
    torch.testing.assert_close(compiled.depth[seen], plain.depth[seen])
    same = seen & (compiled.faces == plain.faces)
    torch.testing.assert_close(
        compiled.barycentrics[same], plain.barycentrics[same], rtol=0, atol=1e-6
    )


@BOTH
def test_the_same_mesh_gives_the_same_raster_twice(by: Rasteriser) -> None:
    first, second = (draw(ball(), look_from(1, 1, 2), by=by) for _ in range(2))
    assert torch.equal(first.depth, second.depth)
    assert torch.equal(first.faces, second.faces)
    assert torch.equal(first.barycentrics, second.barycentrics)


@BOTH
def test_the_depth_of_a_tilted_plane_is_exact_at_every_pixel(by: Rasteriser) -> None:
    camera = look_from(1.5, 0.9, 2.0)
    raster = draw(square(0.7), camera, by=by)
    columns, rows = camera.rays(height_px=96, width_px=128)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    rays = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ camera.camera_from_world
    depth = -camera.position[2] / rays[..., 2]  # where the ray meets z = 0
    seen = raster.faces >= 0
    assert int(seen.sum()) > 500
    torch.testing.assert_close(raster.depth[seen].double(), depth[seen], rtol=1e-6, atol=0)


@BOTH
def test_two_neighbours_leave_no_crack(by: Rasteriser) -> None:
    camera = Camera.look_at(torch.tensor([0.0, 0.0, 1.0]), torch.zeros(3), field_of_view=0.5)
    raster = draw(square(2.0), camera, by=by)  # wider than the picture
    assert bool((raster.faces >= 0).all())


@BOTH
def test_a_corner_behind_the_camera_leaves_the_part_ahead_correct(
    by: Rasteriser,
) -> None:
    """A floor that begins behind the camera is seen up to the horizon, at its true depth."""
    corners = [[-9.0, -1.0, 9.0], [9.0, -1.0, 9.0], [9.0, -1.0, -9.0], [-9.0, -1.0, -9.0]]
    floor = torch.tensor(corners), torch.tensor([[0, 1, 2], [0, 2, 3]])
    camera = Camera.look_at(torch.zeros(3), torch.tensor([0.0, 0.0, -1.0]), field_of_view=1.5)
    raster = draw(floor, camera, by=by)
    _, rows = camera.rays(height_px=96, width_px=128)
    middle = raster.depth[:, 64]
    expected = torch.where(rows > 1 / 9, 1 / rows, torch.inf).float()  # the far edge is at 9 m
    torch.testing.assert_close(middle, expected)


@BOTH
def test_a_mesh_all_behind_the_camera_is_not_seen(by: Rasteriser) -> None:
    vertices, faces = ball()
    behind = vertices + torch.tensor([0.0, 0.0, 6.0])
    assert bool((draw((behind, faces), look_from(0, 0, 3), by=by).faces < 0).all())


@BOTH
def test_the_back_side_is_not_seen(by: Rasteriser) -> None:
    assert int((draw(square(0.5), look_from(0, 0, 3), by=by).faces >= 0).sum()) > 100
    assert bool((draw(square(0.5), look_from(0, 0, -3), by=by).faces < 0).all())


@BOTH
def test_of_two_faces_at_one_depth_the_first_is_seen(by: Rasteriser) -> None:
    vertices, faces = square(0.5)
    raster = draw((vertices, torch.cat([faces, faces])), look_from(0, 0, 3), by=by)
    assert int(raster.faces.max()) == 1


@BOTH
def test_interpolated_places_are_where_the_pixels_look(by: Rasteriser) -> None:
    vertices, faces = square(0.7)
    camera = look_from(1.0, 0.6, 2.0)
    raster = draw((vertices, faces), camera, by=by)
    seen = raster.faces >= 0
    places = raster.interpolate(vertices, faces)[seen]
    pixels = camera.project(places, height_px=96, width_px=128)
    rows, columns = seen.nonzero(as_tuple=True)
    truth = torch.stack([columns, rows], dim=1) + 0.5
    torch.testing.assert_close(pixels, truth, rtol=0, atol=2e-3)


def test_a_mesh_with_nan_is_refused() -> None:
    vertices, faces = square(1.0)
    with pytest.raises(ConfigError, match="NaN"):
        draw((vertices * math.nan, faces), look_from(0, 0, 3))


def test_the_point_that_is_looked_at_falls_on_the_middle() -> None:
    target = torch.tensor([0.3, 1.0, -0.2])
    camera = Camera.look_at(torch.tensor([2.0, 1.5, 3.0]), target)
    pixel = camera.project(target, height_px=100, width_px=80)
    torch.testing.assert_close(pixel, torch.tensor([40.0, 50.0]))
    above = camera.project(target + torch.tensor([0.0, 0.1, 0.0]), height_px=100, width_px=80)
    assert float(above[1]) < 50
    assert bool(camera.project(camera.position * 2, height_px=9, width_px=9).isnan().all())
