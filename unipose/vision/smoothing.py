"""Trembling of single-frame results is smoothed: over a whole track, or as frames come.

| | delay | needs |
|---|---|---|
| `smooth_keypoints`, `smooth_poses` | none (zero phase) | the whole track, evenly spaced |
| `OneEuroFilter` | `OneEuroConfig.delay_s` at rest, less in motion | the past alone |
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import roma
import torch
from jaxtyping import Float
from scipy.signal import butter, sosfiltfilt
from torch import Tensor

from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseError
from unipose.vision.gaps import runs

CUTOFF_HZ = 6.0
"""What people do is slower; gait laboratories cut there (Winter, Biomechanics)."""


def smooth_keypoints(
    keypoints: Keypoints, *, fps: float, cutoff_hz: float = CUTOFF_HZ
) -> Keypoints:
    """Return one person's keypoints (a row per frame, evenly spaced) without what trembles.

    A Butterworth filter of second order that runs forth and back: no delay, half the amplitude at
    `cutoff_hz`. A keypoint is smoothed between its gaps, never over one. Scores stay. Raises
    ConfigError unless 0 < cutoff_hz < fps / 2.
    """
    points = keypoints.points.clone()
    for i in range(len(keypoints.keypoint_set)):
        for start, end in runs(keypoints.present[:, i]):
            points[start:end, i] = _zero_phase(points[start:end, i], fps, cutoff_hz)
    return replace(keypoints, points=points)


def smooth_poses(poses: Pose, *, cutoff_hz: float = CUTOFF_HZ) -> Pose:
    """Return a sequence of one person's poses without what trembles; as `smooth_keypoints`.

    Rotations are smoothed as matrices and brought back to the nearest rotation, so that nothing
    depends on how they turn. Betas become their mean: a person has one shape. Raises PoseError if
    the poses have no frame rate, ConfigError unless 0 < cutoff_hz < fps / 2.
    """
    if poses.fps is None:
        raise PoseError("these poses have no frame rate; smoothing needs one")
    entries = _zero_phase(poses.rotations.flatten(1), poses.fps, cutoff_hz)
    betas, translation = poses.betas, poses.translation
    if translation is not None:
        translation = _zero_phase(translation, poses.fps, cutoff_hz)
    if betas is not None and len(poses):
        betas = betas.mean(dim=0, keepdim=True).repeat(len(poses), 1)
    rotations = roma.special_procrustes(entries.view(-1, 3, 3))
    assert isinstance(rotations, Tensor)
    rotations = rotations.view_as(poses.rotations)
    return replace(poses, rotations=rotations, translation=translation, betas=betas)


def _zero_phase(
    values: Float[Tensor, "frame value"], fps: float, cutoff_hz: float
) -> Float[Tensor, "frame value"]:
    if not 0 < cutoff_hz < fps / 2:
        raise ConfigError(
            f"at {fps:g} frames per second motion is known up to {fps / 2:g} Hz; expected a "
            f"cutoff_hz between, got {cutoff_hz:g}"
        )
    if len(values) < 3:
        return values
    sections = butter(2, cutoff_hz, fs=fps, output="sos")
    padding = min(len(values) - 1, math.ceil(fps / cutoff_hz) + 9)
    smooth = sosfiltfilt(sections, values.detach().cpu().double().numpy(), axis=0, padlen=padding)
    return torch.as_tensor(np.ascontiguousarray(smooth)).to(values)


@dataclass(frozen=True, kw_only=True)
class OneEuroConfig:
    """The One-Euro filter (Casiez et al. 2012): smooth at rest, quick in motion."""

    rest_cutoff_hz: float = 1.5
    """Lower trembles less and lags more (the paper's f_c min)."""
    speed_gain: float = 1.0
    """Hz more per unit of speed (the paper's beta): radians, or sizes of a person, a second."""
    speed_cutoff_hz: float = 1.0
    """Of the speed itself."""

    def __post_init__(self) -> None:
        if not (self.rest_cutoff_hz > 0 and self.speed_gain >= 0 and self.speed_cutoff_hz > 0):
            raise ConfigError(f"expected positive cutoffs and speed_gain >= 0, got {self}")

    @property
    def delay_s(self) -> float:
        """By how much what comes out lags behind slow motion; less the faster it is."""
        return 1 / (2 * math.pi * self.rest_cutoff_hz)


class OneEuroFilter:
    """Smooths points or rotations of one person as frames come; state for one person only.

    `size` is the unit that speed of points is measured in: a person's height, in the unit of the
    points. Points that are NaN are missing; they come out as NaN and start anew where they left.
    """

    def __init__(
        self,
        config: OneEuroConfig | None = None,
        *,
        of: Literal["points", "rotations"] = "points",
        size: float = 1.0,
    ) -> None:
        self.config, self.of, self.size = config or OneEuroConfig(), of, size
        self._smooth: Tensor | None = None

    def update(
        self, values: Float[Tensor, "item *axes"], seconds: float
    ) -> Float[Tensor, "item *axes"]:
        """Return the smoothed values of a frame: points (item, axis) or rotations (item, 3, 3).

        Raises PoseError unless time goes up.
        """
        if self._smooth is None:
            self._smooth, self._last = values.clone(), values.clone()
            self._speed = torch.zeros_like(self._apart(values, values).nan_to_num())
            self._seconds = torch.full((len(values),), seconds, dtype=torch.float64)
            return values
        passed = (seconds - self._seconds).to(values)[:, None]
        if not bool((passed > 0).all()):
            raise PoseError(f"time has to go up; {seconds} s does not")
        here = torch.isfinite(values.flatten(1)).all(1)
        new = here & ~torch.isfinite(self._smooth.flatten(1)).all(1)
        self._smooth[new], self._last[new] = values[new], values[new]

        velocity = self._apart(self._last, values) / passed / self.size
        share = _share(self.config.speed_cutoff_hz, passed)
        self._speed[here] = torch.lerp(self._speed, velocity, share)[here]
        speed = self._speed.norm(dim=-1, keepdim=True)
        cutoff = self.config.rest_cutoff_hz + self.config.speed_gain * speed
        step = _share(cutoff, passed) * self._apart(self._smooth, values)
        self._smooth[here] = self._moved(self._smooth, step)[here]
        self._last[here], self._seconds[here] = values[here], seconds
        missing = ~here.view(-1, *[1] * (values.ndim - 1))
        return torch.where(missing, torch.nan, self._smooth)

    def _apart(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the way from one to the other: a difference, or a rotation vector."""
        return other - one if self.of == "points" else roma.rotmat_to_rotvec(one.mT @ other)

    def _moved(self, one: Tensor, step: Tensor) -> Tensor:
        return one + step if self.of == "points" else one @ roma.rotvec_to_rotmat(step)


def _share(cutoff_hz: float | Tensor, passed: Tensor) -> Tensor:
    """Return how much of a new value a low pass of first order takes."""
    turn = 2 * math.pi * cutoff_hz * passed
    return turn / (1 + turn)
