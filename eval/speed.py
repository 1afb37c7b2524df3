"""How long one waits: from the start of the command, for an answer, for a pose, for the tokenizer.

Medians of repeated runs; the two ways of decoding a pose take turns, so that whatever else the
machine does meets both. Run as `python -m eval.speed --data FOLDER`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from data_builders.mocap import read_manifest
from eval.program import ModelOptions, print_result, print_table, run, select, track
from tokenizer.codec import PoseTokenizer
from unipose.assistant import UniPose
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseParseError
from unipose.files import save_pose
from unipose.language.decoding import Decoding, answer
from unipose.language.templates import PHRASINGS, Task, ask

PROMPT = "The left knee is bent at a right angle and both hands are above the head."
CHANGE = "Raise your left hand and bend your right knee a little more."
STOPWATCH = Path(__file__).with_name("stopwatch.py")


@dataclass(frozen=True, kw_only=True)
class SpeedOptions(ModelOptions):
    """Options of eval.speed."""

    limit: int | None = 8
    """Poses come from so many recordings."""
    repeats: int = 7
    """How often each thing is timed; the median counts."""
    starts: int = 3
    """How often the command is started."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repeats < 5 or self.starts < 1:
            raise ConfigError("a median needs --repeats of at least 5 and --starts of at least 1")


def time_starts(command: list[str], *, starts: int) -> dict[str, float]:
    """Return median seconds to the first output and of work, and the largest peak memory.

    Raises ConfigError, with what the command said, if it fails or says nothing.
    """
    seconds, work, peaks = [], [], []
    for _ in range(starts):
        watched = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(STOPWATCH), *command],
            capture_output=True,
            text=True,
            check=False,
        )
        found: dict = json.loads(watched.stdout) if watched.returncode == 0 else {"status": 1}
        if found["status"] != 0 or not found["output"].strip():
            said = watched.stderr.strip().splitlines() or ["nothing"]
            raise ConfigError(f"{' '.join(command)} failed; it said: {said[-1]}")
        seconds.append(found["first_s"])
        work.append(found["cpu_s"])
        peaks.append(found["peak_mb"])
    return {
        "first_answer_s": statistics.median(seconds),
        "first_answer_cpu_s": statistics.median(work),
        "peak_memory_mb": max(peaks),
    }


def time_answers(
    assistant: UniPose, poses: Pose, *, repeats: int, learned: Sequence[str] = ()
) -> dict[str, float]:
    """Return the median seconds of an answer of each task, one question at a time.

    `answer_s` is that of the slowest task. Of `learned` tasks, if any are named, these alone.
    """
    one, other = poses[0], poses[len(poses) - 1]
    tasks: dict[str, Callable[[int], object]] = {
        "describe": lambda i: assistant.describe(poses[i % len(poses)]),
        "generate": lambda i: assistant.generate(PROMPT),
        "edit": lambda i: assistant.edit(poses[i % len(poses)], CHANGE),
        "compare": lambda i: assistant.compare(one, poses[i % len(poses)] if i else other),
    }
    found = {
        f"{name}_s": median_s(task, repeats=repeats)
        for name, task in tasks.items()
        if name in (learned or tasks)
    }
    return {"answer_s": max(found.values()), **found}


def time_pose(assistant: UniPose, *, repeats: int) -> dict[str, int | float]:
    """Return forward passes of a pose answer, and how much faster it is than code after code.

    Same weights, same question, and a whole answer each time: reading it, the slots, the end. Code
    after code is how the language model itself would write them, without its expert.
    Raises PoseParseError if the model does not answer with a pose.
    """
    question = ask(PHRASINGS[Task.GENERATE][0], text=PROMPT)
    passes = {}

    maker = assistant.maker
    model, expert = maker.writer, maker.writer.expert

    # who learned up to where a pose begins never ends without its expert: one pose is all then
    most = Decoding().max_tokens if expert is None else 1

    def decode(way: str, slots: int | None) -> float:
        model.expert = expert if slots is None else None
        start = time.perf_counter()
        answers, passes[way] = answer(
            model,
            maker.vocabulary,
            [question],
            Decoding(slots_per_pass=slots, guess=slots is None, max_tokens=most),
        )
        seconds = time.perf_counter() - start
        model.expert = expert
        if len(answers[0].poses) != 1:
            raise PoseParseError(f"expected one pose, the model wrote {len(answers[0].poses)}")
        return seconds

    ways: dict[str, int | None] = {"at_once": None, "one_by_one": 1}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(repeats + 1):
        for way, slots in ways.items():
            taken = decode(way, slots)
            if turn:  # the first turn warms up
                seconds[way].append(taken)
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    return {
        "pose_forward_passes": passes["at_once"],
        "pose_speedup": medians["one_by_one"] / medians["at_once"],
        "pose_at_once_s": medians["at_once"],
        "pose_one_by_one_s": medians["one_by_one"],
        "pose_one_by_one_passes": passes["one_by_one"],
    }


def time_tokenizer(codec: PoseTokenizer, poses: Pose, *, repeats: int) -> float:
    """Return how many poses per second are encoded and decoded, in batches of 512."""
    sixd = poses.sixd.float()
    batch = sixd.repeat(-(-512 // len(sixd)), 1, 1)[:512]
    seconds = median_s(lambda _: codec.decode(codec.encode(batch)), repeats=repeats)
    return len(batch) / seconds


def median_s(work: Callable[[int], object], *, repeats: int) -> float:
    """Return the median seconds of `work`, after once that does not count."""
    taken = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        work(i)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def describe_command(pose: Pose, folder: Path, options: SpeedOptions) -> list[str]:
    """Return the command line that describes one pose, which is written into `folder`."""
    file = save_pose(pose, folder / "pose.npz")
    command = [sys.executable, "-m", "unipose.app.cli", "describe", str(file)]
    chosen = {"--device": options.device, "--dtype": options.dtype, "--model": options.model}
    return command + [
        word for name, value in chosen.items() if value is not None for word in (name, str(value))
    ]


def main(options: SpeedOptions) -> None:
    """Time the command, the answers and the tokenizer."""
    recordings = select(read_manifest(options.data), options)
    poses = torch.cat(
        [recording.open(1.0).rotations.float() for recording in track(recordings, "reading")]
    )
    pose = Pose(rotations=poses)
    with tempfile.TemporaryDirectory() as folder:
        command = describe_command(pose[0], Path(folder), options)
        started = time_starts(command, starts=options.starts)
    assistant = options.load_assistant()
    with torch.inference_mode():
        result: dict[str, object] = {
            **started,
            **time_answers(
                assistant, pose, repeats=options.repeats, learned=assistant.model.config.tasks
            ),
            **time_pose(assistant, repeats=options.repeats),
            "tokenizer_poses_per_s": time_tokenizer(
                assistant.model.codec, pose, repeats=options.repeats
            ),
            "threads": torch.get_num_threads(),
            "repeats": options.repeats,
            "load_average": os.getloadavg()[0],  # above the threads: others were working too
        }
    print_table(
        f"Speed (medians of {options.repeats}, {torch.get_num_threads()} threads)",
        ["", "value"],
        [(name, value) for name, value in result.items() if isinstance(value, int | float)],
    )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, SpeedOptions)
