"""Teaching a large language model: a tiny checkpoint in the real layout, the real one by size."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from data_builders.pose_pool import PosePool
from data_builders.pose_talk import PoseTalk
from tests.fakes.base_models import SMALL, sentencepiece_like
from tests.fakes.tiny_model import TINY_CODEC
from tokenizer.codec import PAPER, PoseTokenizer
from tokenizer.rotations import rotations_to_6d
from train.align import PRESETS, build_model
from train.saved_model import save_model
from train.stages import choose_what_learns
from train.training_loop import by_length, train_step
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.language.config import PoseLanguageConfig
from unipose.language.model import PoseLanguageModel
from unipose.language.vocabulary import train_text_tokenizer

FAMILIES = {
    "mistral": (MistralForCausalLM, MistralConfig),
    "llama": (LlamaForCausalLM, LlamaConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
}


@pytest.fixture(params=sorted(FAMILIES))
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A language model's folder as Hugging Face has it, of a few thousand weights."""
    folder = tmp_path / "llm"
    architecture, config = FAMILIES[request.param]
    text = sentencepiece_like()
    if request.param == "qwen2":
        text = train_text_tokenizer(["Describe the pose. The left knee is bent."] * 9, size=300)
    torch.manual_seed(0)
    architecture(config(vocab_size=len(text) + 7, **SMALL)).save_pretrained(folder)
    text.save_pretrained(folder)
    return folder


def test_a_language_model_of_any_family_learns_poses_by_lora(checkpoint: Path, tmp_path: Path):
    config = replace(PRESETS["paper"], llm=str(checkpoint), lora_rank=4, batch=6)
    codec = PoseTokenizer(TINY_CODEC).eval()
    body = load_body()
    model, vocabulary = build_model(config, codec, body.rest_joints, None)
    assert len(vocabulary) == model.llm.get_input_embeddings().num_embeddings
    before = {name: value.clone() for name, value in model.state_dict().items()}
    talk = PoseTalk(
        PosePool.random(32, seed=0),
        joints_at_rest=body.rest_joints,
        encode=lambda rotations: codec.encode(rotations_to_6d(rotations)),
        vocabulary=vocabulary,
        config=config.talk,
    )
    batches = by_length(talk.draw(config.batch, seed=0, step=0), 1, pad=vocabulary.pad)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(4):
        loss, _ = train_step(model.train(), batches, None, config)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    learned = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert any("lora_B" in name for name in learned)
    assert any("embed_tokens" in name for name in learned)
    assert all(any(p in n for p in ("lora_", "embed_tokens", "lm_head", "slots")) for n in learned)

    folder = tmp_path / "saved"
    save_model(model, vocabulary, folder)
    loaded = UniPose.load(folder)
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    assert loaded.model.config.lora


@pytest.mark.parametrize("both_ways", [False, True], ids=["causal", "both_ways"])
def test_the_published_model_has_the_published_size(both_ways: bool):
    config = replace(PRESETS["paper"], read_both_ways=both_ways)
    words, codes, length = 32_000, 2_048, 80
    llm = MistralConfig(
        vocab_size=words + codes + 4 + length, hidden_size=4096, intermediate_size=14_336,
        num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
    )  # fmt: skip
    with torch.device("meta"):
        model = PoseLanguageModel(
            PoseLanguageConfig(
                llm=llm.to_dict(), codec=asdict(PAPER), text_tokens=words, read_both_ways=both_ways
            )
        )
        model.add_adapters({"r": config.lora_rank, "lora_alpha": config.lora_alpha})
        choose_what_learns(model, large=True)
    count = {name: p.numel() for name, p in model.named_parameters()}
    lora = sum(size for name, size in count.items() if "lora_" in name)
    tables = sum(s for n, s in count.items() if "embed_tokens" in n or "lm_head" in n)
    llm_size = sum(size for name, size in count.items() if name.startswith("llm."))
    assert lora == 167_772_160
    assert tables == 2 * (words + codes + 4 + length) * 4096
    assert llm_size - lora - tables == 7_241_732_096 - 2 * words * 4096
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert learning == lora + tables  # the query slots are rows of the tables
