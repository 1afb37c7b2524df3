"""What changes of whole poses need: wordings, turns, whether anything moved or was understood."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.app.wording import NOT_UNDERSTOOD, not_taught
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.posecodes.known_words import has_known_word, unknown_words
from unipose.posecodes.shown_pose import show_pose
from unipose.posecodes.statement_reader import read_statements

UNTOLD = "A person."
"""Says nothing of a pose: a model makes the pose of it that it makes of words it does not know."""


def as_state(text: str) -> str:
    """Return what somebody is told to do as what a person is doing: the pose model makes states.

    "sit down" -> "A person is sitting down", "lie on the back" -> "A person is lying on the back".
    """
    verb, _, rest = text.strip().partition(" ")
    if verb.lower() == "lie":
        doing = "lying"
    elif re.fullmatch(r"[a-z]*[^aeiou]e", verb):
        doing = f"{verb[:-1]}ing"
    elif re.fullmatch(r"[^aeiou]*u?[aeiou][^aeiouwxy]", verb):
        doing = f"{verb}{verb[-1]}ing"
    else:
        doing = f"{verb}ing"
    return f"A person is {doing} {rest}".strip()


def hardly_moved(before: Pose, after: Pose) -> bool:
    """Return whether no joint turns by more than what coding a pose may turn it by."""
    turned = roma.rotmat_geodesic_distance(before.rotations.float(), after.rotations.float())
    return bool(turned.max() < math.radians(20.0))


def reading_note(text: str, made: Pose, generate: Callable[[str], Pose]) -> str:
    """Return what is to be said of the words that the likeliest pose was made of; "" if nothing.

    Nothing of a text seems to have gone into a pose that is hardly another than that of no words,
    unless that one is what the text states, nor if no word of the text is known at all.
    """
    if not has_known_word(text) or _is_of_no_words(text, made, generate):
        return NOT_UNDERSTOOD
    unknown = unknown_words(text)
    return not_taught(unknown) if unknown else ""


def _is_of_no_words(text: str, made: Pose, generate: Callable[[str], Pose]) -> bool:
    if not hardly_moved(generate(UNTOLD), made):
        return False
    stated = read_statements(text)
    measured = show_pose(made, load_body()).measured
    return not stated or not all(measured.holds(one.recipes, tolerance=True)[0] for one in stated)


def only_moved(before: Pose, after: Pose, *, degrees: float) -> Pose:
    """Return `before` with the joints that `after` turns by at least so much as they are there."""
    turned = roma.rotmat_geodesic_distance(before.rotations.float(), after.rotations.float())
    moved = turned >= math.radians(degrees)
    rotations = torch.where(moved[..., None, None], after.rotations, before.rotations)
    return replace(before, rotations=rotations)


def about_vertical(radians: float) -> Float[Tensor, "3 3"]:
    """Return the rotation about the vertical axis, to the left for positive angles."""
    return roma.rotvec_to_rotmat(torch.tensor([0.0, radians, 0.0]))
