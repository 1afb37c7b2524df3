"""Stand a body in a pose, fast and with the same bits on every machine (no BLAS, no threads)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from unipose.body.body import Body, SmplBody
from unipose.body.regions import BodyRegions, find_regions
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import WHOLE_BODY_NAMES, whole_body_points
from unipose.render.compiled import compiled

SLOTS = 6
"""At most so many joints move one vertex."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedBody:
    """One person's mesh (world frame, metres)."""

    vertices: Float[np.ndarray, "vertex 3"]
    normals: Float[np.ndarray, "vertex 3"]
    joints: Float[np.ndarray, "24 3"]
    whole_body: Float[np.ndarray, "133 3"]
    """Keypoints in COCO-WholeBody's order."""
    box: Float[np.ndarray, "2 3"]
    """Lowest and highest x, y, z of the mesh."""

    def move(self, x: float, y: float, z: float) -> None:
        """Move the body in place."""
        for points in (self.vertices, self.joints, self.whole_body, self.box):
            compiled(_move)(points, x, y, z)


class StudioBody:
    """The arrays of a body that the studio's loops read."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.id = body.id
        self.template = body.template.numpy().copy()
        self.faces = body.faces.numpy().astype(np.int32)
        directions = body.shape_directions.numpy().astype(np.float32)
        self.directions: Float[np.ndarray, "beta coordinate"] = np.ascontiguousarray(
            directions.reshape(-1, directions.shape[-1]).T
        )
        self.rest_joints = body.rest_joints.double().numpy()
        self.joint_directions = body.joint_directions.double().numpy()
        weights = body.weights.numpy()
        order = np.argsort(-weights, axis=1, kind="stable")[:, :SLOTS]
        kept = np.take_along_axis(weights, order, axis=1)
        self.weight_joints: Int[np.ndarray, "vertex slot"] = order.astype(np.int32)
        self.weights: Float[np.ndarray, "vertex slot"] = kept / kept.sum(1, keepdims=True)
        self.points = whole_body_points(body)
        rows = self.points.of_vertices.numpy()
        joint_rows = self.points.of_joints.numpy()
        self._point_vertices = np.argsort(-np.abs(rows), axis=1, kind="stable")[:, :24]
        self._point_shares = np.take_along_axis(rows, self._point_vertices, axis=1).astype(float)
        self._point_joints = joint_rows.argmax(1)
        self._is_joint = joint_rows.any(1)

    @cached_property
    def regions(self) -> BodyRegions:
        """Return which part of the body each vertex belongs to."""
        return find_regions(self.body)

    def rest_points(self) -> Float[np.ndarray, "133 3"]:
        """Return the whole-body keypoints of the zero pose, mean shape."""
        return self._whole_body(self.template.astype(np.float64), self.rest_joints)

    def rest_normals(self) -> Float[np.ndarray, "vertex 3"]:
        """Return the unit normals of the zero pose, mean shape."""
        normals = np.zeros(self.template.shape, dtype=np.float32)
        compiled(_add_normals)(self.template.astype(np.float64), self.faces, normals)
        return normals

    def stand(
        self,
        rotations: Float[np.ndarray, "24 3 3"],
        betas: Float[np.ndarray, " 10"],
        translation: Float[np.ndarray, " 3"],
    ) -> PosedBody:
        """Return the posed body; arguments as for `Body`, for one pose."""
        vertices = np.empty(self.template.shape)
        joints = np.empty((len(SMPL.joints), 3))
        if isinstance(self.body, SmplBody):
            self._stand_smpl(rotations, betas, translation, vertices, joints)
        else:
            compiled(_skin)(
                self.template,
                self.directions,
                self.weight_joints,
                self.weights,
                self.rest_joints,
                self.joint_directions,
                np.array(SMPL.parents),
                np.ascontiguousarray(rotations, dtype=np.float64),
                betas,
                translation,
                vertices,
                joints,
            )
        normals = np.zeros(vertices.shape, dtype=np.float32)
        box = np.empty((2, 3))
        compiled(_add_normals)(vertices, self.faces, normals)
        compiled(bound)(vertices, box)
        return PosedBody(
            vertices=vertices,
            normals=normals,
            joints=joints,
            whole_body=self._whole_body(vertices, joints),
            box=box,
        )

    def _stand_smpl(
        self,
        rotations: np.ndarray,
        betas: np.ndarray,
        translation: np.ndarray,
        vertices: np.ndarray,
        joints: np.ndarray,
    ) -> None:
        with torch.no_grad():
            mesh = self.body(
                torch.from_numpy(np.ascontiguousarray(rotations)).float()[None],
                torch.from_numpy(betas).float()[None],
                torch.from_numpy(translation).float()[None],
            )
        vertices[:] = mesh.vertices[0].numpy()
        joints[:] = mesh.joints[0].numpy()

    def _whole_body(
        self, vertices: Float[np.ndarray, "vertex 3"], joints: Float[np.ndarray, "24 3"]
    ) -> Float[np.ndarray, "133 3"]:
        places = np.empty((len(WHOLE_BODY_NAMES), 3))
        compiled(_gather)(
            vertices,
            joints,
            self._point_vertices,
            self._point_shares,
            self._point_joints,
            self._is_joint,
            places,
        )
        return places


def _skin(  # noqa: C901 - one loop, for speed
    template: np.ndarray,
    directions: np.ndarray,
    weight_joints: np.ndarray,
    weights: np.ndarray,
    rest: np.ndarray,
    joint_directions: np.ndarray,
    parents: np.ndarray,
    rotations: np.ndarray,
    betas: np.ndarray,
    translation: np.ndarray,
    vertices: np.ndarray,
    joints: np.ndarray,
) -> None:
    """Write posed vertices and joints into the last two arrays (compiled)."""
    count = len(rest)
    motions = np.empty((count, 3, 4))  # joint: what moves a point of the zero pose with it
    still = np.empty((count, 3))
    for j in range(count):
        for i in range(3):
            still[j, i] = rest[j, i]
            for k in range(len(betas)):
                still[j, i] += joint_directions[j, i, k] * betas[k]
        p = parents[j]
        for i in range(3):
            for k in range(3):
                if p < 0:
                    motions[j, i, k] = rotations[j, i, k]
                else:
                    motions[j, i, k] = (
                        motions[p, i, 0] * rotations[j, 0, k]
                        + motions[p, i, 1] * rotations[j, 1, k]
                        + motions[p, i, 2] * rotations[j, 2, k]
                    )
            if p < 0:
                joints[j, i] = still[j, i] + translation[i]
            else:
                joints[j, i] = joints[p, i] + (
                    motions[p, i, 0] * (still[j, 0] - still[p, 0])
                    + motions[p, i, 1] * (still[j, 1] - still[p, 1])
                    + motions[p, i, 2] * (still[j, 2] - still[p, 2])
                )
        for i in range(3):
            motions[j, i, 3] = joints[j, i] - (
                motions[j, i, 0] * still[j, 0]
                + motions[j, i, 1] * still[j, 1]
                + motions[j, i, 2] * still[j, 2]
            )
    shaped = template.astype(np.float64).ravel()  # of the zero pose
    for k in range(len(betas)):
        for i in range(len(shaped)):
            shaped[i] += directions[k, i] * betas[k]
    for v in range(len(template)):
        point = shaped[3 * v : 3 * v + 3]
        for i in range(3):
            vertices[v, i] = 0.0
        for s in range(weights.shape[1]):
            share = weights[v, s]
            if share == 0:
                continue
            j = weight_joints[v, s]
            for i in range(3):
                vertices[v, i] += share * (
                    motions[j, i, 0] * point[0]
                    + motions[j, i, 1] * point[1]
                    + motions[j, i, 2] * point[2]
                    + motions[j, i, 3]
                )


def _gather(
    vertices: np.ndarray,
    joints: np.ndarray,
    chosen: np.ndarray,
    shares: np.ndarray,
    joint_of: np.ndarray,
    is_joint: np.ndarray,
    places: np.ndarray,
) -> None:
    """Write the keypoints: a joint's place, or a mean of vertices (compiled)."""
    for i in range(len(places)):
        for k in range(3):
            total = 0.0
            if is_joint[i]:
                total = joints[joint_of[i], k]
            else:
                for j in range(chosen.shape[1]):
                    if shares[i, j] != 0:
                        total += vertices[chosen[i, j], k] * shares[i, j]
            places[i, k] = total


