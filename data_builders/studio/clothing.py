"""What people wear: garments with a colour and a pattern that have names, skin, hair.

A garment is a piece of the zero pose: a sleeve ends at a share of the arm, a trouser leg at a
height. So borders are sharp whatever the mesh, and every body can wear everything. The numbers
below are read by the loop in `shading`, in the order of `Slot` and `Cut`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float

from data_builders.studio.block_random import BlockRandom

PALETTE: dict[str, tuple[int, int, int]] = {
    "white": (232, 232, 228), "black": (30, 30, 33), "grey": (128, 130, 133),
    "red": (186, 36, 38), "orange": (222, 112, 30), "yellow": (226, 192, 52),
    "green": (58, 138, 66), "dark green": (30, 72, 46), "light blue": (128, 178, 218),
    "blue": (40, 86, 176), "navy": (26, 36, 74), "purple": (108, 58, 140),
    "pink": (226, 138, 164), "brown": (104, 68, 44), "beige": (206, 184, 148),
    "turquoise": (42, 160, 160),
}  # fmt: skip
"""Colour names and sRGB values; a drawn colour stays near its name."""

NAMES = tuple(PALETTE)

Colour = tuple[float, float, float]
"""sRGB, 0 to 255."""

SKIN = (
    (246, 221, 202), (238, 200, 172), (224, 178, 144), (200, 150, 114), (168, 116, 82),
    (132, 88, 60), (98, 64, 44), (70, 46, 34),
)  # fmt: skip
HAIR = {
    "black": (24, 21, 20), "dark brown": (52, 36, 26), "brown": (92, 62, 40),
    "blond": (196, 160, 98), "red": (136, 62, 30), "grey": (150, 148, 146),
}  # fmt: skip
PATTERNS = ("plain", "striped", "pinstriped", "checked", "dotted", "mottled", "two-tone", "printed")


class Slot(IntEnum):
    """Colours of an outfit."""

    SKIN = 0
    TOP = 1
    TOP_SECOND = 2
    BOTTOM = 3
    BOTTOM_SECOND = 4
    SHOES = 5
    SOCKS = 6
    HAIR = 7
    HAT = 8
    LIPS = 9


class Cut(IntEnum):
    """Numbers of an outfit. Arms: 0 shoulder, 1 wrist. Heights: 0 ankle, 1 neck."""

    SLEEVE = 0
    NECKLINE = 1
    """How deep it is in front (metres)."""
    WAIST = 2
    HEM = 3
    SOCK = 4
    SHOE = 5
    HAIRLINE = 6
    """Shift of the hairline (metres); positive is less hair."""
    HAT = 7
    """Height above the head joint from which a hat covers the head (metres)."""
    BEARD = 8
    TOP_PATTERN = 9
    TOP_SIZE = 10
    BOTTOM_PATTERN = 11
    BOTTOM_SIZE = 12
    WRINKLES = 13
    """Where in the texture the wrinkles begin."""


NONE = 9.0
"""A height that no part of a body has."""


@dataclass(frozen=True, kw_only=True)
class Garment:
    """A piece of clothing in words."""

    kind: str
    colour: str
    pattern: str = "plain"
    second: str = ""
    """The pattern's other colour."""

    @property
    def words(self) -> str:
        """Return it as one says it: "red and white striped T-shirt"."""
        if self.pattern == "plain":
            return f"{self.colour} {self.kind}"
        return f"{self.colour} and {self.second} {self.pattern} {self.kind}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Outfit:
    """How one person looks."""

    garments: tuple[Garment, ...]
    """Top, bottom, shoes, hat (the last two only if there are any)."""
    hair: str
    """Colour, or "" for a bald head."""
    colours: Float[np.ndarray, "slot 3"]
    """Linear light, in the order of `Slot`."""
    cuts: Float[np.ndarray, " cut"]
    """In the order of `Cut`."""


TOPS = (("tank top", -0.12), ("T-shirt", 0.38), ("shirt", 0.97), ("sweater", 1.0))
OTHERS = {name: tuple(other for other in NAMES if other != name) for name in NAMES}
BOTTOMS = (("shorts", 0.36), ("trousers", 0.03), ("jeans", 0.02), ("leggings", 0.05))


