"""How people ask: the tasks, what each reads and answers, and the words it is asked in.

`{pose}` stands for a pose, `{image}` for a picture, `{first}` and `{second}` for two of either;
`{text}` for a description or an instruction, `{who}` for words that single out a person,
`{actions}` for a list to choose from, `{seen}` for somebody who is shown in whatever way (see
`body_in` and `motion_in`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from unipose.errors import PoseQueryError
from unipose.language.pictures import Picture
from unipose.language.rendering import Part

Thing = TypeVar("Thing")

_INSTRUCTIONS = Path(__file__).with_name("instructions")


class Task(StrEnum):
    """What can be asked of the model."""

    DESCRIBE = "describe"
    """Pose -> text (pose-to-text)."""
    GENERATE = "generate"
    """Text -> pose (text-to-pose)."""
    COMPARE = "compare"
    """Two poses -> how to get from the first to the second (pose-diff)."""
    EDIT = "edit"
    """Pose and instruction -> pose (pose-edit)."""
    IMAGE_TO_TEXT = "image_to_text"
    """Picture -> text."""
    IMAGE_DIFF = "image_diff"
    """Two pictures -> how to get from the pose of the first to that of the second."""
    ESTIMATE = "estimate"
    """Picture -> pose."""
    REASON = "reason"
    """Picture of several people, and words that single out one -> pose."""
    CONTACTS = "contacts"
    """Picture or pose -> table of touching body parts, of one person or between two."""
    MOTION_LABEL = "motion_label"
    """Pictures or poses in order, and a list of actions -> one of them."""


SLOTS: dict[Task, tuple[str, ...]] = {
    Task.DESCRIBE: ("pose",),
    Task.GENERATE: ("text",),
    Task.COMPARE: ("first", "second"),
    Task.EDIT: ("pose", "text"),
    Task.IMAGE_TO_TEXT: ("image",),
    Task.IMAGE_DIFF: ("first", "second"),
    Task.ESTIMATE: ("image",),
    Task.REASON: ("image", "who"),
    Task.CONTACTS: ("seen",),
    Task.MOTION_LABEL: ("seen", "actions"),
}
"""What the words of each task leave open; every slot is there exactly once."""


class Wording(StrEnum):
    """Which words a task is asked in."""

    FIXED = "fixed"
    """Always the same (FIXED), as UniPose's pre-training stages have it."""
    TALK = "talk"
    """As people type in a chat (PHRASINGS); the tasks of poses and texts."""
    INSTRUCT = "instruct"
    """For instruction tuning: any of a hundred sentences per task (`instructions`), as people type
    them in a chat, and one time in four the fixed ones, by which programs ask."""


