"""A pose in JSON, as a part of a message and by itself: SMPL's axis-angle vectors.

{"type": "pose", "pose": {"format": "smpl-axis-angle", "body_pose": [69 numbers], ...}}
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from unipose.body.pose import OPEN_BODY, Pose

JOINTS = 23
"""Joints of `body_pose`: SMPL's 24 but the root."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Radians = Annotated[Finite, Field(ge=-10, le=10)]
Coefficient = Annotated[Finite, Field(ge=-10, le=10)]
Metres = Annotated[Finite, Field(ge=-10_000, le=10_000)]


class Strict(BaseModel):
    """What comes in: exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PoseData(Strict):
    """One pose: rotations of SMPL's joints as axis-angle vectors (radians), y up, front +z."""

    format: Literal["smpl-axis-angle"] = "smpl-axis-angle"
    body_pose: list[Radians] = Field(min_length=3 * JOINTS, max_length=3 * JOINTS)
    """23 joints of three numbers, SMPL's order behind the root."""
    global_orient: list[Radians] = Field(default=[0.0, 0.0, 0.0], min_length=3, max_length=3)
    """The root."""
    betas: list[Coefficient] | None = Field(default=None, min_length=10, max_length=10)
    translation: list[Metres] | None = Field(default=None, min_length=3, max_length=3)
    """Place of the pelvis, metres."""
    body: Literal["open", "smpl", "smplh", "smplx"] = OPEN_BODY
    """Whose betas these are."""

    def pose(self) -> Pose:
        """Return the one pose."""
        turns = torch.tensor(self.global_orient + self.body_pose).view(1, -1, 3)
        betas, place = (
            None if numbers is None else torch.tensor([numbers])
            for numbers in (self.betas, self.translation)
        )
        return Pose.from_axis_angle(turns, betas=betas, translation=place, body=self.body)

    @classmethod
    def of(cls, pose: Pose) -> PoseData:
        """Return the data of one pose, rounded to a millionth."""

        def plain(numbers: torch.Tensor) -> list[float]:
            return [round(number, 6) for number in numbers.double().flatten().tolist()]

        turns = pose.axis_angle[0]
        return cls.model_construct(  # what a model answers is not checked as what comes in
            format="smpl-axis-angle",
            global_orient=plain(turns[0]),
            body_pose=plain(turns[1:]),
            betas=None if pose.betas is None else plain(pose.betas[0]),
            translation=None if pose.translation is None else plain(pose.translation[0]),
            body=pose.body,
        )
