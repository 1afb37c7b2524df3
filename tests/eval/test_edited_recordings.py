"""The benchmark of changed recordings, on one walk that three makers recorded."""

from __future__ import annotations

import json

import pytest

from data_builders.mocap import COLUMNS
from eval.edited_recordings import KINDS, EditedRecordingsOptions, main
from tests.fakes.recordings import MAKERS, write_recording


@pytest.mark.slow
def test_known_turns_come_back_to_every_makers_skeleton(tmp_path, capsys):
    rows = [",".join(COLUMNS)]
    for maker in sorted(MAKERS.keys() - {"HDM05"}):  # knees with one axis cannot follow every turn
        write_recording(tmp_path, maker)
        rows.append(f"{maker}.bvh,s,g,walk,test,30,9,bvh,")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    main(EditedRecordingsOptions(data=tmp_path, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["recordings"], result["same_bytes"]) == (2, 2)
    assert result["direction_deg"] < 0.02
    assert result["kinds"].keys() == KINDS.keys()
    assert {row["other_rows"] for row in result["kinds"].values()} == {0}
    for kind in ("arm", "leg", "head", "whole body"):
        assert result["kinds"][kind]["joints_mm"] < 1
