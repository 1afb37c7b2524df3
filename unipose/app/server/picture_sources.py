"""Pictures of requests: out of their own address (data:), or fetched where that is allowed.

What is fetched comes from public addresses only: a name is resolved once, every address checked,
and the connection made to the very address that was checked. Redirects start anew.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from unipose.app.server.refusals import RefusalError
from unipose.errors import FileError
from unipose.files.photo import Pixels, read_photo

KINDS = ("JPEG", "PNG", "WEBP")
_DATA = re.compile(r"data:image/(?:png|jpeg|jpg|webp);base64,")
MOST_REDIRECTS = 3
FETCH_S = 10.0
PIECE = 1 << 16

Resolve = Callable[[str, int], list[str]]
"""(name, port) -> addresses."""


def read_picture(url: str, *, most_pixels: int, fetcher: PictureFetcher | None = None) -> Pixels:
    """Return the pixels (RGB) of a data URL, or of what `fetcher` brings.

    Raises RefusalError 422: no such address, no whole picture of KINDS, more than `most_pixels`
    by its header, or more than one that can be fetched.
    """
    if begins := _DATA.match(url):
        try:
            data = base64.b64decode(url[begins.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise _refused("the picture's address is no base64") from error
    elif fetcher is not None and url.startswith(("http://", "https://")):
        data = fetcher.fetch(url)
    else:
        raise _refused(
            "expected a picture in its address: data:image/png;base64,... (png, jpeg or webp); "
            "other addresses are not opened"
        )
    try:
        return read_photo(data, "picture", kinds=KINDS, most_pixels=most_pixels)
    except FileError as error:
        raise _refused(f"the picture {error.problem} {error.remedy}".strip()) from error


def _resolve(name: str, port: int) -> list[str]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(where[0]) for *_, where in found]


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public Internet, and holds no other within it."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        within = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if any(within) or ip in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True, kw_only=True)
class PictureFetcher:
    """Fetches pictures from public http(s) addresses."""

    most_bytes: int
    resolve: Resolve = _resolve
    allowed: Callable[[str], bool] = is_public
    """Which IP addresses are connected to."""
    seconds: float = FETCH_S
    """For everything, however slowly it drips."""

    def fetch(self, url: str) -> bytes:
        """Return what is there. Raises RefusalError 422 for what may not or cannot be fetched."""
        until = time.monotonic() + self.seconds
        try:
            for _ in range(MOST_REDIRECTS + 1):
                found = self._get(url, until)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
        except (OSError, http.client.HTTPException, ValueError, UnicodeError) as error:
            raise _refused("the picture's address could not be read") from error
        raise _refused(f"the picture's address leads on more than {MOST_REDIRECTS} times")

    def _get(self, url: str, until: float) -> bytes | str:
        """Return a page's bytes, or the address that it leads on to."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise _refused("only plain http(s) addresses are fetched")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = self.resolve(parts.hostname, port)
        if not addresses or not all(map(self.allowed, addresses)):
            raise _refused("the picture's address is not a public one")
        connection = _Pinned(parts.hostname, port, address=addresses[0], tls=parts.scheme)
        watch = threading.Timer(max(until - time.monotonic(), 0.0), connection.hang_up)
        watch.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Accept": "image/*"})
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                return answer.headers.get("location") or ""
            if answer.status != 200:
                raise _refused(f"the picture's address answers {answer.status}")
            found = bytearray()
            while piece := answer.read1(PIECE):
                found += piece
                if len(found) > self.most_bytes:
                    raise _refused("the picture behind its address is too large")
            if time.monotonic() > until:
                raise _refused("the picture behind its address comes too slowly")
            return bytes(found)
        finally:
            watch.cancel()
            connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its name resolves to by now."""

    def __init__(self, host: str, port: int, *, address: str, tls: str) -> None:
        super().__init__(host, port, timeout=FETCH_S)
        self._address, self._tls = address, tls == "https"

    def connect(self) -> None:
        """Connect, and check the certificate of the name."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def hang_up(self) -> None:
        """End the connection, from another thread."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _refused(why: str) -> RefusalError:
    return RefusalError(422, why, param="image_url")
