"""Human3.6M, 3DHP, 3DPW, H3WB, BEDLAM, COCO and MPII in small: their own layout, keys and units.

In all of them the same person stands in front of one camera, 4 m away and 1 m high, and faces it.
"""

from __future__ import annotations

import json
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from tests.fakes.smpl_files import as_python2_pickle
from unipose.body.keypoint_sets import (
    COCO_WHOLEBODY_133,
    HUMAN36M_17,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    OPENPOSE_25,
    SMPL_24,
)

FOCAL, AWAY_M, EYE_M = 1100.0, 4.0, 1.0
_HEIGHT = {
    "head": 1.6, "neck": 1.45, "should": 1.4, "elbow": 1.15, "wrist": 0.9, "hand": 0.85,
    "hip": 0.9, "knee": 0.5, "ankle": 0.1, "foot": 0.03, "toe": 0.02, "heel": 0.02, "pelvis": 0.95,
}  # fmt: skip


def standing(names: tuple[str, ...]) -> np.ndarray:
    """Return made-up places of landmarks: metres, x to the person's left, y up, z to its front."""
    rows = []
    for i, name in enumerate(names):
        height = next((h for part, h in _HEIGHT.items() if part in name), 1.3)
        side = 0.2 if "left" in name else -0.2 if "right" in name else 0.0
        rows.append((side + i / 5000, height + i / 5000, i / 3000))
    return np.array(rows)


def seen_from_front(points: np.ndarray) -> np.ndarray:
    """Return body-frame points in the camera: x right, y down, z ahead (metres)."""
    return np.stack([points[:, 0], EYE_M - points[:, 1], AWAY_M - points[:, 2]], axis=1)


