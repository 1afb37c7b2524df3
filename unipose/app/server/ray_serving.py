"""The models on a Ray cluster: replicas of one deployment, each with its own batches.

    models = RayModels.deploy(ModelSources(), settings, RaySettings(address="10.0.0.1:6379"))
    app = make_app(models, settings)

The application itself (limits, keys, reading of requests) stays in the process that calls this;
what it has accepted is asked of a replica, and asked again of another one if a machine goes away in
between. Answers can be repeated, since their seeds are set: what was already streamed is not sent
twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from unipose.app.server.answer_streams import LocalModels, News
from unipose.app.server.asks import Answered, Ask
from unipose.app.server.model_sources import LoadsModels
from unipose.app.server.refusals import RefusalError, refusal_of
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings
from unipose.errors import ConfigError, UniPoseError

NAMESPACE = NAME = "unipose"
PAUSE_S = 0.2
"""Before an ask is given to another replica."""


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """Where the cluster is and how many replicas it may have."""

    address: str = "auto"
    """Of the cluster's head, HOST:PORT; "auto" is the one of this machine."""
    fewest: int = 1
    most: int = 1
    """Replicas; between the two as many as requests ask for."""
    cpus: float = 1.0
    gpus: float = 0.0
    """Of one replica."""
    check_s: float = 5.0
    """How often it is looked whether a replica is still there."""

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most:
            raise ConfigError(
                f"expected 1 <= fewest <= most replicas, got {self.fewest}, {self.most}"
            )


@dataclass(frozen=True, kw_only=True)
class RefusedThere:
    """A refusal of a replica, as plain data."""

    status: int
    message: str


class Replica:
    """One replica: the models of one process, for asks of any front."""

    def __init__(self, sources: LoadsModels, settings: ServerSettings) -> None:
        served = sources.load(settings, ServerMetrics())
        self._models = LocalModels(served, most_active=settings.most_active)

    async def answer(self, ask: Ask, seconds: float) -> AsyncGenerator[News | RefusedThere, None]:
        """Give the news of an answer that may take `seconds`."""
        try:
            async for news in self._models.stream(ask, time.monotonic() + seconds):
                yield news
        except UniPoseError as error:
            refusal = refusal_of(error)
            yield RefusedThere(status=refusal.status, message=refusal.message)
        except RefusalError as error:
            yield RefusedThere(status=error.status, message=error.message)


class RayModels:
    """Models that answer somewhere on a cluster (`answer_streams.AnsweringModels`)."""

    def __init__(self, handle: Any) -> None:
        """`handle`: of a deployment of `Replica`."""
        self.metrics = ServerMetrics()
        self._handle = handle

    @classmethod
    def deploy(
        cls, sources: LoadsModels, settings: ServerSettings, where: RaySettings
    ) -> RayModels:
        """Start the replicas, or join those that are there, and return when the first is ready.

        Raises ConfigError without ray or without the cluster.
        """
        try:
            import ray  # not installed unless somebody wants it
            from ray import serve
        except ImportError as error:
            raise ConfigError(
                "serving on a cluster needs ray: pip install 'unipose[ray]'"
            ) from error
        if not ray.is_initialized():
            try:
                ray.init(where.address, namespace=NAMESPACE, log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ConfigError(
                    f"there is no Ray cluster at {where.address} ({error})"
                ) from error
        serve.start(http_options={"location": "NoServer"})
        deployment: Any = serve.deployment(
            Replica,
            name="models",
            max_ongoing_requests=settings.most_active,
            autoscaling_config={
                "min_replicas": where.fewest,
                "max_replicas": where.most,
                "target_ongoing_requests": max(settings.most_rows, 1),
            },
            ray_actor_options={"num_cpus": where.cpus, "num_gpus": where.gpus},
            health_check_period_s=where.check_s,
            health_check_timeout_s=6 * where.check_s,
            graceful_shutdown_timeout_s=settings.time_limit_s,
        )
        return cls(serve.run(deployment.bind(sources, settings), name=NAME, route_prefix=None))

    async def stream(self, ask: Ask, deadline: float) -> AsyncGenerator[News, None]:
        """Give the answer of whichever replica stays until its end."""
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        told = ""
        while (left := deadline - time.monotonic()) > 0:
            try:
                async for news in self._asked(ask, left, told):
                    if isinstance(news, str):
                        told += news
                    elif isinstance(news, Answered):
                        self.metrics.tokens.inc(news.answer_tokens)
                    yield news
            except (RayTaskError, TaskCancelledError):
                raise  # a mistake of ours, not a machine that has gone
            except RayError:
                self.metrics.repeated.inc()
                await asyncio.sleep(PAUSE_S)
            else:
                return
        raise RefusalError(504, "no replica answered in time")

    async def _asked(self, ask: Ask, seconds: float, told: str) -> AsyncGenerator[News, None]:
        """Give the news of one replica; of its text what goes beyond `told`."""
        again = ""
        stream = self._handle.options(stream=True).answer.remote(ask, seconds)
        try:
            async with asyncio.timeout(seconds):
                async for news in stream:
                    if isinstance(news, RefusedThere):
                        raise RefusalError(news.status, news.message)
                    if not isinstance(news, str):
                        yield news
                        return
                    again += news
                    if not (again.startswith(told) or told.startswith(again)):
                        raise RefusalError(503, "a machine went away in the middle of the answer")
                    if len(again) > len(told):
                        yield again[len(told) :]
                        told = again
        except TimeoutError as error:
            raise RefusalError(504, "the answer took too long and was given up") from error
        finally:
            stream.cancel()

    def close(self) -> None:
        """Leave the replicas to other fronts (docs/scaling.md says how they are ended)."""
