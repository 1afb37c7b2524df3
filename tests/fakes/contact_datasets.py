"""Data sets of people who touch, a scene or two of each, as they are unpacked."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image


def write_hi4d(
    folder: Path, frames: tuple[int, ...] = (10, 15), broken: tuple[int, ...] = ()
) -> None:
    """Write a pair of Hi4D; `broken` frames lack the people's places."""
    action = folder / "pair00" / "dance00"
    for name in ("smpl", "cameras", "images/4"):
        (action / name).mkdir(parents=True)
    for frame in frames:
        arrays = {
            "betas": np.zeros((2, 10)), "global_orient": np.zeros((2, 3)),
            "body_pose": np.full((2, 69), 0.1), "transl": np.array([[0.0, 1, 0], [0.3, 1, 0]]),
        }  # fmt: skip
        if frame in broken:
            del arrays["transl"]
        np.savez(action / "smpl" / f"{frame:06d}.npz", **arrays)
    extrinsics = np.zeros((2, 3, 4))
    extrinsics[:, :, :3] = np.diag([1.0, -1, -1])
    extrinsics[:, 2, 3] = 3.0
    inner = np.array([[1000.0, 0, 470], [0, 1000, 640], [0, 0, 1]])
    np.savez(action / "cameras" / "rgb_cameras.npz", ids=np.array([4, 16]),
             intrinsics=np.stack([inner] * 2), extrinsics=extrinsics)  # fmt: skip
    np.savez(action / "meta.npz", start=np.array(10), end=np.array(17))


def write_chi3d(folder: Path, frame: int = 1) -> None:
    """Write a recording of CHI3D of two frames whose contact is marked in `frame`."""
    subject = folder / "train" / "s03"
    for name in ("smplx", "camera_parameters/50591643"):
        (subject / name).mkdir(parents=True)
    eye = np.eye(3)
    content = {
        "global_orient": np.tile(eye, (2, 2, 1, 1, 1)), "betas": np.zeros((2, 2, 10)),
        "body_pose": np.tile(eye, (2, 2, 21, 1, 1)),
        "transl": np.array([[[0, 0, 1.0]] * 2, [[0, 0.5, 1.0]] * 2]),
    }  # fmt: skip
    text = json.dumps({name: value.tolist() for name, value in content.items()})
    (subject / "smplx" / "Hug 1.json").write_text(text)
    signature = {"Hug 1": {"fr_id": frame, "smplx_signature": {"region_id": [[72, 13]]}}}
    (subject / "interaction_contact_signature.json").write_text(json.dumps(signature))
    camera = {
        "extrinsics": {"R": np.diag([1.0, -1, -1]).tolist(), "T": [[0, 0, 4.0]]},
        "intrinsics_wo_distortion": {"f": [[900.0, 900.0]], "c": [[450.0, 450.0]]},
    }
    file = subject / "camera_parameters" / "50591643" / "Hug 1.json"
    file.write_text(json.dumps(camera))


def write_flickrci3d(folder: Path) -> Path:
    """Write a photograph of FlickrCI3D with a pair, and one that names nobody; return the photo."""
    images = folder / "test" / "images"
    images.mkdir(parents=True)
    Image.new("RGB", (60, 40), (90, 120, 90)).save(images / "a.png")
    pair = {"person_ids": [1, 0], "smplx": {"region_id": [[3, 7], [3, 58]]}}
    lost = {"person_ids": [0, 9], "smplx": {"region_id": []}}
    entry = {"bbxes": [[0, 0, 10, 20], [5, 0, 15, 20]], "ci_sign": [pair, lost]}
    file = folder / "test" / "interaction_contact_signature.json"
    file.write_text(json.dumps({"a": entry}))
    return images / "a.png"


def write_moyo(folder: Path, *, left_hip: float = 0.0, left_knee: float = 0.0) -> None:
    """Write a recording of MOYO in whose middle a hip and a knee are bent (radians)."""
    path = folder / "220923" / "mosh" / "val"
    path.mkdir(parents=True)
    poses = np.zeros((401, 165))
    poses[200, 3:6] = left_hip
    poses[200, 12] = left_knee
    recording = {"fullpose": poses, "trans": np.zeros((401, 3))}
    name = "220923_yogi_body_hands_03596_Boat_Pose_-a_stageii.pkl"
    (path / name).write_bytes(pickle.dumps(recording))
