"""The load test in a short form, over the embedded models."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from eval.serving import LoadResult, ServingOptions, _windows, main
from eval.serving_requests import bomb, hostile_requests, valid_requests
from unipose.errors import ConfigError, MissingFileError
from unipose.language.base_model import base_folder


def test_requests_of_the_load_test_can_be_told_apart():
    valid = valid_requests(pictures=False)
    said = [json.dumps(request.content) for request in valid]
    assert len(set(said)) == len(valid) == 30
    edits = [request for request in valid if request.marked]
    marks = {str(request.mark({"pose": request.content["pose"]})) for request in edits}
    assert len(marks) == len(edits)


def test_hostile_requests_are_of_twelve_kinds_and_a_bomb_is_small_to_send():
    kinds = [request.kind for request in hostile_requests(valid_requests(pictures=False))]
    assert len(set(kinds)) == len(kinds) == 12
    assert len(bomb()) < 100_000


def test_memory_is_compared_after_it_has_settled():
    assert _windows([1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0]) == (3.0, 4.0)
    assert LoadResult().statuses == Counter()


def test_a_load_needs_clients():
    with pytest.raises(ConfigError, match="a client or more"):
        ServingOptions(clients=0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_short_load_is_answered_rightly(capsys: pytest.CaptureFixture[str]):
    try:
        base_folder()
    except MissingFileError:
        pytest.skip("the base language model is not installed")
    main(ServingOptions(clients=6, seconds=6.0, batching=0, hostile=0.3, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["requests"] > 0
    assert result["wrong_answers"] == result["server_errors"] == result["hostile_unexpected"] == 0
    assert result["answered"] + result["refused_politely"] == result["requests"]
