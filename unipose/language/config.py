"""What a pose language model is made of, as its config.json says."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig


class PoseLanguageConfig(PreTrainedConfig):
    """How a language model is made to speak poses.

    `llm` is the configuration of any Hugging Face causal language model, `codec` that of the pose
    tokenizer, `text_tokens` how many ids are text. With `geometry` > 0 a read pose also brings
    along the joints that its codes decode to, through a perceptron of that width; with `digits`
    the slots and read codes know the levels that make up a code of finite scalar quantisation, and
    a pose that is written can keep the codes of the pose that was read. `claims` is how many true
    or false claims about poses are learned beside (0: none). `lora` is what peft's LoraConfig takes
    for adapters on the linear layers of the language model. `eyes` is what EyesConfig takes; None
    is a model that cannot see.
    """

    model_type = "unipose"

    def __init__(
        self,
        *,
        llm: dict | None = None,
        codec: dict | None = None,
        text_tokens: int = 0,
        geometry: int = 0,
        digits: bool = False,
        claims: int = 0,
        read_both_ways: bool = False,
        lora: dict | None = None,
        eyes: dict | None = None,
        **known: Any,
    ) -> None:
        self.llm = llm or {}
        self.codec = codec or {}
        self.text_tokens = text_tokens
        self.geometry = geometry
        self.digits = digits
        self.claims = claims
        self.read_both_ways = read_both_ways
        self.lora = lora
        self.eyes = eyes
        super().__init__(**known)


AutoConfig.register(PoseLanguageConfig.model_type, PoseLanguageConfig)
