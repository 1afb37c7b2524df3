"""What the server counts of itself, in Prometheus's form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32)


class ServerMetrics:
    """Counters of one server; each has its own, so that several fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "unipose_requests", "Requests that are over.", ["path", "status"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "unipose_request_seconds", "Time of a whole request.", ["path"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.active = Gauge(
            "unipose_active_requests", "Worked on or waiting.", registry=self.registry
        )
        self._rows = Histogram(
            "unipose_batch_rows", "Rows in one pass of a model.", ["model"],
            buckets=ROWS, registry=self.registry,
        )  # fmt: skip
        self.tokens = Counter(
            "unipose_tokens", "Tokens of text that were said.", registry=self.registry
        )
        self.repeated = Counter(
            "unipose_repeated", "Asks given to another replica.", registry=self.registry
        )

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that is over."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_rows(self, model: str, rows: int) -> None:
        """Count a pass of a model."""
        self._rows.labels(model).observe(rows)

    def text(self) -> bytes:
        """Return everything, as Prometheus reads it."""
        return generate_latest(self.registry)
