"""Forward kinematics: where the joints of SMPL's tree go when they are turned."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.skeletons import SMPL


def chain(
    rotations: Float[Tensor, "batch joint 3 3"], offsets: Float[Tensor, "#batch joint 3"]
) -> tuple[Float[Tensor, "batch joint 3 3"], Float[Tensor, "batch joint 3"]]:
    """Return global rotations and joint places of the first 22 or all 24 joints.

    `rotations` are local; `offsets` lead from each parent to its joint (metres), the root's from
    the origin. Joints of one depth in the tree (SMPL has nine) are turned in one product.
    """
    levels, order = tree_levels(rotations.shape[1])
    offsets = offsets.expand(rotations.shape[0], -1, -1)
    turns, places = rotations[:, :1], offsets[:, :1]
    done_turns, done_places = [turns], [places]
    for level, parents in levels[1:]:
        steps = turns[:, parents] @ offsets[:, level, :, None]
        places = places[:, parents] + steps[..., 0]
        turns = turns[:, parents] @ rotations[:, level]
        done_turns.append(turns)
        done_places.append(places)
    return torch.cat(done_turns, dim=1)[:, order], torch.cat(done_places, dim=1)[:, order]


def forward_kinematics(
    rotations: Float[Tensor, "batch joint 3 3"], joints_at_rest: Float[Tensor, "24 3"]
) -> Float[Tensor, "batch joint 3"]:
    """Return joint places (metres) relative to the pelvis, of the first 22 or all 24 joints."""
    count = rotations.shape[1]
    offsets = joints_at_rest[:count] - joints_at_rest[[max(p, 0) for p in SMPL.parents[:count]]]
    return chain(rotations, offsets[None])[1]


@cache
def tree_levels(count: int) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """Return the joints of each depth with their parents' positions in the depth above.

    SMPL: depth 1 is (left_hip, right_hip, spine1) with parents (0, 0, 0), depth 4 is (left_foot,
    right_foot, neck, left_collar, right_collar) with parents (0, 1, 2, 2, 2). The second result
    puts the concatenated depths back into SMPL's order.
    """
    parents = SMPL.parents[:count]
    levels = [([0], [0])]
    while True:
        above = levels[-1][0]
        below = [joint for joint, parent in enumerate(parents) if parent in above]
        if not below:
            break
        levels.append((below, [above.index(parents[joint]) for joint in below]))
    order = [joint for level, _ in levels for joint in level]
    return levels, [order.index(joint) for joint in range(len(order))]
