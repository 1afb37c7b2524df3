"""What is asked of the models and what comes back: plain data that also goes to other machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unipose.app.pose_actions import HeldPose
from unipose.body.people import Box
from unipose.body.pose import Pose
from unipose.files.photo import Pixels

COLDEST = 1e-3
"""Least temperature at which anything is drawn; logits over less would be infinite."""


def usable_temperature(temperature: float) -> float:
    """Return a temperature that logits can be divided by, or 0: the likeliest answer."""
    return temperature if temperature >= COLDEST else 0.0


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """How an answer is chosen."""

    temperature: float = 0.0
    """0: the likeliest one."""
    seed: int = 0
    most_tokens: int = 200
    """Tokens of text, counted as the language model counts them."""


@dataclass(frozen=True, kw_only=True)
class EarlierTurn:
    """A turn of a conversation that was answered before."""

    shown: tuple[HeldPose, ...] = ()
    """Poses that came with what was said."""
    said: str
    answer: str
    made: tuple[HeldPose, ...] = ()
    """Poses that came with the answer."""


@dataclass(frozen=True, kw_only=True)
class ChatAsk:
    """The next sentence of a conversation."""

    said: str
    shown: tuple[HeldPose, ...] = ()
    earlier: tuple[EarlierTurn, ...] = ()
    system: str = ""
    """What is read first, behind the model's own words."""
    choosing: Choosing = Choosing()


@dataclass(frozen=True, kw_only=True, eq=False)
class DescribeAsk:
    """A pose in words."""

    pose: Pose
    choosing: Choosing = Choosing()


@dataclass(frozen=True, kw_only=True, eq=False)
class CompareAsk:
    """What changes from one pose to another, in words."""

    before: Pose
    after: Pose
    choosing: Choosing = Choosing()


@dataclass(frozen=True, kw_only=True)
class GenerateAsk:
    """A pose from words."""

    text: str
    choosing: Choosing = Choosing()


@dataclass(frozen=True, kw_only=True, eq=False)
class EditAsk:
    """A pose changed by words."""

    pose: Pose
    text: str
    choosing: Choosing = Choosing()


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimateAsk:
    """The pose of a person in a picture."""

    picture: Pixels
    box: Box | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactsAsk:
    """A table of the parts that touch, as `contact.prompts` asks for it."""

    picture: Pixels
    people: Literal[1, 2]
    choosing: Choosing = Choosing()


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionAsk:
    """The name of what somebody does, as `priors.action_names` asks for it."""

    pictures: tuple[Pixels, ...]
    labels: tuple[str, ...]


Ask = (
    ChatAsk | DescribeAsk | CompareAsk | GenerateAsk | EditAsk
    | EstimateAsk | ContactsAsk | ActionAsk
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """What came back."""

    text: str = ""
    poses: tuple[Pose, ...] = ()
    """Each of them one pose."""
    calls: tuple[str, ...] = ()
    """Calls that the language model wrote, in order."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cut: bool = False
    """Whether the text ended at the most tokens."""
