"""The models behind all conversations of the page: loaded once, asked by one turn at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from unipose.app.conversation import ConversationSpeaker
from unipose.app.pose_actions import Assistant
from unipose.app.wording import problem_in_words
from unipose.body.body import Body, load_body
from unipose.errors import PoseQueryError, UniPoseError

LoadingState = Literal["asleep", "loading", "ready", "failed"]
MOST_WAITING = 16
"""Turns that wait for the models; more are refused."""


class PageModels:
    """The pose model and the one that leads conversations; `turn` gives them to one at a time."""

    def __init__(
        self,
        load: Callable[[], Assistant],
        load_speaker: Callable[[], ConversationSpeaker] | None = None,
        *,
        body: Body | None = None,
    ) -> None:
        self._load, self._load_speaker = load, load_speaker
        self._assistant: Assistant | None = None
        self._speaker: ConversationSpeaker | None = None
        self.own_body = body
        self.body = load_body() if body is None else body
        """What poses are drawn on."""
        self.state: LoadingState = "asleep"
        self.problem = ""
        """Why the models could not be loaded."""
        self._loading = threading.Lock()
        self._asked = threading.Lock()
        self._waiting = 0

    def assistant(self) -> Assistant:
        """Return the pose model."""
        with self._loading:
            self._assistant = self._assistant or self._load()
            return self._assistant

    def speaker(self) -> ConversationSpeaker:
        """Return the model that leads conversations."""
        with self._loading:
            if self._speaker is None:
                self._speaker = (self._load_speaker or _embedded_speaker)()
            return self._speaker

    def load_all(self) -> None:
        """Load everything; what goes wrong is kept in `problem`, and said by the next question."""
        self.state = "loading"
        try:
            self.speaker()
            self.assistant()
        except (UniPoseError, OSError) as error:
            self.state, self.problem = "failed", problem_in_words(error)
        else:
            self.state = "ready"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until nobody else asks. Raises PoseQueryError if too many wait."""
        if self._waiting >= MOST_WAITING:
            raise PoseQueryError("too many people ask at the same time; try again in a minute")
        self._waiting += 1
        try:
            with self._asked:
                yield
        finally:
            self._waiting -= 1


def _embedded_speaker() -> ConversationSpeaker:
    from unipose.language.conversation_model import ConversationModel  # loads transformers

    return ConversationModel.load()
