"""One visitor's conversation as the page shows it: what was said, poses, files, and how to stop."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from unipose.app.conversation import Conversation, Reply
from unipose.app.conversation_files import is_kept_conversation
from unipose.app.page.file_shelf import FileShelf
from unipose.app.page.pose_documents import as_jpeg
from unipose.app.pose_actions import HeldPose
from unipose.app.pose_input import Progress, read_frame
from unipose.app.server.row_worker import WorkCancelledError
from unipose.app.wording import problem_in_words
from unipose.errors import PoseQueryError, UniPoseError
from unipose.file_signatures import is_film, is_photo
from unipose.files.photo import open_photo
from unipose.language.call_loop import TextCallback

MOST_ENTRIES = 400
"""Lines and answers that are kept for a page that is loaded again."""
MOST_POSES = 99
"""Of one conversation; the language model knows numbers of two digits."""
MOST_FRAMES = 3000
"""Of a film that somebody is followed through."""
PREVIEW_PX = 480
BUSY_S = 5.0
"""How long a new line waits for an answer that was just stopped."""

PageEvent = dict[str, Any]
Emit = Callable[[PageEvent], None]
"""Is given what happens while an answer is made, as JSON."""


Converse = Callable[[Path, threading.Event], Conversation]
"""Gives a new conversation whose files are those of a folder; while the event is set it stops what
it does (`server.answering.ServedModels.conversation`)."""


class StoppedError(Exception):
    """The visitor stopped an answer."""


@dataclass(kw_only=True)
class PageEntry:
    """One line of the conversation, or one answer, as the page shows it."""

    id: int
    who: str
    """ "you" or "unipose"."""
    text: str = ""
    opened: str = ""
    """Of a line that is no text: the name of what was opened."""
    poses: tuple[str, ...] = ()
    """Ids of poses that were made or read."""
    compared: tuple[str, ...] = ()
    """Ids of the two poses that a comparison is about."""
    pictures: tuple[str, ...] = ()
    """Ids of files."""
    files: tuple[tuple[str, str], ...] = ()
    """Id and name of files that were written."""
    failed: bool = False
    stopped: bool = False


class PageSession:
    """A conversation, the poses and files in it under ids, and what the page has to show again."""

    def __init__(self, converse: Converse, root: Path) -> None:
        self.shelf = FileShelf(root)
        self._stopped = threading.Event()
        self.conversation = converse(self.shelf.folder, self._stopped)
        self.entries: list[PageEntry] = []
        self._known: list[tuple[str, HeldPose]] = []
        self._answering = threading.Lock()
        self._next = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is being made."""
        return self._answering.locked()

    def stop(self) -> None:
        """Stop the answer that is being made, if one is."""
        self._stopped.set()

    def say(self, line: str, emit: Emit) -> None:
        """Answer a line; what happens goes to `emit`."""
        self._turn(
            {"text": line.strip()},
            lambda say, show: self._reply(line, say, show),
            emit,
        )

    def open(self, name: str, emit: Emit) -> None:
        """Open a named pose, or a file that was brought; a film is followed through."""
        actions = self.conversation.actions
        file = actions.place(name) if actions.is_there(name) else None
        command = "/follow" if is_film(name) else "/pose"

        def opened(say: TextCallback, show: Progress) -> Reply:
            if file is None:
                number, pictures = self.conversation.open_named(name), ()
            elif is_kept_conversation(file):
                return self.conversation.reply(f'/resume "{name}"')
            else:
                reply = self.conversation.reply(f'{command} "{name}"', progress=show)
                (number,), pictures = reply.poses, reply.pictures
            text = _opened_text(number, self.conversation.poses[number - 1], name)
            return Reply(text=text, poses=(number,), pictures=pictures)

        asked = {"opened": name, "pictures": () if file is None else self._preview(file)}
        self._turn(asked, opened, emit)

    def take_moment(self, pose_id: str, seconds: float) -> PageEvent:
        """Make another moment of a recording the current pose; return the answer that says so."""
        with self._alone():
            self._check_room()
            number = self.conversation.take_moment(self.number_of(pose_id), seconds)
            text = f"Pose {number} is the moment at {seconds:.2f} s."
            return self._answer(self._add(who="unipose", text=text, poses=self._ids([number])))

    def choose(self, pose_id: str) -> None:
        """Make a pose the current one."""
        with self._alone():
            self.conversation.choose(self.number_of(pose_id))

    def forget(self) -> None:
        """Begin anew."""
        self.stop()
        with self._alone():
            self.conversation.reply("/new")
            self.entries.clear()
            self.shelf.clear()

    def number_of(self, pose_id: str) -> int:
        """Return the number of a pose. Raises PoseQueryError if there is none."""
        self._ids([])
        for number, (known, _) in enumerate(self._known, start=1):
            if known == pose_id:
                return number
        raise PoseQueryError("there is no such pose in this conversation")

    def held(self, pose_id: str) -> HeldPose:
        """Return a pose by its id. Raises PoseQueryError if there is none."""
        return self.conversation.poses[self.number_of(pose_id) - 1]

    def as_json(self) -> dict[str, Any]:
        """Return all that a page needs to show this conversation."""
        held = self.conversation.actions.held
        return {
            "entries": [asdict(entry) for entry in self.entries],
            "poses": self._cards(self._ids(range(1, len(held) + 1))),
            "current": self._current(),
            "busy": self.busy,
        }

    def _reply(self, line: str, say: TextCallback, show: Progress) -> Reply:
        """Answer a line; nobody leaves a page by a command."""
        reply = self.conversation.reply(line, on_text=say, progress=show)
        if self.conversation.ended:
            self.conversation.ended = False
            return Reply(text="Just close the page; this conversation is kept for a while.")
        return reply

    def _turn(
        self,
        asked: dict[str, Any],
        answer: Callable[[TextCallback, Progress], Reply],
        emit: Emit,
    ) -> None:
        """Have one line answered; whatever comes of it is an entry."""
        with self._alone():
            self._stopped.clear()
            emit({"kind": "entry", "entry": asdict(self._add(who="you", **asked))})
            pieces: list[str] = []

            def on_text(piece: str) -> None:
                self._check_stopped()
                pieces.append(piece)
                emit({"kind": "text", "text": piece})

            def progress(items: Iterable[Any], count: int | None, what: str) -> Iterator[Any]:
                for done, item in enumerate(items, start=1):
                    self._check_stopped()
                    if max(done, count or 0) > MOST_FRAMES:
                        raise PoseQueryError(f"these are too many {what}; at most {MOST_FRAMES:,}")
                    emit({"kind": "progress", "done": done, "of": count, "what": what})
                    yield item

            try:
                self._check_room()
                reply = answer(on_text, progress)
            except (StoppedError, WorkCancelledError):
                entry = self._add(who="unipose", text="".join(pieces).strip(), stopped=True)
            except (UniPoseError, OSError) as error:
                said = "".join(pieces)
                problem = self._plain(problem_in_words(error))
                text = f"{said}\n{problem}" if said else problem
                entry = self._add(who="unipose", text=text, failed=True)
            except BaseException:  # a mistake of ours: the page learns of it, and so does the log
                logging.getLogger(__name__).exception("an answer failed")
                self._add(who="unipose", text="Something went wrong here.", failed=True)
                raise
            else:
                entry = self._add_reply(reply)
            emit(self._answer(entry))

    def _add_reply(self, reply: Reply) -> PageEntry:
        return self._add(
            who="unipose",
            text=self._plain(reply.text),
            poses=self._ids(reply.poses),
            compared=self._ids(reply.compared or ()),
            pictures=tuple(self.shelf.add(path, inline=True).id for path in reply.pictures),
            files=tuple((self.shelf.add(path).id, path.name) for path in reply.files),
            failed=reply.failed,
        )

    def _add(self, **fields: Any) -> PageEntry:
        self._next += 1
        entry = PageEntry(id=self._next, **fields)
        self.entries.append(entry)
        del self.entries[:-MOST_ENTRIES]
        return entry

    def _answer(self, entry: PageEntry) -> PageEvent:
        """Return the event that ends an answer."""
        return {
            "kind": "answer",
            "entry": asdict(entry),
            "poses": self._cards([*entry.poses, *entry.compared]),
            "current": self._current(),
        }

    def _current(self) -> str | None:
        held = self.conversation.actions.held
        return self._ids([held.current])[0] if len(held) else None

    def _cards(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return what the page knows of poses, by id."""
        cards = {}
        for pose_id in ids:
            number, held = self.number_of(pose_id), self.held(pose_id)
            recording = held.recording
            cards[pose_id] = {
                "id": pose_id,
                "number": number,
                "origin": _title(self._plain(held.origin)),
                "before": None if held.before is None else self._ids([held.before])[0],
                "seconds": None
                if recording is None
                else (len(recording) - 1) / (recording.fps or 1),
                "at": held.at_s,
            }
        return cards

    def _ids(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the ids of poses. New poses get new ones, also those of a resumed conversation."""
        poses = self.conversation.poses
        same = [known is held for (_, known), held in zip(self._known, poses)]
        del self._known[same.index(False) if False in same else len(same) :]
        self._known += [(secrets.token_urlsafe(12), held) for held in poses[len(self._known) :]]
        return tuple(self._known[number - 1][0] for number in numbers)

    def _preview(self, path: Path) -> tuple[str, ...]:
        """Return the id of a small picture of a photo or a film; nothing if it cannot be read."""
        if not (is_photo(path) or is_film(path)):
            return ()
        try:
            pixels = read_frame(path, 0.0) if is_film(path) else open_photo(path)
        except (UniPoseError, OSError):  # opening it will say why
            return ()
        picture = Image.fromarray(pixels)
        picture.thumbnail((PREVIEW_PX, PREVIEW_PX))
        preview = self.shelf.previews / f"{secrets.token_hex(8)}.jpg"
        preview.write_bytes(as_jpeg(picture))
        return (self.shelf.add(preview, inline=True).id,)

    def _alone(self) -> _Alone:
        return _Alone(self._answering)

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise StoppedError

    def _check_room(self) -> None:
        if len(self.conversation.poses) >= MOST_POSES:
            raise PoseQueryError(f"this conversation holds {MOST_POSES} poses; begin a new one")

    def _plain(self, text: str) -> str:
        """Return text without the folder that the visitor's files lie in."""
        return text.replace(f"{self.shelf.folder}/", "")


class _Alone:
    """One answer at a time; PoseQueryError for a second one."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=BUSY_S):
            raise PoseQueryError("another answer is being made; stop it or wait")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _title(origin: str) -> str:
    """Return where a pose came from, without the hints for those who type commands."""
    short = origin.partition(" (the first of")[0]
    named = short.removeprefix("the pose ")
    return short if named == short else named.strip("'")


def _opened_text(number: int, held: HeldPose, name: str) -> str:
    if held.recording is not None:
        seconds = (len(held.recording) - 1) / (held.recording.fps or 1)
        return (
            f"Pose {number} is the beginning of a recording of {seconds:.1f} s. "
            "Play it, or move to another moment and take that."
        )
    if held.from_photo:
        return f"Pose {number} was read off {name}."
    return f"This is pose {number}."
