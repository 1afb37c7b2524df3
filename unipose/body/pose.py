"""The Pose type: a batch of body poses as joint rotations, with what is known about their body."""

from __future__ import annotations

from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError

OPEN_BODY = "open"
"""Id of the embedded body; shapes (betas) of different bodies are never mixed."""
MOST_SECONDS = 1e9


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Pose:
    """A batch of poses of SMPL's 24 joints.

    `rotations` are local (relative to the parent), joint 0 is the root; the root's frame is the
    project's world: y up, right-handed. A body with identity rotations stands in a T-pose,
    faces +z, and has its left at +x. Metres, seconds.

    Raises PoseError if an array has the wrong shape, is not finite, or is not a rotation.
    """

    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"] | None = None
    translation: Float[Tensor, "batch 3"] | None = None
    fps: float | None = None
    body: str = OPEN_BODY
    """Whose betas these are: "open", "smpl", "smplh", "smplx"."""

    def __post_init__(self) -> None:
        joints = len(SMPL.joints)
        if self.rotations.ndim != 4 or self.rotations.shape[1:] != (joints, 3, 3):
            raise PoseError(
                f"expected rotations (batch, {joints}, 3, 3), got {tuple(self.rotations.shape)}; "
                "Pose.from_rotations also takes 22 joints"
            )
        for name, size in (("betas", 10), ("translation", 3)):
            value = getattr(self, name)
            if value is not None and value.shape != (len(self), size):
                raise PoseError(f"expected {name} ({len(self)}, {size}), got {tuple(value.shape)}")
        for name in ("rotations", "betas", "translation"):
            value = getattr(self, name)
            if value is not None and not bool(torch.isfinite(value).all()):
                raise PoseError(f"{name} hold NaN or infinite numbers")
        error = self.rotations.mT @ self.rotations - torch.eye(3, device=self.rotations.device)
        if len(self) and float(error.abs().max()) > 1e-3:
            raise PoseError(
                f"rotations are not orthonormal (off by {float(error.abs().max()):.3g}); "
                "expected rotation matrices"
            )
        if len(self) and bool((torch.linalg.det(self.rotations) < 0).any()):
            raise PoseError(
                "rotations hold a reflection (determinant -1); expected rotation matrices"
            )
        if self.fps is not None and not 0 < self.fps < 1e5:
            raise PoseError(f"expected a positive frame rate, got {self.fps}")

    def __len__(self) -> int:
        return self.rotations.shape[0]

    def __repr__(self) -> str:
        known = [name for name in ("betas", "translation") if getattr(self, name) is not None]
        rate = [] if self.fps is None else [f"{self.fps:g} fps"]
        count = f"{len(self):,} pose{'s' * (len(self) != 1)}"
        return f"Pose({', '.join([count, *rate, *known, f'body {self.body!r}'])})"

    def __getitem__(self, item: int | slice | Tensor) -> Pose:
        """Return some of the poses; always a batch again."""
        if isinstance(item, int):
            if not -len(self) <= item < len(self):
                raise PoseError(f"no pose {item} in a batch of {len(self)}")
            item = slice(item, item + 1 or None)
        step = item.step or 1 if isinstance(item, slice) else None
        return replace(
            self,
            rotations=self.rotations[item],
            betas=None if self.betas is None else self.betas[item],
            translation=None if self.translation is None else self.translation[item],
            fps=self.fps / abs(step) if self.fps and step else None,
        )

    def at(self, seconds: float) -> Pose:
        """Return the one pose nearest to `seconds`; an error names the length if there is none."""
        if self.fps is None:
            if seconds == 0:
                return self[0]
            raise PoseError(
                "these poses have no frame rate, so there is no time to pick one at; give the rate "
                "(--fps N) or pick by number (--frame N)"
            )
        frame = round(seconds * self.fps) if abs(seconds) < MOST_SECONDS else -1  # inf, nan
        if not 0 <= frame < len(self):
            raise PoseError(
                f"no pose at {seconds:g} s: the recording has {len(self)} poses at {self.fps:g} "
                f"per second and ends at {(len(self) - 1) / self.fps:.2f} s"
            )
        return self[frame]

    @classmethod
    def from_rotations(cls, rotations: Float[Tensor, "batch joint 3 3"], **known: object) -> Pose:
        """Return a Pose from 22 or 24 local rotation matrices; missing hands are unturned."""
        if rotations.ndim != 4 or rotations.shape[1] not in (POSED_JOINTS, len(SMPL.joints)):
            raise PoseError(
                f"expected rotations (batch, 22 or 24, 3, 3), got {tuple(rotations.shape)}"
            )
        missing = len(SMPL.joints) - rotations.shape[1]
        hands = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
        hands = hands.expand(rotations.shape[0], missing, 3, 3)
        return cls(rotations=torch.cat([rotations, hands], dim=1), **known)  # type: ignore[arg-type]

    @classmethod
    def from_axis_angle(cls, axis_angle: Float[Tensor, "batch joint 3"], **known: object) -> Pose:
        """Return a Pose from 22 or 24 local axis-angle vectors (radians)."""
        return cls.from_rotations(roma.rotvec_to_rotmat(axis_angle), **known)

    @classmethod
    def from_6d(cls, sixd: Float[Tensor, "batch joint 6"], **known: object) -> Pose:
        """Return a Pose from 6D rotations: first two columns, one after the other (Zhou 2019)."""
        return cls.from_rotations(rotations_from_6d(sixd), **known)

    @property
    def axis_angle(self) -> Float[Tensor, "batch 24 3"]:
        """Local rotations as axis-angle vectors (radians)."""
        return roma.rotmat_to_rotvec(self.rotations)

    @property
    def sixd(self) -> Float[Tensor, "batch 22 6"]:
        """What the tokenizer sees: 22 joints, first two columns of each rotation."""
        return rotations_to_6d(self.rotations[:, :POSED_JOINTS])

    def mirrored(self) -> Pose:
        """Return the poses with left and right exchanged (reflected at the x = 0 plane)."""
        flip = torch.tensor([-1.0, 1.0, 1.0], device=self.rotations.device)
        rotations = self.rotations[:, list(SMPL.mirror)] * flip[:, None] * flip
        translation = None if self.translation is None else self.translation * flip
        return replace(self, rotations=rotations, translation=translation)
