"""Gaps of a track are bridged or left out: keypoints and poses at any times, from those seen.

Between two sightings that are at most so many seconds apart a keypoint, a translation and betas go
straight, and each joint turns at constant speed about one axis (slerp). What lies in a longer gap,
before the first sighting or after the last one stays unknown: nothing is continued.

    seen at      0.0  0.1            0.4       0.9     longest_s = 0.3
    wanted at    0.0  0.1  0.2  0.3  0.4  0.5  0.9
    known        yes  yes  yes  yes  yes  no   yes
"""

from __future__ import annotations

from dataclasses import dataclass

import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.errors import PoseError

SAME_MOMENT_S = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class _Neighbours:
    """The sightings around each wanted time; both are the same one where it was seen right then."""

    before: Int[Tensor, " wanted"]
    after: Int[Tensor, " wanted"]
    share: Float[Tensor, " wanted"]
    """Of the way from the one to the other, 0 to 1."""
    known: Bool[Tensor, " wanted"]


def bridge_keypoints(
    keypoints: Keypoints,
    seconds: Float[Tensor, " seen"],
    at: Float[Tensor, " wanted"],
    *,
    longest_s: float,
) -> Keypoints:
    """Return one person's keypoints at the times `at` (one row each) from rows seen at `seconds`.

    Each keypoint has gaps of its own; what is bridged has the lower score of the two ends. With
    longest_s = 0 only what was seen at these very times is present. Raises PoseError unless both
    times go up.
    """
    _check(seconds, at, len(keypoints))
    shape = (len(at), len(keypoints.keypoint_set))
    points = keypoints.points.new_zeros(*shape, keypoints.points.shape[2])
    scores, present = keypoints.scores.new_zeros(shape), keypoints.present.new_zeros(shape)
    for i in range(shape[1]):
        rows = keypoints.present[:, i].nonzero()[:, 0]
        if not len(rows):
            continue
        near = _neighbours(seconds[rows], at, longest_s)
        before, after = rows[near.before], rows[near.after]
        share = near.share[:, None].to(points)
        points[:, i] = torch.lerp(keypoints.points[before, i], keypoints.points[after, i], share)
        scores[:, i] = torch.minimum(keypoints.scores[before, i], keypoints.scores[after, i])
        present[:, i] = near.known
    return Keypoints.of(keypoints.keypoint_set, points, scores, present=present)


def bridge_poses(
    poses: Pose,
    seconds: Float[Tensor, " seen"],
    at: Float[Tensor, " wanted"],
    *,
    longest_s: float,
) -> list[tuple[int, Pose]]:
    """Return one person's poses at the times `at`, as stretches without a gap.

    Each is the position in `at` of its first pose, and the poses; they have a frame rate where the
    times of the stretch are evenly spaced. Raises PoseError unless both times go up.
    """
    _check(seconds, at, len(poses))
    if not len(poses):
        return []
    near = _neighbours(seconds, at, longest_s)
    share = near.share.to(poses.rotations)
    first = poses.rotations[near.before]
    turn = roma.rotmat_to_rotvec(first.mT @ poses.rotations[near.after])
    whole = Pose(
        rotations=first @ roma.rotvec_to_rotmat(share[:, None, None] * turn),
        betas=_between(poses.betas, near),
        translation=_between(poses.translation, near),
        body=poses.body,
    )
    stretches = []
    for start, end in runs(near.known):
        times = at[start:end]
        part = whole[start:end]
        stretches.append((start, Pose(
            rotations=part.rotations, betas=part.betas, translation=part.translation,
            body=part.body, fps=_rate(times),
        )))  # fmt: skip
    return stretches


def runs(known: Bool[Tensor, " time"]) -> list[tuple[int, int]]:
    """Return start and end (exclusive) of each run of True: 0 1 1 0 1 -> (1, 3), (4, 5)."""
    end = known.new_zeros(1)
    edges = torch.cat([end, known, end]).int().diff().nonzero()[:, 0].tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _neighbours(
    seconds: Float[Tensor, " seen"], at: Float[Tensor, " wanted"], longest_s: float
) -> _Neighbours:
    last = len(seconds) - 1
    after = torch.searchsorted(seconds, at - SAME_MOMENT_S)
    inside = after <= last
    after = after.clamp(max=last)
    exact = inside & ((seconds[after] - at).abs() <= SAME_MOMENT_S)
    before = torch.where(exact, after, after - 1)
    inside &= before >= 0
    before = before.clamp(min=0)
    apart = seconds[after] - seconds[before]
    share = torch.where(apart > 0, (at - seconds[before]) / apart, 0.0).clamp(0.0, 1.0)
    known = inside & (exact | (apart <= longest_s + SAME_MOMENT_S))
    return _Neighbours(before=before, after=after, share=share, known=known)


def _between(
    values: Float[Tensor, "seen value"] | None, near: _Neighbours
) -> Float[Tensor, "wanted value"] | None:
    if values is None:
        return None
    return torch.lerp(values[near.before], values[near.after], near.share[:, None].to(values))


def _rate(times: Float[Tensor, " wanted"]) -> float | None:
    """Return frames per second of evenly spaced times; they may be off by a twentieth."""
    steps = times.diff()
    if not len(steps) or float((steps - steps.mean()).abs().max()) > 0.05 * float(steps.mean()):
        return None
    return 1 / float(steps.mean())


def _check(seconds: Float[Tensor, " seen"], at: Float[Tensor, " wanted"], rows: int) -> None:
    if len(seconds) != rows:
        raise PoseError(f"expected a time for each of {rows} rows, got {len(seconds)}")
    for name, times in (("seconds", seconds), ("at", at)):
        if bool((times.diff() <= 0).any()):
            raise PoseError(f"the times `{name}` have to go up")
