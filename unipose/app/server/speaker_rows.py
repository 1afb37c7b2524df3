"""The conversation model for many conversations at once: rows join and leave at every token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from threading import Event

import torch

from unipose.app.server.row_worker import QueuedRow, RowWorker
from unipose.language.call_loop import TextCallback
from unipose.language.chat_rendering import Message
from unipose.language.conversation_model import ConversationModel
from unipose.language.conversation_rows import ConversationRows, ReadBefore, SpokenRow
from unipose.posecodes.calls import VERBS


@dataclass(kw_only=True, eq=False)
class QueuedSpeech(QueuedRow):
    """An answer of the conversation model; its pieces are ids."""

    row: SpokenRow
    told_ids: int = 0


class SpeakerEngine:
    """Runs the rows of one conversation model; see `row_worker.RowEngine`."""

    name = "conversation"

    def __init__(self, model: ConversationModel) -> None:
        self.rows = ConversationRows(model)
        self._speeches: list[QueuedSpeech] = []

    def choose(self, waiting: Sequence[QueuedSpeech], most: int) -> list[QueuedSpeech]:
        """Return as many as there is room for, first come first served."""
        return list(waiting[: max(most - len(self._speeches), 0)])

    def running(self) -> list[QueuedSpeech]:
        """Return the answers that are not finished."""
        return list(self._speeches)

    def join(self, rows: Sequence[QueuedSpeech]) -> None:
        """Read what new rows answer."""
        self.rows.join([speech.row for speech in rows])
        self._speeches += rows

    def step(self) -> None:
        """Say one token more in each row."""
        self.rows.step()
        for speech in self._speeches:
            for token in speech.row.said[speech.told_ids :]:
                speech.tell(token)
            speech.told_ids = len(speech.row.said)
            if speech.row.finished:
                speech.end()
        self._speeches = [speech for speech in self._speeches if not speech.row.finished]

    def drop(self, rows: Sequence[QueuedSpeech]) -> None:
        """Let go of rows."""
        dropped = [speech.row for speech in rows]
        self.rows.leave([row for row in self.rows.running if row in dropped])
        self._speeches = [speech for speech in self._speeches if speech not in rows]
        if not self._speeches:
            self.rows.forget()


@dataclass(kw_only=True, eq=False)
class BatchedSpeaker:
    """The conversation model as one conversation sees it (`call_loop.Speaker`)."""

    model: ConversationModel
    worker: RowWorker[QueuedSpeech]
    temperature: float = 0.0
    generator: torch.Generator | None = None
    cancelled: Event = field(default_factory=Event)
    prompt_tokens: int = 0
    """Of the first row of a turn: what the conversation itself has."""
    _before: ReadBefore | None = None

    def answer(
        self,
        messages: Sequence[Message],
        *,
        verbs: Collection[str] = VERBS,
        on_text: TextCallback | None = None,
    ) -> str:
        """Return what the assistant says next: words, a whole call of `verbs`, or nothing.

        Raises WorkCancelledError if it is not wanted any more.
        """
        template = self.model.template
        ids = template.render(messages, open_answer=True).ids
        self.prompt_tokens = self.prompt_tokens or len(ids)
        grammar = self.model.grammar(verbs)
        row = SpokenRow(
            ids=ids, grammar=grammar, temperature=self.temperature, generator=self.generator,
            before=self._before,
        )  # fmt: skip
        said: list[int] = []
        told = ""
        speech = QueuedSpeech(row=row, cancelled=self.cancelled)
        for token in self.worker.submit(speech).listen():
            said.append(token)
            if on_text and not row.is_call:
                text = template.decode(said)
                if len(text) > len(told) and not text.endswith("\ufffd"):
                    on_text(text[len(told) :])
                    told = text
        self._before = row.before
        return self.model.text_of(said, grammar)

    def length(self, messages: Sequence[Message]) -> int:
        """Return how many tokens a conversation has."""
        return self.model.length(messages)
