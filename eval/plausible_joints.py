"""Whether the twelve joints of arms and legs could be a person's: limits, and frames of a film.

Limits need no truth, but are those of joints alone, which do not say how a thigh is turned about
itself; what the truth does by the same measure stands beside.
"""

from __future__ import annotations

from math import cos, pi, radians

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.body.keypoint_sets import COCO_17, KeypointSet
from unipose.lifting.segments import segments_of
from unipose.metrics.plausibility import segment_lengths

LIMBS = KeypointSet(
    name="limbs", names=COCO_17.names[5:],
    bones=tuple((a, b) for a, b in COCO_17.bones if {a, b} <= set(COCO_17.names[5:])),
)  # fmt: skip
"""Shoulders, elbows, wrists, hips, knees and ankles."""
MOST_FOLDED = radians(160)
"""Of an elbow or a knee; ranges of motion end at 145 to 150 degrees."""
MOST_FORWARD = radians(25)
"""That a lower leg points forward of its thigh: 10 degrees of a knee, and a turned thigh."""
MOST_BACK = radians(60)
"""That a thigh points back: 30 degrees of a hip, and a back that is bent."""
OTHER_SIDE = radians(150)
SIDES = ("left", "right")


def beyond_limits(joints: Float[Tensor, "pose 12 3"]) -> Bool[Tensor, "pose 6"]:
    """Return which elbows, knees and hips are bent as nobody's are (left and right of each).

    Any right-handed axes.
    """
    at = LIMBS.index

    def line(a: str, b: str) -> Float[Tensor, "pose 3"]:
        ends = joints[:, at[b]] - joints[:, at[a]]
        return ends / ends.norm(dim=-1, keepdim=True).clamp(min=1e-9)

    across = line("right_hip", "left_hip")
    middle = {
        part: joints[:, LIMBS.indices(f"left_{part}", f"right_{part}")].mean(1)
        for part in ("shoulder", "hip")
    }
    spine = middle["shoulder"] - middle["hip"]
    up = spine - (spine * across).sum(-1, keepdim=True) * across
    up = up / up.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    front = torch.linalg.cross(across, up)
    found = []
    for side in SIDES:
        upper, lower = (
            line(f"{side}_elbow", f"{side}_shoulder"),
            line(f"{side}_elbow", f"{side}_wrist"),
        )
        found.append(_folded(upper, lower))
    thighs, shins = (
        [line(f"{side}_{a}", f"{side}_{b}") for side in SIDES]
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )
    for thigh, shin in zip(thighs, shins, strict=True):
        # what is front for the thigh: the pelvis' front, swung with the thigh about its own side
        ahead = torch.linalg.cross(thigh, across)
        ahead = ahead / ahead.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        forward = torch.atan2((shin * ahead).sum(-1), (shin * thigh).sum(-1))
        # folded legs, and thighs that point up, may be seen from the other side
        found.append(_folded(-thigh, shin) | ((forward > MOST_FORWARD) & (forward < OTHER_SIDE)))
    for thigh in thighs:
        back = torch.atan2(-(thigh * front).sum(-1), -(thigh * up).sum(-1))
        found.append((back > MOST_BACK) & (back < OTHER_SIDE))
    return torch.stack(found, dim=1)


def _folded(a: Float[Tensor, "pose 3"], b: Float[Tensor, "pose 3"]) -> Bool[Tensor, " pose"]:
    return (a * b).sum(-1) > cos(pi - MOST_FOLDED)


def film_consistency(joints: Float[Tensor, "frame 12 3"]) -> dict[str, Float[Tensor, " _"]]:
    """Return how one person's joints go together over the frames of a film (percent).

    `side_swaps`: for each pair of frames 100 where the joints would move less if left and right
    were exchanged. `front_flips`: 100 where the body's front turns by more than a right angle.
    `length_drift`: for each limb, how much its length varies, in its mean length.
    """
    mirror = list(LIMBS.mirror)
    before, after = joints[:-1], joints[1:]
    stays = (after - before).norm(dim=-1).mean(1)
    swapped = (after[:, mirror] - before).norm(dim=-1).mean(1)
    hips = LIMBS.indices("left_hip", "right_hip")
    shoulders = LIMBS.indices("left_shoulder", "right_shoulder")
    across = joints[:, hips[0]] - joints[:, hips[1]]
    front = torch.linalg.cross(across, joints[:, shoulders].mean(1) - joints[:, hips].mean(1))
    turned = (front[1:] * front[:-1]).sum(-1) < 0
    lengths = segment_lengths(joints, segments_of(LIMBS).limbs)
    return {
        "side_swaps": 100 * (swapped < stays).float(),
        "front_flips": 100 * turned.float(),
        "length_drift": 100 * lengths.std(dim=0) / lengths.mean(dim=0).clamp(min=1e-6),
    }
