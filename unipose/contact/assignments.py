"""From pairs of words to a loss: the best left and right, and who is Person 1, found exactly.

A word like "hand" is one of two regions, and each mention may be either. Two people: a part that
is mentioned more than once on one side of the table means both its sides, and each sample may have
either person first. The loss of a sample is its smallest sum of distances under these rules
(ProsePose, section 3.2).

The rule is what couples mentions; without it each pair would choose for itself. So only the rule is
enumerated: in a group of k mentions the first is left or right, and one of the others is the other
side. With these forced, each pair takes its nearest regions. That is 2 (k - 1) cases a group, where
all choices of sides would be 2^k, and exactly the same minimum:

    hand | back             forced  (left, -)   (right, -)
    hand | chest                    (right, -)  (left, -)     2 cases
    arm  | back                     free        free          its own best of 2 in each

All of it is looked up in one table E of distances between (term, forced side) and (term, forced
side), made of the distances between regions by one gather and one minimum. What is looked up where
is known before the optimisation begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unipose.body.regions import RegionSet
from unipose.contact.contact_tables import BETWEEN, Pair, is_paired
from unipose.contact.contact_votes import ContactVotes
from unipose.contact.region_points import NONE

FREE, LEFT, RIGHT = 0, 1, 2
"""What a mention may be."""
MOST_CASES = 512
"""Of one sample; pairs at the end of its table are left out until there are no more."""
FAR_M = 1e3
"""Distance of regions that cannot touch; an assignment with one is never the best if there is
another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignments:
    """Where the losses of all samples of a batch of scenes are looked up."""

    people: int
    regions_of: Int[Tensor, "place option"]
    """Of each (term, forced side): its regions, the last one repeated. A region's position is that
    in the region set; one behind the last is no region at all, infinitely far."""
    cases: Int[Tensor, "scene sample case pair"]
    """Positions in the flattened E; one behind the last has distance 0."""
    usable: Bool[Tensor, "scene sample case"]
    share: Float[Tensor, "scene sample"]
    """What a sample counts: 1 / N, times how often the same sample came."""
    wanted: Int[Tensor, "scene wish 2"]
    """Which distances of each scene are needed: pairs of regions, NONE twice where there are
    fewer."""
    left_out: int
    """Pairs that made too many cases."""

    def to(self, device: torch.device | str) -> Assignments:
        """Return the same on a device."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("regions_of", "cases", "usable", "share", "wanted")
        }
        return Assignments(people=self.people, left_out=self.left_out, **moved)

    def loss(self, distances: Float[Tensor, "scene region region"]) -> Float[Tensor, " scene"]:
        """Return each scene's mean over samples of the smallest sum of distances (metres).

        `distances` are those between the regions of the first person (rows) and the second, or
        between a person's own; empty samples count in the mean with 0.
        """
        between = self._of_places(distances)
        best = self._best(between)
        if self.people == 2:
            best = torch.minimum(best, self._best(between.transpose(1, 2)))
        return (best * self.share).sum(dim=1)

    def _of_places(
        self, distances: Float[Tensor, "scene region region"]
    ) -> Float[Tensor, "scene place place"]:
        """Return E: the smallest distance between any regions of two places."""
        padded = torch.nn.functional.pad(distances.clamp(max=FAR_M), (0, 1, 0, 1), value=FAR_M)
        rows = padded[:, self.regions_of].amin(dim=2)  # scene place region
        return rows[:, :, self.regions_of].amin(dim=3)

    def _best(self, between: Float[Tensor, "scene place place"]) -> Float[Tensor, "scene sample"]:
        flat = torch.nn.functional.pad(between.flatten(1), (0, 1))
        costs = flat.gather(1, self.cases.flatten(1)).view(self.cases.shape).sum(dim=-1)
        return costs.masked_fill(~self.usable, torch.inf).amin(dim=-1)


def assign(
    scenes: Sequence[ContactVotes], vocabulary: RegionSet, *, both_sides: bool = True
) -> Assignments:
    """Return where the losses of a batch of scenes are looked up.

    All scenes have the same number of people. `both_sides` False lets mentions of a part choose
    freely. For one person each pair always chooses on its own, and a region never touches itself:
    the caller's distances say so (their diagonal is infinite).
    """
    people = scenes[0].people
    coupled = both_sides and people == 2
    samples = [Counter(scene.samples) for scene in scenes]
    terms = sorted({t for scene in samples for sample in scene for pair in sample for t in pair})
    place = {(term, side): 3 * i + side for i, term in enumerate(terms) for side in range(3)}
    regions_of = _regions_of(terms, vocabulary)
    blank = len(regions_of) ** 2
    left_out = 0
    rows: list[list[list[list[int]]]] = []
    for scene in samples:
        rows.append([])
        for sample in scene:
            cases, pairs = _cases(sample, vocabulary, coupled=coupled)
            left_out += len(sample) - len(pairs)
            rows[-1].append(
                [
                    [
                        place[a, first] * 3 * len(terms) + place[b, second]
                        for (a, b), (first, second) in zip(pairs, case, strict=True)
                    ]
                    for case in cases
                ]
            )
    shape = (
        len(scenes),
        max(len(scene) for scene in rows) or 1,
        max((len(sample) for scene in rows for sample in scene), default=1),
        max((len(case) for s in rows for sample in s for case in sample), default=0) or 1,
    )
    found = torch.full(shape, blank)
    usable = torch.zeros(shape[:3], dtype=torch.bool)
    usable[:, :, 0] = True  # also of samples that are not there, whose loss is 0
    share = torch.zeros(shape[:2])
    for s, scene in enumerate(rows):
        for i, (sample, times) in enumerate(zip(scene, samples[s].values())):
            share[s, i] = times / len(scenes[s].samples)
            for c, case in enumerate(sample):
                found[s, i, c, : len(case)] = torch.tensor(case, dtype=torch.long)
                usable[s, i, c] = True
    return Assignments(
        people=people, regions_of=regions_of, cases=found, usable=usable, share=share,
        wanted=_wanted(samples, terms, regions_of),
        left_out=left_out,
    )  # fmt: skip


def _cases(
    sample: Sequence[Pair], vocabulary: RegionSet, *, coupled: bool
) -> tuple[list[list[tuple[int, int]]], list[Pair]]:
    """Return each way to force sides (one (first, second) for each pair), and the pairs kept."""
    pairs = list(sample)
    while True:
        groups = _groups(pairs, vocabulary) if coupled else []
        count = 1
        for group in groups:
            count *= 2 * (len(group) - 1)
        if count <= MOST_CASES:
            break
        pairs.pop()
    cases = []
    for choice in product(*(_forced(group) for group in groups)):
        sides = [[FREE, FREE] for _ in pairs]
        for forced in choice:
            for (pair, column), side in forced:
                sides[pair][column] = side
        cases.append([(first, second) for first, second in sides])
    return cases, pairs


def _groups(pairs: Sequence[Pair], vocabulary: RegionSet) -> list[list[tuple[int, int]]]:
    """Return the mentions (pair, column) of each paired term that a column has more than once."""
    mentions: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for number, pair in enumerate(pairs):
        for column, term in enumerate(pair):
            if is_paired(term, vocabulary):
                mentions.setdefault((term, column), []).append((number, column))
    return [group for group in mentions.values() if len(group) > 1]


def _forced(group: list[tuple[int, int]]) -> list[list[tuple[tuple[int, int], int]]]:
    """Return the ways in which a group uses both sides: its first mention, and another one."""
    return [
        [(group[0], side), (other, LEFT + RIGHT - side)]
        for side in (LEFT, RIGHT)
        for other in group[1:]
    ]


def _regions_of(terms: Sequence[str], vocabulary: RegionSet) -> Int[Tensor, "place option"]:
    """Return the regions of each term when it is free, left and right."""
    names = vocabulary.names
    lists = []
    for term in terms:
        sided = [vocabulary.sides_of(word) for word in term.split(BETWEEN)]
        free = [names.index(region) for sides in sided for region in sides]
        left, right = ([names.index(sides[i % len(sides)]) for sides in sided] for i in (0, 1))
        lists += [free, left, right]
    longest = max((len(one) for one in lists), default=1)
    rows = [one + one[-1:] * (longest - len(one)) for one in lists]
    return torch.tensor(rows or [[len(names)]], dtype=torch.long)


def _wanted(
    samples: Sequence[Counter[tuple[Pair, ...]]],
    terms: Sequence[str],
    regions_of: Int[Tensor, "place option"],
) -> Int[Tensor, "scene wish 2"]:
    """Return the pairs of regions whose distances each scene's samples ask for."""
    free = {term: regions_of[3 * i].unique().tolist() for i, term in enumerate(terms)}
    found = []
    for scene in samples:
        pairs = {pair for sample in scene for pair in sample}
        wishes = {wish for a, b in pairs for wish in product(free[a], free[b])}
        wishes |= {wish[::-1] for wish in wishes}  # persons, or a person's parts, exchanged
        found.append(sorted(wishes))
    most = max(map(len, found), default=0)
    rows = [one + [(NONE, NONE)] * (most - len(one)) for one in found]
    return torch.tensor(rows, dtype=torch.long).view(len(samples), most, 2)
