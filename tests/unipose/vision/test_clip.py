"""CLIP's eye: open_clip's names and sizes, the layer that UniPose reads, its preprocessing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from unipose.errors import ConfigError, WeightsError
from unipose.vision.clip import MINI_CLIP, PAPER_CLIP, ClipConfig, ClipEye
from unipose.vision.pixels import CLIP_MEAN, CLIP_STD


@pytest.fixture(scope="module")
def mini() -> ClipEye:
    torch.manual_seed(0)
    return ClipEye(ClipConfig(model=str(MINI_CLIP))).eval()


def test_the_published_eye_has_the_published_size():
    with torch.device("meta"):
        eye = ClipEye(ClipConfig())
        assert (eye.side_px, eye.grid, eye.width, eye.block) == (336, 24, 1024, 22)
        assert eye(torch.zeros(2, 3, 336, 336)).shape == (2, 576, 1024)
    assert sum(p.numel() for p in eye.parameters()) == 304_293_888
    assert eye.visual.positional_embedding.shape == (577, 1024)


def test_the_paper_means_openais_weights_and_so_the_quick_gelu():
    with torch.device("meta"):
        eye = ClipEye(ClipConfig(layers=2))
    assert PAPER_CLIP.endswith("quickgelu")
    assert type(eye.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


def test_the_real_layout_is_loaded_strictly_beside_a_text_tower(tmp_path: Path):
    with torch.device("meta"):
        eye = ClipEye(ClipConfig(layers=2))
    # every name of the vision tower as open_clip writes it, with the real shapes
    state = {
        f"visual.{name}": torch.zeros(value.shape)
        for name, value in eye.visual.state_dict().items()
    }
    assert {
        "visual.class_embedding", "visual.conv1.weight", "visual.ln_pre.weight", "visual.proj",
        "visual.transformer.resblocks.0.attn.in_proj_weight",
    } <= state.keys()  # fmt: skip
    text = {"token_embedding.weight": torch.zeros(2, 2), "logit_scale": torch.tensor(4.6)}
    path = tmp_path / "open_clip_model.safetensors"
    save_file(state | text, path)
    eye.load_published(path)
    assert not any(p.is_meta for p in eye.parameters())
    save_file(state | {"vision_model.conv": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"no CLIP of open_clip: it holds vision_model\.conv"):
        eye.load_published(path)
    del state["visual.proj"]
    save_file(state, path)
    with pytest.raises(WeightsError, match="missing 1: proj"):
        eye.load_published(path)


def test_the_last_layer_but_one_is_read_before_any_norm(mini: ClipEye):
    images = torch.randn(2, 3, 112, 112)
    states: list[torch.Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _, __, out: states.append(out))
        for block in mini.visual.transformer.resblocks
    ]
    mini.visual(images)
    for hook in hooks:
        hook.remove()
    assert len(states) == 4
    torch.testing.assert_close(mini(images), states[-2][:, 1:])  # without the class token


def test_a_small_eye_comes_from_a_json_file(mini: ClipEye):
    assert mini(torch.randn(3, 3, 112, 112)).shape == (3, 64, 192)
    assert mini(mini.prepare([])).shape == (0, 64, 192)
    assert mini.grid == 8
    assert sum(p.numel() for p in mini.parameters()) < 2_000_000


def test_pictures_are_prepared_as_open_clip_prepares_them(mini: ClipEye):
    from open_clip.transform import image_transform

    generator = np.random.default_rng(0)
    theirs = image_transform(112, is_train=False, mean=CLIP_MEAN, std=CLIP_STD)
    for height, width in ((200, 300), (331, 113), (112, 112), (60, 90)):
        coarse = generator.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((width, height)))
        ours = mini.prepare([torch.tensor(picture)])[0]
        # Pillow rounds to whole pixel values between its two passes
        assert float((ours - theirs(Image.fromarray(picture))).abs().max()) < 2.5 / 255 / 0.26


def test_an_unknown_model_or_layer_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="knows no model 'ViT-Z'"):
        ClipEye(ClipConfig(model="ViT-Z"))
    with pytest.raises(ConfigError, match="no JSON file"):
        ClipEye(ClipConfig(model=str(tmp_path / "none.json")))
    (tmp_path / "empty.json").write_text(json.dumps({"embed_dim": 3}))
    with pytest.raises(ConfigError, match="knows no model"):
        ClipEye(ClipConfig(model=str(tmp_path / "empty.json")))
    with pytest.raises(ConfigError, match="layer -5 of 4"):
        ClipEye(ClipConfig(model=str(MINI_CLIP), layer=-5))