def pixels(points: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """Return where the camera sees body-frame points."""
    camera = seen_from_front(points)
    return camera[:, :2] / camera[:, 2:] * FOCAL + np.array(centre)


def write_jpeg(path: Path, size: tuple[int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 90)).save(path, quality=30)
    return path


def write_bomb(path: Path, *, side: int) -> Path:
    """Write a small black PNG with very many pixels."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 + (side + 7) // 8) * side, 1)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content)
    return path


H36M_PICTURE = "s_01_act_02_subact_01_ca_01/s_01_act_02_subact_01_ca_01_000006.jpg"


def write_human36m(folder: Path, *, fitted: bool = True) -> Path:
    """Write one frame of subject 1: a world in millimetres whose z is up."""
    body = standing(HUMAN36M_17.names)
    world_mm = np.stack([body[:, 0], -body[:, 2], body[:, 1]], axis=1) * 1000
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    place_mm = -rotation @ np.array([0, -AWAY_M, EYE_M]) * 1000
    image = {
        "id": 7, "file_name": H36M_PICTURE, "width": 1000, "height": 1002, "subject": 1,
        "action_name": "Directions", "action_idx": 2, "subaction_idx": 1, "cam_idx": 1,
        "frame_idx": 5,
    }  # fmt: skip
    annotation = {
        "id": 3,
        "image_id": 7,
        "keypoints_vis": [True] * 17,
        "bbox": [300, 150, 400, 800],
    }
    camera = {
        "R": rotation.tolist(), "t": place_mm.tolist(), "f": [FOCAL, FOCAL], "c": [512.5, 515.5],
    }  # fmt: skip
    fit = {"pose": [np.pi / 2, *[0.0] * 71], "shape": [0.5] * 10, "trans": [[0.0, 0.0, 1.2]]}
    files = {
        "data": {"images": [image], "annotations": [annotation]},
        "camera": {"1": camera},
        "joint_3d": {"2": {"1": {"5": world_mm.tolist()}}},
        **({"smpl_param": {"2": {"1": {"5": fit}}}} if fitted else {}),
    }
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for kind, content in files.items():
        file = folder / "annotations" / f"Human36M_subject1_{kind}.json"
        file.write_text(json.dumps(content))
    write_jpeg(folder / "images" / H36M_PICTURE, (1000, 1002))
    return folder


def cell(items: list) -> np.ndarray:
    """Return a MATLAB cell array (n, 1)."""
    array = np.empty((len(items), 1), dtype=object)
    for i, item in enumerate(items):
        array[i, 0] = item
    return array


def write_mpi_inf_3dhp(folder: Path, *, frames: int = 6, broken_frame: int | None = None) -> Path:
    """Write S1/Seq1: fourteen cameras (all at one place), 3D in the camera, millimetres, y up."""
    sequence = folder / "S1" / "Seq1"
    sequence.mkdir(parents=True)
    body = standing(MPI_INF_3DHP_28.names)
    joints = np.tile((seen_from_front(body) * 1000).ravel(), (frames, 1))
    if broken_frame is not None:
        joints[broken_frame, 3] = np.nan
    points = np.tile(pixels(body, (1024, 1024)).ravel(), (frames, 1))
    savemat(
        sequence / "annot.mat",
        {
            "annot2": cell([points] * 14),
            "annot3": cell([joints] * 14),
            "univ_annot3": cell([joints] * 14),
            "cameras": np.arange(14, dtype=np.uint8)[None],
            "frames": np.arange(frames)[:, None],
        },
    )
    intrinsic = np.array([[FOCAL, 0, 1024, 0], [0, FOCAL, 1024, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    extrinsic = np.diag([1.0, -1, -1, 1])
    extrinsic[:3, 3] = -extrinsic[:3, :3] @ np.array([0, EYE_M, AWAY_M]) * 1000
    words = {
        n: " ".join(f"{v:g}" for v in m.ravel()) for n, m in (("i", intrinsic), ("e", extrinsic))
    }
    text = "Skeletool Camera Calibration File V1.0\n"
    for camera in range(14):
        text += f"name          {camera}\n  sensor      10 10\n  size        2048 2048\n"
        text += f"  animated    0\n  intrinsic   {words['i']} \n  extrinsic   {words['e']} \n"
        text += "  radial      0\n"
    (sequence / "camera.calibration").write_text(text)
    return folder


class Hdf5File:
    """Stands in for h5py.File where h5py is not installed: the arrays lie in an .npz."""

    def __init__(self, path: Path, mode: str) -> None:
        assert mode == "r"
        with np.load(path) as arrays:
            self.arrays = dict(arrays)

    def __enter__(self) -> dict[str, np.ndarray]:
        return self.arrays

    def __exit__(self, *error: object) -> None:
        self.arrays = {}


def write_mpi_inf_3dhp_test(folder: Path, *, frames: int = 3) -> Path:
    """Write TS1 as h5py shows it, axes reversed; the middle frame is not valid."""
    sequence = folder / "mpi_inf_3dhp_test_set" / "TS1"
    sequence.mkdir(parents=True)
    in_camera = seen_from_front(standing(MPI_INF_3DHP_17.names)) * 1000
    points = in_camera[:, :2] / in_camera[:, 2:] * 1500 + np.array([1017.0, 1043.0])
    with (sequence / "annot_data.mat").open("wb") as file:
        np.savez(
            file,
            annot2=np.tile(points, (frames, 1, 1, 1)),
            annot3=np.tile(in_camera, (frames, 1, 1, 1)),
            univ_annot3=np.tile(in_camera, (frames, 1, 1, 1)),
            valid_frame=(np.arange(frames) != 1).astype(float)[:, None],
            activity_annotation=np.full((frames, 1), 2.0),
        )
    for frame in range(frames):
        write_jpeg(sequence / "imageSequence" / f"img_{frame + 1:06d}.jpg", (2048, 2048))
    return folder


def write_3dpw(folder: Path, *, frames: int = 4, split: str = "train", **changed: object) -> Path:
    """Write one sequence with one person; the camera is not valid in the last frame."""
    body = standing(SMPL_24.names)
    extrinsics = np.diag([1.0, -1, -1, 1])
    extrinsics[:3, 3] = -extrinsics[:3, :3] @ np.array([0, EYE_M, AWAY_M])
    found = np.zeros((frames, 3, 18))
    found[0, :, 4] = (500, 700, 0.8)
    content = {
        "sequence": "downtown_walking_00",
        "betas": [np.full(10, 0.25)],
        "poses": [np.zeros((frames, 72))],
        "trans": [np.tile([0.0, 1.17, 0.0], (frames, 1))],
        "poses_60Hz": [np.zeros((2 * frames, 72))],
        "trans_60Hz": [np.zeros((2 * frames, 3))],
        "betas_clothed": [np.zeros(10)],
        "v_template_clothed": [np.zeros((6890, 3), dtype=np.float32)],
        "genders": ["m"],
        "texture_maps": [[]],
        "poses2d": [found],
        "jointPositions": [np.tile(body.ravel(), (frames, 1))],
        "img_frame_ids": np.arange(frames),
        "cam_poses": np.tile(extrinsics, (frames, 1, 1)),
        "cam_intrinsics": np.array([[FOCAL, 0, 540], [0, FOCAL, 960], [0, 0, 1.0]]),
        "campose_valid": [np.arange(frames) < frames - 1],
        **changed,
    }
    file = folder / "sequenceFiles" / split / "downtown_walking_00.pkl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(as_python2_pickle(pickle.dumps(content, protocol=2)))
    for frame in range(frames):
        write_jpeg(
            folder / "imageFiles/downtown_walking_00" / f"image_{frame:05d}.jpg", (1080, 1920)
        )
    return folder


EGOBODY = "recording_20210907_S03_S04_01"


def write_egobody(folder: Path, *, frames: int = 4, split: str = "test") -> Path:
    """Write one recording; OpenPose finds nobody in the last frame, one was not fitted.

    The Kinect stands 2 m to the right of the headset and looks the same way; the headset's world is
    turned by a quarter about the vertical.
    """
    (folder / "egocentric_color").mkdir(parents=True, exist_ok=True)
    (folder / "data_info_release.csv").write_text(
        "scene_name,recording_name,start_frame,end_frame,body_idx_0,body_idx_1,body_idx_fpv\n"
        f"cab_e,{EGOBODY},100,{99 + frames},0 female,1 male,1 male\n"
    )
    (folder / "data_splits.csv").write_text(f"train,val,{split}\n,,{EGOBODY}\n")
    place = folder / "egocentric_color" / EGOBODY / "2021-09-07-155421"
    world = np.eye(4)
    world[:3, :3] = [[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]  # from the headset's camera to its world
    to_kinect = np.diag([1.0, -1, -1, 1]) @ np.linalg.inv(world)
    to_kinect[0, 3] = -2.0  # the Kinect sees everything 2 m further to the left
    calibration = folder / "calibrations" / EGOBODY / "cal_trans"
    calibration.mkdir(parents=True)
    (calibration / "holo_to_kinect12.json").write_text(json.dumps({"trans": to_kinect.tolist()}))
    lines = ["(960.0, 540.0, 1920, 1080)"]
    names, rows = [], []
    points = pixels(standing(OPENPOSE_25.names), (960, 540))
    for i in range(frames):
        frame, stamp = f"frame_{100 + i:05d}", 132_000_000 + i
        name = f"egocentric_color/{EGOBODY}/{place.name}/PV/{stamp}_{frame}.jpg"
        write_jpeg(folder / name, (1920, 1080))
        lines.append(",".join(map(str, [stamp, FOCAL, FOCAL, *world.ravel()])))
        names.append(name)
        rows.append(np.column_stack([points, np.full(25, 0.8 if i < frames - 1 else 0.0)]))
        if i != 1:
            write_egobody_fit(folder, frame)
    (place / "2021-09-07-155421_pv.txt").write_text("\n".join(lines) + "\n")
    np.savez(place / "keypoints.npz", imgname=np.array(names), keypoints=np.array(rows),
             center=np.zeros((frames, 2)), scale=np.ones(frames))  # fmt: skip
    return folder


def write_egobody_fit(folder: Path, frame: str) -> None:
    """Write a person who stands 4 m before the headset and faces it, in the Kinect's frame."""
    file = folder / f"smpl_interactee_test/{EGOBODY}/body_idx_1/results/{frame}/000.pkl"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "global_orient": np.array([[np.pi, 0.0, 0.0]]),
        "body_pose": np.zeros((1, 69)),
        "betas": np.full((1, 10), 0.25),
        "transl": np.array([[-2.0, 0.2, AWAY_M]]),
        "gender": "male",
    }
    file.write_bytes(as_python2_pickle(pickle.dumps(content, protocol=2)))


