"""What the studio knows of a picture: one dataclass for the picture, one for each person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from data_builders.studio.clothing import Garment
from data_builders.studio.contacts import Contact
from unipose.body.camera import Camera
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS

OUTSIDE, HIDDEN, SEEN = 0, 1, 2
"""A keypoint is outside the picture (or behind the camera), hidden by something, or seen."""
LEAST_SEEN = 0.4
"""Share of a person's pixels that nothing may stand in front of, of somebody who is seen well."""
LEAST_JOINTS = 10
"""Of 22 that must be in the picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudioPerson:
    """One person of a picture. World frame: y up, metres; pixels: x right, y down."""

    number: int
    """In the picture, from 0; `instances` holds it plus 1."""
    rotations: Float[np.ndarray, "24 3 3"]
    """Local; the root's is in the world."""
    betas: Float[np.ndarray, " 10"]
    translation: Float[np.ndarray, " 3"]
    body: str
    root_in_camera: Float[np.ndarray, "3 3"]
    """The root's rotation with the camera's axes (x right, y down, z ahead) as the world."""
    joints: Float[np.ndarray, "24 3"]
    joints_px: Float[np.ndarray, "24 2"]
    """NaN for joints behind the camera."""
    joints_depth: Float[np.ndarray, " 24"]
    joints_seen: Int[np.ndarray, " 24"]
    """OUTSIDE, HIDDEN or SEEN."""
    whole_body: Float[np.ndarray, "133 3"]
    """In the order of unipose.body.whole_body.WHOLE_BODY_NAMES."""
    whole_body_px: Float[np.ndarray, "133 2"]
    whole_body_depth: Float[np.ndarray, " 133"]
    whole_body_seen: Int[np.ndarray, " 133"]
    box: tuple[float, float, float, float] | None
    """Left, top, right, bottom of the pixels that show the person; None if there are none."""
    whole_box: tuple[float, float, float, float]
    """Of the whole mesh, hidden and outside parts too; NaN if all of it is behind the camera."""
    seen_px: int
    seen_share: float
    """Seen pixels of those that would be seen if nothing stood in front."""
    take: str
    frame: int
    source: str
    label: str
    """What the recording calls the action; empty for mixed poses."""
    mirrored: bool
    garments: tuple[Garment, ...]
    """Those of which something is seen."""
    hair: str
    """Colour, if it is seen."""
    position: str
    """Where among the others: "on the left", "in the middle", "on the right" or ""."""
    phrases: tuple[str, ...] = ()
    """Each fits this person and nobody else in the picture: "the person on the left"."""
    contacts: tuple[Contact, ...] = ()
    """With oneself and the ground."""

    @cached_property
    def pose(self) -> Pose:
        """Return rotations, betas and translation as a batch of one."""
        return Pose(
            rotations=torch.from_numpy(self.rotations).float()[None],
            betas=torch.from_numpy(self.betas).float()[None],
            translation=torch.from_numpy(self.translation).float()[None],
            body=self.body,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class StudioImage:
    """A picture and everything known about it."""

    key: str
    """Unique and stable: "studio/SEED/INDEX", of a film's frame "studio/SEED/film/INDEX:FRAME"."""
    pixels: UInt8[np.ndarray, "height width 3"]
    """sRGB."""
    depth: Float[np.ndarray, "height width"]
    """Distance along the viewing axis (metres); infinite in the sky and in flat backgrounds."""
    instances: UInt8[np.ndarray, "height width"]
    """Number of the person seen, plus 1; 0 where nobody is."""
    covered: UInt8[np.ndarray, "height width"]
    """Bit i: person i is here, seen or behind something (amodal masks)."""
    parts: UInt8[np.ndarray, "height width"]
    """Position in unipose.body.regions.REGIONS, plus 1; 0 where nobody is."""
    camera: Camera
    people: tuple[StudioPerson, ...]
    contacts: tuple[Contact, ...]
    """Between people."""
    setting: str
    """room, open air, backdrop or picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudioFilm:
    """Frames of one scene in the order of time: the same people, a moving camera."""

    key: str
    fps: float
    frames: tuple[StudioImage, ...]


def is_well_seen(person: StudioPerson) -> bool:
    """Return whether enough of a person is in the picture, and not behind others."""
    inside = int((person.joints_seen[:POSED_JOINTS] != OUTSIDE).sum())
    return person.box is not None and person.seen_share >= LEAST_SEEN and inside >= LEAST_JOINTS
