"""How fast poses are refined by contacts: batches beside one by one, and the loss beside a loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from eval.contact_bench import Bench
from unipose.body.regions import RegionSet
from unipose.contact.assignments import assign
from unipose.contact.contact_tables import Pair, is_paired
from unipose.contact.contact_votes import ContactVotes
from unipose.contact.refining import ContactRefiner
from unipose.contact.scene_batch import SceneBatch

SCENES = 16
LOOPED = 2
"""Scenes whose loss a plain loop works out; its time grows with their number alone."""
REPEATS = 5


def measure_speed(bench: Bench, *, steps: int) -> dict[str, float]:
    """Return times of the processor, which others on the machine do not change.

    `batch_speedup`: one by one beside a batch of 16, time per scene, of `steps` steps a stage.
    `seconds_per_scene`: of 2 x 200 steps, from the time of a step in that batch.
    `loss_speedup`: the loss of contacts with its gradient beside a loop over all assignments, of
    the same distances and answers (N = 20, 30 % of pairs wrong), per scene.
    """
    scenes = [scene.initial for scene in bench.scenes[:SCENES]]
    votes = bench.oracle(0.3, 20)[: len(scenes)]
    refiner = bench.refiner
    together = _with(refiner, steps, batch=len(scenes))
    together.refine(scenes[:1], votes[:1])  # compiles
    batched = _timed(lambda: together.refine(scenes, votes)) / len(scenes)
    few = max(1, len(scenes) // 4)
    alone = _timed(lambda: _with(refiner, steps, batch=1).refine(scenes[:few], votes[:few])) / few
    tensors = SceneBatch.of(scenes, bench.body)
    vocabulary = bench.refiner.vocabularies[bench.people]
    assignments = assign(votes, vocabulary)
    distances = together.optimiser(bench.people).distances(tensors, assignments.wanted)
    size = len(vocabulary.names)
    near = distances[:, :size, :size].contiguous()

    def ours() -> None:
        for _ in range(REPEATS):
            free = near.clone().requires_grad_()
            assignments.loss(free).sum().backward()

    def looped() -> None:
        for scene, said in zip(near[:LOOPED], votes):
            free = scene.clone().requires_grad_()
            loop_loss(free, said, vocabulary).backward()

    ours()
    fast = _timed(ours) / REPEATS / len(scenes)
    slow = _timed(looped) / LOOPED
    return {
        "seconds_per_scene": batched * 200 / steps,
        "seconds_per_scene_alone": alone * 200 / steps,
        "batch_speedup": alone / batched,
        "loss_ms_per_scene": 1000 * fast,
        "loss_speedup": slow / fast,
    }


def loop_loss(
    distances: Float[Tensor, "region region"], votes: ContactVotes, vocabulary: RegionSet
) -> Float[Tensor, ""]:
    """Return a scene's loss as a plain loop over samples, orders and assignments finds it."""
    total = distances.new_zeros(())
    for sample in votes.samples:
        if not sample:
            continue
        orders = [_smallest(sample, way, vocabulary) for way in (distances, distances.mT)]
        total = total + torch.stack(orders).min()
    return total / len(votes.samples)


def _smallest(
    sample: tuple[Pair, ...], distances: Float[Tensor, "region region"], vocabulary: RegionSet
) -> Float[Tensor, ""]:
    names = vocabulary.names

    def options(term: str) -> list[str]:
        return [region for word in term.split("/") for region in vocabulary.sides_of(word)]

    mentions = [(column, pair[column]) for pair in sample for column in (0, 1)]
    sums = []
    for chosen in product(*(options(term) for _, term in mentions)):
        sides: dict[tuple[int, str], list[str]] = {}
        for mention, region in zip(mentions, chosen):
            if is_paired(mention[1], vocabulary):
                sides.setdefault(mention, []).append(region.split(" ")[0])
        if any(len(some) > 1 and len(set(some)) < 2 for some in sides.values()):
            continue
        pairs = zip(chosen[::2], chosen[1::2])
        sums.append(
            torch.stack([distances[names.index(a), names.index(b)] for a, b in pairs]).sum()
        )
    return torch.stack(sums).min()


def _with(refiner: ContactRefiner, steps: int, *, batch: int) -> ContactRefiner:
    """Return the same refiner with so many steps, all of them taken."""

    def fixed(configs: dict) -> dict:
        return {n: replace(config, steps=steps, flat=0.0) for n, config in configs.items()}

    return replace(
        refiner, configs=fixed(refiner.configs), fallbacks=fixed(refiner.fallbacks), batch=batch
    )


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
