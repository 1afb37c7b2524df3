"""What the application says of its own, and text made safe to print."""

from __future__ import annotations

from unipose.errors import UniPoseError

WELCOME = """\
unipose: talk about a body pose. Try, one after the other:
  /pose example
  describe the pose
  raise the left arm
  /show
/tasks says what else can be asked, /help lists the commands, /quit leaves."""


HARDLY_MOVED = (
    "Hardly anything has moved, so this may not have been understood: say where a limb goes, such "
    'as "raise the left arm" or "bend the knees more".'
)


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control characters but the newline become '?'."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def problem_in_words(error: UniPoseError | OSError) -> str:
    """Return an error as one line."""
    if isinstance(error, OSError) and not isinstance(error, UniPoseError):
        name = f"{error.filename}: " if error.filename else ""
        return printable(f"{name}{error.strerror or error}")
    return printable(" ".join(str(error).split()))
