"""A change that "changes nothing" shows the same losses on the fixed debug runs.

A change that means to change them writes the new ones here and says why in its commit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from train import align, pose_codes

GOLDEN = {
    "train.pose_codes": {
        "step": 4,
        "mpjpe_mm": 518.809,
        "pa_mpjpe_mm": 407.661,
        "codebook_use": 0.51662,
    },
    "train.align": {
        "step": 3,
        "text": 5.90054,
        "codes": 7.62256,
        "geometry": 0.08017,
        "facts": 0.51783,
        "told": 0.08791,
        "shown": 0.79249,
        "named": 0.0,
        "practised codes": 6.94132,
        "practised geometry": 0.11229,
        "practised facts": 0.52015,
        "practised shown": 0.89511,
    },
}


@pytest.mark.parametrize("program", [pose_codes, align], ids=["pose_codes", "align"])
def test_the_debug_run_ends_with_the_losses_it_always_had(program: object, tmp_path: Path):
    program.main(replace(program.PRESETS["debug"], out=tmp_path))
    last = (tmp_path / "metrics.jsonl").read_text().splitlines()[-1]
    golden = GOLDEN[program.__name__]
    assert json.loads(last) == pytest.approx(golden, rel=1e-3, abs=1e-5)
