"""Chat models: the protocol of language models that are asked, and a disk cache before any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypedDict, runtime_checkable

from unipose.files.atomic import written_whole


class ChatMessage(TypedDict):
    """One turn, as /v1/chat/completions has it."""

    role: str
    content: str | list[dict[str, Any]]
    """A text, or its parts: texts and pictures."""


ChatMessages = list[ChatMessage]
Identity = dict[str, str | float | int | None]
"""All that an answer of a model depends on beside what it is asked."""


def text_of(turn: ChatMessage) -> str:
    """Return the text of a turn; pictures are left out."""
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "\n\n".join(part["text"] for part in content if part.get("type") == "text")


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What came back for one conversation: a text, or the reason why there is none."""

    text: str = ""
    problem: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    requests: int = 0
    """How often the model was asked for it; 0 if the answer was on disk."""


@runtime_checkable
class ChatModel(Protocol):
    """A language model, near or far."""

    @property
    def name(self) -> str:
        """Who is named as the writer of a text."""
        ...

    @property
    def identity(self) -> Identity:
        """All that an answer depends on beside the conversation."""
        ...

    def answers(self, conversations: Sequence[ChatMessages]) -> Iterator[tuple[int, Completion]]:
        """Give each conversation's position and answer, in the order in which they are ready."""
        ...


class CachedChatModel:
    """A backend that keeps every answer on disk at once, and never asks the same twice.

    Each answer is a file named by the content of its question, written whole or not at all, so
    several processes may share a folder and a killed run loses only what was being answered.
    """

    def __init__(self, backend: ChatModel, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.backend, self.folder = backend, folder

    @property
    def name(self) -> str:
        """The model behind the cache."""
        return self.backend.name

    @property
    def identity(self) -> Identity:
        """That of the model behind the cache."""
        return self.backend.identity

    def answers(self, conversations: Sequence[ChatMessages]) -> Iterator[tuple[int, Completion]]:
        """Give the answers on disk first, then those that the model had to be asked for."""
        paths = [self._path(conversation) for conversation in conversations]
        missing = []
        for i, path in enumerate(paths):
            kept = read_completion(path)
            if kept is None:
                missing.append(i)
            else:
                yield i, kept
        for place, answer in self.backend.answers([conversations[i] for i in missing]):
            i = missing[place]
            if answer.text:
                paths[i].parent.mkdir(exist_ok=True)
                with written_whole(paths[i]) as temporary:
                    temporary.write_text(json.dumps(asdict(answer)), encoding="utf-8")
            yield i, answer

    def _path(self, conversation: ChatMessages) -> Path:
        asked = json.dumps([self.identity, conversation], sort_keys=True)
        name = hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name}.json"


def read_completion(path: Path) -> Completion | None:
    """Return a kept answer; a damaged one counts as not there and is written anew."""
    try:
        kept = Completion(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return replace(kept, requests=0) if kept.text else None
