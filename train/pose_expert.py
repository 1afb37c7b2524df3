"""Teach an expert to write poses: `accelerate launch -m train.pose_expert --preset smol`.

The language model is frozen, so what it makes of a request is computed once: some thousand requests
(to make a pose, to change one) are drawn and their hidden states kept, in shards that a run that
was interrupted goes on with. What is left is a small network over kept states, hundreds of requests
a second, where a step through the language model would pay for all of it each time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import trange

from data_builders.pose_lessons import LessonsConfig, PoseLessons
from data_builders.pose_pool import PosePool
from tokenizer.codec import PoseTokenizer
from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from train import align
from train.program import generator_of, run_program, start_accelerator
from train.run_folder import RunFolder, frozen_mark
from train.saved_model import save_model
from train.settings import RunSettings, check_finite, set_rate
from train.stages import choose_what_learns
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.errors import ConfigError, FileError
from unipose.language.attention import seen_places
from unipose.language.concept_losses import shown_loss
from unipose.language.concepts import ConceptPoseModel
from unipose.language.model import PoseLanguageModel
from unipose.language.over_base import WEIGHTS, is_over_base
from unipose.language.pose_expert import PoseExpert, PoseExpertConfig
from unipose.language.rendering import Row, collate
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.claims import claims

SHARD = 600
"""Packs whose states are one file."""
PIECES = 4
"""In which a batch of requests is run, short ones and long ones apart: a quarter faster."""


@dataclass(frozen=True, kw_only=True)
class PoseExpertTraining(RunSettings):
    """One run."""

    start: Path = Path("runs/align_smol_writing/model")
    """The frozen language model, as train.align wrote it; or a shipped one over its base, whose
    expert learns on; "" is an untrained one (debug)."""
    expert: PoseExpertConfig = field(default_factory=PoseExpertConfig)
    codec: Path | None = None
    """A pose tokenizer in place of the model's."""
    lessons: LessonsConfig = field(
        default_factory=lambda: LessonsConfig(requests=16, edits=12, named=0.45)
    )
    packs: int = 2200
    """Packs of requests, of which every second changes a pose."""
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    alone: float = 0.0
    """Share of a batch that is poses alone, to be written as they are read: what an edit begins
    with is learned from these without the language model, of any number of poses."""
    code_weight: float = 0.3
    geometry_weight: float = 20.0
    shown_weight: float = 1.0
    """Weight of reading what a request claims off the pose that is written, by unipose-mini."""
    weight_decay: float = 0.01
    clip: float = 1.0
    log_every: int = 20


