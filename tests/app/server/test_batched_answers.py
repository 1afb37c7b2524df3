"""Many distinct requests at once: each gets what it gets alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from tests.fakes.served import tiny_served
from unipose.app.pose_actions import HeldPose
from unipose.app.server.answering import EnoughSaidError, ServedModels, TokenBudget
from unipose.app.server.asks import (
    Answered,
    Ask,
    ChatAsk,
    Choosing,
    CompareAsk,
    DescribeAsk,
    EarlierTurn,
    EditAsk,
    GenerateAsk,
)
from unipose.app.server.row_worker import WorkCancelledError
from unipose.app.server.settings import ServerSettings
from unipose.body.pose import Pose
from unipose.errors import PoseParseError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served() -> Iterator[ServedModels]:
    served = tiny_served(ServerSettings(gather_s=0.05))
    yield served
    served.close()


def _pose(number: int) -> Pose:
    generator = torch.Generator().manual_seed(number)
    return Pose.from_axis_angle(
        0.3 * torch.randn(1, 24, 3, generator=generator),
        betas=torch.full((1, 10), number / 100),
    )


def _asks() -> list[Ask]:
    found: list[Ask] = []
    for number in range(8):
        pose, drawn = _pose(number), Choosing(temperature=1.0, seed=number, most_tokens=12)
        likeliest = Choosing(most_tokens=12)
        held = HeldPose(pose=pose, origin="a test")
        found += [
            DescribeAsk(pose=pose, choosing=likeliest),
            DescribeAsk(pose=pose, choosing=drawn),
            CompareAsk(before=pose, after=_pose(number + 50), choosing=drawn),
            GenerateAsk(text=f"a person, number {number}", choosing=drawn),
            EditAsk(pose=pose, text=f"edit number {number}", choosing=likeliest),
            ChatAsk(said=f"is knee {number} bent?", shown=(held,), choosing=drawn),
        ]
    return found


def _answer(served: ServedModels, ask: Ask) -> tuple:
    try:
        found = served.answer(ask, lambda _: None, Event())
    except PoseParseError as error:  # weights by chance may write no pose
        return ("no pose", str(error))
    return _plain(found)


def _plain(found: Answered) -> tuple:
    poses = tuple((p.rotations.numpy().round(4).tobytes(), str(p.betas)) for p in found.poses)
    return found.text, found.calls, poses, found.answer_tokens, found.cut


def test_answers_of_many_distinct_requests_are_those_that_each_gets_alone(served: ServedModels):
    asks = _asks()
    served.pose_worker.most_rows = served.speaker_worker.most_rows = 1
    alone = [_answer(served, ask) for ask in asks]
    served.pose_worker.most_rows = served.speaker_worker.most_rows = 16
    with ThreadPoolExecutor(len(asks)) as pool:
        together = list(pool.map(lambda ask: _answer(served, ask), asks))
    assert together == alone
    assert len(set(alone)) > 10, "they can be told apart"
    assert 'unipose_batch_rows_bucket{le="1.0",model="pose"}' in served.metrics.text().decode()


def test_what_is_streamed_is_what_was_answered(served: ServedModels):
    pieces: list[str] = []
    found = served.answer(DescribeAsk(pose=_pose(1)), pieces.append, Event())
    assert "".join(pieces) == found.text


def test_an_answer_ends_at_its_most_tokens(served: ServedModels):
    short = served.answer(
        DescribeAsk(pose=_pose(1), choosing=Choosing(most_tokens=3)), lambda _: None, Event()
    )
    assert (short.answer_tokens, short.cut) == (3, True)
    asked = ChatAsk(said="is the knee bent?", choosing=Choosing(temperature=2.0, most_tokens=3))
    said = served.answer(asked, lambda _: None, Event())
    assert said.answer_tokens <= 3


def test_work_that_is_cancelled_ends_at_once(served: ServedModels):
    cancelled, failed = Event(), []

    def work() -> None:
        asked = DescribeAsk(pose=_pose(1), choosing=Choosing(most_tokens=100_000))
        try:
            served.answer(asked, lambda _: cancelled.set(), cancelled)
        except WorkCancelledError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    end = time.monotonic() + 10
    while served.pose_worker.engine.running() and time.monotonic() < end:
        time.sleep(0.01)
    assert not served.pose_worker.engine.running()


def test_a_conversation_is_read_again_with_its_poses(served: ServedModels):
    turn = EarlierTurn(
        shown=(HeldPose(pose=_pose(1), origin="a test"),), said="is the knee bent?", answer="No.",
        made=(HeldPose(pose=_pose(2), origin="an answer"),),
    )  # fmt: skip
    alone = served.answer(ChatAsk(said="and the other?"), lambda _: None, Event())
    longer = served.answer(ChatAsk(said="and the other?", earlier=(turn,)), lambda _: None, Event())
    assert longer.prompt_tokens > alone.prompt_tokens


def test_a_budget_cuts_between_tokens():
    told: list[str] = []
    budget = TokenBudget(
        encode=lambda text: [ord(c) for c in text], decode=lambda ids: "".join(map(chr, ids)),
        most=5, on_text=told.append,
    )  # fmt: skip
    budget("abc")
    with pytest.raises(EnoughSaidError):
        budget("defgh")
    assert (budget.text, budget.tokens, told) == ("abcde", 5, ["abc", "de"])
