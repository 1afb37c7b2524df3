"""The same question several times: what is asked, who may answer, samples kept on disk.

A model that looks at pictures is seldom sure. Asked N times at some temperature it shows how sure
it is: what most samples say counts more than what one says. Whoever needs such answers (touching
body parts, names of actions) makes `ModelQuestion`s and gives them to `sample_all`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from unipose.errors import ConfigError, UniPoseError
from unipose.files.atomic import written_whole
from unipose.files.photo import Pixels
from unipose.priors.chat_models import ChatMessages, Completion, Identity, read_completion

JPEG_QUALITY = 92
"""Of pictures that are sent; endpoints make their own smaller copies anyway."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelQuestion:
    """What is asked, in words and pictures."""

    key: str
    """What reports call it: a picture's name, a film with its frames."""
    instruction: str
    """The system message: how to answer."""
    pictures: tuple[Pixels, ...] = ()
    """RGB, in order."""
    text: str = ""
    """Beside the pictures; may be empty where there are some."""

    def __post_init__(self) -> None:
        if not self.pictures and not self.text.strip():
            raise ConfigError(f"the question {self.key!r} has neither a text nor a picture")

    @cached_property
    def digest(self) -> str:
        """Return a hash of all that is asked; the key is no part of it."""
        found = hashlib.blake2b(digest_size=16)
        for text in (self.instruction, self.text):
            found.update(text.encode() + b"\0")
        for pixels in self.pictures:
            found.update(repr(pixels.shape).encode() + pixels.tobytes())
        return found.hexdigest()

    def messages(self) -> ChatMessages:
        """Return the conversation that an endpoint is sent; pictures are JPEG data URLs."""
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": _data_url(pixels), "detail": "high"}}
            for pixels in self.pictures
        ]
        if self.text:
            parts.append({"type": "text", "text": self.text})
        return [
            {"role": "system", "content": self.instruction},
            {"role": "user", "content": parts},
        ]


@runtime_checkable
class SampledModel(Protocol):
    """Who answers: an endpoint (`priors.endpoint`), or a model in this process."""

    @property
    def name(self) -> str:
        """What reports call the model."""
        ...

    @property
    def identity(self) -> Identity:
        """All that an answer depends on beside the question and the sample's number."""
        ...

    def samples(
        self, question: ModelQuestion, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Completion]]:
        """Give each sample's number and answer; the number is the start value of its chance."""
        ...


@dataclass(frozen=True, kw_only=True)
class InProcessModel:
    """A model of this process: a function from a question and numbers to texts, one for each."""

    name: str
    identity: Identity
    answer: Callable[[ModelQuestion, Sequence[int]], Sequence[str]]

    def samples(
        self, question: ModelQuestion, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Completion]]:
        """Give the texts; one of our own errors (a picture it cannot read) is why there is none."""
        try:
            texts = self.answer(question, numbers)
        except UniPoseError as error:
            yield from ((number, Completion(problem=str(error))) for number in numbers)
            return
        for number, text in zip(numbers, texts, strict=True):
            yield number, Completion(text=text, requests=1)


class CachedSampledModel:
    """A model of which every sample is kept on disk at once, and never asked for twice.

    A sample is a file named by model, question and number, written whole or not at all: a run that
    was stopped goes on where it was, and more samples are asked for without the first ones.
    """

    def __init__(self, model: SampledModel, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.model, self.folder = model, folder

    @property
    def name(self) -> str:
        """The model behind the cache."""
        return self.model.name

    @property
    def identity(self) -> Identity:
        """That of the model behind the cache."""
        return self.model.identity

    def samples(
        self, question: ModelQuestion, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Completion]]:
        """Give the samples on disk first, then those that the model had to be asked for."""
        missing = []
        for number in numbers:
            kept = read_completion(self._path(question, number))
            if kept is None:
                missing.append(number)
            else:
                yield number, kept
        for number, answer in self.model.samples(question, missing) if missing else ():
            if answer.text:
                path = self._path(question, number)
                path.parent.mkdir(exist_ok=True)
                with written_whole(path) as temporary:
                    temporary.write_text(json.dumps(asdict(answer)), encoding="utf-8")
            yield number, answer

    def _path(self, question: ModelQuestion, number: int) -> Path:
        asked = json.dumps([self.identity, question.digest, number], sort_keys=True)
        name = hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name}.json"


@dataclass(frozen=True, kw_only=True)
class SampledAnswer:
    """All samples of one question."""

    key: str
    texts: tuple[str, ...]
    """By number; those that failed are not among them."""
    problems: tuple[str, ...] = ()
    """Why samples failed, one each."""
    requests: int = 0
    """0: all were on disk."""


def sample_all(
    model: SampledModel,
    questions: Sequence[ModelQuestion],
    *,
    count: int = 20,
    first: int = 0,
    workers: int = 1,
) -> Iterator[tuple[int, SampledAnswer]]:
    """Give each question's place and its `count` samples, as they are ready.

    Samples are numbered from `first`. A question that fails has problems and goes by; several
    `workers` ask at the same time (an endpoint's are its own limit). Raises EndpointError if the
    server refuses us or stays broken, after what was answered.
    """
    if count < 1 or workers < 1:
        raise ConfigError(f"expected a sample and a worker or more, got {count} and {workers}")
    numbers = range(first, first + count)
    if workers == 1:
        for place, question in enumerate(questions):
            yield place, _collected(model, question, numbers)
        return
    with ThreadPoolExecutor(workers) as pool:
        places = {
            pool.submit(_collected, model, question, numbers): place
            for place, question in enumerate(questions)
        }
        failed: BaseException | None = None
        try:
            for future in as_completed(places):
                if future.cancelled():
                    continue
                failed = failed or future.exception()
                if future.exception() is None:
                    yield places[future], future.result()
                else:
                    for other in places:
                        other.cancel()
        finally:
            for future in places:
                future.cancel()
    if failed is not None:
        raise failed


def _collected(
    model: SampledModel, question: ModelQuestion, numbers: Sequence[int]
) -> SampledAnswer:
    found = sorted(model.samples(question, numbers), key=lambda sample: sample[0])
    return SampledAnswer(
        key=question.key,
        texts=tuple(answer.text for _, answer in found if answer.text),
        problems=tuple(answer.problem for _, answer in found if not answer.text),
        requests=sum(answer.requests for _, answer in found),
    )


def _data_url(pixels: Pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
