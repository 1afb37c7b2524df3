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
GEMMA = (
    "{{ '<|start|>' }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<|im_start|>' + role + '\n' + message['content'] | trim + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>model\n' }}{% endif %}"
)
"""Like Gemma's: the assistant is the model, there is no system, a token stands before all."""
LLAMA = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '<|start|>\n\n' "
    "+ message['content'] | trim + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|start|>\n\n' }}{% endif %}"
)
"""Like Llama 3's: any role stands in its header."""


def tiny_text(template: str = CHATML) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that can spell anything."""
    text = train_text_tokenizer(["is the left knee bent?"], size=400)
    text.backend_tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    markers = ["<|im_start|>", "<|im_end|>", "<|start|>"]
    text.add_special_tokens({"additional_special_tokens": markers})
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


def let_say(model: LlamaForCausalLM, template: ChatTemplate, text: str) -> None:
    """Make a model say `text` behind whatever opens its answer, as far as it is let."""
    ids = [*template.encode(text), template.end]
    said = 0

    def prefer(module: object, inputs: object, logits: torch.Tensor) -> torch.Tensor:
        nonlocal said
        wanted = torch.zeros_like(logits)
        wanted[..., ids[min(said, len(ids) - 1)]] = 1e4
        said += 1
        return logits + wanted

    model.lm_head.register_forward_hook(prefer)
