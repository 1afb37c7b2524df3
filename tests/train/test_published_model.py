"""`--preset paper` is the published model: its conversation, its answers, its loss, its numbers."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.fakes.base_models import sentencepiece_like
from tests.fakes.tiny_model import TINY, TINY_CODEC
from tokenizer.codec import PoseTokenizer
from train import align, instruct, visual
from train.align import build_model
from train.settings import set_rate
from train.stages import set_modes
from train.training_loop import by_length, leave_casting_to_autocast, train_step
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import MissingFileError
from unipose.language.attention import seen_places
from unipose.language.base_model import base_folder
from unipose.language.decoding import Decoding, answer
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import IGNORE_INDEX, render_sample
from unipose.language.templates import FIXED, PHRASINGS, Task, ask
from unipose.language.vocabulary import Vocabulary, train_text_tokenizer

PAPER = align.PRESETS["paper"]
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""As LLaVA's `mistral_instruct` writes a turn."""


@pytest.fixture
def plain() -> tuple[PoseLanguageModel, Vocabulary]:
    """The paper's model with a few thousand weights."""
    torch.manual_seed(0)
    text = train_text_tokenizer([some for kinds in PHRASINGS.values() for some in kinds], size=400)
    config = replace(PAPER, llm="", small=TINY.small)
    return build_model(config, PoseTokenizer(TINY_CODEC).eval(), load_body().rest_joints, text)


