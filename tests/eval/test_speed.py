"""The stopwatch measures the command, not itself; the two ways of decoding answer alike."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch

from eval import speed
from eval.speed import SpeedOptions, median_s, time_answers, time_pose, time_starts, time_tokenizer
from tests.fakes.tiny_model import TINY_CODEC, tiny_assistant
from tokenizer.codec import PoseTokenizer
from unipose.assistant import UniPose
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseParseError

UNTURNED = Pose(rotations=torch.eye(3).expand(3, 24, 3, 3))


def test_the_memory_of_a_command_is_its_own() -> None:
    taken = torch.ones(100_000_000)  # 400 MB in this process must not count
    idle = time_starts([sys.executable, "-c", "print('done')"], starts=1)
    assert idle["peak_memory_mb"] < 100
    script = "import time; a = b'1' * 200_000_000; print('first', flush=True); time.sleep(0.4)"
    busy = time_starts([sys.executable, "-c", script], starts=1)
    assert 200 < busy["peak_memory_mb"] < 300
    assert float(taken[0]) == 1


@pytest.mark.slow
def test_the_first_answer_is_timed_when_it_comes() -> None:
    script = "import time; print('first', flush=True); time.sleep(3)"
    begin = time.perf_counter()
    first = time_starts([sys.executable, "-c", script], starts=1)["first_answer_s"]
    assert 0 < first < time.perf_counter() - begin - 2.9


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(ConfigError, match="no such pose"):
        time_starts([sys.executable, "-c", "raise SystemExit('no such pose')"], starts=1)


def test_few_repeats_are_no_median() -> None:
    with pytest.raises(ConfigError, match="at least 5"):
        SpeedOptions(data=Path(), repeats=3)


def test_the_warm_up_does_not_count() -> None:
    calls = []
    median_s(calls.append, repeats=3)
    assert calls == [0, 1, 2, 3]


def test_the_tokenizer_is_timed_over_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "median_s", lambda work, *, repeats: work(0) is not None and 0.25)
    assert time_tokenizer(PoseTokenizer(TINY_CODEC).eval(), UNTURNED, repeats=5) == 512 / 0.25


@pytest.fixture(scope="module")
def talking_in_poses() -> object:
    """Return a tiny assistant that opens its answers with a pose, whatever it is asked."""
    assistant = tiny_assistant()
    plain = assistant.model.text_logits

    def pose_first(hidden: torch.Tensor) -> torch.Tensor:
        logits = plain(hidden).clone()
        said = getattr(pose_first, "said", False)
        logits[:, assistant.vocabulary.answer_end if said else -1] = 1e6
        pose_first.said = not said
        return logits

    assistant.model.text_logits = pose_first
    return assistant


def test_a_pose_takes_fewer_passes_at_once(talking_in_poses: object) -> None:
    found = time_pose(talking_in_poses, repeats=5)
    assert found["pose_forward_passes"] == 1
    assert found["pose_one_by_one_passes"] > TINY_CODEC.length
    assert found["pose_speedup"] > 1


def test_words_instead_of_a_pose_are_no_measurement() -> None:
    assistant = tiny_assistant()
    plain = assistant.model.text_logits

    def no_pose(hidden: torch.Tensor) -> torch.Tensor:
        logits = plain(hidden).clone()
        logits[:, assistant.vocabulary.answer_end] = 1e6
        return logits

    assistant.model.text_logits = no_pose
    with pytest.raises(PoseParseError, match="expected one pose"):
        time_pose(assistant, repeats=5)


def test_the_slowest_task_is_the_answer() -> None:
    class Waiting(UniPose):
        def __init__(self) -> None:
            """Hold no model."""

        def describe(self, pose: Pose) -> str:
            return "standing"

        def compare(self, a: Pose, b: Pose) -> str:
            return "nothing changes"

        def generate(self, text: str) -> Pose:
            return UNTURNED[0]

        def edit(self, pose: Pose, text: str) -> Pose:
            torch.linalg.svd(torch.rand(300, 300))
            return pose

    found = time_answers(Waiting(), UNTURNED, repeats=5)
    assert found["answer_s"] == found["edit_s"]
