"""Teaching the pose expert over kept states, and a model shipped without its base."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from data_builders.pose_lessons import PoseLessons
from data_builders.pose_pool import PosePool
from tests.fakes.tiny_chat_model import tiny_chat_model
from tests.fakes.tiny_model import EXPERT, TINY_CODEC
from tokenizer.codec import PoseTokenizer
from tokenizer.rotations import rotations_to_6d
from train import align, pose_expert
from train.export_weights import export_over_base
from train.pose_expert import RequestStates
from unipose.app.examples import example_pose
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.errors import ConfigError, PoseQueryError, WeightsError
from unipose.language import over_base
from unipose.language.rendering import collate, render_question


def test_a_batch_of_states_is_filled_up_to_the_longest():
    known = RequestStates(
        states=torch.arange(5.0)[:, None], ends=torch.tensor([2, 5]),
        rotations=torch.eye(3).repeat(2, 22, 1, 1), sources=torch.tensor([[-1, -1], [4, 5]]),
        told=torch.tensor([[True], [False]]),
    )  # fmt: skip
    joined = RequestStates.joined([known, known])
    states, seen, sources = joined.batch(torch.tensor([2, 1]))
    assert sources.tolist() == [[-1, -1], [4, 5]]
    assert states[..., 0].tolist() == [[0.0, 1.0, 0.0], [2.0, 3.0, 4.0]]
    assert seen.tolist() == [[True, True, False], [True, True, True]]
    assert joined.ends.tolist() == [2, 5, 7, 10]
    assert joined.told.flatten().tolist() == [True, False, True, False]


def test_each_request_keeps_what_it_claims(tmp_path: Path):
    config = replace(pose_expert.PRESETS["debug"], out=tmp_path)
    config = replace(config, lessons=replace(config.lessons, requests=4, named=0.5))
    assistant = pose_expert.open_start(config)
    lessons = PoseLessons(
        PosePool.random(8, seed=0),
        joints_at_rest=assistant.model.joints_at_rest,
        encode=lambda rotations: assistant.model.codec.encode(rotations_to_6d(rotations)),
        vocabulary=assistant.vocabulary,
        config=config.lessons,
    )
    row, rotations = lessons.requests(torch.Generator().manual_seed(0), Random(1))
    known = pose_expert.states_of_requests(assistant.model, assistant.vocabulary, row, rotations)
    ends = [i for i, target in enumerate(row.targets) if target == assistant.vocabulary.pose_start]
    claimed = dict(row.told_at)
    assert 0 < len(claimed) < len(ends) == len(known.told), "some are named, which claims nothing"
    for end, told in zip(ends, known.told, strict=True):
        assert torch.equal(told, claimed.get(end, torch.zeros_like(told)))


def test_an_expert_goes_on_where_it_was_stopped_and_keeps_its_states(tmp_path: Path):
    debug = pose_expert.PRESETS["debug"]
    pose_expert.main(replace(debug, out=tmp_path / "unbroken"))
    broken = replace(debug, out=tmp_path / "broken")
    pose_expert.main(broken)
    for late in (tmp_path / "broken").glob("step-*4.safetensors"):
        late.unlink()
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "broken/states").iterdir()}
    pose_expert.main(broken)
    assert made == {path: path.stat().st_mtime_ns for path in made}
    one, other = (
        load_file(tmp_path / name / "step-00000004.safetensors") for name in ("unbroken", "broken")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert UniPose.load(tmp_path / "broken/model", eyes="own").model.expert is not None


def test_several_processes_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    two = SimpleNamespace(num_processes=2)
    monkeypatch.setattr(pose_expert, "start_accelerator", lambda **_: two)
    with pytest.raises(ConfigError, match="2 processes were launched, but an expert is taught by"):
        pose_expert.main(replace(pose_expert.PRESETS["debug"], out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[UniPose, Path]:
    """A tiny model over a chat model, and what is shipped of it."""
    llm, template = tiny_chat_model()
    base = tmp_path / "base"
    llm.save_pretrained(base)
    template.text.save_pretrained(base)
    codec = PoseTokenizer(TINY_CODEC).eval()
    codec.save_pretrained(tmp_path / "codec")
    config = replace(
        align.PRESETS["smol"], llm=str(base), pose_projector=16, lora_rank=2, start=None,
        claim_weight=0.0,
    )  # fmt: skip
    model, vocabulary = align.build_model(config, codec, load_body().rest_joints, None)
    model.add_expert(EXPERT)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
            if weight.requires_grad or name.startswith(("expert.", "pose_projector.")):
                weight.copy_(weight.bfloat16())
        markers = model.llm.get_input_embeddings().weight[vocabulary.pose_start :][:4]
        markers.copy_(markers.bfloat16())
    out = tmp_path / "shipped"
    export_over_base(UniPose(model, vocabulary), out, base=str(base))
    monkeypatch.setattr(over_base, "POSE_CODES", tmp_path / "codec")
    return UniPose(model, vocabulary), out


def test_a_model_shipped_without_its_base_says_the_same(shipped: tuple[UniPose, Path]):
    own, folder = shipped
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "adapter_model.safetensors", "adapter_config.json",
    }  # fmt: skip
    loaded = UniPose.load(folder, dtype="float32", eyes="own")
    assert loaded.model.config.lora is None, "its adapters are merged"
    pose = own.pose(torch.randint(2048, (1, own.model.length)))
    question = [own._describe_question(pose)]
    hidden = []
    for assistant in (own, loaded):
        row = render_question(question[0], assistant.vocabulary)
        batch = collate([row], pad=assistant.vocabulary.pad)
        positions = torch.arange(len(row.ids))[None]
        seen = torch.ones(1, 1, len(row.ids), len(row.ids), dtype=torch.bool).tril()
        with torch.inference_mode():
            hidden.append(assistant.model.hidden_states(batch, seen, positions)[0])
    torch.testing.assert_close(hidden[0], hidden[1], rtol=1e-2, atol=1e-2)


def test_the_expert_of_a_shipped_model_learns_on(shipped: tuple[UniPose, Path], tmp_path: Path):
    _, folder = shipped
    debug = replace(pose_expert.PRESETS["debug"], out=tmp_path / "run", start=folder)
    pose_expert.main(debug)
    before, after = (
        load_file(some / "model.safetensors") for some in (folder, tmp_path / "run/model")
    )
    assert before.keys() == after.keys()
    other = {name for name in before if not torch.equal(before[name], after[name])}
    assert other
    assert all(name.startswith("expert.") for name in other)
    loaded = UniPose.load(tmp_path / "run/model", eyes="own").model.expert
    assert loaded is not None
    assert torch.equal(loaded.context.weight, after["expert.context.weight"].float())


def test_other_adapters_write_than_those_that_read(shipped: tuple[UniPose, Path], tmp_path: Path):
    own, _ = shipped
    reader = deepcopy(own.model)
    reader.expert = None
    with torch.no_grad():
        for name, weight in reader.named_parameters():
            if "lora_B" in name:
                weight.mul_(-1)
    folder = tmp_path / "both"
    both = UniPose(reader, own.vocabulary, writer=own.model)
    export_over_base(both, folder, base=str(tmp_path / "base"))
    loaded = UniPose.load(folder, dtype="float32", eyes="own")
    assert loaded.writer is not loaded.model
    alone = UniPose.load(shipped[1], dtype="float32", eyes="own").model
    reads, writes, expected = (
        model.llm.get_decoder().layers[0].mlp.up_proj.weight
        for model in (loaded.model, loaded.writer, alone)
    )
    assert not torch.equal(reads, writes)
    assert torch.equal(writes, expected)
    assert reader.pose_projector is not None
    reader.pose_projector.details.data.add_(1)
    with pytest.raises(ConfigError, match=r"different weights 'pose_projector\.details'"):
        export_over_base(both, tmp_path / "odd", base=str(tmp_path / "base"))


def test_a_shipped_model_with_a_weight_too_many_is_refused(shipped: tuple[UniPose, Path]):
    _, folder = shipped
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"expert": None}))
    with pytest.raises(WeightsError, match=r"expert\."):
        UniPose.load(folder, eyes="own")


def test_a_task_that_was_not_taught_is_refused_by_name(shipped: tuple[UniPose, Path]):
    loaded = UniPose.load(shipped[1], dtype="float32", eyes="own")
    assert loaded.model.config.tasks == ["describe"]  # of the lessons of reading alone
    squat = example_pose("squat")
    with pytest.raises(PoseQueryError, match="learned describe, and not to compare"):
        loaded.compare(squat, squat)
    assert isinstance(loaded.describe(squat), str)
