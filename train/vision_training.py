"""What the stages with pictures share: the model they start from, its eyes, and the pictures."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from data_builders.built_pictures import BuiltPictures
from data_builders.image_talk import ImageTalk, ImageTalkConfig, PictureSource
from data_builders.mixed_talk import MixedTalk
from data_builders.picture_pool import Look, PicturedPerson, StudioPictures
from data_builders.pose_pool import PosePool
from data_builders.pose_talk import shares_of_tasks
from data_builders.readers.source import Drops
from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.training_pictures import OpenPictures, read_pictures
from data_builders.training_sources import parse_sources
from tokenizer.rotations import rotations_to_6d
from train import align
from train.held_out import HeldOut
from train.training_loop import TrainingLoopConfig
from unipose.assistant import UniPose
from unipose.body.body import Body
from unipose.errors import ConfigError, MissingFileError
from unipose.language.eyes import EyesConfig
from unipose.language.model import PoseLanguageModel
from unipose.language.pictures import Picture
from unipose.language.templates import Task
from unipose.language.vocabulary import Vocabulary

ASK_NOBODY = "--checked 0 trains without asking held-out people"


@dataclass(frozen=True, kw_only=True)
class VisionEncoderSources:
    """Which vision encoders a model gets that has none yet, and where their weights are."""

    config: EyesConfig
    pose: str = ""
    """Checkpoint with `backbone.*` (HMR 2.0, TokenHMR, train.mesh_recovery); "" is untrained."""
    clip: str = ""
    """Checkpoint of open_clip; "" is untrained."""
    llava: str = ""
    """LLaVA (a folder or file, either layout) whose projector's second layer is taken over; ""
    starts from nothing."""

    def add_to(self, model: PoseLanguageModel) -> None:
        """Add the encoders to a model. Raises WeightsError if a checkpoint does not fit."""
        model.add_eyes(self.config)
        assert model.eyes is not None
        if self.pose:
            model.eyes.load_published(self.pose)
        if self.clip and model.eyes.clip is None:
            raise ConfigError(f"{self.clip} is of no use: these eyes are without CLIP")
        if self.clip and model.eyes.clip is not None:
            model.eyes.clip.load_published(self.clip)
        if self.llava:
            model.eyes.projector.start_from_llava(self.llava)


@dataclass(frozen=True, kw_only=True)
class VisionTrainingConfig(TrainingLoopConfig):
    """One stage with pictures."""

    start: Path
    """Model of the stage before; "" starts from a tiny untrained one (debug)."""
    eyes: VisionEncoderSources
    pictures: Path = Path()
    """Folder of a built ImageScript; "" takes pictures in the studio."""
    refined: bool = False
    """Take the refined texts of a built folder in place of the automatic ones."""
    sources: tuple[str, ...] = ()
    """Sources, NAME=FOLDER?share=NUMBER&... (docs/training_data.md). Those with pictures are in
    place of `pictures` and the studio."""
    data: Path = Path("../shared/mocap")
    """The studio's recordings: a folder with a manifest.csv; "" makes poses up."""
    studio: StudioConfig = field(
        default_factory=lambda: StudioConfig(height_px=224, width_px=224, frames=3, fps=2.0)
    )
    stills: int = 10_000
    """Different single pictures of the studio."""
    films: int = 2_000
    """Different films of the studio, for changes and actions."""
    kept: int = 20_000
    """Pictures whose features stay in memory, so that none is taken and seen twice; with 0 the
    model is given pixels, and its encoders run on whole batches in every step."""
    image_talk: ImageTalkConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_sources(self.sources)


def read_shown(config: VisionTrainingConfig) -> tuple[list[tuple[float, OpenPictures]], str]:
    """Return the sources of pictures with their shares, and lines on them and what was left out."""
    drops = Drops()
    sources = [source for source in parse_sources(config.sources) if source.pictured]
    shown = read_pictures(sources, drops, kept=config.kept)
    whole = sum(source.share for source in sources)
    lines = [f"{one.name}: {one.share / whole:.1%} of samples with pictures" for one in sources]
    lines += [drops.summary()] if len(drops) else []
    return shown, "".join(f"{line}\n" for line in lines)


def open_start(config: VisionTrainingConfig, body: Body) -> tuple[PoseLanguageModel, Vocabulary]:
    """Return the model to go on with and its vocabulary; it gets eyes if it has none."""
    fresh = config.start == Path()
    if fresh:
        assistant = _untrained(config, body)
    else:
        assistant = UniPose.load(config.start, base_as_stored=True)
    model = assistant.model
    if model.eyes is None:
        config.eyes.add_to(model)
    vocabulary = replace(assistant.vocabulary, patches=model.patches, pictures=model.pictures)
    return model, vocabulary


