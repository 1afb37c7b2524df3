"""What a pose language model is made of, as its config.json says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import AutoConfig, PreTrainedConfig


class PoseLanguageConfig(PreTrainedConfig):
    """How a language model is made to speak poses.

    `llm` is the configuration of any Hugging Face causal language model, `codec` that of the pose
    tokenizer, `text_tokens` how many ids are text. With `pose_projector` > 0 a pose that is read is
    shown as the joints that its codes decode to, through a perceptron of that width, in
    `pose_places` places of which it fills in `pose_told`, each with one of `pose_words` words;
    without it by rows of the table for its codes. `expert` is what PoseExpertConfig takes; without
    one a pose is written by slots that run through the language model. `system` is what a
    conversation begins with in the base's chat template. `pose_tail` is what is said behind a pose
    that is the whole answer. With `mix_codes` a pose is written as the codes nearest to the mean
    under the softmax, without it as the likeliest of each slot. `lora` is what peft's LoraConfig
    takes for adapters on the linear layers of the language model. `eyes` is what EyesConfig takes;
    None is a model that cannot see. `base` names the language model that a shipped one is read over
    (`unipose.language.over_base`). `tasks` are those of `unipose.language.templates.Task` that it
    has learned; none are named where it has learned all.
    """

    model_type = "unipose"

    def __init__(
        self,
        *,
        llm: dict | None = None,
        codec: dict | None = None,
        text_tokens: int = 0,
        pose_projector: int = 0,
        pose_places: int = 0,
        pose_told: int = 0,
        pose_words: int = 0,
        expert: dict | None = None,
        read_both_ways: bool = False,
        system: str = "",
        pose_tail: str = ".",
        mix_codes: bool = False,
        lora: dict | None = None,
        eyes: dict | None = None,
        base: str = "",
        tasks: Sequence[str] = (),
        **known: Any,
    ) -> None:
        self.llm = llm or {}
        self.codec = codec or {}
        self.text_tokens = text_tokens
        self.pose_projector = pose_projector
        self.pose_places = pose_places
        self.pose_told = pose_told
        self.pose_words = pose_words
        self.expert = expert
        self.read_both_ways = read_both_ways
        self.system = system
        self.pose_tail = pose_tail
        self.mix_codes = mix_codes
        self.lora = lora
        self.eyes = eyes
        self.tasks = list(tasks)
        self.base = base
        super().__init__(**known)


class ConceptConfig(PoseLanguageConfig):
    """The same for a model that looks up claims (`unipose.language.concepts`).

    With `geometry` > 0 a read pose also brings along the joints that its codes decode to, through a
    perceptron of that width; with `digits` the slots and read codes know the levels that make up a
    code of finite scalar quantisation, and a pose that is written can keep the codes of the pose
    that was read. `claims` is how many true or false claims about poses are looked up (0: none).
    """

    model_type = "unipose-concepts"

    def __init__(
        self,
        *,
        geometry: int = 0,
        digits: bool = False,
        claims: int = 0,
        pose_tail: str = "",
        mix_codes: bool = True,
        **known: Any,
    ) -> None:
        self.geometry = geometry
        self.digits = digits
        self.claims = claims
        super().__init__(pose_tail=pose_tail, mix_codes=mix_codes, **known)


for kind in (PoseLanguageConfig, ConceptConfig):
    AutoConfig.register(kind.model_type, kind)