PHRASINGS: dict[Task, tuple[str, ...]] = {
    Task.DESCRIBE: (
        "Describe the pose {pose}.",
        "Describe this pose: {pose}",
        "{pose} Describe it.",
        "What is the person doing with their body in {pose}?",
        "Put the pose {pose} into words.",
        "How does the body in {pose} look?",
        "Here is a pose: {pose} What do you see?",
        "Tell me about the pose {pose}.",
        "Explain how the limbs are placed in {pose}.",
        "Write a description of {pose}.",
        "Give me a description of the pose {pose}.",
        "What does {pose} look like?",
        "In words, what is {pose}?",
        "Where are the arms and legs in {pose}?",
        "Caption this pose: {pose}",
        "Write a caption for {pose}.",
        "Look at {pose} and describe the posture.",
        "How is the person in {pose} standing or sitting?",
        "What posture is {pose}?",
        "Say what the body is doing in {pose}.",
        "Turn the pose {pose} into a text.",
        "Please describe {pose} in detail.",
        "Could you describe the pose {pose} for me?",
        "I have the pose {pose}. How would you describe it?",
        "Spell out the posture {pose}.",
        "Translate {pose} into language.",
        "For someone who cannot see it, describe {pose}.",
        "Read the pose {pose} and report it.",
        "How are the joints bent in {pose}?",
        "Which way do arms and legs go in {pose}?",
        "Summarise the body position {pose}.",
        "What would you say about {pose}?",
        "{pose} What pose is this?",
        "{pose} How is this person posed?",
        "{pose} Tell me what you see.",
        "Given {pose}, state how the body is held.",
        "Describe the body configuration of {pose}.",
        "Report the position of every limb in {pose}.",
        "A person holds {pose}. Describe them.",
        "Characterise the pose {pose}.",
        "Describe how this person holds their body: {pose}",
        "What is going on in the pose {pose}?",
        "Name the main features of {pose}.",
        "describe {pose}",
    ),
    Task.GENERATE: (
        "Make a pose: {text}",
        "Generate a pose: {text}",
        "Create a pose for this description: {text}",
        "Show me this pose. {text}",
        "Give me the pose described here: {text}",
        "What pose is this? {text}",
        "Turn this text into a pose. {text}",
        "Pose a person like this: {text}",
        "Put a body into this pose: {text}",
        "{text} Show the pose.",
        "{text} Generate it.",
        "{text} What does this look like as a pose?",
        "{text} Make that pose.",
        "{text}",
        "I need a pose. {text}",
        "I want a figure like this: {text}",
        "Produce a body pose that fits: {text}",
        "Please generate the following pose. {text}",
        "Could you make this pose? {text}",
        "Write the pose for: {text}",
        "Draw up a pose as follows. {text}",
        "Build the pose from the description. {text}",
        "Find a pose that matches: {text}",
        "Translate into a pose: {text}",
        "Imagine this person and give their pose. {text}",
        "Let the figure do this: {text}",
        "Strike this pose: {text}",
        "A model should pose so: {text}",
        "The description is: {text} Give the pose.",
        "From the words to the pose: {text}",
        "Here is how the body is held. {text} Generate the pose.",
        "Set the joints to match this. {text}",
        "Arrange the limbs as told: {text}",
        "Convert this description to a pose. {text}",
        "Synthesise a pose. {text}",
        "Which pose fits these words? {text}",
        "Give a human pose with these properties: {text}",
        "Place arms and legs like this: {text}",
        "Act it out: {text}",
        "Compose a posture in which this holds. {text}",
        "Return one pose. {text}",
        "pose: {text}",
        "make a pose where {text}",
    ),
    Task.COMPARE: (
        "What changes from {first} to {second}?",
        "How does {second} differ from {first}?",
        "Compare {first} with {second}.",
        "What is the difference between {first} and {second}?",
        "How do I get from {first} to {second}?",
        "Tell me how to change {first} into {second}.",
        "Give instructions that lead from {first} to {second}.",
        "First pose: {first} Second pose: {second} What has to change?",
        "{first} {second} What is different?",
        "{first} becomes {second}. What moved?",
        "A person in {first} should take the pose {second}. Instruct them.",
        "Correct {first} so that it becomes {second}.",
        "Which limbs move between {first} and {second}?",
        "Describe the change from {first} to {second}.",
        "Describe the difference between {first} and {second}.",
        "Explain how {first} turns into {second}.",
        "What must the person in {first} do to reach {second}?",
        "Write down the steps from {first} to {second}.",
        "From {first}, how is {second} reached?",
        "Starting at {first}, what do I do to be in {second}?",
        "Someone holds {first} but should hold {second}. What do you tell them?",
        "As a trainer, correct {first} towards {second}.",
        "Name the changes between {first} and {second}.",
        "List what differs from {first} to {second}.",
        "How should {first} be altered to match {second}?",
        "What would turn {first} into {second}?",
        "Say what to adjust in {first} to get {second}.",
        "Look at {first} and then at {second}: what changed?",
        "Before: {first} After: {second} What happened?",
        "Between {first} and {second}, what did the body do?",
        "Put the move from {first} to {second} into words.",
        "Guide me from {first} to {second}.",
        "Please compare the poses {first} and {second}.",
        "Could you tell me what changes between {first} and {second}?",
        "I am in {first} and want to be in {second}. Help me.",
        "Give the correction from {first} to {second}.",
        "State the modification that makes {second} out of {first}.",
        "What edit makes {first} into {second}?",
        "Which joints have to move to go from {first} to {second}?",
        "How do these two poses differ? {first} {second}",
        "The source is {first} and the target is {second}. Describe the edit.",
        "Report the change: {first} to {second}",
        "compare {first} and {second}",
    ),
    Task.EDIT: (
        "Change the pose {pose}: {text}",
        "Take {pose} and do this: {text}",
        "Edit {pose}. {text}",
        "Start from {pose}. {text}",
        "{pose} {text}",
        "{pose} Now {text}",
        "{pose} Change it like this: {text}",
        "Modify the pose {pose} as follows. {text}",
        "The pose is {pose}. {text} What is the new pose?",
        "From {pose}, {text}",
        "Given {pose}, follow this instruction: {text}",
        "Adjust {pose}: {text}",
        "Correct {pose}. {text}",
        "Apply this to {pose}: {text}",
        "Here is a pose: {pose} Please change it. {text}",
        "A person holds {pose}. Tell them: {text} Show the result.",
        "What does {pose} become after this? {text}",
        "{text} The pose to change is {pose}.",
        "{text} Do that to {pose}.",
        "{text} Start with {pose}.",
        "With {pose} as the start, {text}",
        "Update {pose} so that this is done: {text}",
        "Move the body in {pose}. {text}",
        "Let the person in {pose} follow along: {text}",
        "Instruction for {pose}: {text}",
        "Alter {pose} according to the text. {text}",
        "Rework {pose}. {text}",
        "I have {pose}. {text}",
        "In {pose}, {text}",
        "Make this change to {pose}: {text}",
        "Please adjust the pose {pose}. {text}",
        "Could you change {pose}? {text}",
        "Turn {pose} into a new pose: {text}",
        "The trainer sees {pose} and says: {text} Give the corrected pose.",
        "Keep {pose} but do this: {text}",
        "Leave the rest of {pose} as it is. {text}",
        "Only this should change in {pose}: {text}",
        "Source pose: {pose} Edit: {text}",
        "Generate the pose that follows from {pose} when told: {text}",
        "Perform on {pose}: {text}",
        "Before: {pose} Instruction: {text} After?",
        "Refine {pose}. {text}",
        "edit {pose}: {text}",
    ),
}

