"""The pose language model: mixed batches, no leaks, one-pass poses, files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fakes.tiny_model import tiny_assistant
from unipose.assistant import UniPose
from unipose.body.pose import Pose
from unipose.errors import (
    ConfigError,
    MissingFileError,
    PoseParseError,
    PoseQueryError,
    WeightsError,
)
from unipose.language.concept_losses import losses_of
from unipose.language.decoding import Decoding, answer
from unipose.language.rendering import WRITTEN_POSE, collate, render_sample
from unipose.language.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def assistant() -> UniPose:
    return tiny_assistant()


def some_pose(count: int = 1, seed: int = 0) -> Pose:
    generator = torch.Generator().manual_seed(seed)
    return Pose.from_axis_angle(torch.randn(count, 22, 3, generator=generator) * 0.5)


def opening(vocabulary: Vocabulary, pose: bool) -> torch.Tensor:
    """Logits that make an answer begin with a pose, or never."""
    bias = torch.zeros(vocabulary.first_code + 1)
    bias[-1] = 1e6 if pose else -1e6
    return bias


@pytest.fixture
def poses_only(assistant: UniPose, monkeypatch: pytest.MonkeyPatch) -> UniPose:
    """An assistant that opens every answer with a pose and then ends it."""
    plain = assistant.model.text_logits
    asked = {"times": 0}

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        asked["times"] += 1
        result = plain(hidden) * 0
        result[..., -1 if asked["times"] % 2 else assistant.vocabulary.answer_end] = 1e6
        return result

    monkeypatch.setattr(assistant.model, "text_logits", logits)
    return assistant


def test_a_mixed_batch_teaches_what_its_parts_teach(assistant: UniPose):
    model, vocabulary = assistant.model, assistant.vocabulary
    codes = assistant.codes(some_pose(3))
    rows = [
        render_sample(["Describe ", codes[0]], "The left knee is bent.", vocabulary),
        render_sample(["Kneel down please"], codes[1], vocabulary),
        render_sample(["Raise a hand ", codes[1]], codes[2], vocabulary),
    ]
    together = losses_of(model, collate(rows, pad=vocabulary.pad))
    alone = [losses_of(model, collate([row], pad=vocabulary.pad)) for row in rows]
    slots = torch.stack([alone[1].codes, alone[2].codes]).mean()
    torch.testing.assert_close(together.codes, slots)
    words = [sum(t >= 0 and k != WRITTEN_POSE for t, k in zip(r.targets, r.kinds)) for r in rows]
    weighted = sum(w * a.text for w, a in zip(words, alone, strict=True)) / sum(words)
    torch.testing.assert_close(together.text, weighted)


def test_slots_do_not_see_the_codes_they_should_answer(assistant: UniPose):
    model, vocabulary = assistant.model, assistant.vocabulary
    one, other = assistant.codes(some_pose(2))
    first, second = (
        collate([render_sample(["Kneel"], codes, vocabulary)], pad=vocabulary.pad)
        for codes in (one, other)
    )
    torch.testing.assert_close(
        model.read_question(first).embeddings, model.read_question(second).embeddings
    )


def test_the_geometry_loss_moves_the_model_and_leaves_the_codec(assistant: UniPose):
    model, vocabulary = assistant.model, assistant.vocabulary
    codes = assistant.codes(some_pose())[0]
    model.zero_grad()
    batch = collate([render_sample(["Kneel"], codes, vocabulary)], pad=vocabulary.pad)
    losses_of(model, batch).geometry.backward()
    assert model.slots.grad is not None
    assert model.slots.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in model.codec.parameters())


def test_the_same_pose_facing_elsewhere_is_read_with_the_same_joints(assistant: UniPose):
    pose = some_pose()
    turned = pose.rotations.clone()
    turned[:, 0] = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]) @ turned[:, 0]
    joints, other = (
        assistant.model.joints(r[:, :22], facing=True) for r in (pose.rotations, turned)
    )
    torch.testing.assert_close(joints, other, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_one_question_is_answered_as_in_a_batch(assistant: UniPose):
    poses = some_pose(3)
    together = assistant.describe_batch(poses)
    assert together == [assistant.describe(poses[i]) for i in range(3)]


def test_a_pose_takes_one_pass_for_all_its_slots(poses_only: UniPose):
    pose = poses_only.generate("kneel")
    assert len(pose) == 1
    assert poses_only.passes == 1  # the question, all slots and the end


def test_a_guessed_pose_is_the_one_that_two_passes_write(assistant: UniPose):
    questions = [["Kneel"], ["Raise a hand ", assistant.codes(some_pose())[0]]]
    found = []
    for guess in (True, False):
        model = assistant.model
        plain = model.text_logits
        asked = {"times": 0}

        def opens_then_ends(hidden: torch.Tensor, asked=asked, plain=plain) -> torch.Tensor:
            asked["times"] += 1
            result = plain(hidden) * 0
            result[..., -1 if asked["times"] % 2 else assistant.vocabulary.answer_end] = 1e6
            return result

        model.text_logits = opens_then_ends
        try:
            answers, passes = answer(model, assistant.vocabulary, questions, Decoding(guess=guess))
        finally:
            model.text_logits = plain
        found.append([said.poses[0] for said in answers])
        assert passes == (1 if guess else 2)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_one_slot_at_a_time_takes_a_pass_for_each(poses_only: UniPose):
    decoding = Decoding(slots_per_pass=1, max_tokens=2)
    answers, passes = answer(poses_only.model, poses_only.vocabulary, [["kneel"]], decoding)
    assert len(answers[0].poses) == 1
    assert passes == 1 + poses_only.vocabulary.length + 2  # start and end besides


def test_samples_follow_the_seed(poses_only: UniPose):
    one, again = (poses_only.generate("kneel", seed=3, samples=2).rotations for _ in range(2))
    other = poses_only.generate("kneel", seed=4, samples=2).rotations
    assert torch.equal(one, again)
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one, other)


def test_rows_of_a_batch_may_answer_with_text_or_with_a_pose(
    assistant: UniPose, monkeypatch: pytest.MonkeyPatch
):
    model, vocabulary = assistant.model, assistant.vocabulary
    plain, calls = model.text_logits, []

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        result = plain(hidden) * 0
        end, word = vocabulary.answer_end, vocabulary.encode("knee")[0]
        result[0, -1 if len(calls) == 1 else end] = 1e6
        result[1, word if len(calls) < 4 else end] = 1e6
        return result

    monkeypatch.setattr(model, "text_logits", logits)
    pose, text = answer(model, vocabulary, [["make"], ["say"]], Decoding())[0]
    assert (len(pose.poses), pose.ids) == (1, [])
    assert (len(text.poses), len(text.ids)) == (0, 3)


def test_an_answer_without_a_pose_is_named_not_guessed(
    assistant: UniPose, monkeypatch: pytest.MonkeyPatch
):
    bias = opening(assistant.vocabulary, pose=False)
    plain = assistant.model.text_logits
    monkeypatch.setattr(assistant.model, "text_logits", lambda hidden: plain(hidden) + bias)
    with pytest.raises(PoseParseError, match="0 poses"):
        assistant.generate("kneel")


@pytest.mark.parametrize("text", ["", "  \n", "a" * 3000])
def test_a_request_that_says_nothing_or_too_much_is_refused(assistant: UniPose, text: str):
    with pytest.raises(PoseQueryError):
        assistant.generate(text)


def test_several_poses_are_not_described_as_one(assistant: UniPose):
    with pytest.raises(PoseQueryError, match="got 2"):
        assistant.describe(some_pose(2))


def test_an_edit_keeps_shape_and_place(poses_only: UniPose):
    pose = some_pose()
    placed = Pose(
        rotations=pose.rotations, betas=torch.ones(1, 10), translation=torch.ones(1, 3), body="smpl"
    )
    edited = poses_only.edit(placed, "raise the left hand")
    assert edited.body == "smpl"
    assert torch.equal(edited.translation, placed.translation)
    assert torch.equal(edited.rotations[:, 22:], placed.rotations[:, 22:])


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("raise the left arm", "Raise the left arm."),
        ("  Squat \n now!", "Squat now!"),
        ("éteint?", "Éteint?"),
        ("a person sits. both arms are up", "A person sits. both arms are up."),
    ],
)
def test_what_is_typed_is_asked_as_a_sentence(poses_only: UniPose, monkeypatch, typed, written):
    asked = []
    answer = poses_only._answers

    def noted(parts, *rest, **options):
        asked.append(parts[0])
        return answer(parts, *rest, **options)

    monkeypatch.setattr(poses_only, "_answers", noted)
    poses_only.edit(some_pose(), typed)
    poses_only.generate(typed)
    assert all(any(isinstance(p, str) and written in p for p in parts) for parts in asked)


def test_what_is_saved_answers_the_same(assistant: UniPose, tmp_path: Path):
    assistant.model.save_pretrained(tmp_path)
    assistant.vocabulary.text.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.bin"))
    loaded = UniPose.load(tmp_path)
    pose = some_pose()
    assert torch.equal(loaded.codes(pose), assistant.codes(pose))
    assert loaded.describe(pose) == assistant.describe(pose)


@pytest.mark.parametrize("damage", ["no model", "truncated", "other size", "no tokenizer"])
def test_a_broken_model_folder_is_named(assistant: UniPose, tmp_path: Path, damage: str):
    assistant.model.save_pretrained(tmp_path)
    assistant.vocabulary.text.save_pretrained(tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    if damage == "no model":
        config.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:2000])
    elif damage == "other size":
        config.write_text(config.read_text().replace('"geometry": 16', '"geometry": 24'))
    else:
        for file in tmp_path.glob("token*"):
            file.unlink()
    with pytest.raises((MissingFileError, WeightsError), match=tmp_path.name):
        UniPose.load(tmp_path)


@pytest.mark.parametrize("dtype", ["bfloat16", torch.float16])
def test_rotations_stay_in_float32_in_a_model_of_half_the_size(
    assistant: UniPose, tmp_path: Path, dtype: str | torch.dtype
):
    assistant.model.save_pretrained(tmp_path)
    assistant.vocabulary.text.save_pretrained(tmp_path)
    loaded = UniPose.load(tmp_path, dtype=dtype)
    half = {"bfloat16": torch.bfloat16, torch.float16: torch.float16}[dtype]
    types = {name: weight.dtype for name, weight in loaded.model.state_dict().items()}
    exact = {name for name in types if name.startswith(("codec.", "joints_at_rest"))}
    assert {types[name] for name in exact} == {torch.float32}
    assert {kind for name, kind in types.items() if name not in exact} == {half}
    pose = some_pose()
    assert torch.equal(loaded.codes(pose), assistant.codes(pose))
    written = loaded.pose(loaded.codes(pose)).rotations
    torch.testing.assert_close(written, assistant.pose(assistant.codes(pose)).rotations)
    decoding = Decoding(max_tokens=5)
    assert len(loaded.ask(["a", pose, pose], decoding).ids) <= 5


def test_a_device_or_number_type_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="the device 'warp' cannot be used here"):
        UniPose.load(device="warp")
    with pytest.raises(ConfigError, match="expected a dtype of float32, bfloat16, float16"):
        UniPose.load(dtype="int8")
