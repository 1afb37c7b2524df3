"""A frame of a recording before and after a change, drawn as the skeleton of its file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from unipose.files.motion import Motion, turn_about_axis
from unipose.files.source_bones import SourceBones, units
from unipose.render.drawing import INK, PAPER

BONE, GHOST, TURNED, FLOOR = (70, 110, 170), (205, 210, 218), (235, 110, 40), (190, 195, 200)
SIDEWAYS = np.radians(30.0)
"""From so far beside the front the person is seen."""
_SMOOTH = 2
"""Drawn so many times as large, then made smaller: Pillow's lines have no smooth edges."""

Segments = Float[np.ndarray, "bone 2 3"]


def draw_recordings(
    before: Motion,
    after: Motion,
    bones: SourceBones,
    frame: int,
    *,
    turned: Sequence[int],
    size: int = 480,
) -> Image.Image:
    """Return a frame of both beside each other, the first one as a shadow behind the second.

    Bones below a joint of `turned` are drawn in a colour of their own.
    """
    owners, old = _segments(before, bones, frame)
    _, new = _segments(after, bones, frame)
    seen = _seen_from(before, bones, frame)
    old, new = old @ seen.T, new @ seen.T
    points = np.concatenate([old, new]).reshape(-1, 3)[:, :2]
    low, high = points.min(0), points.max(0)
    scale = _SMOOTH * 0.8 * size / float((high - low).max())
    middle = (low + high) / 2
    feet = min(float(old[..., 1].min()), float(new[..., 1].min()))
    side = _SMOOTH * size
    picture = Image.new("RGB", (2 * side, side), (PAPER,) * 3)
    pen = ImageDraw.Draw(picture)
    width = max(2, side // 90)

    def place(point: Float[np.ndarray, "3"], panel: int) -> tuple[float, float]:
        x, y = (point[:2] - middle) * scale
        return side * (panel + 0.5) + float(x), side / 2 - float(y)

    for panel in (0, 1):
        _, y = place(np.array([0.0, feet, 0.0]), panel)
        pen.line([(side * (panel + 0.05), y), (side * (panel + 0.95), y)], fill=FLOOR, width=2)
    for panel, segments, shadow in ((0, old, False), (1, old, True), (1, new, False)):
        for owner, (start, end) in zip(owners, segments, strict=True):
            colour = TURNED if panel and owner in turned else BONE
            colour = GHOST if shadow else colour
            ends = [place(start, panel), place(end, panel)]
            pen.line(ends, fill=colour, width=width)
            for x, y in ends:
                reach = width * 0.75
                pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    font = ImageFont.load_default(side // 20)
    for panel, title in enumerate((f"frame {frame}, before", "after")):
        pen.text((side * (panel + 0.05), side * 0.03), title, fill=INK, font=font)
    return picture.resize((2 * size, size), Image.Resampling.BOX)


def _segments(motion: Motion, bones: SourceBones, frame: int) -> tuple[list[int], Segments]:
    """Return the bones of a frame in our world, and the joint that turns each of them."""
    frames, every = np.array([frame]), [*range(len(motion.joints))]
    lies, turns = motion.joint_positions(frames, every), motion.global_rotations(frames, every)
    owners, segments = [], []
    for i, joint in enumerate(motion.joints):
        if joint.parent >= 0:
            owners.append(joint.parent)
            segments.append((lies[joint.parent][0], lies[i][0]))
        for end in joint.ends:
            owners.append(i)
            segments.append((lies[i][0], lies[i][0] + turns[i][0] @ np.asarray(end)))
    return owners, np.array(segments) @ bones.world.T


def _seen_from(motion: Motion, bones: SourceBones, frame: int) -> Float[np.ndarray, "3 3"]:
    """Return the rotation of our world after which x is right, y up, and the viewer along z."""
    places = [bones.places[f"{side}_hip"] for side in ("left", "right")]
    lies = motion.joint_positions(np.array([frame]), places)
    left = bones.world @ (lies[places[0]][0] - lies[places[1]][0])
    across = units(left * (1.0, 0.0, 1.0))
    heading = np.arctan2(-across[2], across[0])
    return turn_about_axis(SIDEWAYS - heading, 1)
