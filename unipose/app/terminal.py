"""The chat in a terminal (prompt, history, Ctrl-C) and through a pipe (line in, answer out)."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from unipose.app.conversation import COMMANDS, Conversation, Reply
from unipose.app.wording import printable, problem_in_words
from unipose.errors import UniPoseError

PROMPT = "you> "


def talk(chat: Conversation, *, verbose: bool = False) -> int:
    """Hold the conversation with a person, who has read WELCOME; return the exit status.

    Ctrl-C while an answer is made gives up that answer, Ctrl-C at the prompt clears the line; the
    conversation stays in both cases. Ctrl-D leaves.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _load(chat)
    with _history():
        while not chat.ended:
            try:
                line = with_dropped_file(input(PROMPT))
                if line.strip():
                    _answer_aloud(chat, line, verbose=verbose)
            except KeyboardInterrupt:
                print("\n(stopped; the conversation is kept, /quit or Ctrl-D leaves)")
            except EOFError:
                print()
                break
    return 0


def with_dropped_file(line: str) -> str:
    r"""Return what is meant where a file was dragged into the window.

    Terminals write its whole path, with spaces escaped or in quotes:

        /home/me/my\ walk.bvh          ->  /pose "/home/me/my walk.bvh"
        /pose /home/me/my\ walk.bvh 2  ->  /pose /home/me/my walk.bvh 2
    """
    plain = line.strip().replace("\\ ", " ")
    path = Path(plain.strip("'\""))
    if path.is_absolute() and path.is_file():
        return f'/pose "{path}"'
    return plain if plain.startswith("/") else line


def _answer_aloud(chat: Conversation, line: str, *, verbose: bool) -> None:
    """Print the answer to a line, the model's own words as soon as it says them."""
    printed: list[str] = []

    def say(piece: str) -> None:
        print(printable(piece), end="", flush=True)
        printed.append(piece)

    reply = None
    try:
        reply = chat.reply(line, on_text=say)
    except (UniPoseError, OSError) as error:
        answer = f"error: {problem_in_words(error)}"
    else:
        answer = "" if printed else reply.text
    if printed or answer:
        print("\n" * bool(printed and answer) + printable(answer))
    if reply is not None:
        _show_more(chat, reply, verbose=verbose)


def _show_more(chat: Conversation, reply: Reply, *, verbose: bool) -> None:
    """Print what a reply brought beside words: files, new poses, and the calls if asked for."""
    for line in lines_beside(chat, reply, verbose=verbose):
        print(printable(line))


def lines_beside(chat: Conversation, reply: Reply, *, verbose: bool) -> list[str]:
    """Return what a reply brought beside its words, a line each."""
    lines = []
    if reply.calls:  # a command says it itself
        lines += [f"pose {number}: {chat.poses[number - 1].origin}" for number in reply.poses]
        lines += [f"picture: {picture}" for picture in reply.pictures]
    if verbose:
        for made in reply.calls:
            lines += [str(made.call), f"  = {made.result.model_text}"]
        lines += ["  (said by the program: the model's words left what was measured)"] * (
            reply.corrected
        )
    return lines


def answer_lines(chat: Conversation, *, verbose: bool = False) -> int:
    """Answer the lines of a pipe, one after the other; return 1 if a line had no answer, else 0.

    Each line is answered on standard output as soon as it came, a failed one with "error: ...".
    """
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    failed = False
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            reply = chat.reply(line)
        except (UniPoseError, OSError) as error:
            answer = f"error: {problem_in_words(error)}"
            failed = True
        else:
            said = f"error: {reply.text}" if reply.failed else reply.text
            answer = printable(
                "\n".join([said, *lines_beside(chat, reply, verbose=verbose)]).strip()
            )
            failed |= reply.failed
        if answer:
            print(answer, flush=True)
        if chat.ended:
            break
    return 1 if failed else 0


def _load(chat: Conversation) -> None:
    start = time.perf_counter()
    try:
        assert chat.speaker is not None
        assert chat.actions.assistant is not None
    except UniPoseError as error:
        print(f"error: {problem_in_words(error)}\nCommands work without it; /help lists them.")
    else:
        print(f"The model is ready ({time.perf_counter() - start:.1f} s).")


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Give `input` editing, completion and the lines of earlier conversations."""
    try:
        import readline
    except ImportError:  # Windows: plain input works, without history
        yield
        return
    file = _state_folder() / "chat_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(1000)
    readline.set_completer_delims(" ")
    readline.set_completer(_complete)
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)


def _complete(text: str, state: int) -> str | None:
    """Return the next completion: of a command, or of a file's path after one."""
    if text.startswith("/") and not text.count("/") > 1:
        matches = [name.split()[0] for name in COMMANDS]
        matches = sorted({name for name in matches if name.startswith(text)})
    else:
        matches = []
    if not matches:
        path = Path(text).expanduser()
        folder = path if text.endswith("/") else path.parent
        start = "" if text.endswith("/") else path.name
        with contextlib.suppress(OSError):
            matches = sorted(
                f"{found}/" if found.is_dir() else str(found)
                for found in folder.iterdir()
                if found.name.startswith(start)
            )
    return matches[state] if state < len(matches) else None


def _state_folder() -> Path:
    """Return where the history lives: XDG_STATE_HOME, or ~/.local/state."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "unipose"
