"""Engines that spread a training: they really run, learn the same, and save the same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from accelerate import DistributedType
from safetensors.torch import load_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from data_builders.pose_pool import PosePool
from data_builders.pose_talk import PoseTalk
from tests.fakes.tiny_model import TINY_CODEC
from tests.train.test_align import SMALL, sentencepiece_like
from tests.train.test_programs import final_weights
from tokenizer.codec import PoseTokenizer
from tokenizer.rotations import rotations_to_6d
from train import align, program
from train.program import asked_engine, check_engine, cosine, start_accelerator
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.errors import ConfigError

Weights = dict[str, torch.Tensor]
CONFIGS = Path(program.__file__).parent / "configs"


def launch(config: Path | str, *arguments: str, **changed: object) -> subprocess.CompletedProcess:
    """Run `train.align --preset debug` under a config of accelerate, some of it changed."""
    values = yaml.safe_load((CONFIGS / config).read_text()) | changed
    file = Path(arguments[arguments.index("--out") + 1]).with_suffix(".yaml")
    file.write_text(yaml.safe_dump(values))
    command = ["accelerate.commands.launch", "--config_file", str(file), "-m", "train.align"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # ninja
    return subprocess.run(
        [sys.executable, "-m", *command, "--preset", "debug", *arguments],
        env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


def halves_in_one_process(out: Path) -> tuple[Weights, list[torch.Tensor], dict[str, float]]:
    """Train the debug preset here on the batches that two processes draw.

    Returns weights, Adam's means of gradients, and the losses of the first process's last half.
    """
    config = replace(align.PRESETS["debug"], out=out)
    torch.manual_seed(config.seed)
    codec = align._codec(config)
    body = load_body()
    pool = PosePool.random(64, seed=1)
    text = align._text_tokenizer(config, pool, body.rest_joints)
    model, vocabulary = align.build_model(config, codec, body.rest_joints, text)
    talk = PoseTalk(
        pool,
        joints_at_rest=body.rest_joints,
        encode=lambda rotations: codec.encode(rotations_to_6d(rotations)),
        vocabulary=vocabulary,
        config=config.talk,
    )
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(
        learning, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
    )
    model.train()
    shown: dict[str, float] = {}
    for step in range(config.steps):
        rate = cosine(step, steps=config.steps, warmup=config.warmup, peak=config.peak_rate)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        for place in (2 * step, 2 * step + 1):
            rows = talk.draw(config.batch, seed=config.seed, step=place)
            batches = align.by_length(rows, config.pieces, pad=vocabulary.pad)
            practice = talk.practise(config.practice, seed=config.seed, step=place)
            torch.manual_seed(config.seed + place)
            loss, parts = align.train_step(model, batches, practice, config)
            (loss / 2).backward()
            if place % 2 == 0:
                shown = {name: value.item() for name, value in parts.items()}
        torch.nn.utils.clip_grad_norm_(learning, config.clip)
        optimizer.step()
    moments = [optimizer.state[weight]["exp_avg"] for weight in learning]
    return model.state_dict(), moments, shown


@pytest.mark.slow
def test_zero_2_learns_what_one_process_learns_saves_it_and_resumes(tmp_path: Path):
    arguments = ["--out", str(tmp_path / "spread")]
    done = launch("zero2.yaml", *arguments, mixed_precision="no")
    assert done.returncode == 0, done.stderr[-3000:]
    expected, moments, losses = halves_in_one_process(tmp_path / "one")
    logged = json.loads((tmp_path / "spread" / "metrics.jsonl").read_text().splitlines()[-1])
    assert logged.pop("step") == 3
    assert logged == pytest.approx(losses, abs=2e-4)
    saved = load_file(tmp_path / "spread" / "model" / "model.safetensors")
    checkpoint = final_weights(tmp_path / "spread")
    # weights only nearly: Adam takes a whole step also where a gradient is next to nothing
    for index, mean in enumerate(moments):
        off = (checkpoint[f"optimizer.{index}.exp_avg"] - mean).norm() / mean.norm()
        assert off < 0.02, index
    for name, weight in expected.items():
        torch.testing.assert_close(checkpoint[f"model.{name}"], weight, rtol=0, atol=2e-3)
        if name in saved:
            assert torch.equal(saved[name], checkpoint[f"model.{name}"]), name

    (tmp_path / "spread" / "step-00000004.safetensors").unlink()
    again = launch("zero2.yaml", *arguments, mixed_precision="no")
    assert again.returncode == 0, again.stderr[-3000:]
    for name, value in final_weights(tmp_path / "spread").items():
        torch.testing.assert_close(value, checkpoint[name], rtol=0, atol=1e-6, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.filterwarnings("ignore")
def test_adapters_learn_beside_a_quantised_base_and_come_back_equal(bits: int, tmp_path: Path):
    folder = tmp_path / "llm"
    text = sentencepiece_like()
    torch.manual_seed(0)
    sizes = SMALL | {"hidden_size": 128, "intermediate_size": 192}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(text) + 7, **sizes)).save_pretrained(folder)
    text.save_pretrained(folder)
    config = replace(
        align.PRESETS["paper"], llm=str(folder), lora_rank=4, batch=4, bits=bits, checkpointing=True
    )
    codec = PoseTokenizer(TINY_CODEC).eval()
    body = load_body()
    model, vocabulary = align.build_model(config, codec, body.rest_joints, None)
    kinds = {type(module).__name__ for module in model.modules()}
    assert {4: "Linear4bit", 8: "Linear8bitLt"}[bits] in kinds
    talk = PoseTalk(
        PosePool.random(32, seed=0),
        joints_at_rest=body.rest_joints,
        encode=lambda rotations: codec.encode(rotations_to_6d(rotations)),
        vocabulary=vocabulary,
        config=config.talk,
    )
    batches = align.by_length(talk.draw(config.batch, seed=0, step=0), 1, pad=vocabulary.pad)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(4):
        loss, _ = align.train_step(model.train(), batches, None, config)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]

    align.save_model(model, vocabulary, tmp_path / "saved")
    loaded = UniPose.load(tmp_path / "saved").model
    before = model.state_dict()
    after = loaded.state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    with torch.no_grad():
        one, other = (m.eval()(batches[0]) for m in (model, loaded))
    assert torch.equal(one.codes, other.codes)
    assert torch.equal(one.text, other.text)
