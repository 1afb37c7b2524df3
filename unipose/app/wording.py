"""What the application says of its own, and text made safe to print."""

from __future__ import annotations

from collections.abc import Sequence

from unipose.errors import UniPoseError
from unipose.posecodes.finding import joined

WELCOME = """\
unipose: talk about a body pose. Try, one after the other:
  /pose squat
  which knee is bent more?
  is the weight on the left foot?
  raise the left arm above the head
  /show
/tasks says what else can be asked, /help lists the commands, /quit leaves."""

CAPABILITIES = """\
ask       "is the left knee bent?" · "which hand is higher?" · "how far apart are the feet?" ·
          "where is the right hand?" · "what touches?" · "what is she doing?" · "why?"
change    "raise the left arm" · "make them sit down" · "turn it around" · "mirror it" · "undo"
make      "make a pose of someone squatting with both arms raised"
describe  "describe the pose"
two poses "what changed?" · "what went up?" · "in which one is the knee bent more?"
films     "when is the left foot highest?" (of a pose that was read from a recording)
files     "open walk.bvh" · "save it as squat.npz" · "show me"
"it" is the current pose; say "pose 2", "the first one", "the one before" for others."""

SAID_NOTHING = "(the model said nothing of it)"
"""Stands where a description should, beside what else came out well."""
HARDLY_MOVED = (
    "Hardly anything has moved, so this may not have been understood: say where a limb goes, such "
    'as "raise the left arm" or "bend the knees more".'
)
NOT_UNDERSTOOD = (
    "Nothing of this seems to have been understood, so the pose may be anything: say where limbs "
    'are, such as "standing with the left arm raised", or take a named pose (unipose poses).'
)
"""See `pose_changes.reading_note`."""


def not_taught(untaught: Sequence[str]) -> str:
    """Return what is said of words that the pose model never learned: the first few of them."""
    named = joined([f'"{word}"' for word in untaught[:MOST_NAMED]])
    return f"The pose model was never taught {named}: the pose may leave that out."


OWN_CONTACTS_GUESSED = (
    "contacts of our own model are guesses (F1 12 % on pairs of people, 11 % by chance): correct "
    "{file} and give it to --contacts"
)
"""Measured by `eval.contact`; see docs/contact.md."""
OWN_ACTIONS_GUESSED = (
    "actions named by --ask self are guesses (23 % right among 22 held-out actions, 5 % by "
    "chance): correct {file} and give it to --labels"
)
"""Measured by `train.motion_text`; see docs/adaptation.md."""
MOST_NAMED = 5
"""Tracks or words of one note."""


def short_tracks(frames: Sequence[tuple[int, int]], fewest: str, remedy: str) -> str:
    """Return what is said of tracks that are left out: first and last frame of each; "" of none."""
    if not frames:
        return ""
    named = [
        f"frame {first}" if first == last else f"frames {first} to {last}"
        for first, last in sorted(frames)[:MOST_NAMED]
    ]
    more = f" and {len(frames) - MOST_NAMED} more" if len(frames) > MOST_NAMED else ""
    tracks = "1 track" if len(frames) == 1 else f"{len(frames)} tracks"
    return f"left out {tracks} shorter than {fewest}: {', '.join(named)}{more}; {remedy}."


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control characters but the newline become '?'."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def problem_in_words(error: UniPoseError | OSError) -> str:
    """Return an error as one line."""
    if isinstance(error, OSError) and not isinstance(error, UniPoseError):
        name = f"{error.filename}: " if error.filename else ""
        return printable(f"{name}{error.strerror or error}")
    return printable(" ".join(str(error).split()))
