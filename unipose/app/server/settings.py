"""What the server lets through: how many requests, how large, how long, with which keys."""

from __future__ import annotations

from dataclasses import dataclass

from unipose.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Limits of one server; contradictions are refused."""

    most_rows: int = 16
    """Rows that one model answers side by side; 1 is one at a time."""
    gather_s: float = 0.004
    """How long an idle model waits for further rows after the first."""
    most_active: int = 32
    """Requests that are worked on at the same time."""
    most_waiting: int = 32
    """Requests that wait beside them; one more is answered with 429."""
    time_limit_s: float = 60.0
    """From a request's first byte to its answer's last; then its work is cancelled."""
    largest_body: int = 16_000_000
    """Bytes of one request, counted as they come in."""
    most_body_bytes: int = 256_000_000
    """Bytes of all requests that are being received or worked on."""
    most_pixels: int = 25_000_000
    """Of a picture; read from its header before anything is unpacked."""
    most_messages: int = 64
    most_parts: int = 32
    """Parts of all messages of a request."""
    most_pictures: int = 4
    most_choices: int = 32
    longest_answer: int = 1024
    """Tokens that a request may ask for."""
    keys: tuple[str, ...] = ()
    """Bearer keys, one of which has to be shown; none: nobody is asked."""
    hosts: tuple[str, ...] = ()
    """Names that a request's Host header may have (against DNS rebinding); none: any."""
    largest_film: int = 2_000_000_000
    """Bytes of a film that is sent for long work; it goes to disk as it comes."""
    most_work: int = 100
    """Pieces of long work that are kept; more is answered with 429."""
    remote_pictures: bool = False
    """Whether pictures are fetched from http(s) addresses, public ones only."""

    def __post_init__(self) -> None:
        for name in (
            "most_rows", "most_active", "largest_body", "most_body_bytes", "most_pixels",
            "most_messages", "most_parts", "most_choices", "longest_answer",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("most_waiting", "most_pictures", "gather_s"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} cannot be below 0, got {getattr(self, name)}")
        if not self.time_limit_s > 0:
            raise ConfigError(f"time_limit_s must be above 0, got {self.time_limit_s}")
        if any(not key.strip() for key in self.keys):
            raise ConfigError("a key is empty; leave it out to ask nobody for one")
