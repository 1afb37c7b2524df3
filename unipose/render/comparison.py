"""Two poses in one picture: before, after, and after again coloured by how far everything moved."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.render.drawing import INK, PAPER, contact_sheet
from unipose.render.moved import MOST_M, moved_colours, scale_colours
from unipose.render.shading import side_colours, to_bytes

TITLES = ("before", "after", "what moved")


def draw_comparison(
    before: Pose,
    after: Pose,
    body: Body,
    *,
    size: int = 512,
    titles: tuple[str, str, str] = TITLES,
    supersample: int = 2,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw both poses and the difference side by side, with the scale of its colours below.

    Both have the shape of `after` and are seen from where `before` faces. Raises ConfigError unless
    each is one pose.
    """
    if len(before) != 1 or len(after) != 1:
        raise ConfigError(f"expected one pose and another, got {len(before)} and {len(after)}")
    betas = body.betas_of(after)
    three = Pose(
        rotations=torch.cat([before.rotations, after.rotations, after.rotations]).float(),
        betas=None if betas is None else betas.repeat(3, 1),
        body=after.body,
    )
    limbs = side_colours(body.weights.cpu())
    strip = contact_sheet(
        three,
        body,
        columns=3,
        size=size,
        labels=titles,
        colours=[limbs, limbs, moved_colours(before, after, body)],
        supersample=supersample,
    )
    return np.concatenate([strip, _scale(strip.shape[1], size)])


def _scale(width: int, size: int) -> UInt8[np.ndarray, "height width 3"]:
    """Return the scale of the colours, under the last of three panels."""
    text = max(11, round(size * 0.036))
    picture = Image.new("RGB", (width, 3 * text), (PAPER,) * 3)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(text)
    left, right = round(width * 0.74), round(width * 0.92)
    metres = torch.linspace(0, MOST_M, right - left)
    bar = to_bytes(scale_colours(metres)[None].repeat(max(4, text // 2), 1, 1), supersample=1)
    picture.paste(Image.fromarray(bar.numpy()), (left, round(text * 0.4)))
    below = round(text * 1.2)
    pen.text((left, below), "still", fill=INK, font=font)
    end = f"{MOST_M * 100:.0f} cm and more"
    pen.text((right, below), end, fill=INK, font=font, anchor="ra")
    return np.asarray(picture)
