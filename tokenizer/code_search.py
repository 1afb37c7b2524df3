"""Better codes for a pose than rounding gives: a search for levels that decode to a nearer pose.

An encoder's latents are rounded one by one, but they describe a pose together, often with more of
them than the pose has degrees of freedom. The search (Gauss-Newton in whole levels) costs no
training and works where the encoder has seen nothing like the pose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LARGEST_MOVE = 8
"""Levels in one round: further away the decoder is not what its slopes say."""


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
    its own positions alone, so all groups move at once and each keeps what is better for it.
    A level is `step` wide and lies within `bound` either way.
    """
    chains = [list(joints) for joints, _ in groups]
    moves, group_of_position = single_moves(groups, step)
    truth = chain_rotations(rotations, chains)

    def chained(tried: Float[Tensor, "batch choice position latent"]) -> Tensor:
        decoded = decode(tried.flatten(0, 1))
        return chain_rotations(decoded, chains).unflatten(0, tried.shape[:2])

    def errors(turned: Float[Tensor, "batch choice joint 3 3"]) -> Tensor:
        off = (turned - truth[:, None]).square().sum(dim=(-1, -2))
        return torch.stack([off[..., chain].sum(dim=-1) for chain in chains], dim=-1)

    for _ in range(rounds):
        turned = chained(torch.cat([latents[:, None], latents[:, None] + moves], dim=1))
        slopes = (turned[:, 1:] - turned[:, :1]).flatten(-2).float()  # batch move joint 9
        rest = (truth - turned[:, 0]).flatten(-2).float()
        parts = [slopes[:, :, chain].flatten(2) for chain in chains]
        squares = torch.stack([part @ part.mT for part in parts], dim=1)  # batch group move move
        pulls = torch.stack(
            [
                (part @ rest[:, chain].flatten(1)[..., None])[..., 0]
                for part, chain in zip(parts, chains, strict=True)
            ],
            dim=1,
        )
        down, up = (
            torch.einsum("bpl,mpl,pg->bgm", room, (moves != 0).to(room), group_of_position)
            for room in (
                ((-bound - latents) / step).round().clamp(min=-LARGEST_MOVE),
                ((bound - latents) / step).round().clamp(max=LARGEST_MOVE),
            )
        )
        tries = [latents]
        for levels in whole_solutions(squares, pulls, down, up):
            by_position = torch.einsum(
                "bgm,mpl,pg->bpl", levels.to(latents), moves, group_of_position
            )
            tries.append(latents + by_position)
        tried = torch.stack(tries, dim=1)
        best = errors(chained(tried)).argmin(dim=1)  # batch group
        best = best[:, group_of_position.argmax(dim=1)]
        latents = tried[torch.arange(len(tried))[:, None], best, torch.arange(best.shape[1])]
    return latents


def single_moves(
    groups: Sequence[tuple[Sequence[int], int]], step: Float[Tensor, " latent"]
) -> tuple[Float[Tensor, "move position latent"], Float[Tensor, "position group"]]:
    """Return all moves by one level, the same one of each group at once, and whose positions are.

    Groups of 1 and 2 positions and two latents: 4 moves; the first two move both groups, the last
    two the second group's second position alone.
    """
    counts = torch.tensor([count for _, count in groups])
    first = counts.cumsum(0) - counts
    moves = step.new_zeros(int(counts.max()), len(step), int(counts.sum()), len(step))
    for place in range(len(moves)):
        for dimension in range(len(step)):
            moves[place, dimension, first[counts > place] + place, dimension] = step[dimension]
    groups_of = torch.arange(len(groups)).repeat_interleave(counts)
    return moves.flatten(0, 1), functional.one_hot(groups_of).to(step)


def whole_solutions(
    squares: Float[Tensor, "batch group move move"],
    pulls: Float[Tensor, "batch group move"],
    down: Float[Tensor, "batch group move"],
    up: Float[Tensor, "batch group move"],
) -> list[Float[Tensor, "batch group move"]]:
    """Return two guesses of whole numbers x with a small x' S x - 2 x' p, between two bounds.

    From nothing and from the rounded solution in real numbers, one number after the other takes
    its best value, three times over.
    """
    sizes = squares.diagonal(dim1=-2, dim2=-1)
    damping = torch.diag_embed((1e-3 * sizes.mean(dim=-1, keepdim=True) + 1e-9).expand_as(sizes))
    real = torch.linalg.solve(squares + damping, pulls)
    guesses = torch.stack([torch.zeros_like(real), torch.clamp(real.round(), down, up)])
    for _ in range(3):
        for move in range(sizes.shape[-1]):
            left = pulls[..., move] - (squares[..., move] * guesses).sum(dim=-1)
            value = guesses[..., move] + left / (sizes[..., move] + 1e-9)
            guesses[..., move] = torch.clamp(value.round(), down[..., move], up[..., move])
    return list(guesses)
