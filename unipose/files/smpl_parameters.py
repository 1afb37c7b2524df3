"""Named arrays become a Pose: AMASS, SMPL parameters, and our own, whatever file held them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body, load_body
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import FileError
from unipose.files.motion import UP_AXES, check_up
from unipose.files.notes import add_note
from unipose.files.npy import rotations_to_pose
from unipose.files.pose_rows import BODY, ROOT, WHOLE, Part, rotations_of, time_axes

FORMAT = "unipose pose"
"""What our own files say in "format"."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Under which names a pose and its place lie, and which way is up in their world."""

    pose: tuple[str, ...]
    """One array of all joints, or the root's and the others'."""
    place: tuple[str, ...]
    """Names of the translation, the first that is there."""
    up: str | None = None
    """None: the names alone do not tell."""


LAYOUTS = (
    Layout(pose=("rotations",), place=("translation",), up="y"),  # ours
    Layout(pose=("smpl_poses",), place=("smpl_trans",), up="y"),  # AIST++
    Layout(pose=("pose_world",), place=("trans_world",), up="y"),  # WHAM
    Layout(pose=("smpl_thetas",), place=("cam_trans",), up="-y"),  # ROMP
    Layout(pose=("Rh", "poses"), place=("Th",)),  # EasyMocap
    Layout(pose=("poses",), place=("trans",)),  # AMASS and others
    Layout(pose=("root_orient", "pose_body"), place=("trans",)),  # AMASS, SLAHMR
    Layout(pose=("fullpose",), place=("trans",), up="z"),  # MoSh++
    Layout(pose=("global_orient", "body_pose"), place=("transl", "trans")),  # smplx
    Layout(pose=("pose",), place=("trans", "transl")),  # camera frames, 3DPW, NeuralAnnot
)
POSES = frozenset(name for layout in LAYOUTS for name in layout.pose)
PLACES = frozenset(name for layout in LAYOUTS for name in layout.place)
BETAS = ("betas", "shape", "shapes", "smpl_betas")
RATES = ("fps", "mocap_framerate", "mocap_frame_rate", "frame_rate", "framerate")
OPEN_BETAS = "open_betas"
"""Shape of the open body in our own .npz, where `betas` would be taken for SMPL's."""
SCALE = "smpl_scaling"
"""AIST++'s: its places are so many times larger than metres."""
ARRAYS = frozenset(
    {*POSES, *PLACES, *BETAS, *RATES, "format", "body", OPEN_BETAS, SCALE, "surface_model_type"}
)
"""Names that are looked at; everything else in a file is left unread."""
AMASS_ONLY = frozenset({
    "mocap_framerate", "mocap_frame_rate", "surface_model_type", "dmpls", "mocap_time_length",
    "pose_hand", "pose_jaw", "pose_eye", "markers_latent",
})  # fmt: skip
"""Names that only AMASS's recordings have, which are z up."""
CAMERA_ONLY = frozenset({
    "camera", "cam", "cams", "pred_cam", "orig_cam", "pred_cam_t", "cam_t", "cam_trans", "cam_R",
    "cam_int", "intrins", "cam_param", "camera_translation", "camera_rotation", "focal_length",
})  # fmt: skip
"""Names of a camera beside a person: their frame is then the camera's, y down."""
SILENT = frozenset({
    "gender", "joints", "labels", "latent_labels", "markers", "marker_data", "marker_labels",
    "markers_latent_vids", "markers_obs", "labels_obs", "num_betas", "poses_hand", "poses_jaw",
    "id", "tid", "frame_ids", "smpl_loss",
})  # fmt: skip
"""Names that need no mention when they are left unread."""
BODIES = (OPEN_BODY, "smpl", "smplh", "smplx")
BODY_OF_JOINTS = {22: "smpl", 24: "smpl", 52: "smplh", 54: "smplx", 55: "smplx"}
"""Which body a whole pose belongs to, by its number of joints."""
PELVIS_HEIGHT_M = {"smpl": -0.223, "smplh": -0.223, "smplx": -0.351}
"""Where the mean body of each family has its pelvis in the zero pose: its origin is the chest."""
LARGEST_ANGLE = 1e4
LARGEST_LENGTH_M = 1e5
HEAD_DOWN = -0.5
"""A trunk whose mean direction points so far down belongs to a world that is y down."""

Arrays = Mapping[str, np.ndarray]


