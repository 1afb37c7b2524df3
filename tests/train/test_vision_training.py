"""The stages with pictures: what learns in each, what they start from, adapters that go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.fakes.image_talk import make_person, make_row, write_rows
from tests.fakes.tiny_eyes import GUESSING_EYES, TINY_EYES, seeing_assistant, some_pixels
from tests.fakes.tiny_model import tiny_assistant
from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from train import align, instruct, visual
from train.mesh_recovery import MINI as MINI_EYE
from train.stages import TRAINABLE, Stage, choose_what_learns, part_of, set_modes
from train.training_loop import save_model
from train.vision_training import (
    VisionEncoderSources,
    VisionTrainingConfig,
    cached_encoder,
    image_talk,
    open_start,
)
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.language.claim_teacher import ClaimTeacher
from unipose.language.eyes import Eyes, nearer
from unipose.language.templates import Task
from unipose.vision.mesh_recovery import MeshRecoveryConfig, MeshRecoveryNetwork

DEBUG = {
    "visual": replace(visual.PRESETS["debug"], steps=1, warmup=0),
    "instruct": replace(instruct.PRESETS["debug"], steps=1, warmup=0),
}


def with_adapters() -> UniPose:
    """An assistant as train.align leaves a large one: adapters that have learned something."""
    assistant = tiny_assistant()
    assistant.model.add_adapters({"r": 2, "lora_alpha": 2, "lora_dropout": 0.1})
    with torch.no_grad():
        for name, parameter in assistant.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return assistant


def saved(assistant: UniPose, folder: Path) -> Path:
    save_model(assistant.model, assistant.vocabulary, folder)
    return folder


def changed(before: Path, after: Path) -> set[str]:
    """Return the parts of the model that a stage changed."""
    old, new = (UniPose.load(folder).model.state_dict() for folder in (before, after))
    assert old.keys() <= new.keys()
    parts = {"projector" for name in new.keys() - old.keys() if "projector" in name}
    return parts | {
        part_of(name) for name in old if not torch.equal(old[name], new[name])
    }  # fmt: skip


def test_every_parameter_is_of_a_part_and_eyes_and_codec_never_learn():
    model = with_adapters().model
    model.add_eyes(TINY_EYES)
    parts = {part_of(name) for name, _ in model.named_parameters()}
    assert parts == {
        "codec", "encoders", "projector", "language", "lora", "embeddings", "poses",
        "question_claims", "writing",
    }  # fmt: skip
    assert not {"codec", "encoders", "language"} & set.union(*map(set, TRAINABLE.values()))
    with pytest.raises(ConfigError, match="is of no part"):
        part_of("strange.weight")


@pytest.mark.parametrize("stage", Stage)
def test_what_is_frozen_has_no_gradient_and_no_dropout(stage: Stage):
    model = with_adapters().model
    model.add_eyes(TINY_EYES)
    model.teacher = ClaimTeacher(3, width=model.llm.config.hidden_size)
    choose_what_learns(model, stage)
    set_modes(nn.ModuleList([model]))
    learning = {part_of(n) for n, p in model.named_parameters() if p.requires_grad}
    assert learning == TRAINABLE[stage]
    dropouts = [m for m in model.llm.modules() if isinstance(m, nn.Dropout)]
    assert dropouts
    assert all(m.training == (stage != Stage.VISUAL) for m in dropouts)
    assert not model.codec.training
    assert not model.eyes.pose.training
    assert model.eyes.projector.training == ("projector" in learning)


def test_parts_that_are_left_out_of_a_stage_stay_as_they_are():
    model = tiny_assistant().model
    model.teacher = ClaimTeacher(3, width=model.llm.config.hidden_size)
    choose_what_learns(model, Stage.INSTRUCT, without=("poses",))
    learning = {part_of(n) for n, p in model.named_parameters() if p.requires_grad}
    assert "poses" not in learning
    assert {"language", "embeddings", "teacher"} <= learning
    with pytest.raises(ConfigError, match="codec cannot be left out"):
        choose_what_learns(model, Stage.INSTRUCT, without=("codec",))


def test_frozen_layers_compute_again_where_checkpointing_is_asked_for():
    model = with_adapters().model
    model.add_eyes(TINY_EYES)
    choose_what_learns(model, Stage.VISUAL)
    model.llm.activation_checkpointing_enable()
    set_modes(nn.ModuleList([model]))
    layers = model.llm.get_decoder().layers
    assert all(layer.training and layer.gradient_checkpointing for layer in layers)
    assert not any(m.training for m in model.llm.modules() if isinstance(m, nn.Dropout))


def test_a_blind_model_has_nothing_to_learn_from_pictures():
    with pytest.raises(ConfigError, match="the model has no eyes"):
        choose_what_learns(tiny_assistant().model, Stage.VISUAL)


@pytest.mark.slow
def test_the_adapters_of_the_first_stage_go_on_through_the_others(tmp_path: Path):
    first = saved(with_adapters(), tmp_path / "align")
    second = tmp_path / "visual"
    visual.main(replace(DEBUG["visual"], start=first, out=second))
    assert changed(first, second / "model") == {"projector"}
    third = tmp_path / "instruct"
    instruct.main(replace(DEBUG["instruct"], start=second / "model", out=third))
    learns = TRAINABLE[Stage.INSTRUCT] - {"teacher"}  # no written model has one
    assert changed(second / "model", third / "model") == learns
    last = UniPose.load(third / "model")
    assert last.model.config.lora == {"r": 2, "lora_alpha": 2, "lora_dropout": 0.1}
    assert any("lora_A" in name for name, _ in last.model.named_parameters())
    assert last.vocabulary.patches == 4


def test_a_small_model_learns_whole_where_a_large_one_has_adapters(tmp_path: Path):
    first = saved(seeing_assistant(), tmp_path / "visual")
    instruct.main(replace(DEBUG["instruct"], start=first, out=tmp_path / "out"))
    assert changed(first, tmp_path / "out" / "model") == {
        "language", "embeddings", "poses", "question_claims", "writing", "projector"
    }  # fmt: skip


@pytest.mark.slow
def test_pixels_teach_what_features_teach(tmp_path: Path):
    logs = []
    for kept in (100, 0):
        config = replace(DEBUG["visual"], kept=kept, out=tmp_path / str(kept))
        visual.main(config)
        logs.append((config.out / "metrics.jsonl").read_text())
    features, pixels = (json.loads(log) for log in logs)
    assert features == pytest.approx(pixels, rel=1e-3)


@pytest.mark.slow
def test_pictures_come_from_a_built_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    seen = {"root_in_camera": [3.1, 0.0, 0.0]}
    rows = [make_row("imagescript-a", i, person=make_person(0, **seen)) for i in range(3)]
    write_rows(tmp_path / "built", "imagescript-a", rows)
    write_rows(tmp_path / "built", "imagediff-a", [make_row("imagediff-a", 0)])
    visual.main(replace(DEBUG["visual"], pictures=tmp_path / "built", out=tmp_path / "out"))
    assert UniPose.load(tmp_path / "out" / "model").model.patches == 4


def test_eyes_take_over_the_weights_of_mesh_recovery(tmp_path: Path):
    torch.manual_seed(3)
    trained = Eyes(TINY_EYES, width=8).pose
    from safetensors.torch import save_file

    weights = {f"backbone.{name}": value for name, value in trained.state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    eyes = VisionEncoderSources(config=TINY_EYES, pose=str(tmp_path / "model.safetensors"))
    first = saved(tiny_assistant(), tmp_path / "align")
    config = replace(DEBUG["visual"], start=first, eyes=eyes)
    model, vocabulary = open_start(config, load_body())
    assert vocabulary.patches == model.patches == 4
    for name, value in trained.state_dict().items():
        assert torch.equal(model.eyes.pose.state_dict()[name], value)
    with pytest.raises(ConfigError, match="without CLIP"):
        VisionEncoderSources(config=TINY_EYES, clip="clip.pt").add_to(model)


def test_eyes_that_guess_take_over_the_head_too(tmp_path: Path):
    torch.manual_seed(3)
    head = GUESSING_EYES.head
    network = MeshRecoveryNetwork(MeshRecoveryConfig(vit=GUESSING_EYES.pose, head=head))
    network.save_pretrained(tmp_path)
    model = tiny_assistant().model
    VisionEncoderSources(config=GUESSING_EYES, pose=str(tmp_path / "model.safetensors")).add_to(
        model
    )
    pixels, box = some_pixels(), (5.0, 5.0, 20.0, 30.0)
    crops = model.eyes.prepare(pixels, box).pose[None]
    guess = model.eyes.guess(model.eyes.pose(crops), crops).pose().rotations[:, :22]
    with torch.no_grad():
        glances = []
        for seen in (crops, nearer(crops)):
            plain, mirrored = (network.eval()(some).pose() for some in (seen, seen.flip(3)))
            glances += [plain.sixd, mirrored.mirrored().sixd]
    torch.testing.assert_close(guess, rotations_from_6d(torch.stack(glances).mean(0)))
    seen = model.look(pixels, box)
    assert seen.guess.tolist() == model.codec.encode(rotations_to_6d(guess))[0].tolist()


def test_what_eyes_saw_is_kept_in_half_precision():
    model = seeing_assistant().model
    look = cached_encoder(model)(some_pixels(), (5.0, 5.0, 20.0, 30.0))
    assert look.seen
    assert look.guess is None
    assert look.pose.dtype == torch.float16
    assert look.pose.shape == (16, 2, 1)


def test_the_presets_hold_the_published_numbers():
    second, third = visual.PRESETS["paper"], instruct.PRESETS["paper"]
    assert (second.peak_rate, second.batch, second.steps) == (5e-5, 8, 12_500)
    assert (third.peak_rate, third.batch, third.steps) == (5e-5, 8, 4_840)
    for config in (second, third):
        assert config.warmup == pytest.approx(0.03 * config.steps, abs=1)
        assert config.weight_decay == 0
        assert config.eyes.config.clip is not None
    assert align.PRESETS["paper"].talk.wording == "fixed"
    shares = dict(third.image_talk.shares)
    samples = {task: third.seen * share * 38_750 for task, share in shares.items()}
    assert samples[Task.ESTIMATE] == pytest.approx(6_250)


def test_the_small_presets_see_with_the_small_eye():
    for config in (visual.PRESETS["mini"], instruct.PRESETS["mini"]):
        assert isinstance(config, VisionTrainingConfig)
        assert config.eyes.config.pose == MINI_EYE.vit
        assert config.studio.frames <= config.eyes.config.most
    assert {task for task, _ in instruct.PRESETS["mini"].image_talk.shares} == {
        Task.IMAGE_TO_TEXT, Task.IMAGE_DIFF, Task.ESTIMATE, Task.REASON, Task.CONTACTS,
        Task.MOTION_LABEL,
    }  # fmt: skip


def test_a_studio_of_made_up_poses_has_no_actions():
    config = replace(
        DEBUG["instruct"], image_talk=instruct.PRESETS["mini"].image_talk, out=Path("unused")
    )
    seeing = seeing_assistant()
    with pytest.raises(ConfigError, match="examples of motion_label"):
        image_talk(config, seeing.model, seeing.vocabulary, load_body())
