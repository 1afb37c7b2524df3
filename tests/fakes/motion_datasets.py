"""AMASS, MOYO, BABEL, PoseScript and PoseFix in small: their own layout and keys, made-up numbers.

Every person stands upright in a world whose z is up, as in AMASS.
"""

from __future__ import annotations

import json
import pickle
import sys
import types
from pathlib import Path

import numpy as np

UPRIGHT = (np.pi / 2, 0.0, 0.0)
"""The root that turns SMPL's y-up body to stand in a z-up world, facing -y."""


def write_amass(
    folder: Path,
    path: str = "CMU/01/01_01_poses.npz",
    *,
    frames: int = 24,
    fps: float = 120.0,
    wild: float = 0.0,
) -> Path:
    """Write an SMPL-H recording: 52 joints in axis-angle; frame i lifts the left knee by i/100.

    `wild`: standard deviation (radians) of how every body joint is turned at random besides.
    """
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    poses = np.zeros((frames, 156))
    poses[:, :3] = UPRIGHT
    poses[:, 12] = -np.arange(frames) / 100
    poses[:, 3:66] += np.random.default_rng(frames).normal(0, wild, (frames, 63))
    np.savez(
        file,
        trans=np.tile([0.5, 2.0, 0.95], (frames, 1)),
        gender=np.array("male"),
        mocap_framerate=np.array(fps),
        betas=np.linspace(-1, 1, 16),
        dmpls=np.zeros((frames, 8)),
        poses=poses,
    )
    np.savez(file.with_name("shape.npz"), betas=np.zeros(16), gender=np.array("male"))
    return file


def write_amass_smplx(
    folder: Path, path: str = "CMU/01/01_01_stageii.npz", *, frames: int = 24, fps: float = 120.0
) -> Path:
    """Write an SMPL-X recording, with the pickled dictionary that real ones carry."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    poses = np.zeros((frames, 165))
    poses[:, :3] = UPRIGHT
    np.savez(
        file,
        gender=np.array("neutral"),
        surface_model_type=np.array("smplx"),
        mocap_frame_rate=np.array(fps),
        mocap_time_length=np.array(frames / fps),
        markers_latent=np.zeros((53, 3)),
        latent_labels=np.array(["C7", "CLAV"]),
        markers_latent_vids=np.array({"C7": 3832}, dtype=object),
        trans=np.zeros((frames, 3)),
        poses=poses,
        betas=np.zeros(16),
        num_betas=np.array(16),
        root_orient=poses[:, :3],
        pose_body=poses[:, 3:66],
        pose_hand=poses[:, 75:],
        pose_jaw=poses[:, 66:69],
        pose_eye=poses[:, 69:75],
    )
    return file


MOYO_NAME = "220923_yogi_body_hands_03596_Boat_Pose_or_Paripurna_Navasana_-a_stageii.pkl"


def write_moyo(folder: Path, name: str = MOYO_NAME, *, split: str = "train", frames=240) -> Path:
    """Write a recording at 60 frames per second, its settings beside it as omegaconf objects."""
    module = types.ModuleType("omegaconf.dictconfig")
    config = type("DictConfig", (), {"__module__": "omegaconf.dictconfig"})
    module.DictConfig = config  # type: ignore[attr-defined]
    settings = config()
    settings.__dict__["_content"] = {"surface_model": "smplx"}
    fullpose = np.zeros((frames, 165))
    fullpose[:, :3] = UPRIGHT
    content = {
        "fullpose": fullpose,
        "trans": np.zeros((frames, 3)),
        "betas": np.zeros(300),
        "stageii_debug_details": {"cfg": settings, "mocap_frame_rate": 60.0},
    }
    file = folder / "20220923_20220926_with_hands" / "mosh" / split / name
    file.parent.mkdir(parents=True, exist_ok=True)
    modules = {"omegaconf": types.ModuleType("omegaconf"), "omegaconf.dictconfig": module}
    sys.modules.update(modules)
    try:
        file.write_bytes(pickle.dumps(content, protocol=4))
    finally:
        for word in modules:
            del sys.modules[word]
    return file


def babel_label(text: str, start: float | None = None, end: float | None = None) -> dict:
    """Return one label as the release writes it."""
    label = {"raw_label": text, "proc_label": text, "act_cat": ["walk"], "seg_id": "a-b"}
    return label if start is None else {**label, "start_t": start, "end_t": end}


def write_babel(folder: Path, *, frame_labels: list[dict], path="CMU/CMU/01/01_01_poses.npz"):
    """Write a release of one sequence in train.json, and one with several annotators."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = {
        "babel_sid": 12906,
        "url": "https://example.org/12906.mp4",
        "feat_p": path,
        "dur": 0.2,
        "seq_ann": {
            "babel_lid": "x",
            "anntr_id": "y",
            "mul_act": True,
            "labels": [babel_label("move about")],
        },
        "frame_ann": {"babel_lid": "x", "labels": frame_labels} if frame_labels else None,
    }
    (folder / "train.json").write_text(json.dumps({"12906": entry}))
    (folder / "val.json").write_text("{}")
    extra = {key: value for key, value in entry.items() if key not in ("seq_ann", "frame_ann")}
    extra |= {"seq_anns": [entry["seq_ann"]], "frame_anns": [None]}
    (folder / "extra_train.json").write_text(json.dumps({"1": extra}))
    return folder


def write_posescript(folder: Path, index: dict[str, list]) -> Path:
    """Write release 2: people describe pose 1 twice, rules describe every pose."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "ids_2_dataset_sequence_and_frame_index_100k.json"
    (folder / name).write_text(json.dumps(index))
    human = {"1": ["The person stands. ", "Someone is upright."]}
    (folder / "posescript_human_6293.json").write_text(json.dumps(human))
    automatic = {number: ["They stand.", "Standing.", "Upright."] for number in index}
    (folder / "posescript_auto_100k.json").write_text(json.dumps(automatic))
    for split, numbers in (("train", [1]), ("val", [2]), ("test", [])):
        (folder / f"{split}_ids_100k.json").write_text(json.dumps(numbers))
    return folder


def write_posefix(folder: Path, index: dict[str, list]) -> Path:
    """Write the release: pair 0 within a recording, pair 1 between two, described by people."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "ids_2_dataset_sequence_and_frame_index_100k.json"
    (folder / name).write_text(json.dumps(index))
    (folder / "pair_id_2_pose_ids.json").write_text(json.dumps([[1, 2], [1, 3], [2, 99]]))
    human = {"0": ["Lift your left knee."], "1": ["Lower it."], "2": ["Jump."], "7": ["No pair."]}
    (folder / "posefix_human_6157.json").write_text(json.dumps(human))
    (folder / "posefix_auto_135305.json").write_text(json.dumps({"0": ["Raise the knee."]}))
    for split in ("train", "val", "test"):
        for kind in ("in", "out"):
            numbers = [0] if (split, kind) == ("val", "in") else []
            file = folder / f"{split}_{kind}_sequence_pair_ids.json"
            file.write_text(json.dumps(numbers))
    return folder
