from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes.counting_work import counting
from tests.fakes.slow_models import SlowModels
from unipose.app.server.application import make_app
from unipose.app.server.long_work import LocalWork, WorkFolder, command_of, do_work
from unipose.app.server.settings import ServerSettings
from unipose.app.server.work_progress import PROGRESS_FILE, told_in_file
from unipose.errors import MissingFileError, PoseQueryError


def _until(holds: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    assert holds()


def test_progress_is_told_in_a_file(tmp_path: Path):
    file = tmp_path / "progress.json"
    assert list(told_in_file("abc", 3, "reading", file)) == ["a", "b", "c"]
    assert json.loads(file.read_text()) == {"doing": "reading", "done": 3, "of": 3}


@pytest.mark.parametrize("name", ["../a.mp4", "a/b.mp4", "a.txt", "", ".mp4", "a\n.mp4", "-x.mp4"])
def test_work_is_named_by_a_plain_file_name(tmp_path: Path, name: str):
    with pytest.raises(PoseQueryError, match="plain name"):
        WorkFolder.create(tmp_path, "track", name)


def test_work_is_found_by_its_name_alone(tmp_path: Path):
    folder = WorkFolder.create(tmp_path, "track", "walk.mp4")
    assert WorkFolder.find(tmp_path, folder.name) == folder
    for name in ("..", "0" * 16, f"{folder.name}/../{folder.name}"):
        with pytest.raises(MissingFileError, match="no such work"):
            WorkFolder.find(tmp_path, name)


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [("track", "a.mp4", "motion.npz"), ("adapt", "a.mp4", "out"), ("refine", "a.jpg", "out")],
)
def test_work_is_a_command(tmp_path: Path, kind: Any, name: str, told: str):
    folder = WorkFolder.create(tmp_path, kind, name)
    *_, done, source, option, out = command_of(folder)
    assert (done, source, option) == (kind, str(folder.input), "--out")
    assert out.endswith(told)


@pytest.mark.slow
def test_work_that_is_interrupted_goes_on_where_it_was(tmp_path: Path):
    folder = WorkFolder.create(tmp_path, "track", "walk.mp4")
    work = LocalWork(tmp_path, command=counting(0.05))
    work.begin(folder)
    _until(lambda: folder.progress.get("done", 0) >= 3)
    work.close()
    assert folder.state == "running"
    again = LocalWork(tmp_path, command=counting(0.0))
    _until(lambda: folder.state == "done")
    again.close()
    begun = [int(line) for line in (folder.path / "out" / "begun.txt").read_text().split()]
    assert begun[0] == 0
    assert begun[1] >= 3
    assert folder.results == ["begun.txt", "count.txt"]


@pytest.mark.slow
def test_work_that_fails_says_why(tmp_path: Path):
    folder = WorkFolder.create(tmp_path, "track", "walk.mp4")
    folder.input.write_bytes(b"no film")
    assert do_work(str(folder.path)) == "failed"
    assert folder.problem.startswith("error: input/walk.mp4: is no whole film")


@pytest.mark.slow
def test_work_is_sent_asked_after_stopped_and_fetched(tmp_path: Path):
    work = LocalWork(tmp_path, command=counting(0.05))
    settings = ServerSettings(largest_body=1000, largest_film=100_000, most_work=3)
    with TestClient(make_app(SlowModels(), settings, work=work)) as client:
        sent = client.post("/v1/work/track?name=walk.mp4", content=b"f" * 50_000)
        assert sent.status_code == 202
        place = f"/v1/work/{sent.json()['id']}"
        _until(lambda: client.get(place).json()["done"] > 1)
        report = client.get(place).json()
        assert (report["state"], report["doing"], report["of"]) == ("running", "counting", 20)
        client.delete(place)
        _until(lambda: client.get(place).json()["state"] == "stopped")
        assert int(client.get(f"{place}/files/count.txt").text) < 20
        for file in ("../order.json", "%2e%2e/order.json", "nothing"):
            assert client.get(f"{place}/files/{file}").status_code == 404
        assert client.post("/v1/work/track?name=a.mp4", content=b"f" * 200_000).status_code == 413
        assert client.post("/v1/work/track?name=a.txt", content=b"f").status_code == 422
        assert client.post("/v1/work/dance?name=a.mp4", content=b"f").status_code == 422
        assert client.delete(place).status_code == 202
        assert client.get(place).status_code == 404
        for number in range(4):
            last = client.post(f"/v1/work/adapt?name={number}.mp4", content=b"f")
        assert last.status_code == 429
    work.close()


def test_the_name_of_the_progress_file_is_the_one_that_commands_look_for():
    assert PROGRESS_FILE == "UNIPOSE_PROGRESS"
