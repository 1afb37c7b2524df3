"""The small rules that the page's safety rests on."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import HTTPException, Request

from unipose.app.commands.web import names_of
from unipose.app.page.file_shelf import FileShelf, safe_name
from unipose.app.page.request_checks import LOOPBACK, check_request, content_policy
from unipose.errors import ConfigError, FileError


def asked(method: str = "POST", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "method": method, "headers": raw})


def test_only_our_names_and_our_own_page_may_ask():
    check_request(asked(host="localhost:7860", origin="http://localhost:7860"), LOOPBACK)
    check_request(asked(host="[::1]:7860"), LOOPBACK)
    for foreign in (
        asked(host="evil.example"),
        asked(),
        asked(host="localhost:7860", origin="http://evil.example"),
        asked(host="localhost:7860", sec_fetch_site="cross-site"),
    ):
        with pytest.raises(HTTPException) as refused:
            check_request(foreign, LOOPBACK)
        assert refused.value.status_code == 403


def test_an_import_map_is_let_through_by_its_hash_and_nothing_else_is():
    page = '<script type="importmap">{}</script><script>alert(1)</script>'
    policy = content_policy(page)
    assert policy.count("'sha256-") == 1
    assert "'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o='" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("brought", "kept"),
    [
        ("walk.bvh", "walk.bvh"),
        ("../../etc/passwd.npz", "passwd.npz"),
        ("C:\\poses\\mine.npz", "mine.npz"),
        ("..bvh", "bvh"),
        ("a\u0000b\n<c>.json", "a_b__c_.json"),
        ("übung 3.bvh", "übung 3.bvh"),
        ("x" * 300 + ".npz", "x" * 80 + ".npz"),
    ],
)
def test_a_file_that_is_brought_has_a_plain_name(brought: str, kept: str):
    assert safe_name(brought) == kept


def test_files_have_ids_that_say_nothing_and_one_each(tmp_path: Path):
    shelf = FileShelf(tmp_path / "shelf")
    path = shelf.room_for("mine.npz")
    path.write_bytes(b"12345")
    file = shelf.add(path)
    assert shelf.add(path) == file
    assert len(file.id) == 16
    assert "mine" not in file.id
    assert file.id in shelf
    with pytest.raises(FileError, match="unknown ending"):
        shelf.room_for("mine.html")
    shelf.clear()
    assert file.id not in shelf
    assert not path.exists()


def test_everybody_in_a_network_needs_a_name_to_ask_for():
    with pytest.raises(ConfigError, match="--name"):
        names_of("0.0.0.0", [])
    assert names_of("0.0.0.0", ["My.host"]) == ("localhost", "127.0.0.1", "::1", "my.host")
    assert names_of("127.0.0.1", []) == ("localhost", "127.0.0.1", "::1")
