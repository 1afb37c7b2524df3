"""How sure an answer is about a pose that was read off a picture."""

from __future__ import annotations

from unipose.posecodes.finding import Finding

EYES_CM, EYES_DEGREES = 11.0, 20.0
"""What a joint of such a pose is off by on average (README, studio pictures), and what that makes
of the angle of a limb of 30 cm."""
UNSURE = (
    "(Read off a photo, where joints are off by 11 cm on average: that may change this answer.)"
)
"""Said of an answer that hangs on less than that."""


def hangs_on_eyes(found: Finding) -> bool:
    """Return whether an answer would change within what the eyes are off by."""
    if found.kind == "not_shown":
        return False
    if found.margin is None:
        return True
    return found.margin < (EYES_CM if found.margin_unit == "cm" else EYES_DEGREES)
