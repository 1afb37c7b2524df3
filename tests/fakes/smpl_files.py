"""Files in the layout of the official SMPL family, filled with the open body's numbers.

No licensed number is in them. The chumpy stand-in writes pickles as chumpy does: its objects keep
their array in `x`, and `__getstate__` leaves `_parents` and `_cache` out.
"""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import numpy as np
from scipy import sparse

from unipose.body.body import OPEN_BODY_FILE, read_own_format
from unipose.body.skeletons import SMPL

COUNTS = {"smpl": (6890, 24), "smplh": (6890, 52), "smplx": (10475, 55)}


def smpl_arrays(*, seed: int = 0, bends: float = 0.0) -> dict[str, np.ndarray]:
    """Return the open body as an SMPL file's arrays; `bends` scales random pose correctives."""
    body = read_own_format(OPEN_BODY_FILE)
    random = np.random.default_rng(seed)
    parents = np.array([2**32 - 1, *SMPL.parents[1:]], dtype=np.uint32)
    return {
        "v_template": body.template.astype(np.float64),
        "f": body.faces.astype(np.uint32),
        "weights": body.weights.astype(np.float64),
        "J_regressor": body.regressor.astype(np.float64),
        "kintree_table": np.stack([parents, np.arange(24, dtype=np.uint32)]),
        "shapedirs": body.shape_directions.astype(np.float64),
        "posedirs": bends * random.normal(size=(6890, 3, 207)),
    }


def family_arrays(family: str, *, seed: int = 0, bends: float = 0.0) -> dict[str, np.ndarray]:
    """Return random arrays in the layout of SMPL-H or SMPL-X (a mesh of noise, a real tree)."""
    vertices, joints = COUNTS[family]
    random = np.random.default_rng(seed)
    fingers = joints - 30
    parents = [2**32 - 1, *SMPL.parents[1:22], *([15] * (fingers - 22))]
    for wrist in (20, 21):
        for _ in range(5):
            parents += [wrist, len(parents), len(parents) + 1]
    weights = random.random((vertices, joints)) ** 8
    regressor = random.random((joints, vertices)) ** 20
    return {
        "v_template": random.normal(size=(vertices, 3)),
        "f": random.integers(0, vertices, (vertices * 2 - 4, 3)).astype(np.uint32),
        "weights": weights / weights.sum(1, keepdims=True),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "kintree_table": np.array([parents, range(joints)], dtype=np.int64),
        "shapedirs": 0.05 * random.normal(size=(vertices, 3, 20)),
        "posedirs": bends * random.normal(size=(vertices, 3, 9 * (joints - 1))),
    }


class Ch:
    """Writes itself as chumpy's plain container does."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self._dirty_vars: set[str] = set()
        self._itr = None
        self._depends_on_deps: dict[str, object] = {}


class Select:
    """Writes itself as chumpy's selection of another container's elements does."""

    def __init__(self, a: Ch, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


def write_official_pickle(path: Path, arrays: dict[str, np.ndarray], *, protocol: int = 2) -> Path:
    """Write a .pkl as the official files are: chumpy containers and a sparse regressor."""
    chumpy, core, reordering = (types.ModuleType(f"chumpy{n}") for n in ("", ".ch", ".reordering"))
    modules = {"chumpy": chumpy, "chumpy.ch": core, "chumpy.reordering": reordering}
    names = {Ch: (core, "chumpy.ch"), Select: (reordering, "chumpy.reordering")}
    for kind, (module, name) in names.items():
        setattr(module, kind.__name__, kind)
        kind.__module__ = name
    wide = np.concatenate([arrays["shapedirs"], np.zeros((*arrays["shapedirs"].shape[:2], 2))], 2)
    chosen = np.arange(wide.size).reshape(wide.shape)[:, :, : arrays["shapedirs"].shape[2]]
    content = {
        **arrays,
        "J_regressor": sparse.csc_matrix(arrays["J_regressor"]),
        "v_template": Ch(arrays["v_template"]),
        "shapedirs": Select(Ch(wide), chosen.ravel(), arrays["shapedirs"].shape),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    sys.modules.update(modules)
    try:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    finally:
        for name in modules:
            del sys.modules[name]
        for kind in names:
            kind.__module__ = __name__
    return path


def as_python2_pickle(data: bytes) -> bytes:
    """Return a protocol-2 pickle with Python 2's names for the same things."""
    for new, old in (
        (b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"),
        (b"cscipy.sparse._csc\n", b"cscipy.sparse.csc\n"),
        (b"ccopyreg\n", b"ccopy_reg\n"),
        (b"cbuiltins\n", b"c__builtin__\n"),
    ):
        data = data.replace(new, old)
    return data
