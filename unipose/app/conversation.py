"""A conversation about poses: what is typed, what is answered, and the poses it is about.

    conversation = Conversation(UniPose.load)
    conversation.reply("/pose squat")
    reply = conversation.reply("which knee is bent more?")
    reply.text, reply.poses, reply.calls

A sentence goes to the language model, which answers in words or with calls (`pose_actions` does
them); a line that begins with a slash is a command and needs no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from unipose.app.conversation_files import SpokenTurn, load_conversation, save_conversation
from unipose.app.examples import EXAMPLES
from unipose.app.pose_actions import Assistant, Done, HeldPose, PoseActions
from unipose.app.pose_input import Progress
from unipose.app.spoken_text import SpokenText
from unipose.app.wording import CAPABILITIES
from unipose.body.body import Body
from unipose.errors import PoseQueryError
from unipose.language.call_loop import (
    SYSTEM,
    CallMade,
    CallResult,
    Speaker,
    TextCallback,
    Turn,
    take_turn,
)
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import Call
from unipose.posecodes.held_poses import state_line
from unipose.posecodes.sureness import UNSURE
from unipose.posecodes.unheeded import remarks

LONGEST_LINE = 2000
"""Characters of one line; more is refused, not cut."""
MOST_TOKENS, KEPT_TOKENS = 1000, 500
"""A row that is longer than the first loses its oldest turns until it is no longer than the second:
seldom and much, since what follows is then read anew."""

COMMANDS = {
    "/pose FILE [SECONDS]": "read a pose from a file (of a recording: the pose at that time)",
    "/pose PHOTO": "read a pose off a photo (.jpg .png .bmp .tif ...)",
    "/pose FILM SECONDS": "read a pose off a frame of a film (.mp4 .mov .gif ...)",
    "/follow FILM": "read the motion of whoever is seen longest in a film",
    "/pose NAME": "take a pose by its name: "
    + ", ".join(EXAMPLES)
    + ", or one of `unipose poses`, such as tree pose",
    "/poses": "list the poses of this conversation",
    "/show [NUMBER]": "draw a pose as a picture and say where it is",
    "/save FILE [NUMBER]": "keep a pose: .npz .json .bvh .glb .obj .png",
    "/keep FILE": "keep the whole conversation: .json",
    "/resume FILE": "go on with a conversation that was kept",
    "/tasks": "what can be asked in plain words",
    "/new": "forget everything and start again",
    "/help": "this list",
    "/quit": "leave (also Ctrl-D)",
}


@runtime_checkable
class ConversationSpeaker(Speaker, Protocol):
    """What a conversation needs of `ConversationModel`."""

    def length(self, messages: Sequence[Message]) -> int:
        """Return how many tokens a conversation has."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What comes back to one line."""

    text: str
    """All that is said, as it was streamed."""
    poses: tuple[int, ...] = ()
    """Numbers of poses that were made or read."""
    pictures: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    compared: tuple[int, int] | None = None
    """Numbers of the two poses of a comparison, the earlier one first."""
    calls: tuple[CallMade, ...] = ()
    """What the language model called, and what it came to."""
    failed: bool = False
    """Whether something that was asked for could not be done; the text says why."""
    corrected: bool = False
    """Whether the program's own words took the place of the model's (`call_loop`)."""


