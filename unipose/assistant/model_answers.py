"""Questions of texts, codes and pictures, put to a model; answers as texts and poses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from tokenizer.rotations import rotations_from_6d
from unipose.body.pose import Pose
from unipose.errors import PoseParseError, PoseQueryError
from unipose.files.weights_mark import network_mark
from unipose.language.decoding import Answer, Decoding, answer
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import Part
from unipose.language.templates import Task
from unipose.language.vocabulary import Vocabulary

ROWS = 32
"""Questions that are answered side by side."""


class ModelAnswers:
    """A pose language model and its vocabulary, ready to be asked.

    `writer` is who writes poses, where other adapters do that than those that read them; `name` is
    what the model is called.
    """

    def __init__(
        self,
        model: PoseLanguageModel,
        vocabulary: Vocabulary,
        *,
        writer: PoseLanguageModel | None = None,
        name: str = "",
    ) -> None:
        self.name = name
        self.model = model.eval()
        self.writer = self.model if writer is None else writer.eval()
        self.vocabulary = vocabulary
        self.passes = 0
        """Forward passes of the last answer."""

    @property
    def mark(self) -> str:
        """A mark of the weights of `model`: one that was trained on, or cast, has another."""
        return network_mark(self.model)

    def codes(self, pose: Pose) -> Int[Tensor, "batch code"]:
        """Return the codes that stand for poses."""
        return self.model.codec.encode(pose.sixd.float().to(self.model.device)).cpu()

    def pose(self, codes: Int[Tensor, "batch code"]) -> Pose:
        """Return the poses that codes stand for."""
        rotations = rotations_from_6d(self.model.codec.decode(codes.to(self.model.device)))
        return Pose.from_rotations(rotations.cpu())

    def ask(self, parts: Sequence[str | Pose], decoding: Decoding | None = None) -> Answer:
        """Answer any question made of texts and poses; the answer holds text ids and codes."""
        question = [p if isinstance(p, str) else self._codes_of_one(p) for p in parts]
        return self._answers([question], decoding or Decoding(), None)[0]

    def must_have_learned(self, task: Task) -> None:
        """Raise PoseQueryError for a task that the model was never taught."""
        known = self.model.config.tasks
        if known and task not in known:
            raise PoseQueryError(
                f"this model has learned {', '.join(known)}, and not to {task}; the "
                "embedded unipose-mini has: leave --model out"
            )

    def _codes_of_one(self, pose: Pose) -> Int[Tensor, " code"]:
        if len(pose) != 1:
            raise PoseQueryError(
                f"expected one pose, got {len(pose)}; pick one with pose[i] or pose.at(seconds)"
            )
        return self.codes(pose)[0]

    def _answers(
        self,
        questions: Sequence[Sequence[Part]],
        decoding: Decoding,
        generator: torch.Generator | None,
        on_text: Callable[[str], None] | None = None,
        *,
        model: PoseLanguageModel | None = None,
    ) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(questions), ROWS):
            some, self.passes = answer(
                model or self.model,
                self.vocabulary,
                questions[start : start + ROWS],
                decoding,
                generator=generator,
                on_text=on_text,
            )
            answers += some
        return answers

    def _texts(
        self,
        questions: list[list[Part]],
        decoding: Decoding | None = None,
        generator: torch.Generator | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> list[str]:
        answers = self._answers(questions, decoding or Decoding(), generator, on_text)
        return [self.vocabulary.decode(said.ids) for said in answers]

    def _poses(
        self, questions: list[list[Part]], decoding: Decoding, generator: torch.Generator | None
    ) -> Pose:
        guessing = replace(decoding, guess=True)
        answers = self._answers(questions, guessing, generator, model=self.writer)
        return self.pose(torch.stack([one_pose(said, self.vocabulary) for said in answers]))


def one_pose(said: Answer, vocabulary: Vocabulary) -> Int[Tensor, " code"]:
    """Return the codes of the one pose of an answer. Raises PoseParseError if there is not one."""
    if len(said.poses) != 1:
        words = vocabulary.decode(said.ids)
        raise PoseParseError(
            f"expected one pose, the model answered with {len(said.poses)} poses and the "
            f"words {words[:80]!r}; say it in other words"
        )
    return said.poses[0]


def edited_like(edited: Pose, source: Pose) -> Pose:
    """Return the edited pose with everything of the source that the model does not see."""
    rotations = torch.cat([edited.rotations[:, :22], source.rotations[:, 22:].float()], dim=1)
    return Pose(
        rotations=rotations, betas=source.betas, translation=source.translation, body=source.body
    )
