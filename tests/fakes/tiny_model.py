"""A pose language model of a few thousand random weights, real in everything but size."""

from __future__ import annotations

from dataclasses import replace

import torch

from tokenizer.codec import (
    LEFT_ARM,
    LEFT_LEG,
    RIGHT_ARM,
    RIGHT_LEG,
    TRUNK,
    CodecConfig,
    JointGroup,
    PoseTokenizer,
)
from train.align import AlignConfig, SmallLlama, build_model
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.language.pose_expert import PoseExpertConfig
from unipose.language.templates import PHRASINGS
from unipose.language.vocabulary import Vocabulary, train_text_tokenizer

TINY_CODEC = CodecConfig(
    groups=tuple(
        JointGroup(joints, 1) for joints in ((0,), TRUNK, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG)
    ),
    network="perceptron",
    width=16,
    quantiser="residual_fsq",
    stages=2,
    latent=4,
    levels=(8, 8, 8, 4),
)

TINY = AlignConfig(
    small=SmallLlama(hidden=32, layers=2, heads=2, feed_forward=64, text_tokens=400), geometry=16
)


PLAIN = replace(
    TINY,
    concepts=False,
    pose_projector=16,
    pose_places=3,
    pose_told=2,
    pose_words=4,
    claim_weight=0.0,
)
EXPERT = PoseExpertConfig(width=16, blocks=1, heads=2, feed_forward=16)


def tiny_plain_assistant(seed: int = 0, *, expert: bool = False) -> UniPose:
    """Return the same of the plain model; with an expert, poses are written by it."""
    assistant = tiny_assistant(seed, config=PLAIN)
    assistant.model.config.mix_codes = True  # of random weights the likeliest codes are all alike
    if expert:
        assistant.model.add_expert(EXPERT)
        assert assistant.model.expert is not None
        with torch.no_grad():  # as above
            assistant.model.expert.head.mul_(50)
    return assistant


def tiny_assistant(seed: int = 0, *, config: AlignConfig = TINY) -> UniPose:
    """Return an assistant whose answers are nonsense and whose behaviour is real."""
    torch.manual_seed(seed)
    codec = PoseTokenizer(TINY_CODEC).eval()
    texts = [phrasing for kinds in PHRASINGS.values() for phrasing in kinds]
    text = train_text_tokenizer(texts, size=400)
    model, vocabulary = build_model(config, codec, load_body().rest_joints, text)
    with torch.no_grad():  # spread the answers, so that rows and seeds differ
        model.llm.get_input_embeddings().weight.mul_(20)
    return UniPose(model, vocabulary)


def tiny_vocabulary() -> Vocabulary:
    """Return the vocabulary of the tiny model."""
    return tiny_assistant().vocabulary