def parameters_to_pose(
    arrays: Arrays,
    path: Path,
    *,
    up: str | None = None,
    person: str | None = None,
    others: Collection[str] = (),
) -> Pose:
    """Return the pose that named arrays hold, y up.

    `up` is the axis of the file's world that points up ("y", "z" or "-y"); without it the layout
    tells, and where it cannot, a FileNote says what was assumed. `person` is the number of one of
    several people in the arrays; `others` are names in the file that were not read. Raises
    FileError if there is no pose, or an array does not fit; ConfigError for an unknown `up`.
    """
    check_up(up)
    layout = _layout_of(arrays, path)
    if layout.pose == ("rotations",):
        body = _body(arrays, path, OPEN_BODY)
        pose = rotations_to_pose(_numbers(arrays, "rotations", path), path, "rotations")
        chosen, people = 0, 1
    else:
        rotations = rotations_of(_parts(arrays, layout, path), path)
        people, count, joints = rotations.shape[:3]
        if not people or not count:
            raise FileError(path, "holds no pose.")
        chosen = _chosen(people, person, path)
        body = _body_of(arrays, layout, joints, path)
        # SMPL's own two hand joints follow the 22 others; the richer bodies have fingers or a jaw
        used = len(SMPL.joints) if joints == len(SMPL.joints) else POSED_JOINTS
        pose = rotations_to_pose(rotations[chosen, :, :used], path, layout.pose[-1])
    pose = _with_known(pose, arrays, path, layout, body, chosen, people)
    names = {*arrays, *others}
    _note_unread(names - _read_names(arrays, layout), path)
    if up is None:
        up = layout.up or _up_told(arrays, names, layout, pose)
    return turn_up(pose, up or _assumed_up(pose, path))


def _layout_of(arrays: Arrays, path: Path) -> Layout:
    for layout in LAYOUTS:
        if all(name in arrays for name in layout.pose):
            return layout
    for root, body in (("root_orient", "pose_body"), ("global_orient", "body_pose")):
        if root in arrays:
            raise FileError(path, f"has {root} but no {body}.")
    found = ", ".join(sorted(arrays)) or "nothing known"
    raise FileError(
        path,
        f"holds no pose: found {found}.",
        f"Expected {', or '.join(' and '.join(layout.pose) for layout in LAYOUTS)}.",
    )


def _parts(arrays: Arrays, layout: Layout, path: Path) -> list[Part]:
    parts: list[Part] = []
    for name in layout.pose:
        array = _numbers(arrays, name, path)
        if not np.all(np.abs(array) < LARGEST_ANGLE):
            raise FileError(path, f"{name} holds NaN, infinite or absurdly large angles.")
        parts.append((name, array, WHOLE))
    if len(parts) == 2:
        (root, turn, _), (name, others, _) = parts
        parts = [(root, turn, ROOT), (name, others, BODY)]
        if root == "Rh":
            parts = _without_inner_root(parts, path)
    return parts


def _without_inner_root(parts: list[Part], path: Path) -> list[Part]:
    """Return EasyMocap's root and body: of a whole pose the root must be unturned, Rh turns it."""
    root, (name, array, _) = parts
    if array.shape[-1:] not in ((72,), (66,)):
        return parts
    if np.abs(array[..., :3]).max(initial=0.0) > 1e-6:
        raise FileError(path, f"{name} turns the root, and so does Rh; expected only Rh.")
    return [root, (name, array[..., 3:], BODY)]


def _chosen(people: int, person: str | None, path: Path) -> int:
    """Return the number of the person to read out of so many."""
    if person is not None and people > 1:
        if not person.isdigit() or int(person) >= people:
            raise FileError(path, f"there is no person {person!r}; there are 0 to {people - 1}.")
        return int(person)
    if people > 1:
        add_note(path, f"holds {people} people; this is person 0, --person NUMBER picks another")
    return 0


def _body_of(arrays: Arrays, layout: Layout, joints: int, path: Path) -> str:
    if "body" in arrays:
        return _body(arrays, path, "smpl")
    default = "smplh" if layout.pose == ("root_orient", "pose_body") else BODY_OF_JOINTS[joints]
    return _body(arrays, path, default, "surface_model_type")


def _up_told(arrays: Arrays, names: set[str], layout: Layout, pose: Pose) -> str | None:
    """Return which way is up where other names or widths tell, else None."""
    if "format" in arrays and str(arrays["format"]) == FORMAT:
        return "y"
    if names & CAMERA_ONLY:
        return "-y"
    if layout.pose == ("poses",):
        amass = names & AMASS_ONLY or arrays["poses"].shape[-1] in (66, 156, 162, 165)
        return "z" if amass else None
    if layout.pose == ("root_orient", "pose_body"):
        return "z"
    return None


