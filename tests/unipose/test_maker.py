"""Poses are made and changed by a model of their own, where the one that is asked has such."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny_model import tiny_plain_assistant
from unipose.app.server.pose_rows import BatchedAssistant, PoseEngine, QueuedPoseRow
from unipose.app.server.row_worker import RowWorker
from unipose.assistant import UniPose
from unipose.assistant.request_texts import as_sentence
from unipose.body.pose import Pose
from unipose.errors import FileNote, MissingFileError, PoseQueryError
from unipose.language.decoding import Answer, Decoding
from unipose.language.templates import Task

TEXT = "both knees are bent."
UNCHECKED = Decoding(guess=True, checked=False)
"""Weights by chance answer with a pose only if nothing else is looked at."""


def model_with(maker: UniPose) -> UniPose:
    """Return a model that has another one make its poses."""
    asked = tiny_plain_assistant(expert=True)
    asked.load_maker = lambda: (maker.model, maker.vocabulary)
    return asked


def some_pose() -> Pose:
    turns = 0.3 * torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(0))
    return Pose.from_axis_angle(turns, betas=torch.full((1, 10), 0.5))


def made_by(assistant: UniPose) -> torch.Tensor:
    return assistant.generate_batch([TEXT], decoding=UNCHECKED).rotations


def changed_by(assistant: UniPose) -> Pose:
    return assistant.edit_batch(some_pose(), [TEXT], decoding=UNCHECKED)


def test_who_makes_poses_also_changes_them_and_words_stay_with_who_was_asked():
    maker, alone = tiny_plain_assistant(1, expert=True), tiny_plain_assistant(expert=True)
    asked = model_with(maker)
    assert torch.equal(made_by(asked), made_by(maker))
    assert not torch.equal(made_by(asked), made_by(alone))
    changed = changed_by(asked)
    assert torch.equal(changed.rotations, changed_by(maker).rotations)
    assert torch.equal(changed.betas, some_pose().betas)
    assert asked.describe(some_pose()) == alone.describe(some_pose())
    assert maker.maker is maker


def test_the_server_asks_who_makes_poses():
    maker = tiny_plain_assistant(1, expert=True)
    worker = RowWorker(PoseEngine(model_with(maker)))
    rows = [
        QueuedPoseRow(task=Task.GENERATE, text=as_sentence(TEXT), decoding=UNCHECKED),
        QueuedPoseRow(
            task=Task.EDIT, poses=(some_pose(),), text=as_sentence(TEXT), decoding=UNCHECKED
        ),
    ]
    try:
        said = [list(worker.submit(row).listen())[-1] for row in rows]
    finally:
        worker.close()
    for answer, wanted in zip(said, (made_by(maker), changed_by(maker).rotations), strict=True):
        assert isinstance(answer, Answer)
        made = maker.pose(answer.poses[0][None]).rotations
        assert torch.equal(made[:, :22], wanted[:, :22])


def test_a_task_that_was_not_taught_is_refused_by_the_server_as_well():
    asked = tiny_plain_assistant(expert=True)
    asked.model.config.tasks = [Task.DESCRIBE]
    worker = RowWorker(PoseEngine(asked))
    served = BatchedAssistant(assistant=asked, worker=worker)
    try:
        for refused in (
            lambda: served.compare(some_pose(), some_pose()),
            lambda: served.generate(TEXT),
            lambda: served.edit(some_pose(), TEXT),
            lambda: asked.compare(some_pose(), some_pose()),
            lambda: asked.generate(TEXT),
        ):
            with pytest.raises(PoseQueryError, match="has learned describe, and not to"):
                refused()
    finally:
        worker.close()


def test_without_the_base_the_model_makes_poses_itself_and_says_so():
    def missing() -> tuple:
        raise MissingFileError("SmolLM2", "it is not installed.")

    asked = tiny_plain_assistant(expert=True)
    asked.load_maker = missing
    with pytest.warns(FileNote, match=r"makes poses here.*make setup"):
        assert asked.maker is asked
    assert torch.equal(made_by(asked), made_by(tiny_plain_assistant(expert=True)))
