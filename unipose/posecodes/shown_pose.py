"""One pose, ready to be measured: where its parts are, seen from the person's own view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from jaxtyping import Float

from unipose.body.body import Body, load_body
from unipose.body.facing import yaw_of
from unipose.body.kinematics import chain
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import SMPL
from unipose.errors import PoseQueryError
from unipose.posecodes.calls import PLURALS, SIDES
from unipose.posecodes.head import head_angles
from unipose.posecodes.joints import POINT, points
from unipose.posecodes.measure import Measured

ONE_OF = {plural: part for part, plural in PLURALS.items()}
"""The word for both of a part -> the word for one: "feet" -> "foot"."""
_HEAD_UP_M = 0.08
"""From the head's joint, at the height of the jaw, to the middle of the head."""
_TOE_M = (0.0, 0.0, 0.06)
"""From the ball of the foot, SMPL's "foot", to the tip of the toes, in the foot's own axes."""

Place = Float[np.ndarray, "3"]
Rotation = Float[np.ndarray, "3 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownPose:
    """One pose, ready to be measured; made by `show_pose`.

    Own view: the turn about the vertical is taken away, so that x is to the person's left, y up and
    z to the front; a lying body stays lying. The ground is the lowest joint, tip of a toe or middle
    of a hand.
    """

    joints: Float[np.ndarray, "24 3"]
    """World (y up), metres, the root's rotation kept."""
    turns: Float[np.ndarray, "24 3 3"]
    """Rotations of the joints in the world."""
    head: tuple[float, float, float]
    """Nod (forward), turn (to the left, against the pelvis), tip (to the right), degrees."""
    facing: float
    """Turn about the vertical, degrees: 0 faces +z (the viewer), positive is to the own left."""
    pose: Pose
    body: Body

    @cached_property
    def from_world(self) -> Rotation:
        """The rotation from the world to the person's own view."""
        cos, sin = np.cos(np.radians(self.facing)), np.sin(np.radians(self.facing))
        return np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])

    @cached_property
    def measured(self) -> Measured:
        """The posecodes' measurements, of a batch of one, in the own view."""
        own = (self.joints[:22] @ self.from_world.T)[None]
        return Measured(own, head=np.array([self.head]))

    @cached_property
    def parts(self) -> dict[str, Place]:
        """Where each part is in the own view: y over the ground, x and z from the pelvis; metres.

        Hand: its middle. Foot: the ball of the foot. Toe: its tip. Head: its middle. Chest: the
        spine behind it. Arm and leg: their ends, the hand and the ball of the foot.
        """
        found = points(self.joints[None, :22])[0]
        where = {name.replace("_", " "): found[index] for name, index in POINT.items()}
        for side in SIDES:
            foot = SMPL.index[f"{side}_foot"]
            where[f"{side} toe"] = self.joints[foot] + self.turns[foot] @ _TOE_M
            for limb, (_, end) in _LIMBS.items():
                where[f"{side} {limb}"] = where[f"{side} {end}"]
        where["head"] = where["head"] + _HEAD_UP_M * self.turns[SMPL.index["head"], :, 1]
        where["chest"], where["back"] = where["spine3"], where["spine2"]
        ground = min(float(place[1]) for name, place in where.items() if name in _LOWEST)
        pelvis = self.joints[0]
        origin = np.array([pelvis[0], ground, pelvis[2]])
        return {name: self.from_world @ (place - origin) for name, place in where.items()}

    @cached_property
    def gaze(self) -> Place:
        """Where the face points, in the own view (a unit vector)."""
        return self.from_world @ self.turns[SMPL.index["head"], :, 2]

    @cached_property
    def crown(self) -> Place:
        """Where the top of the head points, in the own view (a unit vector)."""
        return self.from_world @ self.turns[SMPL.index["head"], :, 1]

    @cached_property
    def mesh(self) -> Float[np.ndarray, "vertex 3"]:
        """The body's surface in the world, metres."""
        return self.body(self.pose.rotations, _betas(self.pose, self.body)).vertices[0].numpy()

    def line(self, segment: str) -> tuple[Place, Place]:
        """Return the two ends of a segment such as "left shin" or "back", upper end first."""
        if segment == "back":
            return self.parts["neck"], self.parts["pelvis"]
        side, _, limb = segment.partition(" ")
        upper, lower = _SEGMENTS[limb]
        return self.parts[f"{side} {upper}"], self.parts[f"{side} {lower}"]


_LIMBS = {"arm": ("shoulder", "hand"), "leg": ("hip", "foot")}
_SEGMENTS = {
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "arm": ("shoulder", "wrist"),
    "leg": ("hip", "ankle"),
}
_LOWEST = frozenset({name.replace("_", " ") for name in SMPL.joints} | {"left toe", "right toe"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Film:
    """A recording, ready to be searched for a moment; made by `show_film`."""

    poses: tuple[ShownPose, ...]
    fps: float


def show_pose(pose: Pose, body: Body | None = None) -> ShownPose:
    """Return the one pose of a batch of one, ready to be measured.

    Without `body` the open body is used. Betas count if they are that body's; betas of another body
    raise PoseError if `body` is given, and are left out otherwise.
    """
    if len(pose) != 1:
        raise PoseQueryError(f"expected one pose to measure, got {len(pose)}; pick one of them")
    return next(_shown(pose, body))


def show_film(pose: Pose, body: Body | None = None) -> Film:
    """Return a recording (poses with a frame rate), about ten poses of each second."""
    if pose.fps is None or len(pose) == 0:
        raise PoseQueryError("a recording is needed: these poses have no frame rate")
    step = max(1, round(pose.fps / 10))
    return Film(poses=tuple(_shown(pose[::step], body)), fps=pose.fps / step)


def _shown(poses: Pose, body: Body | None) -> Iterator[ShownPose]:
    if body is None:
        body = _open_body()
        if poses.betas is not None and poses.body != OPEN_BODY:
            poses = Pose(rotations=poses.rotations)
    with torch.no_grad():
        rest = body.shaped_joints(_betas(poses, body)).cpu()
        parents = [max(parent, 0) for parent in SMPL.parents]
        offsets = rest - rest[:, parents]
        turns, joints = (found.double().numpy() for found in chain(poses.rotations.cpu(), offsets))
    facing = yaw_of(poses.rotations[:, 0].cpu().double()).rad2deg()
    heads = head_angles(poses.rotations.cpu().numpy())
    for i in range(len(poses)):
        yield ShownPose(
            joints=joints[i],
            turns=turns[i],
            head=(float(heads[i, 0]), float(heads[i, 1]), float(heads[i, 2])),
            facing=float(facing[i]),
            pose=poses[i],
            body=body,
        )


def _betas(pose: Pose, body: Body) -> torch.Tensor | None:
    return body.betas_of(pose)


@cache
def _open_body() -> Body:
    return load_body()


def ones(phrase: str) -> tuple[str, ...]:
    """Return the parts that a phrase names: "feet" -> ("left foot", "right foot")."""
    if phrase in ONE_OF:
        return tuple(f"{side} {ONE_OF[phrase]}" for side in SIDES)
    return (phrase,)


def pairs(first: str, second: str) -> list[tuple[str, str]]:
    """Return the parts to compare; of two words for both, those of one side belong together.

    ("hands", "head") -> (left hand, head), (right hand, head)
    ("hands", "knees") -> (left hand, left knee), (right hand, right knee)
    ("hands", "left hand") -> (right hand, left hand)
    """
    if first in ONE_OF and second in ONE_OF:
        return list(zip(ones(first), ones(second), strict=True))
    return [(a, b) for a in ones(first) for b in ones(second) if a != b]