FIXED: dict[Task, str] = {task: some[0] for task, some in PHRASINGS.items()} | {
    Task.IMAGE_TO_TEXT: "Describe the pose of the person in {image}.",
    Task.IMAGE_DIFF: "How does the pose change from {first} to {second}?",
    Task.ESTIMATE: "Estimate the pose of the person in {image}.",
    Task.REASON: "Estimate the pose of {who} in {image}.",
    Task.CONTACTS: "Which body parts of {seen} touch?",
    Task.MOTION_LABEL: "Which of these actions do you see in {seen}: {actions}?",
}
"""One sentence per task: what pre-training learns, and what the assistant asks."""

_SLOT = re.compile(r"\{(" + "|".join({name for some in SLOTS.values() for name in some}) + r")\}")


FIXED_SHARE = 0.25


@cache
def instructions(task: Task) -> tuple[str, ...]:
    """Return the sentences by which the task is asked in instruction tuning, at least a hundred."""
    return tuple((_INSTRUCTIONS / f"{task}.txt").read_text(encoding="utf-8").splitlines())


def choose_phrasing(task: Task, chance: random.Random, wording: Wording = Wording.TALK) -> str:
    """Return one of the task's phrasings."""
    if wording == Wording.FIXED:
        return FIXED[task]
    if wording == Wording.TALK:
        return chance.choice(PHRASINGS[task])
    if chance.random() < FIXED_SHARE:
        return FIXED[task]
    return chance.choice((*instructions(task), *PHRASINGS.get(task, ())))


def ask(phrasing: str, **given: Part | Sequence[Part]) -> list[Part]:
    """Return a phrasing with its slots filled: text, poses and pictures in the order of speech.

    ask("Describe {pose}.", pose=codes) -> ["Describe ", codes, "."]
    """
    parts: list[Part] = []
    for i, piece in enumerate(_SLOT.split(phrasing)):
        some = given[piece] if i % 2 else piece
        for part in [some] if isinstance(some, str | Tensor | Picture) else some:
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] = parts[-1] + part
            elif not isinstance(part, str) or part:
                parts.append(part)
    return parts


def question_about(pose: Tensor, question: str) -> list[Part]:
    """Return a question about the codes of one pose, which stand before it.

    The space is a piece of its own, so that all questions about a pose begin alike.
    """
    return [pose, " ", question]


def body_in(shown: Tensor | Picture, *, people: int = 1) -> list[Part]:
    """Return the words for somebody who is shown: "the pose ...", "the two people in ..."."""
    if people not in (1, 2) or (people == 2 and isinstance(shown, Tensor)):
        raise PoseQueryError(
            "contacts are asked of one person, or of two people in a picture; got "
            f"{people} people in a {'pose' if isinstance(shown, Tensor) else 'picture'}"
        )
    if isinstance(shown, Tensor):
        return ["the pose ", shown]
    return ["the two people in " if people == 2 else "the person in ", shown]


def motion_in(shown: Sequence[Tensor] | Sequence[Picture]) -> list[Part]:
    """Return the words for a motion that is shown: "the frames ...", "the poses ..."."""
    if not shown:
        raise PoseQueryError("a motion needs at least one pose or picture, got none")
    word = "pose" if isinstance(shown[0], Tensor) else "picture"
    parts: list[Part] = [f"the {word}s" if len(shown) > 1 else f"the {word}"]
    for part in shown:
        parts += [" ", part]
    return parts


def evenly(things: Sequence[Thing], count: int) -> list[Thing]:
    """Return at most `count` of the things, evenly spread, the first and the last among them."""
    if len(things) <= count:
        return list(things)
    if count == 1:
        return [things[len(things) // 2]]
    return [things[round(i * (len(things) - 1) / (count - 1))] for i in range(count)]


def list_of(actions: Sequence[str]) -> str:
    """Return a list of actions as it stands in a question: "walk"; "pick up a box"."""
    return "; ".join(f'"{action}"' for action in actions)
