"""Several answers to one question, from servers that give many choices at once, one, or none."""

from __future__ import annotations

import base64
import io
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from tests.fakes.chat_server import Reply, chat_server
from unipose.errors import ConfigError, EndpointError, PoseQueryError
from unipose.priors.endpoint import Endpoint, EndpointConfig
from unipose.priors.sampled_models import (
    CachedSampledModel,
    InProcessModel,
    ModelQuestion,
    sample_all,
)

PIXELS = np.full((8, 12, 3), 200, dtype=np.uint8)


def question(key="a.jpg", shade=200):
    return ModelQuestion(key=key, instruction="Say it.", pictures=(np.full_like(PIXELS, shade),))


@contextmanager
def endpoint(answer, **options):
    options = {"first_wait_s": 0.01, "timeout_s": 5.0, "tries": 2, "temperature": 0.7} | options
    with chat_server(answer) as server:
        model = Endpoint(EndpointConfig(url=server.url, model="m", **options))
        try:
            yield model, server
        finally:
            model.close()


def sampled(model, *questions, **options):
    return [answer for _, answer in sorted(sample_all(model, questions, **options))]


def all_choices(asked, _):
    return Reply("said 0", more=tuple(f"said {i}" for i in range(1, asked.get("n", 1))))


def one_choice(asked, _):
    return Reply(f"said {asked['seed']}")


def test_one_request_brings_all_samples_and_shows_the_picture():
    with endpoint(all_choices) as (model, server):
        (answer,) = sampled(model, question(), count=5)
    assert answer.texts == ("said 0", "said 1", "said 2", "said 3", "said 4")
    (asked,) = server.requests
    assert (asked["n"], asked["temperature"], asked["seed"]) == (5, 0.7, 0)
    (part,) = asked["messages"][1]["content"]
    url = part["image_url"]["url"]
    shown = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))))
    assert shown.size == (12, 8)
    assert abs(np.asarray(shown).astype(int) - 200).max() <= 2


def test_a_server_that_ignores_n_is_asked_by_seeds():
    with endpoint(one_choice) as (model, server):
        first, second = sampled(model, question("a"), question("b", shade=9), count=4)
    assert first.texts == second.texts == ("said 0", "said 1", "said 2", "said 3")
    assert [asked.get("n") for asked in server.requests] == [4] + [None] * 7  # learned once


def test_a_server_that_refuses_n_is_asked_one_by_one():
    def refuses(asked, _):
        return Reply(status=400, body=b"{}") if "n" in asked else one_choice(asked, _)

    with endpoint(refuses) as (model, server):
        first, _ = sampled(model, question("a"), question("b"), count=3)
    assert first.texts == ("said 0", "said 1", "said 2")
    assert sum("n" in asked for asked in server.requests) == 1


def test_a_question_that_fails_goes_by_and_says_why():
    def broken(asked, _):
        black = "/9j/" in str(asked) and asked["messages"][0]["content"] == "bad"
        return Reply(status=400, body=b"{}") if black else all_choices(asked, _)

    bad = ModelQuestion(key="bad", instruction="bad", pictures=(PIXELS,))
    with endpoint(broken) as (model, server):
        failed, answered = sampled(model, bad, question(), count=3)
    assert (failed.key, failed.texts) == ("bad", ())
    assert failed.problems == ("the server said 400",) * 3
    assert len(answered.texts) == 3
    assert len(server.requests) == 3


def test_an_answer_that_was_cut_off_is_one_sample_less():
    def cuts(asked, _):
        return Reply(f"said {asked['seed']}", finish="length" if asked["seed"] == 1 else "stop")

    with endpoint(cuts) as (model, _):
        (answer,) = sampled(model, question(), count=3)
    assert answer.texts == ("said 0", "said 2")
    assert answer.problems == ("the answer is longer than allowed",)


def test_what_was_answered_is_kept_and_a_stopped_run_goes_on(tmp_path):
    def breaks(asked, before):
        return all_choices(asked, before) if before < 2 else Reply(status=500, body=b"")

    questions = [question(str(i), shade=i) for i in range(4)]
    with endpoint(breaks, tries=1, give_up_after=2) as (model, _):
        with pytest.raises(EndpointError, match="2 questions in a row"):
            sampled(CachedSampledModel(model, tmp_path), *questions, count=3)
        config = model.config
    with endpoint(all_choices) as (model, server):
        model.config = config.__class__(**{**vars(model.config), "url": config.url})  # the cache's
        kept = sampled(CachedSampledModel(model, tmp_path), *questions, count=3)
        assert [answer.requests for answer in kept] == [0, 0, 1, 1]
        assert len(server.requests) == 2
        more = sampled(CachedSampledModel(model, tmp_path), questions[0], count=5)[0]
    assert len(more.texts) == 5
    assert server.requests[-1]["n"] == 2


def test_several_workers_answer_the_same():
    with endpoint(one_choice) as (model, _):
        questions = [question(str(i), shade=i) for i in range(6)]
        alone = sampled(model, *questions, count=2)
        together = sampled(model, *questions, count=2, workers=3)
    assert [answer.texts for answer in together] == [answer.texts for answer in alone]


def test_a_refusing_server_stops_several_workers_too():
    with endpoint(lambda *_: Reply(status=401, body=b"{}")) as (model, server):
        with pytest.raises(EndpointError, match="refuses the model"):
            sampled(model, *(question(str(i)) for i in range(20)), workers=2)
        assert len(server.requests) < 10


def test_a_model_of_this_process_answers_by_numbers_and_is_cached(tmp_path):
    asked = []

    def answer(one, numbers):
        asked.extend(numbers)
        if one.key == "blind":
            raise PoseQueryError("cannot see")
        return [f"{one.key} {number}" for number in numbers]

    model = CachedSampledModel(InProcessModel(name="own", identity={}, answer=answer), tmp_path)
    seen, blind = sampled(model, question("a"), question("blind", shade=1), count=2, first=7)
    assert seen.texts == ("a 7", "a 8")
    assert blind.problems == ("cannot see", "cannot see")
    assert sampled(model, question("a"), count=3, first=7)[0].texts == ("a 7", "a 8", "a 9")
    assert asked == [7, 8, 7, 8, 9]


def test_an_empty_question_is_refused():
    with pytest.raises(ConfigError, match="neither a text nor a picture"):
        ModelQuestion(key="a", instruction="Say it.")
