"""glTF 2.0 binary (.glb): the body with its skeleton and skin, posed or animated.

The file holds one skinned mesh, 24 joint nodes named as SMPL's, and for a sequence an animation.
A skin in glTF blends bones linearly, which is what the open body does; the pose correctives of a
licensed SMPL body have no place in it, so there the surface near bent joints is approximate.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from unipose.body.body import Body, BodyMesh
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.render.shading import side_colours, vertex_normals

INFLUENCES = 4
"""How many joints may move one vertex in glTF's basic skinning."""

_COMPONENTS = {"<f4": 5126, "<u4": 5125, "<u2": 5123, "<u1": 5121}
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963


def write_glb(pose: Pose, path: str | Path, body: Body) -> Path:
    """Write one pose as a posed skinned mesh, or a sequence as an animation; return the path.

    An animation has one key per pose, the first at 0 s and the last at (poses - 1) / fps, so that
    a program that plays the file at `fps` gets every pose back. The shape is that of the first
    pose. Raises FileError if several poses have no frame rate, PoseError for another body's betas.
    """
    path = Path(path)
    if len(pose) != 1 and pose.fps is None:
        raise FileError(
            path,
            f"cannot hold {len(pose)} poses without a frame rate.",
            "Pick one pose (--frame N), or give their rate: --fps N (open_pose(fps=N)).",
        )
    document = glb_bytes(pose, body)
    with written_whole(path) as temporary:
        temporary.write_bytes(document)
    return path


def glb_bytes(pose: Pose, body: Body, *, colours: Float[Tensor, "vertex 3"] | None = None) -> bytes:
    """Return the bytes of the .glb file of one pose or of a sequence.

    `colours` (linear light, 0 to 1) take the place of cool left and warm right limbs.
    """
    betas = body.betas_of(pose)
    with torch.no_grad():
        shape = None if betas is None else betas[:1].float().cpu()
        unturned = torch.eye(3).expand(1, len(SMPL.joints), 3, 3)
        rest = body(unturned, shape)
    buffer = _Buffer()
    quaternions = _smooth(roma.rotmat_to_unitquat(pose.rotations.float().cpu()))  # xyzw, as glTF
    pelvis = rest.joints[0, 0] + (
        torch.zeros(len(pose), 3) if pose.translation is None else pose.translation.float().cpu()
    )
    nodes = _joint_nodes(rest.joints[0], quaternions[0], pelvis[0])
    document = {
        "asset": {"version": "2.0", "generator": "unipose"},
        "scene": 0,
        "scenes": [{"nodes": [len(SMPL.joints), 0]}],
        "nodes": [*nodes, {"name": f"{body.id} body", "mesh": 0, "skin": 0}],
        "meshes": [
            {"name": f"{body.id} body", "primitives": [_primitive(buffer, rest, body, colours)]}
        ],
        "skins": [_skin(buffer, rest.joints[0])],
        "materials": [
            {
                "name": "skin",
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.75},
            }
        ],
    }
    if len(pose) > 1 and pose.fps is not None:
        document["animations"] = [_animation(buffer, quaternions, pelvis, pose.fps)]
    document["accessors"], document["bufferViews"] = buffer.accessors, buffer.views
    document["buffers"] = [{"byteLength": len(buffer.data)}]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(buffer.data)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, length),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(buffer.data), b"BIN\0"),
            bytes(buffer.data),
        ]
    )


