"""Contacts that are measured, as somebody careful would write them down by the prompt's rules.

For oracles of a benchmark, for models that know regions with sides (our own), and for the rule that
a language model has to beat: what is near in the initial estimate touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from unipose.body.regions import GROUND, RegionSet
from unipose.contact.contact_tables import BETWEEN, MOST_PAIRS, Pair, is_paired


@dataclass(frozen=True, kw_only=True)
class MeasuredContact:
    """Two of REGIONS (or the ground) and how far they are apart."""

    first: str
    second: str
    distance_m: float = 0.0


def near_regions(
    distances: Float[Tensor, "region region"],
    names: Sequence[str],
    reach_m: float,
    *,
    people: int,
) -> list[MeasuredContact]:
    """Return what is nearer than `reach_m` (metres), nearest first; a person's own pairs once."""
    near: list[tuple[int, int]] = (distances < reach_m).nonzero().tolist()
    found = [
        MeasuredContact(first=names[a], second=names[b], distance_m=float(distances[a, b]))
        for a, b in near
        if people == 2 or a < b
    ]
    return sorted(found, key=lambda contact: contact.distance_m)


def term_of(region: str, vocabulary: RegionSet) -> str:
    """Return what a vocabulary calls one of REGIONS or its own; "" if it has no word for it.

    The narrowest word that holds all of it; where words only hold its front or its back, one or
    another of them: "left shoulder" -> "shoulder (back)/shoulder (front)".
    """
    if region == GROUND:
        return GROUND if GROUND in vocabulary.parts else ""
    for word in vocabulary.parts:
        if region in vocabulary.sides_of(word):
            return word
    side, _, limb = region.partition(" ")
    part = f"~{limb}" if side in ("left", "right") else region
    whole = [(len(parts), word) for word, parts in vocabulary.parts.items() if part in parts]
    if whole:
        return min(whole)[1]
    halves = [
        word
        for word, parts in vocabulary.parts.items()
        if len(parts) == 1 and parts[0].startswith(f"{part}/")
    ]
    return BETWEEN.join(halves)


def careful_pairs(
    contacts: Sequence[MeasuredContact], vocabulary: RegionSet, *, people: int
) -> tuple[Pair, ...]:
    """Return the table of contacts (nearest first) that keeps the rule of both sides.

    A part that touches with one of its sides only is named once, where it is nearest; naming it
    twice would say that both do. Contacts that the vocabulary has no words for are left out.
    """
    kept: list[tuple[tuple[str, str], tuple[str, str]]] = []  # (term, side) twice
    for contact in contacts:
        pair = tuple(
            (term_of(region, vocabulary), region.split(" ")[0])
            for region in (contact.first, contact.second)
        )
        terms = [term for term, _ in pair]
        sided = [(term, side if is_paired(term, vocabulary) else "") for term, side in pair if term]
        if len(sided) < 2 or (sided[0] == sided[1] and people == 1):
            continue
        one = (sided[0], sided[1])
        if one in kept or (people == 1 and (one[::-1] in kept or _same_words(terms, kept))):
            continue
        kept.append(one)
    while people == 2:
        twice = next((place for place in reversed(range(len(kept))) if _one_side(kept, place)), -1)
        if twice < 0:
            break
        del kept[twice]
    return tuple((first, second) for (first, _), (second, _) in kept[:MOST_PAIRS])


def _same_words(
    terms: Sequence[str], kept: Sequence[tuple[tuple[str, str], tuple[str, str]]]
) -> bool:
    """Return whether a person's own pair is there in words already (its sides are found anyway)."""
    return any(sorted((a, b)) == sorted(terms) for (a, _), (b, _) in kept)


def _one_side(kept: Sequence[tuple[tuple[str, str], tuple[str, str]]], place: int) -> bool:
    """Return whether a part of this pair is named before, and always with the same side."""
    for column in (0, 1):
        term, side = kept[place][column]
        named = [other[column][1] for other in kept if other[column][0] == term]
        if side and len(named) > 1 and len(set(named)) == 1:
            return True
    return False
