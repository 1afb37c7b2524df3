"""Reading the user's own SMPL, SMPL-H and SMPL-X files without executing anything in them.

Which family a file belongs to is read off its arrays. All are reduced to SMPL's 24 joints: the
first 22 are the same joints in the same order in all three; SMPL's two hand joints stand where the
hand begins in SMPL, and at the first joint of the middle finger in SMPL-H and SMPL-X, where they
carry all fingers. Fingers themselves stay flat, jaw and eyes belong to the head, and pose
correctives of joints that are not posed are left out (they are zero at rest). The reduced body
equals the full one in every pose of the 22 joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer
from numpy import ndarray

from unipose.body.pickled_arrays import PickleRefusedError, as_array, read_pickle
from unipose.body.plain_arrays import read_members
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import BodyFileError, FileError

SHAPES = 10
"""Shape directions that are used; files hold 10, 16, 300 or 400."""

MAX_BYTES = 1_000_000_000
"""Of a body file; SMPL-X's largest file has 0.2 GB."""

KEYS = (
    "v_template", "f", "weights", "J_regressor", "kintree_table", "shapedirs", "posedirs",
)  # fmt: skip
"""What an SMPL-family file is made of; anything else in it is never read."""

OFFICIAL = (
    "Give an unchanged SMPL, SMPL-H or SMPL-X model file (.npz or .pkl) from its official site."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyArrays:
    """What a body consists of, on SMPL's 24 joints (metres)."""

    id: str
    """One of "open", "smpl", "smplh", "smplx"."""
    template: Float[ndarray, "vertex 3"]
    faces: Integer[ndarray, "face 3"]
    weights: Float[ndarray, "vertex 24"]
    shape_directions: Float[ndarray, "vertex 3 10"]
    regressor: Float[ndarray, "24 vertex"]
    pose_directions: Float[ndarray, "vertex 3 207"] | None
    """Pose correctives: 9 columns for each joint but the root; None: the body has none."""


@dataclass(frozen=True)
class Family:
    """The arrays by which a family of bodies is known."""

    id: str
    vertices: int
    joints: int
    left_fingers: tuple[int, ...]
    right_fingers: tuple[int, ...]
    hands: tuple[int, int]
    """The joints that stand for SMPL's left_hand and right_hand."""
    head: tuple[int, ...] = ()
    """Further joints that belong to the head."""


FAMILIES = (
    Family("smpl", 6890, 24, (22,), (23,), (22, 23)),
    Family("smplh", 6890, 52, tuple(range(22, 37)), tuple(range(37, 52)), (25, 40)),
    Family(
        "smplx", 10475, 55, tuple(range(25, 40)), tuple(range(40, 55)), (28, 43), (22, 23, 24)
    ),
)  # fmt: skip

OTHERS = {(778, 16): "MANO (a hand)", (5023, 5): "FLAME (a head)"}
"""Models of the same makers that are no bodies."""


def read_smpl_file(path: Path) -> BodyArrays:
    """Return the arrays of an SMPL, SMPL-H or SMPL-X file (.npz or .pkl).

    Raises BodyFileError: not such a file, incomplete, of another family, damaged, too large, or a
    pickle that holds anything but arrays (nothing of it is executed).
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BodyFileError(path, f"it has {size / 1e9:.1f} GB, no body file does.", OFFICIAL)
    if size == 0:
        raise BodyFileError(path, "it is empty.", OFFICIAL)
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        arrays = _read_npz(path)
    elif start[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle"):
        arrays = _read_pkl(path)
    else:
        raise BodyFileError(path, "it is neither an .npz nor a pickle.", OFFICIAL)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        found = ", ".join(sorted(arrays)) or "none of them"
        raise BodyFileError(
            path, f"it lacks {', '.join(missing)}; of a body's arrays it has {found}.", OFFICIAL
        )
    return _onto_smpl_joints(path, arrays)


def _read_pkl(path: Path) -> dict[str, ndarray]:
    """Return a pickle's arrays of a body."""
    try:
        content = read_pickle(path.read_bytes())
        if not isinstance(content, dict):
            raise PickleRefusedError(f"it holds one {type(content).__name__} and no named arrays")
        return {key: as_array(content[key]) for key in KEYS if key in content}
    except PickleRefusedError as error:
        raise BodyFileError(
            path, f"this pickle is no body file: {error}; nothing in it was executed.", OFFICIAL
        ) from error


def _read_npz(path: Path) -> dict[str, ndarray]:
    """Return an .npz file's arrays of a body; arrays of objects through the same recorder."""
    try:
        with path.open("rb") as file:
            return read_members(
                file, path, KEYS, unpickle=lambda data: as_array(read_pickle(data))
            )  # fmt: skip
    except FileError as error:
        raise BodyFileError(path, error.problem, OFFICIAL) from error


def _family_of(path: Path, arrays: dict[str, ndarray]) -> Family:
    """Return the family whose numbers of vertices and joints these arrays have."""
    template, tree = arrays["v_template"], arrays["kintree_table"]
    vertices = template.shape[0] if template.ndim == 2 else 0
    joints = tree.shape[1] if tree.ndim == 2 else 0
    for family in FAMILIES:
        if (vertices, joints) == (family.vertices, family.joints):
            return family
    what = OTHERS.get((vertices, joints), "another model")
    known = ", ".join(f"{f.id} {f.vertices} / {f.joints}" for f in FAMILIES)
    raise BodyFileError(
        path,
        f"{vertices} vertices and {joints} joints are those of {what}; a body has {known}.",
        OFFICIAL,
    )


def _onto_smpl_joints(path: Path, arrays: dict[str, ndarray]) -> BodyArrays:
    """Return a checked body, reduced to SMPL's 24 joints."""
    family = _family_of(path, arrays)
    vertices, joints = family.vertices, family.joints
    columns = 9 * (joints - 1)
    _check_shape(path, arrays, "v_template", (vertices, 3))
    _check_shape(path, arrays, "weights", (vertices, joints))
    _check_shape(path, arrays, "J_regressor", (joints, vertices))
    _check_shape(path, arrays, "posedirs", (vertices, 3, columns))
    _check_shape(path, arrays, "f", (None, 3))
    _check_shape(path, arrays, "kintree_table", (2, joints))
    _check_shape(path, arrays, "shapedirs", (vertices, 3, None))
    for key in KEYS:
        if arrays[key].dtype.kind not in "fiub":
            raise BodyFileError(path, f"{key} holds {arrays[key].dtype}, no numbers.", OFFICIAL)
        if not np.isfinite(arrays[key]).all():
            raise BodyFileError(path, f"{key} holds NaN or infinite numbers.", OFFICIAL)
    faces, weights = arrays["f"].astype(np.int64), arrays["weights"].astype(np.float64)
    if faces.size == 0 or faces.min() < 0 or faces.max() >= vertices:
        raise BodyFileError(path, "its faces name vertices that are not there.", OFFICIAL)
    if abs(weights.sum(1) - 1).max() > 1e-3:
        raise BodyFileError(path, "its skinning weights do not sum to 1.", OFFICIAL)
    parents = arrays["kintree_table"][0].astype(np.int64)[1:POSED_JOINTS]
    if tuple(parents) != SMPL.parents[1:POSED_JOINTS]:
        raise BodyFileError(path, "its joints are not in SMPL's order.", OFFICIAL)
    if arrays["shapedirs"].shape[2] < SHAPES:
        raise BodyFileError(
            path, f"it has {arrays['shapedirs'].shape[2]} shapes, expected {SHAPES}.", OFFICIAL
        )

    reduced = weights[:, : len(SMPL.joints)].copy()
    left, right, head = SMPL.indices("left_hand", "right_hand", "head")
    reduced[:, left] = weights[:, list(family.left_fingers)].sum(1)
    reduced[:, right] = weights[:, list(family.right_fingers)].sum(1)
    if family.head:
        reduced[:, head] += weights[:, list(family.head)].sum(1)
    regressor = arrays["J_regressor"][[*range(POSED_JOINTS), *family.hands]]
    bends = np.zeros((vertices, 3, 9 * (len(SMPL.joints) - 1)), dtype=np.float32)
    known = 9 * (len(SMPL.joints) - 1 if family.id == "smpl" else POSED_JOINTS - 1)
    bends[:, :, :known] = arrays["posedirs"][:, :, :known]
    return BodyArrays(
        id=family.id,
        template=arrays["v_template"].astype(np.float64),
        faces=faces,
        weights=reduced,
        shape_directions=arrays["shapedirs"][:, :, :SHAPES].astype(np.float64),
        regressor=regressor.astype(np.float64),
        pose_directions=bends,
    )


def _check_shape(
    path: Path, arrays: dict[str, ndarray], key: str, expected: tuple[int | None, ...]
) -> None:
    """Raise BodyFileError unless an array has this shape (None: any length)."""
    shape = arrays[key].shape
    if len(shape) != len(expected) or any(
        e is not None and e != s for s, e in zip(shape, expected, strict=True)
    ):
        wanted = ", ".join("any" if e is None else str(e) for e in expected)
        raise BodyFileError(path, f"{key} has shape {shape}, expected ({wanted}).", OFFICIAL)
