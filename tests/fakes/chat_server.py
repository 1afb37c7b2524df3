"""A chat server on loopback that answers as told: well, wrongly, late, hugely or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What one request gets; `text` makes a chat completion, `body` is sent as it is."""

    text: str = ""
    more: tuple[str, ...] = ()
    """Texts of further choices."""
    status: int = 200
    body: bytes | None = None
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    finish: str = "stop"
    hang_up: bool = False

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "fake",
                "choices": [
                    {
                        "index": i,
                        "message": {"role": "assistant", "content": text},
                        "finish_reason": self.finish,
                    }
                    for i, text in enumerate((self.text, *self.more))
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
        ).encode()


@dataclass
class ChatServer:
    """Address, and all that was asked so far."""

    url: str
    requests: list[dict[str, Any]]
    times: list[float]


Answerer = Callable[[dict[str, Any], int], Reply]
"""(request, how many came before) -> reply."""


@contextmanager
def chat_server(answer: Answerer) -> Iterator[ChatServer]:
    """Serve /v1/chat/completions while the block runs."""
    seen: list[dict[str, Any]] = []
    times: list[float] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                before = len(seen)
                seen.append(asked)
                times.append(time.monotonic())
            reply = answer(asked, before)
            if self.path != "/v1/chat/completions":
                reply = Reply(status=404, body=b'{"error": {"message": "no such page"}}')
            time.sleep(reply.wait_s)
            if reply.hang_up:
                self.close_connection = True
                return
            content = reply.content()
            try:
                self.send_response(reply.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the client has gone
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield ChatServer(f"http://127.0.0.1:{server.server_address[1]}/v1", seen, times)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
