"""6D rotations: the first two columns of a rotation matrix (Zhou et al. 2019)."""

from __future__ import annotations

import roma
from jaxtyping import Float
from torch import Tensor


def rotations_to_6d(rotations: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """Return the first two columns of each matrix, one after the other."""
    return rotations[..., :2].mT.flatten(-2)


def rotations_from_6d(sixd: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotations whose first two columns these are, by Gram-Schmidt."""
    return roma.special_gramschmidt(sixd.unflatten(-1, (2, 3)).mT)