def image_talk(
    config: VisionTrainingConfig,
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    body: Body,
    shown: Sequence[tuple[float, OpenPictures]] = (),
) -> ImageTalk | MixedTalk:
    """Return what draws samples about pictures.

    They are of the sources that `shown` opens, or without any, of a built folder or the studio.
    """

    def talk(source: PictureSource, config: ImageTalkConfig) -> ImageTalk:
        return ImageTalk(
            [source],
            joints_at_rest=body.rest_joints,
            encode=encoder_of(model),
            decode=decoder_of(model),
            vocabulary=vocabulary,
            config=config,
        )

    if not shown:
        source = _pictures(config, model, body, "train", stills=config.stills, films=config.films)
        return talk(source, config.image_talk)
    look, asked = _look(config, model), config.image_talk
    talks = []
    for _, open_pictures in shown:
        source = open_pictures(look)
        shares = shares_of_tasks(asked.shares, source.tasks)
        talks.append(talk(source, replace(asked, shares=shares)))
    return MixedTalk(talks, [share for share, _ in shown])


def held_out_people(
    config: VisionTrainingConfig,
    model: PoseLanguageModel,
    body: Body,
    poses: PosePool | None = None,
) -> HeldOut:
    """Return the people in pictures, and in poses if there are any, who are asked about."""
    pictured = [source for source in parse_sources(config.sources) if source.pictured]
    sources: list[tuple[float, PictureSource]]
    if pictured:
        look = _look(config, model)
        found = read_pictures(pictured, Drops(), split="val", kept=config.kept)
        sources = [(share, open_pictures(look)) for share, open_pictures in found]
    else:
        try:
            source = _pictures(config, model, body, "val", stills=10 * config.checked, films=1)
        except MissingFileError as error:
            raise ConfigError(f"{error} {ASK_NOBODY}") from error
        sources = [(1.0, source)]
    if not sources:
        raise ConfigError(f"no source of pictures has a split 'val'. {ASK_NOBODY}")
    asked = [(share, source) for share, source in sources if Task.IMAGE_TO_TEXT in source.tasks]
    shown: list[PicturedPerson] = []
    for i in range(config.checked if asked else 0):
        place = f"{config.seed} held out {i}"
        shares = [share for share, _ in asked]
        ((_, source),) = random.Random(f"{place} source").choices(asked, shares)
        shown += source.example(Task.IMAGE_TO_TEXT, random.Random(place)).shown
    return HeldOut(
        body.rest_joints, poses=poses, count=config.checked, seed=config.seed, shown=shown
    )


def _pictures(
    config: VisionTrainingConfig,
    model: PoseLanguageModel,
    body: Body,
    split: str,
    *,
    stills: int,
    films: int,
) -> PictureSource:
    """Return the pictures of a split; those of another split are of other rooms and poses."""
    look = _look(config, model)
    if config.pictures != Path():
        return BuiltPictures.read(
            config.pictures, look, split=split, refined=config.refined, kept=config.kept
        )
    made_up = config.data == Path()
    seed = 1 if split == "train" else 2
    people = PosePool.random(64, seed=seed) if made_up else Motions.read(config.data, split)
    studio = Studio(config.studio.of_split(split), people, body)
    return StudioPictures(studio, look, stills=stills, films=films, kept=config.kept)


def _look(config: VisionTrainingConfig, model: PoseLanguageModel) -> Look:
    return cached_encoder(model) if config.kept else model.look


def cached_encoder(model: PoseLanguageModel) -> Look:
    """Return what shows a picture to the frozen eyes and keeps what they saw, in half precision.

    Every picture is seen once, by itself: what is kept does not depend on what else is in a batch.
    """

    def look(pixels: UInt8[Tensor, "height width 3"], box: Sequence[float] | None) -> Picture:
        picture = model.look(pixels, box)
        picture = picture if picture.seen else model.encode_image(picture)
        return replace(picture, meshes=None)  # no question asks for them, and many are kept

    return look


def encoder_of(
    model: PoseLanguageModel,
) -> Callable[[Float[Tensor, "pose 22 3 3"]], Int[Tensor, "pose code"]]:
    """Return what turns rotations into codes on the CPU, wherever the model is."""

    def encode(rotations: Float[Tensor, "pose 22 3 3"]) -> Int[Tensor, "pose code"]:
        device = model.joints_at_rest.device
        return model.codec.encode(rotations_to_6d(rotations).to(device)).cpu()

    return encode


def decoder_of(
    model: PoseLanguageModel,
) -> Callable[[Int[Tensor, "pose code"]], Float[Tensor, "pose 22 3 3"]]:
    """Return what turns codes into rotations on the CPU, wherever the model is."""

    @torch.no_grad()
    def decode(codes: Int[Tensor, "pose code"]) -> Float[Tensor, "pose 22 3 3"]:
        return model.codec.rotations(codes.to(model.joints_at_rest.device)).cpu()

    return decode


def _untrained(config: VisionTrainingConfig, body: Body) -> UniPose:
    """Return the tiny model of train.align's debug preset, untrained."""
    debug = replace(align.PRESETS["debug"], out=config.out, seed=config.seed)
    torch.manual_seed(config.seed)
    codec = align.open_codec(debug)
    text = align.text_tokenizer(debug, PosePool.random(64, seed=1), body.rest_joints)
    return UniPose(*align.build_model(debug, codec, body.rest_joints, text))
