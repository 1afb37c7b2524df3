"""From the messages of a request to what the models are asked.

Neighbouring messages of one role are one. A picture becomes the pose of the person in it before the
conversation begins. A message that begins with the instruction of our own prompts (contacts,
actions) is no conversation: the model answers it as `priors` and `contact` read answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from unipose.app.pose_actions import HeldPose
from unipose.app.server.asks import ActionAsk, ChatAsk, Choosing, ContactsAsk, EarlierTurn
from unipose.app.server.chat_schema import (
    AssistantMessage,
    ChatRequest,
    ChatTurn,
    ContentPart,
    PicturePart,
    PosePart,
    SystemMessage,
    TextPart,
    UserMessage,
)
from unipose.app.server.pose_schema import PoseData
from unipose.app.server.refusals import RefusalError
from unipose.app.server.settings import ServerSettings
from unipose.body.pose import Pose
from unipose.contact.prompts import INSTRUCTIONS
from unipose.files.photo import Pixels
from unipose.priors.action_names import INSTRUCTION

SHOWN_ALONE = "Describe this pose."
"""What is asked where a pose or a picture comes without words."""

ReadPicture = Callable[[str], Awaitable[Pixels]]
FindPose = Callable[[str], Awaitable[Pose]]


@dataclass(kw_only=True)
class _Turn:
    """One or several messages of one role."""

    role: Literal["user", "assistant"]
    texts: list[str] = field(default_factory=list)
    shown: list[HeldPose] = field(default_factory=list)


def check_size(request: ChatRequest, settings: ServerSettings) -> None:
    """Raise RefusalError 422 for more messages, parts or pictures than are read."""
    parts = [part for message in request.messages for part in _parts(message)]
    pictures = sum(isinstance(part, PicturePart) for part in parts)
    for name, count, most in (
        ("messages", len(request.messages), settings.most_messages),
        ("parts", len(parts), settings.most_parts + settings.most_messages),
        ("pictures", pictures, settings.most_pictures),
        ("n", request.n, settings.most_choices),
        ("max_tokens", answer_tokens(request, settings), settings.longest_answer),
    ):
        if count > most:
            raise RefusalError(422, f"at most {most} {name} are possible, got {count}", param=name)


def answer_tokens(request: ChatRequest, settings: ServerSettings) -> int:
    """Return how many tokens a request asks for at most."""
    given = (request.max_completion_tokens, request.max_tokens)
    return min((one for one in given if one is not None), default=settings.longest_answer)


async def known_prompt(
    request: ChatRequest, read: ReadPicture, choosing: Choosing
) -> ContactsAsk | ActionAsk | None:
    """Return what a request asks that is one of our own prompts; None for a conversation.

    Raises RefusalError 422 for such a prompt without the pictures that belong to it.
    """
    if len(request.messages) != 2 or not isinstance(request.messages[0], SystemMessage):
        return None
    system, asked = (_text(_parts(message)) for message in request.messages)
    people = next((n for n, text in INSTRUCTIONS.items() if text == system), None)
    labels = system.removeprefix(INSTRUCTION) if system.startswith(INSTRUCTION) else ""
    if people is None and not labels:
        return None
    urls = [p.image_url.url for p in _parts(request.messages[1]) if isinstance(p, PicturePart)]
    pictures = [await read(url) for url in urls]
    if people is not None:
        if len(pictures) != 1:
            raise RefusalError(422, f"contacts are seen in one picture, got {len(pictures)}")
        return ContactsAsk(picture=pictures[0], people=1 if people == 1 else 2, choosing=choosing)
    if not pictures:
        raise RefusalError(422, f"an action is seen in pictures; got the words {asked[:80]!r}")
    return ActionAsk(pictures=tuple(pictures), labels=tuple(labels.splitlines()))


async def conversation_ask(request: ChatRequest, find: FindPose, choosing: Choosing) -> ChatAsk:
    """Return what a conversation goes on with.

    Raises RefusalError 422 if the last message is not the user's or there is nothing in it.
    """
    system, spoken = [], []
    for message in request.messages:
        if isinstance(message, SystemMessage):
            system.append(_text(_parts(message)))
            continue
        if not spoken or spoken[-1].role != message.role:
            spoken.append(_Turn(role=message.role))
        await _add(message, spoken[-1], find)
    if not spoken or spoken[0].role != "user" or spoken[-1].role != "user":
        raise RefusalError(
            422, "the first and the last message have to be the user's", param="messages"
        )
    pairs = zip(spoken[:-1:2], spoken[1::2], strict=True)
    last = spoken[-1]
    return ChatAsk(
        said=_said(last),
        shown=tuple(last.shown),
        earlier=tuple(
            EarlierTurn(
                said=_said(user), shown=tuple(user.shown), answer=" ".join(said.texts),
                made=tuple(said.shown),
            )
            for user, said in pairs
        ),
        system="\n".join(system),
        choosing=choosing,
    )  # fmt: skip


def seeded(ask: ChatAsk | ContactsAsk, number: int) -> ChatAsk | ContactsAsk:
    """Return the ask of a further choice: its seed is counted on."""
    seed = (ask.choosing.seed + number) % (1 << 63)
    return replace(ask, choosing=replace(ask.choosing, seed=seed))


async def _add(message: UserMessage | AssistantMessage, spoken: _Turn, find: FindPose) -> None:
    if isinstance(message, AssistantMessage):
        spoken.shown += [_held(data, "an earlier answer") for data in message.poses]
    for part in _parts(message):
        match part:
            case TextPart():
                spoken.texts.append(part.text)
            case PosePart():
                spoken.shown.append(_held(part.pose, "the request"))
            case PicturePart():
                pose = await find(part.image_url.url)
                held = HeldPose(pose=pose, origin="the person in a picture", from_photo=True)
                spoken.shown.append(held)


def _held(data: PoseData, origin: str) -> HeldPose:
    return HeldPose(pose=data.pose(), origin=origin)


def _said(spoken: _Turn) -> str:
    text = "\n".join(spoken.texts)
    return SHOWN_ALONE if spoken.shown and not text.strip() else text


def _parts(message: ChatTurn) -> Sequence[ContentPart]:
    content = message.content
    if content is None:
        return []
    return [TextPart(type="text", text=content)] if isinstance(content, str) else content


def _text(parts: Sequence[ContentPart]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))
