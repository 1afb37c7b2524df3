"""Files to try the project with: `python -m data_builders.example_files FOLDER` makes them.

photo.png    one person, seen by the studio's camera, and contacts.json, which of their parts touch
walk.mp4     a film of one person who walks
people.json  two people as OpenPose writes them (BODY_25), and people.png, which they are seen in
AMASS/       recordings in AMASS's layout: a folder per subset, SMPL-H parameters, z up

Movements go from one named pose to the next; the studio shows them. No recording of anybody is
needed, and the same seed makes the same files.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import roma
import torch
import tyro
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from data_builders.studio import Motions, Studio, StudioConfig, StudioImage
from data_builders.studio.labels import OUTSIDE
from data_builders.studio.motions import Take
from unipose.body.body import Body, load_body
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, OPENPOSE_25
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.contact.contact_votes import ContactVotes, save_contacts
from unipose.errors import UniPoseError
from unipose.files.atomic import written_whole
from unipose.files.film_writer import film_writer
from unipose.files.keypoint_writing import write_people
from unipose.files.npz import write_npz
from unipose.posecodes.named_poses import NamedPoses
from unipose.render.drawing import grounded_shift

ExampleKind = Literal["photo", "film", "keypoints", "amass"]
KINDS: tuple[ExampleKind, ...] = ("photo", "film", "keypoints", "amass")

PHOTO = ("hands on the head",)
PHOTO_TOUCHES = (("hand", "head"), ("hand", "head"))
"""Twice: both hands."""
WALK = ("walking, left foot in front", "standing upright", "walking, right foot in front",
        "standing upright") * 2  # fmt: skip
TWO_PEOPLE = (("warrior two, left leg bent",), ("hands up in surrender",))
RECORDINGS = {
    "CMU/01/01_01_poses.npz": WALK,
    "CMU/13/13_29_poses.npz": ("standing upright", "jumping jack", "arms straight up") * 2,
    "CMU/86/86_02_poses.npz": ("standing upright", "half squat", "squat", "overhead press"),
    "KIT/3/wave_left01_poses.npz": (
        "standing upright", "waving with the left hand", "pointing up with the left arm",
        "waving with the right hand",
    ),
    "KIT/4/kneel01_poses.npz": (
        "standing upright", "kneeling on the left knee", "kneeling on both knees",
        "kneeling on the heels",
    ),
    "BMLrub/rub001/0005_lunge_poses.npz": (
        "standing upright", "lunge with the left leg in front", "side lunge to the left",
        "lunge with the right leg in front",
    ),
    "ACCAD/Female1General_c3d/yoga_poses.npz": (
        "warrior one, left leg in front", "warrior two, left leg bent", "triangle pose to the left",
        "chair pose",
    ),
    "HumanEva/S1/Gestures_1_poses.npz": (
        "standing upright", "arms stretched out to the sides", "hands on the head",
    ),
    "SSM/punch_poses.npz": (
        "boxing guard, left foot in front", "straight punch with the left fist",
    ),
}  # fmt: skip
"""Named poses that each recording passes through. The subsets' names tell the split, as in AMASS:
HumanEva is for validation, SSM for the test."""
SECONDS = 0.6
"""From one named pose to the next."""
AMASS_FPS = 60.0
FILM_FPS, FILM_FRAMES = 15.0, 30
STEP_M = 0.6
"""How far a step goes."""
KEYPOINT_NOISE_PX = 1.0
PHOTO_SCENE, FILM_SCENE, KEYPOINT_SCENE = 4, 6, 13
"""Numbers of the studio's scenes, chosen because the people are whole in the picture."""


@dataclass(frozen=True, kw_only=True)
class ExampleConfig:
    """Which files are made, and where."""

    folder: Annotated[Path, tyro.conf.Positional]
    only: tuple[ExampleKind, ...] = KINDS
    """photo, film, keypoints, amass."""
    side_px: int = 384
    """Height and width of pictures and films."""
    seed: int = 0


def main(config: ExampleConfig) -> list[Path]:
    """Write the files and return where they are."""
    named, body = NamedPoses.load(), load_body()
    config.folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    if "photo" in config.only:
        studio = _studio([moving_between(PHOTO, named)], body, config)
        written.append(_picture(studio.sample(PHOTO_SCENE), config.folder / "photo.png"))
        told = ContactVotes(people=1, samples=(PHOTO_TOUCHES,))
        written.append(save_contacts({"photo.png": told}, config.folder / "contacts.json"))
    if "film" in config.only:
        written.append(_write_film(named, body, config))
    if "keypoints" in config.only:
        takes = [moving_between(poses, named) for poses in TWO_PEOPLE]
        studio = _studio(takes, body, config, people=(0.0, 1.0))
        written += _write_keypoints(studio, config)
    if "amass" in config.only:
        for path, poses in RECORDINGS.items():
            file = config.folder / "AMASS" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            pose = moving_between(poses, named, fps=AMASS_FPS)
            assert pose.translation is not None
            place = pose.translation + grounded_shift(body, pose)
            written.append(write_npz(replace(pose, translation=place), file, layout="amass"))
    return written


