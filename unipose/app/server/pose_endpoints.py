"""/v1/poses/...: describe, compare, generate, edit and estimate, each one plain question."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from unipose.app.server.answer_streams import answer_of
from unipose.app.server.asks import (
    Answered,
    Ask,
    Choosing,
    CompareAsk,
    DescribeAsk,
    EditAsk,
    GenerateAsk,
    usable_temperature,
)
from unipose.app.server.chat_schema import LARGEST_SEED, SamplingFields
from unipose.app.server.pose_rows import DRAWN_AT
from unipose.app.server.pose_schema import Finite, PoseData, Strict
from unipose.app.server.refusals import REFUSALS
from unipose.app.server.request_pictures import RequestPictures, deadline_of
from unipose.assistant.request_texts import LONGEST_TEXT

MOST_TOKENS = 200
Words = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Pixel = Annotated[Finite, Field(ge=-100_000, le=100_000)]


class DescribeRequest(SamplingFields):
    """A pose to be said in words."""

    pose: PoseData
    max_tokens: int = Field(default=MOST_TOKENS, ge=1, le=MOST_TOKENS)


class CompareRequest(SamplingFields):
    """Two poses whose difference is to be said in words."""

    before: PoseData
    after: PoseData
    max_tokens: int = Field(default=MOST_TOKENS, ge=1, le=MOST_TOKENS)


class GenerateRequest(SamplingFields):
    """Words that a pose is made from; with a seed it is drawn, else it is the likeliest."""

    text: Words


class EditRequest(SamplingFields):
    """A pose and how it is to be changed."""

    pose: PoseData
    text: Words


class EstimateRequest(Strict):
    """A picture of a person."""

    image_url: str = Field(max_length=24_000_000)
    """data:image/png;base64,... (png, jpeg or webp)."""
    box: list[Pixel] | None = Field(default=None, min_length=4, max_length=4)
    """Who is meant: left, top, right, bottom (pixels)."""


class TextAnswer(BaseModel):
    """Words."""

    text: str
    tokens: int
    cut: bool
    """Whether the text ended at `max_tokens`."""


class PoseMade(BaseModel):
    """A pose."""

    pose: PoseData


def pose_router() -> APIRouter:
    """Return the endpoints; what they need stands in the application's state."""
    router = APIRouter(prefix="/v1/poses", tags=["poses"], responses=REFUSALS)

    @router.post("/describe")
    async def describe(asked: DescribeRequest, request: Request) -> TextAnswer:
        """Say a pose in words."""
        choosing = _choosing(asked, most_tokens=asked.max_tokens)
        return _text(await _answer(request, DescribeAsk(pose=asked.pose.pose(), choosing=choosing)))

    @router.post("/compare")
    async def compare(asked: CompareRequest, request: Request) -> TextAnswer:
        """Say what changes from one pose to another."""
        ask = CompareAsk(
            before=asked.before.pose(), after=asked.after.pose(),
            choosing=_choosing(asked, most_tokens=asked.max_tokens),
        )  # fmt: skip
        return _text(await _answer(request, ask))

    @router.post("/generate")
    async def generate(asked: GenerateRequest, request: Request) -> PoseMade:
        """Make the pose that words describe."""
        ask = GenerateAsk(text=asked.text, choosing=_choosing(asked))
        return _made(await _answer(request, ask))

    @router.post("/edit")
    async def edit(asked: EditRequest, request: Request) -> PoseMade:
        """Change a pose as words say."""
        ask = EditAsk(pose=asked.pose.pose(), text=asked.text, choosing=_choosing(asked))
        return _made(await _answer(request, ask))

    @router.post("/estimate")
    async def estimate(asked: EstimateRequest, request: Request) -> PoseMade:
        """Read the pose of a person off a picture; its place is that before the camera."""
        box = None if asked.box is None else tuple(asked.box)
        pictures = RequestPictures(request)
        pose = await pictures.find_pose(asked.image_url, box=box, placed=True)  # type: ignore[arg-type]
        return PoseMade(pose=PoseData.of(pose))

    return router


async def _answer(request: Request, ask: Ask) -> Answered:
    return await answer_of(request.app.state.models, ask, deadline_of(request))


def _choosing(asked: SamplingFields, most_tokens: int = MOST_TOKENS) -> Choosing:
    """Return how a request wants its answer chosen: a seed alone draws at the usual temperature."""
    temperature = asked.temperature
    if temperature is None:
        temperature = 0.0 if asked.seed is None else DRAWN_AT
    seed = secrets.randbelow(LARGEST_SEED) if asked.seed is None else asked.seed
    return Choosing(temperature=usable_temperature(temperature), seed=seed, most_tokens=most_tokens)


def _text(answer: Answered) -> TextAnswer:
    return TextAnswer(text=answer.text, tokens=answer.answer_tokens, cut=answer.cut)


def _made(answer: Answered) -> PoseMade:
    return PoseMade(pose=PoseData.of(answer.poses[0]))