def draw_outfit(random: BlockRandom) -> Outfit:
    """Return how a person looks; every choice is a function of the generator."""
    colours: list[Colour] = [(0.0, 0.0, 0.0)] * len(Slot)
    cuts = [0.0] * len(Cut)
    red, green, blue = colours[Slot.SKIN] = _draw_skin(random)
    colours[Slot.LIPS] = red * 0.93, green * 0.73, blue * 0.73
    top = _draw_garment(random, *random.pick(TOPS, (0.12, 0.45, 0.25, 0.18)), colours, cuts, 0)
    bottom = _draw_garment(
        random, *random.pick(BOTTOMS, (0.27, 0.33, 0.25, 0.15)), colours, cuts, 1
    )
    cuts[Cut.NECKLINE] = random.uniform(0.0, 0.09)
    cuts[Cut.WAIST] = random.uniform(0.655, 0.70)
    garments = [top, bottom, *_draw_shoes(random, colours, cuts)]
    hair = _draw_hair(random, colours, cuts)
    cuts[Cut.HAT] = NONE
    if random.random() < 0.12:
        name = random.pick(NAMES)
        colours[Slot.HAT] = _near(random, PALETTE[name])
        cuts[Cut.HAT] = random.uniform(0.075, 0.095)
        garments.append(Garment(kind="cap", colour=name))
    cuts[Cut.WRINKLES] = random.uniform(0.0, 100.0)
    return Outfit(
        garments=tuple(garments),
        hair=hair,
        colours=linear(np.array(colours).clip(0, 255)),
        cuts=np.array(cuts),
    )


def _draw_garment(
    random: BlockRandom,
    kind: str,
    end: float,
    colours: list[Colour],
    cuts: list[float],
    place: int,
) -> Garment:
    """Draw a top (place 0) or a bottom (place 1) into the tables."""
    names = ("blue", "navy", "black", "light blue", "grey") if kind == "jeans" else NAMES
    name = random.pick(names)
    patterned = random.random() < (0.45, 0.12)[place] and kind != "jeans"
    pattern = 1 + random.below(len(PATTERNS) - (1, 3)[place]) if patterned else 0
    second = random.pick(OTHERS[name])
    slot = (Slot.TOP, Slot.BOTTOM)[place]
    colours[slot] = _near(random, PALETTE[name])
    colours[slot + 1] = _near(random, PALETTE[second])
    cuts[(Cut.SLEEVE, Cut.HEM)[place]] = end + random.uniform(-0.02, 0.02)
    cuts[(Cut.TOP_PATTERN, Cut.BOTTOM_PATTERN)[place]] = float(pattern)
    cuts[(Cut.TOP_SIZE, Cut.BOTTOM_SIZE)[place]] = random.uniform(0.025, 0.07)
    return Garment(
        kind=kind,
        colour=name,
        pattern=PATTERNS[pattern],
        second=second if pattern else "",
    )


def _draw_shoes(random: BlockRandom, colours: list[Colour], cuts: list[float]) -> list[Garment]:
    cuts[Cut.SHOE] = cuts[Cut.SOCK] = -NONE
    kind = random.pick(("", "shoes", "boots"), (0.12, 0.7, 0.18))
    if not kind:
        return []
    name = random.pick(("black", "white", "brown", "grey", "red", "blue", "beige"))
    colours[Slot.SHOES] = _near(random, PALETTE[name])
    colours[Slot.SOCKS] = _near(random, PALETTE[random.pick(("white", "grey", "black"))])
    cuts[Cut.SHOE] = 0.004 if kind == "shoes" else random.uniform(0.07, 0.16)
    cuts[Cut.SOCK] = random.uniform(0.03, 0.12) if random.random() < 0.7 else -NONE
    return [Garment(kind=kind, colour=name)]


def _draw_hair(random: BlockRandom, colours: list[Colour], cuts: list[float]) -> str:
    name = random.pick(tuple(HAIR), (0.27, 0.25, 0.2, 0.13, 0.05, 0.1))
    colours[Slot.HAIR] = _near(random, HAIR[name], spread=5.0)
    cuts[Cut.BEARD] = float(random.random() < 0.15)
    bald = random.random() < 0.07
    cuts[Cut.HAIRLINE] = NONE if bald else random.uniform(-0.012, 0.012)
    return "" if bald else name


def _draw_skin(random: BlockRandom) -> Colour:
    tone = random.uniform(0.0, len(SKIN) - 1.0)
    low = min(int(tone), len(SKIN) - 2)
    red, green, blue = (a + (b - a) * (tone - low) for a, b in zip(SKIN[low], SKIN[low + 1]))
    return red, green, blue


def _near(random: BlockRandom, colour: tuple[int, int, int], *, spread: float = 9.0) -> Colour:
    """Return a colour that still deserves the name of `colour`."""
    red, green, blue = colour
    return (
        red + random.uniform(-spread, spread),
        green + random.uniform(-spread, spread),
        blue + random.uniform(-spread, spread),
    )


def linear(srgb: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return sRGB values (0 to 255) as linear light (0 to 1)."""
    value = np.asarray(srgb, dtype=np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
