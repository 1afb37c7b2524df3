"""Bodies: a skinned mesh on SMPL's 24 joints, posed by our own linear blend skinning.

Two kinds stand behind one class: the embedded open body, and the user's own licensed SMPL, SMPL-H
or SMPL-X file. All are y up, face +z and have their left at +x in the zero pose (metres).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from unipose.body.kinematics import chain
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.body.smpl_files import BodyArrays, read_smpl_file
from unipose.errors import BodyFileError, MissingFileError, PoseError

OPEN_BODY_FILE = Path(__file__).parents[1] / "weights" / "open_body.safetensors"
"""The embedded default body; see unipose/weights/NOTICE."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyMesh:
    """A batch of posed bodies (metres)."""

    vertices: Float[Tensor, "batch vertex 3"]
    joints: Float[Tensor, "batch 24 3"]


class Body(nn.Module):
    """A body that can be posed; differentiable in rotations, betas and translation.

    Arrays are buffers (`body.to(device)` moves them) and never part of a state dict.
    """

    template: Float[Tensor, "vertex 3"]
    """The mesh in the zero pose, mean shape; the open body stands with its feet at y = 0."""
    faces: Int[Tensor, "face 3"]
    weights: Float[Tensor, "vertex 24"]
    """Skinning weights; rows sum to 1."""
    shape_directions: Float[Tensor, "vertex 3 10"]
    regressor: Float[Tensor, "24 vertex"]
    """Joint places as shares of vertices."""
    vertex_areas: Float[Tensor, " vertex"]
    """Each vertex's share of the surface in the zero pose; sums to 1."""
    rest_joints: Float[Tensor, "24 3"]
    """Joint places in the zero pose, mean shape. The pelvis is not at the origin."""
    joint_directions: Float[Tensor, "24 3 10"]
    _skinning: Float[Tensor, "96 vertex"]
    _transposed_weights: Float[Tensor, "24 vertex"]

    def __init__(self, arrays: BodyArrays) -> None:
        super().__init__()
        self.id = arrays.id
        self.parents: tuple[int, ...] = SMPL.parents
        template = torch.as_tensor(arrays.template, dtype=torch.float64)
        directions = torch.as_tensor(arrays.shape_directions, dtype=torch.float64)
        regressor = torch.as_tensor(arrays.regressor, dtype=torch.float64)
        faces = torch.as_tensor(arrays.faces, dtype=torch.int64)
        weights = torch.as_tensor(arrays.weights, dtype=torch.float64)
        rest_joints = regressor @ template
        joint_directions = torch.einsum("jv,vck->jck", regressor, directions)
        # sum over joints of weight * (R v + t), as one product: columns (joint, xyz1) x vertices
        homogeneous = torch.cat([template, torch.ones_like(template[:, :1])], dim=1)
        skinning = (weights[:, :, None] * homogeneous[:, None]).flatten(1).T
        for name, value in {
            "template": template,
            "weights": weights,
            "shape_directions": directions,
            "regressor": regressor,
            "vertex_areas": vertex_areas(template, faces),
            "rest_joints": rest_joints,
            "joint_directions": joint_directions,
            "_skinning": skinning,
            "_transposed_weights": weights.T,
        }.items():
            floats = value.to(torch.float32).contiguous()
            self.register_buffer(name, floats, persistent=False)
        self.register_buffer("faces", faces, persistent=False)

    @property
    def joint_offsets(self) -> Float[Tensor, "24 3"]:
        """Each rest joint relative to its parent; the pelvis relative to the origin."""
        return self.rest_joints - _at_parents(self.rest_joints[None])[0]

    def forward(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "shape 10"] | None = None,
        translation: Float[Tensor, "batch 3"] | None = None,
    ) -> BodyMesh:
        """Return the posed mesh and joints.

        `rotations` are local; `betas` are in standard deviations, one row per pose or one row for
        all (None: the mean shape); `translation` is in metres. The root turns about the pelvis.
        """
        turns, places, rest = self._chain(rotations, betas)
        # what moves a point of the zero pose with each joint: x -> turn x + shift
        shifts = places - (turns @ rest[..., None])[..., 0]
        vertices = self._skin(turns, shifts, betas)
        if translation is not None:
            vertices = vertices + translation[:, None]
            places = places + translation[:, None]
        return BodyMesh(vertices=vertices, joints=places)

    def joints(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "shape 10"] | None = None,
        translation: Float[Tensor, "batch 3"] | None = None,
    ) -> Float[Tensor, "batch 24 3"]:
        """Return the posed joints only (forward kinematics); arguments as in a call."""
        _, places, _ = self._chain(rotations, betas)
        return places if translation is None else places + translation[:, None]

    def some_vertices(
        self, rotations: Float[Tensor, "batch 24 3 3"], chosen: Int[Tensor, " vertex"]
    ) -> BodyMesh:
        """Return the mean shape's joints and only the chosen vertices (a loss on a sample)."""
        turns, places, rest = self._chain(rotations, None)
        shifts = places - (turns @ rest[..., None])[..., 0]
        motions = torch.cat([turns, shifts[..., None]], dim=-1)
        rows = motions.transpose(1, 2).reshape(len(rotations) * 3, -1)
        vertices = (rows @ self._skinning[:, chosen]).unflatten(0, (-1, 3)).mT
        return BodyMesh(vertices=vertices, joints=places)

    def at_vertices(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        translation: Float[Tensor, "batch 3"],
        chosen: Int[Tensor, "batch vertex"],
    ) -> tuple[BodyMesh, Float[Tensor, "batch 24 3 3"]]:
        """Return only the vertices chosen for each pose, its joints, and its global rotations.

        What a loss on a few points of many poses needs, at a fraction of the cost of their meshes.
        """
        turns, places, rest = self._chain(rotations, betas)
        shifts = places - (turns @ rest[..., None])[..., 0]
        motions = torch.cat([turns, shifts[..., None]], dim=-1).flatten(2)  # batch joint 12
        blended = (self.weights[chosen] @ motions).unflatten(-1, (3, 4))
        still = self.template[chosen] + torch.einsum(
            "bvck,bk->bvc", self.shape_directions[chosen], betas
        )
        still = still + self._bends(rotations, chosen)
        vertices = (blended[..., :3] @ still[..., None])[..., 0] + blended[..., 3]
        mesh = BodyMesh(
            vertices=vertices + translation[:, None], joints=places + translation[:, None]
        )
        return mesh, turns

    def _bends(
        self, rotations: Float[Tensor, "batch 24 3 3"], chosen: Int[Tensor, "batch vertex"]
    ) -> Float[Tensor, "batch vertex 3"] | float:
        """Return the pose correctives of chosen vertices; this body has none."""
        return 0.0

    def mesh(self, pose: Pose) -> BodyMesh:
        """Return the mesh of a Pose; betas of another body are refused with a PoseError."""
        return self(pose.rotations, self.betas_of(pose), pose.translation)

    def betas_of(self, pose: Pose) -> Float[Tensor, "batch 10"] | None:
        """Return a pose's betas if they are this body's, None if it has none, else a PoseError."""
        if pose.betas is not None and pose.body != self.id:
            raise PoseError(
                f"these betas belong to the body {pose.body!r}, this body is {self.id!r}; "
                "shapes of different bodies cannot be exchanged: load that body's file, or drop "
                "the betas"
            )
        return pose.betas

    def shaped_joints(self, betas: Float[Tensor, "shape 10"] | None) -> Float[Tensor, "shape 24 3"]:
        """Return the rest joints of one or more shapes."""
        if betas is None:
            return self.rest_joints[None]
        return self.rest_joints + torch.einsum("jck,bk->bjc", self.joint_directions, betas)

    def shaped_template(
        self, betas: Float[Tensor, "shape 10"] | None
    ) -> Float[Tensor, "shape vertex 3"]:
        """Return the zero-pose meshes of one or more shapes."""
        if betas is None:
            return self.template[None]
        offsets = betas @ self.shape_directions.flatten(0, 1).T
        return self.template + offsets.unflatten(1, (-1, 3))

    def _check_batch(self, rotations: Tensor, betas: Tensor | None) -> None:
        """Raise PoseError unless there are 24 rotations for each pose and betas for one or all."""
        batch, *shape = rotations.shape
        if shape != [len(SMPL.joints), 3, 3]:
            raise PoseError(f"expected rotations (batch, 24, 3, 3), got {tuple(rotations.shape)}")
        count = self.shape_directions.shape[-1]
        if betas is not None and tuple(betas.shape) not in ((1, count), (batch, count)):
            raise PoseError(f"expected betas (1 or {batch}, {count}), got {tuple(betas.shape)}")

    def _chain(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "shape 10"] | None,
    ) -> tuple[
        Float[Tensor, "batch 24 3 3"], Float[Tensor, "batch 24 3"], Float[Tensor, "shape 24 3"]
    ]:
        """Return global rotations, posed joints and rest joints."""
        self._check_batch(rotations, betas)
        rest = self.shaped_joints(betas)
        return *chain(rotations, rest - _at_parents(rest)), rest

    def _skin(
        self,
        turns: Float[Tensor, "batch 24 3 3"],
        shifts: Float[Tensor, "batch 24 3"],
        betas: Float[Tensor, "shape 10"] | None,
    ) -> Float[Tensor, "batch vertex 3"]:
        """Return the vertices: each moved by the weighted mean of its joints' motions."""
        batch = turns.shape[0]
        motions = torch.cat([turns, shifts[..., None]], dim=-1)  # batch joint 3 4
        if betas is None:
            # rows (batch, xyz) x columns (joint, xyz1), then all vertices in one product
            rows = motions.transpose(1, 2).flatten(2).flatten(0, 1)
            return (rows @ self._skinning).unflatten(0, (batch, 3)).mT
        still = self.shaped_template(betas)
        # rows (batch, xyz, xyz1): the blended motion of every vertex
        rows = motions.permute(0, 2, 3, 1).flatten(0, 2)
        blended = (rows @ self._transposed_weights).unflatten(0, (batch, 3, 4))
        moved = blended[:, :, 3]
        for axis in range(3):
            moved = torch.addcmul(moved, blended[:, :, axis], still[:, None, :, axis])
        return moved.mT


