"""Engines that spread a training: they really run, learn the same, and save the same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from accelerate import DistributedType
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from data_builders.pose_pool import PosePool
from data_builders.pose_talk import PoseTalk
from tests.fakes.base_models import SMALL, sentencepiece_like
from tests.fakes.tiny_model import TINY_CODEC
from tests.train.test_programs import final_weights, same, stop_after
from tokenizer.codec import PoseTokenizer
from tokenizer.rotations import rotations_to_6d
from train import align, program, saved_model, training_loop
from train.program import asked_engine, check_engine, start_accelerator
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.language.concept_losses import losses_of

Weights = dict[str, torch.Tensor]
CONFIGS = Path(program.__file__).parent / "configs"


def launch(
    config: Path | str, *arguments: str, program: str = "align", **changed: object
) -> subprocess.CompletedProcess:
    """Run a program's `--preset debug` under a config of accelerate, some of it changed."""
    values = yaml.safe_load((CONFIGS / config).read_text()) | changed
    file = Path(arguments[arguments.index("--out") + 1]).with_suffix(".yaml")
    file.write_text(yaml.safe_dump(values))
    command = ["accelerate.commands.launch", "--config_file", str(file), "-m", f"train.{program}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # ninja
    return subprocess.run(
        [sys.executable, "-m", *command, "--preset", "debug", "--threads", "1", *arguments],
        check=False, env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


def halves_in_one_process(out: Path) -> tuple[Weights, list[torch.Tensor], dict[str, float]]:
    """Train the debug preset here on the batches that two processes draw.

    Returns Adam's means of gradients and the weights after one step of two, and the losses of the
    first process's half of the second.
    """
    config = replace(align.PRESETS["debug"], out=out, steps=2)
    torch.manual_seed(config.seed)
    codec = align.open_codec(config)
    body = load_body()
    pool = PosePool.random(64, seed=1)
    text = align.text_tokenizer(config, pool, body.rest_joints)
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
    weights: Weights = {}
    moments: list[torch.Tensor] = []
    for step in range(config.steps):
        rate = config.rate(step)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        for place in (2 * step, 2 * step + 1):
            rows = talk.draw(config.batch, seed=config.seed, step=place)
            batches = training_loop.by_length(rows, config.pieces, pad=vocabulary.pad)
            practice = talk.practise(config.practice, seed=config.seed, step=place)
            torch.manual_seed(config.seed + place)
            loss, parts = training_loop.train_step(model, batches, practice, config)
            (loss / 2).backward()
            if place % 2 == 0:
                shown = {name: value.item() for name, value in parts.items()}
        torch.nn.utils.clip_grad_norm_(learning, config.clip)
        optimizer.step()
        if step == 0:
            weights = {name: weight.clone() for name, weight in model.state_dict().items()}
            moments = [optimizer.state[weight]["exp_avg"].clone() for weight in learning]
    return weights, moments, shown


def assert_learned_the_same(spread: Path, one: Path) -> None:
    """Check a run of two steps by two processes against one process with the batches of both."""
    expected, moments, losses = halves_in_one_process(one)
    first = load_file(spread / "step-00000001.safetensors")
    for index, mean in enumerate(moments):
        off = (first[f"optimizer.{index}.exp_avg"] - mean).norm()
        assert off <= 1e-3 * mean.norm() + 1e-9, index
    learned = {name.removeprefix("model.") for name in first if name.startswith("model.")}
    assert {"llm.lm_head.weight", "slots", "joints_at_rest"} <= learned
    assert not any(name.startswith("codec.") for name in learned)
    for name in learned:
        weight = expected[name]
        # nearly: Adam takes a whole step also where a gradient is next to nothing
        torch.testing.assert_close(first[f"model.{name}"], weight, rtol=0, atol=1e-3)
    logged = json.loads((spread / "metrics.jsonl").read_text().splitlines()[-1])
    assert logged.pop("step") == 1
    assert logged == pytest.approx(losses, abs=2e-4)


TWO_STEPS = ["--steps", "2", "--save-every", "1"]


@pytest.mark.slow
def test_zero_2_learns_what_one_process_learns_saves_it_and_resumes(tmp_path: Path):
    arguments = [*TWO_STEPS, "--out", str(tmp_path / "spread")]
    done = launch("zero2.yaml", *arguments, mixed_precision="no")
    assert done.returncode == 0, done.stderr[-3000:]
    assert_learned_the_same(tmp_path / "spread", tmp_path / "one")
    saved = load_file(tmp_path / "spread" / "model" / "model.safetensors")
    checkpoint = final_weights(tmp_path / "spread")
    kept = {n.removeprefix("model."): w for n, w in checkpoint.items() if n.startswith("model.")}
    assert all(torch.equal(saved[name], value) for name, value in kept.items() if name in saved)
    assert len(saved.keys() - kept.keys()) == sum(name.startswith("codec.") for name in saved)

    (tmp_path / "spread" / "step-00000002.safetensors").unlink()
    again = launch("zero2.yaml", *arguments, mixed_precision="no")
    assert again.returncode == 0, again.stderr[-3000:]
    for name, value in final_weights(tmp_path / "spread").items():
        torch.testing.assert_close(value, checkpoint[name], rtol=0, atol=1e-6, msg=name)


@pytest.mark.slow
def test_the_published_recipe_trains_in_bfloat16_and_saves_float32(tmp_path: Path):
    published = ["--claim-weight", "0", "--geometry", "0", "--practice", "0", "--no-digits"]
    published += ["--shown-weight", "0", "--checked", "2", "--check-every", "1"]
    done = launch("zero2.yaml", *TWO_STEPS, *published, "--out", str(tmp_path / "spread"))
    assert done.returncode == 0, done.stderr[-3000:]
    saved = final_weights(tmp_path / "spread")
    assert saved["model.slots"].dtype == torch.float32
    assert not torch.equal(saved["model.slots"], saved["model.slots"].bfloat16().float())


@pytest.mark.slow
def test_two_processes_on_a_cpu_learn_what_one_learns(tmp_path: Path):
    done = launch("cpu2.yaml", *TWO_STEPS, "--out", str(tmp_path / "spread"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert_learned_the_same(tmp_path / "spread", tmp_path / "one")


@pytest.mark.slow
def test_zero_2_adds_up_gradients_as_two_plain_processes_do(tmp_path: Path):
    arguments = [*TWO_STEPS, "--accumulate", "2", "--batch", "4", "--log-every", "1"]
    for name, file in (("plain", "cpu2.yaml"), ("spread", "zero2.yaml")):
        done = launch(file, *arguments, "--out", str(tmp_path / name), mixed_precision="no")
        assert done.returncode == 0, done.stderr[-3000:]
    plain, spread = (
        load_file(tmp_path / name / "step-00000001.safetensors") for name in ("plain", "spread")
    )
    moments = [name for name in plain if name.endswith("exp_avg")]
    assert moments
    for name in moments:
        assert (spread[name] - plain[name]).norm() <= 1e-3 * plain[name].norm() + 1e-9, name


@pytest.mark.slow
def test_a_conversation_is_learned_under_zero_2_as_by_two_plain_processes(tmp_path: Path):
    for name, file in (("plain", "cpu2.yaml"), ("spread", "zero2.yaml")):
        arguments = [*TWO_STEPS, "--workers", "0", "--out", str(tmp_path / name)]
        done = launch(file, *arguments, program="converse", mixed_precision="no")
        assert done.returncode == 0, done.stderr[-3000:]
    whole = final_weights(tmp_path / "spread")
    (tmp_path / "spread" / "step-00000002.safetensors").unlink()
    done = launch("zero2.yaml", *arguments, program="converse", mixed_precision="no")
    assert done.returncode == 0, done.stderr[-3000:]
    for name, value in final_weights(tmp_path / "spread").items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=1e-6, msg=name)
    plain = final_weights(tmp_path / "plain")
    assert {int(value) for name, value in whole.items() if name.endswith(".step")} == {2}
    moments = [name for name in plain if name.endswith("exp_avg")]
    assert moments
    for name in moments:  # of the second step, whose weights are nearly the same
        assert (whole[name] - plain[name]).norm() <= 2e-2 * plain[name].norm() + 1e-9, name


@pytest.mark.slow
def test_a_program_that_saves_whole_weights_refuses_zero_2_at_once(tmp_path: Path):
    arguments = [*TWO_STEPS, "--out", str(tmp_path / "spread")]
    done = launch("zero2.yaml", *arguments, program="motion_denoiser", mixed_precision="no")
    assert done.returncode != 0
    assert "error: motion denoiser cannot be saved under DEEPSPEED" in done.stderr


@pytest.mark.slow
def test_an_engine_that_accelerate_does_not_apply_is_refused(tmp_path: Path):
    done = launch("fsdp2.yaml", *TWO_STEPS, "--out", str(tmp_path / "spread"))
    assert done.returncode != 0
    assert "error: FSDP was asked for but accelerate started" in done.stderr


@pytest.mark.slow
def test_zero_3_is_refused_before_it_fails(tmp_path: Path):
    spread = yaml.safe_load((CONFIGS / "zero2.yaml").read_text())["deepspeed_config"]
    done = launch(
        "zero2.yaml", *TWO_STEPS, "--out", str(tmp_path / "spread"), mixed_precision="no",
        deepspeed_config=spread | {"zero_stage": 3},
    )  # fmt: skip
    assert done.returncode != 0
    assert "error: ZeRO-3 takes weights away" in done.stderr


def test_several_processes_without_an_accelerator_over_them_are_refused(
    monkeypatch: pytest.MonkeyPatch,
):
    alone = SimpleNamespace(num_processes=1, distributed_type=DistributedType.NO)
    monkeypatch.setattr(program, "Accelerator", lambda **_: alone)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes were launched but accelerate runs 1"):
        start_accelerator()


@pytest.mark.parametrize("engine", ["DEEPSPEED", "FSDP", ""])
def test_a_model_that_the_engine_did_not_take_is_refused(
    engine: str, monkeypatch: pytest.MonkeyPatch
):
    if engine:
        monkeypatch.setenv(f"ACCELERATE_USE_{engine}", "true")
    assert asked_engine() == engine
    accelerator = SimpleNamespace(num_processes=2, distributed_type=DistributedType.MULTI_CPU)
    with pytest.raises(ConfigError, match="handed back a Linear"):
        check_engine(accelerator, nn.Linear(1, 1))


def test_a_single_process_needs_no_engine():
    check_engine(SimpleNamespace(num_processes=1), nn.Linear(1, 1))


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.name)
def test_a_config_for_accelerate_is_one_that_it_can_read(file: Path):
    config = load_config_from_file(str(file))
    deepspeed = config.deepspeed_config if hasattr(config, "deepspeed_config") else {}
    assert (deepspeed.get("zero_stage") == 2) == (config.distributed_type == "DEEPSPEED")
    assert not config.use_cpu  # true makes each of several processes the only one


@pytest.mark.slow
def test_what_is_sharded_is_gathered_whole():
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
         "-m", "tests.fakes.sharded_training"],
        check=False, capture_output=True, text=True, timeout=280,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "gathered 3 weights and 2 states" in done.stdout


def write_llama(folder: Path) -> Path:
    """Write a Llama whose layers are large enough to be quantised."""
    text = sentencepiece_like()
    torch.manual_seed(0)
    sizes = SMALL | {"hidden_size": 128, "intermediate_size": 192}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(text) + 7, **sizes)).save_pretrained(folder)
    text.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.filterwarnings("ignore")
