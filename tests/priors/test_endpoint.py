"""A chat endpoint, well-behaved or not: every draft gets a true text, and nothing is paid twice."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from threading import Barrier

import pytest

from data_builders.refining.draft import Draft
from data_builders.refining.refine import RefineConfig, Report, refine
from tests.fakes.chat_server import Reply, chat_server
from unipose.errors import ConfigError, EndpointError
from unipose.priors.chat_models import CachedChatModel
from unipose.priors.endpoint import Endpoint, EndpointConfig

CAPTION = (
    "The person is standing. Their left elbow is straight and their right hand is above the head. "
    "Their left knee is slightly bent."
)
GOOD = "The person is standing with the left arm straight and the right hand above the head."
FLIPPED = "The person is standing with the right arm straight and the left hand above the head."


@contextmanager
def endpoint(answer, **options):
    options = {"first_wait_s": 0.01, "timeout_s": 5.0, "tries": 3, "concurrency": 4} | options
    with chat_server(answer) as server:
        model = Endpoint(EndpointConfig(url=server.url, model="some-model", **options))
        try:
            yield model, server
        finally:
            model.close()


def drafts(count):
    return [
        Draft(key=str(i), text=f"{CAPTION} The torso is vertical{'.' * (i + 1)}")
        for i in range(count)
    ]


def run(model, count=1, **config):
    report = Report()
    found = list(refine(drafts(count), model, config=RefineConfig(**config), report=report))
    assert [refined.key for refined in found] == [str(i) for i in range(count)]
    return found, report


def test_a_good_answer_is_taken_and_its_tokens_counted():
    with endpoint(lambda *_: Reply(f' "{GOOD}"\n')) as (model, server):
        found, report = run(model, 5)
    assert {refined.text for refined in found} == {GOOD}
    assert report.written_by == {"some-model": 5}
    assert (report.requests, report.prompt_tokens, report.answer_tokens) == (5, 500, 100)
    assert report.cost(2.0, 10.0) == pytest.approx(0.002)
    asked = server.requests[0]
    assert asked["model"] == "some-model"
    assert asked["max_tokens"] == 200
    assert CAPTION in asked["messages"][1]["content"]


def test_a_flipped_side_is_sent_back_with_what_is_wrong():
    with endpoint(lambda _, before: Reply(GOOD if before else FLIPPED)) as (model, server):
        found, report = run(model)
    assert (found[0].text, found[0].attempts) == (GOOD, 2)
    assert (report.redone, report.flipped) == (1, 2)
    again = server.requests[1]["messages"]
    assert again[2] == {"role": "assistant", "content": FLIPPED}
    assert "right elbow straight" in again[3]["content"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (FLIPPED, "sides or directions flipped"),
        ("The person is a blue teapot of remarkable charm.", "nothing recognisable"),
        ("The left arm is straight.", "does not begin with the person"),
        ("The person is standing with the left arm straight. " * 9, "too long"),
        (
            "The person is standing and raises one arm, the left arm straight.",
            "left open which limb",
        ),
    ],
)
def test_a_model_that_never_gets_it_right_is_replaced_by_the_rules(answer, reason):
    with endpoint(lambda *_: Reply(answer)) as (model, server):
        found, report = run(model, attempts=2)
    assert found[0].by == "rules"
    assert "left" in found[0].text
    assert report.rejected == {reason: 1}
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(status=500, body=b"oops"), "the server said 500"),
        (Reply(status=429, body=b"{}", headers={"retry-after": "0.01"}), "the server said 429"),
        (Reply(body=b"<html>gateway</html>"), "what came is not a chat completion"),
        (Reply(body=b"{}"), "what came is not a chat completion"),
        (Reply(body=b""), "what came is not a chat completion"),
        (Reply(body=b'{"choices": [{"message": {"content": null}}]}'), "the answer is empty"),
        (Reply(hang_up=True), "the connection failed"),
        (Reply(GOOD, wait_s=1.0), "no answer came within 0.2 s"),
    ],
)
def test_a_broken_server_ends_in_a_counted_fallback(reply, problem):
    with endpoint(lambda *_: reply, timeout_s=0.2) as (model, server):
        found, report = run(model)
    assert found[0].by == "rules"
    assert len(server.requests) == 3
    assert next(iter(report.unanswered)).startswith(problem)
    assert sum(report.rejected.values()) == 1


def test_a_huge_answer_is_not_read_to_its_end():
    huge = Reply(body=b'{"choices": [' + b" " * 3_000_000)
    with endpoint(lambda *_: huge, largest_answer_bytes=100_000) as (model, server):
        found, report = run(model)
    assert found[0].by == "rules"
    assert report.unanswered == {"the answer is larger than 100000 bytes": 1}
    assert len(server.requests) == 1


def test_an_answer_that_was_cut_off_is_not_used():
    with endpoint(lambda *_: Reply(GOOD, finish="length")) as (model, _):
        found, report = run(model)
    assert found[0].by == "rules"
    assert report.unanswered == {"the answer is longer than allowed": 1}


def test_a_server_that_recovers_loses_nothing():
    def answer(_, before):
        return Reply(GOOD) if before % 3 == 2 else Reply(status=503, body=b"busy")

    with endpoint(answer, tries=8, concurrency=1) as (model, _):
        found, report = run(model, 6)
    assert {refined.by for refined in found} == {"some-model"}
    assert report.requests == 18


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_stops_with_what_to_do(status):
    body = b'{"error": {"message": "no such key"}}'
    with endpoint(lambda *_: Reply(status=status, body=body)) as (model, server):
        with pytest.raises(EndpointError, match=r"some-model.*no such key.*Check address"):
            run(model, 20)
        assert len(server.requests) <= 4


def test_a_server_that_stays_broken_stops_the_run():
    with endpoint(lambda *_: Reply(status=500, body=b""), give_up_after=5, tries=1) as (
        model,
        server,
    ):
        with pytest.raises(EndpointError, match="5 questions in a row"):
            run(model, 50)
        assert len(server.requests) < 15


def test_nobody_at_the_address_is_an_error_too():
    with chat_server(lambda *_: Reply()) as server:
        url = server.url
    model = Endpoint(
        EndpointConfig(url=url, model="m", first_wait_s=0.01, tries=1, give_up_after=2)
    )
    with pytest.raises(EndpointError, match="connection failed"):
        run(model, 3)
    model.close()


def test_what_was_answered_before_the_failure_is_not_asked_again(tmp_path):
    def breaks(_, before):
        return Reply(GOOD) if before < 10 else Reply(status=500, body=b"")

    options = {"tries": 1, "give_up_after": 3, "concurrency": 2}
    with endpoint(breaks, **options) as (model, _):
        with pytest.raises(EndpointError):
            run(CachedChatModel(model, tmp_path), 30)
        url = model.config.url
    port = int(re.search(r":(\d+)/", url).group(1))
    assert len(list(tmp_path.rglob("*.json"))) == 10
    with endpoint(lambda *_: Reply(GOOD), **options) as (model, server):
        model.config = type(model.config)(**{**vars(model.config), "url": url})  # the same server
        assert port
        found, report = run(CachedChatModel(model, tmp_path), 30)
    assert len(server.requests) == 20
    assert (report.from_disk, report.requests) == (10, 20)
    assert {refined.text for refined in found} == {GOOD}


def test_a_second_run_asks_nothing(tmp_path):
    with endpoint(lambda *_: Reply(GOOD)) as (model, server):
        first, _ = run(CachedChatModel(model, tmp_path), 4)
        second, report = run(CachedChatModel(model, tmp_path), 4)
    assert second == first
    assert len(server.requests) == 4
    assert (report.from_disk, report.requests, report.prompt_tokens) == (4, 0, 0)


def test_a_damaged_cache_entry_is_asked_for_again(tmp_path):
    with endpoint(lambda *_: Reply(GOOD)) as (model, server):
        run(CachedChatModel(model, tmp_path), 1)
        next(tmp_path.rglob("*.json")).write_text("{half")
        run(CachedChatModel(model, tmp_path), 1)
        run(CachedChatModel(model, tmp_path), 1)
    assert len(server.requests) == 2


def test_requests_keep_to_the_rate():
    with endpoint(lambda *_: Reply(GOOD), requests_per_minute=600.0) as (model, server):
        begin = time.monotonic()
        run(model, 6)
    assert max(server.times) - begin >= 0.5


def test_several_questions_are_under_way_at_once():
    together = Barrier(8)

    def answer(*_: object) -> Reply:
        together.wait(timeout=60)  # nobody is answered before all have asked
        return Reply(GOOD)

    with endpoint(answer, concurrency=8) as (model, server):
        run(model, 8)
    assert len(server.requests) == 8


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ConfigError, match="address"):
        EndpointConfig(url="localhost:8000", model="m")
    with pytest.raises(ConfigError, match="tries"):
        EndpointConfig(url="http://localhost/v1", model="m", tries=0)
