"""Data sets of lifting in their real layouts, with people that are made up."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from data_builders.lifting.mocap_lifting import HUMAN36M_CAMERAS

JOINTS = np.random.default_rng(0).uniform(-0.6, 0.6, size=(32, 3)) + np.array([0.0, 0.0, 1.0])
"""Of one pose, metres, z up."""
TURN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""World (z up) to a camera that looks along its y."""
PLACE = np.array([0.1, -4.0, 1.2])


def write_human36m_npz(folder: Path, *, frames: int = 3, camera_to_world: bool = True) -> Path:
    """Write VideoPose3D's two archives and the cameras of subjects 1, 8 and 9."""
    world = np.stack([JOINTS + 0.01 * i for i in range(frames)])
    places, pixels, cameras = {}, {}, {}
    for subject in ("S1", "S8", "S9"):
        views = []
        for camera in HUMAN36M_CAMERAS:
            local = (world - PLACE) @ TURN.T
            seen = local[..., :2] / local[..., 2:] * camera.focal_px + camera.centre_px
            views.append(seen.astype(np.float32))
            rotation = TURN.T if camera_to_world else TURN
            cameras[subject, camera.name] = {"R": rotation, "T": PLACE[:, None], "w": 1000}
        places[subject] = {"Walking 1": world.astype(np.float32)}
        pixels[subject] = {"Walking 1": views}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(places, dtype=object))
    np.savez(
        folder / "data_2d_h36m_gt.npz", positions_2d=np.array(pixels, dtype=object),
        metadata=np.array({"num_joints": 32}, dtype=object),
    )  # fmt: skip
    (folder / "cameras.pkl").write_bytes(pickle.dumps(cameras))
    return folder


def write_3dhp_npz(folder: Path, *, head_apart: bool = False) -> Path:
    """Write P-STMO's two archives; `head_apart`: slot 0 holds where the camera sees the head."""
    joints = np.random.default_rng(1).uniform(-600, 600, size=(4, 17, 3))
    joints[:, 1] = joints[:, 0] + 100
    seen = np.random.default_rng(2).uniform(200, 1000, size=(4, 17, 2))
    kept = joints.copy()
    if head_apart:
        kept -= kept[:, :1]
        kept[:, 0] = (300.0, -500.0, 3500.0)
    view = {"data_3d": kept, "data_2d": seen}
    data = {"S1 Seq1": [{"0": view, "2": view}], "S8 Seq2": [{"0": view}]}
    broken = seen.copy()
    broken[2] = 1e6  # a joint beside the camera
    test = {
        "TS1": {"data_3d": kept, "data_2d": broken, "valid": np.array([1, 0, 1, 1])},
        "TS6": {"data_3d": kept, "data_2d": seen, "valid": np.array([0, 1, 1, 1])},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("train", data), ("test", test)):
        np.savez(folder / f"data_{name}_3dhp.npz", data=np.array(content, dtype=object))
    np.save(folder / "truth.npy", joints - joints[:, 14:15])
    return folder


def h3wb_samples(count: int) -> dict[str, dict]:
    """Return H3WB's JSON samples: keypoints by number, pixels and millimetres in the camera."""
    random = np.random.default_rng(3)
    found = {}
    for number in range(count):
        points = random.uniform(-500, 500, size=(133, 3)) + np.array([0, 0, 4000])
        pixels = points[:, :2] / points[:, 2:] * 1145 + 512
        found[str(number)] = {
            "keypoints_2d": {str(j): {"x": x, "y": y} for j, (x, y) in enumerate(pixels.tolist())},
            "keypoints_3d": {
                str(j): dict(zip("xyz", row, strict=True)) for j, row in enumerate(points.tolist())
            },
        }
    return found
