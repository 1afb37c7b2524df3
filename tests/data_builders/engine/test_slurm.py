"""Stages on Slurm: submitted as dependent job arrays, and run as the submitted scripts say."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from data_builders.engine import BuildStage, Place, StageError, run_stages, stages_done
from tests.fakes.engine_steps import WhereAmI, files_of, two_stages
from tests.fakes.slurm import FakeSlurm
from unipose.errors import ConfigError

ROOT = Path(__file__).parents[3]
CPU = Place(slurm="cpu", workers=2)


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return fake


@pytest.mark.slow
def test_jobs_build_the_same_bytes_as_this_machine(slurm, tmp_path, capfd):
    out, here = tmp_path / "out", tmp_path / "here"
    stages = two_stages(out, 3)
    run_stages(stages, tmp_path / "log", CPU)
    assert "stage squares: job 100\nstage total: job 101\n" in capfd.readouterr().err
    assert not stages_done(stages, tmp_path / "log")
    slurm.run_queue()
    assert [job.state for job in slurm.jobs()] == ["COMPLETED", "COMPLETED"]
    assert stages_done(stages, tmp_path / "log")
    run_stages(two_stages(here, 3), tmp_path / "here_log", Place(workers=1))
    assert files_of(out) == files_of(here)
    run_stages(stages, tmp_path / "log", CPU)
    assert "all 2 stages are done" in capfd.readouterr().err
    assert len(slurm.jobs()) == 2


def test_a_stage_waits_for_the_one_before_and_asks_for_what_was_set(slurm, tmp_path):
    place = Place(
        slurm="cpu", workers=2, slurm_time="01:00:00", slurm_memory_gb=8, slurm_args=("account=a",)
    )
    run_stages(two_stages(tmp_path / "out", 5), tmp_path / "log", place)
    first, second = slurm.jobs()
    assert (first.after, second.after) == ([], [100])
    asked = {name: first.options.get(name) for name in ("array", "partition", "time", "account")}
    assert asked == {"array": "0-4%2", "partition": "cpu", "time": "01:00:00", "account": "a"}
    assert first.options["mem-per-cpu"] == "8G"
    assert first.options["kill-on-invalid-dep"] == "yes"
    assert not {"mail-type", "mail-user", "qos"} & set(first.options)


def test_a_job_runs_this_python_in_this_folder_with_one_thread(slurm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage = BuildStage(name="where", step=WhereAmI(tmp_path / "out"), tasks=1)
    run_stages([stage], tmp_path / "log", CPU)
    slurm.run_queue()
    assert stages_done([stage], tmp_path / "log")
    _, threads, folder, _ = (tmp_path / "out/where_0").read_text().split("\n")
    assert (threads, folder) == ("1", str(tmp_path))
    assert f"export PATH={Path(sys.executable).parent}:$PATH" in slurm.jobs()[0].script


@pytest.mark.slow
def test_the_same_command_submits_what_failed(slurm, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    run_stages(two_stages(out, 3, broken=(1,)), log, CPU)
    slurm.run_queue()
    assert [job.state for job in slurm.jobs()] == ["FAILED", "CANCELLED"]
    assert "record 1 has no pose" in (log / "squares/slurm_logs/100_1.out").read_text()
    run_stages(two_stages(out, 3), log, CPU)
    assert slurm.jobs()[2].options["array"] == "0-0%2", "only the one that failed"
    slurm.run_queue()
    assert stages_done(two_stages(out, 3), log)
    assert (out / "total_0").read_text() == "5\n"


def test_many_tasks_share_the_jobs_of_one_array(slurm, tmp_path):
    stage = two_stages(tmp_path / "out", 2500)[0]
    run_stages([stage], tmp_path / "log", Place(slurm="cpu"))
    (job,) = slurm.jobs()
    assert job.options["array"] == "0-833", "3 tasks per job"


def test_nothing_is_submitted_while_jobs_are_queued(slurm, tmp_path):
    stages = two_stages(tmp_path / "out", 3)
    run_stages(stages, tmp_path / "log", CPU)
    with pytest.raises(ConfigError, match=r"not over: 100 101.*scancel 100 101"):
        run_stages(stages, tmp_path / "log", CPU)
    assert len(slurm.jobs()) == 2


def test_a_refusal_of_sbatch_is_named(slurm, tmp_path, capfd):
    slurm.refuse()
    with pytest.raises(StageError, match="refused stage squares with exit status 1"):
        run_stages(two_stages(tmp_path / "out"), tmp_path / "log", CPU)
    assert "invalid partition" in capfd.readouterr().err


def test_a_machine_without_slurm_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no sbatch on this machine"):
        run_stages(two_stages(tmp_path / "out"), tmp_path / "log", CPU)


def test_a_job_does_not_submit_jobs(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with pytest.raises(ConfigError, match="a Slurm job already"):
        run_stages(two_stages(tmp_path / "out"), tmp_path / "log", CPU)


def test_a_folder_that_breaks_the_script_is_refused(slurm, tmp_path):
    folder = tmp_path / "my poses"
    with pytest.raises(ConfigError, match=re.escape(f"without spaces or quotes: {folder}")):
        run_stages(two_stages(tmp_path / "out"), folder, CPU)
