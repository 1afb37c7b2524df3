"""What dynamic batching is worth: the same requests one at a time and together, by turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from unipose.app.examples import EXAMPLES, example_pose
from unipose.app.options import ConversationModelOptions
from unipose.app.pose_actions import HeldPose
from unipose.app.server.answering import ServedModels
from unipose.app.server.asks import (
    Ask,
    ChatAsk,
    Choosing,
    CompareAsk,
    DescribeAsk,
    EditAsk,
    GenerateAsk,
)
from unipose.app.server.model_sources import ModelSources
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings

ROUNDS = 2
QUESTIONS = ("is the left knee bent?", "which hand is higher?", "how far apart are the feet?")


def measure_batching(requests: int, rows: int) -> dict[str, float]:
    """Return throughputs with one row at a time and with up to `rows`, and their ratio.

    Mixed tasks, all there at once. `batching_ratio` is by the clock, `batching_ratio_cpu` by the
    time of the processor, which nobody else on the machine changes.
    """
    models = ConversationModelOptions(eyes="own")
    served = ModelSources(models).load(ServerSettings(), ServerMetrics())
    asks = mixed_asks(requests)
    try:
        _time(served, asks[:5], rows)
        measured = [(_time(served, asks, 1), _time(served, asks, rows)) for _ in range(ROUNDS)]
    finally:
        served.close()
    return {
        "batching_ratio": statistics.median(one[0] / many[0] for one, many in measured),
        "batching_ratio_cpu": statistics.median(one[1] / many[1] for one, many in measured),
        "one_at_a_time_per_s": requests / min(one[0] for one, _ in measured),
        "batched_per_s": requests / min(many[0] for _, many in measured),
        "one_at_a_time_per_cpu_s": requests / min(one[1] for one, _ in measured),
        "batched_per_cpu_s": requests / min(many[1] for _, many in measured),
    }


def mixed_asks(count: int) -> list[Ask]:
    """Return asks of all tasks by turns."""
    poses = [example_pose(name) for name in EXAMPLES]
    found: list[Ask] = []
    for number in range(count):
        pose, other = (poses[(number + step) % len(poses)] for step in (0, 1))
        choosing = Choosing(seed=number)
        match number % 5:
            case 0:
                found.append(DescribeAsk(pose=pose))
            case 1:
                found.append(CompareAsk(before=pose, after=other))
            case 2:
                found.append(GenerateAsk(text=f"A person squats, {number} times."))
            case 3:
                found.append(EditAsk(pose=pose, text="Raise the left arm."))
            case _:
                shown = HeldPose(pose=pose, origin="the request")
                said = QUESTIONS[number // 5 % len(QUESTIONS)]
                found.append(ChatAsk(said=said, shown=(shown,), choosing=choosing))
    return found


def _time(served: ServedModels, asks: Sequence[Ask], rows: int) -> tuple[float, float]:
    """Return seconds by the clock and of the processor for all asks."""
    served.pose_worker.most_rows = served.speaker_worker.most_rows = rows
    clock, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(asks)) as pool:
        for _ in pool.map(lambda ask: served.answer(ask, lambda _: None, Event()), asks):
            pass
    return time.perf_counter() - clock, time.process_time() - processor
