"""The language model that leads a conversation: it answers in words, or with a call.

It is an instruction-tuned base with LoRA adapters (`train.converse`). Whether it calls or speaks is
its own choice, made with the first token; a call is decoded inside the grammar of
`unipose.posecodes.calls`, words hold no special tokens. What was read before is kept (keys and
values), so a turn costs only its own tokens.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import DynamicCache

from unipose.errors import MissingFileError, WeightsError
from unipose.language.base_model import base_folder
from unipose.language.call_grammar import CallGrammar
from unipose.language.call_loop import TextCallback
from unipose.language.chat_rendering import ChatTemplate, Message
from unipose.posecodes.calls import MARK, VERBS

CONVERSATION = Path(__file__).parents[1] / "weights" / "conversation"
"""Adapters of the embedded conversation model."""
ADAPTERS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""Names of peft's files."""
LONGEST_ANSWER = 120
"""Tokens of words or of one call; far more than an answer needs."""


class ConversationModel:
    """A base with its adapters merged, ready to be talked with."""

    def __init__(self, model: Any, template: ChatTemplate) -> None:
        """`model`: any causal language model of transformers."""
        self.model = model.eval()
        self.template = template
        special = {*template.text.all_special_ids, *template.text.get_added_vocab().values()}
        rows = model.get_input_embeddings().weight.shape[0]
        self._words = torch.ones(rows, dtype=torch.bool)
        self._words[[identity for identity in special if identity < rows]] = False
        self._words[len(template.text) :] = False
        self._anything = self._words.nonzero().flatten().tolist()
        self._grammars: dict[frozenset[str], CallGrammar] = {}
        self._read: list[int] = []
        self._cache = DynamicCache()

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        *,
        base: str | Path | None = None,
        dtype: torch.dtype = torch.bfloat16,
        device: str | torch.device = "cpu",
    ) -> ConversationModel:
        """Load adapters (peft's two files) over a base; by default the embedded ones.

        `base` is any folder or name that transformers reads as a causal language model; by default
        the one that the adapters name, or SmolLM2 out of the user's cache. Raises MissingFileError
        if base or adapters are missing, WeightsError if they do not fit each other.
        """
        folder = CONVERSATION if folder is None else Path(folder)
        if not (folder / ADAPTERS).is_file():
            raise MissingFileError(
                folder, "there are no adapters here.", f"Expected {ADAPTERS} and {ADAPTER_CONFIG}."
            )
        source = base or adapter_config(folder).get("base_model_name_or_path") or base_folder()
        try:
            text = AutoTokenizer.from_pretrained(source)
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
        except (OSError, ValueError) as error:
            raise WeightsError(source, f"the base cannot be loaded: {error}.") from error
        merge_adapters(model, folder)
        return cls(model.to(device), ChatTemplate(text))

    def answer(
        self,
        messages: Sequence[Message],
        *,
        verbs: Collection[str] = VERBS,
        on_text: TextCallback | None = None,
    ) -> str:
        """Return what the assistant says next: words, a whole call of `verbs`, or nothing.

        `on_text` is given words piece by piece, and nothing of a call.
        """
        grammar = self.grammar(verbs)
        row = self.template.render(messages, open_answer=True)
        logits = self._read_on(row.ids)
        said: list[int] = []
        told = ""
        for _ in range(LONGEST_ANSWER):
            chosen = int(logits.masked_fill(~self.allowed(said, grammar), -torch.inf).argmax())
            if chosen == self.template.end:
                break
            said.append(chosen)
            if on_text and said[0] != grammar.first:
                text = self.template.decode(said)
                if not text.endswith("\ufffd"):
                    on_text(text[len(told) :])
                    told = text
            logits = self._read_on([*self._read, chosen])
        return self.text_of(said, grammar)

    def text_of(self, said: Sequence[int], grammar: CallGrammar) -> str:
        """Return words or a call from their ids; words are never taken for a call."""
        answer = self.template.decode(said).strip()
        return answer if said and said[0] == grammar.first else answer.lstrip(f"{MARK} ")

    def length(self, messages: Sequence[Message]) -> int:
        """Return how many tokens a conversation has."""
        return len(self.template.render(messages, open_answer=True).ids)

    def grammar(self, verbs: Collection[str]) -> CallGrammar:
        """Return the calls of some verbs."""
        known = frozenset(verbs)
        if known not in self._grammars:
            self._grammars[known] = CallGrammar(self.template, self._anything, known)
        return self._grammars[known]

    def allowed(self, said: Sequence[int], grammar: CallGrammar) -> Bool[Tensor, " token"]:
        """Return which ids may follow the beginning of an answer."""
        if said and said[0] == grammar.first:
            allowed = torch.zeros_like(self._words)
            allowed[list(grammar.following(said))] = True
            return allowed
        allowed = self._words.clone()
        allowed[self.template.end] = True
        if not said and not grammar.verbs:
            allowed[grammar.first] = False
        return allowed

    @torch.inference_mode()
    def _read_on(self, ids: Sequence[int]) -> Tensor:
        """Return the logits behind `ids`; only what differs from the row before is read."""
        same = 0
        for before, now in zip(self._read, ids, strict=False):
            if before != now:
                break
            same += 1
        same = min(same, len(ids) - 1)  # the last token is read again: its logits are wanted
        if same < len(self._read):
            self._cache.crop(same - len(self._read))  # how many to drop, below zero
        new = torch.tensor([list(ids[same:])], device=self.model.device)
        try:
            output = self.model(input_ids=new, past_key_values=self._cache, logits_to_keep=1)
        except BaseException:
            self.forget()  # an interruption leaves layers of different lengths
            raise
        self._read = list(ids)
        return output.logits[0, -1].float().cpu()

    def forget(self) -> None:
        """Let go of everything that was read."""
        self._read, self._cache = [], DynamicCache()


def adapter_config(folder: Path) -> dict[str, Any]:
    """Return peft's description of adapters. Raises WeightsError if it cannot be read."""
    try:
        return dict(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(folder, f"{ADAPTER_CONFIG} cannot be read ({error}).") from error


def merge_adapters(model: nn.Module, folder: Path) -> None:
    """Add the adapters of `folder` into the weights that they stand beside.

    By hand: it is one product a layer, and importing peft takes longer than all of this. Raises
    WeightsError if an adapter has no place in the model.
    """
    config = adapter_config(folder)
    try:
        scale = float(config["lora_alpha"]) / int(config["r"])
        weights = load_file(folder / ADAPTERS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise WeightsError(folder, f"the adapters cannot be read: {error}.") from error
    modules = dict(model.named_modules())
    downs = {name: weight for name, weight in weights.items() if name.endswith(".lora_A.weight")}
    expected = {*downs, *(name.replace(".lora_A.", ".lora_B.") for name in downs)}
    if not downs or expected != weights.keys():
        odd = min(expected ^ weights.keys(), default="nothing")
        raise WeightsError(folder, f"expected pairs of lora_A and lora_B, got {odd!r}.")
    for name, down in downs.items():
        place = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        up = weights[name.replace(".lora_A.", ".lora_B.")]
        beside = getattr(modules.get(place), "weight", None)
        if beside is None or beside.shape != (len(up), down.shape[1]):
            raise WeightsError(
                folder, f"the adapter {place!r} does not fit the base.", "Is it another base?"
            )
        added = scale * (up.float() @ down.float())
        beside.data = (beside.data.float() + added.to(beside.device)).to(beside.dtype)
