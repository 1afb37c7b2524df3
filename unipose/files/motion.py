"""A recording on its own skeleton: joints, offsets and angle tracks, as motion files hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from unipose.errors import ConfigError, PoseError

UP_AXES = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-y": np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]),
}
"""Axis of a file that points up -> the rotation that brings the file's world onto ours (y up)."""


@dataclass(frozen=True, kw_only=True)
class SourceJoint:
    """One joint of a source skeleton.

    In the rest pose every joint's frame is parallel to the world. A joint lies at its parent's
    position plus the parent's global rotation times `offset`; its local rotation is the product,
    left to right, of the turns about the axes in `turns`, seen in the frame `basis`.
    """

    name: str
    parent: int
    offset: tuple[float, float, float]
    """Metres, from the parent's origin, in the rest pose."""
    turns: tuple[tuple[int, int], ...] = ()
    """(column of the tracks, axis 0/1/2) of each turn, in the order of multiplication."""
    slides: tuple[tuple[int, int], ...] = ()
    """(column of the tracks, axis) of positions that take the place of `offset` frame by frame."""
    basis: Float[np.ndarray, "3 3"] | None = None
    """Frame in which the turns happen (ASF's `axis`); None is the world's."""
    ends: tuple[tuple[float, float, float], ...] = ()
    """Offsets of the bone's free ends that the file knows: a foot may have toes and a heel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """What a BVH or an ASF/AMC file says: angles stay angles until they are asked for.

    Everything is in the file's own world, whichever of its axes points up.
    """

    joints: tuple[SourceJoint, ...]
    tracks: Float[np.ndarray, "frame column"]
    """Angles in radians and positions in metres."""
    fps: float
    path: Path | None = None
    """The file, for messages."""
    up: str | None = None
    """Which axis of the file points up as the user says ("y", "z", "-y"); None: find out."""
    skeleton: dict[str, str] = field(default_factory=dict)
    """SMPL joint -> joint of the file as the user says; the others are found."""
    hinges: dict[str, Float[np.ndarray, "3"]] = field(default_factory=dict)
    """Axis of joints that the file declares to have one degree of freedom, in the rest pose."""

    def __len__(self) -> int:
        return self.tracks.shape[0]

    @property
    def index(self) -> dict[str, int]:
        """Joint name -> position."""
        return {joint.name: i for i, joint in enumerate(self.joints)}

    def frame_number(self, *, at: float | None = None, frame: int = 0) -> int:
        """Return the frame at so many seconds, else `frame`; PoseError if there is none."""
        if at is not None:
            frame = round(at * self.fps) if abs(at) < 1e9 else -1
            if not 0 <= frame < len(self):
                raise PoseError(
                    f"no pose at {at:g} s: the recording has {len(self)} poses at {self.fps:g} per "
                    f"second and ends at {(len(self) - 1) / self.fps:.2f} s"
                )
        if not 0 <= frame < len(self):
            raise PoseError(f"there is no frame {frame}: the file has frames 0 to {len(self) - 1}")
        return frame

    def rest_positions(self) -> Float[np.ndarray, "joint 3"]:
        """Return where the joints lie in the rest pose, the root at the origin (metres)."""
        positions = np.zeros((len(self.joints), 3))
        for i, joint in enumerate(self.joints):
            if joint.parent >= 0:
                positions[i] = positions[joint.parent] + np.asarray(joint.offset)
        return positions

    def global_rotations(
        self, frames: Int[np.ndarray, "frame"], wanted: Sequence[int]
    ) -> dict[int, Float[np.ndarray, "frame 3 3"]]:
        """Return the world rotations of `wanted` joints and their ancestors; identity at rest."""
        needed: set[int] = set()
        for joint_wanted in wanted:
            i = joint_wanted
            while i >= 0 and i not in needed:
                needed.add(i)
                i = self.joints[i].parent
        rotations: dict[int, np.ndarray] = {}
        for i in sorted(needed):
            joint = self.joints[i]
            local = self._local_rotation(joint, frames)
            above = rotations.get(joint.parent)
            rotations[i] = local if above is None else above @ local
        return rotations

    def joint_positions(
        self, frames: Int[np.ndarray, "frame"], wanted: Sequence[int]
    ) -> dict[int, Float[np.ndarray, "frame 3"]]:
        """Return where `wanted` joints and their ancestors lie in the file's world (metres)."""
        rotations = self.global_rotations(frames, wanted)
        positions: dict[int, np.ndarray] = {}
        for i in sorted(rotations):
            joint = self.joints[i]
            offset = np.tile(np.asarray(joint.offset, dtype=np.float64), (len(frames), 1))
            for column, axis in joint.slides:
                offset[:, axis] = self.tracks[frames, column]
            if joint.parent >= 0:
                offset = (rotations[joint.parent] @ offset[..., None])[..., 0]
                offset = positions[joint.parent] + offset
            positions[i] = offset
        return positions

    def moves_along(self, joint: int) -> bool:
        """Return whether the file holds a path for `joint`: its positions or an ancestor's."""
        while joint >= 0 and not self.joints[joint].slides:
            joint = self.joints[joint].parent
        return joint >= 0

    def _local_rotation(
        self, joint: SourceJoint, frames: Int[np.ndarray, "frame"]
    ) -> Float[np.ndarray, "frame 3 3"]:
        if not joint.turns:
            return np.broadcast_to(np.eye(3), (len(frames), 3, 3))
        rotation: np.ndarray | None = None
        for column, axis in joint.turns:
            turn = turn_about_axis(self.tracks[frames, column], axis)
            rotation = turn if rotation is None else rotation @ turn
        assert rotation is not None
        return rotation if joint.basis is None else joint.basis @ rotation @ joint.basis.T


def check_up(up: str | None) -> str | None:
    """Return `up` if it is an axis that can point up (or None); raises ConfigError if not."""
    if up is not None and up not in UP_AXES:
        raise ConfigError(f"up must be one of {', '.join(UP_AXES)}, got {up!r}")
    return up


def turn_about_axis(
    angles: Float[np.ndarray, "*frame"] | float, axis: int
) -> Float[np.ndarray, "*frame 3 3"]:
    """Return right-handed rotations by `angles` (radians) about the x, y or z axis (0, 1, 2)."""
    cosine, sine = np.cos(angles), np.sin(angles)
    rotation = np.zeros((*np.shape(angles), 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[..., axis, axis] = 1
    rotation[..., first, first] = rotation[..., second, second] = cosine
    rotation[..., second, first] = sine
    rotation[..., first, second] = -sine
    return rotation
