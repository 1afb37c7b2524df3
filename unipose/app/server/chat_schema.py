"""OpenAI's chat completions as this server reads and answers them.

A content part may also be a pose (`pose_schema`), and a message that is answered has `poses`.
Fields that change nothing here may stand there with the value that changes nothing; anything else
is refused rather than ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from unipose.app.server.pose_schema import Finite, PoseData, Strict

LONGEST_TEXT = 32_768
"""Characters of one text."""
LARGEST_SEED = 2**63 - 1

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class TextPart(Strict):
    """Words."""

    type: Literal["text"]
    text: Text


class PictureAddress(Strict):
    """Where a picture is: in the address itself (data:image/png;base64,...)."""

    url: str = Field(max_length=24_000_000)
    detail: Literal["auto", "low", "high"] = "auto"
    """Read, and without effect."""


class PicturePart(Strict):
    """A picture of a person."""

    type: Literal["image_url"]
    image_url: PictureAddress


class PosePart(Strict):
    """A pose."""

    type: Literal["pose"]
    pose: PoseData


ContentPart = Annotated[TextPart | PicturePart | PosePart, Field(discriminator="type")]
Content = Text | Annotated[list[ContentPart], Field(min_length=1, max_length=64)]
TextContent = Text | Annotated[list[TextPart], Field(min_length=1, max_length=64)]
Nothing = None | Annotated[list[Any], Field(max_length=0)]


class SystemMessage(Strict):
    """What is read before a conversation."""

    role: Literal["system", "developer"]
    content: TextContent
    name: str | None = None


class UserMessage(Strict):
    """What a user says and shows."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(Strict):
    """What was answered, as it came: it may be sent back as it is."""

    role: Literal["assistant"]
    content: TextContent | None = None
    poses: list[PoseData] = Field(default=[], max_length=16)
    calls: list[Text] = Field(default=[], max_length=16)
    name: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    tool_calls: Nothing = None
    annotations: Nothing = None


ChatTurn = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class StreamOptions(Strict):
    """What a stream tells besides."""

    include_usage: bool = False


class SamplingFields(Strict):
    """How an answer is chosen."""

    temperature: Annotated[Finite, Field(ge=0, le=2)] | None = None
    """0, as without it: the likeliest answer."""
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = None
    """The same seed gives the same answer; without one it is drawn."""


class ChatRequest(SamplingFields):
    """POST /v1/chat/completions."""

    model: Annotated[str, Field(max_length=200)] = "unipose"
    messages: list[ChatTurn] = Field(min_length=1)
    n: int = Field(default=1, ge=1)
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    top_p: Annotated[Finite, Field(ge=1, le=1)] | None = None
    frequency_penalty: Annotated[Finite, Field(ge=0, le=0)] | None = None
    presence_penalty: Annotated[Finite, Field(ge=0, le=0)] | None = None
    logprobs: Literal[False] | None = None
    stop: Nothing = None
    tools: Nothing = None
