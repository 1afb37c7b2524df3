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
        "text": 5.90389,
        "codes": 7.61905,
        "geometry": 0.08022,
        "facts": 0.52971,
        "told": 0.08793,
        "shown": 0.79761,
        "practised codes": 7.08987,
        "practised geometry": 0.12845,
        "practised facts": 0.53536,
        "practised shown": 0.92343,
    },
}


@pytest.mark.parametrize("program", [pose_codes, align], ids=["pose_codes", "align"])
def test_the_debug_run_ends_with_the_losses_it_always_had(program: object, tmp_path: Path):
    program.main(replace(program.PRESETS["debug"], out=tmp_path))
    last = (tmp_path / "metrics.jsonl").read_text().splitlines()[-1]
    golden = GOLDEN[program.__name__]
    assert json.loads(last) == pytest.approx(golden, rel=1e-2, abs=1e-4)
