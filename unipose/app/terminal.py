"""The chat in a terminal (prompt, history, Ctrl-C) and through a pipe (line in, answer out)."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from unipose.app.chat import COMMANDS, Chat
from unipose.app.wording import printable, problem_in_words
from unipose.errors import UniPoseError

PROMPT = "you> "


def talk(chat: Chat) -> int:
    """Hold the conversation with a person, who has read WELCOME; return the exit status.

    Ctrl-C while an answer is made gives up that answer, Ctrl-C at the prompt clears the line; the
    conversation stays in both cases. Ctrl-D leaves.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _load(chat)
    with _history():
        while not chat.ended:
            try:
                line = input(PROMPT)
                if line.strip():
                    _answer_aloud(chat, line)
            except KeyboardInterrupt:
                print("\n(stopped; the conversation is kept, /quit or Ctrl-D leaves)")
            except EOFError:
                print()
                break
    return 0


def _answer_aloud(chat: Chat, line: str) -> None:
    """Print the answer to a line, the model's own words as soon as it says them."""
    heard: list[str] = []

    def say(piece: str) -> None:
        print(printable(piece), end="", flush=True)
        heard.append(piece)

    try:
        answer = chat.reply(line, heard=say)
    except (UniPoseError, OSError) as error:
        answer = f"error: {problem_in_words(error)}"
    else:
        answer = "" if heard else answer
    if heard or answer:
        print("\n" * bool(heard and answer) + printable(answer))


def answer_lines(chat: Chat) -> int:
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
            answer = printable(chat.reply(line))
        except (UniPoseError, OSError) as error:
            answer = f"error: {problem_in_words(error)}"
            failed = True
        if answer:
            print(answer, flush=True)
        if chat.ended:
            break
    return 1 if failed else 0


def _load(chat: Chat) -> None:
    start = time.perf_counter()
    assert chat.assistant is not None
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
