"""Stages on this machine: any number of workers, and what happens when a task or a worker fails."""

from __future__ import annotations

import json
import os

import pytest

from data_builders.engine import BuildStage, Place, StageError, run_stages, stages_done
from tests.fakes.engine_steps import Squares, WhereAmI, files_of, traces, two_stages
from unipose.errors import ConfigError

HERE = Place(workers=1)


def test_one_two_and_four_workers_write_the_same_bytes(tmp_path):
    built = []
    for workers in (1, 2, 4):
        out = tmp_path / f"out_{workers}"
        out.mkdir()
        run_stages(two_stages(out), tmp_path / f"log_{workers}", Place(workers=workers))
        built.append(files_of(out))
    assert built[0] == built[1] == built[2]
    assert built[0]["squares/003"] == b"9 of 6\n"
    assert built[0]["total_1"] == b"55\n"


def test_what_is_done_is_not_done_again(tmp_path):
    stages = two_stages(tmp_path / "out")
    run_stages(stages, tmp_path / "log", HERE)
    (tmp_path / "log/squares/completions/00002").unlink()
    run_stages(stages, tmp_path / "log", HERE)
    assert sorted(traces(tmp_path / "out", "done")) == [0, 1, 2, 2, 3, 4, 5]


def test_a_task_that_fails_is_named_and_the_same_command_goes_on(tmp_path, capfd):
    out, log = tmp_path / "out", tmp_path / "log"
    broken = two_stages(out, broken=(2,))
    with pytest.raises(StageError, match=r"squares, task 2 of 6: record 2 has no pose \(log: "):
        run_stages(broken, log, HERE)
    assert traces(out, "done") == [0, 1]
    assert not stages_done(broken, log)
    assert [*files_of(out)] == ["squares/000", "squares/001"], "nothing half-done stays"
    mended = two_stages(out)
    run_stages(mended, log, HERE)
    assert sorted(traces(out, "done")) == [0, 1, 2, 3, 4, 5]
    assert stages_done(mended, log)
    assert capfd.readouterr() == ("", ""), "datatrove's chatter goes to the log files"
    assert "UnusableRecordError" in (log / "squares/logs/task_00002.log").read_text()


def test_a_mistake_of_ours_is_told_with_its_type_and_can_be_traced(tmp_path):
    stage = BuildStage(
        name="squares", step=Squares(tmp_path, broken=(0,), error=ValueError), tasks=1
    )
    with pytest.raises(StageError, match="ValueError: record 0 has no pose") as raised:
        run_stages([stage], tmp_path / "log", HERE)
    assert isinstance(raised.value.__cause__, ValueError)
    assert raised.value.__cause__.__traceback__ is not None


def test_workers_finish_what_they_do_when_another_task_fails(tmp_path):
    stages = two_stages(tmp_path, pause_s=0.3, broken=(0,))
    with pytest.raises(StageError, match="task 0 of 6: record 0 has no pose"):
        run_stages(stages, tmp_path / "log", Place(workers=2))
    assert set(traces(tmp_path, "begun")) - {0} == set(traces(tmp_path, "done"))
    assert len(traces(tmp_path, "begun")) <= 3, "no new tasks begin"


def test_a_killed_worker_costs_nothing_but_its_own_task(tmp_path):
    stages = two_stages(tmp_path / "out", killed=(1, 4))
    run_stages(stages, tmp_path / "log", Place(workers=2))
    begun, done = traces(tmp_path / "out", "begun"), traces(tmp_path / "out", "done")
    assert sorted(done) == [0, 1, 2, 3, 4, 5]
    assert sorted(begun) == [0, 1, 1, 2, 3, 4, 4, 5]


def test_a_task_that_keeps_killing_its_worker_is_named(tmp_path):
    stages = two_stages(tmp_path / "out", killed=(1,), times=9)
    with pytest.raises(StageError, match="task 1 of 6: its worker was killed by SIGKILL 3 times"):
        run_stages(stages, tmp_path / "log", Place(workers=2))
    assert traces(tmp_path / "out", "begun").count(1) == 3


def test_workers_compute_with_one_thread_and_live_through_all_stages(tmp_path):
    before = dict(os.environ)
    stages = [BuildStage(name=name, step=WhereAmI(tmp_path / name), tasks=2) for name in ("a", "b")]
    run_stages(stages, tmp_path / "log", Place(workers=2))
    said = {
        name: [(tmp_path / name / f"where_{rank}").read_text().split("\n") for rank in (0, 1)]
        for name in ("a", "b")
    }
    assert [threads for _, threads, _, _ in said["a"]] == ["1", "1"]
    workers = {pid for *_, pid in said["a"]}
    assert {pid for *_, pid in said["b"]} == workers
    assert len(workers - {str(os.getpid())}) == 2
    assert dict(os.environ) == before


def test_what_a_step_counts_is_kept_for_each_task(tmp_path):
    run_stages(two_stages(tmp_path / "out"), tmp_path / "log", HERE)
    kept = json.loads((tmp_path / "log/squares/stats/00003.json").read_text())
    assert kept[0]["stats"] == {"squares": 1}


def test_another_number_of_tasks_does_not_go_on_in_the_same_folder(tmp_path):
    run_stages(two_stages(tmp_path / "out"), tmp_path / "log", HERE)
    with pytest.raises(ConfigError, match=r"squares was begun with 6 tasks .* now it has 7"):
        run_stages(two_stages(tmp_path / "out", 7), tmp_path / "log", HERE)


def test_a_step_that_cannot_be_sent_to_a_worker_is_refused_at_once(tmp_path):
    step = Squares(tmp_path)
    step.pose = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="cannot be sent to a worker"):
        BuildStage(name="squares", step=step, tasks=1)


def test_stages_with_one_name_are_refused(tmp_path):
    stage = two_stages(tmp_path)[0]
    with pytest.raises(ConfigError, match="names of their own"):
        run_stages([stage, stage], tmp_path / "log", HERE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": -1}, "workers must be 0"),
        ({"slurm": "cpu", "ray": "auto"}, "choose one place"),
        ({"slurm": "cpu", "slurm_args": ("--account=a",)}, "without dashes"),
        ({"slurm": "cpu", "slurm_memory_gb": 0}, "at least 1"),
    ],
)
def test_a_place_that_contradicts_itself_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Place(**settings)


@pytest.mark.parametrize(("name", "tasks"), [("", 1), ("a/b", 1), (".a", 1), ("a", 0)])
def test_a_stage_that_cannot_be_is_refused(tmp_path, name, tasks):
    with pytest.raises(ConfigError, match="stage"):
        BuildStage(name=name, step=Squares(tmp_path), tasks=tasks)
