"""Teach motions and texts to lie close: `accelerate launch -m train.motion_text --preset mini`.

TMR's training (Petrovich et al. 2023) on recorded motions with the names of their actions. Texts
come in as frozen features, which are computed once and kept in the run folder. What is written
holds the dictionary, too: all descriptions as points of the space, an exemplar motion's turns for
each action that was recorded, and anchors, the middles of clusters of motions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from data_builders.labelled_motions import LabelledMotions, MotionPieces, read_descriptions
from data_builders.pose_pool import PosePool
from data_builders.studio.config import SPLITS
from data_builders.studio.motions import Motions
from train.motion_text_learner import (
    MotionTextLearner,
    MotionTextLosses,
    shaken,
    with_parts_of,
)
from train.program import generator_of, run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.adaptation.dictionary import MotionDictionary, nearest
from unipose.language.text_features import BaseModelText, plain_label
from unipose.retrieval.motion_text import (
    MotionTextConfig,
    MotionTextModel,
    StatisticsEncoder,
)

MINI = MotionTextConfig(encoder="statistics", latent=96, depth=2, feed_forward=192, text_hidden=128)
"""0.3 M weights: what half an hour of recordings can teach."""


CHOSEN_BY = "motion_to_text_at_3"
"""The validation figure by which the model that is written is chosen."""


@dataclass(frozen=True, kw_only=True)
class MotionTextTraining(RunSettings):
    """One training run."""

    model: MotionTextConfig = field(default_factory=MotionTextConfig)
    losses: MotionTextLosses = field(default_factory=MotionTextLosses)
    decoder_depth: int = 6
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up motions and texts."""
    out: Path = Path("runs/motion_text")
    steps: int = 10_000
    batch: int = 64
    peak_rate: float = 1e-4
    weight_decay: float = 0.01
    clip: float = 1.0
    start: str = ""
    """Folder of a trained model to go on from."""
    noise: float = 0.3
    """Largest error of the motions that are shown (radians); see `shaken`."""
    anchors: int = 32
    """Clusters of motions, for adaptation without labels."""


PRESETS = {
    "mini": MotionTextTraining(
        model=MINI,
        losses=MotionTextLosses(reconstruction=0.0, kl=0.0, latent=0.0, contrast=1.0, parts=0.5),
        steps=400, batch=48, peak_rate=2e-3, warmup=40, weight_decay=0.1, noise=0.35,
        save_every=100,
    ),
    "paper": MotionTextTraining(batch=32),
    "debug": MotionTextTraining(
        model=MotionTextConfig(
            latent=16, depth=1, heads=2, feed_forward=16, frames_per_token=4, text_hidden=16,
            text_width=8,
        ),
        decoder_depth=1,
        data=Path(),
        out=Path("runs/motion_text_debug"),
        steps=4,
        batch=8,
        warmup=2,
        save_every=2,
        anchors=2,
        trackers=(),
    ),
}  # fmt: skip


def _motions(config: MotionTextTraining, split: str) -> LabelledMotions:
    if config.data == Path():
        return made_up_motions(seed=SPLITS.index(split))
    return LabelledMotions.read(config.data, split)


