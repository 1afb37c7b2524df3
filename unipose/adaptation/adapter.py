"""Adapt a mesh recovery network to one person's film, and forget it again.

The published loop (Lin et al., Semantics-aware Test-time Adaptation, ICML 2025, section 4.3): six
epochs over segments of the film; the network learns from 2D keypoints, from the motion denoiser's
poses of the epoch before (CycleAdapt, Nam et al., ICCV 2023) and from the action's name; between
epochs the 2D labels are moved and filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from unipose.adaptation.adapter_state import AdapterState
from unipose.adaptation.alignment import Alignment, SegmentTargets
from unipose.adaptation.denoiser import MotionDenoiser, adapt_denoiser, windows_of
from unipose.adaptation.dictionary import MotionDictionary
from unipose.adaptation.film_keypoints import BODY_AND_FEET, CROP_PX, KeypointLabels
from unipose.adaptation.networks import FilmNetwork, adaptable
from unipose.adaptation.segments import FilmSegment
from unipose.body.body import Body
from unipose.body.keypoints import Keypoints
from unipose.errors import ConfigError
from unipose.retrieval.motion_text import MotionSpace
from unipose.vision.body_landmarks import LandmarkedBody
from unipose.vision.crops import Crops, project
from unipose.vision.mesh_recovery_protocol import MeshRecovery, RecoveredMeshes


@dataclass(frozen=True, kw_only=True)
class AdaptationMode:
    """Which terms are at work."""

    smoothing: bool = True
    alignment: Literal["none", "labels", "anchors"] = "labels"
    ema: bool = True
    fill_in: bool = True

    def __post_init__(self) -> None:
        if self.fill_in and self.alignment == "none":
            raise ConfigError("fill-in asks how well a motion fits its label: it needs alignment")


MODES = {
    "cycleadapt": AdaptationMode(alignment="none", ema=False, fill_in=False),
    "alignment": AdaptationMode(ema=False, fill_in=False),
    "ema": AdaptationMode(fill_in=False),
    "fill_in": AdaptationMode(),
    "label_free": AdaptationMode(alignment="anchors"),
}
"""The ablation of the paper (its table 3), and adaptation without labels; "none" adapts nothing."""


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """The published settings; what no source states is marked."""

    epochs: int = 6
    passes: int = 1
    """How often an epoch goes through the film (1: as published, where films are long)."""
    segments: int = 4
    """Of a step."""
    rate: float = 5e-5
    last_rate: float = 1e-6
    """Along half a cosine, epoch by epoch."""
    denoiser_rate: float = 5e-5
    least_score: float = 0.3
    projection_weight: float = 0.1
    """Of the L1 distance in pixels of a crop of 224 (CycleAdapt's; not stated for this loop)."""
    pose_weight: float = 1.0
    shape_weight: float = 0.001
    alignment_weight: float = 0.1
    """Not published: found on validation, see docs/adaptation.md."""
    keep: float = 0.9
    """Of a 2D label at each update; the rest is what the network projects."""
    fill_threshold: float | None = None
    """Cosine from which missing keypoints are filled in; None: the dictionary's, for each space has
    its own (`unipose.adaptation.calibration`)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.passes, self.segments) < 1:
            raise ConfigError(f"expected at least one epoch, pass and segment, got {self}")
        if not 0 <= self.keep <= 1:
            raise ConfigError(f"keep is a share from 0 to 1, got {self.keep}")

    def rate_of(self, epoch: int, peak: float) -> float:
        """Return the learning rate of an epoch, from `peak` down to `last_rate`."""
        share = torch.tensor(torch.pi * epoch / max(1, self.epochs)).cos()
        return self.last_rate + (peak - self.last_rate) * float(1 + share) / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class PersonFilm:
    """One person's crops of a film, with what a detector saw."""

    pixels: UInt8[Tensor, "frame 3 side side"]
    """RGB, of the network's size."""
    crops: Crops
    keypoints: Keypoints
    """One row a frame, of any set, in pixels of the picture."""
    fps: float
    segments: Sequence[FilmSegment]
    features: Tensor | None = None
    """What a `SplitMeshRecovery` keeps as it is, where it was computed before."""

    def __len__(self) -> int:
        return len(self.pixels)

    def __post_init__(self) -> None:
        ends = [(one.start, one.end) for one in self.segments]
        whole = [0, *(end for _, end in ends)] == [*(start for start, _ in ends), len(self.pixels)]
        if not ends or not whole:
            raise ConfigError(
                f"expected segments that follow each other from 0 to {len(self.pixels)}, got {ends}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapted:
    """What came out of one film."""

    before: RecoveredMeshes
    after: RecoveredMeshes
    labels: KeypointLabels
    cosines: Float[Tensor, "epoch segment"]
    """Of each segment with its target after each epoch; without alignment there are no rows."""


class Adapter:
    """Adapts one network to any number of films; each starts from the same weights."""

    def __init__(
        self,
        network: MeshRecovery,
        body: Body,
        denoiser: MotionDenoiser,
        *,
        space: MotionSpace | None = None,
        dictionary: MotionDictionary | None = None,
        config: AdapterConfig | None = None,
    ) -> None:
        self.network, self.denoiser = network, denoiser
        self.space, self.dictionary = space, dictionary
        self.config = config or AdapterConfig()
        self.place = next(network.parameters()).device
        self.body_id = body.id
        self.points = LandmarkedBody(body, range(len(BODY_AND_FEET))).to(self.place)

    def adapt(
        self,
        film: PersonFilm,
        mode: AdaptationMode,
        *,
        state: Path | None = None,
        on_epoch: Callable[[int, RecoveredMeshes], None] | None = None,
    ) -> Adapted:
        """Return what the network says of a film before and after it was adapted to it.

        The network's weights are restored afterwards, also when something fails. With `state` the
        adaptation is kept in this file after each epoch and goes on from there; the result is that
        of one without a break. `on_epoch` is told each epoch's number, from 0, and poses.

        Raises ConfigError: labels or anchors without a space or a dictionary, or a network whose
        betas belong to another body. Raises PoseQueryError for a label that is not known.
        """
        with adaptable(self.network) as weights:
            return _Run(self, film, mode, weights).result(state, on_epoch)


class _Run:
    """The state of one film's adaptation."""

    def __init__(
        self, adapter: Adapter, film: PersonFilm, mode: AdaptationMode, weights: Sequence[Tensor]
    ) -> None:
        self.adapter, self.film, self.mode, self.weights = adapter, film, mode, weights
        self.config, self.place = adapter.config, adapter.place
        self.network = FilmNetwork(adapter.network, film.pixels, film.features)
        self.before = self.network.all_frames()
        if self.before.body != adapter.body_id:
            raise ConfigError(
                f"the network says betas of {self.before.body!r}, and the body is "
                f"{adapter.body_id!r}; name the body's file (--body)"
            )
        labels = KeypointLabels.of(film.keypoints, film.crops, least_score=self.config.least_score)
        self.labels = KeypointLabels(
            **{name: value.to(self.place) for name, value in vars(labels).items()}
        )
        self.denoiser = deepcopy(adapter.denoiser).to(self.place)
        self.optimizer = torch.optim.Adam(weights, lr=self.config.rate, betas=(0.5, 0.9))
        self.denoiser_optimizer = torch.optim.Adam(
            self.denoiser.parameters(), lr=self.config.denoiser_rate, betas=(0.5, 0.9)
        )
        self.smooth: tuple[Tensor, Tensor] | None = None
        """Denoised rotations and mean betas of the epoch before."""
        self.frames = [torch.arange(one.start, one.end, device=self.place) for one in film.segments]
        self._set_targets()
        self.cosines: list[Tensor] = []

    def _set_targets(self) -> None:
        self.alignment: Alignment | None = None
        if self.mode.alignment == "none":
            return
        adapter = self.adapter
        if adapter.space is None or adapter.dictionary is None:
            raise ConfigError("alignment needs a motion-text space with its dictionary")
        self.alignment = Alignment(adapter.space, self.film.segments, fps=self.film.fps)
        self._aim(self.before)

    def _aim(self, now: RecoveredMeshes) -> None:
        """Set where segments are pulled from now on, and how far they are from there."""
        assert self.alignment is not None
        assert self.adapter.dictionary is not None
        if self.mode.alignment == "labels":
            targets = SegmentTargets.of_labels(self.film.segments, self.adapter.dictionary)
            self.targets = targets.to(self.place)
        else:
            self.targets = self.alignment.nearest_anchors(now.rotations, self.adapter.dictionary)
        self.cosine = self._cosines(now)

    @torch.no_grad()
    def _cosines(self, now: RecoveredMeshes) -> Float[Tensor, " segment"]:
        assert self.alignment is not None
        every = range(len(self.frames))
        parts = [now.rotations[frames] for frames in self.frames]
        return self.alignment.cosines(parts, every, self.targets)

    def result(
        self, state: Path | None, on_epoch: Callable[[int, RecoveredMeshes], None] | None
    ) -> Adapted:
        """Run the epochs that are left."""
        kept = AdapterState(
            weights=self.weights, denoiser=list(self.denoiser.parameters()),
            optimizers=(self.optimizer, self.denoiser_optimizer),
        )  # fmt: skip
        first = 0
        if state is not None and state.is_file():
            first, tensors = kept.load(state)
            self._restore(tensors)
        now = self.network.all_frames() if first else self.before
        for epoch in range(first, self.config.epochs):
            generator = torch.Generator().manual_seed(1000 * self.config.seed + epoch)
            self._learn(epoch, generator)
            now = self.network.all_frames()
            self._update(now, generator)
            if state is not None:
                kept.save(state, epoch + 1, self._tensors())
            if on_epoch is not None:
                on_epoch(epoch, now)
        segments = len(self.frames)
        return Adapted(
            before=self.before,
            after=now,
            labels=self.labels,
            cosines=torch.stack(self.cosines) if self.cosines else torch.zeros(0, segments),
        )

    def _learn(self, epoch: int, generator: torch.Generator) -> None:
        """Go through the film's segments; those that fit their label badly come more often."""
        for optimizer, peak in (
            (self.optimizer, self.config.rate), (self.denoiser_optimizer, self.config.denoiser_rate)
        ):  # fmt: skip
            for group in optimizer.param_groups:
                group["lr"] = self.config.rate_of(epoch, peak)
        count = len(self.frames)
        for _ in range(self.config.passes):
            if self.alignment is None:
                order = torch.randperm(count, generator=generator)
            else:
                odds = torch.where(self.targets.pulls, 1 - self.cosine, 1.0).clamp(min=0.01).cpu()
                order = torch.multinomial(odds, count, replacement=True, generator=generator)
            for some in order.split(self.config.segments):
                loss = self._loss(some.tolist())
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()

    def _loss(self, chosen: Sequence[int]) -> Float[Tensor, ""]:
        """Return the loss of some segments (equation 10)."""
        config, frames = self.config, torch.cat([self.frames[i] for i in chosen])
        found = self.network(frames)
        loss = config.projection_weight * self.labels[frames].loss(self._projected(found))
        if self.mode.smoothing and self.smooth is not None:
            rotations, betas = self.smooth
            pose = (found.rotations - rotations[frames]).abs().mean()
            shape = (found.betas - betas[frames]).abs().mean()
            loss = loss + config.pose_weight * pose + config.shape_weight * shape
        pulled = [i for i in chosen if self.alignment is not None and bool(self.targets.pulls[i])]
        if pulled and self.alignment is not None:
            parts = found.rotations.split([len(self.frames[i]) for i in chosen])
            motions = [part for part, i in zip(parts, chosen) if i in pulled]
            cosines = self.alignment.cosines(motions, pulled, self.targets)
            loss = loss + config.alignment_weight * (1 - cosines).sum() / len(chosen)
        return loss

    def _projected(self, found: RecoveredMeshes) -> Float[Tensor, "frame 23 2"]:
        """Return where the body's keypoints fall, in pixels of the crop from its middle."""
        _, points = self.adapter.points(found.rotations, found.betas)
        if found.camera_places == "origin":
            body = self.adapter.points
            points = (
                points + (body.rest_joints[0] + found.betas @ body.joint_directions[0].mT)[:, None]
            )
        return project(points, found.camera) * CROP_PX

    def _update(self, now: RecoveredMeshes, generator: torch.Generator) -> None:
        """Between epochs: denoise, move the labels, then fill in."""
        if self.mode.smoothing:
            rotations = adapt_denoiser(
                self.denoiser, now.rotations, self.denoiser_optimizer, generator
            )
            self.smooth = rotations, _windowed_mean(now.betas, self.denoiser.config.frames)
        if self.alignment is not None:
            self._aim(now)
            self.cosines.append(self.cosine.cpu())
        if not (self.mode.ema or self.mode.fill_in):
            return
        with torch.no_grad():
            projected = self._projected(now)
        if self.mode.ema:
            self.labels = self.labels.moved(projected, keep=self.config.keep)
        if self.mode.fill_in:
            assert self.adapter.dictionary is not None
            threshold = self.config.fill_threshold
            threshold = self.adapter.dictionary.fill_threshold if threshold is None else threshold
            agrees = self.targets.pulls & (self.cosine > threshold)
            lengths = torch.tensor([len(frames) for frames in self.frames], device=self.place)
            self.labels = self.labels.filled_in(projected, agrees.repeat_interleave(lengths))

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"labels.{name}": value for name, value in vars(self.labels).items()}
        if self.smooth is not None:
            tensors |= {"smooth.rotations": self.smooth[0], "smooth.betas": self.smooth[1]}
        if self.cosines:
            tensors["cosines"] = torch.stack(self.cosines)
        return tensors

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        placed = {name: value.to(self.place) for name, value in tensors.items()}
        self.labels = KeypointLabels(
            **{name: placed[f"labels.{name}"] for name in vars(self.labels)}
        )
        if "smooth.rotations" in placed:
            self.smooth = placed["smooth.rotations"], placed["smooth.betas"]
        if "cosines" in tensors:
            self.cosines = list(tensors["cosines"])
        if self.alignment is not None:
            self._aim(self.network.all_frames())


def _windowed_mean(betas: Float[Tensor, "frame 10"], length: int) -> Float[Tensor, "frame 10"]:
    """Return the mean shape of the windows that hold each frame."""
    windows = windows_of(len(betas), length).to(betas.device)
    means = betas[windows].mean(1)
    total = torch.zeros_like(betas)
    counts = betas.new_zeros(len(betas), 1)
    total.index_add_(0, windows.flatten(), means.repeat_interleave(length, dim=0))
    counts.index_add_(0, windows.flatten(), counts.new_ones(windows.numel(), 1))
    return total / counts
