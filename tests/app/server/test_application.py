from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from tests.fakes.served import POSE, tiny_app
from unipose.app.server.application import make_app
from unipose.app.server.pose_rows import BatchedAssistant
from unipose.app.server.settings import ServerSettings
from unipose.errors import ConfigError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with tiny_app() as app, TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _said(*parts: dict, **more: object) -> dict:
    content = [{"type": "text", "text": "is the left knee bent?"}, *parts]
    return {"messages": [{"role": "user", "content": content}], "max_tokens": 8, **more}


def test_it_says_that_it_is_there(client: TestClient):
    assert client.get("/health").json()["status"] == "ok"


def test_a_conversation_is_answered_in_openai_s_form(client: TestClient):
    answer = client.post(
        "/v1/chat/completions", json=_said({"type": "pose", "pose": POSE}, n=2, seed=3)
    )
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["object"] == "chat.completion"
    assert [choice["index"] for choice in said["choices"]] == [0, 1]
    assert said["usage"]["prompt_tokens"] > 0
    assert said["usage"]["completion_tokens"] <= 16


def test_a_stream_says_what_a_whole_answer_says(client: TestClient):
    asked = _said({"type": "pose", "pose": POSE}, seed=4, temperature=1.0)
    whole = client.post("/v1/chat/completions", json=asked).json()["choices"][0]
    streamed = client.post("/v1/chat/completions", json={**asked, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.endswith("data: [DONE]\n\n")
    import json

    events = [json.loads(line[6:]) for line in streamed.text.split("\n\n")[:-2]]
    pieces = [event["choices"][0]["delta"].get("content", "") for event in events]
    assert "".join(pieces).strip() == whole["message"]["content"]
    assert events[-1]["choices"][0]["finish_reason"] == whole["finish_reason"]


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("describe", {"pose": POSE}, "text"),
        ("compare", {"before": POSE, "after": POSE}, "text"),
        ("generate", {"text": "a person squats"}, "pose"),
        ("generate", {"text": "a person squats", "seed": 4}, "pose"),
        ("edit", {"pose": POSE, "text": "raise the left arm"}, "pose"),
    ],
)
def test_plain_endpoints_answer(client: TestClient, path: str, asked: dict, field: str):
    answer = client.post(f"/v1/poses/{path}", json=asked)
    assert answer.status_code in (200, 422), answer.text  # random weights may write no pose
    assert field in answer.json() or "error" in answer.json()


def test_a_model_without_words_is_no_empty_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(BatchedAssistant, "describe", lambda *_, **__: "")
    answer = client.post("/v1/poses/describe", json={"pose": POSE})
    assert answer.status_code == 422
    assert "the model said nothing" in answer.json()["error"]["message"]


def test_counters_are_prometheus_s(client: TestClient):
    client.post("/v1/poses/describe", json={"pose": POSE})
    assert 'unipose_requests_total{path="/v1/poses/describe",status="200"}' in (
        client.get("/metrics").text
    )


def test_a_page_stands_beside_the_endpoints_and_never_beside_keys():
    page = APIRouter()
    page.add_api_route("/", lambda: {"page": True})
    with tiny_app(page=page) as app, TestClient(app) as client:
        assert client.get("/").json() == {"page": True}
        with pytest.raises(ConfigError, match="page cannot show a key"):
            make_app(app.state.models, ServerSettings(keys=("k",)), page=page)
