"""Who is meant: phrases that fit one person of a picture and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from data_builders.studio.clothing import Garment, Outfit
from unipose.body.regions import REGIONS

CLEARLY = 0.08
"""Share of the picture's width by which two people must be apart for one to be on the left."""

ENOUGH_PX = 12
"""So many pixels of a part show what is worn there."""

SHOWN_ON: dict[str, tuple[str, ...]] = {
    "top": ("chest", "stomach", "upper back", "lower back"),
    "bottom": ("waist", "buttocks", "left thigh", "right thigh"),
    "feet": ("left foot", "right foot"),
    "head": ("head",),
}


_REGIONS_OF = {place: [REGIONS.index(part) for part in parts] for place, parts in SHOWN_ON.items()}


def shown_garments(outfit: Outfit, part_px: Sequence[int]) -> tuple[Garment, ...]:
    """Return the garments of which enough is seen; `part_px` counts pixels per region."""
    places = [
        "top",
        "bottom",
        *("head" if g.kind == "cap" else "feet" for g in outfit.garments[2:]),
    ]
    return tuple(
        garment for garment, place in zip(outfit.garments, places) if _shown(place, part_px)
    )


def shown_hair(outfit: Outfit, part_px: Sequence[int]) -> str:
    """Return the hair's colour if the head is seen and wears no cap."""
    capped = any(garment.kind == "cap" for garment in outfit.garments)
    return "" if capped or not _shown("head", part_px) else outfit.hair


def positions(middles: Sequence[float | None], width: float) -> list[str]:
    """Return where each person is among those seen; "" where that is not clear.

    `middles` are the horizontal middles of their boxes (pixels; None for people not seen). With
    two or more the outermost are on the left and on the right, if nobody comes near them; of
    three the other is in the middle.

        [40, 200, None] of 256 -> ["on the left", "on the right", ""]
    """
    words = [""] * len(middles)
    known = [middle for middle in middles if middle is not None]
    if len(known) < 2:
        return words
    order = sorted((m, i) for i, m in enumerate(middles) if m is not None)
    apart = [b[0] - a[0] > CLEARLY * width for a, b in pairwise(order)]
    if apart[0]:
        words[order[0][1]] = "on the left"
    if apart[-1]:
        words[order[-1][1]] = "on the right"
    if len(order) == 3 and all(apart):
        words[order[1][1]] = "in the middle"
    return words


def who_phrases(
    places: Sequence[str], garments: Sequence[tuple[Garment, ...]], hair: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return, for each person, the phrases that fit nobody else.

    What is said of one person must be seen to be otherwise on all others: a colour is named only
    if everybody's garment of that place is seen.
    """
    everyone = range(len(places))
    named: list[tuple[str, ...]] = []
    for i in everyone:
        others = [j for j in everyone if j != i]
        phrases = []
        place = f" {places[i]}" if places[i] else ""
        if place:
            phrases.append(f"the person{place}")
        for garment in garments[i]:
            if _differs(garment, [garments[j] for j in others]):
                article = "" if garment.kind[-1] == "s" else "a "
                phrases.append(f"the person in {article}{garment.words}")
                if place:
                    phrases.append(f"the person{place} in {article}{garment.words}")
        if hair[i] and all(hair[j] not in ("", hair[i]) for j in others):
            phrases.append(f"the person with {hair[i]} hair")
        named.append(tuple(phrases))
    return named


GARMENT_PLACES = {
    "tank top": "top", "T-shirt": "top", "shirt": "top", "sweater": "top", "shorts": "bottom",
    "trousers": "bottom", "jeans": "bottom", "leggings": "bottom", "shoes": "feet",
    "boots": "feet", "cap": "head",
}  # fmt: skip


def _differs(garment: Garment, others: list[tuple[Garment, ...]]) -> bool:
    """Return whether everybody else is seen to wear another colour at that place."""
    place = GARMENT_PLACES[garment.kind]
    for worn in others:
        same = [g for g in worn if GARMENT_PLACES[g.kind] == place]
        if not same or any(garment.colour in (g.colour, g.second) for g in same):
            return False
    return True


def _shown(place: str, part_px: Sequence[int]) -> bool:
    return sum(part_px[region] for region in _REGIONS_OF[place]) >= ENOUGH_PX
