"""The plain model: nothing goes around the language model, in words and in poses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.fakes.tiny_model import EXPERT, TINY_CODEC, tiny_plain_assistant
from train.saved_model import save_model
from unipose.assistant import UniPose
from unipose.body.pose import Pose
from unipose.language.attention import seen_places
from unipose.language.decoding import Decoding, answer
from unipose.language.losses import batch_losses
from unipose.language.pose_expert import PoseExpert, level_grid
from unipose.language.rendering import collate, render_question, render_sample


def some_poses(count: int = 1, seed: int = 0) -> Pose:
    generator = torch.Generator().manual_seed(seed)
    return Pose.from_axis_angle(torch.randn(count, 22, 3, generator=generator) * 0.5)


@pytest.fixture(scope="module")
def slots() -> UniPose:
    return tiny_plain_assistant()


@pytest.fixture(scope="module")
def expert() -> UniPose:
    return tiny_plain_assistant(expert=True)


def open_poses(assistant: UniPose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer begin with a pose, and end behind it."""
    real = assistant.model.text_logits
    asked = [0]

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        asked[0] += 1
        result = real(hidden) * 0
        result[..., -1 if asked[0] % 2 else assistant.vocabulary.answer_end] = 1e6
        return result

    monkeypatch.setattr(assistant.model, "text_logits", logits)


def test_a_pose_is_read_by_what_its_codes_decode_to(slots: UniPose):
    model, v = slots.model, slots.vocabulary
    codes = slots.codes(some_poses(2))
    batch = collate([render_question(["Look: ", some], v) for some in codes], pad=v.pad)
    embeddings = model.embed(batch)
    table = model.llm.get_input_embeddings()(batch.ids)
    read = batch.kinds == 1
    assert torch.equal(embeddings[~read], table[~read])
    assert not torch.isclose(embeddings[read], table[read]).all(dim=-1).any()
    one, other = embeddings[read].detach().unflatten(0, (2, -1))
    assert float((one - other).abs().max()) > 0


def test_slots_are_the_tables_own_rows(slots: UniPose):
    model, v = slots.model, slots.vocabulary
    row = render_sample(["Kneel"], slots.codes(some_poses())[0], v)
    batch = collate([row], pad=v.pad)
    assert torch.equal(model.embed(batch), model.llm.get_input_embeddings()(batch.ids))


def test_without_the_language_models_states_every_request_gives_one_pose(
    expert: UniPose, monkeypatch: pytest.MonkeyPatch
):
    open_poses(expert, monkeypatch)
    texts = ["Kneel down.", "Raise both arms."]
    one, other = expert.generate_batch(texts).rotations
    assert not torch.equal(one, other)
    real = expert.model.run
    monkeypatch.setattr(expert.model, "run", lambda *a, **k: real(*a, **k) * 0)
    one, other = expert.generate_batch(texts).rotations
    assert torch.equal(one, other)


@pytest.mark.parametrize("guess", [True, False], ids=["in one pass", "step by step"])
def test_the_expert_writes_the_same_pose_alone_and_beside_others(
    expert: UniPose, guess: bool, monkeypatch: pytest.MonkeyPatch
):
    decoding = Decoding(guess=guess)
    found = []
    for texts in (["Kneel."], ["Kneel.", "Raise both of your arms up high, please."]):
        with monkeypatch.context() as patch:
            open_poses(expert, patch)
            answers, passes = answer(
                expert.model, expert.vocabulary, [[t] for t in texts], decoding
            )
        assert passes == 1
        assert [len(said.poses) for said in answers] == [1] * len(texts)  # which ends the answer
        found.append(answers[0].poses[0])
    assert found[0].tolist() == found[1].tolist()


def test_the_expert_draws_poses_in_one_pass_each_by_its_own_chance(expert: UniPose):
    decoding = Decoding(guess=True, checked=False, temperature=0.7)
    questions = [["Kneel."], ["Kneel."], ["Raise both arms."]]

    def drawn(*seeds: int) -> list[list[int]]:
        chances = [torch.Generator().manual_seed(seed) for seed in seeds]
        answers, passes = answer(
            expert.model, expert.vocabulary, questions[: len(seeds)], decoding, generator=chances
        )
        assert passes == 1
        return [said.poses[0].tolist() for said in answers]

    first, second, _ = drawn(0, 1, 2)
    assert first != second
    assert drawn(0) == [first]


