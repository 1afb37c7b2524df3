"""Teach a lifter, with a loss that learns beside it: `accelerate launch -m train.lifter`.

    accelerate launch -m train.lifter --task-net simple --seal margin --data mocap

All frames of the training split lie in memory; a batch is drawn from (seed, step). The model of the
validation's best check is kept in OUT/chosen, that of the last step in OUT/last; no test split is
opened here (`eval.lifting` measures both).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import trange

from data_builders.lifting.lifting_splits import DataName, LiftingSource, Split, read_split
from train.detected_people import DetectedPeopleConfig, detected_people
from train.lifter_losses import say_and_lose
from train.masked_poses import pre_train
from train.program import generator_of, run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings, check_finite
from unipose.body.keypoint_sets import KeypointSet
from unipose.errors import ConfigError
from unipose.lifting.lifting_data import LiftingData
from unipose.lifting.lifting_scores import lift_all, mean_scores, protocol_of
from unipose.lifting.loss_net import LossNetConfig
from unipose.lifting.saved_lifter import (
    LifterConfig,
    TaskNetName,
    load_lifter,
    make_task_net,
    save_lifter,
)
from unipose.lifting.task_net import SaidRows, of_frames_said
from unipose.lifting.trainable_loss import SealConfig, TrainableLoss, predicted


@dataclass(frozen=True, kw_only=True)
class LifterTraining(RunSettings):
    """One training run; Adam without decay of its rate, as SEAL-Pose has it."""

    task_net: TaskNetName = "simple"
    changes: dict[str, int | float] = field(default_factory=dict)
    """Settings of the network that are not the published ones: `--changes width 256`."""
    seal: Literal["none", "margin", "nce", "difference"] = "none"
    """How the trainable loss learns; none: the task's own loss alone."""
    data: DataName | Literal["detected"] = "mocap"
    """detected: people as our detector finds them, with its errors; shards in `pairs`."""
    folder: Path = Path("../shared/mocap")
    """Of the data set (detected: of the recordings that people are made up from)."""
    pairs: Path = Path("runs/landmarks")
    made_up: int = 60_000
    """How many people are made up of the errors of those in `pairs`."""
    keypoints: str = "human36m-17"
    fps: float = 10.0
    """Of the recordings' frames that are taken."""
    out: Path = Path("runs/lifter")
    steps: int = 50_000
    batch: int = 1024
    peak_rate: float = 1e-3
    warmup: int = 0
    decay: bool = False
    """Whether the rate falls to zero along half a cosine, which SEAL-Pose does without."""
    loss_width: int = 2048
    loss_stages: int = 2
    loss_rate: float = 5e-4
    energy_weight: float = 1e-3
    extra: float = 1.0
    """Rows that only the loss-net learns from, beside those of the task's batch."""
    root_held: bool = False
    """Whether the loss-net sees the root of what is said where the truth's always is: a loss-net
    that stays as it is knows nothing of other roots, and a lifter finds that out."""
    masked_steps: int = 0
    """Steps of P-STMO's pre-training on masked poses, before its first step here."""
    masked_rate: float = 1e-4
    """Of these steps; the published one, which falls by 3 % an epoch."""
    static_from: Path | None = None
    """SEAL-static: folder of a trained lifter; the loss-net first learns from what that one says,
    for as many steps as the lifter then learns, and stays as it is."""
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.extra < 0:
            raise ConfigError(f"--extra is at least 0, got {self.extra}")
        if self.static_from is not None and self.seal == "none":
            raise ConfigError("--static-from needs --seal margin or nce")

    @property
    def lifter(self) -> LifterConfig:
        """Return which network it is."""
        return LifterConfig(
            task_net=self.task_net, keypoints=self.keypoints, fps=self.fps,
            changes={n: int(v) if v == int(v) else v for n, v in self.changes.items()},
        )  # fmt: skip

    @property
    def source(self) -> LiftingSource:
        """Return where the frames come from."""
        if self.data == "detected":
            raise ConfigError("detected people are no split of a data set")
        return LiftingSource(
            data=self.data, folder=self.folder, keypoints=self.keypoints, fps=self.fps
        )

    def rate(self, step: int) -> float:
        """Return the lifter's learning rate."""
        return super().rate(step) if self.decay else self.peak_rate


