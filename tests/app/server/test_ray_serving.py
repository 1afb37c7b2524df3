"""A cluster of two real nodes; one of them is killed while requests are being answered."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.ray_cluster import cluster
from tests.fakes.served import POSE, TinySources, on_loopback, tiny_app
from unipose.app.server.application import make_app
from unipose.app.server.ray_serving import RayModels, RaySettings, end_replicas
from unipose.app.server.settings import ServerSettings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),  # of ray's own threads and sockets
]
ROOT = Path(__file__).parents[3]
CLIENTS = 6
ASKED = 36


def test_a_node_that_is_killed_loses_no_accepted_request():
    ray = pytest.importorskip("ray")
    import httpx2

    settings = ServerSettings(time_limit_s=600.0, most_rows=4)
    asked = [
        {
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": f"is the left knee bent? {number}"},
                {"type": "pose", "pose": POSE},
            ]}],
            "max_tokens": 60, "temperature": 1.2, "seed": number,
        }
        for number in range(ASKED)
    ]  # fmt: skip
    with tiny_app(settings) as app, on_loopback(app) as here, httpx2.Client(timeout=600) as client:
        expected = [
            client.post(f"{here}/v1/chat/completions", json=one).json()["choices"][0]["message"]
            for one in asked
        ]
    with cluster(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1") as (address, kill_second):
        where = RaySettings(address=address, fewest=2, most=2, cpus=0.9, check_s=2.0)
        models = RayModels.deploy(TinySources(), settings, where)
        try:
            with on_loopback(make_app(models, settings)) as there:
                done: list[float] = []

                def answer(one: dict) -> dict:
                    with httpx2.Client(timeout=600) as client:
                        found = client.post(f"{there}/v1/chat/completions", json=one)
                    done.append(time.monotonic())
                    assert found.status_code == 200, found.text
                    return found.json()["choices"][0]["message"]

                with ThreadPoolExecutor(CLIENTS) as pool:
                    answers = [pool.submit(answer, one) for one in asked]
                    while len(done) < CLIENTS:
                        time.sleep(0.02)
                    kill_second()
                    found = [one.result() for one in answers]
                text = httpx2.get(f"{there}/metrics").text
        finally:
            end_replicas()
            ray.shutdown()
    assert found == expected
    (repeated,) = re.findall(r"^unipose_repeated_total (\S+)$", text, re.MULTILINE)
    assert float(repeated) > 0, "the node was killed while it answered"
