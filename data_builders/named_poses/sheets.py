"""Draw contact sheets of the named poses, a family each: three-quarter and from the side.

python -m data_builders.named_poses.sheets --out docs/named_poses
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import UInt8
from PIL import Image

from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.posecodes.named_poses import NAMED_POSES_FILE, NamedPoses
from unipose.render.drawing import View, contact_sheet, tile

VIEWS: tuple[View, ...] = ("three-quarter", "side")


@dataclass(frozen=True, kw_only=True)
class SheetsConfig:
    """What is drawn, and where to."""

    out: Path
    named: Path = NAMED_POSES_FILE
    size: int = 110
    """Height of one picture, pixels."""
    columns: int = 8
    families: tuple[str, ...] = ()
    """Only these; all without."""
    only: tuple[str, ...] = ()
    """Only names that begin like one of these; all without."""
    variants: bool = False
    """Draw all variants from the front instead of the centre from two sides."""
    supersample: int = 2
    ending: str = ".jpg"


def main(config: SheetsConfig) -> None:
    """Write a picture for each family, `OUT/FAMILY.jpg`."""
    named, body = NamedPoses.load(config.named), load_body()
    config.out.mkdir(parents=True, exist_ok=True)
    for family, names in named.families.items():
        if config.families and family not in config.families:
            continue
        shown = [name for name in names if not config.only or name.startswith(config.only)]
        if not config.variants:
            shown = [name for name in shown if not named.poses_by_name[name].other_side]
        if shown:
            panels = [_panel(named, name, body, config) for name in shown]
            columns = 1 if config.variants else config.columns
            sheet = Image.fromarray(tile(panels, min(columns, len(panels)), shown))
            sheet.save(config.out / f"{family}{config.ending}", quality=68)


def _panel(
    named: NamedPoses, name: str, body: Body, config: SheetsConfig
) -> UInt8[np.ndarray, "_ _ 3"]:
    if config.variants:
        poses = Pose.from_rotations(named.poses(name))
        return _drawn(poses, body, config, "three-quarter")
    centre = named.centre(name)
    both = [_drawn(centre, body, config, view) for view in VIEWS]
    return np.concatenate(both, axis=1)


def _drawn(poses: Pose, body: Body, config: SheetsConfig, view: View) -> UInt8[np.ndarray, "_ _ 3"]:
    pictures = [
        _square(contact_sheet(
            poses[i], body, size=config.size, view=view, supersample=config.supersample, columns=1
        ), config.size)
        for i in range(len(poses))
    ]  # fmt: skip
    return np.concatenate(pictures, axis=1)


def _square(picture: UInt8[np.ndarray, "_ _ 3"], side: int) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return the picture within a square: wide ones are made smaller, narrow ones get a margin."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    whole = Image.new("RGB", (side, side), image.getpixel((1, 1)))
    whole.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(tyro.cli(SheetsConfig))
