"""How people ask: at least forty phrasings per task, and what each task reads and answers.

`{pose}`, `{first}`, `{second}` stand for poses, `{text}` for a description or an instruction.
"""

from __future__ import annotations

import random
import re
from enum import StrEnum

from torch import Tensor

from unipose.language.rendering import Part


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

_SLOT = re.compile(r"\{(pose|first|second|text)\}")


def ask(phrasing: str, **given: Part) -> list[Part]:
    """Return a phrasing with its slots filled: text and poses in the order they are spoken.

    ask("Describe {pose}.", pose=codes) -> ["Describe ", codes, "."]
    """
    parts: list[Part] = []
    for i, piece in enumerate(_SLOT.split(phrasing)):
        part = given[piece] if i % 2 else piece
        if isinstance(part, Tensor):
            parts.append(part)
        elif parts and isinstance(parts[-1], str):
            parts[-1] = parts[-1] + part
        elif part:
            parts.append(part)
    return parts


def choose_phrasing(task: Task, chance: random.Random) -> str:
    """Return one of the task's phrasings."""
    return chance.choice(PHRASINGS[task])
