"""A picture on its way into the model: pixels made ready for its eyes, or what the eyes saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.body.people import Box
from unipose.errors import ConfigError
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One picture as the model takes it; a part of a question, as texts and poses are.

    Frozen eyes see the same picture the same way every time: a trainer keeps what they saw
    (`seen` pictures, of `Eyes.encode_images`) and hands that over in place of the pixels.
    """

    clip: Float[Tensor, "..."] | None
    """Pixels (3, side, side) or features (patch, channel); None for a model without CLIP."""
    pose: Float[Tensor, "_ _ _"]
    """Pixels (3, side, side) or the map of features (channel, row, column) for the Pose-ViT."""
    seen: bool = False
    """Whether these are features."""
    guess: Int[Tensor, " code"] | None = None
    """Codes of the pose that eyes with a mesh recovery head see; read behind the patches."""
    meshes: RecoveredMeshes | None = None
    """The one person that such eyes see, with shape and weak camera, which have no codes."""
    box: Box | None = None
    """What it was cut out around, in its photo; None: the photo's middle square."""
    size_px: tuple[int, int] | None = None
    """Width and height of its photo, where known."""

    @property
    def crops(self) -> Crops | None:
        """Which square of its photo this is; None if the photo's size is not known."""
        if self.size_px is None:
            return None
        if self.box is None:
            width, height = self.size_px
            return Crops.whole(height, width)
        return Crops.around(torch.tensor([self.box]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """All pictures of a batch, in the order of rows and of places; rows without have none."""

    clip: Float[Tensor, "image ..."] | None
    pose: Float[Tensor, "image _ _ _"]
    seen: bool = False

    def __len__(self) -> int:
        return len(self.pose)

    @classmethod
    def stacked(cls, pictures: Sequence[Picture]) -> Pictures | None:
        """Return the pictures side by side, None if there are none.

        Raises ConfigError if some are pixels and others features.
        """
        if not pictures:
            return None
        kinds = {(picture.seen, picture.clip is None) for picture in pictures}
        if len(kinds) > 1:
            raise ConfigError(
                "the pictures of one batch must all be pixels or all be features, for the same eyes"
            )
        clips = [picture.clip for picture in pictures if picture.clip is not None]
        return cls(
            clip=torch.stack(clips) if clips else None,
            pose=torch.stack([picture.pose for picture in pictures]),
            seen=pictures[0].seen,
        )

    def apart(self) -> list[Picture]:
        """Return the pictures one by one."""
        clips = [None] * len(self) if self.clip is None else list(self.clip)
        return [
            Picture(clip=clip, pose=pose, seen=self.seen)
            for clip, pose in zip(clips, self.pose, strict=True)
        ]

    def to(self, device: torch.device | str) -> Pictures:
        """Return the pictures on a device."""
        clip = None if self.clip is None else self.clip.to(device)
        return Pictures(clip=clip, pose=self.pose.to(device), seen=self.seen)