def _move(points: np.ndarray, x: float, y: float, z: float) -> None:
    """Move points in place (compiled)."""
    for i in range(len(points)):
        points[i, 0] += x
        points[i, 1] += y
        points[i, 2] += z


def bound(mesh: np.ndarray, box: np.ndarray) -> None:
    """Write the lowest and the highest x, y, z of a mesh (to be compiled)."""
    box[0], box[1] = np.inf, -np.inf
    for i in range(len(mesh)):
        for k in range(3):
            box[0, k], box[1, k] = min(box[0, k], mesh[i, k]), max(box[1, k], mesh[i, k])


def _add_normals(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    """Write unit normals: the area-weighted mean of a vertex's faces (compiled)."""
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, vx = vertices[b, 0] - vertices[a, 0], vertices[c, 0] - vertices[a, 0]
        uy, vy = vertices[b, 1] - vertices[a, 1], vertices[c, 1] - vertices[a, 1]
        uz, vz = vertices[b, 2] - vertices[a, 2], vertices[c, 2] - vertices[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            normals[v, 0] += x
            normals[v, 1] += y
            normals[v, 2] += z
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        size = np.sqrt(x * x + y * y + z * z)
        if size > 0:
            normals[v, 0], normals[v, 1], normals[v, 2] = x / size, y / size, z / size
