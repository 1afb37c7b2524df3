"""The model under Hugging Face's names says what it says under ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForImageTextToText, AutoProcessor

from tests.fakes.tiny_eyes import GUESSING_EYES, seeing_assistant, some_pixels
from tests.fakes.tiny_model import tiny_assistant, tiny_plain_assistant
from train.saved_model import save_model
from unipose.app.examples import example_pose
from unipose.assistant import MINI, UniPose
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseQueryError, WeightsError
from unipose.huggingface import (
    UniPoseConceptsForConditionalGeneration,
    UniPoseForConditionalGeneration,
    UniPoseProcessor,
    pipeline,
)
from unipose.language.named_inputs import batch_of
from unipose.language.templates import FIXED, Task

DESCRIBE = "Describe the pose <pose>."
GENERATE = "Make a pose: Someone squats."


def saved(assistant: UniPose, folder: Path) -> UniPose:
    save_model(assistant.model, assistant.vocabulary, folder)
    return assistant


def both(folder: Path) -> tuple[UniPoseForConditionalGeneration, UniPoseProcessor]:
    return (
        UniPoseForConditionalGeneration.from_pretrained(folder),
        UniPoseProcessor.from_pretrained(folder),
    )


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_assistant, tiny_plain_assistant])
def test_it_answers_what_the_assistant_answers(make, tmp_path):
    assistant = saved(make(), tmp_path)
    model, processor = both(tmp_path)
    assert FIXED[Task.DESCRIBE] == "Describe the pose {pose}."
    pose = example_pose("squat")
    said = model.generate(**processor(DESCRIBE, poses=pose))
    assert processor.batch_decode(said) == [assistant.describe(pose)]
    question = processor("Take <pose> again: <pose>", poses=assistant.codes(pose).repeat(2, 1))
    again = processor("Take <pose> again: <pose>", poses=pose.rotations.repeat(2, 1, 1, 1))
    assert question.keys() == again.keys()
    assert all(torch.equal(question[name], again[name]) for name in question)


@pytest.mark.slow
def test_a_pose_that_is_written_comes_back_as_a_pose():
    model, processor = both(MINI)
    assistant = UniPose.load(eyes="own")
    said = model.generate(**processor(["Describe the pose <pose>.", GENERATE],
                                      poses=example_pose("squat")))  # fmt: skip
    described, written = processor.poses(said)
    assert len(described) == 0
    expected = assistant.generate("someone squats").rotations
    assert torch.allclose(written.rotations, expected, atol=1e-5)
    assert processor.batch_decode(said)[0] == assistant.describe(example_pose("squat"))
    drawn = [model.generate(**processor(GENERATE), do_sample=True, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert drawn[0].shape != drawn[2].shape or not torch.equal(drawn[0], drawn[2])


@pytest.mark.slow
def test_what_is_saved_is_loaded_by_every_name(tmp_path):
    model, processor = both(MINI)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    question = processor(GENERATE)
    expected = model.generate(**question)
    for kind in (AutoModel, AutoModelForImageTextToText, UniPoseForConditionalGeneration):
        again = kind.from_pretrained(tmp_path)
        assert type(again) is UniPoseConceptsForConditionalGeneration
        assert isinstance(again, UniPoseForConditionalGeneration)
        assert torch.equal(again.generate(**question), expected)
    ours = UniPose.load(tmp_path, eyes="own").generate("someone squats").rotations
    assert torch.allclose(ours, processor.poses(expected)[0].rotations, atol=1e-5)
    for name in (tmp_path, MINI):
        same = AutoProcessor.from_pretrained(name)
        assert isinstance(same, UniPoseProcessor)
        assert repr(same) == repr(processor)
        codes = same.codes(example_pose("squat"))
        assert torch.equal(codes, processor.codes(example_pose("squat")))


@pytest.mark.slow
def test_it_learns_words_and_a_pose_with_an_optimiser_alone(tmp_path):
    saved(tiny_assistant(), tmp_path)
    model, processor = both(tmp_path)
    inputs = processor(
        ["Describe the pose <pose>.", "Make a pose: squat"],
        poses=example_pose("squat"), answers=["They squat.", example_pose("squat")],
    )  # fmt: skip
    optimiser = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = model(**inputs).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    logits = model(**processor("Make a pose: squat")).logits
    assert logits.shape[0] == 1
    assert logits.shape[2] == model.first_code + 1


@pytest.mark.slow
@pytest.mark.parametrize("guessing", [False, True])
def test_a_picture_is_shown_as_the_model_saw_it(guessing: bool, tmp_path):
    assistant = seeing_assistant(GUESSING_EYES) if guessing else seeing_assistant()
    saved(assistant, tmp_path)
    model, processor = both(tmp_path)
    seen = model.look(some_pixels(), (5.0, 5.0, 30.0, 35.0))
    said = model.generate(**processor("Describe the pose of the person in <image>.", images=seen))
    assert processor.batch_decode(said) == [assistant.describe(seen)]


def test_what_does_not_fit_is_refused_by_name(tmp_path):
    tiny = tiny_assistant()
    processor = UniPoseProcessor(tiny.vocabulary.text, tiny.model.codec)
    with pytest.raises(PoseQueryError, match="mention <pose> 1 times, 2 were given"):
        processor(DESCRIBE, poses=Pose.from_rotations(torch.eye(3).expand(2, 22, 3, 3)))
    with pytest.raises(PoseQueryError, match="2 texts need as many answers, got 1"):
        processor(["a", "b"], answers=["c"])
    with pytest.raises(PoseQueryError, match="pose-to-text"):
        pipeline("pose-to-dance")
    for name in ("adapter_model.safetensors", "config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(WeightsError, match=r"UniPose\.load reads it"):
        UniPoseForConditionalGeneration.from_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"missing: \['answer_mask'.*not known: \['word'\]"):
        batch_of({"word": torch.zeros(1)})


@pytest.mark.slow
def test_a_pipeline_is_one_task_and_lists_give_lists():
    assistant = tiny_assistant()
    poses = [example_pose("squat"), example_pose("step")]
    compare = pipeline("pose-comparison", assistant)
    said = assistant.compare(*poses)
    assert compare(*poses) == said
    assert compare([poses[0]], [poses[1]]) == [said]
