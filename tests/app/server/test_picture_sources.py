from __future__ import annotations

import base64
import io
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from eval.serving_requests import bomb
from unipose.app.server.picture_sources import PictureFetcher, is_public, read_picture
from unipose.app.server.refusals import RefusalError

MOST = 25_000_000


def _file(kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, kind, **options)
    return file.getvalue()


def _url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def test_a_picture_comes_out_of_its_own_address():
    pixels = read_picture(_url(_file()), most_pixels=MOST)
    assert pixels.shape == (30, 40, 3)
    assert (pixels[0, 0] == [255, 0, 0]).all()


def test_s3_a_bomb_is_refused_by_its_header():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusalError, match="too many") as refused:
        read_picture(bomb(), most_pixels=MOST)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    assert refused.value.status == 422
    assert grown_mb < 200


@pytest.mark.parametrize(
    "url",
    [
        _url(_file()[:60]),
        _url(_file("GIF"), "png"),
        _url(_file("TIFF"), "png"),
        _url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "png"),
        _url(b"\x80\x04pickle"),
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:text/html;base64,PGI+",
        "data:image/png;base64,%%",
        "",
        "//localhost/a",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.png",
        "http://127.0.0.1/a.png",
    ],
)
def test_s3_s4_what_is_no_picture_in_its_address_is_refused(url: str):
    with pytest.raises(RefusalError) as refused:
        read_picture(url, most_pixels=MOST)
    assert refused.value.status == 422


def test_s3_sixteen_bits_are_refused():
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(file, "PNG")
    with pytest.raises(RefusalError, match="8 bits"):
        read_picture(_url(file.getvalue()), most_pixels=MOST)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1",
        "localhost",
    ],
)  # fmt: skip
def test_s4_addresses_that_are_not_of_the_internet_are_known(address: str):
    assert not is_public(address)


def test_public_addresses_are_known():
    assert is_public("93.184.215.14")
    assert is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")


@contextmanager
def _listener(answer: bytes = b"", leads_to: str = "") -> Iterator[tuple[int, list[str]]]:
    """Serve a file, or a redirect, on loopback; give its port and what was asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(302 if leads_to and self.path == "/begin" else 200)
            if leads_to and self.path == "/begin":
                self.send_header("location", leads_to)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "0"])
def test_s4_no_way_leads_to_this_machine(host: str):
    with _listener(_file()) as (port, seen):
        fetcher = PictureFetcher(most_bytes=10_000)
        with pytest.raises(RefusalError):
            read_picture(f"http://{host}:{port}/a.png", most_pixels=MOST, fetcher=fetcher)
    assert seen == []


def _only(name: str, port: int) -> list[str]:
    """Resolve one public name, to this machine; all other names and numbers as they are."""
    return ["127.0.0.1"] if name == "public.example" else [name]


def test_a_picture_is_fetched_where_that_is_allowed():
    with _listener(_file()) as (port, seen):
        fetcher = PictureFetcher(most_bytes=10_000, resolve=_only, allowed=lambda _: True)
        url = f"http://public.example:{port}/a.png?x=1"
        assert read_picture(url, most_pixels=MOST, fetcher=fetcher).shape == (30, 40, 3)
    assert seen == ["/a.png?x=1"]


def test_s4_a_redirect_to_this_machine_is_not_followed():
    with ExitStack() as stack:
        inner, reached = stack.enter_context(_listener(_file()))
        port, _ = stack.enter_context(_listener(leads_to=f"http://127.0.0.2:{inner}/"))
        fetcher = PictureFetcher(
            most_bytes=10_000, resolve=_only, allowed=lambda address: address == "127.0.0.1"
        )
        with pytest.raises(RefusalError, match="public"):
            read_picture(f"http://public.example:{port}/begin", most_pixels=MOST, fetcher=fetcher)
    assert reached == []


def test_s4_a_name_is_resolved_once_and_its_checked_address_is_the_one_that_is_used():
    """DNS rebinding: the second answer of a name server would lead elsewhere."""
    asked: list[str] = []

    def rebinding(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with _listener(_file()) as (port, seen):
        fetcher = PictureFetcher(most_bytes=10_000, resolve=rebinding, allowed=lambda _: True)
        read_picture(f"http://public.example:{port}/a.png", most_pixels=MOST, fetcher=fetcher)
    assert asked == ["public.example"]
    assert seen == ["/a.png"]


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    fetcher = PictureFetcher(most_bytes=10, resolve=lambda *_: ["93.184.215.14", "10.0.0.1"])
    with pytest.raises(RefusalError, match="public"):
        read_picture("http://public.example/a.png", most_pixels=MOST, fetcher=fetcher)


def test_s5_a_fetched_picture_is_limited_as_it_comes_in():
    with _listener(b"a" * 100_000) as (port, _):
        fetcher = PictureFetcher(most_bytes=10_000, resolve=_only, allowed=lambda _: True)
        with pytest.raises(RefusalError, match="too large"):
            read_picture(f"http://public.example:{port}/a", most_pixels=MOST, fetcher=fetcher)


def test_s5_a_picture_that_drips_is_given_up():
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while True:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: 1\r\n"[:3])
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener])
        thread.start()
        fetcher = PictureFetcher(
            most_bytes=10_000, resolve=_only, allowed=lambda _: True, seconds=0.2
        )
        begin = time.monotonic()
        with pytest.raises(RefusalError):
            fetcher.fetch(f"http://public.example:{listener.getsockname()[1]}/a.png")
        assert time.monotonic() - begin < 5
        thread.join()


def test_a_server_that_is_not_there_is_a_refusal():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fetcher = PictureFetcher(most_bytes=10, resolve=_only, allowed=lambda _: True)
    with pytest.raises(RefusalError, match="could not be read"):
        read_picture(f"http://public.example:{port}/a.png", most_pixels=MOST, fetcher=fetcher)
