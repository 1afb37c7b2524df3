"""The page over a conversation without models, and a visitor who reads its lines of JSON."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.fakes.assistant import FakeAssistant
from tests.fakes.speaker import TableSpeaker
from unipose.app.conversation import Conversation
from unipose.app.page.page_sessions import PageSessions
from unipose.app.page.router import page_router

TABLE = {
    "describe it": ["> describe", ""],
    "raise the left arm": ["> edit: raise the left arm", "Done: pose 2."],
    "what changed?": ["> compare", ""],
    "save it as mine.npz": ["> save: mine.npz", ""],
    "open ../secret.npz": ["> open: ../secret.npz", ""],
    "show me": ["> draw", "Here it is."],
    "go on": ["one two three four"],
}


def fake_sessions(table: dict[str, list[str]] | None = None, **options: Any) -> PageSessions:
    """Return sessions whose conversations say what a table has for a line."""

    def converse(folder: Path, stopped: threading.Event) -> Conversation:
        speaker = TableSpeaker(TABLE if table is None else table)
        return Conversation(FakeAssistant, lambda: speaker, files=folder)

    return PageSessions(converse, **options)


class PageVisitor:
    """Somebody with a browser, as far as the server can tell."""

    def __init__(self, sessions: PageSessions, *, begins: bool = True) -> None:
        app = FastAPI()
        app.include_router(page_router(sessions))
        self.client = TestClient(app, base_url="http://127.0.0.1:7860")
        if begins:
            self.page = self.client.get("/")

    def say(self, text: str) -> list[dict[str, Any]]:
        """Return the events of an answer."""
        return self.events("/page/say", {"text": text})

    def open(self, name: str) -> list[dict[str, Any]]:
        return self.events("/page/open", {"name": name})

    def events(self, path: str, content: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.client.post(path, json=content)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines() if line]

    def bring(self, name: str, content: bytes) -> Any:
        return self.client.put("/page/files", params={"name": name}, content=content)

    @property
    def conversation(self) -> dict[str, Any]:
        return self.client.get("/page/conversation").json()