def test_a_run_over_a_frozen_base_resumes_from_what_learned(bits: int, tmp_path: Path):
    config = replace(
        align.PRESETS["debug"], llm=str(write_llama(tmp_path / "llm")), lora_rank=4, bits=bits,
        checkpointing=True,
    )  # fmt: skip
    align.main(replace(config, out=tmp_path / "unbroken"))
    broken = replace(config, out=tmp_path / "broken")
    stop_after(align, broken, step=2)
    align.main(broken)
    assert same(tmp_path / "unbroken", tmp_path / "broken")
    names = set(final_weights(tmp_path / "broken"))
    assert any("lora_B" in name for name in names)
    assert not any("q_proj.base_layer.weight" in name for name in names)
    loaded = UniPose.load(tmp_path / "broken" / "model")
    assert loaded.model.config.lora["r"] == 4


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.filterwarnings("ignore")
def test_adapters_learn_beside_a_quantised_base_and_come_back_equal(bits: int, tmp_path: Path):
    folder = write_llama(tmp_path / "llm")
    config = replace(align.PRESETS["paper"], llm=str(folder), lora_rank=4, batch=4, bits=bits)
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
    batches = training_loop.by_length(
        talk.draw(config.batch, seed=0, step=0), 1, pad=vocabulary.pad
    )
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(4):
        loss, _ = training_loop.train_step(model.train(), batches, None, config)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]

    saved_model.save_model(model, vocabulary, tmp_path / "saved")
    loaded = UniPose.load(tmp_path / "saved").model
    before = model.state_dict()
    after = loaded.state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    with torch.no_grad():
        one, other = (losses_of(m.eval(), batches[0]) for m in (model, loaded))
    assert torch.equal(one.codes, other.codes)
    assert torch.equal(one.text, other.text)
