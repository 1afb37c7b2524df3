"""Who may ask the page for something, and what a browser may do with what it is given.

A page on the loopback address is within reach of every web site that its user visits: through a
form or a script of that site (cross-site requests), or through a name that suddenly points to
127.0.0.1 (DNS rebinding). So the name that was asked for has to be one of ours, and whoever sends
something has to be a page of ours.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE_METHODS = ("GET", "HEAD")
OWN_SITES = ("same-origin", "none")
"""Of the header Sec-Fetch-Site: a page of ours, or the user's own hand."""


def check_request(request: Request, hosts: Sequence[str]) -> None:
    """Raise HTTPException (403) unless the host is ours and no foreign site is behind it."""
    headers = request.headers
    host = headers.get("host", "")
    if _name_of(f"//{host}") not in hosts:
        raise HTTPException(403, f"this page is not called {host[:80]!r}")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    foreign = origin is not None and urlsplit(origin).netloc != host
    linked = request.method in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"
    if foreign or (site is not None and site not in OWN_SITES and not linked):
        raise HTTPException(403, "another site asked for this")


def route_class(hosts: Sequence[str], content_policy: str) -> type[APIRoute]:
    """Return a kind of route that checks each request and says what browsers may do."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def checked(request: Request) -> Response:
                check_request(request, hosts)
                response = await handle(request)
                for name, value in safe_headers(content_policy).items():
                    response.headers.setdefault(name, value)
                return response

            return checked

    return PageRoute


def safe_headers(content_policy: str) -> dict[str, str]:
    """Return the headers of every answer."""
    return {
        "Content-Security-Policy": content_policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cache-Control": "no-store",
    }


def content_policy(page: str) -> str:
    """Return the Content-Security-Policy of a page: only its own files, and nothing inline.

    The one exception is the page's import map, which browsers read from the page alone; it is let
    through by its hash.
    """
    inline = re.findall(r'<script type="importmap">(.*?)</script>', page, flags=re.DOTALL)
    digests = [hashlib.sha256(text.encode()).digest() for text in inline]
    hashes = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self'{hashes}; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _name_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
