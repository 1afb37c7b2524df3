"""Pictures as parts of a question: where they lie, what they show, and what they do not cost.

One file: all tests ask the one model with tiny eyes, which takes longer to make than to ask.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.tiny_eyes import GUESSING_EYES, TINY_EYES, seeing_assistant, some_pixels, tiny_clip
from tests.fakes.tiny_model import tiny_assistant
from unipose.assistant import UniPose
from unipose.body.pose import Pose
from unipose.errors import BlindModelError, ConfigError, PoseQueryError
from unipose.language.attention import mixed_attention
from unipose.language.concept_losses import losses_of
from unipose.language.decoding import Decoding, answer
from unipose.language.eyes import NEARER, Eyes, EyesConfig, around_box, nearer
from unipose.language.losses import Losses
from unipose.language.pictures import Picture, Pictures
from unipose.language.rendering import (
    PATCH,
    READ_POSE,
    TEXT,
    Batch,
    Row,
    collate,
    render_question,
    render_sample,
)
from unipose.vision.clip import ClipConfig


@pytest.fixture(scope="module")
def assistant() -> UniPose:
    return seeing_assistant()


def picture(assistant: UniPose, seed: int = 0) -> Picture:
    return assistant.model.eyes.prepare(some_pixels(seed))


def codes(assistant: UniPose, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return assistant.codes(Pose.from_axis_angle(torch.randn(1, 22, 3, generator=generator) * 0.5))[
        0
    ]


def row_losses(assistant: UniPose, rows: list[Row]) -> Losses:
    return losses_of(assistant.model, collate(rows, pad=assistant.vocabulary.pad))


def rows_of_all_kinds(assistant: UniPose) -> list[Row]:
    v, look = assistant.vocabulary, picture(assistant)
    return [
        render_sample(["Describe ", codes(assistant), "."], "Knees bent", v),
        render_sample(["Describe ", look, "."], "Arms raised", v),
        render_sample(["Compare ", look, " and ", picture(assistant, 1), "."], "Lower them", v),
        render_sample(["The pose in ", look, "?"], codes(assistant, 1), v),
        render_sample(["Kneel"], codes(assistant, 2), v),
    ]


def test_a_picture_lies_between_its_markers_and_only_the_answer_is_learned(assistant: UniPose):
    v = assistant.vocabulary
    row = render_sample(["Describe ", picture(assistant), "."], "Knees bent", v)
    start = row.ids.index(v.picture_start)
    assert row.kinds[start : start + v.patches + 2] == [TEXT, *[PATCH] * v.patches, TEXT]
    assert row.ids[start + v.patches + 1] == v.picture_end
    assert row.kinds.count(PATCH) == v.patches == 4
    assert len(row.pictures) == 1
    end = row.ids.index(v.turn[-1])
    assert all(target < 0 for target in row.targets[:end])


def test_the_markers_are_the_published_ones_between_pose_end_and_queries(assistant: UniPose):
    v = assistant.vocabulary
    assert (v.pose_end + 1, v.pose_end + 2) == (v.picture_start, v.picture_end)
    assert v.picture_end + 1 == v.first_query


@pytest.mark.parametrize("typed", ["<im_start>", "<im_end>", "<|pad|>", "<image>"])
def test_what_a_user_types_never_opens_a_picture(assistant: UniPose, typed: str):
    row = render_question([f"Look at {typed} please"], assistant.vocabulary)
    assert PATCH not in row.kinds
    assert not {assistant.vocabulary.picture_start, assistant.vocabulary.picture_end} & set(row.ids)


def test_patches_are_causal_even_where_read_poses_are_not():
    kinds, spans = torch.tensor([[TEXT, PATCH, PATCH, TEXT]]), torch.tensor([[0, 1, 1, 0]])
    seen = mixed_attention(
        kinds=kinds, spans=spans, real=torch.ones(1, 4).bool(), new=4, read_both_ways=True
    )
    assert seen[0, 0].int().tolist() == torch.ones(4, 4).int().tril().tolist()


def test_the_eyes_open_once_and_only_for_the_pictures_that_are_there(
    assistant: UniPose, monkeypatch: pytest.MonkeyPatch
):
    calls: dict[str, list[int]] = {"encoder": [], "projector": []}
    eyes = assistant.model.eyes
    for name, part in (("encoder", eyes.pose), ("projector", eyes.projector)):
        real = part.forward

        def counted(*inputs, _real=real, _name=name):
            calls[_name].append(len(inputs[-1]))
            return _real(*inputs)

        monkeypatch.setattr(part, "forward", counted)
    rows = rows_of_all_kinds(assistant)
    row_losses(assistant, [rows[0], rows[4]])
    assert calls == {"encoder": [], "projector": []}
    row_losses(assistant, rows)
    assert calls == {"encoder": [4], "projector": [4]}
    answer(assistant.model, assistant.vocabulary, [["Hi ", picture(assistant)], ["Hi"]], Decoding())
    assert calls == {"encoder": [4, 1], "projector": [4, 1]}


def test_rows_with_and_without_pictures_teach_side_by_side_what_they_teach_alone(
    assistant: UniPose,
):
    model, v = assistant.model.eval(), assistant.vocabulary
    rows = rows_of_all_kinds(assistant)
    together = losses_of(model, collate(rows, pad=v.pad))
    alone = [losses_of(model, collate([row], pad=v.pad)) for row in rows]
    slots = torch.stack([alone[3].codes, alone[4].codes]).mean()
    torch.testing.assert_close(together.codes, slots)
    words = [sum(t >= 0 for t in row.targets) for row in rows]
    words[3] = words[4] = 2  # the pose's start, and the end of the answer
    weighted = sum(w * a.text for w, a in zip(words, alone, strict=True)) / sum(words)
    torch.testing.assert_close(together.text, weighted)


def test_another_picture_gives_another_answer_and_gradients_reach_the_projector_alone(
    assistant: UniPose,
):
    model, v = assistant.model, assistant.vocabulary
    one, other = (
        row_losses(assistant, [render_sample(["What? ", picture(assistant, i)], "Knees", v)])
        for i in (0, 1)
    )
    assert one.text != other.text
    model.zero_grad()
    one.text.backward()
    assert all(float(p.grad.abs().max()) > 0 for p in model.eyes.projector.parameters())
    assert all(p.grad is None and not p.requires_grad for p in model.eyes.pose.parameters())


def test_what_the_eyes_saw_once_can_stand_for_the_pixels(assistant: UniPose):
    model, v = assistant.model, assistant.vocabulary
    look = picture(assistant)
    seen = model.eyes.encode_images(Pictures.stacked([look])).apart()[0]
    assert seen.seen
    one, other = (
        losses_of(model, collate([render_sample(["What? ", some], "Knees", v)], pad=v.pad))
        for some in (look, seen)
    )
    assert torch.equal(one.text, other.text)
    with pytest.raises(ConfigError, match="all be pixels or all be features"):
        Pictures.stacked([look, seen])


def test_what_guessing_eyes_see_is_read_as_a_pose_behind_the_patches(tmp_path: Path):
    guessing = seeing_assistant(GUESSING_EYES)
    model, v = guessing.model, guessing.vocabulary
    look = model.look(some_pixels())
    row = render_sample(["Describe ", look, "."], "Knees bent", v)
    end = row.ids.index(v.picture_end)
    assert row.kinds[end : end + v.length + 3] == [TEXT, TEXT, *[READ_POSE] * v.length, TEXT]
    assert row.source == look.guess.tolist()
    assert all(target < 0 for target in row.targets[: row.ids.index(v.turn[-1])])
    # it is told apart from a pose that was given: its claims go through the guess gate
    rows = [row, render_sample(["Describe ", look.guess, "."], "Knees bent", v)]
    batch = collate(rows, pad=v.pad)
    known = model.read_question(batch)
    hidden = known.embeddings
    before = model.question_claim_logits(hidden, batch, known)
    torch.testing.assert_close(before[0], known.facts[0])
    with torch.no_grad():
        model.doubt.trust.fill_(0.25)
    after = model.question_claim_logits(hidden, batch, known)
    torch.testing.assert_close(after[0], known.facts[0] * 0.25)
    assert torch.equal(after[1], before[1])
    guessing.model.save_pretrained(tmp_path)
    v.text.save_pretrained(tmp_path)
    again = UniPose.load(tmp_path, eyes="own")
    assert again.model.look(some_pixels()).guess.tolist() == look.guess.tolist()
    assert again.describe(some_pixels().numpy()) == guessing.describe(some_pixels().numpy())


def test_the_encoders_never_train(assistant: UniPose):
    assistant.model.train()
    assert not assistant.model.eyes.pose.training
    assert assistant.model.eyes.projector.training
    assistant.model.eval()


def test_a_batch_that_does_not_fit_its_pictures_is_named(assistant: UniPose):
    model, v = assistant.model, assistant.vocabulary
    row = render_sample(["What? ", picture(assistant)], "Knees", replace(v, patches=3))
    with pytest.raises(ConfigError, match="4 places, the batch has 3"):
        losses_of(model, collate([row], pad=v.pad))
    batch = collate([render_sample(["What? ", picture(assistant)], "Knees", v)], pad=v.pad)
    with pytest.raises(ConfigError, match="0 pictures"):
        losses_of(model, Batch(**(vars(batch) | {"pictures": None})))


def test_a_third_picture_is_refused(assistant: UniPose):
    with pytest.raises(PoseQueryError, match="at most 2 pictures"):
        render_question([picture(assistant)] * 3, assistant.vocabulary)


def test_a_model_without_eyes_says_that_it_cannot_see(assistant: UniPose):
    blind = tiny_assistant()
    with pytest.raises(BlindModelError, match="this model cannot see"):
        render_question([picture(assistant)], blind.vocabulary)
    row = render_question([picture(assistant)], assistant.vocabulary)
    with pytest.raises(BlindModelError):
        row_losses(blind, [row])


def test_questions_with_pictures_are_answered_alike_alone_and_in_a_batch(assistant: UniPose):
    v = assistant.vocabulary
    questions = [
        ["Describe ", picture(assistant), "."],
        ["A pose, please"],
        [picture(assistant, 1), picture(assistant, 2), "What changes?"],
    ]
    together, _ = answer(assistant.model, v, questions, Decoding(max_tokens=6))
    alone = [answer(assistant.model, v, [q], Decoding(max_tokens=6))[0][0] for q in questions]
    assert [a.ids for a in together] == [a.ids for a in alone]


def test_a_model_with_both_eyes_is_saved_and_loaded_whole(tmp_path: Path):
    eyes = EyesConfig(pose=TINY_EYES.pose, clip=tiny_clip(tmp_path))
    seeing = seeing_assistant(eyes)
    assert seeing.model.patches == 16
    seeing.model.save_pretrained(tmp_path / "model")
    seeing.vocabulary.text.save_pretrained(tmp_path / "model")
    loaded = UniPose.load(tmp_path / "model")
    assert EyesConfig.from_dict(loaded.model.config.eyes) == eyes
    assert (loaded.vocabulary.patches, loaded.vocabulary.pictures) == (16, 2)
    look = seeing.model.eyes.prepare(some_pixels())
    one, other = (
        row_losses(a, [render_sample([look], "Knees", a.vocabulary)]) for a in (seeing, loaded)
    )
    assert torch.equal(one.text, other.text)


def test_the_small_clip_is_named_without_a_place_on_somebodys_disk():
    values = EyesConfig(pose=TINY_EYES.pose, clip=ClipConfig(model="clip_mini.json")).to_dict()
    assert values["clip"]["model"] == "clip_mini.json"
    assert EyesConfig.from_dict(values).clip == ClipConfig(model="clip_mini.json")


def test_eyes_add_nothing_to_a_model_that_is_not_asked_to_see():
    blind, seeing = tiny_assistant(), seeing_assistant()
    assert blind.model.config.eyes is None
    own = blind.model.state_dict()
    assert {n for n in seeing.model.state_dict() if not n.startswith("eyes.")} == set(own)
    rows = [render_sample(["Kneel"], codes(blind), blind.vocabulary)]
    one, other = (row_losses(a, rows) for a in (blind, seeing))
    assert torch.equal(one.codes, other.codes)
    assert torch.equal(one.text, other.text)


def test_claims_are_learned_from_the_rows_that_bring_them():
    seeing = seeing_assistant()
    model, v = seeing.model, seeing.vocabulary
    assert model.last_look is not None, "the tiny model learns claims"
    row = render_sample(["What? ", picture(seeing)], "Knees", v)
    row.told = torch.arange(model.config.claims) % 2 == 0
    plain = render_sample(["What? ", picture(seeing, 1)], "Knees", v)
    batch = collate([row, plain], pad=v.pad)
    assert batch.telling.tolist() == [True, False]
    torch.testing.assert_close(
        losses_of(model, batch).told,
        row_losses(seeing, [row]).told,
        rtol=1e-4,
        atol=1e-5,
    )


def test_words_get_true_claims_in_training_and_pictures_never_do(monkeypatch: pytest.MonkeyPatch):
    seeing = seeing_assistant()
    model, v = seeing.model.train(), seeing.vocabulary
    monkeypatch.setattr("unipose.language.concepts.TEACHER_FORCING_RATE", 1.0)
    claims_of_parts: list[torch.Tensor] = []
    real = model.plan

    def plan(claims: torch.Tensor, start: torch.Tensor | None) -> torch.Tensor:
        claims_of_parts.append(claims)
        return real(claims, start)

    monkeypatch.setattr(model, "plan", plan)
    truth = torch.arange(model.config.claims) % 2 == 0
    for parts in (["Kneel"], ["What? ", picture(seeing)]):
        row = render_sample(parts, codes(seeing), v)
        row.told = truth
        losses_of(model, collate([row], pad=v.pad))
    words, pictures = claims_of_parts
    assert torch.equal(words[0] == 1, truth)
    assert not bool((pictures == 1).any())


def test_a_guess_that_the_gate_keeps_is_written_down_and_another_is_changed():
    seeing = seeing_assistant(GUESSING_EYES)
    model, v = seeing.model.eval(), seeing.vocabulary
    look = model.look(some_pixels())
    row = render_sample(["Estimate ", look], look.guess, v)
    batch = collate([row], pad=v.pad)
    with torch.no_grad():
        losses = {}
        for name, logit in (("kept", 50.0), ("left", -50.0)):
            model.doubt.stay.bias.fill_(logit)
            losses[name] = losses_of(model, batch)
        assert float(losses["kept"].geometry) < 1e-6 < float(losses["left"].geometry)
        assert losses["kept"].codes == losses["left"].codes  # what is likely is learned apart
        blind = render_sample(["Change ", look.guess, " a little"], look.guess, v)
        before = losses_of(model, collate([blind], pad=v.pad)).geometry
        model.doubt.stay.bias.fill_(50.0)
        assert losses_of(model, collate([blind], pad=v.pad)).geometry == before


@pytest.mark.parametrize("guess", [True, False], ids=["in one pass", "step by step"])
def test_an_estimate_keeps_the_guess(guess: bool, monkeypatch: pytest.MonkeyPatch):
    seeing = seeing_assistant(GUESSING_EYES)
    model, v = seeing.model, seeing.vocabulary
    look = model.look(some_pixels())
    with torch.no_grad():
        model.doubt.stay.bias.fill_(50.0)
    real = model.text_logits

    def only_poses(hidden: torch.Tensor) -> torch.Tensor:
        logits = real(hidden)
        logits[..., v.answer_end] += 50.0 * (said[0] > 0)
        logits[..., v.first_code] += 50.0 * (said[0] == 0)
        said[0] += 1
        return logits

    said = [0]
    monkeypatch.setattr(model, "text_logits", only_poses)
    ((one,), _) = answer(model, v, [["Estimate ", look]], Decoding(guess=guess))
    assert [pose.tolist() for pose in one.poses] == [look.guess.tolist()]


def test_a_guess_is_the_mean_of_near_and_mirrored_glances():
    eyes = seeing_assistant(GUESSING_EYES).model.eyes
    assert eyes.head is not None
    crops = eyes.prepare(some_pixels()).pose[None]
    features = eyes.pose(crops)
    guess = eyes.guess(features, crops)
    mirrored = eyes.guess(eyes.pose(crops.flip(3)), crops.flip(3)).mirrored()
    for name in ("rotations", "betas", "camera"):
        torch.testing.assert_close(getattr(guess, name), getattr(mirrored, name), rtol=0, atol=1e-4)
    plain = eyes.head(features)
    assert float((guess.rotations - plain.rotations).abs().max()) > 1e-4
    middle = nearer(crops)
    looks = [(crops, 1.0), (middle, NEARER), (crops.flip(3), 1.0), (middle.flip(3), NEARER)]
    scales = [eyes.head(eyes.pose(some)).camera[:, 0] * share for some, share in looks]
    torch.testing.assert_close(guess.camera[:, 0], torch.stack(scales).mean(0))


def test_the_square_around_a_person_is_cut_out_and_black_beyond_the_picture():
    pixels = torch.full((40, 60, 3), 200, dtype=torch.uint8)
    inside = around_box(pixels, (25.0, 15.0, 35.0, 25.0))
    assert inside.shape[0] == inside.shape[1]
    assert (inside == 200).all()
    beyond = around_box(pixels, (0.0, 0.0, 10.0, 40.0))
    assert (beyond[:, 0] == 0).all()


def test_the_published_eyes_have_the_published_size():
    with torch.device("meta"):
        eyes = Eyes(EyesConfig(), width=4096)
    assert eyes.patches == 24 * 24
    projector = sum(p.numel() for p in eyes.projector.parameters())
    assert projector == (1024 + 1280 + 1) * 4096 + (4096 + 1) * 4096  # 26.2 M
    assert not any(p.requires_grad for encoder in eyes.encoders for p in encoder.parameters())


def test_a_model_learns_which_picture_it_is_shown():
    seeing = seeing_assistant(seed=1)
    model, v = seeing.model.train(), seeing.vocabulary
    model.codec.eval()
    looks = [picture(seeing, i) for i in (0, 1)]
    poses = [codes(seeing, i) for i in (0, 1)]

    def lesson(order: tuple[int, int]) -> Batch:
        rows = [render_sample(["Pose? ", looks[i]], poses[k], v) for k, i in enumerate(order)]
        return collate(rows, pad=v.pad)

    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=3e-3)
    for _ in range(60):
        loss = losses_of(model, lesson((0, 1))).codes
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        right, swapped = (
            float(losses_of(model, lesson(order)).codes) for order in ((0, 1), (1, 0))
        )
    assert right < 1.0
    assert swapped > 2 * right
