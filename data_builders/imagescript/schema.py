"""The columns of ImageScript and ImageDiff, as every program that writes or reads them knows them.

Lengths are in the types: what has not 24 rotations or 22 joints cannot be written.
"""

from __future__ import annotations

from datasets import Features, Image, List, Value

from unipose.body.skeletons import POSED_JOINTS, SMPL

SPLITS = ("train", "val", "test")

_POINT_2D = List(Value("float32"), length=2)
_POINT_3D = List(Value("float32"), length=3)

KEYPOINTS = {
    "names": List(Value("string")),
    "points": List(_POINT_2D),
    "visible": List(Value("float32")),
}
"""Pixels of the stored picture; 1 seen, 0.5 hidden, 0 not known (the point is NaN)."""

PERSON = {
    "key": Value("string"),
    "source": Value("string"),
    "box": List(Value("float32"), length=4),  # left, top, right, bottom; pixels of the stored image
    "pose": List(_POINT_3D, length=len(SMPL.joints)),  # local axis-angle, root in the world
    "betas": List(Value("float32")),
    "body": Value("string"),
    "root_in_camera": _POINT_3D,
    "translation": _POINT_3D,  # metres, world
    "focal_px": _POINT_2D,
    "centre_px": _POINT_2D,
    "joints": List(_POINT_3D, length=POSED_JOINTS),  # metres; x left, y up, z front; NaN: not known
    "keypoints_2d": KEYPOINTS,
    "label": Value("string"),
    "contacts": List(Value("string")),
}
"""One person; what the source does not know is null. A pose is null where only joints are known."""

_DESCRIBED = {
    "key": Value("string"),
    "image": Image(),
    "person": PERSON,
    "captions": List(Value("string")),
}
_COMPARED = {
    "key": Value("string"),
    "image_a": Image(),
    "image_b": Image(),
    "person_a": PERSON,
    "person_b": PERSON,
    "texts": List(Value("string")),
    "similarity": Value("float32"),
    "differences": Value("int32"),
    "same_world": Value("bool"),
}
_REFINED_BY = {"by": Value("string")}

FEATURES: dict[str, Features] = {
    "imagescript-a": Features(_DESCRIBED),
    "imagescript-r": Features(_DESCRIBED | _REFINED_BY),
    "imagediff-a": Features(_COMPARED),
    "imagediff-r": Features(_COMPARED | _REFINED_BY),
    "reasoning": Features(
        {
            "key": Value("string"),
            "image": Image(),
            "person": PERSON,
            "people": Value("int32"),
            "who": List(Value("string")),
            "captions": List(Value("string")),
        }
    ),
}
"""Configuration -> columns."""

KINDS: dict[str, tuple[str, ...]] = {"imagescript-a": ("plain", "aggregated", "filtered")}
"""What the captions of a row are, in their order; in the other configurations they are alike."""
