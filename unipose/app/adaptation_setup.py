"""What `unipose adapt` was asked for, and everything that is loaded for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unipose.adaptation.adapter import Adapter, AdapterConfig
from unipose.adaptation.clip_agreement import ClipAgreement
from unipose.adaptation.default_models import load_denoiser, load_network, load_space
from unipose.adaptation.dictionary import MotionDictionary
from unipose.adaptation.labelling import ActionNamer, AskingNamer, OwnNamer
from unipose.adaptation.motion_clip import MotionClip
from unipose.app.adapted_film import Progress
from unipose.app.film_adaptation import DETECTED, FilmAdaptation, Source, read_truth
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.language.text_features import ClipText
from unipose.priors.endpoint import Endpoint, EndpointConfig
from unipose.priors.sampled_models import CachedSampledModel
from unipose.retrieval.motion_text import MotionSpace

ANSWER_TOKENS = 300
SMALL_NETWORK = AdapterConfig(passes=3, rate=1e-4, denoiser_rate=1e-4, alignment_weight=0.3)
"""Of the embedded network, of which only the head learns."""


@dataclass(frozen=True, kw_only=True)
class AdaptationRequest:
    """The options of the command, as they were given."""

    out: Path
    keypoints: Path | None = None
    true_keypoints: bool = False
    labels: Path | None = None
    ask: str | None = None
    model: str = ""
    samples: int = 3
    clip: Path | None = None
    least_clip: float = 0.3
    mode: str | None = None
    network: Path | None = None
    layout: str = "hmr2"
    motion_clip: Path | None = None
    truth: Path | None = None
    overlay: Path | None = None
    body: Path | None = None
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.labels is not None and self.ask is not None:
            raise ConfigError("labels come from a file (--labels) or are asked for (--ask)")
        if self.ask not in (None, "self") and not self.model:
            raise ConfigError("an endpoint needs the name of a model: --model")
        if self.motion_clip is not None and self.clip is None:
            raise ConfigError("MotionCLIP reads labels by CLIP's text tower: name it with --clip")
        if self.true_keypoints and self.keypoints is None:
            raise ConfigError("--true-keypoints says what the file of --keypoints holds")
        if self.ask == "self" and self.motion_clip is not None:
            raise ConfigError("--ask self names actions by our own space; MotionCLIP has none")

    @property
    def has_labels(self) -> bool:
        """Whether segments will have labels."""
        return self.labels is not None or self.ask is not None

    @property
    def source(self) -> Source:
        """Where the 2D keypoints come from, for the report."""
        if self.keypoints is None:
            return DETECTED
        return "ground truth" if self.true_keypoints else "from a file"


def prepare(asked: AdaptationRequest, progress: Progress) -> FilmAdaptation:
    """Load what is needed. Raises ConfigError, MissingFileError or WeightsError."""
    mode = asked.mode or ("fill_in" if asked.has_labels else "label_free")
    if mode in ("alignment", "ema", "fill_in") and not asked.has_labels:
        raise ConfigError(f"{mode} needs labels: --labels FILE, --ask self or --ask URL")
    body = load_body(asked.body)
    network = load_network(asked.network, layout=asked.layout).to(asked.device)
    space, dictionary = _space(asked)
    config = SMALL_NETWORK if asked.network is None else AdapterConfig()
    adapter = Adapter(
        network, body, load_denoiser(), space=space, dictionary=dictionary,
        config=replace(config, seed=asked.seed),
    )  # fmt: skip
    return FilmAdaptation(
        adapter=adapter, body=body, mode=mode, out=asked.out, keypoints=asked.source,
        namer=_namer(asked, dictionary), labels=asked.labels,
        truth=None if asked.truth is None else read_truth(asked.truth, body),
        overlay=asked.overlay, progress=progress,
    )  # fmt: skip


def _space(asked: AdaptationRequest) -> tuple[MotionSpace, MotionDictionary]:
    """Return the space and its dictionary; MotionCLIP's labels are read by CLIP once more."""
    space, dictionary = load_space()
    if asked.motion_clip is None:
        return space.to(asked.device), dictionary
    assert asked.clip is not None  # __post_init__
    theirs = MotionClip()
    theirs.load_published(asked.motion_clip)
    theirs.requires_grad_(requires_grad=False)
    texts = ClipText()
    texts.load_published(asked.clip)
    points = torch.nn.functional.normalize(texts(dictionary.labels), dim=1)
    return theirs.to(asked.device), replace(dictionary, points=points, fill_threshold=0.75)


def _namer(asked: AdaptationRequest, dictionary: MotionDictionary) -> ActionNamer | None:
    if asked.ask is None:
        return None
    if asked.ask == "self":
        return OwnNamer(dictionary=dictionary)
    endpoint = Endpoint(
        EndpointConfig(url=asked.ask, model=asked.model, most_tokens=ANSWER_TOKENS),
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
    )
    asked.out.mkdir(parents=True, exist_ok=True)
    clip = None
    if asked.clip is not None:
        clip = ClipAgreement()
        clip.load_published(asked.clip)
        clip.to(asked.device)
    return AskingNamer(
        model=CachedSampledModel(endpoint, asked.out / ".answers"), labels=dictionary.labels,
        samples=asked.samples, clip=clip, least_cosine=asked.least_clip,
    )  # fmt: skip
