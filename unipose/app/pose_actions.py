"""What the calls of a conversation do: to its poses, to files, and what is measured."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from unipose.app.examples import EXAMPLES, example_pose
from unipose.app.pose_changes import about_vertical, as_state, hardly_moved, reading_note
from unipose.app.pose_input import Progress, draw_reading, open_photo, read_frame, read_motion
from unipose.app.wording import CAPABILITIES, HARDLY_MOVED, problem_in_words
from unipose.assistant.request_texts import checked_answer
from unipose.body.body import Body
from unipose.body.facing import yaw_of
from unipose.body.people import PersonInImage
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError, UniPoseError
from unipose.file_signatures import check_file, is_film, is_photo
from unipose.files import open_pose, save_pose
from unipose.files.smpl_parameters import on_body
from unipose.language.call_loop import CallResult, TextCallback
from unipose.posecodes.calls import QUESTIONS, Call
from unipose.posecodes.held_poses import HeldPoses
from unipose.posecodes.named_poses import NamedPoses
from unipose.posecodes.questions import Film, Finding, ShownPose, answer_call, show_film, show_pose
from unipose.posecodes.sureness import hangs_on_eyes
from unipose.posecodes.unheeded import judged

FACING = {"front": 0.0, "left": 90.0, "back": 180.0, "right": -90.0}
"""Direction -> turn about the vertical, degrees to the person's own left."""
SAVED_AS = ".npz"
"""Ending of a file that was named without one."""


@runtime_checkable
class Assistant(Protocol):
    """What a conversation needs of `unipose.UniPose`."""

    def describe(self, shown: Pose, *, on_text: TextCallback | None = None) -> str:
        """Return the pose in words."""
        ...

    def generate(self, text: str, *, seed: int | None = None, samples: int = 1) -> Pose:
        """Return poses that fit the words."""
        ...

    def likeliest(self, text: str) -> Pose:
        """Return the likeliest pose of the words, also where others are drawn."""
        ...

    def edit(self, pose: Pose, text: str) -> Pose:
        """Return the pose, changed as the words say."""
        ...

    def estimate_person(self, image: np.ndarray) -> PersonInImage:
        """Return the person in the pixels of a photo, with their pose."""
        ...

    def compare(self, a: Pose, b: Pose, *, on_text: TextCallback | None = None) -> str:
        """Return what changes from one pose to the other."""
        ...


@dataclass(frozen=True, kw_only=True)
class HeldPose:
    """A pose of the conversation and where it came from."""

    pose: Pose
    origin: str
    recording: Pose | None = None
    """The recording that it was taken from; "when" looks through it."""
    at_s: float = 0.0
    """When in the recording."""
    before: int | None = None
    """Number of the pose that it was made from."""
    from_photo: bool = False
    understood: Path | None = None
    """Of a photo: a picture of what was seen in it, and of the body that was read off."""


@dataclass(kw_only=True)
class Done:
    """What the calls of one turn have done."""

    poses: list[int] = field(default_factory=list)
    """Numbers of poses that were made or read."""
    pictures: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    compared: tuple[int, int] | None = None
    """The two poses of a comparison, the earlier one first."""
    unsure: bool = False
    """Whether an answer hangs on less than what the eyes are off by."""


