"""The buffer of several meshes: pixel by pixel what the rasteriser says of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from tests.fakes.torch_rasterizer import draw_with_torch, rasterize_with_torch
from unipose.body.camera import Camera
from unipose.errors import ConfigError
from unipose.render.mesh_buffer import NO_MESH, MeshBuffer

CAMERA = Camera.look_at(torch.tensor([0.3, 0.5, 3.0]), torch.tensor([0.0, 0.0, 0.0]))


def ball(x: float, z: float) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    return np.asarray(mesh.vertices) + np.array([x, 0.0, z]), np.asarray(mesh.faces).astype(
        np.int32
    )


def filled(*balls: tuple[float, float], draw=MeshBuffer.draw) -> MeshBuffer:
    buffer = MeshBuffer(camera=CAMERA, height_px=60, width_px=80)
    for number, place in enumerate(balls):
        draw(buffer, *ball(*place), number)
    return buffer


def test_one_mesh_is_seen_as_the_plain_rasteriser_sees_it():
    buffer = filled((0.0, 0.0))
    vertices, faces = ball(0.0, 0.0)
    raster = rasterize_with_torch(
        torch.from_numpy(vertices),
        torch.from_numpy(faces).long(),
        CAMERA,
        height_px=60,
        width_px=80,
    )
    assert np.array_equal(buffer.faces, raster.faces.numpy())
    seen = buffer.faces >= 0
    assert seen.sum() > 500
    np.testing.assert_allclose(buffer.depth[seen], raster.depth.numpy()[seen], rtol=1e-6)
    np.testing.assert_allclose(
        buffer.barycentrics[seen], raster.barycentrics.numpy()[seen][:, :2], atol=1e-6
    )


def test_the_nearer_mesh_is_seen_whatever_the_order():
    near_last, near_first = filled((0.0, 0.0), (0.1, 1.0)), filled((0.1, 1.0), (0.0, 0.0))
    assert np.array_equal(near_last.depth, near_first.depth)
    both = near_last.mesh != NO_MESH
    assert np.array_equal(near_last.mesh[both], 1 - near_first.mesh[both])


def test_what_lies_behind_is_remembered():
    alone, both = filled((0.0, 0.0)), filled((0.0, 0.0), (0.1, 1.0))
    assert np.array_equal(both.covered & 1 > 0, alone.mesh == 0)
    assert (both.mesh == 0).sum() < (alone.mesh == 0).sum()


def test_the_plain_rasteriser_fills_the_same_buffer():
    places = ((0.0, 0.0), (0.4, 0.6))
    compiled, plain = filled(*places), filled(*places, draw=draw_with_torch)
    assert np.array_equal(compiled.mesh, plain.mesh)
    assert np.array_equal(compiled.covered, plain.covered)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ConfigError, match="at least 1 x 1"):
        MeshBuffer(camera=CAMERA, height_px=0, width_px=8)
