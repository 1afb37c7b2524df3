"""The pose tokenizer: sizes as published, round trips, locality, files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.tiny_model import TINY_CODEC
from tokenizer.code_search import chain_rotations
from tokenizer.codec import LEFT_ARM, PAPER, CodecConfig, CodecError, JointGroup, PoseTokenizer
from tokenizer.rotations import rotations_from_6d, rotations_to_6d

KINDS = ("ema", "residual_ema", "fsq", "residual_fsq")


def some_poses(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return rotations_to_6d(rotations_from_6d(torch.randn(count, 22, 6, generator=generator)))


def codec_of(kind: str) -> PoseTokenizer:
    torch.manual_seed(0)
    stages = 2 if kind.startswith("residual") else 1
    codes = {"codes": 2048} if kind.endswith("fsq") else {"codes": 32}
    codec = PoseTokenizer(replace(TINY_CODEC, quantiser=kind, stages=stages, **codes))
    codec.train()(some_poses(64, seed=1))  # learned codebooks start from a first batch
    return codec.eval()


def test_the_paper_preset_has_the_published_size():
    codec = PoseTokenizer(PAPER)
    encoder, decoder = (
        sum(weight.numel() for weight in part.parameters())
        for part in (codec.encoder, codec.decoder)
    )
    assert (encoder, decoder) == (5_912_320, 6_436_870)
    assert PAPER.length == 80
    assert codec.quantiser.codebooks.shape == (1, 2048, 256)


@pytest.mark.slow
def test_the_paper_preset_codes_a_pose_into_80_codes_and_back():
    torch.manual_seed(0)
    codec = PoseTokenizer(PAPER).train()
    sixd = some_poses(30)
    codec(sixd)  # the codebook starts from a first batch
    with torch.no_grad():
        codes = codec.eval().encode(sixd)
        rotations = codec.rotations(codes)
    assert codes.shape == (30, 80)
    assert 0 <= int(codes.min()) < int(codes.max()) < 2048
    assert len(codes.unique(dim=0)) == 30
    torch.testing.assert_close(rotations.mT @ rotations, torch.eye(3).expand(30, 22, 3, 3),
                               atol=1e-5, rtol=0)  # fmt: skip
    assert float((rotations[0] - rotations[1]).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_codes_decode_to_what_the_encoder_meant(kind: str):
    codec = codec_of(kind)
    sixd = some_poses(5)
    rotations, codes, _ = codec(sixd)
    assert codes.shape == (5, codec.config.length)
    torch.testing.assert_close(codec.rotations(codes), rotations)
    one_hot = torch.nn.functional.one_hot(codes, codec.config.codes).float()
    torch.testing.assert_close(codec.mixed_rotations(one_hot), rotations, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_one_pose_is_coded_as_in_a_batch(kind: str):
    codec, sixd = codec_of(kind), some_poses(6)
    together = codec.rotations(codec.encode(sixd))
    alone = torch.cat([codec.rotations(codec.encode(sixd[i : i + 1])) for i in range(6)])
    torch.testing.assert_close(together, alone)


def test_codes_of_a_limb_move_that_limb_alone():
    codec = codec_of("residual_fsq")
    codes = codec.encode(some_poses(1))
    changed = codes.clone()
    changed[0, 4:6] = (changed[0, 4:6] + 999) % 2048  # the third group: the left arm
    moved = (codec.rotations(codes) - codec.rotations(changed)).abs().amax(dim=(0, 2, 3)) > 1e-6
    assert set(moved.nonzero().flatten().tolist()) == set(LEFT_ARM)


def searching() -> tuple[PoseTokenizer, PoseTokenizer]:
    """Return one tokenizer that rounds and the same one that searches."""
    plain = codec_of("residual_fsq")
    search = PoseTokenizer(replace(plain.config, search_rounds=2)).eval()
    search.load_state_dict(plain.state_dict())
    return plain, search


@torch.no_grad()
def test_searched_codes_decode_nearer_to_every_limb():
    plain, search = searching()
    sixd = some_poses(20, seed=3)
    groups = [(group.joints, group.positions) for group in plain.config.groups]
    truth = chain_rotations(rotations_from_6d(sixd), [joints for joints, _ in groups])
    rounded, found = (
        chain_rotations(
            codec.rotations(codec.encode(sixd)).detach(), [joints for joints, _ in groups]
        )
        for codec in (plain, search)
    )
    for joints, _ in groups:
        before, after = (
            (turned[:, joints] - truth[:, joints]).square().sum(dim=(1, 2, 3))
            for turned in (rounded, found)
        )
        assert bool((after <= before + 1e-4).all())
        assert float(after.mean()) < 0.99 * float(before.mean())


def test_searched_codes_of_one_pose_are_those_in_a_batch():
    _, search = searching()
    sixd = some_poses(4)
    alone = torch.cat([search.encode(sixd[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(search.rotations(search.encode(sixd)), search.rotations(alone))


def test_a_turned_spine_turns_what_hangs_on_it():
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turns = torch.eye(3).repeat(1, 4, 1, 1)
    turns[0, 1] = turns[0, 2] = quarter
    turned = chain_rotations(turns, [(0,), (1, 2), (3,)])
    torch.testing.assert_close(turned[0, 2], quarter @ quarter)
    assert torch.equal(turned[0, 3], torch.eye(3))


def test_digits_are_the_levels_of_the_codebook():
    quantiser = codec_of("fsq").quantiser
    digits, book = quantiser.digits, quantiser.codebooks[0]
    levels = torch.tensor(TINY_CODEC.levels)
    half = levels // 2
    torch.testing.assert_close((digits - half) / half, book)
    assert len(digits.unique(dim=0)) == math.prod(TINY_CODEC.levels)


def test_gradients_pass_the_quantiser_to_the_encoder():
    codec = codec_of("residual_fsq").train()
    rotations, _, _ = codec(some_poses(4))
    rotations.sum().backward()
    assert codec.encoder.parts[0].linear.weight.grad.abs().sum() > 0


def test_what_is_saved_is_loaded(tmp_path: Path):
    codec = codec_of("residual_fsq")
    codec.save_pretrained(tmp_path)
    loaded = PoseTokenizer.from_pretrained(tmp_path)
    assert loaded.config == codec.config
    assert torch.equal(loaded.encode(some_poses(3)), codec.encode(some_poses(3)))


@pytest.mark.parametrize("damage", ["missing", "truncated", "other", "json"])
def test_a_broken_tokenizer_folder_is_named(tmp_path: Path, damage: str):
    codec_of("fsq").save_pretrained(tmp_path)
    weights, config = tmp_path / "codec.safetensors", tmp_path / "codec.json"
    if damage == "missing":
        weights.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:500])
    elif damage == "other":
        values = json.loads(config.read_text())
        config.write_text(json.dumps({**values, "width": 24}))
    else:
        config.write_text("{")
    with pytest.raises(CodecError, match=str(tmp_path)):
        PoseTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("codes", [[-1] + [0] * 11, [2048] + [0] * 11, [0] * 11])
def test_codes_that_are_none_are_refused(codes: list[int]):
    with pytest.raises(CodecError, match="expected 12 codes"):
        codec_of("fsq" if len(codes) == 6 else "residual_fsq").decode(torch.tensor([codes]))


def test_a_pose_that_is_not_finite_is_refused():
    sixd = some_poses(1)
    sixd[0, 3, 2] = math.nan
    with pytest.raises(CodecError, match="finite"):
        codec_of("fsq").encode(sixd)


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": (JointGroup((0, 1), 1),), "levels": (8, 8, 8, 8)},
        {"groups": (JointGroup((0, 2), 1),)},
        {"quantiser": "fsq"},
        {"quantiser": "ema", "stages": 1, "search_rounds": 1},
        {"network": "convolution"},
    ],
)
def test_a_contradictory_config_is_refused(wrong: dict):
    with pytest.raises(CodecError):
        replace(TINY_CODEC, **wrong)


def test_a_config_survives_json():
    from dataclasses import asdict

    values = json.loads(json.dumps(asdict(TINY_CODEC)))
    assert CodecConfig.from_dict(values) == TINY_CODEC
