"""Prompts of a language model: the task, the draft, and what was wrong with its last answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from data_builders.refining.draft import MOST_WORDS, Kind
from unipose.priors.chat_models import ChatMessages

_SYSTEM: dict[Kind, str] = {
    "caption": (
        "You edit descriptions of human poses. A program measured a body and noted, item by item, "
        "all that it found. You say the same the way an observant person would at a glance."
    ),
    "change": (
        "You edit instructions for changing a human pose. A program compared two poses and noted, "
        "item by item, what to move to get from the first to the second. You say the same the way "
        "a dance teacher would."
    ),
}
_TASK: dict[Kind, str] = {
    "caption": (
        "Put the description below into one or two plain, fluent sentences of fewer than {limit} "
        "words altogether.\n"
        '* Start with the person: "The person ...", "Someone ...".\n'
        "* First name what the whole body does, if the description makes it clear (kneeling, "
        "lunging, a T-pose), then what is notable about arms and legs.\n"
        "* Join details that belong together, and leave out what goes without saying.\n"
        "* Left and right are the person's own sides. Keep every one of them as it is, and never "
        'write "one hand" or "a leg".\n'
        "* Do not add anything: no mood, clothes, surroundings or purpose, and no limb that is "
        "not mentioned.\n"
        "Reply with the new description and nothing else.\n\n"
        "Description: {text}"
    ),
    "change": (
        "Put the instruction below into one or two plain, fluent sentences of fewer than {limit} "
        "words altogether.\n"
        "* Address the person who moves, as in a lesson.\n"
        "* Join details that belong to one movement, and leave out what follows from it.\n"
        "* If the body turns or comes to face another way, say so.\n"
        "* Left and right are the person's own sides. Keep every one of them as it is, and never "
        'write "one hand" or "a leg".\n'
        "* Do not add any movement and do not turn one into its opposite.\n"
        "Reply with the new instruction and nothing else.\n\n"
        "Instruction: {text}"
    ),
}
_AGAIN = "This cannot stay: {faults}. Put it right, keep the rest, and reply with the text alone."
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_QUOTES = "\"'`*\u201c\u201d\u2018\u2019 \t\r\n"


def ask_for(kind: Kind, text: str) -> ChatMessages:
    """Return the conversation that asks for the refined version of a draft."""
    task = _TASK[kind].format(limit=MOST_WORDS + 1, text=text)
    return [
        {"role": "system", "content": _SYSTEM[kind]},
        {"role": "user", "content": task},
    ]


def ask_again(conversation: ChatMessages, answer: str, faults: Sequence[str]) -> ChatMessages:
    """Return the conversation carried on with what is wrong with the last answer."""
    return [
        *conversation,
        {"role": "assistant", "content": answer},
        {"role": "user", "content": _AGAIN.format(faults=", and ".join(faults))},
    ]


def tidy(answer: str) -> str:
    """Return an answer on one line, without a model's thoughts or quotation marks around it."""
    return " ".join(_THOUGHTS.sub(" ", answer).strip(_QUOTES).split())
