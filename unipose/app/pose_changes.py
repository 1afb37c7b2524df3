"""What changes of whole poses need: wordings for the pose model, turns, whether anything moved."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.pose import Pose


def as_state(text: str) -> str:
    """Return what somebody is told to do as what a person is doing: the pose model makes states.

    "sit down" -> "A person is sitting down", "lie on the back" -> "A person is lying on the back".
    """
    verb, _, rest = text.strip().partition(" ")
    if verb.lower() == "lie":
        doing = "lying"
    elif re.fullmatch(r"[a-z]*[^aeiou]e", verb):
        doing = f"{verb[:-1]}ing"
    elif re.fullmatch(r"[^aeiou]*u?[aeiou][^aeiouwxy]", verb):
        doing = f"{verb}{verb[-1]}ing"
    else:
        doing = f"{verb}ing"
    return f"A person is {doing} {rest}".strip()


def hardly_moved(before: Pose, after: Pose) -> bool:
    """Return whether no joint turns by more than what coding a pose may turn it by."""
    turned = roma.rotmat_geodesic_distance(before.rotations.float(), after.rotations.float())
    return bool(turned.max() < math.radians(20.0))


def only_moved(before: Pose, after: Pose, *, degrees: float) -> Pose:
    """Return `before` with the joints that `after` turns by at least so much as they are there."""
    turned = roma.rotmat_geodesic_distance(before.rotations.float(), after.rotations.float())
    moved = turned >= math.radians(degrees)
    rotations = torch.where(moved[..., None, None], after.rotations, before.rotations)
    return replace(before, rotations=rotations)


def about_vertical(radians: float) -> Float[Tensor, "3 3"]:
    """Return the rotation about the vertical axis, to the left for positive angles."""
    return roma.rotvec_to_rotmat(torch.tensor([0.0, radians, 0.0]))
