"""Where a server listens and under which names it may be asked for; light to import."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from unipose.errors import ConfigError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 (they are named to be refused)


def names_of(host: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which a page at `host` may be asked for, in lower case.

    Raises ConfigError for every address of this machine without a name.
    """
    if host in ANY_ADDRESS and not names:
        raise ConfigError(
            "--host 0.0.0.0 lets everybody in this network talk to the models; say under which "
            "name they may, such as --name mymachine.local"
        )
    own = () if host in ANY_ADDRESS else (host.lower(),)
    return tuple(dict.fromkeys((*LOOPBACK, *own, *(name.lower() for name in names))))


def listen_on(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ConfigError if somebody else does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}, port {port} ({error.strerror}); another one: --port N"
        ) from error
    listener.listen(64)
    return listener


def address_of(host: str, listener: socket.socket) -> str:
    """Return the page's address as a person types it."""
    name = "localhost" if host in ANY_ADDRESS else f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}/"
