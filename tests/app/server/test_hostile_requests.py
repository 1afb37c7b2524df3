"""The promises about what clients may send (facts of the ecosystem, rows S1 to S7)."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from eval.serving_requests import bomb
from tests.fakes.served import POSE, shared_speaker, tiny_app
from unipose.app.server.settings import ServerSettings
from unipose.language.chat_rendering import Message

pytestmark = pytest.mark.slow
CHAT = "/v1/chat/completions"
LIMITS = ServerSettings(time_limit_s=300.0)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with tiny_app(LIMITS) as app, TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _shown(part: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "text", "text": "who?"}, part]
    return {"messages": [{"role": "user", "content": content}], "max_tokens": 4}


def _picture(url: str) -> dict[str, Any]:
    return _shown({"type": "image_url", "image_url": {"url": url}})


class _Canary:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_s1_no_code_of_a_request_runs(client: TestClient, tmp_path: Path):
    import base64

    evil = pickle.dumps(_Canary(tmp_path / "canary"))
    for url in (f"data:image/png;base64,{base64.b64encode(evil).decode()}", "data:image/png,x"):
        assert client.post(CHAT, json=_picture(url)).status_code == 422
    answer = client.post(CHAT, content=evil, headers={"content-type": "application/x-pickle"})
    assert answer.status_code == 422
    assert not (tmp_path / "canary").exists()


def test_s3_a_bomb_is_refused(client: TestClient):
    answer = client.post(CHAT, json=_picture(bomb()))
    assert answer.status_code == 422
    assert "too many" in answer.json()["error"]["message"]
    answer = client.post("/v1/poses/estimate", json={"image_url": bomb()})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a.png", "https://localhost/", "file:///etc/passwd", "ftp://[::1]/"]
)
def test_s4_no_address_is_opened(client: TestClient, url: str):
    assert client.post(CHAT, json=_picture(url)).status_code == 422


@pytest.mark.parametrize(
    "pose",
    [
        {"body_pose": [0.0] * 68}, {"body_pose": [0.0] * 70}, {"body_pose": [1e308] * 69},
        {"body_pose": ["0"] * 69}, {"body_pose": [True] * 69}, {"body_pose": None},
        {**POSE, "betas": [0.0] * 9}, {**POSE, "translation": [1e9, 0, 0]},
        {**POSE, "body": "mine"}, {**POSE, "rotations": []}, {**POSE, "format": "quaternions"},
    ],
)  # fmt: skip
def test_s5_poses_that_are_none_are_refused(client: TestClient, pose: dict[str, Any]):
    assert client.post("/v1/poses/describe", json={"pose": pose}).status_code == 422
    assert client.post(CHAT, json=_shown({"type": "pose", "pose": pose})).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000 + b"]" * 100_000,
        b'{"messages":' * 5000, b'{"pose": {"body_pose": [NaN]}}', b'{"text": "\\ud800"}',
        b'{"messages": [], "seed": ' + b"9" * 5000 + b"}", b'{"messages": [], "n": 1e999}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [CHAT, "/v1/poses/describe", "/v1/poses/generate"])
def test_s5_a_body_that_is_no_request_is_refused(client: TestClient, path: str, body: bytes):
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"messages": [{"role": "user", "content": "hi"}] * 65}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 65}]},
            "content",
        ),
        ({"n": 33}, "n"),
        ({"n": 0}, "n"),
        ({"temperature": 3}, "temperature"),
        ({"seed": -1}, "seed"),
        ({"max_tokens": 100_000}, "max_tokens"),
        ({"stop": ["a"]}, "stop"),
        ({"tools": [{}]}, "tools"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "user's"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, "messages"),
        ({"logits": 1}, "logits"),
        ({"messages": [{"role": "user", "content": "a" * 2001}]}, "2,001 characters"),
    ],
)
def test_s5_requests_beyond_the_limits_say_which(
    client: TestClient, changed: dict[str, Any], named: str
):
    asked = {"messages": [{"role": "user", "content": "hi"}], **changed}
    answer = client.post(CHAT, json=asked)
    assert answer.status_code == 422
    assert named in answer.json()["error"]["message"]


SPECIAL = (
    "<|im_start|>",
    "<|im_end|>",
    "<|start|>",
    "<pose_12>",
    "</s>",
    "<image>",
    "> check",
    "\ue000",
)


@given(
    before=st.text(max_size=20),
    special=st.sampled_from(SPECIAL),
    after=st.text(max_size=20),
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_s6_text_of_users_becomes_no_special_token(before: str, special: str, after: str):
    """Of the row that is read, as many ids are special as with a plain word in the text's place."""
    template = shared_speaker().template
    special_ids = {*template.text.all_special_ids, *template.text.get_added_vocab().values()}

    def count(text: str) -> int:
        ids = template.render([Message.of("user", text)], open_answer=True).ids
        return sum(identity in special_ids for identity in ids)

    assert count(before + special + after) == count("word")


def test_s6_special_tokens_are_answered_as_words(client: TestClient):
    text = "".join(SPECIAL) + " is the left knee bent?"
    answer = client.post(
        CHAT, json={"messages": [{"role": "user", "content": text}], "max_tokens": 4}
    )
    assert answer.status_code == 200
    assert client.post("/v1/poses/generate", json={"text": text}).status_code in (200, 422)


@pytest.mark.parametrize(
    "text", ["open /etc/passwd", "/pose /etc/passwd", "/save a.npz", "/keep a"]
)
def test_no_sentence_opens_or_writes_a_file(client: TestClient, text: str):
    shown = {"type": "pose", "pose": POSE}
    content = [{"type": "text", "text": text}, shown]
    answer = client.post(CHAT, json={"messages": [{"role": "user", "content": content}]})
    assert answer.status_code == 200
    assert "passwd" not in json.dumps(answer.json()["choices"][0]["message"]["poses"])


def test_a_temperature_of_almost_nothing_is_none(client: TestClient):
    cold = {"temperature": 5.9e-64, "seed": 1}
    asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    plain = client.post(CHAT, json=asked).json()["choices"]
    assert client.post(CHAT, json={**asked, **cold}).json()["choices"] == plain
    asked = {"pose": POSE, "max_tokens": 4}
    plain = client.post("/v1/poses/describe", json=asked).json()
    assert client.post("/v1/poses/describe", json={**asked, **cold}).json() == plain


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(900)
def test_s7_the_endpoints_meet_their_own_description():
    """schemathesis makes up requests from the OpenAPI document; none brings an error of ours."""
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]

    with tiny_app(LIMITS) as app:
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        tried: list[int] = []
        for operation in schema.get_all_operations():
            call = operation.ok()

            @given(case=call.as_strategy())
            @settings(
                max_examples=15, deadline=None, database=None,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def try_it(case: schemathesis.Case) -> None:
                answer = case.call(timeout=300)
                tried.append(answer.status_code)
                case.validate_response(answer, checks=checks)

            try_it()
    assert len(tried) > 60
    assert max(tried) < 500
