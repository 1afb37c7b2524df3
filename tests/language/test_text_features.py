"""Texts as frozen features: a base model reads the words alone, CLIP's tower loads strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fakes.base_models import write_base
from unipose.errors import WeightsError
from unipose.language.text_features import BaseModelText, ClipText


@pytest.mark.slow
def test_a_base_model_s_states_hang_on_the_text_and_not_on_its_neighbours(tmp_path: Path):
    write_base(tmp_path, "llama")
    read = BaseModelText(1, folder=tmp_path)
    alone, both = read(["walk"]), read(["walk", "climb up a tall ladder"])
    assert torch.allclose(alone[0], both[0], atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-2)


@pytest.mark.slow
def test_clip_s_text_tower_loads_strictly(tmp_path: Path):
    theirs, ours = ClipText(), ClipText()
    weights = dict(theirs.tower.state_dict())
    weights["visual.conv1.weight"] = torch.zeros(1)
    torch.save(weights, tmp_path / "clip.pt")
    ours.load_published(tmp_path / "clip.pt")
    assert torch.equal(ours(["walk"]), theirs(["walk"]))
    assert ours(["walk"]).shape == (1, 512)
    weights.pop("text_projection")
    torch.save(weights, tmp_path / "less.pt")
    with pytest.raises(WeightsError, match="text_projection"):
        ours.load_published(tmp_path / "less.pt")