SPLITS: tuple[Split, Split] = ("train", "val")
PRESETS = {
    "paper": LifterTraining(save_every=1000),
    "reduced": LifterTraining(
        steps=700, batch=128, save_every=140, decay=True, loss_width=256, loss_rate=1e-3,
        extra=0.5, changes={"width": 256},
    ),
    "detected": LifterTraining(
        data="detected", keypoints="coco-17", fps=30.0, steps=3000, batch=256, peak_rate=2e-3,
        warmup=200, decay=True, save_every=1000, loss_width=256, loss_rate=1e-3, extra=0.5,
        changes={"width": 512, "dropout": 0.1}, out=Path("runs/keypoint_lifter"),
    ),
    "debug": LifterTraining(
        folder=Path(), out=Path("runs/lifter_debug"), steps=4, batch=8, save_every=2, loss_width=16,
        changes={"width": 16},
    ),
}  # fmt: skip


class LifterRun(nn.Module):
    """The lifter and its trainable loss, one optimiser with a rate for each."""

    def __init__(self, config: LifterTraining, keypoint_set: KeypointSet) -> None:
        super().__init__()
        self.keypoint_set = keypoint_set
        self.net = make_task_net(config.lifter)
        self.seal: TrainableLoss | None = None
        if config.seal != "none":
            loss_net = LossNetConfig(
                joints=len(keypoint_set), width=config.loss_width, stages=config.loss_stages
            )
            self.seal = TrainableLoss(
                SealConfig(net=loss_net, loss=config.seal, energy_weight=config.energy_weight)
            )
        self.teacher = None if config.static_from is None else load_lifter(config.static_from)[0]
        """Who says the negatives of SEAL-static."""
        if self.teacher is not None:
            self.teacher.requires_grad_(False)
        self.root_held = config.root_held

    def judged(self, said: SaidRows) -> Float[Tensor, "pose joint 3"]:
        """Return what is said as the loss-net sees it, one pose a row."""
        poses = said.flatten(0, 1)
        root = protocol_of(self.keypoint_set).root
        if not self.root_held or len(root) != 1:  # no joint of the others is always at 0
            return poses
        kept = torch.ones(len(self.keypoint_set), 1, device=poses.device)
        kept[self.keypoint_set.index[root[0]]] = 0
        return poses * kept

    def optimizer(self, config: LifterTraining) -> torch.optim.Adam:
        """Return Adam over both: a weight without a gradient is not touched by a step."""
        groups = [{"params": list(self.net.parameters()), "lr": config.peak_rate}]
        if self.seal is not None:
            groups.append({"params": list(self.seal.parameters()), "lr": config.loss_rate})
        return torch.optim.Adam(groups, fused=True)


def contrast_step(
    run: LifterRun, rows: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer
) -> Float[Tensor, ""]:
    """Teach the loss-net from rows of frames: true poses against what the lifter says."""
    assert run.seal is not None
    seen, truth = rows
    said = predicted(run.net if run.teacher is None else run.teacher, seen)
    loss = run.seal.contrast(
        of_frames_said(seen, said), of_frames_said(truth, said), run.judged(said)
    )
    _step(loss, optimizer)
    return loss


def lifter_step(
    run: LifterRun,
    rows: tuple[Tensor, Tensor],
    optimizer: torch.optim.Optimizer,
    config: LifterTraining,
) -> dict[str, Float[Tensor, ""]]:
    """Teach the lifter from rows of frames; return the parts of its loss."""
    seen, truth = rows
    said, loss = say_and_lose(config.task_net, run.net, seen, truth, run.keypoint_set)
    losses = {"task": loss}
    if run.seal is not None:
        losses["energy"] = run.seal(of_frames_said(seen, said), run.judged(said))
    _step(torch.stack(list(losses.values())).sum(), optimizer)
    return losses


