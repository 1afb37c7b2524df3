"""What was trained is written as the repository holds it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.fakes.tiny_model import TINY_CODEC
from tokenizer.codec import PoseTokenizer
from train import export_weights


def test_a_tokenizer_alone_is_written_in_half_precision_and_read_in_single(tmp_path: Path):
    torch.manual_seed(0)
    codec = PoseTokenizer(TINY_CODEC).eval()
    codec.save_pretrained(tmp_path / "trained")
    export_weights.main(tmp_path / "trained", tmp_path / "out")
    stored = load_file(tmp_path / "out" / "codec.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    loaded = PoseTokenizer.from_pretrained(tmp_path / "out")
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    codes = torch.randint(2048, (3, TINY_CODEC.length), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.decode(codes), codec.decode(codes), atol=5e-3, rtol=0)
