"""/v1/chat/completions and /v1/models, as OpenAI's clients speak to them."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from unipose.app.server.answer_streams import AnsweringModels, News
from unipose.app.server.asks import ActionAsk, Answered, Ask, Choosing, usable_temperature
from unipose.app.server.chat_asks import (
    answer_tokens,
    check_size,
    conversation_ask,
    known_prompt,
    seeded,
)
from unipose.app.server.chat_schema import LARGEST_SEED, ChatRequest
from unipose.app.server.pose_schema import PoseData
from unipose.app.server.refusals import REFUSALS, RefusalError, refusal_of
from unipose.app.server.request_pictures import RequestPictures, deadline_of
from unipose.errors import UniPoseError

MODEL = "unipose"


class ChatUsage(BaseModel):
    """Tokens of text, counted as the language model counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnsweredMessage(BaseModel):
    """What was answered; `poses` and `calls` stand beside OpenAI's fields."""

    role: Literal["assistant"] = "assistant"
    content: str
    poses: list[PoseData]
    calls: list[str]


class ChatChoice(BaseModel):
    """One of n answers."""

    index: int
    message: AnsweredMessage
    finish_reason: Literal["stop", "length"]


class ChatCompletion(BaseModel):
    """All answers to a request."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: ChatUsage


class ServedModelName(BaseModel):
    """A model that may be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ServedModelNames(BaseModel):
    """All models that may be asked."""

    object: Literal["list"] = "list"
    data: list[ServedModelName]


def chat_router() -> APIRouter:
    """Return the endpoints; what they need stands in the application's state."""
    router = APIRouter(prefix="/v1", tags=["chat"], responses=REFUSALS)

    @router.get("/models")
    async def models() -> ServedModelNames:
        """List the one model."""
        return ServedModelNames(data=[ServedModelName(id=MODEL, created=0, owned_by="unipose")])

    @router.get("/models/{name}")
    async def model(name: str) -> ServedModelName:
        """Return the one model."""
        if name != MODEL:
            raise RefusalError(404, f"there is no such model; the one here is {MODEL!r}")
        return ServedModelName(id=MODEL, created=0, owned_by="unipose")

    @router.post("/chat/completions", response_model=ChatCompletion)
    async def complete(asked: ChatRequest, request: Request) -> ChatCompletion | StreamingResponse:
        """Answer the last message of a conversation; the answer may hold poses.

        With `stream` the answer comes as server-sent events, `data: {...}`, and ends with
        `data: [DONE]`.
        """
        asks = await _asks(asked, request)
        chosen = _Choices(request.app.state.models, asks, deadline_of(request))
        if not asked.stream:
            return await chosen.completion()
        told = asked.stream_options is not None and asked.stream_options.include_usage
        first = await anext(chosen.news)  # what is refused is refused before anything is sent
        return StreamingResponse(chosen.events(first, usage=told), media_type="text/event-stream")

    return router


async def _asks(asked: ChatRequest, request: Request) -> list[Ask]:
    """Return one ask for each choice. Raises RefusalError."""
    if asked.model != MODEL:
        raise RefusalError(404, f"there is no such model; the one here is {MODEL!r}", param="model")
    settings = request.app.state.settings
    check_size(asked, settings)
    choosing = Choosing(
        temperature=usable_temperature(asked.temperature or 0.0),
        seed=secrets.randbelow(LARGEST_SEED) if asked.seed is None else asked.seed,
        most_tokens=answer_tokens(asked, settings),
    )
    pictures = RequestPictures(request)
    ask = await known_prompt(asked, pictures.read, choosing)
    if ask is None:
        ask = await conversation_ask(asked, pictures.find_pose, choosing)
    if isinstance(ask, ActionAsk):
        return [ask] * asked.n
    return [seeded(ask, number) for number in range(asked.n)]


class _Choices:
    """The choices of one request, which are answered side by side."""

    def __init__(self, models: AnsweringModels, asks: Sequence[Ask], deadline: float) -> None:
        self.asks = asks
        self.news = self._merged(models, deadline)
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": MODEL,
            "system_fingerprint": f"unipose-{version('unipose')}",
        }

    async def completion(self) -> ChatCompletion:
        """Return all choices when they are complete."""
        found: dict[int, Answered] = {}
        async with aclosing(self.news):
            async for number, news in self.news:
                if isinstance(news, Answered):
                    found[number] = news
        return ChatCompletion(
            **self._head,
            choices=[
                ChatChoice(index=i, message=_message(answer), finish_reason=_reason(answer))
                for i, answer in sorted(found.items())
            ],
            usage=_usage(list(found.values())),
        )

    async def events(self, first: tuple[int, News], *, usage: bool) -> AsyncIterator[str]:
        """Give the events of a stream."""
        found: list[Answered] = []
        async with aclosing(self.news):
            for number in range(len(self.asks)):
                yield self._event(number, {"role": "assistant", "content": ""})
            try:
                for event in self._told(*first, found):
                    yield event
                async for number, news in self.news:
                    for event in self._told(number, news, found):
                        yield event
            except (RefusalError, UniPoseError) as error:
                refusal = error if isinstance(error, RefusalError) else refusal_of(error)
                yield _data(refusal.content())
                return
        if usage:
            yield _data(self._chunk([]) | {"usage": _usage(found).model_dump()})
        yield "data: [DONE]\n\n"

    def _told(self, number: int, news: News, found: list[Answered]) -> list[str]:
        if isinstance(news, str):
            return [self._event(number, {"content": news})]
        found.append(news)
        message = _message(news).model_dump(include={"poses", "calls"})
        added = {name: value for name, value in message.items() if value}
        return [
            *([self._event(number, added)] if added else []),
            self._event(number, {}, _reason(news)),
        ]

    def _event(self, number: int, delta: dict[str, Any], reason: str | None = None) -> str:
        return _data(self._chunk([{"index": number, "delta": delta, "finish_reason": reason}]))

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._head | {"object": "chat.completion.chunk", "choices": choices}

    async def _merged(
        self, models: AnsweringModels, deadline: float
    ) -> AsyncGenerator[tuple[int, News], None]:
        """Give the news of all choices as they come; the first error ends all."""
        together: asyncio.Queue[tuple[int, News | BaseException | None]] = asyncio.Queue()

        async def listen(number: int, ask: Ask) -> None:
            try:
                async with aclosing(models.stream(ask, deadline)) as stream:
                    async for news in stream:
                        together.put_nowait((number, news))
                together.put_nowait((number, None))
            except Exception as error:  # noqa: BLE001 (raised below)
                together.put_nowait((number, error))

        tasks = [asyncio.create_task(listen(i, ask)) for i, ask in enumerate(self.asks)]
        left = len(tasks)
        try:
            while left:
                number, news = await together.get()
                if isinstance(news, BaseException):
                    raise news
                if news is None:
                    left -= 1
                else:
                    yield number, news
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _message(answer: Answered) -> AnsweredMessage:
    poses = [PoseData.of(pose) for pose in answer.poses]
    return AnsweredMessage(content=answer.text, poses=poses, calls=list(answer.calls))


def _reason(answer: Answered) -> Literal["stop", "length"]:
    return "length" if answer.cut else "stop"


def _usage(answers: Sequence[Answered]) -> ChatUsage:
    prompt = answers[0].prompt_tokens if answers else 0
    said = sum(answer.answer_tokens for answer in answers)
    return ChatUsage(prompt_tokens=prompt, completion_tokens=said, total_tokens=prompt + said)


def _data(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False, allow_nan=False)}\n\n"
