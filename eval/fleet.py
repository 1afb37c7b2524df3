"""How many replicas a number of requests needs: queues simulated from measured throughputs.

Run as `python -m eval.fleet --per-s 50 --one-per-s 0.89 --batched-per-s 4.19`. The two throughputs
of one replica (one row at a time, and full batches; `eval.serving` measures both) say what a step
costs: a part for the model's weights, which all rows share, and a part for each row. Requests come
by chance and go to the replica that has the fewest.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from eval.program import print_result, print_table, run
from unipose.errors import ConfigError

STEPS = 20
"""Of one request; more only makes the simulation finer."""
WARM = 0.1
"""Share of requests, from the first, that is left out: the queue is still filling."""
MOST_REPLICAS = 4096


@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """Options of eval.fleet."""

    per_s: float
    """Requests that come in a second."""
    one_per_s: float
    """Requests a second of one replica, one row at a time."""
    batched_per_s: float
    """Requests a second of one replica, full batches."""
    rows: int = 16
    """Rows of a full batch."""
    p99_s: float = 2.0
    """How long 99 of 100 requests may take, waiting included."""
    burst: float = 1.0
    """Requests that come together; 1: each by itself."""
    requests: int = 20_000
    """How many are simulated."""
    memory_mb: float = 0.0
    """Of one replica, for the sum."""
    seed: int = 0
    """Start value of when requests come."""
    json: bool = False
    """Print one JSON object as the last line."""

    def __post_init__(self) -> None:
        if min(self.per_s, self.one_per_s, self.batched_per_s, self.p99_s) <= 0:
            raise ConfigError("expected rates and seconds above 0")
        if self.rows < 1 or self.requests < 100 or self.burst < 1:
            raise ConfigError("expected a row, 100 requests and a burst of 1, or more of each")
        if not self.one_per_s <= self.batched_per_s <= self.rows * self.one_per_s:
            raise ConfigError(
                f"batches of {self.rows} are between 1 and {self.rows} times as fast as one at a "
                f"time; got {self.one_per_s} and {self.batched_per_s}"
            )


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Seconds of one step of a batch: `shared` + `row` x rows; a request takes `steps` of them."""

    shared: float
    row: float
    steps: int = STEPS

    @classmethod
    def of(cls, one_per_s: float, batched_per_s: float, rows: int) -> StepCost:
        """Return what two measured throughputs come to."""
        alone, full = 1 / one_per_s, rows / batched_per_s
        if rows == 1:
            return cls(shared=alone / STEPS, row=0.0)
        row = (full - alone) / (rows - 1)
        return cls(shared=(alone - row) / STEPS, row=row / STEPS)

    def seconds(self, rows: int) -> float:
        """Return how long a step of so many rows takes."""
        return self.shared + self.row * rows


@dataclass
class _SimulatedReplica:
    waiting: deque[float] = field(default_factory=deque)
    """When each came."""
    running: list[list[float]] = field(default_factory=list)
    """[when it came, steps that are left]."""

    @property
    def requests(self) -> int:
        return len(self.waiting) + len(self.running)


def simulate(
    arrivals: np.ndarray, replicas: int, cost: StepCost, *, rows: int
) -> tuple[np.ndarray, float]:
    """Return how long each request takes (seconds, as they end), and the share of busy time.

    `arrivals`: when requests come, ascending. Rows join a replica's batch at its next step.
    """
    fleet = [_SimulatedReplica() for _ in range(replicas)]
    steps: list[tuple[float, int]] = []  # (end of a step, replica)
    took: list[float] = []
    busy, place = 0.0, 0

    def begin_step(number: int, now: float) -> float:
        replica = fleet[number]
        while replica.waiting and len(replica.running) < rows:
            replica.running.append([replica.waiting.popleft(), cost.steps])
        if not replica.running:
            return 0.0
        seconds = cost.seconds(len(replica.running))
        heapq.heappush(steps, (now + seconds, number))
        return seconds

    now = 0.0
    while place < len(arrivals) or steps:
        if place < len(arrivals) and (not steps or arrivals[place] <= steps[0][0]):
            now = float(arrivals[place])
            number = min(range(replicas), key=lambda i: fleet[i].requests)
            idle = fleet[number].requests == 0
            fleet[number].waiting.append(now)
            place += 1
            if idle:
                busy += begin_step(number, now)
            continue
        now, number = heapq.heappop(steps)
        replica = fleet[number]
        for request in replica.running:
            request[1] -= 1
        took += [now - came for came, left in replica.running if left == 0]
        replica.running = [request for request in replica.running if request[1]]
        busy += begin_step(number, now)
    return np.array(took), busy / (replicas * (now - float(arrivals[0])))


def draw_arrivals(per_s: float, count: int, *, burst: float, seed: int) -> np.ndarray:
    """Return when requests come (seconds): groups of `burst` on the average, by chance."""
    draws = np.random.default_rng(seed)
    sizes = draws.geometric(1 / burst, count)
    times = draws.exponential(burst / per_s, count).cumsum()
    return np.repeat(times, sizes)[:count]


def fewest_replicas(options: FleetOptions) -> tuple[int, np.ndarray, float]:
    """Return the fewest replicas that keep the 99th percentile, times, and the share of busy time.

    Raises ConfigError if even one request alone takes too long.
    """
    cost = StepCost.of(options.one_per_s, options.batched_per_s, options.rows)
    alone = cost.seconds(1) * cost.steps
    if alone > options.p99_s:
        raise ConfigError(
            f"one request alone takes {alone:.2f} s; {options.p99_s:g} s need a faster machine"
        )
    arrivals = draw_arrivals(
        options.per_s, options.requests, burst=options.burst, seed=options.seed
    )

    def tried(replicas: int) -> tuple[np.ndarray, float]:
        took, busy = simulate(arrivals, replicas, cost, rows=options.rows)
        return took[int(WARM * len(took)) :], busy

    def enough(replicas: int) -> bool:
        return float(np.quantile(tried(replicas)[0], 0.99)) <= options.p99_s

    most = 1
    while not enough(most):
        most *= 2
        if most > MOST_REPLICAS:
            raise ConfigError(f"{MOST_REPLICAS} replicas are not enough")
    least = most // 2 + 1 if most > 1 else 1
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle + 1, most)
    return most, *tried(most)


def main(options: FleetOptions) -> None:
    """Find the fewest replicas for a number of requests."""
    replicas, took, busy = fewest_replicas(options)
    result: dict[str, object] = {
        "replicas": replicas,
        "p50_s": float(np.quantile(took, 0.5)),
        "p99_s": float(np.quantile(took, 0.99)),
        "busy": busy,
        "memory_gb": replicas * options.memory_mb / 1000,
    }
    rows = [(name, value) for name, value in result.items() if isinstance(value, int | float)]
    print_table(f"Replicas for {options.per_s:g} requests a second", ["", "value"], rows)
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, FleetOptions)