class SmplBody(Body):
    """The user's own SMPL, SMPL-H or SMPL-X body, posed by the package `smplx`.

    `smplx` is licensed for non-commercial use, and so are the files; only its skinning function is
    used here, and only with arrays that this project has read itself.
    """

    pose_directions: Float[Tensor, "207 coordinate"]
    """Pose correctives; a coordinate is (vertex, xyz)."""

    def __init__(self, arrays: BodyArrays) -> None:
        super().__init__(arrays)
        columns = 9 * (len(SMPL.joints) - 1)
        bends = arrays.pose_directions
        if bends is None:
            bends = np.zeros((len(arrays.template), 3, columns), dtype=np.float32)
        flat = torch.as_tensor(bends, dtype=torch.float32).flatten(0, 1).T.contiguous()
        self.register_buffer("pose_directions", flat, persistent=False)

    def forward(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "shape 10"] | None = None,
        translation: Float[Tensor, "batch 3"] | None = None,
    ) -> BodyMesh:
        """Return the posed mesh and joints; arguments as for `Body`."""
        from smplx import lbs

        self._check_batch(rotations, betas)
        batch = rotations.shape[0]
        if betas is None:
            betas = rotations.new_zeros((1, self.shape_directions.shape[-1]))
        parents = torch.tensor(self.parents, device=rotations.device)
        skin: Any = lbs.lbs  # its own annotations name a type of its own
        vertices, joints = skin(
            betas.expand(batch, -1),
            rotations,
            self.template,
            self.shape_directions,
            self.pose_directions,
            self.regressor,
            parents,
            self.weights,
            pose2rot=False,
        )
        if translation is not None:
            vertices = vertices + translation[:, None]
            joints = joints + translation[:, None]
        return BodyMesh(vertices=vertices, joints=joints)

    def _bends(
        self, rotations: Float[Tensor, "batch 24 3 3"], chosen: Int[Tensor, "batch vertex"]
    ) -> Float[Tensor, "batch vertex 3"]:
        bent = (rotations[:, 1:] - torch.eye(3).to(rotations)).flatten(1)  # batch 207
        directions = self.pose_directions.unflatten(1, (-1, 3))[:, chosen]
        return torch.einsum("bf,fbvc->bvc", bent, directions)


