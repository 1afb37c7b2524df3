"""The 2D labels of a film while it is adapted to: seen, smoothed by EMA, and filled in.

Between epochs (semantics-aware adaptation, equations 6 to 8) every label moves a little towards
what the network projects, and a keypoint that nobody saw takes its place from a motion that agrees
with its action. Places are pixels of a crop of CROP_PX, as in CycleAdapt, so that its weights of
losses hold for crops of any size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.errors import PoseError
from unipose.vision.crops import Crops

CROP_PX = 224.0
BODY_AND_FEET = KeypointSet(name="body-23", names=COCO_WHOLEBODY_133.names[:23])
"""COCO's 17 and the feet of COCO-WholeBody; all sets are mapped onto it by name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointLabels:
    """Where the keypoints of each frame should fall, and which of them count."""

    points: Float[Tensor, "frame 23 2"]
    """Pixels of the crop from its middle."""
    counted: Bool[Tensor, "frame 23"]
    filled: Bool[Tensor, "frame 23"]
    """Those that were not seen."""

    @classmethod
    def of(cls, keypoints: Keypoints, crops: Crops, *, least_score: float) -> KeypointLabels:
        """Return the labels of detected keypoints (pixels of the picture), one row a frame.

        Keypoints count from `least_score` on. Raises PoseError if the set has not one keypoint of
        the body by name, or if there is not one row for each crop.
        """
        if len(keypoints) != len(crops):
            raise PoseError(f"expected keypoints of {len(crops)} frames, got {len(keypoints)}")
        mapped = keypoints.mapped_to(BODY_AND_FEET)
        if not bool(mapped.present.any()) and bool(keypoints.present.any()):
            raise PoseError(
                f"{keypoints.keypoint_set.name} shares no keypoint with {BODY_AND_FEET.name}; "
                "check the names of the keypoint file"
            )
        counted = mapped.present & (mapped.scores > least_score)
        points = crops.to_crop(mapped.points) * CROP_PX
        return cls(
            points=torch.where(counted[..., None], points, 0.0),
            counted=counted,
            filled=torch.zeros_like(counted),
        )

    def __getitem__(self, rows: Tensor) -> KeypointLabels:
        """Return some of the frames."""
        return KeypointLabels(
            points=self.points[rows], counted=self.counted[rows], filled=self.filled[rows]
        )

    def loss(self, projected: Float[Tensor, "frame 23 2"]) -> Float[Tensor, ""]:
        """Return the mean L1 distance to what counts (equation 5); what does not count is 0."""
        return ((projected - self.points).abs() * self.counted[..., None]).mean()

    def moved(self, projected: Float[Tensor, "frame 23 2"], *, keep: float) -> KeypointLabels:
        """Return the labels moved towards the projections: keep * old + (1 - keep) * projected."""
        points = torch.lerp(projected, self.points, keep)
        return replace(self, points=torch.where(self.counted[..., None], points, self.points))

    def filled_in(
        self, projected: Float[Tensor, "frame 23 2"], agrees: Bool[Tensor, " frame"]
    ) -> KeypointLabels:
        """Return the labels with what is missing taken from the frames that agree.

        frame agrees   label   projected     after
        yes            (3, 4)  (5, 5)        (3, 4)
        yes            none    (5, 5)        (5, 5), filled
        no             none    (5, 5)        none
        """
        new = ~self.counted & agrees[:, None]
        return KeypointLabels(
            points=torch.where(new[..., None], projected, self.points),
            counted=self.counted | new,
            filled=self.filled | new,
        )