def test_the_expert_sees_no_filled_places(expert: UniPose):
    model = expert.model
    assert model.expert is not None
    states = torch.randn(1, 5, model.llm.config.hidden_size)
    seen = torch.ones(1, 5, dtype=torch.bool)
    alone = model.expert(states, seen)
    longer = functional.pad(states, (0, 0, 0, 3), value=7.0)
    padded = model.expert(longer, functional.pad(seen, (0, 3)))
    torch.testing.assert_close(alone, padded)


def test_the_expert_knows_the_pose_that_a_row_read_and_of_others_nothing(expert: UniPose):
    model = expert.model
    assert model.expert is not None
    states = torch.randn(1, 5, model.llm.config.hidden_size).expand(3, -1, -1)
    seen = torch.ones(3, 5, dtype=torch.bool)
    one, other = torch.randint(2048, (2, model.length))
    none = torch.full_like(one, -1)
    written = model.expert(states, seen, torch.stack([one, other, none]))
    assert not torch.allclose(written[0], written[1], atol=1e-3)
    torch.testing.assert_close(written[2:], model.expert(states[2:], seen[2:]))


def test_what_is_edited_is_written_from_the_pose_that_was_read(
    expert: UniPose, monkeypatch: pytest.MonkeyPatch
):
    model = expert.model
    given: list[list[int]] = []
    assert model.expert is not None
    forward = model.expert.forward

    def watched(
        states: torch.Tensor, seen: torch.Tensor, source: torch.Tensor | None = None
    ) -> torch.Tensor:
        given.extend([] if source is None else source.tolist())
        return forward(states, seen, source)

    monkeypatch.setattr(model.expert, "forward", watched)
    codes = expert.codes(some_poses())[0]
    for guess in (True, False):
        with monkeypatch.context() as patch:
            open_poses(expert, patch)
            answer(model, expert.vocabulary, [["Raise an arm.", codes]], Decoding(guess=guess))
    assert given == [codes.tolist()] * 2


def test_levels_score_codes_as_their_sum_and_mix_as_the_quantiser_does(expert: UniPose):
    codec, writer = expert.model.codec, expert.model.expert
    assert writer is not None
    scores = torch.randn(3, codec.config.length, 28)
    logits = scores @ writer.grid
    codes = torch.randint(2048, (3, codec.config.length))
    torch.testing.assert_close(
        writer.cross_entropy(scores, codes),
        functional.cross_entropy(logits.flatten(0, 1), codes.flatten()),
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip
    torch.testing.assert_close(
        writer.mixed_latents(scores, codec.quantiser.codebooks),
        codec.quantiser.mixed_latents(logits.softmax(-1)),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_the_grid_of_levels_says_what_a_code_is_made_of():
    grid = level_grid(TINY_CODEC)
    assert grid.shape == (28, 2048)
    assert grid.sum(dim=0).unique().tolist() == [4.0]  # a level in each dimension
    assert len(grid.T.unique(dim=0)) == 2048


def test_text_and_slots_are_learned_over_the_whole_vocabulary(slots: UniPose):
    model, v = slots.model, slots.vocabulary
    codes = slots.codes(some_poses())[0]
    batch = collate([render_sample(["Kneel"], codes, v)], pad=v.pad)
    losses = batch_losses(model, batch)
    seen, positions = seen_places(batch, read_both_ways=False)
    hidden, _ = model.hidden_states(batch, seen, positions)
    logits = model.own_logits(hidden, slice(None))
    assert logits.shape[-1] == len(v)
    written = batch.kinds == 2
    expected = functional.cross_entropy(logits[written], batch.targets[written])
    torch.testing.assert_close(losses.codes, expected)


def test_a_plain_model_with_an_expert_is_saved_and_loaded_whole(expert: UniPose, tmp_path: Path):
    save_model(expert.model, expert.vocabulary, tmp_path)
    loaded = UniPose.load(tmp_path, eyes="own")
    assert isinstance(loaded.model.expert, PoseExpert)
    assert loaded.model.config.expert == EXPERT.to_dict()
    states = torch.randn(1, 3, expert.model.llm.config.hidden_size)
    seen = torch.ones(1, 3, dtype=torch.bool)
    assert expert.model.expert is not None
    torch.testing.assert_close(loaded.model.expert(states, seen), expert.model.expert(states, seen))
