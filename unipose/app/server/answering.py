"""How one ask is answered, in a thread of its own, by models that others use at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

import torch

from unipose.app.conversation import Conversation
from unipose.app.server.asks import (
    ActionAsk,
    Answered,
    Ask,
    ChatAsk,
    Choosing,
    CompareAsk,
    ContactsAsk,
    DescribeAsk,
    EditAsk,
    EstimateAsk,
    GenerateAsk,
)
from unipose.app.server.pose_rows import (
    BatchedAssistant,
    PoseEngine,
    QueuedCall,
    QueuedPoseRow,
)
from unipose.app.server.row_worker import RowWorker
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings
from unipose.app.server.speaker_rows import BatchedSpeaker, QueuedSpeech, SpeakerEngine
from unipose.assistant import UniPose
from unipose.assistant.request_texts import checked_answer
from unipose.body.body import Body
from unipose.contact.contact_tables import write_table
from unipose.contact.own_model import words_of
from unipose.contact.prompts import VOCABULARIES
from unipose.language.call_loop import SYSTEM, TextCallback
from unipose.language.conversation_model import ConversationModel


class EnoughSaidError(Exception):
    """The most tokens of a request are said."""


@dataclass(kw_only=True)
class TokenBudget:
    """Passes pieces of text on until they have the most tokens; raises EnoughSaidError then."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    most: int
    on_text: TextCallback | None = None
    text: str = ""
    tokens: int = 0

    def __call__(self, piece: str) -> None:
        """Take a piece."""
        longer = self.text + piece
        ids = self.encode(longer)
        enough = len(ids) >= self.most
        if len(ids) > self.most:
            longer = self.decode(ids[: self.most]).rstrip("\ufffd")
            longer = longer if longer.startswith(self.text) else self.text
        piece, self.text = longer[len(self.text) :], longer
        self.tokens = min(len(ids), self.most)
        if piece and self.on_text is not None:
            self.on_text(piece)
        if enough:
            raise EnoughSaidError


