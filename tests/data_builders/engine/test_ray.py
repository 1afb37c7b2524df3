"""Stages on a Ray cluster: a real one, of two nodes on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_builders.engine import Place, run_stages
from tests.fakes.engine_steps import files_of, traces, two_stages
from unipose.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", exc_type=ImportError)
    from tests.fakes.ray_cluster import two_nodes

    with two_nodes() as address:
        yield address


def program(folder: Path, address: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.fakes.engine_program", "--out", str(folder)]
    return subprocess.run(
        [*command, "--place.ray", address, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.mark.slow
def test_both_nodes_build_the_same_bytes_as_this_machine_though_a_worker_dies(cluster, tmp_path):
    arguments = ("--killed", "1", "--where")
    ran = program(tmp_path, cluster, *arguments)
    assert (ran.returncode, ran.stdout.splitlines()[-1:]) == (0, ["whole"]), ran.stderr
    said = [(tmp_path / f"where/where_{rank}").read_text().split("\n") for rank in range(6)]
    assert len({node for node, *_ in said} - {""}) == 2, "tasks ran on both nodes"
    assert {threads for _, threads, *_ in said} == {"1"}
    assert sorted(traces(tmp_path / "out", "done")) == [0, 1, 2, 3, 4, 5]
    assert sorted(traces(tmp_path / "out", "begun")) == [0, 1, 1, 2, 3, 4, 5]
    run_stages(two_stages(tmp_path / "here"), tmp_path / "here_log", Place(workers=1))
    here = files_of(tmp_path / "here")
    there = files_of(tmp_path / "out")
    left = [name for name in there if name.startswith("squares/.")]
    assert len(left) == 1, "of the task that was killed"
    assert {name: there[name] for name in there if name not in left} == here


@pytest.mark.slow
def test_a_task_that_fails_on_the_cluster_is_named_and_done_later(cluster, tmp_path):
    ran = program(tmp_path, cluster, "--broken", "2")
    assert ran.returncode == 1
    assert "error: stage squares, task 2 of 6: record 2 has no pose (log: " in ran.stderr
    assert "Traceback" not in ran.stderr
    ran = program(tmp_path, cluster)
    assert ran.returncode == 0, ran.stderr
    assert sorted(traces(tmp_path / "out", "done")) == [0, 1, 2, 3, 4, 5]


def test_an_address_without_a_cluster_is_named(tmp_path):
    pytest.importorskip("ray", exc_type=ImportError)
    ran = program(tmp_path, "127.0.0.1:9")
    assert ran.returncode == 1
    assert "no Ray cluster at '127.0.0.1:9'" in ran.stderr


def test_a_missing_ray_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'unipose\[ray\]'"):
        run_stages(two_stages(tmp_path / "out"), tmp_path / "log", Place(ray="auto"))
