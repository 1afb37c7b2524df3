"""`unipose doctor` knows every part, says what is missing and what brings it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from unipose.app import cli, doctor, installation
from unipose.app.doctor import Checkup, CheckupOptions, examine
from unipose.errors import MissingFileError

MODELS = ("_model", "_conversation", "_base", "_photographs")


def named(checkups: list[Checkup]) -> dict[str, Checkup]:
    return {one.what: one for one in checkups}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Leave out what loads a model."""
    monkeypatch.delenv(doctor.ENDPOINT, raising=False)
    for look in MODELS:
        monkeypatch.setattr(doctor, look, lambda: "there")
    return monkeypatch


def test_every_part_is_looked_at(quick):
    found = named(examine())
    assert list(found)[:13] == [
        "python", "packages", "torch", "GPU", "torchvision", "body", "own body", "weights",
        "model", "base language model", "conversation", "photographs", "endpoint",
    ]  # fmt: skip
    assert found["body"].found == "open, 6,890 vertices"
    for name in ("mini", "conversation", "pose_codes", "landmark_lifter", "open_body"):
        assert f"{name} " in found["weights"].found
    assert "threads of" in found["torch"].found
    assert "--body FILE" in found["own body"].found
    assert found["own body"].mark == found["endpoint"].mark == "missing"


def test_a_missing_network_fails_with_what_brings_it(quick):
    def missing() -> str:
        raise MissingFileError("x.bin", "a network for photographs is not there.", "`make setup`.")

    quick.setattr(doctor, "_photographs", missing)
    found = named(examine())["photographs"]
    assert found.mark == "FAIL"
    assert "make setup" in found.found


def test_an_own_body_that_is_none_fails(quick, tmp_path):
    found = named(examine(CheckupOptions(body=str(tmp_path / "SMPL.npz"))))["own body"]
    assert found.mark == "FAIL"
    assert found.found.startswith("MissingFileError")


@contextmanager
def models_served() -> Iterator[str]:
    """Serve /v1/models while the block runs, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.path == "/v1/models"
            content = json.dumps({"data": [{"id": "qwen3-vl:8b"}]}).encode()
            self.send_response(200 if right else 404)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_an_endpoint_is_asked_for_its_models(quick):
    with models_served() as url:
        found = named(examine(CheckupOptions(endpoint=url)))["endpoint"]
    assert found.found == f"{url} answers; models: qwen3-vl:8b"
    refused = named(examine(CheckupOptions(endpoint="http://127.0.0.1:9/v1")))["endpoint"]
    assert refused.mark == "FAIL"
    assert "does not answer as expected" in refused.found


def test_an_extra_that_is_missing_names_its_one_command(monkeypatch):
    monkeypatch.setattr(
        installation, "needed", lambda extra="": [Requirement("torch>=2"), Requirement("faiss>=1")]
    )

    def version(name: str) -> str:
        if name == "faiss":
            raise PackageNotFoundError(name)
        return "2.13.0"

    monkeypatch.setattr(installation, "version", version)
    found = installation.extras()[0]
    assert found.problems == ("faiss is missing",)
    assert found.command == f"pip install -e '.[{found.name}]'"


def test_the_command_is_healthy_where_only_optional_parts_are_missing(quick):
    done = CliRunner().invoke(cli.app, ["doctor", "--json"])
    told = json.loads(done.stdout)
    assert told["healthy"] is all(one["good"] or one["optional"] for one in told["findings"])
    assert done.exit_code == (0 if told["healthy"] else 1)
    assert {"what", "good", "optional", "found"} == set(told["findings"][0])


def test_the_closure_of_a_package_holds_what_it_needs():
    assert {"typer", "rich"} <= installation.closure([Requirement("typer")])
    assert "ray" not in installation.closure([Requirement("typer")])
