"""Models without a model: their answers take as long as told; they know what was given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from unipose.app.server.answer_streams import News
from unipose.app.server.asks import Answered, Ask, ChatAsk
from unipose.app.server.refusals import RefusalError
from unipose.app.server.server_metrics import ServerMetrics


class SlowModels:
    """Says `pieces` words, each after `pause_s`; a conversation is answered with what was said."""

    def __init__(self, pause_s: float = 0.01, pieces: int = 5) -> None:
        self.metrics = ServerMetrics()
        self.pause_s, self.pieces = pause_s, pieces
        self.running = self.most = self.given_up = self.finished = 0

    async def stream(self, ask: Ask, deadline: float) -> AsyncGenerator[News, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        whole = False
        text = ask.said if isinstance(ask, ChatAsk) else "words"
        try:
            for number in range(self.pieces):
                left = deadline - time.monotonic()
                if left < self.pause_s:
                    await asyncio.sleep(max(left, 0))
                    raise RefusalError(504, "too late")
                await asyncio.sleep(self.pause_s)
                yield text if number == 0 else " more"
            whole = True
            yield Answered(text=text + " more" * (self.pieces - 1), answer_tokens=self.pieces)
        finally:
            self.running -= 1
            self.finished += whole
            self.given_up += not whole

    def close(self) -> None:
        pass
