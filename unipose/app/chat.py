"""The chat: the poses of one conversation, its /commands, and an answer to each line."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import roma

from unipose.app.conversation import Request, Task, understand
from unipose.app.examples import EXAMPLES, example_pose
from unipose.app.wording import HARDLY_MOVED
from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.files import open_pose, save_pose
from unipose.files.photo import is_photo

LONGEST_LINE = 2000
"""Characters of one line; more is refused, not cut."""

COMMANDS = {
    "/pose FILE [SECONDS]": "read a pose from a file (of a recording: the pose at that time)",
    "/pose PHOTO": "read a pose off a photo (.jpg .png .webp), if the model can see",
    "/pose NAME": "take an example: " + ", ".join(EXAMPLES),
    "/poses": "list the poses of this conversation",
    "/show [NUMBER]": "draw a pose as a picture and say where it is",
    "/save FILE [NUMBER]": "keep a pose: .npz .json .bvh .glb .obj .png",
    "/tasks": "what can be asked in plain words",
    "/new": "forget the poses and start again",
    "/help": "this list",
    "/quit": "leave (also Ctrl-D)",
}

TASKS = """\
describe   "describe the pose" · "what is the person doing in the second?"
generate   "make a pose of someone squatting with both arms raised" · "a person sits on the floor"
edit       "raise the left arm" · "in the first, bend the knees more"
compare    "what changes from the first to the second?" · "compare the poses"
"the pose" is the newest one; "the first", "the second", "pose 3" are those of /poses."""


Hearing = Callable[[str], None]
"""Is given each piece of an answer as soon as the model has said it."""


@runtime_checkable
class Assistant(Protocol):
    """What the chat needs of `unipose.UniPose`."""

    def describe(self, shown: Pose, *, heard: Hearing | None = None) -> str:
        """Return the pose in words."""
        ...

    def generate(self, text: str, *, seed: int | None = None, samples: int = 1) -> Pose:
        """Return poses that fit the words."""
        ...

    def edit(self, pose: Pose, text: str) -> Pose:
        """Return the pose, changed as the words say."""
        ...

    def estimate(self, image: Path) -> Pose:
        """Return the pose of the person in a photo."""
        ...

    def compare(self, a: Pose, b: Pose, *, heard: Hearing | None = None) -> str:
        """Return what changes from one pose to the other."""
        ...


@dataclass(frozen=True, kw_only=True)
class HeldPose:
    """A pose of the conversation and where it came from."""

    pose: Pose
    origin: str


class Chat:
    """One conversation. `reply` answers a line; only a finished answer changes the conversation."""

    def __init__(self, load: Callable[[], Assistant], *, body: Body | None = None) -> None:
        self._load = load
        self._body = body
        self.poses: list[HeldPose] = []
        self.ended = False

    @cached_property
    def assistant(self) -> Assistant:
        """The model, loaded when it is first needed."""
        return self._load()

    @cached_property
    def _pictures(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="unipose-"))

    def reply(self, line: str, *, heard: Hearing | None = None) -> str:
        """Answer one line, a command or a sentence; the model's own words also go to `heard`.

        Raises a UniPoseError that says what to do where there is no answer; the conversation is
        then what it was before.
        """
        if len(line) > LONGEST_LINE:
            raise PoseQueryError(
                f"this line has {len(line):,} characters; at most {LONGEST_LINE:,} can be read"
            )
        line = "".join(c if c.isprintable() else " " for c in line).strip()
        if line.startswith("/"):
            return self._obey(line)
        return self._answer(understand(line, poses=len(self.poses)), heard)

    def _answer(self, request: Request, heard: Hearing | None) -> str:
        poses = [self._held(number).pose for number in request.poses]
        match request.task:
            case Task.DESCRIBE if len(poses) == 1:
                return self.assistant.describe(poses[0], heard=heard)
            case Task.DESCRIBE:
                texts = [self.assistant.describe(pose) for pose in poses]
                return "\n".join(
                    f"pose {number}: {text}"
                    for number, text in zip(request.poses, texts, strict=True)
                )
            case Task.COMPARE:
                return self.assistant.compare(*poses, heard=heard)
            case Task.GENERATE:
                made = self.assistant.generate(request.text)
                return self._hold(made, f'made from "{request.text}"', "Made")
            case Task.EDIT:
                made = self.assistant.edit(poses[0], request.text)
                origin = f'pose {request.poses[0]} after "{request.text}"'
                still = f" {HARDLY_MOVED}" if hardly_moved(poses[0], made) else ""
                return self._hold(made, origin, "Made") + still

    def _hold(self, pose: Pose, origin: str, verb: str) -> str:
        self.poses.append(HeldPose(pose=pose, origin=origin))
        return f"{verb} pose {len(self.poses)}: {origin}. /show draws it."

    def _held(self, number: int) -> HeldPose:
        if not self.poses:
            raise PoseQueryError("there is no pose yet; type /pose FILE or /pose example")
        if not 1 <= number <= len(self.poses):
            raise PoseQueryError(f"there is no pose {number}; /poses lists them")
        return self.poses[number - 1]

    def _obey(self, line: str) -> str:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        match word:
            case "/pose":
                return self._read(rest)
            case "/poses":
                return self._list()
            case "/show":
                return self._show(rest)
            case "/save":
                return self._save(rest)
            case "/tasks":
                return TASKS
            case "/new":
                self.poses.clear()
                return "Forgotten; /pose FILE or a sentence starts again."
            case "/help":
                width = max(map(len, COMMANDS))
                return "\n".join(f"{name:<{width}}  {what}" for name, what in COMMANDS.items())
            case "/quit" | "/exit":
                self.ended = True
                return ""
        raise PoseQueryError(f"there is no command {word[:40]!r}; /help lists them")

    def _read(self, rest: str) -> str:
        if not rest or (rest == "example" and not Path(rest).exists()):
            rest = "wave" if rest else ""
        if not rest:
            raise PoseQueryError(
                "which file? /pose FILE [SECONDS], or one of: " + ", ".join(EXAMPLES)
            )
        if rest in EXAMPLES and not Path(rest).exists():
            return self._hold(example_pose(rest), f"the example {rest!r}", "Read")
        name, seconds = _split_number(rest)
        if is_photo(name):
            seen = self.assistant.estimate(Path(name).expanduser())
            return self._hold(seen, f"the person in {name}", "Read")
        recording = open_pose(Path(name).expanduser(), body=self._body)
        if seconds is None and len(recording) > 1:
            rate = recording.fps
            length = f", {(len(recording) - 1) / rate:.1f} s" if rate else ""
            note = f" (the first of {len(recording):,} poses{length}; /pose FILE SECONDS picks one)"
            return self._hold(recording[0], f"{name}{note}", "Read")
        pose = recording.at(seconds) if seconds is not None else recording
        at = f" at {seconds:g} s" if seconds is not None else ""
        return self._hold(pose, f"{name}{at}", "Read")

    def _list(self) -> str:
        if not self.poses:
            return "no poses yet; /pose FILE or /pose example adds one"
        return "\n".join(f"pose {i}: {held.origin}" for i, held in enumerate(self.poses, start=1))

    def _show(self, rest: str) -> str:
        number = self._number(rest)
        return self._write(number, self._pictures / f"pose-{number}.png")

    def _save(self, rest: str) -> str:
        if not rest:
            raise PoseQueryError("where to? /save FILE [NUMBER], for example /save squat.bvh")
        name, number = _split_number(rest)
        if number is not None and number != int(number):
            raise PoseQueryError(f"expected /save FILE NUMBER, got the number {number:g}")
        chosen = len(self.poses) if number is None else int(number)
        return self._write(chosen, Path(name).expanduser())

    def _write(self, number: int, path: Path) -> str:
        held = self._held(number)
        return f"pose {number} is in {save_pose(held.pose, path, body=self._body)}"

    def _number(self, rest: str) -> int:
        if not rest:
            return len(self.poses)
        if not rest.isdecimal():
            raise PoseQueryError(
                f"expected the number of a pose, got {rest[:40]!r}; /poses lists them"
            )
        return int(rest)


def hardly_moved(before: Pose, after: Pose) -> bool:
    """Return whether no joint turns by more than what coding a pose may turn it by."""
    turned = roma.rotmat_geodesic_distance(before.rotations.float(), after.rotations.float())
    return bool(turned.max() < math.radians(20.0))


def _split_number(rest: str) -> tuple[str, float | None]:
    """Return a file name, which may hold spaces or stand in quotes, and the number after it."""
    rest = rest.strip()
    quoted = rest[:1] in {'"', "'"} and rest.rfind(rest[0]) > 0
    if quoted:
        end = rest.rfind(rest[0])
        name, number = rest[1:end], rest[end + 1 :].strip()
    elif Path(rest).expanduser().exists() or " " not in rest:
        name, number = rest, ""
    else:
        name, number = rest.rsplit(" ", 1)
    if not number:
        return name, None
    try:
        return name.strip(), float(number)
    except ValueError:
        return (rest, None) if not quoted else (name, None)
