"""The `UniPose` class: everything one can ask the model, with plain inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Int
from safetensors import SafetensorError
from torch import Tensor

from tokenizer.rotations import rotations_from_6d
from unipose.body.pose import Pose
from unipose.errors import MissingFileError, PoseParseError, PoseQueryError, WeightsError
from unipose.language.decoding import Answer, Decoding, answer
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import Part
from unipose.language.templates import FIXED, Task, ask
from unipose.language.vocabulary import Vocabulary

MINI = Path(__file__).parent / "weights" / "mini"
"""The embedded default model."""

LONGEST_TEXT = 2000
"""Characters of one request; far more than any pose needs."""
ROWS = 32
"""Questions that are answered side by side."""


class UniPose:
    """A pose language model ready to be asked.

    Poses are read and written by their joints' rotations: shape and place in the world are not
    part of what the model sees. An edited pose keeps the shape and place of its source.
    """

    def __init__(self, model: PoseLanguageModel, vocabulary: Vocabulary) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary
        self.passes = 0
        """Forward passes of the last answer."""

    @classmethod
    def load(cls, folder: str | Path | None = None) -> UniPose:
        """Load a model that `save_pretrained` wrote; without a folder the embedded unipose-mini.

        Raises MissingFileError if there is no model, WeightsError if its files do not fit.
        """
        folder = MINI if folder is None else Path(folder)
        if not (folder / "config.json").is_file():
            raise MissingFileError(
                folder, "there is no model here.", "Expected config.json and model.safetensors."
            )
        try:
            model, report = PoseLanguageModel.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise WeightsError(
                folder, f"the model cannot be loaded: {_first_line(error)}.", "Is it complete?"
            ) from error
        wrong = [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]
        if wrong:
            raise WeightsError(
                folder, f"{len(wrong)} weights do not fit config.json, the first is {wrong[0]!r}."
            )
        vocabulary = Vocabulary.from_pretrained(
            folder, codes=model.codes, length=model.length,
            patches=model.patches, pictures=model.pictures,
        )  # fmt: skip
        if vocabulary.first_code != model.first_code:
            raise WeightsError(
                folder,
                f"the text tokenizer has {vocabulary.first_code} tokens, the model was made for "
                f"{model.first_code}.",
            )
        return cls(model, vocabulary)

    def describe(self, pose: Pose, *, heard: Callable[[str], None] | None = None) -> str:
        """Return what the model says about one pose; `heard` is called with each piece of text."""
        return self._texts([self._describe_question(pose)], heard=heard)[0]

    def compare(self, a: Pose, b: Pose, *, heard: Callable[[str], None] | None = None) -> str:
        """Return in words what changes from pose `a` to pose `b`."""
        return self._texts([self._compare_question(a, b)], heard=heard)[0]

    def generate(
        self, text: str, *, seed: int | None = None, samples: int = 1, temperature: float = 0.7
    ) -> Pose:
        """Return the pose that `text` describes, facing +z.

        Without a seed and with one sample the answer is the likeliest pose; with a seed, or for
        several samples, poses are drawn at `temperature` (seed 0 unless told otherwise).

        Raises PoseQueryError for an empty or overlong text, PoseParseError if the model answers
        with words instead of a pose.
        """
        if samples < 1:
            raise PoseQueryError(f"at least one sample must be asked for, got {samples}")
        drawn = seed is not None or samples > 1
        decoding = Decoding(temperature=temperature if drawn else 0.0)
        generator = torch.Generator().manual_seed(seed or 0) if drawn else None
        question = self._generate_question(text)
        return self._poses([question] * samples, decoding, generator)

    def edit(self, pose: Pose, text: str) -> Pose:
        """Return one pose changed as `text` says; shape and place are those of `pose`."""
        edited = self._poses([self._edit_question(pose, text)], Decoding(), None)
        return _like(edited, pose)

    def describe_batch(self, poses: Pose) -> list[str]:
        """Return a description of each pose of a batch."""
        return self._texts([self._describe_question(poses[i]) for i in range(len(poses))])

    def compare_batch(self, a: Pose, b: Pose) -> list[str]:
        """Return what changes from each pose of `a` to the one beside it in `b`."""
        return self._texts([self._compare_question(a[i], b[i]) for i in range(len(a))])

    def generate_batch(self, texts: Sequence[str]) -> Pose:
        """Return the likeliest pose of each text."""
        return self._poses([self._generate_question(t) for t in texts], Decoding(), None)

    def edit_batch(self, poses: Pose, texts: Sequence[str]) -> Pose:
        """Return each pose of a batch changed as the text beside it says."""
        pairs = [self._edit_question(poses[i], text) for i, text in enumerate(texts)]
        return _like(self._poses(pairs, Decoding(), None), poses)

    def codes(self, pose: Pose) -> Int[Tensor, "batch code"]:
        """Return the codes that stand for poses."""
        return self.model.codec.encode(pose.sixd.float())

    def pose(self, codes: Int[Tensor, "batch code"]) -> Pose:
        """Return the poses that codes stand for."""
        return Pose.from_rotations(rotations_from_6d(self.model.codec.decode(codes)))

    def ask(self, parts: Sequence[str | Pose], decoding: Decoding | None = None) -> Answer:
        """Answer any question made of texts and poses; the answer holds text ids and codes."""
        question = [p if isinstance(p, str) else self._codes_of_one(p) for p in parts]
        return self._answers([question], decoding or Decoding(), None)[0]

    def _describe_question(self, pose: Pose) -> list[Part]:
        return ask(FIXED[Task.DESCRIBE], pose=self._codes_of_one(pose))

    def _compare_question(self, a: Pose, b: Pose) -> list[Part]:
        first, second = self._codes_of_one(a), self._codes_of_one(b)
        return ask(FIXED[Task.COMPARE], first=first, second=second)

    def _generate_question(self, text: str) -> list[Part]:
        return ask(FIXED[Task.GENERATE], text=_request(text))

    def _edit_question(self, pose: Pose, text: str) -> list[Part]:
        return ask(FIXED[Task.EDIT], pose=self._codes_of_one(pose), text=_request(text))

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
        heard: Callable[[str], None] | None = None,
    ) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(questions), ROWS):
            some, self.passes = answer(
                self.model,
                self.vocabulary,
                questions[start : start + ROWS],
                decoding,
                generator=generator,
                heard=heard,
            )
            answers += some
        return answers

    def _texts(
        self, questions: list[list[Part]], *, heard: Callable[[str], None] | None = None
    ) -> list[str]:
        answers = self._answers(questions, Decoding(), None, heard)
        return [self.vocabulary.decode(said.ids) for said in answers]

    def _poses(
        self, questions: list[list[Part]], decoding: Decoding, generator: torch.Generator | None
    ) -> Pose:
        answers = self._answers(questions, replace(decoding, guess=True), generator)
        for said in answers:
            if len(said.poses) != 1:
                words = self.vocabulary.decode(said.ids)
                raise PoseParseError(
                    f"expected one pose, the model answered with {len(said.poses)} poses and the "
                    f"words {words[:80]!r}; say it in other words"
                )
        return self.pose(torch.stack([said.poses[0] for said in answers]))


def _like(edited: Pose, source: Pose) -> Pose:
    """Return the edited pose with everything of the source that the model does not see."""
    rotations = torch.cat([edited.rotations[:, :22], source.rotations[:, 22:].float()], dim=1)
    return Pose(
        rotations=rotations, betas=source.betas, translation=source.translation, body=source.body
    )


def _request(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise PoseQueryError(
            "an empty request: say what the pose should be or how it should change"
        )
    if len(text) > LONGEST_TEXT:
        raise PoseQueryError(
            f"the request has {len(text)} characters; at most {LONGEST_TEXT} are read"
        )
    return text


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
