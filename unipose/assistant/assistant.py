"""The `UniPose` class: everything one can ask the model, with plain inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unipose.assistant.loading import (
    SMOL,
    load_models,
    load_writer,
    model_folder,
    name_of_model,
    usable_device,
)
from unipose.assistant.model_answers import edited_like
from unipose.assistant.motion_labeller import MotionLabeller
from unipose.assistant.picture_reading import Box, Eyes, Photo, PictureReading, side_by_side
from unipose.assistant.pose_answer import PoseAnswer, answer_about
from unipose.assistant.request_texts import as_sentence, checked_request
from unipose.body.pose import Pose
from unipose.errors import BlindModelError, MissingFileError, PoseQueryError
from unipose.files.notes import add_note
from unipose.language.answers import Pair, plain, read_contacts, read_label
from unipose.language.call_loop import Speaker
from unipose.language.decoding import Decoding
from unipose.language.grammar import OneOf, contact_table
from unipose.language.model import PoseLanguageModel
from unipose.language.pictures import Picture
from unipose.language.rendering import Part
from unipose.language.templates import (
    FIXED,
    Task,
    ask,
    body_in,
    evenly,
    list_of,
    motion_in,
    question_about,
)
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.shown_pose import show_pose
from unipose.posecodes.touching import touching_regions

MOMENTS = 3
"""Poses of a motion that the language model is shown when it labels one, as in training."""
MOST_PICTURES = 8
"""Pictures of a motion that are looked at, evenly spread over it."""
PICTURE_REACH_M = 0.04
"""Skin of an estimated pose that is nearer touches: the best F1 on validation."""
LONGEST_TABLE = 600
"""Text tokens of a table of contacts."""


class UniPose(PictureReading):
    """A pose language model ready to be asked.

    Poses are read and written by their joints' rotations: shape and place in the world are not
    part of what the model sees. An edited pose keeps the shape and place of its source; a pose
    that is read off a picture has those that the eyes' mesh recovery head saw, if there is one.
    """

    load_maker: Callable[[], tuple[PoseLanguageModel, Vocabulary]] | None = None
    """Loads who makes and changes poses in this model's place."""

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | str | None = None,
        base_as_stored: bool = False,
        eyes: Eyes = "auto",
    ) -> UniPose:
        """Load a model that `save_pretrained` wrote, or one that comes along: "mini", "smol".

        Without a folder unipose-mini sees, describes and compares, and unipose-smol makes and
        changes poses (see `maker`).

        `eyes` are those that poses are read off pictures with: "photo" are networks that know
        photographs (`make setup` brings them), "own" the model's, which know what they were trained
        on; "auto" asks both where they are there, and believes whose body agrees better with the
        keypoints.

        `dtype` (float32, bfloat16, float16) is that of its weights (None: float32, or bfloat16 for
        the layers of a base beneath it); codes are always turned into rotations in float32. With
        `base_as_stored`, as training needs it, only the layers of a base that was brought are of
        the type in which it was brought, all else is in float32.

        Raises MissingFileError if there is no model, WeightsError if its files do not fit,
        ConfigError for a device that is not there or a `dtype` that is none of the three.
        """
        place, by_default = usable_device(device), folder is None
        folder = model_folder(folder)
        model, vocabulary, writer = load_models(folder, dtype=dtype, base_as_stored=base_as_stored)
        assistant = cls(model, vocabulary, eyes=eyes, writer=writer, name=name_of_model(folder))
        if by_default:
            assistant.load_maker = lambda: load_writer(SMOL, dtype)
        # a base in 4 or 8 bits lies where it was read to
        return assistant if place == model.device else assistant.to(place)

    def to(self, device: str | torch.device) -> UniPose:
        """Move the model; questions and answers stay on the CPU."""
        for model in {self.model, self.writer}:
            model.to(device)  # type: ignore[arg-type]
        if "maker" in self.__dict__ and self.maker is not self:
            self.maker.to(device)
        return self

    @cached_property
    def maker(self) -> UniPose:
        """Who makes and changes poses: this model, or unipose-smol beside the embedded default.

        unipose-smol knows whole postures by their names, unipose-mini does not; it is loaded when
        first needed. Where its base is not installed (`make setup` brings it) it is this model.
        """
        if self.load_maker is None:
            return self
        try:
            model, vocabulary = self.load_maker()
        except MissingFileError:
            add_note(
                None,
                f"{self.name} makes poses here, which knows fewer of them than "
                f"{name_of_model(SMOL)}; `make setup` brings what that one needs",
            )
            return self
        return UniPose(model, vocabulary, name=name_of_model(SMOL)).to(self.model.device)

    def describe(
        self,
        shown: Pose | Photo,
        *,
        box: Box | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        """Return what the model says about one pose, or about the pose of a person in a picture.

        `on_text` is called with each piece of text. Raises BlindModelError for a picture if the
        model has no eyes.
        """
        if not isinstance(shown, Pose):
            person = self._read_off(shown, box)
            shown = shown if person is None or person.pose is None else person.pose
        if isinstance(shown, Pose):
            question = self._describe_question(shown)
        else:
            question = ask(FIXED[Task.IMAGE_TO_TEXT], image=self._picture(shown, box))
        return self._texts([question], on_text=on_text)[0]

    def compare(
        self, a: Pose | Photo, b: Pose | Photo, *, on_text: Callable[[str], None] | None = None
    ) -> str:
        """Return in words what changes from `a` to `b`: poses, or people in pictures.

        Raises BlindModelError for pictures if the model has no eyes.
        """
        if not isinstance(a, Pose) and not isinstance(b, Pose) and self.photo_eyes is None:
            first, second = self._picture(a, None), self._picture(b, None)  # both seen at once
            question = ask(FIXED[Task.IMAGE_DIFF], first=first, second=second)
            return self._texts([question], on_text=on_text)[0]
        before, after = (one if isinstance(one, Pose) else self.estimate(one) for one in (a, b))
        return self._texts([self._compare_question(before, after)], on_text=on_text)[0]

    def contacts(
        self,
        shown: Pose | Photo,
        *,
        people: int = 1,
        box: Box | None = None,
        measured: bool = True,
        seed: int | None = None,
        temperature: float = 0.7,
    ) -> list[Pair]:
        """Return which body parts touch: a person's own, or with `people` = 2 those of two people.

        The names are `unipose.body.regions.REGIONS`. What one person touches is measured on the
        body's mesh, the nearest pair first: within REACH_M in a pose, within PICTURE_REACH_M in the
        pose that `estimate` sees in a picture. Raises as `estimate`.

        Without `measured`, and of two people always (how far one is behind the other does not show
        in a picture), the language model says it, a guess hardly better than chance: the likeliest
        table, or with a seed one drawn at `temperature`; of two people the one further left comes
        first. Raises AnswerParseError if the table comes to no end, BlindModelError without eyes.
        """
        if measured and people == 1:
            if seed is not None:
                raise PoseQueryError("what is measured has no seed; measured=False draws an answer")
            return self._measured_contacts(shown, box)
        self.must_have_learned(Task.CONTACTS)
        if isinstance(shown, Pose):
            part = self._codes_of_one(shown)
        else:
            part = self._picture(shown, box, whole=people == 2)
        question = ask(FIXED[Task.CONTACTS], seen=body_in(part, people=people))
        table = contact_table(people, self.vocabulary)
        decoding = Decoding(
            max_tokens=LONGEST_TABLE,
            grammar=table,
            temperature=0.0 if seed is None else temperature,
        )
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        said = self._texts([question], decoding, generator)[0]
        return read_contacts(said, people=people)

    def _measured_contacts(self, shown: Pose | Photo, box: Box | None) -> list[Pair]:
        if isinstance(shown, Pose):
            found = touching_regions(show_pose(shown))
        else:
            found = touching_regions(show_pose(self.estimate(shown, box=box)), PICTURE_REACH_M)
        return sorted(found, key=lambda pair: found[pair])

    def label(
        self,
        shown: Pose | Photo | Sequence[Photo],
        actions: Sequence[str],
        *,
        measured: bool = True,
    ) -> str:
        """Return which of the actions a motion is, shown as poses or as pictures in order.

        It is the one whose name is nearest to the motion in the motion-text space that comes along;
        of pictures, to the poses that `estimate` sees in at most MOST_PICTURES of them. That space
        learned from 25 minutes of recordings; docs/limits.md says how often it is right.
        Raises as `estimate`, and MissingFileError if the base that reads the names is not installed
        (`make setup`).

        Without `measured` the language model says one of them, shown a few moments; unipose-mini
        does so by chance. Raises AnswerParseError for a name too long to be said (200 tokens).
        """
        names = [checked_request(action) for action in actions]
        if len({plain(name) for name in names} - {""}) < max(2, len(names)):
            raise PoseQueryError(f"expected at least two different actions, got {names}")
        motion: Pose | list[Photo]
        if isinstance(shown, Pose):
            motion = shown
        elif isinstance(shown, str | Path | np.ndarray | Picture):
            motion = [shown]
        else:
            motion = list(shown)
        if not len(motion):
            raise PoseQueryError("expected at least one pose or picture of a motion, got none")
        if not measured:
            return self._said_label(motion, names)
        if not isinstance(motion, Pose):
            motion = side_by_side([self.estimate(one) for one in evenly(motion, MOST_PICTURES)])
        return self.motion_labeller.nearest(motion, names)

    def _said_label(self, motion: Pose | list[Photo], names: list[str]) -> str:
        self.must_have_learned(Task.MOTION_LABEL)
        parts: list[Tensor] | list[Picture]
        if isinstance(motion, Pose):
            moments = evenly(range(len(motion)), MOMENTS)
            parts = list(self.codes(motion[torch.tensor(moments)]))
        elif not self.model.pictures:
            raise BlindModelError()
        else:
            parts = [self._picture(one, None) for one in evenly(motion, self.model.pictures)]
        question = ask(FIXED[Task.MOTION_LABEL], seen=motion_in(parts), actions=list_of(names))
        decoding = Decoding(grammar=OneOf(names, self.vocabulary))
        return read_label(self._texts([question], decoding)[0], names)

    @cached_property
    def motion_labeller(self) -> MotionLabeller:
        """Who names actions, loaded when the first is asked for; raises as its `load`."""
        return MotionLabeller.load()

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
        if seed is not None and not -(2**63) <= seed < 2**63:
            raise PoseQueryError(f"expected a seed of at most 64 bits, got {seed}")
        drawn = seed is not None or samples > 1
        decoding = Decoding(temperature=temperature if drawn else 0.0)
        generator = torch.Generator().manual_seed(seed or 0) if drawn else None
        question = self.maker._generate_question(text)
        return self.maker._poses([question] * samples, decoding, generator)

    def likeliest(self, text: str) -> Pose:
        """Return the likeliest pose that `text` describes; raises as `generate`."""
        return self.generate(text)

    def edit(self, pose: Pose, text: str) -> Pose:
        """Return one pose changed as `text` says; shape and place are those of `pose`."""
        maker = self.maker
        edited = maker._poses([maker._edit_question(pose, text)], Decoding(), None)
        return edited_like(edited, pose)

    def describe_batch(self, shown: Pose | Sequence[Photo]) -> list[str]:
        """Return a description of each pose of a batch, or of the person in each picture."""
        if isinstance(shown, Pose):
            return self._texts([self._describe_question(shown[i]) for i in range(len(shown))])
        if self.photo_eyes is not None:
            return [self.describe(image) for image in shown]
        pictures = [self._picture(image, None) for image in shown]
        return self._texts([ask(FIXED[Task.IMAGE_TO_TEXT], image=image) for image in pictures])

    def compare_batch(self, a: Pose, b: Pose) -> list[str]:
        """Return what changes from each pose of `a` to the one beside it in `b`."""
        return self._texts([self._compare_question(a[i], b[i]) for i in range(len(a))])

    def generate_batch(self, texts: Sequence[str], *, decoding: Decoding | None = None) -> Pose:
        """Return the likeliest pose of each text, or what `decoding` asks for."""
        maker = self.maker
        questions = [maker._generate_question(text) for text in texts]
        return maker._poses(questions, decoding or Decoding(), None)

    def edit_batch(
        self, poses: Pose, texts: Sequence[str], *, decoding: Decoding | None = None
    ) -> Pose:
        """Return each pose of a batch changed as the text beside it says."""
        maker = self.maker
        pairs = [maker._edit_question(poses[i], text) for i, text in enumerate(texts)]
        return edited_like(maker._poses(pairs, decoding or Decoding(), None), poses)

    def answer_from_codes(self, question: str, pose: Pose) -> str:
        """Return what the model itself says to a question about one pose, read as codes.

        Nothing is measured and nothing is called, as `answer` does. Raises PoseQueryError for an
        empty or overlong question.
        """
        codes = self._codes_of_one(pose)
        return self._texts([question_about(codes, checked_request(question))])[0]

    def answer_from_codes_batch(self, questions: Sequence[str], poses: Pose) -> list[str]:
        """Return what the model says to each question about the pose beside it."""
        asked = zip(self.codes(poses), questions, strict=True)
        return self._texts([question_about(pose, checked_request(text)) for pose, text in asked])

    @cached_property
    def speaker(self) -> Speaker:
        """The language model that understands questions, loaded when it is first needed.

        Raises MissingFileError, which says how to get it, if its base is not installed.
        """
        from unipose.language.conversation_model import ConversationModel  # a second to import

        return ConversationModel.load(device=self.model.device)

    def answer(
        self, question: str, *shown: Pose | Photo, on_text: Callable[[str], None] | None = None
    ) -> str:
        """Return a short answer to a question about one or two poses, or people in photos.

        What can be measured is measured; "when" looks through a pose of several frames with a rate.
        See `answer_fully`, which also gives the measurement.
        """
        return self.answer_fully(question, *shown, on_text=on_text).text

    def answer_fully(
        self, question: str, *shown: Pose | Photo, on_text: Callable[[str], None] | None = None
    ) -> PoseAnswer:
        """Return the answer to a question with the calls that were made and what they came to.

        A recording is looked at in its first pose, unless the question is when something happens.
        Raises PoseQueryError for an empty question and for more than two poses; for a question that
        cannot be answered about them it says why; BlindModelError for a photo without eyes.
        """
        question = checked_request(question)
        if not 1 <= len(shown) <= 2:
            raise PoseQueryError(f"a question is about one or two poses, got {len(shown)}")
        poses = [one if isinstance(one, Pose) else self.estimate(one) for one in shown]
        photos = {i for i, one in enumerate(shown, start=1) if not isinstance(one, Pose)}
        return answer_about(question, poses, self, self.speaker, photos=photos, on_text=on_text)

    def _describe_question(self, pose: Pose) -> list[Part]:
        self.must_have_learned(Task.DESCRIBE)
        return ask(FIXED[Task.DESCRIBE], pose=self._codes_of_one(pose))

    def _compare_question(self, a: Pose, b: Pose) -> list[Part]:
        self.must_have_learned(Task.COMPARE)
        first, second = self._codes_of_one(a), self._codes_of_one(b)
        return ask(FIXED[Task.COMPARE], first=first, second=second)

    def _generate_question(self, text: str) -> list[Part]:
        self.must_have_learned(Task.GENERATE)
        return ask(FIXED[Task.GENERATE], text=as_sentence(text))

    def _edit_question(self, pose: Pose, text: str) -> list[Part]:
        self.must_have_learned(Task.EDIT)
        return ask(FIXED[Task.EDIT], pose=self._codes_of_one(pose), text=as_sentence(text))