class ServedModels:
    """The pose model and the conversation model, each with its worker; for many threads."""

    def __init__(
        self,
        assistant: UniPose,
        speaker: ConversationModel,
        settings: ServerSettings,
        metrics: ServerMetrics | None = None,
    ) -> None:
        self.assistant, self.speaker = assistant, speaker
        self.metrics = metrics or ServerMetrics()
        self.pose_worker: RowWorker[QueuedPoseRow | QueuedCall] = RowWorker(
            PoseEngine(assistant), most_rows=settings.most_rows, gather_s=settings.gather_s,
            metrics=self.metrics,
        )  # fmt: skip
        self.speaker_worker: RowWorker[QueuedSpeech] = RowWorker(
            SpeakerEngine(speaker), most_rows=settings.most_rows, gather_s=settings.gather_s,
            metrics=self.metrics,
        )  # fmt: skip

    def close(self) -> None:
        """End the workers' threads."""
        self.pose_worker.close()
        self.speaker_worker.close()

    def conversation(
        self,
        choosing: Choosing | None = None,
        *,
        system: str = "",
        cancelled: Event | None = None,
        files: Path | Literal[False] = False,
        body: Body | None = None,
    ) -> Conversation:
        """Return a new conversation; its rows are answered together with those of all others.

        No sentence of it opens or writes a file but in the folder `files`. While `cancelled` is
        set, WorkCancelledError is raised out of its replies.
        """
        choosing, cancelled = choosing or Choosing(), cancelled or Event()
        poses, speaker = self.pose_model(choosing, cancelled), self._speaker(choosing, cancelled)
        return Conversation(
            lambda: poses, lambda: speaker, files=files, body=body,
            system=f"{SYSTEM}\n{system}" if system else SYSTEM,
        )  # fmt: skip

    def pose_model(self, choosing: Choosing, cancelled: Event) -> BatchedAssistant:
        """Return the pose model as one request sees it."""
        return BatchedAssistant(
            assistant=self.assistant, worker=self.pose_worker, temperature=choosing.temperature,
            generator=torch.Generator().manual_seed(choosing.seed),
            most_tokens=choosing.most_tokens, cancelled=cancelled,
        )  # fmt: skip

    def _speaker(self, choosing: Choosing, cancelled: Event) -> BatchedSpeaker:
        return BatchedSpeaker(
            model=self.speaker, worker=self.speaker_worker, temperature=choosing.temperature,
            generator=torch.Generator().manual_seed(choosing.seed), cancelled=cancelled,
        )  # fmt: skip

    def answer(self, ask: Ask, on_text: TextCallback, cancelled: Event) -> Answered:
        """Answer an ask; `on_text` is given its text in pieces.

        Raises a UniPoseError for what cannot be answered as asked, WorkCancelledError once
        `cancelled` is set.
        """
        match ask:
            case ChatAsk():
                return self._chat(ask, on_text, cancelled)
            case DescribeAsk() | CompareAsk():
                return self._say(ask, on_text, cancelled)
            case GenerateAsk():
                made = self.pose_model(ask.choosing, cancelled).generate(ask.text)
                return Answered(poses=(made,))
            case EditAsk():
                made = self.pose_model(ask.choosing, cancelled).edit(ask.pose, ask.text)
                return Answered(poses=(made,))
            case EstimateAsk():
                model = self.pose_model(Choosing(), cancelled)
                person = model.estimate_person(ask.picture, box=ask.box)
                assert person.pose is not None
                return Answered(poses=(person.pose,))
            case ContactsAsk():
                return self._contacts(ask, cancelled)
            case ActionAsk():
                label = self.pose_model(Choosing(), cancelled).label(ask.pictures, ask.labels)
                return self._whole(f"DESCRIPTION: Somebody does this: {label}.\nLABEL: {label}")

    def _chat(self, ask: ChatAsk, on_text: TextCallback, cancelled: Event) -> Answered:
        choosing = ask.choosing
        chat = self.conversation(choosing, system=ask.system, cancelled=cancelled)
        for turn in ask.earlier:
            for pose in turn.shown:
                chat.hold(pose)
            chat.recall(turn.said, turn.answer)
            for pose in turn.made:
                chat.actions.held.hold(pose)
        for pose in ask.shown:
            chat.hold(pose)
        before = len(chat.poses)
        budget = self._budget(choosing.most_tokens, on_text)
        calls: tuple[str, ...] = ()
        try:
            calls = tuple(str(made.call) for made in chat.speak(ask.said, on_text=budget).calls)
            cut = False
        except EnoughSaidError:
            cut = True
        speaker = chat.speaker
        assert isinstance(speaker, BatchedSpeaker)
        return Answered(
            text=budget.text.strip(),
            poses=tuple(held.pose for held in chat.poses[before:]),
            calls=calls,
            prompt_tokens=speaker.prompt_tokens,
            answer_tokens=budget.tokens,
            cut=cut,
        )

    def _say(
        self, ask: DescribeAsk | CompareAsk, on_text: TextCallback, cancelled: Event
    ) -> Answered:
        model = self.pose_model(ask.choosing, cancelled)
        if isinstance(ask, DescribeAsk):
            text = model.describe(ask.pose, on_text=on_text)
        else:
            text = model.compare(ask.before, ask.after, on_text=on_text)
        if not model.cut:  # a text of one token may be a space
            text = checked_answer(text)
        return Answered(text=text, answer_tokens=model.answer_tokens, cut=model.cut)

    def _contacts(self, ask: ContactsAsk, cancelled: Event) -> Answered:
        choosing = ask.choosing
        drawn = choosing.seed if choosing.temperature > 0 else None
        model = self.pose_model(choosing, cancelled)
        found = model.contacts(ask.picture, people=ask.people, seed=drawn)
        words = words_of(found, VOCABULARIES[ask.people], people=ask.people)
        return self._whole(write_table(words, people=ask.people))

    def _whole(self, text: str) -> Answered:
        tokens = len(self.speaker.template.encode(text))
        return Answered(text=text, answer_tokens=tokens)

    def _budget(self, most: int, on_text: TextCallback) -> TokenBudget:
        template = self.speaker.template
        return TokenBudget(
            encode=template.encode, decode=template.decode, most=most, on_text=on_text
        )
