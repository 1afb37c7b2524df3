"""A causal language model of Hugging Face on this machine, asked in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from unipose.errors import WeightsError
from unipose.priors.chat_models import ChatMessages, Completion, Identity, text_of


class LocalChatModel:
    """A model and its tokenizer; answers are the most likely ones, so they can be repeated."""

    def __init__(
        self,
        source: str | Path,
        *,
        device: str = "cpu",
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        batch: int = 8,
        most_tokens: int = 160,
    ) -> None:
        """Load a folder, or a name that the hub knows.

        Raises WeightsError if there is no causal language model with a tokenizer.
        """
        self.source, self.device, self.batch, self.most_tokens = source, device, batch, most_tokens
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source, padding_side="left")
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
        except (OSError, ValueError, KeyError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else "unknown reason"
            raise WeightsError(
                source,
                f"holds no causal language model with a tokenizer ({first}).",
                "Name a folder or a model of the Hugging Face hub.",
            ) from error
        self.model = model.to(device).eval()
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token

    @property
    def name(self) -> str:
        """Last part of the folder or name."""
        return Path(self.source).name

    @property
    def identity(self) -> Identity:
        """Folder or name, and the length of answers."""
        return {"model": str(self.source), "tokens": self.most_tokens}

    def answers(self, conversations: Sequence[ChatMessages]) -> Iterator[tuple[int, Completion]]:
        """Give the answers batch by batch, in order."""
        prompts = [self.prompt(conversation) for conversation in conversations]
        for start in range(0, len(prompts), self.batch):
            answers = self._generate(prompts[start : start + self.batch])
            yield from enumerate(answers, start=start)

    def prompt(self, conversation: ChatMessages) -> str:
        """Return the text the model goes on from, by its chat template if it has one."""
        if not self.tokenizer.chat_template:
            return "\n\n".join(text_of(turn) for turn in conversation) + "\n\nRefined text:"
        turns: list[Any] = list(conversation)
        if "system" not in self.tokenizer.chat_template and turns[0]["role"] == "system":
            both = text_of(turns[0]) + "\n\n" + text_of(turns[1])
            turns = [{"role": "user", "content": both}, *turns[2:]]
        return self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)

    @torch.inference_mode()
    def _generate(self, prompts: list[str]) -> list[Completion]:
        own_start = bool(self.tokenizer.chat_template)  # a template writes it itself
        rows = self.tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=not own_start
        ).to(self.device)
        rows.pop("token_type_ids", None)
        length = rows["input_ids"].shape[1]
        room = getattr(self.model.config, "max_position_embeddings", None)
        if room is not None and length + self.most_tokens > room:
            return [
                Completion(problem=f"the prompt does not fit into {room} tokens") for _ in prompts
            ]
        made = self.model.generate(
            **rows,
            max_new_tokens=self.most_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
        )[:, length:]
        texts = self.tokenizer.batch_decode(made, skip_special_tokens=True)
        asked = rows["attention_mask"].sum(dim=1).tolist()
        said = (made != self.tokenizer.pad_token_id).sum(dim=1).tolist()
        return [
            self._answer(text, int(prompt), int(answer))
            for text, prompt, answer in zip(texts, asked, said, strict=True)
        ]

    def _answer(self, text: str, prompt_tokens: int, answer_tokens: int) -> Completion:
        if not self.tokenizer.chat_template:  # such a model goes on after its answer
            text = text.strip().split("\n\n")[0]
        answer = Completion(prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, requests=1)
        if not text.strip():
            return replace(answer, problem="the answer is empty")
        return replace(answer, text=text)
