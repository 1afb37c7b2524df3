"""The official client, and our own clients of endpoints, against a real server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import torch

from tests.fakes.served import POSE, on_loopback, shared_assistant, tiny_app
from unipose.app.server.settings import ServerSettings
from unipose.body.pose import Pose
from unipose.contact.contact_tables import read_table
from unipose.contact.prompts import VOCABULARIES, contact_question
from unipose.priors.action_names import action_question, read_action
from unipose.priors.endpoint import Endpoint, EndpointConfig
from unipose.priors.sampled_models import sample_all

pytestmark = pytest.mark.slow
KEY = "a key"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = ServerSettings(keys=(KEY,), time_limit_s=300.0)
    with tiny_app(settings) as app, on_loopback(app) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key=KEY, timeout=300, max_retries=0) as client:
        yield client


def _messages(text: str = "is the left knee bent?") -> list[Any]:
    parts = [{"type": "text", "text": text}, {"type": "pose", "pose": POSE}]
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]


def test_the_model_is_listed(client: openai.OpenAI):
    assert [model.id for model in client.models.list()] == ["unipose"]
    assert client.models.retrieve("unipose").owned_by == "unipose"
    with pytest.raises(openai.NotFoundError, match="no such model"):
        client.models.retrieve("gpt")


def test_answers_are_completions(client: openai.OpenAI):
    said = client.chat.completions.create(
        model="unipose", messages=_messages(), n=3, temperature=1.3, seed=5, max_tokens=6
    )
    assert len(said.choices) == 3
    assert len({choice.message.content for choice in said.choices}) > 1
    assert said.usage is not None
    assert 0 < said.usage.completion_tokens <= 18
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens
    assert {choice.finish_reason for choice in said.choices} <= {"stop", "length"}


def test_the_same_seed_gives_the_same_answer(client: openai.OpenAI):
    def said(seed: int) -> str | None:
        answer = client.chat.completions.create(
            model="unipose", messages=_messages(), temperature=1.3, seed=seed, max_tokens=20
        )
        return answer.choices[0].message.content

    assert said(1) == said(1)
    assert len({said(seed) for seed in range(4)}) > 1


def test_a_stream_is_read_and_may_be_left(client: openai.OpenAI):
    options: dict[str, Any] = {"temperature": 1.3, "seed": 2, "max_tokens": 12}
    whole = client.chat.completions.create(model="unipose", messages=_messages(), **options)
    pieces, usage = "", None
    for event in client.chat.completions.create(
        model="unipose", messages=_messages(), stream=True,
        stream_options={"include_usage": True}, **options,
    ):  # fmt: skip
        usage = event.usage or usage
        pieces += "".join(choice.delta.content or "" for choice in event.choices)
    assert pieces.strip() == whole.choices[0].message.content
    assert usage == whole.usage
    left = client.chat.completions.create(model="unipose", messages=_messages(), stream=True)
    next(iter(left))
    left.close()
    assert client.models.list().data


def test_an_answer_may_be_sent_back_as_it_came(client: openai.OpenAI):
    first = client.chat.completions.create(model="unipose", messages=_messages(), max_tokens=5)
    message = first.choices[0].message.model_dump()
    assert message["poses"] == []
    message["poses"] = [POSE]
    again = client.chat.completions.create(
        model="unipose", max_tokens=5,
        messages=[*_messages(), message, {"role": "user", "content": "and the right one?"}],
    )  # fmt: skip
    assert again.usage is not None
    assert first.usage is not None
    assert again.usage.prompt_tokens > first.usage.prompt_tokens


def test_errors_are_those_of_openai(client: openai.OpenAI, url: str):
    bad: list[Any] = [{"role": "user", "content": [{"type": "pose", "pose": {"body_pose": [0]}}]}]
    with pytest.raises(openai.UnprocessableEntityError, match="body_pose"):
        client.chat.completions.create(model="unipose", messages=bad)
    with pytest.raises(openai.NotFoundError, match="no such model"):
        client.chat.completions.create(model="gpt-4", messages=_messages())
    stranger = openai.OpenAI(base_url=url, api_key="another", max_retries=0)
    with pytest.raises(openai.AuthenticationError), stranger:
        stranger.models.list()


@pytest.mark.parametrize("people", [1, 2])
def test_a_client_that_asks_for_contacts_is_answered_by_our_own_model(
    client: openai.OpenAI, people: int
):
    """With weights by chance it seldom comes to an end of its table, and then says so."""
    question = contact_question(np.zeros((32, 32, 3), np.uint8), people=people)
    messages: Any = question.messages()
    try:
        said = client.chat.completions.create(model="unipose", messages=messages)
    except openai.UnprocessableEntityError as error:
        assert "table" in str(error)  # noqa: PT017
    else:
        text = said.choices[0].message.content
        assert text is not None
        read_table(text, VOCABULARIES[people], people=people)


def test_a_client_that_asks_for_actions_is_answered_by_the_motion_text_space(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    still = Pose.from_axis_angle(torch.zeros(1, 22, 3))
    monkeypatch.setattr(shared_assistant(), "estimate", lambda image: still)
    labels = ["walk", "sit down", "wave"]
    pictures = [np.full((32, 32, 3), 90 * number, np.uint8) for number in range(2)]
    question = action_question("a film", pictures, labels)
    endpoint = Endpoint(EndpointConfig(url=url, model="unipose", tries=1), api_key=KEY)
    ((_, answer),) = sample_all(endpoint, [question], count=3)
    endpoint.close()
    assert answer.problems == ()
    assert len(answer.texts) == 3
    assert read_action(answer.texts[0], labels)[0] in labels


def test_a_file_of_keys_has_one_a_line(tmp_path: Path):
    from unipose.app.commands.serve import read_keys
    from unipose.errors import ConfigError

    (tmp_path / "keys").write_text("# ours\nfirst\n\n second \n")
    assert read_keys(tmp_path / "keys") == ("first", "second")
    (tmp_path / "none").write_text("# nobody\n")
    with pytest.raises(ConfigError, match="holds no key"):
        read_keys(tmp_path / "none")
