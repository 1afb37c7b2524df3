"""Write a BVH file again with some of its poses changed; all else stays as it was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from unipose.files.bvh_text import BvhText
from unipose.files.motion import Motion


def write_edited_bvh(
    source: str | Path, out: str | Path, before: Motion, after: Motion, *, unit_m: float = 0.01
) -> Path:
    """Write the BVH file `source` to `out` with the numbers in which `after` differs from `before`.

    `before` is what `read_bvh` gave for `source`. Every other byte stays: hierarchy, channels,
    frame time, frames that are the same. Numbers have the format of the file's own. Raises
    FileError as `read_bvh` does, and if `out` cannot be written.
    """
    text = BvhText.read(source)
    scales = {"rotation": 180 / math.pi, "position": 1 / unit_m, "scale": 1.0}
    numbers = {
        (int(frame), int(column)): float(after.tracks[frame, column] * scales[text.kinds[column]])
        for frame, column in np.argwhere(after.tracks != before.tracks)
    }
    return text.write(out, numbers)
