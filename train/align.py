"""Teach a language model to speak poses: `accelerate launch -m train.align --preset mini`.

UniPose's first stage (pose-text alignment) on all four tasks of this size: describe, generate,
compare, edit. `--preset mini` trains a small model from nothing; `--preset paper` takes any
Hugging Face causal language model (`--llm PATH_OR_NAME`), adds LoRA to its linear layers, and
trains these, the embeddings and the output layer, as published.

One file: a stage's settings, its presets and how they become a model are read together.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    BitsAndBytesConfig,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from data_builders.conversations.pose_bank import bank_of_films, bank_of_poses
from data_builders.conversations.script import ScriptWriter
from data_builders.conversations.typing_style import SLIPS
from data_builders.pose_lessons import LessonsConfig, PoseLessons
from data_builders.pose_pool import AS_RECORDED, PosePool
from data_builders.pose_talk import Encode, TalkConfig, replace_limbs
from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers
from data_builders.training_sources import TrainingPoses, parse_sources
from tokenizer.codec import PoseTokenizer
from tokenizer.rotations import rotations_to_6d
from train.converse import load_adapters
from train.held_out import HeldOut, read_poses
from train.program import generator_of, run_program
from train.projector_warm_up import PoseForm, warm_up_projector
from train.run_folder import RunFolder
from train.stages import choose_what_learns, learn_in_float32
from train.training_loop import TrainingLoopConfig, run_loop, start
from unipose.body.body import load_body
from unipose.body.facing import front_facing_joints
from unipose.errors import ConfigError, WeightsError
from unipose.language.base_checkpoint import (
    add_rows,
    load_base,
    read_text_config,
    stored_dtype,
)
from unipose.language.base_forward import layer_dtype
from unipose.language.base_model import base_folder
from unipose.language.call_loop import SYSTEM
from unipose.language.claim_teacher import ClaimTeacher
from unipose.language.concepts import ConceptPoseModel
from unipose.language.config import ConceptConfig, PoseLanguageConfig
from unipose.language.model import PoseLanguageModel
from unipose.language.over_base import POSE_CODES
from unipose.language.rendering import Practice, Row
from unipose.language.templates import PHRASINGS, Task, Wording
from unipose.language.vocabulary import Vocabulary, train_text_tokenizer
from unipose.posecodes.claims import claims
from unipose.posecodes.named_poses import NamedPoses

SMOL = "smol"
"""Stands for the base that `make setup` brings."""
PUBLISHED_TALK = TalkConfig(
    shares=(
        (Task.DESCRIBE, 70.0), (Task.GENERATE, 70.0), (Task.COMPARE, 93.0), (Task.EDIT, 93.0),
    ),
    pool=AS_RECORDED,
    plain_typing=0.0,
    few_words=0.0,
    brief=0.0,
    wording=Wording.FIXED,
)  # fmt: skip
"""Of the published first stage: 70k poses and 93k pairs, both ways, always in the same words."""
CHECKED_TEXT = "The left knee is bent at a right angle, and both hands are above the head."
"""By which a base is asked whether its logits are computed here as it computes them."""


@dataclass(frozen=True, kw_only=True)
class SmallLlama:
    """Sizes of a Llama-type model that is trained from nothing."""

    hidden: int = 192
    layers: int = 4
    heads: int = 4
    feed_forward: int = 512
    text_tokens: int = 1024
    """Size of its own byte-level BPE vocabulary."""


@dataclass(frozen=True, kw_only=True)
class AlignConfig(TrainingLoopConfig):
    """One alignment run."""

    codec: Path = Path("runs/pose_codes/codec")
    """Folder of the trained pose tokenizer; "" takes an untrained one (debug)."""
    llm: str = ""
    """A Hugging Face causal language model, by path or name; empty trains `small` from nothing."""
    small: SmallLlama = field(default_factory=SmallLlama)
    bits: Literal[4, 8, 16] = 16
    """Of the frozen weights of `llm`; 4 (NF4) and 8 need bitsandbytes."""
    dtype: Literal["stored", "float32", "bfloat16", "float16"] = "stored"
    """Number type of the frozen weights of `llm` (with 4 or 8 bits: of what is not quantised).
    "stored" takes bfloat16 for float16, through which small gradients vanish. What learns is in
    float32."""
    lora_rank: int = 64
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    concepts: bool = True
    """Train unipose-mini's model with its table of claims; else the plain one."""
    geometry: int = 512
    """Of the table's model: width of the perceptron that reads the joints of a pose; 0: codes."""
    digits: bool = True
    """Of the table's model: codes are read and written by their levels."""
    pose_projector: int = 0
    """Width of the perceptron that shows a read pose to the plain model; 0 shows codes alone."""
    pose_places: int = 0
    """Places of a row in which it is shown; 0: those of `train.projector_warm_up.PoseForm`."""
    pose_told: int = 0
    """How many of these the pose fills in; the others are the same for every pose."""
    pose_words: int = 0
    """Words of which it does so."""
    system: str = ""
    """What a conversation begins with in the base's chat template."""
    read_both_ways: bool = True
    talk: TalkConfig = field(default_factory=TalkConfig)
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    sources: tuple[str, ...] = ()
    """Sources of poses and texts in place of `data`: NAME=FOLDER?share=NUMBER&...
    (docs/training_data.md)."""
    out: Path = Path("runs/align")
    practice: int = 64
    """Pairs per step by which reading and writing poses is practised without words."""
    in_packs: bool = False
    """Learn from `lessons`, rows in packs, in place of `talk`: for the plain model over a base."""
    lessons: LessonsConfig = field(default_factory=LessonsConfig)
    start: Path | None = None
    """Adapters of the same base and rank to go on from; None begins anew."""
    without: tuple[str, ...] = ()
    """Parts of the model (see `train.stages`) that stay as they are."""
    projector: Path | None = None
    """Weights of a pose projector that was taught already, which another run shares."""
    warm_up: int = 0
    """Steps in which the pose projector is taught alone, before the first."""
    attention: str | None = None
    """An implementation of transformers'; on CPUs the backward pass of "eager" is the fastest."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_sources(self.sources)
        if self.warm_up and (self.concepts or not self.pose_projector):
            raise ConfigError(
                "warm_up teaches the plain model's pose projector alone; give it a width "
                "(--no-concepts --pose-projector 512), or --warm-up 0"
            )


READING = LessonsConfig(
    checklists=2, answer_packs=1, questions=8, descriptions=2, captions=6, request_packs=0,
    edit_packs=0, talk_packs=0,
)  # fmt: skip
"""Lessons of those adapters that read poses."""
WRITING = LessonsConfig(
    checklists=0, answer_packs=0, descriptions=0, request_packs=4, requests=6, edit_packs=1,
    edits=6, talk_packs=0, named=0.4,
)  # fmt: skip
"""Lessons of those that understand what pose is asked for."""

PRESETS = {
    "mini": AlignConfig(),
    "debug": AlignConfig(
        codec=Path(),
        small=SmallLlama(hidden=32, layers=2, heads=2, feed_forward=64, text_tokens=400),
        geometry=16,
        data=Path(),
        out=Path("runs/align_debug"),
        steps=4,
        batch=8,
        practice=8,
        warmup=2,
        save_every=2,
        checked=0,
        trackers=(),
    ),
    "smol": AlignConfig(
        codec=POSE_CODES,
        llm=SMOL,
        concepts=False,
        pose_projector=512,
        system=SYSTEM,
        lora_rank=16,
        lora_alpha=32,
        lora_dropout=0.0,
        in_packs=True,
        lessons=READING,
        without=("embeddings", "poses"),
        warm_up=2000,
        read_both_ways=False,
        attention="eager",
        out=Path("runs/align_smol"),
        steps=440,
        pieces=3,
        peak_rate=1e-3,
        warmup=20,
        claim_weight=0.0,
        practice=0,
        save_every=20,
        log_every=5,
        checked=0,
    ),
    # 96 samples per step: 24 on each of 4 GPUs; 6 epochs of 327k (docs/published.md)
    "paper": AlignConfig(
        codec=Path("runs/pose_codes_paper/codec"),
        llm="liuhaotian/llava-v1.6-mistral-7b",
        concepts=False,
        read_both_ways=False,
        talk=PUBLISHED_TALK,
        out=Path("runs/align_paper"),
        steps=20_466,
        batch=24,
        peak_rate=1.5e-4,
        warmup=614,
        betas=(0.9, 0.999),
        weight_decay=0.0,
        code_weight=1.0,
        geometry_weight=0.0,
        claim_weight=0.0,
        shown_weight=0.0,
        practice=0,
    ),
}
PRESETS["smol_writing"] = replace(
    PRESETS["smol"],
    lessons=WRITING,
    projector=Path("runs/align_smol/projector.safetensors"),
    claim_weight=1.0,
    named_weight=0.2,
    out=Path("runs/align_smol_writing"),
    steps=500,
    pieces=5,
)


def conversation_writer(pool: PosePool, *, seed: int) -> ScriptWriter:
    """Return who writes conversations about poses of a pool, in wordings of training."""
    return ScriptWriter(
        bank_of_poses(pool, 1000, seed=seed),
        films=bank_of_films(pool, 12, seed=seed),
        slips=2 * SLIPS,
    )


def training_texts(
    pool: PosePool, joints_at_rest: torch.Tensor, talk: TalkConfig, *, count: int, seed: int
) -> list[str]:
    """Return captions, modifiers and phrasings to learn a text vocabulary from."""
    generator = generator_of(seed=seed, step=-1)
    first = pool.draw(count, generator, talk.pool)
    second = replace_limbs(first, pool, generator, talk.pool)
    joints, others = (front_facing_joints(poses, joints_at_rest) for poses in (first, second))
    texts = write_captions(joints, seed=seed, indices=range(count))
    texts += write_modifiers(joints, others, seed=seed, indices=range(count))
    texts += [text.lower() for text in texts]
    return texts + [phrasing for kinds in PHRASINGS.values() for phrasing in kinds] * 20


def build_model(
    config: AlignConfig,
    codec: PoseTokenizer,
    joints_at_rest: torch.Tensor,
    text: PreTrainedTokenizerBase | None,
) -> tuple[PoseLanguageModel, Vocabulary]:
    """Return the model to train and its vocabulary; `text` is the tokenizer of a small model."""
    sizes: dict[str, Any] = {"codes": codec.config.codes, "length": codec.config.length}
    base = None
    if config.llm:
        config = replace(config, llm=str(base_folder()) if config.llm == SMOL else config.llm)
        vocabulary = Vocabulary.from_pretrained(config.llm, system=config.system, **sizes)
        llm = read_text_config(config.llm)
        base = read_base(config, vocabulary)
        llm.dtype = layer_dtype(base)
    elif text is not None:
        vocabulary = Vocabulary(text=text, **sizes)
        small = config.small
        llm = LlamaConfig(
            hidden_size=small.hidden,
            num_hidden_layers=small.layers,
            num_attention_heads=small.heads,
            intermediate_size=small.feed_forward,
            tie_word_embeddings=True,
            max_position_embeddings=2048,
            bos_token_id=None,
            eos_token_id=None,
        )
    else:
        raise ConfigError("a small model needs a text tokenizer of its own")
    places, told, words = config.pose_places, config.pose_told, config.pose_words
    if config.concepts or not config.pose_projector:
        places = told = words = 0
    elif not places:
        form = PoseForm.written(vocabulary)
        places, told, words = len(form.words), len(form.told), len(form.choices)
    vocabulary = replace(vocabulary, pose_places=places)
    llm.vocab_size = len(vocabulary)
    described: dict[str, Any] = {
        "llm": llm.to_dict(), "codec": asdict(codec.config), "text_tokens": vocabulary.first_code,
        "read_both_ways": config.read_both_ways, "system": config.system,
    }  # fmt: skip
    if config.concepts:
        described |= {
            "geometry": config.geometry, "digits": config.digits,
            "claims": len(claims()) if config.claim_weight else 0,
        }  # fmt: skip
        model = ConceptPoseModel(ConceptConfig(**described), llm=base)
    else:
        described |= {
            "pose_projector": config.pose_projector, "pose_places": places, "pose_told": told,
            "pose_words": words, "tasks": config.lessons.tasks if config.in_packs else (),
        }  # fmt: skip
        model = PoseLanguageModel(PoseLanguageConfig(**described), llm=base)
    if model.pose_projector is not None:
        model.pose_projector.like_words(model.llm.get_input_embeddings().weight)
    model.codec.load_state_dict(codec.state_dict(), strict=True)
    model.joints_at_rest.copy_(joints_at_rest)
    if config.claim_weight and not config.concepts:
        model.teacher = ClaimTeacher(
            len(claims()), width=llm.hidden_size, names=len(NamedPoses.load().names)
        )
    if base is not None:
        remember_quantisation(model)
        model.check_text_logits(torch.tensor(vocabulary.encode(CHECKED_TEXT)))
        model.add_adapters(
            {"r": config.lora_rank, "lora_alpha": config.lora_alpha,
             "lora_dropout": config.lora_dropout}
        )  # fmt: skip
        if config.start is not None:
            load_adapters(model.llm, config.start)
    choose_what_learns(model, large=bool(config.llm), without=config.without)
    learn_in_float32(model)
    return model, replace(vocabulary, pose_tail=model.config.pose_tail)


def read_base(config: AlignConfig, vocabulary: Vocabulary) -> PreTrainedModel:
    """Return the language model to build on, with rows for all that `vocabulary` adds."""
    dtype = stored_dtype(config.llm) if config.dtype == "stored" else getattr(torch, config.dtype)
    base = load_base(config.llm, dtype=dtype, bits=config.bits, attention=config.attention)
    known = vocabulary.first_code - vocabulary.markers
    add_rows(base, len(vocabulary), text=known, seed=config.seed)
    return base


def remember_quantisation(model: PoseLanguageModel) -> None:
    """Let `model` know how its base is quantised, so that it is saved and read as it is."""
    quantiser = getattr(model.llm, "hf_quantizer", None)
    if quantiser is None:
        return
    # what from_pretrained then reads of the whole model: all but the base stays as it is
    ours = [name for name, _ in model.named_children() if name != "llm"]
    left = ["lm_head", ".*lora_[AB]", *ours]
    saved = quantiser.quantization_config.to_dict() | {"llm_int8_skip_modules": left}
    model.config.quantization_config = BitsAndBytesConfig.from_dict(saved)
    model.hf_quantizer = quantiser


def main(config: AlignConfig) -> None:
    """Train, log, save; resumes by itself from the newest checkpoint in the run folder."""
    accelerator = start(config)
    torch.manual_seed(config.seed)
    codec = open_codec(config)
    body = load_body()
    sources = parse_sources(config.sources)
    poses = TrainingPoses.read(config.data, sources)
    if accelerator.is_main_process:
        sys.stderr.write(poses.report)
    asks = config.checked > 0 and accelerator.is_main_process
    others = read_poses(config.data, sources) if asks else None
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
        text = None
        if not config.llm:
            text = text_tokenizer(config, poses.pool, body.rest_joints, poses.texts)
    model, vocabulary = build_model(config, codec, body.rest_joints, text)
    encode: Encode = lambda rotations: codec.encode(rotations_to_6d(rotations))  # noqa: E731
    if not config.in_packs:
        talk = poses.talk(
            joints_at_rest=body.rest_joints, encode=encode, vocabulary=vocabulary,
            config=config.talk,
        )  # fmt: skip
    else:
        talk = PoseLessons(
            poses.pool, joints_at_rest=body.rest_joints, encode=encode, vocabulary=vocabulary,
            config=config.lessons, talks=conversation_writer(poses.pool, seed=config.seed),
        )  # fmt: skip

    def draw(place: int) -> tuple[list[Row], Practice | None]:
        if isinstance(talk, PoseLessons):
            return talk.draw(seed=config.seed, step=place), None
        rows = talk.draw(config.batch, seed=config.seed, step=place)
        if not config.practice or not config.claim_weight:  # practice is of claims
            return rows, None
        return rows, talk.practise(config.practice, seed=config.seed, step=place)

    if config.warm_up:
        with accelerator.main_process_first():
            start_projector(config, run, model, vocabulary, poses.pool)
    held_out = None
    if others is not None:
        held_out = HeldOut(body.rest_joints, poses=others, count=config.checked, seed=config.seed)
    run_loop(accelerator, run, model, vocabulary, draw, config, name="align", held_out=held_out)


def start_projector(
    config: AlignConfig,
    run: RunFolder,
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    pool: PosePool,
) -> None:
    """Teach the pose projector alone, once per run: checkpoints lack one that then stays."""
    assert model.pose_projector is not None
    path = config.projector or config.out / "projector.safetensors"
    if config.projector is None and not path.exists():
        missed = warm_up_projector(model, vocabulary, pool, steps=config.warm_up)
        run.log(step=0, projector=round(missed, 5))
        unfinished = path.with_suffix(".tmp")
        save_file(model.pose_projector.state_dict(), unfinished)
        unfinished.rename(path)
    try:
        model.pose_projector.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise WeightsError(path, f"is no pose projector of this model: {error}.") from error


def text_tokenizer(
    config: AlignConfig, pool: PosePool, joints_at_rest: torch.Tensor, others: Sequence[str] = ()
) -> PreTrainedTokenizerBase:
    """Return the small model's text tokenizer, learned once per run and kept in its folder.

    It is learned from texts about poses of the pool, and from some of the others.
    """
    folder = config.out / "text"
    if not (folder / "tokenizer.json").exists():
        count = min(4000, 4 * len(pool))
        texts = training_texts(pool, joints_at_rest, config.talk, count=count, seed=config.seed)
        texts += random.Random(config.seed).sample(others, min(len(others), count))
        train_text_tokenizer(texts, size=config.small.text_tokens).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def open_codec(config: AlignConfig) -> PoseTokenizer:
    """Return the trained pose tokenizer, or an untrained one for debugging."""
    if config.codec == Path():
        from train.pose_codes import PRESETS as CODEC_PRESETS

        return PoseTokenizer(CODEC_PRESETS["debug"].codec).eval()
    return PoseTokenizer.from_pretrained(config.codec)


if __name__ == "__main__":
    run_program(main, PRESETS)
