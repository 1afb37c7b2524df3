"""People who touch, in the data sets of ProsePose: Hi4D, CHI3D, FlickrCI3D and MOYO.

As they are unpacked from their sites:

    Hi4D        pair00/dance00/smpl/000123.npz      SMPL of both people (first axis), world y up
                pair00/dance00/images/4/000123.jpg, cameras/rgb_cameras.npz
                pair00/dance00/meta.npz             start, end of the contact
    CHI3D       train/s02/smplx/Grab 1.json         SMPL-X, (person, frame, ...), world z up
                train/s02/interaction_contact_signature.json, camera_parameters/<camera>/Grab 1.json
                train/s02/videos/<camera>/Grab 1.mp4
    FlickrCI3D  train/images/x.png, train/interaction_contact_signature.json: boxes, contacts
    MOYO        <session>/mosh/{train,val}/<recording>_stageii.pkl (or .npz), one person

CHI3D and FlickrCI3D mark contacts between 75 regions of the body (Fieraru et al. 2020); these are
given in the words of our prompt, with their sides. In Hi4D and MOYO contacts are measured: parts of
the true bodies nearer than 1 cm and 2 cm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from data_builders.readers.landmarks import Z_UP
from data_builders.readers.moyo import T_POSE_S, USUAL_FPS, read_recording
from data_builders.readers.safe_files import (
    field_of,
    flat_numbers,
    inside,
    integer,
    numbers,
    read_arrays,
    read_json_table,
)
from data_builders.readers.source import Drops
from unipose.body.camera import Camera, CameraTrack
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.errors import SourceError, UnusableRecordError
from unipose.files.smpl_parameters import parameters_to_pose

REGION_WORDS: dict[str, tuple[int, ...]] = {
    "left hand": (3, 17, 33, 72), "right hand": (23, 26, 27, 40),
    "left arm": (5, 11, 34, 49, 57, 69), "right arm": (6, 8, 24, 32, 37, 44),
    "left foot": (1, 67), "right foot": (42, 65),
    "left leg": (15, 20, 21, 25, 30, 45, 53, 56, 60, 64),
    "right leg": (12, 16, 18, 19, 22, 28, 36, 46, 55, 62),
    "left shoulder (back)": (2,), "left shoulder (front)": (73,),
    "right shoulder (back)": (29,), "right shoulder (front)": (31,),
    "head": (39, 51, 52, 66), "neck": (14, 43, 47, 54), "butt": (9, 71),
    "waist (back)": (10, 48), "waist (front)": (50, 68, 74), "chest": (7, 58, 59, 61),
    "stomach": (0, 4), "back": (13, 35, 38, 41, 63, 70),
}  # fmt: skip
"""The narrowest of our prompt's words, with its side -> regions of the 75."""
WORD_OF_REGION: dict[int, str] = {
    region: word for word, regions in REGION_WORDS.items() for region in regions
}
REGIONS_75 = 75
HI4D_CAMERA = 4
"""The one that ProsePose is measured with."""
HI4D_STEP = 5
"""Every so many frames of a contact."""
HI4D_SIZE_PX = (940, 1280)
HI4D_TOUCH_M, MOYO_TOUCH_M = 0.01, 0.02
CHI3D_SPLITS = {"s04": "train", "s02": "val", "s03": "test"}
"""By subject, of its public training set."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactRecord:
    """A picture of people who touch."""

    key: str
    source: str
    split: str
    scene: ImagePeople
    """Poses in a world that is y up, where the source has them."""
    image: Path | None = None
    film: Path | None = None
    """Where pictures are frames of a film."""
    frame: int = 0
    """Of the film, from 0."""
    contacts: tuple[tuple[str, str], ...] | None = None
    """REGION_WORDS of the first person and the second; None: to be measured."""
    touch_m: float | None = None
    """Below which distance parts of the true bodies touch, where contacts are measured."""


def read_hi4d(folder: Path, drops: Drops, *, camera: int = HI4D_CAMERA) -> Iterator[ContactRecord]:
    """Yield every fifth frame of each contact, seen by one camera; what is broken is left out."""
    actions = sorted(path.parent for path in folder.glob("pair*/*/smpl"))
    if not actions:
        raise SourceError(
            folder, "holds no pair*/*/smpl of Hi4D.", "https://yifeiyin04.github.io/Hi4D"
        )
    for action in actions:
        name = action.relative_to(folder).as_posix()
        for first, last, seen in drops.keep(f"hi4d/{name}", partial(_hi4d_action, action, camera)):
            for frame in range(first, last + 1, HI4D_STEP):
                key = f"hi4d/{name}:{frame}"
                yield from drops.keep(key, partial(_hi4d_frame, action, key, frame, camera, seen))


def read_chi3d(folder: Path, drops: Drops, *, split: str = "") -> Iterator[ContactRecord]:
    """Yield the annotated contact of each recording, seen by every camera."""
    subjects = [path for path in sorted((folder / "train").glob("s*")) if path.is_dir()]
    if not subjects:
        raise SourceError(folder, "holds no train/s* of CHI3D.", "https://ci3d.imar.ro")
    for subject in subjects:
        own = CHI3D_SPLITS.get(subject.name, "train")
        if split in ("", own):
            signatures = read_json_table(subject / "interaction_contact_signature.json")
            for action, entry in sorted(signatures.items()):
                key = f"chi3d/{subject.name}/{action}"
                found = drops.keep(key, partial(_chi3d_action, subject, action, entry))
                for frame, people, contacts in found:
                    yield from _chi3d_views(
                        subject, action, key, own, frame, people, contacts, drops
                    )


def read_flickrci3d(folder: Path, drops: Drops, *, split: str = "test") -> Iterator[ContactRecord]:
    """Yield each annotated pair of a photograph: boxes and contacts, no poses."""
    annotations = read_json_table(folder / split / "interaction_contact_signature.json")
    for name, entry in sorted(annotations.items()):
        pairs = entry.get("ci_sign") if isinstance(entry, Mapping) else None
        for number, pair in enumerate(pairs if isinstance(pairs, list) else ()):
            key = f"flickrci3d/{split}/{name}:{number}"
            build = partial(_flickr_pair, folder / split / "images", name, entry, pair, key, split)
            yield from drops.keep(key, build)


def read_moyo(folder: Path, drops: Drops) -> Iterator[ContactRecord]:
    """Yield the pose in the middle of each recording; its own contacts are to be measured."""
    files = sorted([*folder.rglob("*_stageii.pkl"), *folder.rglob("*_stageii.npz")])
    if not files:
        raise SourceError(folder, "holds no *_stageii.pkl of MOYO.", "https://moyo.is.tue.mpg.de")
    for file in files:
        key = f"moyo/{file.relative_to(folder).as_posix()}"
        yield from drops.keep(key, partial(_moyo_middle, file, key))


def contact_words(signature: Any) -> tuple[tuple[str, str], ...]:
    """Return pairs of the 75 regions in words, each pair once; UnusableRecordError if none are."""
    rows = numbers(signature, (-1, 2), "region_id").astype(int)
    if len(rows) and not ((rows >= 0) & (rows < REGIONS_75)).all():
        raise UnusableRecordError(f"region_id names regions that are none of {REGIONS_75}")
    words = [(WORD_OF_REGION.get(a, ""), WORD_OF_REGION.get(b, "")) for a, b in rows.tolist()]
    return tuple(dict.fromkeys(pair for pair in words if all(pair)))


def _hi4d_action(action: Path, camera: int) -> tuple[int, int, Camera]:
    meta = read_arrays(action / "meta.npz", ("start", "end"))
    views = read_arrays(action / "cameras" / "rgb_cameras.npz", ("ids", "intrinsics", "extrinsics"))
    ids = numbers(field_of(views, "ids"), (-1,), "ids").astype(int).tolist()
    if camera not in ids:
        raise UnusableRecordError(f"there is no camera {camera}; there are {ids}")
    place = ids.index(camera)
    inner = numbers(views["intrinsics"], (len(ids), 3, 3), "intrinsics")[place]
    outer = np.eye(4)
    outer[:3] = numbers(views["extrinsics"], (len(ids), 3, 4), "extrinsics")[place]
    track = CameraTrack.from_matrices(torch.tensor(inner), torch.tensor(outer)[None])
    first, last = (int(flat_numbers(field_of(meta, n), 1, n)[0]) for n in ("start", "end"))
    return first, last, track.pinhole(size_px=HI4D_SIZE_PX)


def _hi4d_frame(action: Path, key: str, frame: int, camera: int, seen: Camera) -> ContactRecord:
    file = action / "smpl" / f"{frame:06d}.npz"
    names = ("betas", "global_orient", "body_pose", "transl")
    arrays = read_arrays(file, names)
    widths = (10, 3, 69, 3)
    parts = {n: numbers(field_of(arrays, n), (2, w), n) for n, w in zip(names, widths)}
    people = tuple(
        PersonInImage(
            pose=parameters_to_pose({n: parts[n][i] for n in names}, file, up="y"), camera=seen
        )
        for i in (0, 1)
    )
    image = action / "images" / str(camera) / f"{frame:06d}.jpg"
    return ContactRecord(
        key=key, source="hi4d", split="test", image=image, touch_m=HI4D_TOUCH_M,
        scene=ImagePeople(image=image.name, people=people, size_px=HI4D_SIZE_PX),
    )  # fmt: skip


def _chi3d_action(
    subject: Path, action: str, entry: Any
) -> tuple[int, tuple[Pose, Pose], tuple[tuple[str, str], ...]]:
    """Return the annotated frame, both people in it, and what touches."""
    frame = integer(entry, "fr_id")
    contacts = contact_words(field_of(field_of(entry, "smplx_signature"), "region_id"))
    file = inside(subject / "smplx", f"{action}.json")
    content = read_json_table(file)
    shapes = {
        "global_orient": (1, 3, 3), "body_pose": (21, 3, 3), "transl": (3,), "betas": (10,),
    }  # fmt: skip
    poses = []
    for person in (0, 1):
        try:
            rows = {name: field_of(content, name)[person][frame] for name in shapes}
        except (IndexError, TypeError, KeyError) as error:
            raise UnusableRecordError(f"has no frame {frame} of person {person}") from error
        arrays = {n: numbers(rows[n], shape, n) for n, shape in shapes.items()}
        pose = parameters_to_pose(arrays | {"body": np.array("smplx")}, file, up="z")
        poses.append(pose)
    return frame, (poses[0], poses[1]), contacts


def _chi3d_views(
    subject: Path,
    action: str,
    key: str,
    split: str,
    frame: int,
    poses: tuple[Pose, Pose],
    contacts: tuple[tuple[str, str], ...],
    drops: Drops,
) -> Iterator[ContactRecord]:
    for file in sorted((subject / "camera_parameters").glob(f"*/{action}.json")):
        name = f"{key}@{file.parent.name}"
        for camera in drops.keep(name, partial(_chi3d_camera, file)):
            people = tuple(PersonInImage(pose=pose, camera=camera) for pose in poses)
            yield ContactRecord(
                key=name, source="chi3d", split=split, contacts=contacts, frame=frame,
                film=subject / "videos" / file.parent.name / f"{action}.mp4",
                scene=ImagePeople(image=name, people=people, size_px=CHI3D_SIZE_PX),
            )  # fmt: skip


CHI3D_SIZE_PX = (900, 900)


def _chi3d_camera(file: Path) -> Camera:
    """Return a camera x = R (X - T), in our world."""
    content = read_json_table(file)
    outer, inner = field_of(content, "extrinsics"), field_of(content, "intrinsics_wo_distortion")
    turn = torch.from_numpy(numbers(field_of(outer, "R"), (3, 3), "R"))
    place = torch.from_numpy(flat_numbers(field_of(outer, "T"), 3, "T"))
    focal, centre = (
        torch.from_numpy(flat_numbers(field_of(inner, name), 2, name))[None] for name in ("f", "c")
    )
    track = CameraTrack(
        rotation=turn[None], translation=-(turn @ place)[None], focal_px=focal, centre_px=centre
    )
    return track.in_turned_world(Z_UP).pinhole(size_px=CHI3D_SIZE_PX)


def _flickr_pair(
    images: Path, name: str, entry: Any, pair: Any, key: str, split: str
) -> ContactRecord:
    boxes: Float[np.ndarray, "person 4"] = numbers(field_of(entry, "bbxes"), (-1, 4), "bbxes")
    ids = flat_numbers(field_of(pair, "person_ids"), 2, "person_ids").astype(int).tolist()
    if not all(0 <= one < len(boxes) for one in ids):
        raise UnusableRecordError(f"person_ids {ids} are not among {len(boxes)} boxes")
    signature = field_of(field_of(pair, "smplx"), "region_id")
    people = []
    for one in ids:
        left, top, right, bottom = boxes[one].tolist()
        people.append(PersonInImage(box=(left, top, right, bottom)))
    image = next(
        (path for ending in (".png", ".jpg") if (path := inside(images, name + ending)).is_file()),
        inside(images, name),
    )
    return ContactRecord(
        key=key, source="flickrci3d", split=split, image=image, contacts=contact_words(signature),
        scene=ImagePeople(image=image.name, people=tuple(people)),
    )  # fmt: skip


def _moyo_middle(file: Path, key: str) -> ContactRecord:
    pose = read_recording(file)
    if len(pose) <= 2 * T_POSE_S * (pose.fps or USUAL_FPS):
        raise UnusableRecordError(f"has {len(pose)} frames, all of them in the T-pose")
    middle = pose[len(pose) // 2]
    return ContactRecord(
        key=key, source="moyo", split="val" if file.parent.name == "val" else "train",
        scene=ImagePeople(image=file.name, people=(PersonInImage(pose=middle),)),
        touch_m=MOYO_TOUCH_M,
    )  # fmt: skip
