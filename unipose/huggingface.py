"""Hugging Face's manners: the model, its processor and a pipeline under the names used there.

    processor = UniPoseProcessor.from_pretrained(folder)
    model = UniPoseForConditionalGeneration.from_pretrained(folder)
    inputs = processor("Describe the pose <pose>.", poses=pose)
    said = model.generate(**inputs)
    processor.batch_decode(said), processor.poses(said)

Nothing is done here that is not done elsewhere: a question is rendered by `language.rendering`,
answered by `language.decoding`, taught by `language.losses`; a pipeline asks `UniPose`. Importing
this file registers the classes with AutoModel, AutoModelForImageTextToText and AutoProcessor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    AutoProcessor,
    BatchFeature,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)
from transformers.modeling_outputs import CausalLMOutput

from tokenizer.codec import PoseTokenizer
from unipose.assistant import UniPose
from unipose.assistant.loading import MODELS, read_vocabulary, refuse_misfits
from unipose.body.pose import Pose
from unipose.errors import ConfigError, MissingFileError, PoseQueryError, WeightsError
from unipose.language.attention import seen_places
from unipose.language.concepts import ConceptPoseModel
from unipose.language.config import ConceptConfig, PoseLanguageConfig
from unipose.language.decoding import Decoding, answer_batch
from unipose.language.losses import batch_losses
from unipose.language.model import PoseLanguageModel
from unipose.language.named_inputs import batch_of, inputs_of
from unipose.language.over_base import is_over_base
from unipose.language.pictures import Picture
from unipose.language.rendering import Part, collate, render_question, render_sample
from unipose.language.vocabulary import Vocabulary

PROCESSOR_FILE = "processor_config.json"
_MARK = re.compile(r"<(pose|image)>")

Poses = Pose | Float[Tensor, "pose joint 3 3"] | Int[Tensor, "pose code"]
"""Poses in the order in which the texts mention them: as `Pose`, rotations of 22 or 24 joints, or
codes."""


class UniPoseForConditionalGeneration(PoseLanguageModel):
    """A pose language model that is asked and taught with what `UniPoseProcessor` makes.

    `from_pretrained` returns the kind that config.json names (this class, or
    `UniPoseConceptsForConditionalGeneration`, which is one of these, too); it loads in float32
    unless told another `dtype`.
    """

    vocabulary: Vocabulary | None = None
    """Whose ids it speaks; read from the folder of the weights."""

    @classmethod
    def from_pretrained(cls, name: Any, *arguments: Any, **options: Any) -> Any:
        """Load weights, configuration and vocabulary that lie in one folder.

        Raises WeightsError if they do not fit together, or if it is a model without its base,
        which `UniPose.load` reads.
        """
        if is_over_base(Path(name)):
            raise WeightsError(
                name, "holds adapters without the base beneath them.", "UniPose.load reads it."
            )
        config = options.setdefault("config", AutoConfig.from_pretrained(name))
        kind = KINDS.get(type(config))
        if kind is None:
            raise WeightsError(name, f"is a model of type {config.model_type!r}.")
        if cls is not kind:
            return kind.from_pretrained(name, *arguments, **options)
        options.setdefault("dtype", torch.float32)
        wants_report = options.pop("output_loading_info", False)
        model, report = super().from_pretrained(
            name, *arguments, output_loading_info=True, **options
        )
        refuse_misfits(name, report)
        model.vocabulary = read_vocabulary(name, model)
        model.eval()
        return (model, report) if wants_report else model

    def save_pretrained(self, save_directory: Any, **options: Any) -> None:  # type: ignore[override]
        """Write weights, configuration and text tokenizer into one folder."""
        super().save_pretrained(save_directory, **options)
        self._known_vocabulary().text.save_pretrained(save_directory)

    def forward(self, **inputs: Any) -> CausalLMOutput:
        """Return the loss of rows with `labels`, or logits of rows without.

        The loss is the cross entropy of words and of codes, over the whole vocabulary, as in
        UniPose. Logits (row, place, token) are over text; their last column is the start of a pose.
        """
        batch = batch_of(inputs).to(self.device)
        if "labels" in inputs:
            losses = batch_losses(self, batch)
            return CausalLMOutput(loss=losses.text + losses.codes)  # type: ignore[arg-type]
        seen, positions = seen_places(batch, read_both_ways=self.config.read_both_ways)
        hidden, _ = self.hidden_states(batch, seen, positions)
        logits = self.text_logits(hidden.flatten(0, 1)).unflatten(0, hidden.shape[:2])
        return CausalLMOutput(logits=logits)  # type: ignore[arg-type]

    def generate(
        self,
        *,
        max_new_tokens: int = 200,
        do_sample: bool = False,
        temperature: float = 0.7,
        seed: int = 0,
        **inputs: Any,
    ) -> Int[Tensor, "row place"]:
        """Return the answers alone, without their questions, as ids filled up on the right.

        A pose is its codes between pose start and pose end: `UniPoseProcessor.poses` reads them,
        `batch_decode` the words. All codes of a pose are written in one forward pass and count as
        one token. With `do_sample` answers are drawn at `temperature` from `seed`.
        """
        vocabulary = self._known_vocabulary()
        decoding = Decoding(
            max_tokens=max_new_tokens, temperature=temperature if do_sample else 0.0
        )
        generator = torch.Generator().manual_seed(seed) if do_sample else None
        answers, _ = answer_batch(self, vocabulary, batch_of(inputs), decoding, generator=generator)
        rows = [torch.tensor(said.sequence(vocabulary), dtype=torch.long) for said in answers]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=vocabulary.pad)

    def _known_vocabulary(self) -> Vocabulary:
        if self.vocabulary is None:
            raise ConfigError(
                "the model has no vocabulary; from_pretrained reads it, or set model.vocabulary to "
                "that of its processor"
            )
        return self.vocabulary


class UniPoseConceptsForConditionalGeneration(  # type: ignore[override]
    UniPoseForConditionalGeneration, ConceptPoseModel
):
    """The same of a model with a table of claims, such as unipose-mini."""

    config_class = ConceptConfig
    config: ConceptConfig  # type: ignore[assignment]


KINDS: dict[type, type[UniPoseForConditionalGeneration]] = {
    PoseLanguageConfig: UniPoseForConditionalGeneration,
    ConceptConfig: UniPoseConceptsForConditionalGeneration,
}
"""By the configurations that folders hold."""


class UniPoseProcessor(ProcessorMixin):
    """Texts, poses and pictures become what the model takes; its answers texts and poses again.

    It holds the text tokenizer and the pose tokenizer (`codec`). `patches`, `pictures`,
    `pose_places`, `system` and `pose_tail` are those of `Vocabulary`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        codec: PoseTokenizer,
        *,
        patches: int = 0,
        pictures: int = 2,
        pose_places: int = 0,
        system: str = "",
        pose_tail: str = "",
    ) -> None:
        super().__init__(tokenizer)
        self.codec = codec
        self.vocabulary = Vocabulary(
            text=tokenizer, codes=codec.config.codes, length=codec.config.length,
            patches=patches, pictures=pictures, pose_places=pose_places, system=system,
            pose_tail=pose_tail,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._numbers()})"

    @classmethod
    def from_pretrained(cls, name: Any, **options: Any) -> UniPoseProcessor:  # type: ignore[override]
        """Read what `save_pretrained` wrote, or the parts of it that lie in a model's folder.

        Raises MissingFileError if there is neither, WeightsError if the files do not fit together.
        """
        folder = Path(name)
        if not folder.is_dir():
            hub = {key: options[key] for key in ("revision", "token") if key in options}
            folder = Path(snapshot_download(str(name), **hub))
        if (folder / PROCESSOR_FILE).is_file():
            numbers = json.loads((folder / PROCESSOR_FILE).read_text(encoding="utf-8"))
            numbers.pop("processor_class", None)
            codec = PoseTokenizer.from_pretrained(folder)
            read = Vocabulary.from_pretrained(
                folder, codes=codec.config.codes, length=codec.config.length, **numbers
            )
            return cls(read.text, codec, **numbers)
        return cls._of_model(folder)

    @classmethod
    def _of_model(cls, folder: Path) -> UniPoseProcessor:
        if not (folder / "config.json").is_file():
            raise MissingFileError(
                folder, "there is no processor here.", f"Expected {PROCESSOR_FILE} or config.json."
            )
        config = AutoConfig.from_pretrained(folder)
        kind = MODELS.get(type(config))
        if kind is None or not config.codec:
            raise WeightsError(folder, f"holds no pose tokenizer ({config.model_type!r}).")
        with torch.device("meta"):  # its codec alone is made in memory
            model = kind(config)  # type: ignore[arg-type]
        weights: dict[str, Tensor] = {}
        try:
            for file in sorted(folder.glob("*.safetensors")):
                with safe_open(file, framework="pt") as opened:
                    names = [one for one in opened.keys() if one.startswith("codec.")]  # noqa: SIM118
                    weights |= {one[6:]: opened.get_tensor(one) for one in names}
            model.codec.load_state_dict(weights)
        except (RuntimeError, SafetensorError) as error:
            raise WeightsError(folder, f"its pose tokenizer cannot be read: {error}.") from error
        words = read_vocabulary(folder, model)
        return cls(
            words.text, model.codec, patches=words.patches, pictures=words.pictures,
            pose_places=words.pose_places, system=words.system, pose_tail=words.pose_tail,
        )  # fmt: skip

    def save_pretrained(self, save_directory: Any, **_: Any) -> None:  # type: ignore[override]
        """Write text tokenizer, pose tokenizer and numbers into one folder."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.text.save_pretrained(folder)
        self.codec.save_pretrained(folder)
        numbers = {"processor_class": type(self).__name__, **self._numbers()}
        (folder / PROCESSOR_FILE).write_text(json.dumps(numbers, indent=2) + "\n")

    def __call__(  # type: ignore[override]
        self,
        text: str | Sequence[str],
        *,
        poses: Poses | None = None,
        images: Picture | Sequence[Picture] = (),
        answers: Sequence[str | Pose] | None = None,
    ) -> BatchFeature:
        """Return one row for each text, as `UniPoseForConditionalGeneration` takes them.

        `<pose>` and `<image>` in the texts stand for the poses and images, in their order. An image
        is what `model.look(pixels)` saw of it: what eyes guess of a pose is part of the row. With
        `answers` (words, or one pose each) the rows hold them and `labels`, for training.

        processor(["Describe the pose <pose>.", "Compare <pose> with <pose>."], poses=three_poses)

        Raises PoseQueryError if there are other numbers of poses, images or answers than the texts
        mention.
        """
        texts = [text] if isinstance(text, str) else list(text)
        given: dict[str, list[Any]] = {
            "pose": [] if poses is None else list(self.codes(poses)),
            "image": [images] if isinstance(images, Picture) else list(images),
        }
        pieces = [_MARK.split(one) for one in texts]
        for kind, things in given.items():
            mentioned = sum(some[1::2].count(kind) for some in pieces)
            if mentioned != len(things):
                raise PoseQueryError(
                    f"the texts mention <{kind}> {mentioned} times, {len(things)} were given"
                )
        if answers is not None and len(answers) != len(texts):
            raise PoseQueryError(f"{len(texts)} texts need as many answers, got {len(answers)}")
        rest = {kind: iter(things) for kind, things in given.items()}
        questions: list[list[Part]] = [
            [next(rest[piece]) if i % 2 else piece for i, piece in enumerate(some) if piece]
            for some in pieces
        ]
        if answers is None:
            rows = [render_question(question, self.vocabulary) for question in questions]
        else:
            said = [one if isinstance(one, str) else self.codes(one)[0] for one in answers]
            pairs = zip(questions, said, strict=True)
            rows = [render_sample(question, one, self.vocabulary) for question, one in pairs]
        batch = collate(rows, pad=self.vocabulary.pad, left=answers is None)
        return BatchFeature(inputs_of(batch, labelled=answers is not None))

    @torch.no_grad()
    def codes(self, poses: Poses) -> Int[Tensor, "pose code"]:
        """Return the codes of poses that are given in any way."""
        if isinstance(poses, Tensor):
            if not poses.is_floating_point():
                return poses.cpu()
            poses = Pose.from_rotations(poses)
        return self.codec.encode(poses.sixd.float().cpu())

    def decode(self, ids: Int[Tensor, " place"] | Sequence[int], **_: Any) -> str:
        """Return the words of one answer."""
        return self.vocabulary.decode([int(one) for one in ids])

    def batch_decode(
        self, sequences: Int[Tensor, "row place"] | Sequence[Sequence[int]], **_: Any
    ) -> list[str]:
        """Return the words of each answer."""
        return [self.decode(ids) for ids in sequences]

    @torch.no_grad()
    def poses(self, sequences: Int[Tensor, "row place"]) -> list[Pose]:
        """Return the poses of each answer, as one batch; an answer in words alone has none."""
        length, codes = self.vocabulary.length, self.vocabulary.codes
        found = []
        for ids in sequences.cpu():
            written = ids - self.vocabulary.first_code
            written = written[(written >= 0) & (written < codes)].view(-1, length)
            found.append(Pose.from_rotations(self.codec.rotations(written)))
        return found

    def _numbers(self) -> dict[str, Any]:
        names = ("patches", "pictures", "pose_places", "system", "pose_tail")
        return {name: getattr(self.vocabulary, name) for name in names}


TASKS = {
    "pose-to-text": "describe",
    "text-to-pose": "generate",
    "pose-edit": "edit",
    "pose-comparison": "compare",
    "image-to-pose": "estimate",
    "image-to-text": "describe",
    "pose-question-answering": "answer",
}
"""What a pipeline can be asked for, and the method of `UniPose` that does it."""


class PosePipeline:
    """One task of a model, called like a function; lists give lists."""

    def __init__(self, task: str, model: UniPose) -> None:
        if task not in TASKS:
            raise PoseQueryError(f"expected one of {', '.join(TASKS)}, got {task!r}")
        self.task, self.model = task, model

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Return what the task's method says to its inputs, or to each of lists of inputs."""
        method = getattr(self.model, TASKS[self.task])
        if inputs and all(isinstance(one, list | tuple) for one in inputs):
            return [method(*one, **options) for one in zip(*inputs, strict=True)]
        return method(*inputs, **options)


def pipeline(task: str, model: UniPose | str | Path | None = None, **options: Any) -> PosePipeline:
    """Return a pipeline for one of `TASKS`; `model` and `options` are those of `UniPose.load`.

    pipeline("text-to-pose")("someone squats", seed=7) is a Pose. Raises PoseQueryError for another
    task, and what `UniPose.load` does.
    """
    if task not in TASKS:
        raise PoseQueryError(f"expected one of {', '.join(TASKS)}, got {task!r}")
    return PosePipeline(
        task, model if isinstance(model, UniPose) else UniPose.load(model, **options)
    )


for config_class, model_class in KINDS.items():
    AutoModel.register(config_class, model_class)
    AutoModelForImageTextToText.register(config_class, model_class)
    AutoProcessor.register(config_class, UniPoseProcessor)
