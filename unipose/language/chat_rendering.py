r"""A conversation becomes one row of ids in the base's own chat template.

Two turns of a conversation, as messages:

    user       is the left knee bent?
    assistant  > check bent left knee
    tool       yes: left knee 87 degrees
    assistant  Yes, the left knee is bent: 87 degrees.

and as a row in SmolLM2's template (ChatML; B is <|im_start|>, E <|im_end|>); what is learned is
what the assistant says and where it ends:

    ids     B user \n is the .. ? E \n B assistant \n > check bent left knee E \n B tool ..
    target  - -    -  -  -   .. - - -  - -         >  check bent left knee E    - -  - -    ..

The template's own words may hold special tokens; what people and programs say never becomes one:
each message is encoded by itself, with special tokens split into plain text. A pose in a message is
its codes (or the slots of a pose that the assistant writes), a picture its places, as in
`unipose.language.rendering`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from unipose.errors import ConfigError, PoseQueryError
from unipose.language.pictures import Picture
from unipose.language.rendering import (
    Part,
    Row,
    add_picture,
    add_read_pose,
    add_written_pose,
)
from unipose.language.vocabulary import Vocabulary

Role = Literal["system", "user", "assistant", "tool"]
_SLOT = "\ue000{}\ue001"
"""Stands for a message while the template is filled: two characters of the private use area."""
_SLOTS = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class Message:
    """What one role says: texts, poses (their codes) and pictures, in order."""

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        """Return a message that is a text."""
        return cls(role, (text,))

    @property
    def text(self) -> str:
        """The words of the message."""
        return "".join(part for part in self.parts if isinstance(part, str))


class ChatTemplate:
    """Renders conversations for one text tokenizer; `vocabulary` brings the ids of poses."""

    def __init__(self, text: PreTrainedTokenizerBase, vocabulary: Vocabulary | None = None) -> None:
        if not text.chat_template:
            raise ConfigError(
                "the language model has no chat template; take an instruction-tuned one "
                "(its tokenizer_config.json or chat_template.jinja brings it)"
            )
        self.text: Any = text
        self.vocabulary = vocabulary
        self._frame = lru_cache(maxsize=4096)(self._fill)

    @cached_property
    def tool_role(self) -> Role:
        """The role that results of calls are given in: "tool" where the template has it."""
        try:
            shown = self._raw(("user", "assistant", "tool", "assistant"), open_answer=False)
        except (TemplateError, TypeError, ValueError):
            return "user"
        return "tool" if all(_SLOT.format(i) in shown for i in range(4)) else "user"

    @cached_property
    def end(self) -> int:
        """Id that ends what the assistant says."""
        return self._frame(("user", "assistant"), False)[-1][0]

    def encode(self, text: str) -> list[int]:
        """Return the ids of what somebody says; none of them is special, whatever it says."""
        plain = text.replace("\ue000", " ").replace("\ue001", " ")
        return self.text.encode(plain, add_special_tokens=False, split_special_tokens=True)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        return str(self.text.decode(list(ids), skip_special_tokens=True))

    def render(self, messages: Sequence[Message], *, open_answer: bool = False) -> Row:
        """Return the row of a conversation, with targets on what the assistant says.

        `open_answer` ends the row where the assistant begins to speak. Roles that the template does
        not know are given as the user's, and neighbours of one role as one message. Raises
        PoseQueryError for a pose or a picture without a vocabulary that has them.
        """
        merged = self._merged(messages)
        frame = self._frame(tuple(message.role for message in merged), open_answer)
        row = Row()
        for before, message in zip(frame, merged, strict=False):
            for identity in before:
                row.add(identity)
            if message.role == "assistant":
                self._add_answer(row, message)
            else:
                self._add_question(row, message)
        for identity in frame[-1]:
            row.add(identity)
        if open_answer:
            row.answering[-1] = True
        return row

    def _add_question(self, row: Row, message: Message) -> None:
        for part in message.parts:
            if isinstance(part, str):
                for identity in self.encode(part):
                    row.add(identity)
            elif self.vocabulary is None:
                raise PoseQueryError("this language model reads no poses and no pictures itself")
            elif isinstance(part, Picture):
                add_picture(row, part, self.vocabulary)
            else:
                add_read_pose(row, part, self.vocabulary)

    def _add_answer(self, row: Row, message: Message) -> None:
        """Append what the assistant says; each place learns the next, the last one the end."""
        for part in message.parts:
            if isinstance(part, str):
                for identity in self.encode(part):
                    row.targets[-1] = identity
                    row.answering[-1] = True
                    row.add(identity)
            elif self.vocabulary is None or isinstance(part, Picture):
                raise PoseQueryError("this language model writes words only")
            else:
                add_written_pose(row, part, self.vocabulary)
        row.targets[-1] = self.end
        row.answering[-1] = True

    def _merged(self, messages: Sequence[Message]) -> list[Message]:
        found: list[Message] = []
        for message in messages:
            role = self.tool_role if message.role == "tool" else message.role
            if message.role == "system" and not self._takes_system:
                role = "user"
            if found and found[-1].role == role and role != "tool":
                found[-1] = Message(role, (*found[-1].parts, "\n", *message.parts))
            else:
                found.append(Message(role, message.parts))
        if found and self.tool_role == "user" and found[0].role == "assistant":
            found.insert(0, Message.of("user", ""))  # a strict template begins with the user
        return found

    @cached_property
    def _takes_system(self) -> bool:
        try:
            shown = self._raw(("system", "user"), open_answer=False)
        except (TemplateError, TypeError, ValueError):
            return False
        return _SLOT.format(0) in shown

    def _raw(self, roles: Sequence[str], *, open_answer: bool) -> str:
        messages: list[dict[str, Any]] = [
            {"role": role, "content": _SLOT.format(i)} for i, role in enumerate(roles)
        ]
        return str(
            self.text.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=open_answer
            )
        )

    def _fill(self, roles: tuple[str, ...], open_answer: bool) -> list[list[int]]:
        """Return the ids before each message, and those after the last."""
        try:
            shown = self._raw(roles, open_answer=open_answer)
        except (TemplateError, TypeError, ValueError) as error:
            raise ConfigError(
                f"the language model's chat template refuses {', '.join(roles)}: {error}"
            ) from error
        pieces = _SLOTS.split(shown)
        if pieces[1::2] != [str(i) for i in range(len(roles))]:
            raise ConfigError(
                f"the language model's chat template does not show {', '.join(roles)} in order"
            )
        return [self.text.encode(piece, add_special_tokens=False) for piece in pieces[::2]]