def moving_between(poses: Sequence[str], named: NamedPoses, *, fps: float = 30.0) -> Pose:
    """Return a movement from named pose to named pose, each joint on the shortest way.

    Walking poses go on by a step (metres). Raises PoseQueryError for an unknown name.
    """
    keys = torch.cat([named.centre(named.find(name)).rotations for name in poses])
    steps = torch.tensor([STEP_M / 2 if "walking" in poses[0] else 0.0]) * torch.arange(len(keys))
    if len(keys) == 1:
        return Pose(rotations=keys, translation=torch.zeros(1, 3), fps=fps)
    at = torch.arange(round((len(keys) - 1) * SECONDS * fps) + 1) / (SECONDS * fps)
    before = at.floor().long().clamp(max=len(keys) - 2)
    share = at - before
    eased = share * share * (3 - 2 * share)  # a person slows down where they turn back
    turns = roma.rotmat_to_unitquat(keys)
    moved = _between(turns[before], turns[before + 1], eased)
    forward = torch.lerp(steps[before], steps[before + 1], share)
    place = torch.stack([torch.zeros_like(forward), torch.zeros_like(forward), forward], dim=1)
    return Pose(rotations=roma.unitquat_to_rotmat(moved), translation=place, fps=fps)


def _between(
    first: Float[Tensor, "frame joint 4"],
    second: Float[Tensor, "frame joint 4"],
    share: Float[Tensor, " frame"],
) -> Float[Tensor, "frame joint 4"]:
    """Return unit quaternions between two, each frame by its own share (0 to 1)."""
    nearer = torch.where((first * second).sum(-1, keepdim=True) < 0, -second, second)
    mixed = torch.lerp(first, nearer, share[:, None, None])
    return torch.nn.functional.normalize(mixed, dim=-1)


def _studio(
    poses: Sequence[Pose],
    body: Body,
    config: ExampleConfig,
    people: tuple[float, ...] = (1.0,),
) -> Studio:
    takes = [
        Take(
            name=f"example/{i}", label="", source="named poses", rotations=pose.rotations.numpy(),
            path=np.zeros((len(pose), 3)) if pose.translation is None
            else pose.translation.double().numpy(),
        )
        for i, pose in enumerate(poses)
    ]  # fmt: skip
    settings = StudioConfig(
        seed=config.seed, height_px=config.side_px, width_px=config.side_px, people=people,
        mixed=0.0, mirrored=0.0, touching=0.0, partners=0.0, truncated=0.0, occluded=0.0,
        frames=FILM_FRAMES, fps=FILM_FPS,
    )  # fmt: skip
    return Studio(settings, Motions(takes, fps=poses[0].fps or FILM_FPS), body)


def _picture(image: StudioImage, path: Path) -> Path:
    with written_whole(path) as temporary:
        Image.fromarray(image.pixels).save(temporary, format="PNG")
    return path


def _write_film(named: NamedPoses, body: Body, config: ExampleConfig) -> Path:
    film = _studio([moving_between(WALK, named)], body, config).film(FILM_SCENE)
    path = config.folder / "walk.mp4"
    with film_writer(path, fps=film.fps) as writer:
        for image in film.frames:
            writer.add(image.pixels)
    return path


def _write_keypoints(studio: Studio, config: ExampleConfig) -> list[Path]:
    """Write what a good detector would say of a picture: true places with a little noise."""
    image = studio.sample(KEYPOINT_SCENE)
    noise = np.random.default_rng(config.seed)
    people = []
    for person in image.people:
        points = np.nan_to_num(person.whole_body_px)
        points = points + noise.normal(0, KEYPOINT_NOISE_PX, points.shape)
        inside = torch.from_numpy(person.whole_body_seen != OUTSIDE)
        keypoints = Keypoints.of(
            COCO_WHOLEBODY_133, torch.from_numpy(points).float()[None], 0.9 * inside[None].float(),
            present=inside[None],
        )  # fmt: skip
        people.append(PersonInImage(keypoints=keypoints.mapped_to(OPENPOSE_25)))
    height, width = image.pixels.shape[:2]
    seen = ImagePeople(image="people.png", people=tuple(people), size_px=(width, height))
    return [
        _picture(image, config.folder / "people.png"),
        write_people([seen], config.folder / "people.json", "openpose"),
    ]


def run(arguments: list[str]) -> None:
    """Make what the command line asks for, and say where it is."""
    try:
        files = main(tyro.cli(ExampleConfig, args=arguments, description=__doc__))
    except UniPoseError as error:
        raise SystemExit(f"error: {error}") from error
    sys.stdout.write("".join(f"{file}\n" for file in files))


if __name__ == "__main__":
    run(sys.argv[1:])
