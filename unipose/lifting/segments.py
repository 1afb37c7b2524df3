"""Which pairs of joints are body segments, for the measures of plausibility."""

from __future__ import annotations

from dataclasses import dataclass

from unipose.body.keypoint_sets import KeypointSet, mirrored_name
from unipose.body.whole_body import FACE_NAMES
from unipose.errors import SkeletonError

_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", *FACE_NAMES)
"""Keypoints that move against the trunk."""
_TRUNK_SIDES = [{f"{side}_shoulder", f"{side}_hip"} for side in ("left", "right")]
"""Lines that sets draw, but which get shorter as somebody bends."""

Segments = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class BodySegments:
    """Pairs of joints by position."""

    left: Segments
    """Limbs of the left side: bones that have a counterpart."""
    right: Segments
    """Their counterparts, in the same order."""
    bones: Segments
    """All of them, each once."""

    @property
    def limbs(self) -> Segments:
        """Those of both sides."""
        return self.left + self.right


def segments_of(keypoint_set: KeypointSet) -> BodySegments:
    """Return the segments of a set: of Human3.6M's the six pairs that SEAL-Pose compares.

    A limb is a bone whose mirror image is another bone of the set: pelvis to hip, hip to knee,
    knee to ankle, neck to shoulder, and so on; fingers and feet where there are any. Lines to the
    face, and from shoulders to hips, have no fixed length and are left out. The published
    code counts bones for BSLE by triplets of joints, some five times; here each counts once.
    Raises SkeletonError for a set without bones.
    """
    if not keypoint_set.bones:
        raise SkeletonError(f"{keypoint_set.name} has no bones, so segments have no lengths")
    bones = [
        bone for bone in keypoint_set.bones if not ({*bone} & {*_HEAD} or {*bone} in _TRUNK_SIDES)
    ]
    index = keypoint_set.index
    left, right = [], []
    for a, b in bones:
        other = mirrored_name(a), mirrored_name(b)
        # the line between both shoulders is its own mirror image
        if not any(name.startswith("left_") for name in (a, b)) or {*other} == {a, b}:
            continue
        if any(name.startswith("right_") for name in (a, b)):
            continue
        left.append((index[a], index[b]))
        right.append((index[other[0]], index[other[1]]))
    return BodySegments(
        left=tuple(left),
        right=tuple(right),
        bones=tuple((index[a], index[b]) for a, b in bones),
    )