def some_codes(vocabulary: Vocabulary, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(vocabulary.codes, (count, vocabulary.length), generator=generator)


def test_a_turn_is_mistral_s_and_begins_with_bos():
    text = sentencepiece_like()
    text.chat_template = MISTRAL
    v = Vocabulary(text=text, codes=2048, length=80)
    whole = "<s>[INST] kneel down [/INST] the knees bend</s>"
    parts = [*v.opening, *v.encode("kneel down"), *v.turn, *v.encode("the knees bend")]
    assert [*parts, v.answer_end] == text.encode(whole, add_special_tokens=False)
    assert v.opening[0] == text.bos_token_id
    assert v.answer_end == text.eos_token_id


def test_an_answer_is_a_pose_and_a_full_stop(plain: tuple[PoseLanguageModel, Vocabulary]):
    _, v = plain
    (codes,) = some_codes(v, 1)
    row = render_sample(["Kneel"], codes, v)
    stop = v.encode(".")
    queries = list(range(v.first_query, v.first_query + v.length))
    ids = [v.turn[-1], v.pose_start, *queries, v.pose_end, *stop, v.answer_end]
    learned = (codes + v.first_code).tolist()
    assert row.ids[-len(ids) :] == ids
    assert row.targets[-len(ids) :] == [
        v.pose_start, IGNORE_INDEX, *learned, *stop, v.answer_end, IGNORE_INDEX
    ]  # fmt: skip


@torch.no_grad()
def test_the_loss_is_one_mean_over_all_tokens_that_are_learned(
    plain: tuple[PoseLanguageModel, Vocabulary],
):
    model, v = plain
    model.eval()
    first, second, third = some_codes(v, 3)
    rows = [
        render_sample(["Describe ", first], "The left knee is bent.", v),
        render_sample(["Kneel"], second, v),
        render_sample(["Raise a hand ", first], third, v),
    ]
    (whole,) = by_length(rows, 1, pad=v.pad)
    seen, positions = seen_places(whole, read_both_ways=False)
    hidden, _ = model.hidden_states(whole, seen, positions)
    logits = model.llm.get_output_embeddings()(hidden)
    expected = functional.cross_entropy(logits.flatten(0, 1), whole.targets.flatten())
    for pieces in (1, 3):
        loss, _ = train_step(model, by_length(rows, pieces, pad=v.pad), None, PAPER)
        torch.testing.assert_close(loss, expected)


def test_codes_are_the_likeliest_of_each_slot_unless_asked_otherwise(
    plain: tuple[PoseLanguageModel, Vocabulary], monkeypatch: pytest.MonkeyPatch
):
    model, v = plain
    (codes,) = some_codes(v, 1)
    logits = 5.0 * functional.one_hot(codes, v.codes)[None].float()
    logits += torch.randn(logits.shape, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(model, "slot_logits", lambda *_: logits)
    chosen = iter([v.first_code, *v.encode("."), v.answer_end] * 2)

    def said(hidden: torch.Tensor) -> torch.Tensor:
        return functional.one_hot(torch.tensor([next(chosen)]), v.first_code + 1).float()

    monkeypatch.setattr(model, "text_logits", said)
    likeliest, soft = (
        answer(model, v, [["kneel"]], decoding)[0][0]
        for decoding in (Decoding(), Decoding(mix=True))
    )
    assert likeliest.poses[0].tolist() == logits[0].argmax(dim=-1).tolist()
    assert soft.poses[0].tolist() == model.codec.mixed_codes(logits.softmax(dim=-1))[0].tolist()
    assert not torch.equal(likeliest.poses[0], soft.poses[0])
    assert v.decode(likeliest.ids) == "."


def test_a_pose_with_its_full_stop_is_guessed_in_one_pass(
    plain: tuple[PoseLanguageModel, Vocabulary], monkeypatch: pytest.MonkeyPatch
):
    model, v = plain
    behind = [*v.encode("."), v.answer_end]
    chosen = iter([[v.first_code], behind, [v.first_code], *([one] for one in behind)])

    def said(hidden: torch.Tensor) -> torch.Tensor:
        return functional.one_hot(torch.tensor(next(chosen)), v.first_code + 1).float()

    monkeypatch.setattr(model, "text_logits", said)
    (guessed,), passes = answer(model, v, [["kneel"]], Decoding(guess=True))
    (written,), more = answer(model, v, [["kneel"]], Decoding())
    assert (passes, more) == (1, 1 + len(behind))
    assert guessed.poses[0].tolist() == written.poses[0].tolist()
    assert guessed.ids == written.ids == behind[:-1]


def test_the_presets_train_by_the_published_numbers():
    stages = [PAPER, visual.PRESETS["paper"], instruct.PRESETS["paper"]]
    assert [4 * stage.batch for stage in stages] == [96, 32, 32]
    assert [stage.peak_rate for stage in stages] == [1.5e-4, 5e-5, 5e-5]
    assert [stage.warmup for stage in stages] == [614, 375, 146]  # 3 % of the steps, rounded up
    for stage in stages:
        assert (stage.betas, stage.weight_decay, stage.clip) == ((0.9, 0.999), 0.0, 1.0)
        assert (stage.text_weight, stage.code_weight, stage.geometry_weight) == (1.0, 1.0, 0.0)
    assert (PAPER.lora_rank, PAPER.lora_alpha, PAPER.lora_dropout) == (64, 16, 0.05)
    assert not PAPER.read_both_ways
    assert visual.PRESETS["paper"].eyes.config.most == 2
    shares = [weight for _, weight in PAPER.talk.shares]
    assert 327_000 * shares[0] / sum(shares) == pytest.approx(70_000, rel=0.01)


CAPTIONS = (
    "standing.", "sitting.", "kneeling.", "squatting.", "lying down.", "jumping.", "waving.",
    "bowing.", "climbing.", "throwing.",
)  # fmt: skip
HEART = replace(PAPER, system="Poses.", attention="eager", steps=140, warmup=5, peak_rate=1.5e-3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
def test_the_published_model_learns_ten_poses_by_heart():
    try:
        config = replace(HEART, llm=str(base_folder()))
    except MissingFileError as error:
        pytest.skip(str(error))
    codec = UniPose.load(eyes="own").model.codec
    torch.manual_seed(0)
    model, v = build_model(config, codec, load_body().rest_joints, None)
    leave_casting_to_autocast(model.llm)
    generator = torch.Generator().manual_seed(0)
    angles = 0.4 * torch.randn(len(CAPTIONS), 22, 3, generator=generator)
    codes = UniPose(model, v).codes(Pose.from_axis_angle(angles))
    told = [ask(FIXED[Task.GENERATE], text=caption) for caption in CAPTIONS]
    shown = [ask(FIXED[Task.DESCRIBE], pose=some) for some in codes]
    rows = [render_sample(parts, some, v) for parts, some in zip(told, codes, strict=True)]
    texts = [render_sample(parts, some, v) for parts, some in zip(shown, CAPTIONS, strict=True)]

    def knows_all() -> bool:
        with torch.autocast("cpu", torch.bfloat16):
            written, _ = answer(model.eval(), v, told, Decoding(max_tokens=6))
            described, _ = answer(model, v, shown, Decoding(max_tokens=6))
        if not all(len(said.poses) == 1 and v.decode(said.ids) == "." for said in written):
            return False
        made = torch.stack([said.poses[0] for said in written])
        same = (made[:, None] == codes).float().mean(dim=2)  # written pose, true pose
        return (
            same.argmax(dim=1).tolist() == list(range(len(CAPTIONS)))
            and float(same.diagonal().min()) > 0.8
            and [v.decode(said.ids) for said in described] == list(CAPTIONS)
        )

    assert not knows_all()
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, betas=config.betas, weight_decay=0.0, fused=True)
    chance, order, loss = random.Random(0), [], torch.tensor(torch.nan)
    for step in range(config.steps):
        if not order:
            order = list(range(len(CAPTIONS)))
            chance.shuffle(order)
        drawn, order = order[:2], order[2:]
        batch = [rows[i] for i in drawn] + [texts[(i + 5) % len(texts)] for i in drawn]
        set_modes(model)
        set_rate(optimizer, config.rate(step))
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = train_step(model, by_length(batch, 1, pad=v.pad), None, config)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, config.clip)
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 19 and knows_all():
            return
    pytest.fail(f"{config.steps} steps did not teach ten poses; the last loss is {float(loss):.2f}")
