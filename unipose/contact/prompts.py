"""What a model is asked about contacts: reasoning first, then a table of two columns.

A closed vocabulary, and no left or right: models cannot be trusted with sides (ProsePose asks for
none either); the optimiser finds them. The wording is our own.
"""

from __future__ import annotations

from pathlib import Path

from unipose.body.regions import GROUND, PROSEPOSE_ONE_PERSON, PROSEPOSE_TWO_PEOPLE, RegionSet
from unipose.errors import ConfigError
from unipose.files.photo import Pixels, open_photo
from unipose.priors.sampled_models import ModelQuestion

VOCABULARIES: dict[int, RegionSet] = {1: PROSEPOSE_ONE_PERSON, 2: PROSEPOSE_TWO_PEOPLE}
"""Number of people -> the words that are asked for."""

_TABLE = """Think first, in a few sentences. {think}

Then, last of all, write a Markdown table with exactly two columns, and nothing after it:

| {heads[0]} | {heads[1]} |
| --- | --- |

One line for each contact. Use only these words for body parts: {words}.
Never write left or right. {twice} Write down a contact only if you are confident that the skin or \
the clothes really touch; being close is not touching. If you are not confident of any, leave the \
table without lines."""

_TWO = """You look at a photograph of two people who are close to each other. Find out which parts \
of one person's body touch which parts of the other's.

""" + _TABLE.format(
    think="Say how the two stand, sit or lie to each other, which way each of them faces, and "
    "where each one's hands, arms and legs are and end; then say where their bodies meet, and "
    "whether it is the front or the back of the body that is touched.",
    heads=("Person 1", "Person 2"),
    words=", ".join(PROSEPOSE_TWO_PEOPLE.parts),
    twice="You choose who is Person 1, but keep to it in all lines. If both hands (or arms, legs, "
    "feet, shoulders) of a person touch the other, give each its own line; name a part once if "
    "only one of the two touches.",
)

_ONE = """You look at a photograph of one person in a pose of yoga, dance, sport or everyday life. \
Find out which parts of the person's own body touch each other, and which touch the ground.

""" + _TABLE.format(
    think="Name the pose if it has a name and describe how the arms, legs, head and trunk are "
    "held; look at this person and not at how the pose ought to be, for they may do it "
    "differently. Then say where parts of the body meet.",
    heads=("Part", "Touches"),
    words=", ".join(PROSEPOSE_ONE_PERSON.parts),
    twice="Two hands or two feet that touch each other are one line with the same word twice. "
    f"Parts that always touch because they are joined (an arm and its own hand) do not count. "
    f'What the person stands, sits or lies on is "{GROUND}".',
)

INSTRUCTIONS: dict[int, str] = {1: _ONE, 2: _TWO}
"""Number of people -> the system message."""


def contact_question(picture: Path | Pixels, *, people: int, key: str = "") -> ModelQuestion:
    """Return the question which parts touch in a picture of one person, or of two.

    The picture should show nobody else. Raises FileError for a file that is no picture.
    """
    if people not in INSTRUCTIONS:
        raise ConfigError(f"contacts are asked of 1 or 2 people, not of {people}")
    pixels = open_photo(picture) if isinstance(picture, Path) else picture
    key = key or (picture.name if isinstance(picture, Path) else "picture")
    return ModelQuestion(key=key, instruction=INSTRUCTIONS[people], pictures=(pixels,))