def write_h3wb(folder: Path, *, frames: int = 2) -> Path:
    """Write the archive: a world in millimetres whose z is up, four views, everything pickled."""
    body = standing(COCO_WHOLEBODY_133.names)
    world_mm = np.stack([body[:, 0], -body[:, 2], body[:, 1]], axis=1) * 1000
    cameras = ("54138969", "55011271", "58860488", "60457274")
    view = {
        "camera_3d": np.tile(seen_from_front(body) * 1000, (frames, 1, 1, 1)),
        "pose_2d": np.tile(pixels(body, (512, 515)), (frames, 1, 1, 1)),
        "sample_id": np.arange(frames),
    }
    action = {
        "global_3d": np.tile(world_mm, (frames, 1, 1)),
        "frame_id": [f"{75 + 5 * i:04d}" for i in range(frames)],
        **dict.fromkeys(cameras, view),
    }
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "h3wb_train.npz",
        train_data=np.array({"S1": {"Directions 1": action}}, dtype=object),
        metadata=np.array({"S1": {c: {"K": np.eye(3)} for c in cameras}}, dtype=object),
    )
    return folder


def write_h3wb_samples(folder: Path) -> Path:
    """Write RGBto3D_train.json: single samples, 3D in the camera, millimetres."""
    points = seen_from_front(standing(COCO_WHOLEBODY_133.names)) * 1000
    name = "S1/Images/S1_Directions_1.54138969/S1_Directions_1.54138969_00001.jpg"
    sample = {
        "image_path": name,
        "bbox": {"x_min": 300, "y_min": 200, "x_max": 700, "y_max": 900},
        "keypoints_3d": {
            str(i): dict(zip("xyz", row, strict=True)) for i, row in enumerate(points.tolist())
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RGBto3D_train.json").write_text(json.dumps({"0": sample}))
    write_jpeg(folder / "images" / name, (1000, 1002))
    return folder


def write_bedlam(folder: Path) -> Path:
    """Write one picture's labels: a world that is the camera's, y down, the person upside up."""
    body = standing(SMPL_24.names)
    scene, name = "20221010_3_1000_batch01hand", "seq_000000/seq_000000_0000.png"
    pose = np.zeros((1, 165))
    pose[0, 0] = np.pi  # y up in a world that is y down
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = (0, EYE_M, AWAY_M)
    points = np.concatenate([pixels(body, (640, 360)), np.ones((24, 1))], axis=1)
    (folder / "labels").mkdir(parents=True)
    np.savez(
        folder / "labels" / f"{scene}.npz",
        imgname=[name],
        center=[[640.0, 360.0]],
        scale=[3.0],
        pose_cam=pose,
        pose_world=pose,
        shape=np.linspace(-1, 1, 11)[None],
        trans_cam=np.zeros((1, 3)),
        trans_world=np.array([[0.0, -1.0, 0.0]]),
        gtkps=points[None],
        cam_int=np.array([[[FOCAL, 0, 640], [0, FOCAL, 360], [0, 0, 1.0]]]),
        cam_ext=extrinsic[None],
        gender=["female"],
        proj_verts=np.zeros((1, 4, 2)),
        motion_info=["walk"],
        sub=["rp_aaron_posed_002"],
    )
    path = folder / "images" / scene / "png" / name
    path.parent.mkdir(parents=True)
    Image.new("RGB", (1280, 720)).save(path)
    return folder
