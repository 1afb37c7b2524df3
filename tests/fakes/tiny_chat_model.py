"""A causal language model of a few thousand random weights with a chat template of one's choice."""

from __future__ import annotations

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from train.converse import CHATML
from unipose.language.chat_rendering import ChatTemplate
from unipose.language.vocabulary import train_text_tokenizer

STRICT = (
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}"
    "{{ '<|im_start|>[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + '<|im_end|>' }}{% endif %}{% endfor %}"
)
"""Like Mistral's: no system, no tools, turns that alternate and begin with the user."""


def tiny_text(template: str = CHATML) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that can spell anything."""
    text = train_text_tokenizer(["is the left knee bent?"], size=400)
    text.backend_tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    text.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    text.chat_template = template
    return text


def tiny_chat_model(seed: int = 0) -> tuple[LlamaForCausalLM, ChatTemplate]:
    """Return a model and its template."""
    torch.manual_seed(seed)
    text = tiny_text()
    config = LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        vocab_size=len(text), tie_word_embeddings=True, max_position_embeddings=4096,
        initializer_range=0.3,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), ChatTemplate(text)
