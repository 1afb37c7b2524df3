"""Small sources of poses and texts in their own layouts, and how training asks for them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fakes.image_talk import make_person, make_row, write_image_talk, write_rows
from tests.fakes.motion_datasets import write_amass, write_posefix, write_posescript
from tests.fakes.picture_datasets import write_bedlam

CMU, KIT = "CMU/01/01_01_poses.npz", "KIT/3/walk_poses.npz"
HELD_OUT, TEST = "HumanEva/s/1_poses.npz", "SSM_synced/s/1_poses.npz"
INDEX = {
    "1": ["AMASS", CMU, 5], "2": ["AMASS", CMU, 9], "3": ["AMASS", KIT, 0],
    "4": ["AMASS", CMU, 11], "5": ["AMASS", KIT, 4000],
}  # fmt: skip
"""Number 5 is of a frame that is not there."""


def write_sources(folder: Path) -> dict[str, str]:
    """Write small sources and return by name how they are asked for, without a share."""
    amass = folder / "amass"
    for path, frames in ((CMU, 60), (KIT, 40), (HELD_OUT, 50), (TEST, 30)):
        write_amass(amass, path, frames=frames, fps=20.0, wild=0.3)
    posescript = write_posescript(folder / "posescript", INDEX)
    posefix = write_posefix(folder / "posefix", INDEX)
    (posescript / "test_ids_100k.json").write_text(json.dumps([4]))
    write_image_talk(folder / "built")
    rows = [
        make_row("imagescript-a", i, person=make_person(i, root_in_camera=[3.14, 0.0, 0.0]))
        for i in range(4)
    ]
    write_rows(folder / "built", "imagescript-a", rows)
    write_bedlam(folder / "bedlam")
    return {
        "amass": f"amass={amass}?fps=20",
        "posescript": f"posescript={posescript}?amass={amass}&texts=all",
        "posefix": f"posefix={posefix}?amass={amass}&texts=all",
        "imagescript": f"imagescript={folder / 'built'}?texts=automatic",
        "bedlam": f"bedlam={folder / 'bedlam'}?pictures=header",
    }
