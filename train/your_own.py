"""From recordings to a model to talk with: `python -m train.your_own --recordings /data/AMASS`.

Four steps, each of which is a command of its own, too (docs/amass_to_chat.md): ImageScript is built
(pictures, captions and changes of the recorded poses), a pose tokenizer learns the poses, a
language model learns ImageScript's texts with their poses, and a conversation with that model
begins; lines of a pipe are answered one by one. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from data_builders.engine import Place
from data_builders.imagescript.build import build
from data_builders.imagescript.config import BuildConfig
from data_builders.pose_talk import TalkConfig
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from data_builders.studio.config import StudioConfig
from tokenizer.codec import CodecError
from train import align, pose_codes
from train.program import read_config
from unipose.errors import ConfigError, EmptySourceError, UniPoseError
from unipose.language.templates import Task

EVERY = 10.0
"""Poses per second of a recording that the tokenizer sees."""


@dataclass(frozen=True, kw_only=True)
class YourOwnConfig:
    """One chain from recordings to a conversation."""

    recordings: Path
    """Folder of the recordings."""
    source: Literal["amass", "files", "mocap", "moyo"] = "amass"
    """How they are read: AMASS's subsets, any pose files, a folder with a manifest, MOYO."""
    out: Path = Path("runs/your_own")
    """Holds imagescript/, pose_codes/ and align/, whose model/ is the result."""
    pictures: int = 4_000
    """Of ImageScript's training split."""
    held_out_pictures: int = 200
    """Of its validation split."""
    studio: StudioConfig = field(default_factory=StudioConfig)
    workers: int = 0
    """Processes that build ImageScript; 0: one per core."""
    codes: pose_codes.PoseCodesConfig = field(default_factory=lambda: pose_codes.PRESETS["mini"])
    language: align.AlignConfig = field(default_factory=lambda: align.PRESETS["mini"])
    chat: bool = True
    """Begin a conversation at the end."""
    seed: int = 0

    @property
    def model(self) -> Path:
        """The folder that `unipose chat --model` takes."""
        return self.out / "align" / "model"


PRESETS: Mapping[str, YourOwnConfig] = {
    "mini": YourOwnConfig(recordings=Path("recordings")),
    # two minutes of a core: it speaks as descriptions do, is seldom right, and does nothing else
    "tiny": YourOwnConfig(
        recordings=Path("recordings"),
        pictures=48,
        held_out_pictures=6,
        studio=StudioConfig(height_px=96, width_px=96, people=(1.0,), occluded=0.0, truncated=0.0),
        workers=1,
        codes=replace(
            pose_codes.PRESETS["mini"], codec=replace(pose_codes.MINI, width=128), steps=300,
            batch=64, save_every=300, warmup=20, trackers=(),
        ),
        language=replace(
            align.PRESETS["mini"],
            small=align.SmallLlama(
                hidden=96, layers=2, heads=4, feed_forward=256, text_tokens=1024
            ),
            # of so few steps, all go to descriptions
            talk=TalkConfig(shares=((Task.DESCRIBE, 1.0),)),
            geometry=128, steps=500, batch=8, pieces=1, practice=0, warmup=10, save_every=250,
            checked=0, peak_rate=3e-3, trackers=(),
        ),
    ),
    "debug": YourOwnConfig(
        recordings=Path("recordings"),
        out=Path("runs/your_own_debug"),
        pictures=6,
        held_out_pictures=3,
        studio=StudioConfig(height_px=64, width_px=64, people=(1.0,), occluded=0.0, truncated=0.0),
        workers=1,
        codes=pose_codes.PRESETS["debug"],
        language=align.PRESETS["debug"],
    ),
}  # fmt: skip


def main(config: YourOwnConfig) -> int:
    """Build, train and talk; return the conversation's exit status.

    Raises SourceError or EmptySourceError for a folder without recordings of training or
    validation; what else the steps raise.
    """
    check_splits(config)
    built = config.out / "imagescript"
    say = sys.stdout.write
    say(build(build_config(config, built)) + "\n")
    codes = replace(
        config.codes, data=Path(), sources=(f"{config.source}={config.recordings}?fps={EVERY:g}",),
        out=config.out / "pose_codes", seed=config.seed,
    )  # fmt: skip
    pose_codes.main(codes)
    learned = replace(
        config.language, data=Path(), sources=(f"imagescript={built}",), codec=codes.out / "codec",
        out=config.out / "align", seed=config.seed,
    )  # fmt: skip
    align.main(learned)
    say(f"{config.model}: unipose chat --model {config.model} talks with it\n")
    sys.stdout.flush()
    return talk_with(config.model) if config.chat else 0


def build_config(config: YourOwnConfig, out: Path) -> BuildConfig:
    """Return what is built of the recordings."""
    poses = "" if config.source == "mocap" else f"?poses={config.source}"
    return BuildConfig(
        out=out,
        source=(f"studio={config.recordings}{poses}",),
        counts=(
            f"studio.train={config.pictures}", f"studio.val={config.held_out_pictures}",
        ),
        studio=config.studio,
        seed=config.seed,
        place=Place(workers=config.workers),
    )  # fmt: skip


def check_splits(config: YourOwnConfig) -> None:
    """Raise ConfigError if the recordings lack a split; SourceError if there are none at all."""
    for split in ("train", "val"):
        asked = f"{config.source}={config.recordings}?split={split}"
        try:
            next(open_source(asked, Drops()))
        except EmptySourceError as error:
            raise ConfigError(
                f"{config.recordings} has no recording of the split {split!r} that can be read "
                f"({error}). AMASS's HumanEva, MPI_HDM05, SFU and MPI_mosh are for validation; of "
                "other files those in a first folder called val (--source files)"
            ) from error


def talk_with(model: Path) -> int:
    """Talk at a terminal, or answer the lines of a pipe; return the exit status."""
    from unipose.app import sources
    from unipose.app.conversation import Conversation
    from unipose.app.terminal import answer_lines, talk
    from unipose.app.wording import WELCOME

    conversation = Conversation(
        lambda: sources.load_assistant(model), lambda: sources.load_speaker(None)
    )
    if not sys.stdin.isatty():
        return answer_lines(conversation)
    sys.stdout.write(f"{WELCOME}\n")
    return talk(conversation)


def run(arguments: list[str]) -> None:
    """Run the chain as the command line says; our errors become one line."""
    try:
        status = main(read_config(PRESETS, arguments))
    except (UniPoseError, CodecError) as error:
        raise SystemExit(f"error: {error}") from error
    raise SystemExit(status)


if __name__ == "__main__":
    run(sys.argv[1:])