def _step(loss: Float[Tensor, ""], optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    if torch.distributed.is_initialized():
        for group in optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    torch.distributed.all_reduce(weight.grad)
                    weight.grad /= torch.distributed.get_world_size()
    optimizer.step()


@torch.no_grad()
def validate(run: LifterRun, data: LiftingData) -> dict[str, float]:
    """Return the figures on a split, and the mean energies of what is said and of the truth."""
    said = lift_all(run.net, data)
    scores = mean_scores(said, data)
    if run.seal is not None:
        judged = run.judged(said[:, None])
        scores["energy_said"] = float(run.seal.energy(data.seen, judged).mean())
        scores["energy_truth"] = float(run.seal.energy(data.seen, data.truth).mean())
    return scores


def train(
    config: LifterTraining, learn: LiftingData, val: LiftingData, accelerator: Accelerator
) -> None:
    """Train one lifter; a run that was stopped goes on."""
    folder = RunFolder(config.out, config, accelerator if config.trackers else None)
    torch.manual_seed(config.seed)  # first weights, the same in every process
    run = LifterRun(config, learn.keypoint_set).to(accelerator.device)
    optimizer = run.optimizer(config)
    done = folder.resume(run, optimizer)
    if config.masked_steps and not done:
        pre_train(
            run.net, learn, steps=config.masked_steps, seed=config.seed, rate=config.masked_rate,
            log=folder.log,
        )  # fmt: skip
    frames = int(run.net.frames)  # type: ignore[arg-type]
    # SEAL-static: as many steps for the loss-net before the lifter's own
    before = config.steps if config.static_from is not None else 0
    main = accelerator.is_main_process
    spent_s = float(json.loads((config.out / "spent.json").read_text())) if done else 0.0
    progress = trange(
        done, before + config.steps, initial=done, total=before + config.steps,
        desc=f"{config.task_net} {config.seal}", disable=not main, mininterval=5.0,
    )  # fmt: skip
    run.train()
    for step in progress:
        started = time.process_time()
        torch.manual_seed(hash((config.seed, step, accelerator.process_index)))  # dropout
        draw = generator_of(seed=config.seed, step=step, process=accelerator.process_index)
        losses: dict[str, Tensor] = {}
        batch = draw_rows(learn, config.batch, frames, draw, accelerator.device)
        if run.seal is not None and (config.static_from is None or step < before):
            extra = round(config.batch * config.extra)
            more = draw_rows(learn, extra, frames, draw, accelerator.device)
            both = torch.cat([batch[0], more[0]]), torch.cat([batch[1], more[1]])
            losses["contrast"] = contrast_step(run, both, optimizer)
        if step >= before:
            set_rate_of_lifter(optimizer, config.rate(step - before))
            losses |= lifter_step(run, batch, optimizer, config)
        check_finite(step, [(step, torch.stack(list(losses.values())).sum(), losses)])
        spent_s += time.process_time() - started
        if main and ((step + 1) % config.save_every == 0 or step + 1 == before + config.steps):
            scores = validate(run, val)
            folder.log(step=step + 1, **{k: v.item() for k, v in losses.items()}, **scores)
            progress.set_postfix(mpjpe_mm=f"{scores['mpjpe_mm']:.1f}")
            if step >= before:
                _keep_best(config, run, scores, step + 1)
            (config.out / "spent.json").write_text(json.dumps(spent_s))
            folder.save(step + 1, run, optimizer)
    if main:
        save_lifter(config.out / "last", run.net, config.lifter)
        if run.seal is not None:
            save_file(run.seal.state_dict(), config.out / "loss_net.safetensors")
        steps_s = spent_s / config.steps  # SEAL-static's first half belongs to what it costs
        summary = {"step_cpu_s": steps_s, "poses_per_s": config.batch / steps_s}
        (config.out / "summary.json").write_text(json.dumps(summary) + "\n")
        folder.close()


def _keep_best(config: LifterTraining, run: LifterRun, scores: dict[str, float], step: int) -> None:
    """Keep the lifter if the validation split has never seen a better one of this run."""
    path = config.out / "chosen" / "scores.json"
    if path.exists() and json.loads(path.read_text())["mpjpe_mm"] <= scores["mpjpe_mm"]:
        return
    save_lifter(config.out / "chosen", run.net, config.lifter)
    path.write_text(json.dumps({"step": step, **scores}) + "\n")


def draw_rows(
    data: LiftingData,
    count: int,
    frames: int,
    generator: torch.Generator,
    device: torch.device,
) -> tuple[Float[Tensor, "row frame joint 2"], Float[Tensor, "row frame joint 3"]]:
    """Return windows around drawn frames: keypoints, and the true joints."""
    middles = torch.randint(len(data), (count,), generator=generator)
    seen, truth = data.windows(middles, frames)
    return seen.to(device), truth.to(device)


def set_rate_of_lifter(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the lifter learn at a rate; the loss-net keeps its own."""
    optimizer.param_groups[0]["lr"] = rate


def read_frames(config: LifterTraining, split: Split) -> LiftingData:
    """Return the frames that a run learns from, or is checked on."""
    if config.data != "detected":
        return read_split(config.source, split)
    people = DetectedPeopleConfig(
        pairs=config.pairs, recordings=config.folder, made_up=config.made_up, seed=config.seed
    )
    return detected_people(people, split)


def main(config: LifterTraining) -> None:
    """Read the splits, train, keep the last and the chosen model."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    learn, val = (read_frames(config, split) for split in SPLITS)
    train(config, learn, val, accelerator)


if __name__ == "__main__":
    run_program(main, PRESETS)