def vertex_areas(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]
) -> Float[Tensor, " vertex"]:
    """Return each vertex's share of the surface (a third of each of its faces); sums to 1."""
    a, b, c = vertices[faces].unbind(dim=1)
    thirds = torch.linalg.cross(b - a, c - a).norm(dim=-1) / 6
    areas = torch.zeros_like(vertices[:, 0])
    areas.index_add_(0, faces.flatten(), thirds.repeat_interleave(3))
    return areas / areas.sum()


def load_body(path: str | Path | None = None) -> Body:
    """Return the body in a file; without a path the embedded open body.

    A `.npz` or `.pkl` is the user's own SMPL, SMPL-H or SMPL-X file; which one it is, is read off
    its arrays, not its name. A `.safetensors` is a body in this project's own format.

    Raises MissingFileError if there is no such file, BodyFileError if it is not a body.
    """
    path = OPEN_BODY_FILE if path is None else Path(path)
    if not path.is_file():
        raise MissingFileError(
            path,
            "this is a folder, not a body file."
            if path.is_dir()
            else "there is no such body file.",
            "Give the path of an SMPL, SMPL-H or SMPL-X model (.npz or .pkl), or no path for the "
            "open body.",
        )
    if path.suffix == ".safetensors":
        return Body(read_own_format(path))
    return SmplBody(read_smpl_file(path))


def read_own_format(path: Path) -> BodyArrays:
    """Return the arrays of a body that data_builders.open_body wrote; BodyFileError if broken."""
    remedy = "Rebuild it with python -m data_builders.open_body, or reinstall unipose."
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BodyFileError(path, f"it cannot be read as safetensors ({error}).", remedy) from error
    if metadata.get("format") != "unipose body 1":
        raise BodyFileError(path, "it is not a body of this project.", remedy)
    vertices = len(stored["template"])
    weights = np.zeros((vertices, len(SMPL.joints)), dtype=np.float32)
    rows = np.arange(vertices)[:, None]
    np.add.at(weights, (rows, stored["weight_joints"]), stored["weight_values"])
    regressor = np.zeros((len(SMPL.joints), vertices), dtype=np.float32)
    at = (stored["regressor_joints"], stored["regressor_vertices"])
    regressor[at] = stored["regressor_values"]
    return BodyArrays(
        id=metadata["body"],
        template=stored["template"],
        faces=stored["faces"],
        weights=weights,
        shape_directions=stored["shape_directions"],
        regressor=regressor,
        pose_directions=None,
    )


def _at_parents(joints: Float[Tensor, "batch 24 3"]) -> Float[Tensor, "batch 24 3"]:
    """Return the parent's place for every joint; the origin for the root."""
    above = joints[:, list(SMPL.parents[1:])]
    return torch.cat([torch.zeros_like(joints[:, :1]), above], dim=1)