PRESETS = {
    "smol": PoseExpertTraining(
        alone=0.3, out=Path("runs/pose_expert"), steps=3000, batch=144, peak_rate=1e-3, warmup=50,
        save_every=500,
    ),
    "debug": PoseExpertTraining(
        start=Path(), expert=PoseExpertConfig(width=16, blocks=1, heads=2, feed_forward=16),
        alone=0.4, lessons=LessonsConfig(requests=2, edits=2), packs=2, data=Path(),
        out=Path("runs/pose_expert_debug"), steps=4, batch=3, peak_rate=1e-3, warmup=2,
        save_every=2, trackers=(),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestStates:
    """Hidden states of requests, one behind the other, and the poses that they ask for."""

    states: Float[Tensor, "place width"]
    ends: Int[Tensor, " request"]
    """Where the states of each request end."""
    rotations: Float[Tensor, "request 22 3 3"]
    sources: Int[Tensor, "request slot"]
    """Codes of the poses that are to be changed; -1 where none is."""
    told: Bool[Tensor, "request claim"]
    """What each request claims; none where rules cannot read it."""

    @classmethod
    def joined(cls, parts: Sequence[RequestStates]) -> RequestStates:
        """Return several as one."""
        before = np.cumsum([0, *[len(part.states) for part in parts]])
        return cls(
            states=torch.cat([part.states for part in parts]),
            ends=torch.cat([part.ends + int(n) for part, n in zip(parts, before, strict=False)]),
            rotations=torch.cat([part.rotations for part in parts]),
            sources=torch.cat([part.sources for part in parts]),
            told=torch.cat([part.told for part in parts]),
        )

    @property
    def lengths(self) -> Int[Tensor, " request"]:
        """How many states each request has."""
        return torch.diff(self.ends, prepend=self.ends.new_zeros(1))

    def batch(
        self, chosen: Int[Tensor, " row"]
    ) -> tuple[
        Float[Tensor, "row place width"], Bool[Tensor, "row place"], Int[Tensor, "row slot"]
    ]:
        """Return what an expert is given of some requests.

        Their states, filled up to the longest, which of them are there, and the codes of what is to
        be changed.
        """
        lengths = self.lengths[chosen]
        starts = self.ends[chosen] - lengths
        places = torch.arange(int(lengths.max()))
        seen = places < lengths[:, None]
        taken = (starts[:, None] + places).where(seen, 0)
        return self.states[taken], seen, self.sources[chosen]


@torch.inference_mode()
def states_of_requests(
    model: PoseLanguageModel, vocabulary: Vocabulary, packed: Row, rotations: Tensor
) -> RequestStates:
    """Return what the language model makes of each request of a pack."""
    batch = collate([packed], pad=vocabulary.pad)
    seen, positions = seen_places(batch, read_both_ways=model.config.read_both_ways)
    hidden = model.hidden_states(batch, seen, positions)[0][0].bfloat16()
    assert batch.branches is not None
    branches, attended = batch.branches[0], model.expert_places(batch)[0]
    parts = [
        hidden[attended & ((branches == 0) | (branches == i + 1))] for i in range(len(rotations))
    ]
    none = torch.full((1, model.length), -1)
    told = torch.zeros(len(parts), len(claims()), dtype=torch.bool)
    if batch.told_at is not None:
        told[branches[batch.told_at.places] - 1] = batch.told_at.claims
    return RequestStates(
        states=torch.cat(parts),
        ends=torch.tensor([len(part) for part in parts]).cumsum(0),
        rotations=rotations,
        sources=(none if batch.sources is None else batch.sources).repeat(len(parts), 1),
        told=told,
    )


def kept_states(
    config: PoseExpertTraining,
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    pool: PosePool,
    *,
    mark: str,
) -> RequestStates:
    """Return the states of all requests; what an earlier run computed is read.

    `mark` says of which language model and which requests they are. Raises FileError for states of
    others.
    """
    lessons = PoseLessons(
        pool,
        joints_at_rest=model.joints_at_rest,
        encode=lambda rotations: model.codec.encode(rotations_to_6d(rotations)),
        vocabulary=vocabulary,
        config=config.lessons,
    )
    folder = config.out / "states"
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for first in range(0, config.packs, SHARD):
        path = folder / f"{first:06d}.safetensors"
        if not path.is_file():
            parts = []
            for pack in trange(first, min(first + SHARD, config.packs), desc="reading requests"):
                chance = Random(f"{config.seed} {pack} requests")
                generator = torch.Generator().manual_seed(chance.getrandbits(62))
                draw = lessons.edits if pack % 2 else lessons.requests
                row, rotations = draw(generator, chance)
                parts.append(states_of_requests(model, vocabulary, row, rotations))
            unfinished = path.with_suffix(".tmp")
            states = dict(vars(RequestStates.joined(parts)))
            save_file(states, unfinished, metadata={"mark": mark})
            unfinished.rename(path)
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("mark") != mark:
                raise FileError(
                    path, "holds states of another language model, or of other requests.",
                    "Choose another --out, or remove it.",
                )  # fmt: skip
        shards.append(RequestStates(**load_file(path)))
    return RequestStates.joined(shards)


def merge_lora_layers(model: PoseLanguageModel) -> None:
    """Add the adapters into the frozen weights beside them: states are computed faster."""
    from peft.tuners.lora import LoraLayer  # slow to import

    for module in model.llm.modules():
        if isinstance(module, LoraLayer):
            module.merge()


def main(config: PoseExpertTraining) -> None:
    """Compute the states, train, log, save; resumes from what is there already.

    Raises ConfigError if several processes were launched: each would train an expert of its own.
    """
    accelerator = start_accelerator(
        clip=config.clip, trackers=config.trackers, folder=config.out, threads=config.threads
    )
    if accelerator.num_processes > 1:
        raise ConfigError(
            f"{accelerator.num_processes} processes were launched, but an expert is taught by one: "
            "python -m train.pose_expert, or accelerate launch --num_processes 1"
        )
    torch.manual_seed(config.seed)
    assistant = open_start(config)
    model, vocabulary = assistant.writer, assistant.vocabulary
    merge_lora_layers(model)
    codec = model.codec
    if config.codec is not None:
        codec.load_state_dict(PoseTokenizer.from_pretrained(config.codec).state_dict())
    model.requires_grad_(requires_grad=False)
    asked = (config.lessons, config.packs, config.seed, str(config.data))
    expert, model.expert = model.expert, None  # the mark is of what stays
    mark = f"{frozen_mark(model)} {asked} {[each.name for each in fields(RequestStates)]}"
    if expert is None:
        model.add_expert(config.expert)
        expert = model.expert
    assert expert is not None
    model.expert = expert.float()
    made_up = config.data == Path()
    pool = PosePool.random(64, seed=1) if made_up else PosePool.read(config.data, "train")
    run = RunFolder(config.out, config, accelerator)
    known = kept_states(config, model, vocabulary, pool, mark=mark)
    codes = torch.cat(
        [model.codec.encode(rotations_to_6d(some)) for some in known.rotations.split(4096)]
    )
    lengths = known.lengths
    judge = UniPose.load("mini", eyes="own").model
    assert isinstance(judge, ConceptPoseModel)
    expert.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(
        expert.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
    )
    done = run.resume(expert, optimizer)
    books = model.codec.quantiser.codebooks
    progress = trange(done, config.steps, initial=done, total=config.steps, desc="expert")
    for step in progress:
        set_rate(optimizer, config.rate(step))
        generator = generator_of(seed=config.seed, step=step)
        alone = round(config.alone * config.batch)
        chosen = torch.randint(len(codes), (config.batch - alone,), generator=generator)
        chosen = chosen[lengths[chosen].argsort(stable=True)]  # less is filled up
        scores = torch.cat([expert.levels(*known.batch(some)) for some in chosen.chunk(PIECES)])
        wanted = codes[chosen]
        if alone:
            drawn = pool.draw(alone, generator, config.lessons.pool)
            read = model.codec.encode(rotations_to_6d(drawn))
            nothing = known.states.new_zeros(alone, 1, known.states.shape[1])
            scores = torch.cat([scores, expert.levels(nothing, nothing[..., 0] == 0, read)])
            wanted = torch.cat([wanted, read])
        mixed = rotations_from_6d(model.codec.decoder(expert.mixed_latents(scores, books)))
        truth = model.codec.rotations(wanted).detach()
        apart = (model.joints(mixed) - model.joints(truth)).square().sum(-1).mean()
        sources = known.sources[chosen]
        shown = shown_loss(
            judge, mixed[: len(chosen)], known.told[chosen],
            before=model.codec.rotations(sources.clamp(min=0)), changing=sources[:, 0] >= 0,
        )  # fmt: skip
        parts = {
            "codes": expert.cross_entropy(scores, wanted), "geometry": apart, "shown": shown
        }  # fmt: skip
        loss = config.code_weight * parts["codes"] + config.geometry_weight * apart
        loss = loss + config.shown_weight * shown
        loss.backward()
        parts = {name: part.detach() for name, part in parts.items()}
        norm = torch.nn.utils.clip_grad_norm_(expert.parameters(), config.clip)
        check_finite(step, [(step, loss.detach(), parts)], norm=norm)
        optimizer.step()
        optimizer.zero_grad()
        if step % config.log_every == 0:
            run.log(step=step, **{name: round(float(part), 5) for name, part in parts.items()})
            progress.set_postfix({name: float(part) for name, part in parts.items()})
        if config.saves(step):
            run.save(step + 1, expert, optimizer)
    save_whole(config, expert, codec)
    run.close()


def save_whole(config: PoseExpertTraining, expert: PoseExpert, codec: PoseTokenizer) -> None:
    """Write the model to begin with, its adapters as they were, with the expert beside it."""
    if is_over_base(config.start):
        save_over_base(config.start, expert, config.out / "model")
        return
    assistant = open_start(config)
    assistant.model.add_expert(config.expert)
    assistant.model.config.mix_codes = True
    assert assistant.model.expert is not None
    assistant.model.expert.load_state_dict(expert.state_dict())
    assistant.model.codec.load_state_dict(codec.state_dict())
    choose_what_learns(assistant.model, large=True)  # all but the frozen base is written apart
    save_model(assistant.model, assistant.vocabulary, config.out / "model")


def save_over_base(start: Path, expert: PoseExpert, out: Path) -> None:
    """Write a shipped model again, with another expert, whose mean pose is what it learned."""
    shutil.copytree(start, out, dirs_exist_ok=True)
    described = json.loads((out / "config.json").read_text(encoding="utf-8"))
    text = json.dumps(described | {"mix_codes": True}, indent=2, sort_keys=True) + "\n"
    (out / "config.json").write_text(text, encoding="utf-8")
    weights = load_file(out / WEIGHTS)
    for name, weight in expert.state_dict().items():
        weights[f"expert.{name}"] = weight.bfloat16().contiguous()
    save_file(weights, out / WEIGHTS, metadata={"format": "pt"})


def open_start(config: PoseExpertTraining) -> UniPose:
    """Return the model to begin with; an untrained one for debugging.

    Raises ConfigError for a model that writes poses in another way.
    """
    if config.start == Path():
        small = replace(
            align.PRESETS["debug"], concepts=False, pose_projector=16, claim_weight=0.0,
            out=config.out,
        )  # fmt: skip
        body, pool = load_body(), PosePool.random(8, seed=1)
        text = align.text_tokenizer(small, pool, body.rest_joints)
        torch.manual_seed(config.seed)
        return UniPose(*align.build_model(small, align.open_codec(small), body.rest_joints, text))
    assistant = UniPose.load(config.start, base_as_stored=True, eyes="own")
    writer = assistant.writer
    taught = writer.expert is not None and not is_over_base(config.start)
    if type(writer) is not PoseLanguageModel or taught:
        raise ConfigError(f"{config.start} holds a model that writes poses another way")
    return assistant


if __name__ == "__main__":
    run_program(main, PRESETS)
