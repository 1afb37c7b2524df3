"""The planner: weights counted exactly, memory that adds up, proposals that fit, clear refusals."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from planner.memory import GB, Engine, Load, plan_memory
from planner.memory_check import SIZES, Case, check
from planner.model_sizes import KNOWN, Sizes, count, describe
from planner.plan import (
    NothingFitsError,
    PlanConfig,
    TrainingSetup,
    choose,
    command,
    load_of,
    propose,
    run,
    settings,
)
from tokenizer.codec import PAPER
from train.align import PRESETS
from train.stages import Stage, choose_what_learns
from unipose.errors import ConfigError, FileError
from unipose.language.config import PoseLanguageConfig
from unipose.language.model import PoseLanguageModel

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.2"
PUBLISHED_WEIGHTS = {
    MISTRAL: 7_241_732_096,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
}


@pytest.fixture(scope="module")
def mistral() -> Sizes:
    return count(describe(MISTRAL), rank=64, turn_markers=0)


def test_the_published_model_is_counted_as_published(mistral: Sizes):
    assert mistral.vocabulary == 34_132
    assert mistral.parts["lora"] == 167_772_160
    assert mistral.parts["embeddings"] == 2 * 34_132 * 4096  # 280 M
    assert mistral.parts["projector"] == 26_222_592
    assert mistral.parts["eyes"] == pytest.approx(630.9e6 + 304.3e6, rel=1e-3)
    assert mistral.parts["codec"] == pytest.approx(12.35e6 + 2048 * 256 * 2, rel=1e-3)
    lora_and_tables = 167_772_160 + 2 * 34_132 * 4096
    assert mistral.learning(Stage.ALIGN) == lora_and_tables
    assert mistral.learning(Stage.VISUAL) == 26_222_592
    assert mistral.learning(Stage.INSTRUCT) == lora_and_tables + 26_222_592


@pytest.mark.parametrize("llm", sorted(PUBLISHED_WEIGHTS))
def test_a_known_shape_has_the_published_number_of_weights(llm: str):
    described = describe(llm)
    sizes = count(described, rank=0, turn_markers=0, eyes=False)
    tables = 1 if described.config.tie_word_embeddings else 2
    added = sizes.vocabulary - described.config.vocab_size
    language = sum(sizes.parts[name] for name in ("base", "norms", "embeddings"))
    assert language - tables * added * sizes.hidden == PUBLISHED_WEIGHTS[llm]


def test_every_known_name_is_found_in_full_and_in_short():
    for name in KNOWN:
        assert describe(name).config.hidden_size == describe(name.split("/")[1]).config.hidden_size
    assert describe("Qwen/Qwen2-7B-Instruct").text_tokens == 151_665


def test_what_learns_is_what_the_training_program_trains(tmp_path: Path):
    folder = small_folder(tmp_path)
    sizes = count(describe(str(folder)), rank=4, turn_markers=0, eyes=False)
    llm = LlamaConfig.from_pretrained(folder)
    llm.vocab_size = sizes.vocabulary
    with torch.device("meta"):
        model = PoseLanguageModel(
            PoseLanguageConfig(llm=llm.to_dict(), codec=asdict(PAPER), text_tokens=400)
        )
        model.add_adapters({"r": 4})
    choose_what_learns(model, large=True)
    learning = sum(w.numel() for w in model.parameters() if w.requires_grad)
    assert sizes.learning(Stage.ALIGN) == learning


def small_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "llm"
    LlamaConfig(
        vocab_size=400, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_a_folder_and_its_config_file_and_a_llava_config_are_read(tmp_path: Path):
    folder = small_folder(tmp_path)
    assert describe(str(folder)).text_tokens == 400
    file = folder / "config.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"model_type": "llava_llama"}))
    assert describe(str(file)).config.model_type == "llama"
    file.write_text(json.dumps({"model_type": "llava_next", "text_config": values}))
    assert describe(str(file)).config.hidden_size == 64


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model_type": "clip"}', '{"model_type": 3}'])
def test_a_file_that_describes_no_language_model_is_named(text: str, tmp_path: Path):
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(FileError, match=r"config\.json: describes no causal language model"):
        describe(str(file))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"neither a folder .*Mistral-7B"):
        describe("nobody/knows-this")


def test_more_gpus_fewer_bits_and_checkpointing_never_need_more(mistral: Sizes):
    load = Load(batch=8, tokens=256, answer=64)

    def total(engine: Engine, gpus: int, bits: int, checkpointing: bool) -> float:
        used = replace(load, checkpointing=checkpointing)
        return plan_memory(mistral, Stage.ALIGN, engine, used, gpus=gpus, bits=bits).total

    for engine in (Engine.ZERO2, Engine.ZERO3, Engine.FSDP2):
        amounts = [total(engine, gpus, 16, False) for gpus in (2, 4, 8)]
        assert amounts == sorted(amounts, reverse=True)
    by_bits = [total(Engine.ZERO2, 2, bits, False) for bits in (16, 8, 4)]
    assert by_bits == sorted(by_bits, reverse=True)
    assert total(Engine.SINGLE, 1, 16, True) < total(Engine.SINGLE, 1, 16, False)
    assert total(Engine.ZERO3, 8, 16, True) < total(Engine.ZERO2, 8, 16, True)


def test_what_is_kept_is_the_bytes_of_the_table(mistral: Sizes):
    load = Load(batch=1, tokens=64, answer=16)
    learns = mistral.learning(Stage.ALIGN)
    memory = plan_memory(mistral, Stage.ALIGN, Engine.ZERO2, load, gpus=4, bits=16)
    frozen = 2 * mistral.parts["base"] + 2 * mistral.parts["norms"] + 4 * mistral.parts["codec"]
    assert memory.weights == frozen + 2 * learns
    assert memory.optimiser == 12 * learns / 4
    assert memory.eyes == 0  # pose-text alignment sees no picture
    seeing = plan_memory(mistral, Stage.INSTRUCT, Engine.ZERO2, load, gpus=4, bits=16)
    assert seeing.weights - memory.weights == 2 * (
        mistral.parts["eyes"] + mistral.parts["projector"]
    )


def test_the_largest_batch_fits_and_one_more_does_not(mistral: Sizes):
    config = PlanConfig(gpus=2, gpu_memory_gb=40.0)
    for choice in choose(config, mistral):

        def total(batch: int, setting: TrainingSetup = choice.setting) -> float:
            load = load_of(config, setting, batch)
            return plan_memory(
                mistral, Stage.ALIGN, setting.engine, load, gpus=2, bits=setting.bits
            ).total

        if choice.largest_batch:
            assert total(choice.largest_batch) <= 40 * GB
        assert total(choice.largest_batch + 1) > 40 * GB


def test_the_published_recipe_fits_on_the_published_gpus(mistral: Sizes):
    for stage in Stage:
        config = PlanConfig(gpus=4, gpu_memory_gb=80.0, stage=stage.value, bits=16, zero=2)
        found, _ = propose(config, mistral, choose(config, mistral))
        assert found.setting.checkpointing  # as published
    config = PlanConfig(gpus=4)
    found, batch = propose(config, mistral, choose(config, mistral))
    line = command(config, found.setting, batch)
    assert "--config_file train/configs/zero2.yaml --num_processes 4 -m train.align" in line
    assert "--batch 24 --checkpointing" in line


def test_sources_are_checked_and_stand_in_the_command(mistral: Sizes):
    text = "posescript=/data/posescript?amass=/data/AMASS&share=70"
    config = PlanConfig(gpus=4, sources=(text, "mocap=/data/mocap"))
    found, batch = propose(config, mistral, choose(config, mistral))
    line = command(config, found.setting, batch)
    assert line.endswith(f"--checkpointing --sources '{text}' mocap=/data/mocap")
    with pytest.raises(ConfigError, match="share must be a number above 0"):
        PlanConfig(sources=("mocap=/data/mocap?share=0",))


def test_a_small_gpu_gets_a_quantised_base(mistral: Sizes):
    config = PlanConfig(gpus=1, gpu_memory_gb=16.0, batch=2)
    found, batch = propose(config, mistral, choose(config, mistral))
    assert (found.setting.bits, batch) == (4, 2)
    assert "one_gpu.yaml" in command(config, found.setting, batch) or "zero2" in command(
        config, found.setting, batch
    )
    assert "--bits 4" in command(config, found.setting, batch)


def test_when_nothing_fits_the_error_says_what_would_help(mistral: Sizes):
    config = PlanConfig(gpus=1, gpu_memory_gb=16.0, bits=16)
    with pytest.raises(NothingFitsError, match=r"one row needs [\d.]+ GB.*leaving --bits.*--gpus"):
        propose(config, mistral, choose(config, mistral))


def test_an_engine_that_cannot_run_is_never_proposed(mistral: Sizes):
    config = PlanConfig(gpus=8, gpu_memory_gb=24.0, bits=16)
    found, _ = propose(config, mistral, choose(config, mistral))
    assert found.setting.engine == Engine.FSDP2
    config = replace(config, zero=3)
    with pytest.raises(ConfigError, match=r"ZeRO-3 takes weights away.*zero2\.yaml"):
        propose(config, mistral, choose(config, mistral))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"full": True, "bits": 4}, "cannot learn"),
        ({"zero": 3, "bits": 8}, "ZeRO-3 does not spread"),
        ({"gpus": 0}, "gpus must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"gpu_memory_gb": -1.0}, "above 0"),
    ],
)
def test_contradictions_are_refused(changes: dict, said: str):
    with pytest.raises(ConfigError, match=said):
        PlanConfig(**changes)


def test_a_quantised_base_is_offered_only_where_it_works():
    offered = list(settings(PlanConfig(gpus=4)))
    assert {s.engine for s in offered if s.bits < 16} == {Engine.DDP, Engine.ZERO2}
    assert all(s.bits == 16 for s in settings(PlanConfig(gpus=4, full=True)))


def test_the_program_prints_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--llm", str(small_folder(tmp_path)), "--gpus", "2", "--json", "--lora"]
    run(arguments)
    answer = json.loads(capsys.readouterr().out)
    assert answer["vocabulary"] == 400 + 4 + 2048 + 4 + 80
    assert answer["proposal"]["batch"] == 24
    one = answer["settings"][0]["bytes"]
    assert one["total"] == pytest.approx(sum(v for name, v in one.items() if name != "total"))


def test_the_program_prints_tables_and_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run(["--llm", str(small_folder(tmp_path)), "--stage", "instruct", "--full"])
    shown = capsys.readouterr().out
    assert "accelerate launch --config_file train/configs/one_gpu.yaml -m train.instruct" in shown
    assert "Proposal: one GPU, " in shown
    assert "DDP" not in shown
    with pytest.raises(SystemExit, match=r"error: .*What would help"):
        run(["--llm", str(small_folder(tmp_path)), "--gpu-memory-gb", "1"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lora", [True, False], ids=["lora", "all"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "again"])
def test_predictions_are_near_what_torch_allocates(lora: bool, checkpointing: bool):
    for size in SIZES[:2]:
        found = check(Case(**size, batch=6, checkpointing=checkpointing, lora=lora))
        assert found.predicted_kept == pytest.approx(found.measured_kept, rel=0.01)
        assert abs(found.step_error) < 0.15
        assert abs(found.error) < 0.15


def test_the_paper_preset_is_what_is_planned():
    assert (PRESETS["paper"].lora_rank, PRESETS["paper"].batch) == (64, 24)
