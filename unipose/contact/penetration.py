"""How far two meshes go into each other; optional, since it cost ProsePose 3 mm on Hi4D.

A vertex is inside another mesh where that mesh's generalised winding number is near 1 (Jacobson et
al. 2013): the solid angles under which its triangles are seen, summed.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

INSIDE = 0.99
"""Winding number from which a point is inside."""
PER_METRE = 100.0
"""Depths count in centimetres, squared (ProsePose)."""
MOST_ANGLES = 20_000_000
"""At a time, for memory."""


def winding_numbers(
    points: Float[Tensor, "point 3"], triangles: Float[Tensor, "face 3 3"]
) -> Float[Tensor, " point"]:
    """Return how often a closed mesh winds around each point: 1 inside, 0 outside.

    Triangles are seen anticlockwise from outside (van Oosterom and Strackee 1983).
    """
    step = max(1, MOST_ANGLES // max(1, len(triangles)))
    found = []
    for start in range(0, len(points), step):
        a, b, c = (triangles[None] - points[start : start + step, None, None]).unbind(2)
        lengths = [side.norm(dim=-1) for side in (a, b, c)]
        volume = (a * torch.linalg.cross(b, c)).sum(-1)
        below = (
            lengths[0] * lengths[1] * lengths[2]
            + (a * b).sum(-1) * lengths[2]
            + (b * c).sum(-1) * lengths[0]
            + (c * a).sum(-1) * lengths[1]
        )
        found.append(2 * torch.atan2(volume, below).sum(-1))
    return torch.cat(found) / (4 * torch.pi) if found else points.new_zeros(0)


def penetration(
    vertices: Float[Tensor, "scene 2 vertex 3"], faces: Int[Tensor, "face 3"]
) -> Float[Tensor, " scene"]:
    """Return the squared depths of all vertices inside the other mesh, summed (cm^2).

    0 unless each of the two has vertices inside the other.
    """
    return torch.stack([_of_scene(first, second, faces) for first, second in vertices.unbind(0)])


def _of_scene(
    first: Float[Tensor, "vertex 3"], second: Float[Tensor, "vertex 3"], faces: Int[Tensor, "_ 3"]
) -> Float[Tensor, ""]:
    with torch.no_grad():
        inner = _inside(first, second, faces), _inside(second, first, faces)
    if not all(bool(some.any()) for some in inner):
        return first.sum() * 0
    total = first.new_zeros(())
    for mesh, other, some in ((first, second, inner[0]), (second, first, inner[1])):
        with torch.no_grad():
            nearest = torch.cdist(mesh[some], other).argmin(1)
        total = total + (PER_METRE * (mesh[some] - other[nearest])).square().sum()
    return total


def _inside(
    points: Float[Tensor, "vertex 3"], mesh: Float[Tensor, "vertex 3"], faces: Int[Tensor, "_ 3"]
) -> Bool[Tensor, " vertex"]:
    """Return which points are inside a mesh; those outside of its box are sorted out first."""
    maybe = ((points > mesh.amin(0)) & (points < mesh.amax(0))).all(1)
    found = torch.zeros_like(maybe)
    found[maybe] = winding_numbers(points[maybe], mesh[faces]) >= INSIDE
    return found
