"""The words of the pose language: text tokens, pose codes, pose start and end, query slots.

Ids, in this order (UniPose's order; supplement B.3 and its public code):

    text tokens | <pose_id_0> ... <pose_id_2047> | pose start | pose end |
    <im_start> <im_end> | <pose_query_0> ... <pose_query_79>

The places of a picture lie between <im_start> and <im_end>; what they show is no word, so there is
no id for it: these places hold the filler's id, and what the eyes saw takes its place.

What a user types can never become one of the added ids: user text is tokenised with special
tokens split, and the added ids are joined in by us, as numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from unipose.errors import ConfigError, WeightsError
from unipose.language.base_checkpoint import text_config_of

USER, MODEL, ANSWER_END, PAD = "<|user|>", "<|model|>", "<|end|>", "<|pad|>"
_USER, _ASSISTANT = "\ue000", "\ue001"
"""Stand for what is said while the template is filled: of the private use area."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Vocabulary:
    """A text tokenizer and the ids that poses add behind it."""

    text: PreTrainedTokenizerBase
    codes: int
    """Size of the pose codebook."""
    length: int
    """Codes per pose, and so query slots."""
    patches: int = 0
    """Places that one picture takes; 0 for a model that cannot see."""
    pictures: int = 2
    """Pictures that one question may hold."""
    markers: int = 0
    """Turn markers that the text tokenizer lacked when it was read: its last ids."""
    pose_places: int = 0
    """Places that a pose which is read takes, as a picture's patches; 0: one for each code."""
    system: str = ""
    """What a conversation begins with in the chat template; empty: as the template has it."""
    pose_tail: str = ""
    """What the model says behind a pose that is its whole answer (UniPose: a full stop)."""

    @cached_property
    def first_code(self) -> int:
        """Id of <pose_id_0>; every id below is text."""
        return len(self.text)

    @cached_property
    def pose_start(self) -> int:
        """Id that opens a pose."""
        return self.first_code + self.codes

    @cached_property
    def pose_end(self) -> int:
        """Id that closes a pose."""
        return self.pose_start + 1

    @cached_property
    def picture_start(self) -> int:
        """Id that opens a picture (<im_start>)."""
        return self.pose_start + 2

    @cached_property
    def picture_end(self) -> int:
        """Id that closes a picture (<im_end>)."""
        return self.pose_start + 3

    @cached_property
    def first_query(self) -> int:
        """Id of <pose_query_0>."""
        return self.pose_start + 4

    def __len__(self) -> int:
        return self.first_query + self.length

    @cached_property
    def opening(self) -> list[int]:
        """Ids before the user's words: those of the chat template, or the marker of a turn."""
        return self._frame[0]

    @cached_property
    def turn(self) -> list[int]:
        """Ids between the user's words and the model's answer."""
        return self._frame[1]

    @cached_property
    def answer_end(self) -> int:
        """Id that ends the model's answer."""
        return self._frame[2]

    @cached_property
    def pose_tail_ids(self) -> list[int]:
        """Ids between the end of a pose that is the whole answer and the end of the answer."""
        return self.encode(self.pose_tail) if self.pose_tail else []

    @cached_property
    def pad(self) -> int:
        """Id that fills short rows; never attended to."""
        for known in (self.text.pad_token_id, self.text.unk_token_id, self.text.eos_token_id):
            if isinstance(known, int):
                return known
        return self._special(PAD)

    @cached_property
    def _frame(self) -> tuple[list[int], list[int], int]:
        """Return what stands before, between and behind the words of a turn."""
        text: Any = self.text
        if not text.chat_template:
            return [self._special(USER)], [self._special(MODEL)], self._special(ANSWER_END)
        turn = [{"role": "user", "content": _USER}, {"role": "assistant", "content": _ASSISTANT}]
        if self.system:
            turn.insert(0, {"role": "system", "content": self.system})
        try:
            shown = str(text.apply_chat_template(turn, tokenize=False))
        except (TemplateError, TypeError, ValueError) as error:
            raise ConfigError(f"the chat template refuses a turn: {error}") from error
        pieces = re.split(f"{_USER}|{_ASSISTANT}", shown)
        if len(pieces) != 3 or not pieces[2].strip(" "):
            raise ConfigError(f"the chat template does not show a turn: {shown[:80]!r}")
        pieces[2] = pieces[2].lstrip(" ")
        if self._adds_space:  # the words between the pieces bring it along
            pieces[:2] = pieces[0].removesuffix(" "), pieces[1].removeprefix(" ").removesuffix(" ")
        opening, between, end = (text.encode(p, add_special_tokens=False) for p in pieces)
        return opening, between, end[0]

    @cached_property
    def _adds_space(self) -> bool:
        """Whether the tokenizer puts a space before each text it is given (SentencePiece's do)."""
        text: Any = self.text
        return str(text.convert_ids_to_tokens(self.encode("a"))[0]).startswith("\u2581")

    def _special(self, token: str) -> int:
        identity = self.text.convert_tokens_to_ids(token)
        if identity is None or identity == self.text.unk_token_id:
            raise ConfigError(
                f"the text tokenizer lacks {token}; load it with Vocabulary.from_pretrained"
            )
        return int(identity)  # type: ignore[arg-type]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a user's text; whatever it says, none of them is special."""
        return self.text.encode(text, add_special_tokens=False, split_special_tokens=True)

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`; special and pose ids are left out."""
        words = [i for i in ids if i < self.first_code]
        return str(self.text.decode(words, skip_special_tokens=True)).strip()

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, codes: int, length: int, patches: int = 0, pictures: int = 2,
        pose_places: int = 0, system: str = "", pose_tail: str = "",
    ) -> Vocabulary:  # fmt: skip
        """Load a Hugging Face tokenizer; one without a chat template gets markers of turns.

        Raises WeightsError if there is no tokenizer at `name`.
        """
        try:
            text = _read_tokenizer(name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(name, f"holds no text tokenizer ({error}).") from error
        wanted = () if text.chat_template else (USER, MODEL, ANSWER_END, PAD)
        missing = [marker for marker in wanted if marker not in text.get_vocab()]
        if missing:
            text.add_special_tokens({"additional_special_tokens": missing})
        return cls(
            text=text, codes=codes, length=length, patches=patches, pictures=pictures,
            markers=len(missing), pose_places=pose_places, system=system, pose_tail=pose_tail,
        )  # fmt: skip


def _read_tokenizer(name: str | Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer at `name`; of a LLaVA's which kind it is hangs on its language model."""
    try:
        numbers, _ = PreTrainedConfig.get_config_dict(str(name))
    except OSError:  # a tokenizer by itself
        numbers = {}
    if not str(numbers.get("model_type")).startswith("llava"):
        return AutoTokenizer.from_pretrained(str(name))
    return AutoTokenizer.from_pretrained(str(name), config=text_config_of(numbers))


def train_text_tokenizer(texts: list[str], *, size: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer learned from `texts`; it can spell any text at all."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, USER, MODEL, ANSWER_END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=ANSWER_END,
        clean_up_tokenization_spaces=False,
    )
