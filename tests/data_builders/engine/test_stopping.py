"""The program is started as a user does, then stopped the hard way: Ctrl-C, SIGKILL, twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from data_builders.engine import Place, run_stages
from tests.fakes.engine_steps import files_of, traces, two_stages

ROOT = Path(__file__).parents[3]


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.fakes.engine_program", "--out", str(folder)]
    # where the tests themselves run in the background, Ctrl-C is ignored, and that is inherited
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(run: subprocess.Popen) -> tuple[int, str, str]:
    """Return the exit status and what was said on both streams."""
    out, err = run.communicate(timeout=60)
    return run.returncode, out.strip(), err


def still_there(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that do not end within a few seconds."""
    return psutil.wait_procs(processes, timeout=8)[1]


def wait_for(condition, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def middle_of(folder: Path):
    """True when tasks are done, and others have begun and not ended."""

    def is_there() -> bool:
        begun, done = traces(folder / "out", "begun"), traces(folder / "out", "done")
        return len(done) >= 2 and len(begun) > len(done)

    return is_there


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_does_nothing_twice(tmp_path):
    arguments = ("--pause-s", "0.25", "--place.workers", "2")
    run = start(tmp_path, *arguments)
    wait_for(middle_of(tmp_path))
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    again = start(tmp_path, *arguments)  # at once: workers of the first run may still be there
    assert finish(again) == (0, "whole", "")
    done, begun = traces(tmp_path / "out", "done"), traces(tmp_path / "out", "begun")
    assert sorted(done) == [0, 1, 2, 3, 4, 5], "each ran exactly once to its end"
    assert len(begun) > len(done), "the kill did hit tasks at work"
    assert still_there(workers) == []
    run_stages(two_stages(tmp_path / "here"), tmp_path / "here_log", Place(workers=1))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path, workers):
    arguments = ("--pause-s", "0.25", "--place.workers", workers)
    run = start(tmp_path, *arguments)
    wait_for(middle_of(tmp_path))
    children = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers too
    code, out, err = finish(run)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "of 6 tasks of stage squares are done; the same command goes on from there" in err
    assert still_there(children) == []
    assert not list((tmp_path / "out/squares").glob(".*")), "half-written files are gone"
    assert finish(start(tmp_path, *arguments)) == (0, "whole", "")
    assert sorted(traces(tmp_path / "out", "done")) == [0, 1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_waits_for_the_first(tmp_path):
    first = start(tmp_path, "--place.workers", "1", "--pause-s", "0.25")
    wait_for(lambda: traces(tmp_path / "out", "begun"))
    second = start(tmp_path, "--place.workers", "1")
    assert finish(first) == finish(second) == (0, "whole", "")
    assert sorted(traces(tmp_path / "out", "begun")) == [0, 1, 2, 3, 4, 5]


def test_the_exit_status_tells_of_a_failure_in_one_line(tmp_path):
    run = start(tmp_path, "--place.workers", "1", "--broken", "0")
    code, _, err = finish(run)
    assert code == 1
    assert err.startswith("error: stage squares, task 0 of 6: record 0 has no pose (log: ")
    assert len(err.splitlines()) == 1


def test_a_wish_to_leave_that_falls_into_a_finaliser_is_repeated():
    program = """
import os, signal, sys, time
from data_builders.engine import workers

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)

signal.signal(signal.SIGTERM, workers._leave)
sys.unraisablehook = workers._leave_again
Finalised()
time.sleep(20)
print("stayed")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