class Conversation:
    """One conversation. Only what is finished changes it; an interruption keeps what was said."""

    def __init__(
        self,
        load: Callable[[], Assistant],
        load_speaker: Callable[[], ConversationSpeaker] | None = None,
        *,
        body: Body | None = None,
        system: str = SYSTEM,
        files: bool | Path = True,
    ) -> None:
        """`load` gives the pose model, `load_speaker` the model that leads; both when needed.

        `system` is what the model reads before the first turn. `files` says which files may be
        opened and written: all, none (as a server wants it: poses have names there), or those of
        one folder, by their bare names (as a page wants it).
        """
        self.actions = PoseActions(load, body=body, files=files)
        self._load_speaker = load_speaker
        self._system = system
        self.turns: list[SpokenTurn] = []
        self._first = 0
        self._opened = False
        self.ended = False

    @property
    def poses(self) -> list[HeldPose]:
        """The poses, number 1 first."""
        return self.actions.held.items

    @cached_property
    def speaker(self) -> ConversationSpeaker:
        """The model that leads the conversation, loaded when it is first needed."""
        if self._load_speaker is not None:
            return self._load_speaker()
        from unipose.language.conversation_model import ConversationModel  # loads transformers

        return ConversationModel.load()

    def reply(
        self,
        line: str,
        *,
        on_text: TextCallback | None = None,
        progress: Progress | None = None,
    ) -> Reply:
        """Answer one line, a command or a sentence; what is said also goes to `on_text` in pieces.

        Long work goes through `progress`. Raises a UniPoseError that says what to do for a command
        that cannot be followed and for a line that cannot be read; the conversation is then what it
        was before.
        """
        line = _readable(line)
        if line.startswith("/"):
            return self._obey(line, progress)
        return self.speak(line, on_text=on_text)

    def hold(self, pose: HeldPose) -> int:
        """Add a pose that is shown before the next sentence; return its number."""
        self._opened = True
        return self.actions.held.hold(pose)

    def recall(self, line: str, answer: str) -> None:
        """Add a turn that was spoken before: it is read, and not answered again."""
        self.turns.append(self._begun(_readable(line)))
        self.turns[-1].messages.append(Message.of("assistant", answer))

    def _begun(self, line: str) -> SpokenTurn:
        held = self.actions.held
        spoken = SpokenTurn(
            state=state_line(held) if len(held) else "",
            opened=f"pose {held.current}" if self._opened else "",
            messages=[Message.of("user", line)],
        )
        self._opened = False
        return spoken

    def speak(self, line: str, *, on_text: TextCallback | None = None) -> Reply:
        """Let the model answer a sentence; a slash in front means nothing here."""
        line, speaker = _readable(line), self.speaker
        spoken = self._begun(line)
        self.turns.append(spoken)
        turn, done = Turn(), Done()
        said = SpokenText(on_text)

        def run(call: Call) -> CallResult:
            said.part()
            result = self.actions.run(call, typed=line, done=done, on_text=said)
            if not said.part_has_text:
                said(result.user_text)
            said.part()
            return result

        try:
            take_turn(speaker, self._context(speaker), run, turn, on_text=said)
        except BaseException:
            # what was said and done stays; the answer ends where it was interrupted
            spoken.messages += turn.messages
            if not turn.messages or turn.messages[-1].role == "tool":
                spoken.messages.append(Message.of("assistant", turn.words))
            raise
        spoken.messages += turn.messages
        if done.unsure:
            said(f" {UNSURE}")
        if left_out := remarks(line, [made.call for made in turn.calls]):
            said(f" {left_out}")
        return Reply(
            text=said.text.strip(),
            poses=tuple(done.poses),
            pictures=tuple(done.pictures),
            files=tuple(done.files),
            compared=done.compared,
            calls=tuple(turn.calls),
            failed=any(made.result.failed for made in turn.calls),
            corrected=turn.corrected,
        )

    def _context(self, speaker: ConversationSpeaker) -> list[Message]:
        """Return what the model reads: the newest turns, and the poses at the first of them."""
        messages = self._messages(self._first)
        if speaker.length(messages) > MOST_TOKENS:
            while self._first + 1 < len(self.turns):
                self._first += 1
                messages = self._messages(self._first)
                if speaker.length(messages) <= KEPT_TOKENS:
                    break
        return messages

    def _messages(self, first: int) -> list[Message]:
        messages = [Message.of("system", self._system)]
        for number, turn in enumerate(self.turns[first:]):
            before = turn.opened if number else turn.state
            if before:
                messages.append(Message.of("tool", before))
            messages += turn.messages
        return messages

    def choose(self, number: int) -> None:
        """Make a pose the current one, by hand. Raises PoseQueryError if it is not there."""
        self.actions.held.choose(number)
        self._opened = True

    def open_named(self, name: str) -> int:
        """Hold one of the named poses, by hand; return its number."""
        number = self.actions.open_named(name)
        self._opened = True
        return number

    def take_moment(self, number: int, seconds: float) -> int:
        """Hold another moment of a pose's recording, by hand; return its number."""
        taken = self.actions.take_moment(number, seconds)
        self._opened = True
        return taken

    def _obey(self, line: str, progress: Progress | None) -> Reply:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        commands: dict[str, Callable[[str], Reply]] = {
            "/pose": self._read,
            "/follow": lambda film: self._follow(film, progress),
            "/poses": lambda _: Reply(text=self.actions.list()),
            "/show": self._show,
            "/save": self._save,
            "/keep": self._keep,
            "/resume": self._resume,
            "/tasks": lambda _: Reply(text=CAPABILITIES),
            "/new": self._forget,
            "/help": lambda _: Reply(text=_command_list()),
            "/quit": self._leave,
            "/exit": self._leave,
        }
        if word not in commands:
            raise PoseQueryError(
                f"there is no command {word[:40]!r}; /help lists them, and what is none of them is "
                'said without a slash, such as "undo"'
            )
        return commands[word](rest)

    def _leave(self, rest: str) -> Reply:
        self.ended = True
        return Reply(text="")

    def _forget(self, rest: str) -> Reply:
        self.actions.clear()
        self.turns, self._first, self._opened = [], 0, False
        return Reply(text="Forgotten; /pose FILE or a sentence starts again.")

    def _read(self, rest: str) -> Reply:
        if not rest:
            raise PoseQueryError(
                "which file? /pose FILE [SECONDS], or one of: " + ", ".join(EXAMPLES)
            )
        name, seconds = self._split_number(rest)
        number = self.actions.open(name, seconds)
        self._opened = True
        held = self.poses[number - 1]
        text = f"Read pose {number}: {held.origin}. /show draws it."
        if held.understood is None:
            return Reply(text=text, poses=(number,))
        text += f" What was understood is in {held.understood}."
        return Reply(text=text, poses=(number,), pictures=(held.understood,))

    def _follow(self, rest: str, progress: Progress | None) -> Reply:
        if not rest:
            raise PoseQueryError("which film? /follow FILM, for example /follow walk.mp4")
        name, at = self._split_number(rest)
        if at is not None:
            raise PoseQueryError(f"a film is read as a whole, got the number {at:g}: /follow FILM")
        number = self.actions.follow(name, progress or (lambda items, count, what: items))
        self._opened = True
        return Reply(text=f"Read pose {number}: {self.poses[number - 1].origin}.", poses=(number,))

    def _show(self, rest: str) -> Reply:
        number = self._number(rest)
        picture = self.actions.draw(number)
        return Reply(text=f"pose {number} is in {picture}", pictures=(picture,))

    def _save(self, rest: str) -> Reply:
        if not rest:
            raise PoseQueryError("where to? /save FILE [NUMBER], for example /save squat.bvh")
        name, number = self._split_number(rest)
        if number is not None and number != int(number):
            raise PoseQueryError(f"expected /save FILE NUMBER, got the number {number:g}")
        chosen = self.actions.held.current if number is None else int(number)
        file = self.actions.write(chosen, self.actions.place(name))
        return Reply(text=f"pose {chosen} is in {file}", files=(file,))

    def _keep(self, rest: str) -> Reply:
        if not rest:
            raise PoseQueryError("where to? /keep FILE, for example /keep talk.json")
        name, _ = self._split_number(rest)
        file = save_conversation(self.turns, self.actions.held, self.actions.place(name))
        return Reply(text=f"the conversation is in {file}", files=(file,))

    def _resume(self, rest: str) -> Reply:
        if not rest:
            raise PoseQueryError("which one? /resume FILE, for example /resume talk.json")
        turns, held = load_conversation(self.actions.place(self._split_number(rest)[0]))
        self.reply("/new")
        self.turns, self.actions.held = turns, held
        return Reply(text=f"{len(self.turns)} turns and {len(self.poses)} poses are back.")

    def _split_number(self, rest: str) -> tuple[str, float | None]:
        """Return a file name, which may hold spaces or stand in quotes, and the number after it."""
        rest = rest.strip()
        quoted = rest[:1] in {'"', "'"} and rest.rfind(rest[0]) > 0
        if quoted:
            end = rest.rfind(rest[0])
            name, number = rest[1:end], rest[end + 1 :].strip()
        elif " " not in rest or self.actions.is_there(rest):
            name, number = rest, ""
        else:
            name, number = rest.rsplit(" ", 1)
        if not number:
            return name, None
        try:
            return name.strip(), float(number)
        except ValueError:
            return (rest, None) if not quoted else (name, None)

    def _number(self, rest: str) -> int:
        if not rest:
            return self.actions.held.current
        if not rest.isdecimal():
            raise PoseQueryError(
                f"expected the number of a pose, got {rest[:40]!r}; /poses lists them"
            )
        return int(rest)


def _readable(line: str) -> str:
    """Return a line without what is not printed. Raises PoseQueryError: too long, or empty."""
    if len(line) > LONGEST_LINE:
        raise PoseQueryError(
            f"this line has {len(line):,} characters; at most {LONGEST_LINE:,} can be read"
        )
    line = "".join(c if c.isprintable() else " " for c in line).strip()
    if not line:
        raise PoseQueryError("an empty line; ask something, or /help")
    return line


def _command_list() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(f"{name:<{width}}  {what}" for name, what in COMMANDS.items())