def _assumed_up(pose: Pose, path: Path) -> str:
    """Return y, or -y if heads point there throughout, and say that it was assumed."""
    trunk = float(pose.rotations[:, 0, 1, 1].mean())
    if trunk < HEAD_DOWN:
        add_note(
            path,
            "does not say which way is up: the head points to -y throughout, so this was read as "
            "a camera's frame, y down; --up y (up='y') keeps it as it is",
        )
        return "-y"
    lies = "" if trunk > -HEAD_DOWN else ", though the trunk does not stand upright"
    add_note(
        path,
        f"does not say which way is up: read as y up{lies}; "
        "--up z or --up -y (up='z', up='-y') reads it otherwise",
    )
    return "y"


def _read_names(arrays: Arrays, layout: Layout) -> set[str]:
    """Return the names whose arrays went into the pose."""
    place = next((name for name in layout.place if name in arrays), "")
    betas = next((name for name in BETAS if name in arrays), "")
    repeated = {"root_orient", "pose_body"} if layout.pose == ("poses",) else set()
    return {
        *layout.pose, place, betas, *RATES, *repeated, "format", "body", "surface_model_type",
        OPEN_BETAS, SCALE,
    }  # fmt: skip


def _note_unread(names: set[str], path: Path) -> None:
    unread = sorted(names - SILENT - AMASS_ONLY)
    if unread:
        more = f" and {len(unread) - 8} more" if len(unread) > 8 else ""
        add_note(path, f"not read: {', '.join(unread[:8])}{more}")


def _with_known(
    pose: Pose, arrays: Arrays, path: Path, layout: Layout, body: str, person: int, people: int
) -> Pose:
    """Return the pose with what else the arrays say: shape, place, frame rate, whose body."""
    known: dict[str, Tensor | float | str] = {"body": body}
    own = body == OPEN_BODY and OPEN_BETAS in arrays
    betas = OPEN_BETAS if own else next((name for name in BETAS if name in arrays), "")
    if betas:
        known["betas"] = _betas(
            _numbers(arrays, betas, path), betas, path, len(pose), person, people
        )
    place = next((name for name in layout.place if name in arrays), "")
    if place:
        known["translation"] = _place(arrays, place, path, len(pose), person)
    for name in RATES:
        if name in arrays:
            rate = _numbers(arrays, name, path)
            if rate.size != 1 or not 1e-3 < float(rate.reshape(-1)[0]) < 1e5:
                raise FileError(path, f"{name} must be one positive number.")
            known["fps"] = float(rate.reshape(-1)[0])
    pose = replace(pose, **known)  # type: ignore[arg-type]
    if layout.pose[0] == "Rh" and pose.translation is not None:
        pelvis = mean_pelvis(body)
        turned = pose.rotations[:, 0] @ pelvis
        pose = replace(pose, translation=pose.translation + turned - pelvis)
    if body == OPEN_BODY and place == "transl" and pose.translation is not None:
        return replace(pose, translation=pose.translation + _from_open_to_smpl())
    return pose


def _betas(
    array: np.ndarray, name: str, path: Path, count: int, person: int, people: int
) -> Float[Tensor, "pose 10"]:
    """Return one shape for all poses, or one each: (10,), (1, 10), (pose, 10), of any length."""
    before = time_axes(array.shape[:-1]) if array.ndim else None
    fits = before is not None and 1 <= array.shape[-1] <= 400
    rows = array.reshape(*before, -1) if before is not None and fits else array
    if fits and people > 1 and rows.shape[:2] == (1, people):
        rows = rows.transpose(1, 0, 2)  # one each for several people
    if not fits or rows.shape[1] not in (1, count) or person >= len(rows):
        raise FileError(path, f"{name} has the shape {array.shape}; expected ({count}, 10).")
    if not np.all(np.abs(rows) < LARGEST_ANGLE):
        raise FileError(path, f"{name} holds NaN, infinite or absurdly large numbers.")
    padded = np.zeros((count, 10), dtype=np.float32)
    padded[:, : min(10, rows.shape[2])] = rows[person, :, :10]
    return torch.from_numpy(padded)