class PoseActions:
    """The poses of one conversation and all that can be done with them."""

    def __init__(
        self,
        load: Callable[[], Assistant],
        *,
        body: Body | None = None,
        files: bool | Path = True,
    ) -> None:
        """`files` may be opened and written: all, none, or a folder's by their bare names."""
        self._load = load
        self.body = body
        self._files = files
        self.held = HeldPoses[HeldPose]()
        self.last_finding: Finding | None = None
        self._shown: dict[int, ShownPose] = {}
        self._films: dict[int, Film] = {}

    @cached_property
    def assistant(self) -> Assistant:
        """The pose model, loaded when it is first needed."""
        return self._load()

    @cached_property
    def _pictures(self) -> Path:
        if isinstance(self._files, Path):
            return self._files
        return Path(tempfile.mkdtemp(prefix="unipose-"))

    def place(self, name: str) -> Path:
        """Return where a file of this name is or goes; PoseQueryError if it may not be there."""
        if self._files is True:
            return Path(name).expanduser()
        if self._files is False:
            raise PoseQueryError("no files are opened or written here")
        if Path(name).name != name or name in ("", "..") or not name.isprintable():
            raise PoseQueryError(f"{name[:60]!r} is no plain file name; a folder cannot be named")
        return self._files / name

    def is_there(self, name: str) -> bool:
        """Return whether a file of this name can be read."""
        try:
            return self.place(name).exists()
        except (PoseQueryError, OSError):
            return False

    def run(
        self, call: Call, *, typed: str, done: Done, on_text: TextCallback | None = None
    ) -> CallResult:
        """Do a call; what fails is a result that says why. `typed` is what the user wrote.

        Files are only opened and written under names that stand in `typed`.
        """
        try:
            if not self._files and call.verb in ("save", "draw"):
                raise PoseQueryError("no files are written here; the pose itself is in the answer")
            if call.verb in QUESTIONS:
                return self._answer(call, typed, done)
            return self._do(call, typed, done, on_text)
        except (UniPoseError, OSError) as error:
            return CallResult(model_text="error", user_text=problem_in_words(error), failed=True)

    def clear(self) -> None:
        """Forget all poses."""
        self.held.clear()
        self._shown.clear()
        self._films.clear()
        self.last_finding = None

    def shown(self, number: int) -> ShownPose:
        """Return a pose ready to be measured."""
        if number not in self._shown:
            self._shown[number] = show_pose(self.held[number].pose, self.body)
        return self._shown[number]

    def _answer(self, call: Call, typed: str, done: Done) -> CallResult:
        numbers = self.held.numbers_of(call.verb, call.poses)
        poses = [self.shown(number) for number in numbers]
        if len(numbers) == 2:
            done.compared = (numbers[0], numbers[1])
        film = self._film() if call.verb == "when" else None
        found = judged(typed, call, answer_call(call, poses, last=self.last_finding, film=film))
        if call.verb not in ("why", "unknown"):
            self.last_finding = found
        done.unsure |= any(self.held[n].from_photo for n in numbers) and hangs_on_eyes(found)
        return CallResult(model_text=found.fact, finding=found)

    def _film(self) -> Film | None:
        number = self.held.current
        recording = self.held[number].recording
        if recording is not None and number not in self._films:
            self._films[number] = show_film(recording, self.body)
        return self._films.get(number)

    def _do(self, call: Call, typed: str, done: Done, on_text: TextCallback | None) -> CallResult:
        numbers = self.held.numbers_of(call.verb, call.poses)
        if call.verb in ("undo", "redo"):
            number = self.held.undo() if call.verb == "undo" else self.held.redo()
            return CallResult(model_text=f"pose {number}")
        if call.verb in ("list", "help"):
            shown = self.list() if call.verb == "list" else CAPABILITIES
            return CallResult(model_text="shown", user_text=shown)
        if call.verb == "generate":
            result = self._made(self.assistant.generate(call.text), f'"{call.text}"', done)
            note = reading_note(call.text, call.text, self.assistant.likeliest)
            return replace(result, user_text=note)
        if call.verb == "open":
            self._typed_by_user(call.text, typed)
            number = self.open(call.text)
            done.poses.append(number)
            return CallResult(model_text=f"pose {number}")
        if call.verb == "compare":
            pair = [self.held[number].pose for number in numbers]
            done.compared = (numbers[0], numbers[1])
            text = self.assistant.compare(*pair, on_text=on_text)
            return CallResult(model_text="shown", user_text=checked_answer(text))
        if call.verb == "describe":
            text = self.assistant.describe(self.held[numbers[0]].pose, on_text=on_text)
            return CallResult(model_text="shown", user_text=checked_answer(text))
        return self._do_to_one(call, numbers[0], typed, done)

    def _do_to_one(self, call: Call, number: int, typed: str, done: Done) -> CallResult:
        """Do something to one pose."""
        match call.verb:
            case "edit":
                return self._edited(number, call.text, done)
            case "replace":
                return self._replaced(number, call.text, done)
            case "mirror":
                pose = self.held[number].pose.mirrored()
                return self._made(pose, f"pose {number} in a mirror", done, before=number)
            case "turn" | "face":
                return self._turned(call, number, done)
            case "choose":
                return CallResult(model_text=f"pose {self.held.choose(number)}")
            case "save":
                return self._saved(call.text, number, typed, done)
            case "draw":
                done.pictures.append(self.draw(number))
                return CallResult(model_text="drawn")
        raise PoseQueryError(f"{call.verb!r} is not something that can be done here")

    def _made(
        self, pose: Pose, origin: str, done: Done, *, before: int | None = None
    ) -> CallResult:
        number = self.held.hold(HeldPose(pose=pose, origin=origin, before=before))
        done.poses.append(number)
        return CallResult(model_text=f"pose {number}")

    def _edited(self, number: int, text: str, done: Done) -> CallResult:
        before = self.held[number].pose
        after = self.assistant.edit(before, text)
        result = self._made(after, f'pose {number} after "{text}"', done, before=number)
        if hardly_moved(before, after):
            told = f"{result.model_text}, hardly moved"
            return CallResult(model_text=told, user_text=HARDLY_MOVED)
        return result

    def _replaced(self, number: int, text: str, done: Done) -> CallResult:
        """Make the whole posture anew; shape, place and the way the body faces stay."""
        before = self.held[number].pose
        asked = as_state(text)
        made = self.assistant.generate(asked)
        rotations = made.rotations.clone()
        turn = about_vertical(float(yaw_of(before.rotations[:, 0])[0]))
        rotations[:, 0] = turn @ rotations[:, 0]
        pose = replace(before, rotations=rotations, fps=None)
        result = self._made(pose, f'pose {number} as "{text}"', done, before=number)
        return replace(result, user_text=reading_note(text, asked, self.assistant.likeliest))

    def _turned(self, call: Call, number: int, done: Done) -> CallResult:
        before = self.held[number].pose
        if call.verb == "face":
            wanted = math.radians(FACING[call.arguments[0]])
            angle = wanted - float(yaw_of(before.rotations[:, 0])[0])
        elif call.arguments == ("around",):
            angle = math.pi
        else:
            side, degrees = (*call.arguments, "90")[:2]
            angle = math.radians(float(degrees)) * (1 if side == "left" else -1)
        rotations = before.rotations.clone()
        rotations[:, 0] = about_vertical(angle) @ rotations[:, 0]
        pose = replace(before, rotations=rotations, fps=None)
        return self._made(pose, f"pose {number}, turned", done, before=number)

    def _saved(self, name: str, number: int, typed: str, done: Done) -> CallResult:
        self._typed_by_user(name, typed)
        path = self.place(name)
        path = path if path.suffix else path.with_suffix(SAVED_AS)
        if path.exists():
            raise PoseQueryError(f"{path} is there already; /save {path} writes over it")
        done.files.append(self.write(number, path))
        return CallResult(model_text="saved", user_text=f"pose {number} is in {path}")

    @staticmethod
    def _typed_by_user(name: str, typed: str) -> None:
        if name.lower() not in typed.lower():
            raise PoseQueryError(
                f"the name {name!r} does not stand in what was asked; say the file's name, for "
                'example "save it as squat.bvh"'
            )

    def draw(self, number: int) -> Path:
        """Draw a pose into a picture file and return it."""
        return self.write(number, self._pictures / f"pose-{number}.png")

    def write(self, number: int, path: Path) -> Path:
        """Write a pose to a file; a picture shows it from where the viewer is."""
        return save_pose(self.held[number].pose, path, body=self.body, heading=0.0)

    def open(self, name: str, seconds: float | None = None) -> int:
        """Read a pose from a file, a photo or by its name, hold it, and return its number."""
        there = self.is_there(name)
        if not there and (name in EXAMPLES or name == "example"):
            name = "wave" if name == "example" else name
            return self.held.hold(HeldPose(pose=example_pose(name), origin=f"the example {name!r}"))
        plain = Path(name).name == name and not Path(name).suffix
        if not there and (plain or self._files is False):
            return self.open_named(name)
        path = self.place(name)
        check_file(path, photos=True)  # before a model is loaded
        if is_photo(path) or is_film(path):
            return self._read_off(path, name, seconds)
        recording = open_pose(path, body=self.body)
        whole = recording if len(recording) > 1 and recording.fps else None
        if seconds is not None:
            pose, origin = recording.at(seconds), f"{name} at {seconds:g} s"
        else:
            pose, origin = recording[0], name
            if len(recording) > 1:
                rate = recording.fps
                length = f", {(len(recording) - 1) / rate:.1f} s" if rate else ""
                origin += f" (the first of {len(recording):,} poses{length}; /pose FILE SECONDS picks one)"  # fmt: skip  # noqa: E501
        held = HeldPose(pose=pose, origin=origin, recording=whole, at_s=seconds or 0.0)
        return self.held.hold(held)

    def open_named(self, name: str) -> int:
        """Hold one of the named poses; return its number."""
        named = NamedPoses.load()
        found = named.find(name)
        return self.held.hold(HeldPose(pose=named.centre(found), origin=f"the pose {found!r}"))

    def follow(self, name: str, progress: Progress) -> int:
        """Read the motion of whoever is seen longest in a film; hold its first pose."""
        path = self.place(name)
        check_file(path, photos=True)
        if not is_film(path):
            raise PoseQueryError(f"{name} is no film; /pose FILE reads it")
        motion = read_motion(path, progress)
        motion = motion if self.body is None else on_body(motion, self.body)
        origin = f"the person in {name} ({(len(motion) - 1) / (motion.fps or 1):.1f} s)"
        return self.held.hold(
            HeldPose(pose=motion[0], origin=origin, recording=motion, from_photo=True)
        )

    def take_moment(self, number: int, seconds: float) -> int:
        """Hold another moment of the recording that a pose was taken from; return its number."""
        held = self.held[number]
        if held.recording is None:
            raise PoseQueryError(f"pose {number} was not taken from a recording")
        source = held.origin.partition(" (")[0].partition(" at ")[0]
        return self.held.hold(
            replace(
                held, pose=held.recording.at(seconds), at_s=seconds,
                origin=f"{source} at {seconds:.2f} s",
            )
        )  # fmt: skip

    def _read_off(self, path: Path, name: str, seconds: float | None) -> int:
        """Read the pose of the person in a photo, or in a frame of a film, and hold it."""
        film = is_film(path)
        pixels = read_frame(path, seconds or 0.0) if film else open_photo(path)
        person = self.assistant.estimate_person(pixels)
        assert person.pose is not None
        # before a camera there is no floor: here all poses stand on one, around the origin
        pose = replace(person.pose, translation=None)
        understood = None
        if person.camera is not None:
            understood = self._pictures / f"seen-{len(self.held) + 1}.png"
            draw_reading(pixels, person, understood)
        when = f" at {seconds or 0.0:g} s" if film else ""
        return self.held.hold(
            HeldPose(
                pose=pose if self.body is None else on_body(pose, self.body),
                origin=f"the person in {name}{when}",
                from_photo=True,
                understood=understood,
            )
        )

    def list(self) -> str:
        """Return the poses of the conversation, one a line, the current one marked."""
        if not len(self.held):
            return "no poses yet; /pose FILE or /pose example adds one"
        return "\n".join(
            f"pose {i}: {held.origin}" + (" (current)" if i == self.held.current else "")
            for i, held in enumerate(self.held.items, start=1)
        )