def made_up_motions(*, seed: int) -> LabelledMotions:
    """Return a few motions nobody recorded (for the debug preset and tests)."""
    motions = Motions.from_pool(PosePool.random(120, seed=seed))
    rotations, take = motions.takes[0].rotations, motions.takes[0]
    names = ("walk", "raise the left arm", "turn around")
    motions.takes = [
        type(take)(
            name=name, label=name, source="pool", path=take.path[40 * i : 40 * i + 40],
            rotations=rotations[40 * i : 40 * i + 40],
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
    return LabelledMotions(motions)


def text_features(config: MotionTextTraining, texts: Sequence[str]) -> Float[Tensor, "text width"]:
    """Return the frozen features of texts, from the run folder or computed now and kept there."""
    if config.data == Path():
        rows = [torch.Generator().manual_seed(hash_of(text)) for text in texts]
        return torch.stack([torch.randn(config.model.text_width, generator=g) for g in rows])
    path = config.out / f"texts-layer-{config.model.text_layer}.safetensors"
    kept = load_file(path) if path.is_file() else {}
    missing = [text for text in texts if text not in kept]
    if missing:
        features = BaseModelText(config.model.text_layer)(sorted(missing, key=len))
        kept |= dict(zip(sorted(missing, key=len), features.contiguous().unbind()))
        save_file({name: row.clone() for name, row in kept.items()}, path)
    return torch.stack([kept[text] for text in texts])


def hash_of(text: str) -> int:
    """Return a number of a text that is the same in every process."""
    return int.from_bytes(text.encode()[:7].ljust(7), "little")


def standing_of_texts(
    segments: MotionPieces, model: MotionTextModel, features: Float[Tensor, "text width"]
) -> dict[str, float]:
    """Return how well segments find the text of their action among those of the split, and back.

    `motion_to_text_at_k`: share of segments whose own text is among the k nearest of all texts of
    the split; every action counts the same. `text_to_motion_at_1`: share of texts whose nearest
    segment is one of theirs. Chance beside each. `parts_noticed`: how often a segment fits its text
    better than with a part of another one (by chance 0.5).
    """
    used = sorted(set(segments.text.tolist()))
    with torch.no_grad():
        seen = model.encode_motion(segments.rotations, segments.present)
        read = model.encode_text(features[used])
    own = torch.tensor([used.index(text) for text in segments.text.tolist()])
    scores = seen @ read.mT
    place = (scores > scores[torch.arange(len(own)), own][:, None]).sum(1)
    each = F.one_hot(own, len(used)).float()
    count = each.sum(0)
    found = {
        f"motion_to_text_at_{k}": float(((place < k).float() @ each / count).mean()) for k in (1, 3)
    }
    found |= {f"chance_motion_to_text_at_{k}": min(1.0, k / len(used)) for k in (1, 3)}
    best = scores.argmax(0)
    found["text_to_motion_at_1"] = float((own[best] == torch.arange(len(used))).float().mean())
    found["chance_text_to_motion_at_1"] = float((count / len(own)).mean())
    donor = (torch.arange(len(own)) + len(own) // 3) % len(own)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mixed = with_parts_of(segments.rotations, donor)
        other = model.encode_motion(mixed, segments.present)
    apart = ((seen - other) * read[own]).sum(1)[segments.text != segments.text[donor]]
    found["parts_noticed"] = float((apart > 0).float().mean()) if len(apart) else 1.0
    found |= {"texts": float(len(used)), "segments": float(len(own))}
    return found


def main(config: MotionTextTraining) -> None:
    """Train, log, save; resumes by itself from what is there."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    torch.manual_seed(config.seed)
    run = RunFolder(config.out, config, accelerator)
    made_up = config.data == Path()
    train, val = (_motions(config, split) for split in SPLITS[:2])
    descriptions = [] if made_up else read_descriptions(config.data)
    labels = sorted({*descriptions, *train.texts})
    with accelerator.main_process_first():
        features = {
            name: text_features(config, texts)
            for name, texts in (
                ("train", train.texts), ("val", val.texts), ("dictionary", labels),
            )
        }  # fmt: skip
    model = MotionTextModel(config.model)
    if config.start:
        started = MotionTextModel.from_pretrained(config.start)
        model.load_state_dict(started.state_dict(), strict=True)
    model.text.standardise(features["train"])
    if isinstance(model.motion, StatisticsEncoder) and not config.start:
        pieces = train.draw(2048, generator_of(seed=config.seed, step=-1))
        model.motion.standardise(shaken(pieces.rotations, config.noise), pieces.present)
    learner = MotionTextLearner(
        model, config.losses, depth=config.decoder_depth, noise=config.noise
    )
    optimizer = torch.optim.AdamW(
        learner.parameters(), lr=0.0, weight_decay=config.weight_decay, fused=True
    )
    loop = StepLoop(
        accelerator, run, learner, optimizer, config, name="motions and texts", clip=config.clip
    )
    place = accelerator.device
    texts = features["train"].to(place)
    held_out = val.segments()
    for step, generator in loop.steps():
        learner.train()
        torch.manual_seed(step)  # dropout and errors, also on resume
        drawn = train.draw(config.batch, generator)
        pieces = MotionPieces(**{name: value.to(place) for name, value in vars(drawn).items()})
        loop.learn(step, *loop.trained(pieces, texts))
        if loop.saves(step):
            model.eval()
            scores = standing_of_texts(held_out, model.cpu(), features["val"])
            _keep_if_best(model, scores[CHOSEN_BY], config.out)
            model.to(place)
            loop.save(step, scores)
    if loop.is_main:
        model = MotionTextModel.from_pretrained(config.out / "model")
        test = _motions(config, SPLITS[2])
        scores = standing_of_texts(test.segments(), model, text_features(config, test.texts))
        dictionary_of(
            model, train, labels, features["dictionary"], features["train"], anchors=config.anchors
        ).save(config.out / "model")
        loop.end(scores)


def _keep_if_best(model: MotionTextModel, score: float, out: Path) -> None:
    """Write the model if no earlier validation of this run was as good."""
    known = out / "best.txt"
    if not known.is_file() or score > float(known.read_text()):
        model.save_pretrained(out / "model")
        known.write_text(f"{score}\n")


@torch.no_grad()
def dictionary_of(
    model: MotionTextModel,
    motions: LabelledMotions,
    labels: Sequence[str],
    features: Float[Tensor, "label width"],
    own_features: Float[Tensor, "text width"],
    *,
    anchors: int,
) -> MotionDictionary:
    """Return all labels as points of the space, with exemplars of those that were recorded.

    The exemplar of an action is its longest segment nearest to its text; anchors are segments
    nearest to the middles of clusters of all segments.
    """
    segments = motions.segments()
    seen = model.encode_motion(segments.rotations, segments.present)
    fit = (seen * model.encode_text(own_features)[segments.text]).sum(1)
    fit = fit + segments.present.float().mean(1)
    exemplars = {}
    for text in sorted(set(segments.text.tolist())):
        of_text = torch.where(segments.text == text, fit, -torch.inf)
        exemplars[plain_label(motions.texts[text])] = int(of_text.argmax())
    middles = clusters(seen, min(anchors, len(seen)))
    chosen = [int((seen @ middle).argmax()) for middle in middles]
    return MotionDictionary(
        labels=tuple(labels),
        points=model.encode_text(features),
        recorded=tuple(exemplars),
        roots=segments.rotations[list(exemplars.values()), :, 0],
        exemplar=nearest(
            model.encode_text(features),
            model.encode_text(own_features)[[motions.texts.index(name) for name in exemplars]],
        ),
        anchors=middles,
        anchor_roots=segments.rotations[chosen, :, 0],
    )


def clusters(
    points: Float[Tensor, "point feature"], count: int, *, rounds: int = 50
) -> Float[Tensor, "count feature"]:
    """Return the middles of clusters of unit vectors (spherical k-means from farthest points)."""
    chosen = [0]
    for _ in range(count - 1):
        chosen.append(int((points @ points[chosen].mT).amax(1).argmin()))
    middles = points[chosen]
    for _ in range(rounds):
        own = F.one_hot((points @ middles.mT).argmax(1), count).to(points)
        moved = F.normalize(own.mT @ points, dim=1)
        middles = torch.where((own.sum(0) > 0)[:, None], moved, middles)
    return middles


if __name__ == "__main__":
    run_program(main, PRESETS)
