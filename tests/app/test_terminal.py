"""The chat as a person and as a program meet it: a real pseudo-terminal, a real pipe."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from unipose.app.terminal import with_dropped_file
from unipose.app.wording import printable

ROOT = Path(__file__).parents[2]

PROGRAM = textwrap.dedent(
    """
    import sys, time
    from tests.fakes.assistant import FakeAssistant
    from tests.fakes.speaker import TableSpeaker
    from unipose.app.conversation import Conversation
    from unipose.app.terminal import answer_lines, talk

    class Slow(FakeAssistant):
        def describe(self, pose, *, on_text=None):
            print("thinking", flush=True)
            time.sleep(60)

    table = {
        "describe the pose": ["> describe", ""],
        "describe it": ["> describe", ""],
        "is the left knee bent": ["> check bent left knee", "Yes."],
    }
    load = (Slow if "slow" in sys.argv else FakeAssistant).load
    chat = Conversation(load, lambda: TableSpeaker(table))
    verbose = "verbose" in sys.argv
    answer = talk if sys.stdin.isatty() else answer_lines
    sys.exit(answer(chat, verbose=verbose))
    """
)


def environment(tmp_path: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return keep | {"XDG_STATE_HOME": str(tmp_path), "TERM": "dumb", "OMP_NUM_THREADS": "1"}


def ask_through_a_pipe(
    lines: str | bytes, tmp_path: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    sent = lines.encode() if isinstance(lines, str) else lines
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        input=sent,
        capture_output=True,
        cwd=ROOT,
        env=environment(tmp_path),
        timeout=250,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.mark.slow
def test_a_pipe_gets_an_answer_for_each_line_and_status_0(tmp_path: Path):
    done = ask_through_a_pipe("/pose squat\n\ndescribe the pose\n/quit\ndescribe it\n", tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith("Read pose 1")
    assert second.startswith("turned by")


@pytest.mark.slow
def test_lines_without_an_answer_are_said_and_end_with_status_1(tmp_path: Path):
    hostile = b"/pose \x1b[31mred.npz\n/\xff\xfe\x00\n" + b"a" * 100_000 + b"\n/show 7\n"
    done = ask_through_a_pipe(b"describe the pose\n" + hostile + b"/pose stand\n", tmp_path)
    answers = done.stdout.splitlines()
    assert done.returncode == 1
    assert [answer.split(":")[0] for answer in answers] == ["error"] * 5 + ["Read pose 1"]
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_what_the_model_calls_is_shown_where_it_is_asked_for(tmp_path: Path):
    lines = "/pose squat\nis the left knee bent\n"
    plain = ask_through_a_pipe(lines, tmp_path).stdout
    assert ">" not in plain
    shown = ask_through_a_pipe(lines, tmp_path, "verbose").stdout.splitlines()
    assert shown[1].endswith("Yes: the left knee is bent by 110 degrees.")
    assert shown[2:4] == [
        "> check bent left knee",
        "  = yes: left knee is bent by 110 degrees",
    ]
    assert "said by the program" in shown[4]


def test_control_characters_are_shown_as_question_marks():
    assert printable("a\x1b[2J\r\nb") == "a?[2J?\nb"


class Terminal:
    """A pseudo-terminal with the chat in it."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self.screen = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # jobs in the background ignore it
            os.execve(
                sys.executable,
                [sys.executable, "-c", PROGRAM, *arguments],
                environment(tmp_path),
            )

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str, *, seconds: float = 60) -> None:
        """Read the screen until `text` is on it, then forget what was read."""
        assert self._comes(text, seconds), f"{text!r} did not come; the screen: {self.screen!r}"

    def interrupt(self, answer: str, *, presses: int = 20) -> None:
        """Press Ctrl-C until `answer` comes, as a person would.

        One press may be lost: CPython hears an interrupt only while it waits for a key, not in the
        moment in which readline echoes one.
        """
        for _ in range(presses):
            self.type("\x03")
            if self._comes(answer, 3):
                return
        raise AssertionError(f"{answer!r} did not come; the screen: {self.screen!r}")

    def _comes(self, text: str, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while text not in self.screen:
            left = until - time.monotonic()
            ready, _, _ = select.select([self.master], [], [], max(left, 0))
            if not ready:
                return False
            self.screen += os.read(self.master, 4096).decode(errors="replace")
        self.screen = self.screen[self.screen.index(text) + len(text) :]
        return True

    def status(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        os.close(self.master)


@pytest.fixture
def terminal(tmp_path: Path):
    pytest.importorskip("readline")
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(tmp_path, *arguments))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


@pytest.mark.filterwarnings("ignore:.*forkpty.*:DeprecationWarning")
@pytest.mark.slow
def test_a_person_talks_clears_a_line_leaves_and_finds_the_old_lines_again(terminal):
    screen = terminal()
    screen.wait_for("you> ")
    screen.type("/pose squat\n")
    screen.wait_for("Read pose 1")
    screen.type("describe the pose\n")
    screen.wait_for("turned by")
    screen.wait_for("you> ")
    screen.type("half a sent")
    screen.wait_for("half a sent")
    screen.interrupt("the conversation is kept")
    screen.wait_for("you> ")
    screen.type("/poses\n")
    screen.wait_for("pose 1: the example 'squat'")
    screen.wait_for("you> ")  # an end of file typed before the prompt is lost with the cooked line
    screen.type("\x04")
    assert screen.status() == 0
    screen = terminal()
    screen.wait_for("you> ")
    screen.type("\x1b[A\x1b[A\x1b[A\n")  # up: /poses, describe the pose, /pose squat
    screen.wait_for("Read pose 1")
    screen.type("/quit\n")
    assert screen.status() == 0


@pytest.mark.filterwarnings("ignore:.*forkpty.*:DeprecationWarning")
@pytest.mark.slow
def test_ctrl_c_during_an_answer_gives_up_the_answer_and_keeps_the_poses(terminal):
    screen = terminal("slow")
    screen.wait_for("you> ")
    screen.type("/pose squat\n")
    screen.wait_for("you> ")
    screen.type("describe the pose\n")
    screen.wait_for("thinking")
    os.kill(screen.pid, signal.SIGINT)
    screen.wait_for("the conversation is kept")
    screen.wait_for("you> ")
    screen.type("/poses\n")
    screen.wait_for("pose 1: the example 'squat'")
    screen.type("/quit\n")
    assert screen.status() == 0


def test_a_file_that_is_dragged_into_the_window_is_opened(tmp_path: Path):
    file = tmp_path / "my walk.bvh"
    file.write_text("HIERARCHY")
    opened = f'/pose "{file}"'
    escaped = str(file).replace(" ", "\\ ")
    for dropped in (escaped, f"{escaped} ", f"'{file}'", f'"{file}"', str(file)):
        assert with_dropped_file(dropped) == opened
    assert with_dropped_file(f"/pose {escaped} 2") == f"/pose {file} 2"
    for typed in ("/help", "/home/nobody/a.bvh", "is it 1\\ 2?", "walk.bvh"):
        assert with_dropped_file(typed) == typed