@dataclass
class _Buffer:
    """The binary part of the file, filled piece by piece."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict] = field(default_factory=list)
    accessors: list[dict] = field(default_factory=list)

    def add(
        self,
        array: ndarray,
        kind: str,
        *,
        target: int | None = None,
        bounds: dict[str, list[float]] | None = None,
        normalized: bool = False,
    ) -> int:
        """Append an array (rows = elements) and return the index of its accessor."""
        array = np.ascontiguousarray(array)
        view: dict = {"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes}
        if target is not None:
            view["target"] = target
        self.data += array.tobytes()
        self.data += b"\0" * (-len(self.data) % 4)
        self.views.append(view)
        component = _COMPONENTS[array.dtype.newbyteorder("<").str.replace("|", "<")]
        accessor: dict = {"bufferView": len(self.views) - 1, "componentType": component}
        accessor |= {"count": len(array), "type": kind, **(bounds or {})}
        self.accessors.append(accessor | {"normalized": True} if normalized else accessor)
        return len(self.accessors) - 1


def _primitive(
    buffer: _Buffer, rest: BodyMesh, body: Body, colours: Float[Tensor, "vertex 3"] | None
) -> dict:
    """Add the mesh in its rest pose; return glTF's description of it."""
    vertices, faces = rest.vertices[0], body.faces.cpu()
    joints, weights = strongest_weights(body.weights.cpu())
    light = side_colours(body.weights.cpu()) if colours is None else colours.cpu()
    shades = (light.clamp(0, 1) * 65535 + 0.5).numpy().astype("<u2")
    opaque = np.full((len(vertices), 1), 65535, dtype="<u2")
    bounds = {"min": vertices.amin(0).tolist(), "max": vertices.amax(0).tolist()}
    small = len(vertices) < 65535
    return {
        "attributes": {
            "POSITION": buffer.add(_floats(vertices), "VEC3", target=_VERTEX_BUFFER, bounds=bounds),
            "NORMAL": buffer.add(
                _floats(vertex_normals(vertices, faces)), "VEC3", target=_VERTEX_BUFFER
            ),
            "COLOR_0": buffer.add(
                np.hstack([shades, opaque]), "VEC4", target=_VERTEX_BUFFER, normalized=True
            ),
            "JOINTS_0": buffer.add(joints.numpy().astype("<u1"), "VEC4", target=_VERTEX_BUFFER),
            "WEIGHTS_0": buffer.add(_floats(weights), "VEC4", target=_VERTEX_BUFFER),
        },
        "indices": buffer.add(
            faces.reshape(-1).numpy().astype("<u2" if small else "<u4"),
            "SCALAR",
            target=_INDEX_BUFFER,
        ),
        "material": 0,
    }


def strongest_weights(
    weights: Float[Tensor, "vertex 24"],
) -> tuple[Int[Tensor, "vertex 4"], Float[Tensor, "vertex 4"]]:
    """Return each vertex's 4 strongest joints and their weights, made to sum to 1.

    Of equal weights the joint that comes first is kept; unused places are joint 0, weight 0.
    """
    order = weights.sort(dim=1, descending=True, stable=True)
    joints, kept = order.indices[:, :INFLUENCES], order.values[:, :INFLUENCES]
    kept = kept / kept.sum(1, keepdim=True)
    return torch.where(kept > 0, joints, 0), kept


def _joint_nodes(
    rest: Float[Tensor, "24 3"], turns: Float[Tensor, "24 4"], pelvis: Float[Tensor, "3"]
) -> list[dict]:
    """Return the 24 joint nodes, posed."""
    nodes = []
    for i, (name, parent) in enumerate(zip(SMPL.joints, SMPL.parents, strict=True)):
        place = pelvis if parent < 0 else rest[i] - rest[parent]
        node = {"name": name, "translation": place.tolist(), "rotation": turns[i].tolist()}
        children = [j for j, above in enumerate(SMPL.parents) if above == i]
        nodes.append({**node, "children": children} if children else node)
    return nodes


def _skin(buffer: _Buffer, rest: Float[Tensor, "24 3"]) -> dict:
    """Add the inverse bind matrices; return glTF's description of the skin."""
    matrices = torch.eye(4).repeat(len(rest), 1, 1)
    matrices[:, :3, 3] = -rest
    columns = _floats(matrices.mT.reshape(len(rest), 16))  # glTF stores columns
    return {
        "joints": list(range(len(rest))),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(columns, "MAT4"),
    }


def _animation(
    buffer: _Buffer,
    quaternions: Float[Tensor, "frame 24 4"],
    pelvis: Float[Tensor, "frame 3"],
    fps: float,
) -> dict:
    """Add the keys of a sequence; return glTF's description of the animation."""
    times = (np.arange(len(pelvis)) / fps).astype("<f4")
    bounds = {"min": [float(times[0])], "max": [float(times[-1])]}
    clock = buffer.add(times, "SCALAR", bounds=bounds)
    samplers, channels = [], []
    for joint in range(len(SMPL.joints)):
        keys = buffer.add(_floats(quaternions[:, joint]), "VEC4")
        channels.append({"sampler": joint, "target": {"node": joint, "path": "rotation"}})
        samplers.append({"input": clock, "output": keys, "interpolation": "LINEAR"})
    channels.append({"sampler": len(samplers), "target": {"node": 0, "path": "translation"}})
    keys = buffer.add(_floats(pelvis), "VEC3")
    samplers.append({"input": clock, "output": keys, "interpolation": "LINEAR"})
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _smooth(quaternions: Float[Tensor, "frame 24 4"]) -> Float[Tensor, "frame 24 4"]:
    """Return the same rotations with signs chosen so that neighbours in time are near."""
    agreement = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdim=True)
    signs = torch.where(agreement < 0, -1.0, 1.0).cumprod(0)
    return torch.cat([quaternions[:1], quaternions[1:] * signs])


def _floats(tensor: Float[Tensor, "row column"]) -> ndarray:
    return tensor.detach().cpu().numpy().astype("<f4")
