"""The `UniPose` class: everything one can ask the model, with plain inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int, UInt8
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig

from tokenizer.rotations import rotations_from_6d
from unipose.body.body import Body, load_body
from unipose.body.people import PersonInImage
from unipose.body.pose import Pose
from unipose.errors import (
    BlindModelError,
    ConfigError,
    MissingFileError,
    PoseParseError,
    PoseQueryError,
    WeightsError,
)
from unipose.files.notes import add_note
from unipose.files.photo import open_photo
from unipose.language.answers import Pair, plain, read_contacts, read_label
from unipose.language.call_loop import SYSTEM, CallMade, CallResult, Speaker, Turn, take_turn
from unipose.language.chat_rendering import Message
from unipose.language.concepts import ConceptPoseModel
from unipose.language.config import ConceptConfig, PoseLanguageConfig
from unipose.language.decoding import Answer, Decoding, answer
from unipose.language.grammar import OneOf, contact_table
from unipose.language.model import FLOAT32, PoseLanguageModel
from unipose.language.over_base import WRITING, is_over_base, load_over_base
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
from unipose.posecodes.calls import QUESTIONS, Call
from unipose.posecodes.finding import Finding
from unipose.posecodes.held_poses import HeldPoses, state_line
from unipose.posecodes.questions import answer_call, show_film, show_pose
from unipose.posecodes.sureness import UNSURE, hangs_on_eyes
from unipose.vision.landmark_estimator import LandmarkEstimator

MINI = Path(__file__).parent / "weights" / "mini"
"""The embedded default model."""

MODELS: dict[type, type[PoseLanguageModel]] = {
    PoseLanguageConfig: PoseLanguageModel, ConceptConfig: ConceptPoseModel,
}  # fmt: skip
"""By the configurations that their folders hold."""

LONGEST_TEXT = 2000
"""Characters of one request; far more than any pose needs."""
ANSWERED = (*QUESTIONS, "describe", "compare")
"""Verbs of calls that answer a question; the others change something."""
ROWS = 32
"""Questions that are answered side by side."""
MOMENTS = 3
"""Poses of a motion that are shown when its label is asked for, as in training."""
LONGEST_TABLE = 600
"""Text tokens of a table of contacts."""
Eyes = Literal["auto", "photo", "own"]
OWN_EYES_AGREE = 0.7
"""Object keypoint similarity from which the model's own eyes are believed (`eyes` "auto"): from
there on two sets of keypoints count as one person's. On renders of the studio they are believed for
three people in four, and are the better ones (validation)."""
DETECTOR = "unipose"
"""Who estimated a person, for those who compare several estimators."""


@dataclass(frozen=True, kw_only=True)
class PoseAnswer:
    """An answer to a question about poses, and where it comes from."""

    text: str
    finding: Finding | None = None
    """What was measured last; None where nothing had to be."""
    calls: tuple[CallMade, ...] = ()
    sure: bool = True
    """False if a pose was read off a picture and the answer hangs on less than this is off by."""


Photo = str | Path | UInt8[np.ndarray, "_ _ 3"] | Picture
"""A picture: a file (.jpg, .png, .bmp ...), its pixels (RGB), or what `model.look` made of it."""
Box = Sequence[float | int]
"""Who is meant in a picture: left, top, right, bottom (pixels). Without one, whom the eyes find in
its middle square (those with a mesh recovery head), or that square."""


class UniPose:
    """A pose language model ready to be asked.

    Poses are read and written by their joints' rotations: shape and place in the world are not
    part of what the model sees. An edited pose keeps the shape and place of its source; a pose
    that is read off a picture has those that the eyes' mesh recovery head saw, if there is one.
    """

    def __init__(
        self,
        model: PoseLanguageModel,
        vocabulary: Vocabulary,
        *,
        eyes: Eyes = "own",
        writer: PoseLanguageModel | None = None,
    ) -> None:
        """`writer` is who writes poses, where other adapters do that than those that read them."""
        self.model = model.eval()
        self.writer = self.model if writer is None else writer.eval()
        self.vocabulary = vocabulary
        self.eyes: Eyes = eyes
        self.passes = 0
        """Forward passes of the last answer."""

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
        """Load a model that `save_pretrained` wrote; without a folder the embedded unipose-mini.

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
        place = _usable_device(device)
        folder = MINI if folder is None else Path(folder)
        usual = torch.bfloat16 if is_over_base(folder) else torch.float32
        number = usual if dtype is None else _number_type(dtype)
        if not (folder / "config.json").is_file():
            raise MissingFileError(
                folder, "there is no model here.", "Expected config.json and model.safetensors."
            )
        if is_over_base(folder):
            writer, adapters = None, folder / WRITING
            if adapters.is_dir():
                writer = load_over_base(folder, adapters=adapters, dtype=number)[0]
            assistant = cls(*load_over_base(folder, dtype=number), eyes=eyes, writer=writer)
            return assistant if place.type == "cpu" else assistant.to(place)
        try:
            options: dict[str, Any] = {}
            brought = AutoConfig.from_pretrained(folder)
            kind = MODELS.get(type(brought))
            if kind is None:
                raise WeightsError(
                    folder, f"is a model of type {brought.model_type!r}.",
                    "Expected one that a training program of unipose wrote.",
                )  # fmt: skip
            if base_as_stored:
                if brought.lora:
                    number = _number_type(str(brought.llm.get("dtype") or "float32"))
                options["in_float32"] = (*FLOAT32, *kind.learning)
            model, report = kind.from_pretrained(
                folder, dtype=number, output_loading_info=True, **options
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise WeightsError(
                folder, f"the model cannot be loaded: {_first_line(error)}.", "Is it complete?"
            ) from error
        refuse_misfits(folder, report)
        vocabulary = read_vocabulary(folder, model)
        assistant = cls(model, vocabulary, eyes=eyes)
        # a base in 4 or 8 bits lies where it was read to
        return assistant if place == model.device else assistant.to(place)

    def to(self, device: str | torch.device) -> UniPose:
        """Move the model; questions and answers stay on the CPU."""
        for model in {self.model, self.writer}:
            model.to(device)  # type: ignore[arg-type]
        return self

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

    def estimate(self, image: Photo, *, box: Box | None = None, who: str | None = None) -> Pose:
        """Return the pose of a person in a picture: that of `estimate_person`."""
        pose = self.estimate_person(image, box=box, who=who).pose
        assert pose is not None
        return pose

    def estimate_person(
        self,
        image: Photo,
        *,
        box: Box | None = None,
        who: str | None = None,
        focal_px: float | int | None = None,
    ) -> PersonInImage:
        """Return a person in a picture as whoever looks at it sees them: box, pose and camera.

        The world's axes are x to the right of the picture, y up, z towards the viewer: somebody who
        faces the camera faces the front. `who` says in words who is meant ("the person on the
        left"); then the whole picture is looked at.

        Eyes with a mesh recovery head also say the shape (`pose.betas`) and the place
        (`pose.translation`, metres) before the camera, which stands at the origin and looks along
        -z; `camera` projects the posed body onto the picture. How far away somebody is shows only
        with the camera's focal length: without `focal_px` (pixels) HMR's long lens is assumed, tens
        of metres away (`RecoveredMeshes.in_picture`). Other eyes leave these three None, and so do
        all where somebody is meant in words, whom the head was not told about.

        Raises BlindModelError if the model has no eyes, FileError for a file that is no picture,
        PoseQueryError for a bad box, a box and words, or a focal length where no place is told;
        PoseParseError if no pose is answered.
        """
        if who is not None and box is not None:
            raise PoseQueryError("say who is meant with a box or with words, not with both")
        if who is None and (person := self._read_off(image, box, focal_px)) is not None:
            return person
        picture = self._picture(image, box, whole=who is not None)
        if who is None:
            question = ask(FIXED[Task.ESTIMATE], image=picture)
        else:
            question = ask(FIXED[Task.REASON], image=picture, who=_request(who))
            picture = replace(picture, meshes=None, box=None)
        if focal_px is not None and picture.meshes is None:
            raise PoseQueryError(
                "where somebody is cannot be told here, with a focal length or without: that takes "
                "eyes with a mesh recovery head, and a box instead of words"
            )
        focal_px = None if focal_px is None else float(focal_px)
        return self._people([picture], [question], focal_px)[0]

    def estimate_people(self, image: Photo, boxes: Sequence[Box]) -> Pose:
        """Return the pose in each box of one picture, as `estimate` does of one.

        `unipose.vision.detector` finds the boxes. Raises PoseQueryError if there is none.
        """
        if not boxes:
            raise PoseQueryError("nobody was found in the picture; say where they are with a box")
        if self.photo_eyes is None:
            pictures = [self._picture(image, box) for box in boxes]
            questions = [ask(FIXED[Task.ESTIMATE], image=picture) for picture in pictures]
            people = self._people(pictures, questions, None)
        else:
            people = [self.estimate_person(image, box=box) for box in boxes]
        return _side_by_side([person.pose for person in people if person.pose is not None])

    def contacts(
        self,
        shown: Pose | Photo,
        *,
        people: int = 1,
        box: Box | None = None,
        seed: int | None = None,
        temperature: float = 0.7,
    ) -> list[Pair]:
        """Return which body parts touch: a person's own, or with `people` = 2 those of two people.

        The names are `unipose.body.regions.REGIONS`; of two people the one further left comes
        first. The model says nothing but such a table, the likeliest one, or with a seed one drawn
        at `temperature`; AnswerParseError if it comes to no end. Raises BlindModelError and
        PoseQueryError as `estimate`.
        """
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

    def label(self, shown: Pose | Photo | Sequence[Photo], actions: Sequence[str]) -> str:
        """Return which of the actions a motion is, shown as poses or as pictures in order.

        Of a long motion a few moments are looked at, evenly spread over it. The model says nothing
        but one of the actions. Raises BlindModelError and PoseQueryError as `estimate`,
        AnswerParseError for a name too long to be said (200 tokens).
        """
        names = [_request(action) for action in actions]
        if len({plain(name) for name in names} - {""}) < max(2, len(names)):
            raise PoseQueryError(f"expected at least two different actions, got {names}")
        parts: list[Tensor] | list[Picture]
        if isinstance(shown, Pose):
            moments = evenly(range(len(shown)), MOMENTS)
            parts = list(self.codes(shown[torch.tensor(moments)]))
        elif not self.model.pictures:
            raise BlindModelError()
        else:
            alone = isinstance(shown, str | Path | np.ndarray | Picture)
            pictures = [shown] if alone else evenly(shown, self.model.pictures)
            parts = [self._picture(one, None) for one in pictures]
        question = ask(FIXED[Task.MOTION_LABEL], seen=motion_in(parts), actions=list_of(names))
        decoding = Decoding(grammar=OneOf(names, self.vocabulary))
        return read_label(self._texts([question], decoding)[0], names)

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
        return edited_like(edited, pose)

    def describe_batch(self, shown: Pose | Sequence[Photo]) -> list[str]:
        """Return a description of each pose of a batch, or of the person in each picture."""
        if isinstance(shown, Pose):
            return self._texts([self._describe_question(shown[i]) for i in range(len(shown))])
        pictures = [self._picture(image, None) for image in shown]
        return self._texts([ask(FIXED[Task.IMAGE_TO_TEXT], image=image) for image in pictures])

    def compare_batch(self, a: Pose, b: Pose) -> list[str]:
        """Return what changes from each pose of `a` to the one beside it in `b`."""
        return self._texts([self._compare_question(a[i], b[i]) for i in range(len(a))])

    def generate_batch(self, texts: Sequence[str], *, decoding: Decoding | None = None) -> Pose:
        """Return the likeliest pose of each text, or what `decoding` asks for."""
        questions = [self._generate_question(text) for text in texts]
        return self._poses(questions, decoding or Decoding(), None)

    def edit_batch(
        self, poses: Pose, texts: Sequence[str], *, decoding: Decoding | None = None
    ) -> Pose:
        """Return each pose of a batch changed as the text beside it says."""
        pairs = [self._edit_question(poses[i], text) for i, text in enumerate(texts)]
        return edited_like(self._poses(pairs, decoding or Decoding(), None), poses)

    def answer_from_codes(self, question: str, pose: Pose) -> str:
        """Return what the model itself says to a question about one pose, read as codes.

        Nothing is measured and nothing is called, as `answer` does. Raises PoseQueryError for an
        empty or overlong question.
        """
        codes = self._codes_of_one(pose)
        return self._texts([question_about(codes, _request(question))])[0]

    def answer_from_codes_batch(self, questions: Sequence[str], poses: Pose) -> list[str]:
        """Return what the model says to each question about the pose beside it."""
        codes = self.codes(poses)
        return self._texts(
            [
                question_about(pose, _request(question))
                for pose, question in zip(codes, questions, strict=True)
            ]
        )

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
        question = _request(question)
        if not 1 <= len(shown) <= 2:
            raise PoseQueryError(f"a question is about one or two poses, got {len(shown)}")
        poses = [one if isinstance(one, Pose) else self.estimate(one) for one in shown]
        held = HeldPoses[Pose]()
        for pose in poses:
            held.hold(pose)
        photos = {i for i, one in enumerate(shown, start=1) if not isinstance(one, Pose)}
        unsure = False

        def run(call: Call) -> CallResult:
            nonlocal unsure
            numbers = held.numbers_of(call.verb, call.poses)
            asked = [held[number][0] for number in numbers]
            if call.verb in ("describe", "compare"):
                text = self.describe(*asked) if len(asked) == 1 else self.compare(*asked)
                return CallResult(model_text="shown", user_text=text)
            film = show_film(held[1]) if call.verb == "when" and len(held[1]) > 1 else None
            found = answer_call(call, [show_pose(pose) for pose in asked], film=film)
            unsure |= bool(photos & {*numbers}) and hangs_on_eyes(found)
            return CallResult(model_text=found.fact, finding=found)

        messages = [Message.of("system", SYSTEM), Message.of("tool", state_line(held))]
        turn = Turn()
        take_turn(
            self.speaker, [*messages, Message.of("user", question)], run, turn,
            verbs=ANSWERED, on_text=on_text,
        )  # fmt: skip
        shown_texts = [made.result.user_text for made in turn.calls if made.result.user_text]
        text = "\n".join([*shown_texts, turn.words]).strip()
        findings = [made.result.finding for made in turn.calls if made.result.finding]
        return PoseAnswer(
            text=f"{text} {UNSURE}" if unsure else text,
            finding=findings[-1] if findings else None,
            calls=tuple(turn.calls),
            sure=not unsure,
        )

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

    def _describe_question(self, pose: Pose) -> list[Part]:
        return ask(FIXED[Task.DESCRIBE], pose=self._codes_of_one(pose))

    def _compare_question(self, a: Pose, b: Pose) -> list[Part]:
        first, second = self._codes_of_one(a), self._codes_of_one(b)
        return ask(FIXED[Task.COMPARE], first=first, second=second)

    def _generate_question(self, text: str) -> list[Part]:
        return ask(FIXED[Task.GENERATE], text=as_sentence(text))

    def _edit_question(self, pose: Pose, text: str) -> list[Part]:
        return ask(FIXED[Task.EDIT], pose=self._codes_of_one(pose), text=as_sentence(text))

    def _picture(self, image: Photo, box: Box | None, *, whole: bool = False) -> Picture:
        """Return a picture as a part of a question: what is in the box, or all of it if `whole`."""
        if self.model.eyes is None:
            raise BlindModelError()
        if isinstance(image, Picture):
            return image
        shown = torch.from_numpy(np.array(_pixels(image, box)))
        if box is None and not whole:
            box = self.model.eyes.find(shown)
        return self.model.look(shown, None if box is None else _edges(box))

    def _read_off(
        self, image: Photo, box: Box | None, focal_px: float | int | None = None
    ) -> PersonInImage | None:
        """Return a person in a picture; None without eyes for photographs.

        Without a box it is who takes up most of the picture, as far as the detector is sure. With
        `eyes` "auto" the model's own eyes say the pose if their body agrees with the keypoints.
        Raises PoseQueryError if nobody is found.
        """
        if self.photo_eyes is None or isinstance(image, Picture):
            return None
        pixels = _pixels(image, box)
        boxes = None if box is None else [_edges(box)]
        focal = None if focal_px is None else float(focal_px)
        people = self.photo_eyes.people(pixels, boxes, focal_px=focal)
        if not people:
            raise PoseQueryError("nobody was found in the picture; a box says where somebody is")
        person = max(people, key=lambda one: one.confidence * _area(one.box))
        own = self._agreeing(pixels, person) if self.eyes == "auto" else None
        if own is None:
            return person
        return self._people([own], [ask(FIXED[Task.ESTIMATE], image=own)], focal)[0]

    def _agreeing(self, pixels: np.ndarray, person: PersonInImage) -> Picture | None:
        """Return what the model's eyes see of a person if it agrees with the keypoints."""
        assert self.photo_eyes is not None and person.keypoints is not None  # noqa: PT018
        if self.model.eyes is None:
            return None
        picture = self._picture(pixels, person.box)
        if picture.meshes is None or picture.crops is None:
            return None
        alike = self.photo_eyes.agreement(picture.meshes, picture.crops, person.keypoints)
        return picture if float(alike) >= OWN_EYES_AGREE else None

    def _people(
        self, pictures: list[Picture], questions: list[list[Part]], focal_px: float | None
    ) -> list[PersonInImage]:
        """Return the person in each picture, in the pose that is answered to its question."""
        poses = self._poses(questions, Decoding(), None)
        people = []
        for i, picture in enumerate(pictures):
            if picture.meshes is None or picture.crops is None or picture.size_px is None:
                people.append(PersonInImage(box=picture.box, pose=poses[i], detector=DETECTOR))
                continue
            boxes = None if picture.box is None else [picture.box]
            people += picture.meshes.posed_as(poses[i]).people(
                picture.crops, picture.size_px, boxes=boxes, focal_px=focal_px, body=self._body,
                detector=DETECTOR,
            )  # fmt: skip
        return people

    @cached_property
    def photo_eyes(self) -> LandmarkEstimator | None:
        """The eyes for photographs; None if they are not wanted, or not there and not asked for.

        Raises MissingFileError that says how to get them if they alone are asked for.
        """
        if self.eyes == "own":
            return None
        try:
            return LandmarkEstimator()
        except (MissingFileError, WeightsError) as error:
            if self.eyes == "photo":
                raise
            if isinstance(error, WeightsError):
                add_note(error.path, f"the model's own eyes are asked instead: {error.problem}")
            return None

    @cached_property
    def _body(self) -> Body:
        return load_body()

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


def refuse_misfits(name: str | Path, report: Mapping[str, Any]) -> None:
    """Raise WeightsError if Hugging Face's report of a loading names weights that do not fit."""
    wrong = [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]
    if wrong:
        raise WeightsError(
            name, f"{len(wrong)} weights do not fit config.json, the first is {wrong[0]!r}."
        )


def read_vocabulary(name: str | Path, model: PoseLanguageModel) -> Vocabulary:
    """Return the vocabulary that lies beside a model's weights.

    Raises WeightsError if its text tokenizer is not the one that the model was made for.
    """
    vocabulary = Vocabulary.from_pretrained(
        name, codes=model.codes, length=model.length,
        patches=model.patches, pictures=model.pictures,
        pose_places=model.config.pose_places, system=model.config.system,
        pose_tail=model.config.pose_tail,
    )  # fmt: skip
    if vocabulary.first_code != model.first_code:
        raise WeightsError(
            name,
            f"the text tokenizer has {vocabulary.first_code} tokens, the model was made for "
            f"{model.first_code}.",
        )
    return vocabulary


def _pixels(image: str | Path | np.ndarray, box: Box | None) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return a picture's pixels; PoseQueryError for what is none, or a box that is not in it."""
    pixels = image if isinstance(image, np.ndarray) else open_photo(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise PoseQueryError(
            "expected the pixels of a picture as bytes (height, width, 3), got "
            f"{pixels.dtype} {pixels.shape}"
        )
    if box is not None:
        height, width = pixels.shape[:2]
        edges = [float(edge) for edge in box]
        inside = len(edges) == 4 and edges[0] < width and edges[1] < height
        if not (inside and 0 < edges[2] > edges[0] and 0 < edges[3] > edges[1]):
            raise PoseQueryError(
                f"expected a box (left, top, right, bottom) in a picture of {width} x {height} "
                f"pixels, got {edges}"
            )
    return pixels


def _edges(box: Box) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right, bottom


def _area(box: Box | None) -> float:
    return 0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1])


def _side_by_side(poses: list[Pose]) -> Pose:
    """Return poses of which the same is known as one batch."""
    betas = [pose.betas for pose in poses if pose.betas is not None]
    places = [pose.translation for pose in poses if pose.translation is not None]
    return replace(
        poses[0],
        rotations=torch.cat([pose.rotations for pose in poses]),
        betas=torch.cat(betas) if betas else None,
        translation=torch.cat(places) if places else None,
    )


def edited_like(edited: Pose, source: Pose) -> Pose:
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


def as_sentence(text: str) -> str:
    """Return a request as the texts of training are written: people type "raise the left arm"."""
    text = _request(text)
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


NUMBER_TYPES = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}


def _number_type(dtype: torch.dtype | str) -> torch.dtype:
    found = NUMBER_TYPES.get(str(dtype).removeprefix("torch."))
    if found is None:
        raise ConfigError(f"expected a dtype of {', '.join(NUMBER_TYPES)}, got {dtype}")
    return found


def _usable_device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"the device {str(device)!r} cannot be used here ({_first_line(error)}); "
            "cpu always can, cuda and mps where there are such"
        ) from error
    return place


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
