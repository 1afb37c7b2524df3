"""Limits, over models that only wait: no test here needs a network."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.fakes.served import on_loopback
from tests.fakes.slow_models import SlowModels
from unipose.app.server.application import make_app
from unipose.app.server.settings import ServerSettings

pytestmark = pytest.mark.slow
CHAT = "/v1/chat/completions"


def _asked(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def _until(holds: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    assert holds()


def test_r6_too_many_requests_are_refused_politely_and_all_others_answered():
    """200 clients, room for 32: 429 with Retry-After, nothing lost, nothing left over."""
    models = SlowModels(pause_s=0.05, pieces=4)
    settings = ServerSettings(most_active=16, most_waiting=16)
    statuses: Counter[int] = Counter()
    waits: list[str] = []

    def ask(number: int) -> None:
        with httpx2.Client(base_url=url, timeout=120) as client:
            answer = client.post(CHAT, json=_asked(f"client {number}"))
        statuses[answer.status_code] += 1
        if answer.status_code == 429:
            waits.append(answer.headers["retry-after"])
            assert answer.json()["error"]["type"] == "rate_limit_error"
        else:
            assert answer.json()["choices"][0]["message"]["content"].startswith(f"client {number} ")

    with on_loopback(make_app(models, settings)) as url, ThreadPoolExecutor(200) as pool:
        assert len(list(pool.map(ask, range(200)))) == 200
        assert set(statuses) == {200, 429}
        assert statuses.total() == 200
        assert statuses[200] >= 32
        assert models.most <= 32
        assert all(1 <= int(wait) <= 30 for wait in waits)
        _until(lambda: models.running == 0)
        assert httpx2.post(f"{url}{CHAT}", json=_asked()).status_code == 200


def test_r6_clients_that_leave_or_read_slowly_leave_nothing_behind():
    models = SlowModels(pause_s=0.05, pieces=200)
    with on_loopback(make_app(models, ServerSettings(time_limit_s=3.0))) as url:
        for _ in range(5):
            with httpx2.stream("POST", f"{url}{CHAT}", json=_asked(stream=True)) as answer:
                next(answer.iter_bytes())  # and goes
        _until(lambda: models.running == 0)
        assert models.given_up == 5
        with httpx2.stream("POST", f"{url}{CHAT}", json=_asked(stream=True), timeout=30) as answer:
            text = answer.read().decode()  # does not end in time
        assert '"error"' in text.split("data: ")[-1]
        assert models.running == 0


def test_work_whose_time_is_over_is_given_up():
    models = SlowModels(pause_s=0.1, pieces=1000)
    with on_loopback(make_app(models, ServerSettings(time_limit_s=0.5))) as url:
        answer = httpx2.post(f"{url}{CHAT}", json=_asked(), timeout=30)
    assert answer.status_code == 504
    assert models.given_up == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_s5_a_body_is_limited_as_it_comes_in(chunked: bool):
    body = b'{"messages": "' + b"a" * 2_000_000 + b'"}'
    pieces = (body[i : i + 65536] for i in range(0, len(body), 65536))
    headers = {"content-type": "application/json"}
    with on_loopback(make_app(SlowModels(), ServerSettings(largest_body=1_000_000))) as url:
        try:
            answer = httpx2.post(
                f"{url}{CHAT}", content=pieces if chunked else body, headers=headers, timeout=30
            )
            assert answer.status_code == 413
            assert answer.json()["error"]["type"] == "invalid_request_error"
        except (httpx2.WriteError, httpx2.RemoteProtocolError):  # refused before all was sent
            pass
        assert httpx2.get(f"{url}/health").status_code == 200


def test_keys_are_asked_for_everywhere_but_at_the_health_check():
    settings = ServerSettings(keys=("first", "sécond"))
    with on_loopback(make_app(SlowModels(), settings)) as url:
        assert httpx2.get(f"{url}/health").status_code == 200
        for headers in ({}, {"Authorization": "Bearer firs"}, {"Authorization": "Basic first"}):
            for path in ("/metrics", "/v1/models", "/docs"):
                answer = httpx2.get(f"{url}{path}", headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        shown = {"Authorization": "Bearer first"}
        assert httpx2.post(f"{url}{CHAT}", json=_asked(), headers=shown).status_code == 200
        other = {"Authorization": "Bearer sécond".encode()}
        assert httpx2.get(f"{url}/v1/models", headers=other).status_code == 200


def test_a_server_on_loopback_answers_to_no_other_name():
    """Against DNS rebinding: a page of somebody else's that gets its name to point here."""
    settings = ServerSettings(hosts=("localhost", "127.0.0.1"))
    with on_loopback(make_app(SlowModels(), settings)) as url:
        assert httpx2.get(f"{url}/health").status_code == 200
        strange = httpx2.get(f"{url}/health", headers={"Host": "evil.example:80"})
    assert strange.status_code == 421


def test_a_request_that_is_no_json_is_not_taken_for_one():
    """A page of another origin can send text/plain without asking first."""
    with on_loopback(make_app(SlowModels(), ServerSettings())) as url:
        headers = {"content-type": "text/plain"}
        answer = httpx2.post(f"{url}{CHAT}", content=json.dumps(_asked()), headers=headers)
    assert answer.status_code == 422


def test_what_runs_is_finished_when_the_server_is_told_to_end():
    import uvicorn

    models = SlowModels(pause_s=0.3, pieces=5)
    config = uvicorn.Config(make_app(models), port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    _until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    with ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{port}{CHAT}"
        answer = pool.submit(httpx2.post, url, json=_asked(), timeout=60)
        _until(lambda: models.running == 1)
        server.handle_exit(15, None)  # what SIGTERM does
        assert answer.result().status_code == 200
    thread.join()
    assert models.finished == 1