def _place(
    arrays: Arrays, name: str, path: Path, count: int, person: int
) -> Float[Tensor, "pose 3"]:
    array = _numbers(arrays, name, path)
    before = time_axes(array.shape[:-1]) if array.shape[-1:] == (3,) else None
    if before is None or before[1] != count or person >= before[0]:
        raise FileError(path, f"{name} has the shape {array.shape}; expected ({count}, 3).")
    if SCALE in arrays and name == "smpl_trans":
        scale = _numbers(arrays, SCALE, path)
        if scale.size != 1 or not scale.min() > 0:
            raise FileError(path, f"{SCALE} must be one positive number.")
        array = array / scale.reshape(())
    if not np.all(np.abs(array) < LARGEST_LENGTH_M):
        raise FileError(path, f"{name} holds NaN, infinite or absurdly large lengths.")
    return torch.from_numpy(array.reshape(*before, 3)[person].astype(np.float32))


def _body(arrays: Arrays, path: Path, default: str, name: str = "body") -> str:
    if name not in arrays:
        return default
    value = arrays[name]
    if value.size != 1 or value.dtype.kind not in "US":
        raise FileError(path, f"{name} must be one word.")
    word = value.reshape(-1)[0]
    word = (word.decode("latin-1") if isinstance(word, bytes) else str(word)).lower()
    if word not in BODIES:
        raise FileError(path, f"{name} is {word[:40]!r}; expected {', '.join(BODIES)}.")
    return word


def _numbers(arrays: Arrays, name: str, path: Path) -> np.ndarray:
    array = arrays[name]
    if array.dtype.kind not in "fiu":
        raise FileError(path, f"{name} holds {array.dtype} instead of numbers.")
    return array.astype(np.float64)


TURNS = {up: torch.from_numpy(turn).float() for up, turn in UP_AXES.items()}
"""From a world with this axis up to ours: (x, y, z) -> (x, z, -y) and (x, -y, -z)."""


def turn_up(pose: Pose, up: str) -> Pose:
    """Return poses of a world whose axis `up` points up in ours, whose y does."""
    return pose if up == "y" else turned(pose, TURNS[up])


def turned(pose: Pose, turn: Float[Tensor, "3 3"]) -> Pose:
    """Return poses of another world in ours; `turn` takes the one to the other.

    The root turns about the pelvis, which does not lie at the body's origin: p is its place in
    the zero pose, and the pelvis at p + t must come to lie at turn (p + t) = p + t'.
    """
    by = turn.float()
    rotations = pose.rotations.clone()
    rotations[:, 0] = by @ rotations[:, 0]
    if pose.translation is None:
        return replace(pose, rotations=rotations)
    pelvis = mean_pelvis(pose.body)
    return replace(
        pose, rotations=rotations, translation=(pelvis + pose.translation) @ by.T - pelvis
    )


def _from_open_to_smpl() -> Float[Tensor, "3"]:
    """Return what a translation of SMPL's mean body must gain to be one of the open body."""
    return mean_pelvis("smpl") - load_body().rest_joints[0].cpu().float()


def on_smpl(pose: Pose) -> Pose:
    """Return a pose of the open body for SMPL's mean body, the pelvis where it was."""
    if pose.body != OPEN_BODY:
        return pose
    place = pose.translation
    place = None if place is None else place - _from_open_to_smpl().to(place)
    return replace(pose, betas=None, translation=place, body="smpl")


def mean_pelvis(body: str) -> Float[Tensor, "3"]:
    """Return about where a licensed family's mean body has its pelvis in the zero pose."""
    return torch.tensor([0.0, PELVIS_HEIGHT_M.get(body, 0.0), 0.0])


def rest_pelvis(pose: Pose, body: Body | None = None) -> Float[Tensor, "shape 3"]:
    """Return where each pose's shape (or the mean one) has its pelvis in the zero pose.

    `body` is the body whose betas these are, else PoseError. Without it the open body is loaded;
    a licensed family's pelvis is then its mean body's, which is off by a centimetre or two.
    """
    if body is None and pose.body != OPEN_BODY:
        return mean_pelvis(pose.body).to(pose.rotations)[None]
    body = load_body() if body is None else body
    betas = body.betas_of(pose)
    betas = None if betas is None else betas.to(body.rest_joints)
    return body.shaped_joints(betas)[:, 0].to(pose.rotations)


def on_body(pose: Pose, body: Body) -> Pose:
    """Return the pose for `body`: the same rotations, its mean shape, the pelvis where it was.

    Shapes belong to one body, so betas of another one are left behind.
    """
    if pose.body == body.id:
        return pose
    translation = pose.translation
    if translation is not None and pose.body in (OPEN_BODY, *PELVIS_HEIGHT_M):
        moved = rest_pelvis(pose) - body.rest_joints[0].to(translation)
        translation = translation + moved
    return replace(pose, betas=None, translation=translation, body=body.id)
