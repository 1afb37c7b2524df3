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
from unipose.posecodes.known_words import has_known_word, untaught_words
from unipose.posecodes.shown_pose import show_pose
from unipose.posecodes.statement_reader import read_statements

UNTOLD = "A person."
"""Says nothing of a pose: a model makes the pose of it that it makes of words it does not know."""


def as_state(text: str) -> str:
    """Return what somebody is told to do as what a person is doing: the pose model makes states.

    "sit down" -> "A person is sitting down", "lie on the back" -> "A person is lying on the back".
    """
    verb, _, rest = text.strip().partition(" ")
    verb = verb.lower()
    if verb == "be":
        return f"A person is {rest}"
    if verb.endswith("ie"):
        doing = f"{verb[:-2]}ying"
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


def reading_note(text: str, asked: str, likeliest: Callable[[str], Pose]) -> str:
    """Return what is to be said of a text whose pose was made of the words `asked`; "" if nothing.

    Nothing of it seems to have been understood if no word of it is known, or if the likeliest pose
    of `asked` is hardly another than that of no words, unless that one is what the text states.
    """
    if not has_known_word(text) or _is_of_no_words(text, likeliest(asked), likeliest(UNTOLD)):
        return NOT_UNDERSTOOD
    untaught = untaught_words(text)
    return not_taught(untaught) if untaught else ""


def _is_of_no_words(text: str, made: Pose, untold: Pose) -> bool:
    if not hardly_moved(untold, made):
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
