"""A film of one person whose pose is known, as the adapter takes it; a space of one thing."""

from __future__ import annotations

import roma
import torch

from tests.fakes.mesh_recovery import OwnMeshRecovery
from unipose.adaptation.adapter import Adapter, AdapterConfig, PersonFilm
from unipose.adaptation.denoiser import DenoiserConfig, MotionDenoiser
from unipose.adaptation.dictionary import MotionDictionary
from unipose.adaptation.film_keypoints import BODY_AND_FEET
from unipose.adaptation.segments import FilmSegment
from unipose.body.body import load_body
from unipose.body.keypoints import Keypoints
from unipose.vision.body_landmarks import LandmarkedBody
from unipose.vision.crops import Crops, project
from unipose.vision.mesh_recovery_protocol import LEVEL

BODY = load_body()
POINTS = LandmarkedBody(BODY, range(23))
LEFT_ELBOW = 18


class BentElbowSpace:
    """A space of two directions: the first says that the left elbow is bent by a right angle."""

    def encode_motion(self, rotations, present=None):
        cosine = rotations[:, :, LEFT_ELBOW].diagonal(dim1=-2, dim2=-1).sum(-1) / 2 - 0.5
        bent = 1 - cosine.mean(1)
        return torch.nn.functional.normalize(torch.stack([bent, torch.ones_like(bent)], 1), dim=1)


def bent_dictionary(frames: int = 8) -> MotionDictionary:
    roots = torch.eye(3).expand(2, frames, 3, 3)
    return MotionDictionary(
        labels=("bend the elbow", "stretch the elbow"),
        points=torch.eye(2),
        recorded=("bend the elbow", "stretch the elbow"),
        roots=roots,
        exemplar=torch.tensor([0, 1]),
        anchors=torch.eye(2),
        anchor_roots=roots,
    )


def make_film(
    *, frames: int = 8, label: str = "bend the elbow", hidden: tuple[str, ...] = ()
) -> PersonFilm:
    """A person who bends both elbows; a different colour in each frame."""
    turns = torch.zeros(frames, 24, 3)
    turns[:, 18:20, 1] = torch.linspace(0.2, 1.2, frames)[:, None] * torch.tensor([-1.0, 1.0])
    rotations = roma.rotvec_to_rotmat(turns)
    rotations[:, 0] = LEVEL
    _, points = POINTS(rotations, torch.zeros(frames, 10))
    crops = Crops(centre=torch.full((frames, 2), 100.0), side=torch.full((frames,), 150.0))
    camera = torch.tensor([[0.9, 0.0, 0.0]]).expand(frames, 3)
    places = crops.to_picture(project(points, camera))
    present = torch.ones(frames, 23, dtype=torch.bool)
    present[:, BODY_AND_FEET.indices(*hidden)] = False
    colours = torch.linspace(0, 255, frames).round().byte()
    half = frames // 2
    return PersonFilm(
        pixels=colours[:, None, None, None].expand(frames, 3, 24, 24).clone(),
        crops=crops,
        keypoints=Keypoints.of(BODY_AND_FEET, places, present=present),
        fps=30.0,
        segments=[
            FilmSegment(start=0, end=half, label=label),
            FilmSegment(start=half, end=frames, label=label),
        ],
    )


def make_adapter(config: AdapterConfig | None = None) -> Adapter:
    torch.manual_seed(0)
    network = OwnMeshRecovery()
    with torch.no_grad():
        network.answers.weight.mul_(0.05)
        rest = torch.eye(3).repeat(24, 1, 1)
        rest[0] = LEVEL
        network.answers.bias[:144] = rest[:, :, :2].mT.flatten()
        network.answers.bias[144:] = torch.tensor([0.0] * 10 + [0.9, 0.0, 0.0])
    return Adapter(
        network, BODY, MotionDenoiser(DenoiserConfig(frames=5, blocks=1)),
        space=BentElbowSpace(), dictionary=bent_dictionary(),
        config=config or AdapterConfig(epochs=3, passes=2, rate=1e-2, fill_threshold=-1.0),
    )  # fmt: skip
