"""The program: a file of texts in, refined texts and a report out, resumed from what was kept."""

from __future__ import annotations

import json

import pytest

from data_builders.refining.__main__ import RefineTextsConfig, main
from tests.fakes.chat_server import Reply, chat_server
from unipose.errors import ConfigError, FileError

ROWS = [
    {"key": "a", "text": "The person is standing. Their left elbow is straight."},
    {"key": "b", "text": "Bend your right knee a lot.", "kind": "change"},
]


def written(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_texts_are_refined_by_rules_without_a_model(tmp_path):
    texts, out = write_rows(tmp_path / "texts.jsonl", ROWS), tmp_path / "refined.jsonl"
    report = main(RefineTextsConfig(texts=texts, out=out))
    assert report.written_by == {"rules": 2}
    assert [row["key"] for row in written(out)] == ["a", "b"]
    first = out.read_bytes()
    main(RefineTextsConfig(texts=texts, out=out))
    assert out.read_bytes() == first
    assert json.loads((tmp_path / "refined.report.json").read_text())["texts"] == 2


def test_an_endpoint_is_asked_once_for_each_text(tmp_path):
    texts, out = write_rows(tmp_path / "texts.jsonl", ROWS[:1] * 1), tmp_path / "refined.jsonl"
    good = "The person is standing with the left arm straight."
    with chat_server(lambda *_: Reply(good)) as server:
        config = RefineTextsConfig(
            texts=texts, out=out, url=server.url, model="some", prices=(1.0, 2.0)
        )
        main(config)
        main(config)
        assert len(server.requests) == 1
    assert written(out)[0]["text"] == good
    assert json.loads((tmp_path / "refined.report.json").read_text())["from_disk"] == 1


def test_a_line_that_is_no_text_is_named(tmp_path):
    texts = write_rows(tmp_path / "texts.jsonl", [ROWS[0], {"key": "b"}])
    with pytest.raises(FileError, match="line 2"):
        main(RefineTextsConfig(texts=texts, out=tmp_path / "out.jsonl"))
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(FileError, match="no such file"):
        main(RefineTextsConfig(texts=tmp_path / "none", out=tmp_path / "out.jsonl"))
    with pytest.raises(ConfigError, match="--model"):
        RefineTextsConfig(texts=texts, out=tmp_path / "out.jsonl", url="http://x/v1")
