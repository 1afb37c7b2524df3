"""A cluster of two real nodes; one of them is killed while it answers requests and does work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fakes.counting_work import COUNTED, counting
from tests.fakes.ray_cluster import cluster
from tests.fakes.served import POSE, TinySources, on_loopback, tiny_app
from unipose.app.server.application import make_app
from unipose.app.server.long_work import WorkFolder
from unipose.app.server.ray_serving import RayModels, RaySettings
from unipose.app.server.ray_work import RayWork
from unipose.app.server.settings import ServerSettings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore"),  # of ray's own threads and sockets
]
ROOT = Path(__file__).parents[3]
CHAT = "/v1/chat/completions"
CLIENTS, ASKED = 12, 150
SETTINGS = ServerSettings(time_limit_s=900.0, most_rows=4)


@dataclass
class _Killed:
    """What came of a cluster one of whose nodes was killed."""

    answers: list[dict[str, Any]]
    alone: list[dict[str, Any]]
    repeated: float
    works: list[WorkFolder]


def _asked(number: int) -> dict[str, Any]:
    content = [
        {"type": "text", "text": f"is the left knee bent? {number}"},
        {"type": "pose", "pose": POSE},
    ]
    messages = [{"role": "user", "content": content}]
    return {"messages": messages, "max_tokens": 60, "temperature": 1.2, "seed": number}


def _post(url: str, asked: dict[str, Any]) -> dict[str, Any]:
    answer = httpx2.post(f"{url}{CHAT}", json=asked, timeout=900)
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]


def _until(holds: Callable[[], bool], seconds: float = 900.0) -> None:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    assert holds()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> _Killed:
    ray = pytest.importorskip("ray")
    asked = [_asked(number) for number in range(ASKED)]
    with tiny_app(SETTINGS) as app, on_loopback(app) as here:
        alone = [_post(here, one) for one in asked]
    folder = tmp_path_factory.mktemp("work")
    with cluster(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1") as (address, kill_second):
        # a node has one processor, so each gets one replica
        where = RaySettings(address=address, fewest=2, most=2, cpus=0.6, check_s=2.0)
        models = RayModels.deploy(TinySources(), SETTINGS, where)
        work = RayWork(folder, command=counting(0.2), cpus=0.3)
        works = [WorkFolder.create(folder, "track", f"{number}.mp4") for number in range(2)]
        done: list[dict[str, Any]] = []
        try:
            for one in works:
                work.begin(one)
            _until(lambda: all(one.progress.get("done", 0) >= 2 for one in works))
            with (
                on_loopback(make_app(models, SETTINGS, work=work)) as there,
                ThreadPoolExecutor(CLIENTS) as pool,
            ):

                def answer(one: dict[str, Any]) -> dict[str, Any]:
                    done.append(_post(there, one))
                    return done[-1]

                answers = [pool.submit(answer, one) for one in asked]
                _until(lambda: len(done) >= CLIENTS)
                kill_second()
                found = [one.result() for one in answers]
                counters = httpx2.get(f"{there}/metrics").text
            _until(lambda: all(one.state == "done" for one in works))
        finally:
            work.close()
            ray.shutdown()
    (repeated,) = re.findall(r"^unipose_repeated_total (\S+)$", counters, re.MULTILINE)
    return _Killed(answers=found, alone=alone, repeated=float(repeated), works=works)


def test_a_node_that_is_killed_loses_no_accepted_request(killed: _Killed):
    assert killed.repeated > 0, "it was killed while it answered"
    assert killed.answers == killed.alone


def test_work_of_a_node_that_is_killed_goes_on_elsewhere(killed: _Killed):
    begun = []
    for one in killed.works:
        assert (one.path / "out" / "count.txt").read_text() == str(COUNTED)
        begun.append([int(n) for n in (one.path / "out" / "begun.txt").read_text().split()])
    assert all(times[0] == 0 for times in begun)
    assert all(later > 0 for times in begun for later in times[1:]), "nothing is counted twice"
