"""All visitors of the page: each is known by an id that cannot be guessed, the last ones stay."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from unipose.app.page.page_session import Converse, PageSession
from unipose.body.body import Body, load_body

MOST_SESSIONS = 32
"""Conversations that are kept; beyond it the one that was left alone longest is forgotten."""


class PageSessions:
    """Conversations by id, in memory and in one temporary folder; gone when the server ends."""

    def __init__(
        self, converse: Converse, *, own_body: Body | None = None, most: int = MOST_SESSIONS
    ) -> None:
        """`converse` gives conversations; `own_body` is what poses are drawn on, if not ours."""
        self.own_body = own_body
        self.body = load_body() if own_body is None else own_body
        self._converse, self._most = converse, most
        self._sessions: OrderedDict[str, PageSession] = OrderedDict()
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, session_id: str | None) -> PageSession | None:
        """Return a visitor's conversation, if it is still there."""
        with self._lock:
            if session_id is None or session_id not in self._sessions:
                return None
            self._sessions.move_to_end(session_id)
            return self._sessions[session_id]

    def begin(self) -> tuple[str, PageSession]:
        """Return a new conversation and its id."""
        with self._lock:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="unipose-page-")
            session_id = secrets.token_urlsafe(24)
            root = Path(self._folder.name) / secrets.token_hex(8)
            self._sessions[session_id] = PageSession(self._converse, root)
            while len(self._sessions) > self._most:
                _, oldest = self._sessions.popitem(last=False)
                oldest.stop()
                oldest.shelf.remove()
            return session_id, self._sessions[session_id]

    def close(self) -> None:
        """Stop all answers and remove all files."""
        with self._lock:
            for session in self._sessions.values():
                session.stop()
            self._sessions.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None
