"""Better codes for a pose than rounding gives: try the neighbours of each level, keep what helps.

An encoder's latents are rounded one by one, but they describe a pose together, often with more of
them than the pose has degrees of freedom: other levels close by decode to a nearer pose. A greedy
search costs no training and works where the encoder has seen nothing like the pose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def chain_rotations(
    rotations: Float[Tensor, "batch joint 3 3"], chains: Sequence[Sequence[int]]
) -> Float[Tensor, "batch joint 3 3"]:
    """Return each joint's rotation against what its chain hangs on: a turned spine turns the head.

    A chain's joints go from the root outwards: (3, 6, 9) gives R3, R3 R6, R3 R6 R9.
    """
    turned = rotations.clone()
    for chain in chains:
        for parent, joint in pairwise(chain):
            turned[:, joint] = turned[:, parent] @ rotations[:, joint]
    return turned


def search_levels(
    latents: Float[Tensor, "batch position latent"],
    rotations: Float[Tensor, "batch joint 3 3"],
    decode: Callable[[Tensor], Tensor],
    *,
    groups: Sequence[tuple[Sequence[int], int]],
    step: Float[Tensor, " latent"],
    bound: Float[Tensor, " latent"],
    rounds: int,
) -> Float[Tensor, "batch position latent"]:
    """Return quantised latents that `decode` to rotations nearer to `rotations`.

    `groups` are (joints, positions), in the order of the positions; a group's rotations depend on
    its own positions alone, so all groups are tried at once and each keeps what is better for it.
    A level is `step` wide and lies within `bound` either way.
    """
    chains = [joints for joints, _ in groups]
    positions = torch.tensor([count for _, count in groups], device=latents.device)
    first = positions.cumsum(0) - positions
    group_of_position = torch.arange(len(groups), device=latents.device)
    group_of_position = group_of_position.repeat_interleave(positions)
    group_of_joint = torch.zeros(rotations.shape[1], dtype=torch.long, device=latents.device)
    for i, joints in enumerate(chains):
        group_of_joint[list(joints)] = i
    in_group = functional.one_hot(group_of_joint, len(groups)).to(rotations.dtype)
    truth = chain_rotations(rotations, chains)

    def errors(tried: Tensor) -> Tensor:
        off = chain_rotations(decode(tried), chains) - truth
        return off.square().sum(dim=(-1, -2)) @ in_group  # batch group

    least = errors(latents)
    for _ in range(rounds):
        for place in range(int(positions.max())):
            places = first[positions > place] + place
            for dimension in range(latents.shape[-1]):
                for way in (-1, 1):
                    tried = latents.clone()
                    moved = tried[:, places, dimension] + way * step[dimension]
                    tried[:, places, dimension] = moved.clamp(-bound[dimension], bound[dimension])
                    found = errors(tried)
                    better = found < least
                    least = torch.where(better, found, least)
                    latents = torch.where(better[:, group_of_position, None], tried, latents)
    return latents
