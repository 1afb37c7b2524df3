"""A speaker without a model: it answers what was prepared, in order, and remembers what it read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from unipose.language.chat_rendering import Message


class FakeSpeaker:
    """Says one prepared text after the other; `read` holds what it was given each time."""

    def __init__(self, *said: str) -> None:
        self.said = list(said)
        self.read: list[list[Message]] = []

    def answer(
        self,
        messages: Sequence[Message],
        *,
        verbs: Collection[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        self.read.append(list(messages))
        text = self.said.pop(0) if self.said else ""
        if on_text is not None and not text.startswith(">"):
            for piece in text.split(" "):
                on_text(piece if text.startswith(piece) else f" {piece}")
        return text

    def length(self, messages: Sequence[Message]) -> int:
        return sum(len(message.text.split()) + 4 for message in messages)


class TableSpeaker(FakeSpeaker):
    """Says what a table has for the user's last line, one text after the other; else nothing."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        super().__init__()
        self.table = table

    def answer(
        self,
        messages: Sequence[Message],
        *,
        verbs: Collection[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        last = max(i for i, message in enumerate(messages) if message.role == "user")
        spoken = sum(message.role == "assistant" for message in messages[last:])
        texts = self.table.get(messages[last].text, [])
        self.said = texts[spoken : spoken + 1]
        return super().answer(messages, verbs=verbs, on_text=on_text)
