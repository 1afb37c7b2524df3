"""Keypoint sets by name: the landmarks of data sets and detectors, in the order of their files.

A keypoint whose name is also one of SMPL's is that joint, or the landmark nearest to it; landmarks
that SMPL has no joint for keep a name of their own (`nose`, `head_top`, `back1` ...). The same name
in two sets is the same landmark: sets are mapped onto each other by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from unipose.body.skeletons import SMPL
from unipose.body.whole_body import (
    COCO_NAMES,
    FACE_NAMES,
    FINGERS,
    WHOLE_BODY_NAMES,
    hand_names,
)
from unipose.errors import SkeletonError

Bone = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class KeypointSet:
    """The keypoints of one data set or detector.

    Raises SkeletonError for a name that stands twice, a bone between unknown keypoints, or sigmas
    that do not count the names.
    """

    name: str
    names: tuple[str, ...]
    """In the order of the files."""
    bones: tuple[Bone, ...] = ()
    sigmas: tuple[float, ...] = ()
    """Spread of annotators per keypoint, for OKS; empty where none is published."""

    def __post_init__(self) -> None:
        twice = [n for i, n in enumerate(self.names) if n in self.names[:i]]
        if twice:
            raise SkeletonError(f"{self.name}: {twice[0]!r} stands twice")
        unknown = [n for bone in self.bones for n in bone if n not in self.names]
        if unknown:
            raise SkeletonError(f"{self.name}: a bone ends at {unknown[0]!r}, which it lacks")
        if self.sigmas and len(self.sigmas) != len(self.names):
            raise SkeletonError(
                f"{self.name}: {len(self.sigmas)} sigmas for {len(self.names)} keypoints"
            )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def index(self) -> dict[str, int]:
        """Name -> position."""
        return {name: i for i, name in enumerate(self.names)}

    def indices(self, *names: str) -> list[int]:
        """Return the positions of `names`; SkeletonError for an unknown one."""
        unknown = [name for name in names if name not in self.index]
        if unknown:
            raise SkeletonError(
                f"{self.name} has no keypoint {unknown[0]!r}; it has {', '.join(self.names)}"
            )
        return [self.index[name] for name in names]

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Bones as positions."""
        return tuple((self.index[a], self.index[b]) for a, b in self.bones)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Position of each keypoint's left/right counterpart (itself for those of the middle)."""
        return tuple(self.index.get(mirrored_name(name), i) for i, name in enumerate(self.names))


def mirrored_name(name: str) -> str:
    """Return the name of the keypoint on the other side: left_eye -> right_eye, face-0 -> face-16.

    A keypoint of the middle is its own counterpart.
    """
    side, _, rest = name.partition("_")
    if side in ("left", "right"):
        return f"{'right' if side == 'left' else 'left'}_{rest}"
    if name.startswith("face-"):
        number = int(name.removeprefix("face-"))
        return f"face-{_FACE_MIRROR.get(number, number)}"
    return name


def _face_mirror() -> dict[int, int]:
    """Return iBUG's counterparts: each run of points is mirrored onto itself or onto another."""
    runs = (
        (range(17), range(16, -1, -1)),  # jaw
        (range(17, 27), range(26, 16, -1)),  # brows
        (range(31, 36), range(35, 30, -1)),  # nostrils
        (range(36, 42), (45, 44, 43, 42, 47, 46)),  # eyes
        (range(42, 48), (39, 38, 37, 36, 41, 40)),
        (range(48, 55), range(54, 47, -1)),  # outer lip
        (range(55, 60), range(59, 54, -1)),
        (range(60, 65), range(64, 59, -1)),  # inner lip
        (range(65, 68), range(67, 64, -1)),
    )
    return {a: b for first, second in runs for a, b in zip(first, second, strict=True)}


_FACE_MIRROR = _face_mirror()


def _chains(*chains: str) -> tuple[Bone, ...]:
    """Return the bones along chains of names: "neck nose", "~hip ~knee" (left, then right)."""
    found: list[Bone] = []
    for chain in chains:
        sides = ("left_", "right_") if "~" in chain else ("",)
        for side in sides:
            names = chain.replace("~", side).split()
            found += pairwise(names)
    return tuple(dict.fromkeys(found))


def _both(*names: str) -> Iterator[str]:
    for name in names:
        yield f"left_{name}"
        yield f"right_{name}"


def _ring(start: int, stop: int, *, closed: bool = False) -> tuple[Bone, ...]:
    """Return the bones along points of the face, the last one included."""
    names = [f"face-{i}" for i in range(start, stop + 1)]
    return tuple(zip(names, [*names[1:], *names[:1]] if closed else names[1:]))


_LIMBS = ("~shoulder ~elbow ~wrist", "~hip ~knee ~ankle")
_EYES = ("nose left_eye left_ear", "nose right_eye right_ear")
_COCO_BONES = _chains(
    *_LIMBS, *_EYES, "left_eye right_eye", "~ear ~shoulder", "left_shoulder right_shoulder",
    "left_hip right_hip", "~shoulder ~hip",
)  # fmt: skip
_FOOT_BONES = _chains("~ankle ~heel", "~ankle ~big_toe", "~ankle ~small_toe")
_FACE_BONES = (
    *_ring(0, 16), *_ring(17, 21), *_ring(22, 26), *_ring(27, 30), *_ring(31, 35),
    *_ring(36, 41, closed=True), *_ring(42, 47, closed=True), *_ring(48, 59, closed=True),
    *_ring(60, 67, closed=True),
)  # fmt: skip
_HAND_BONES = _chains(
    *(f"~hand_root {' '.join(f'~{finger}{i}' for i in range(1, 5))}" for finger in FINGERS)
)
_WRISTS = _chains("~wrist ~hand_root")

_BODY_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
_FOOT_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037,
    0.038, 0.043, 0.041, 0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013,
    0.015, 0.009, 0.007, 0.007, 0.007, 0.012, 0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009,
    0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034, 0.008, 0.008, 0.009, 0.008,
    0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008, 0.008,
    0.008, 0.010, 0.008,
)  # fmt: skip
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026,
    0.017, 0.021, 0.021, 0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip

COCO_17 = KeypointSet(name="coco-17", names=COCO_NAMES, bones=_COCO_BONES, sigmas=_BODY_SIGMAS)
COCO_WHOLEBODY_133 = KeypointSet(
    name="coco-wholebody-133",
    names=WHOLE_BODY_NAMES,
    bones=(*_COCO_BONES, *_FOOT_BONES, *_FACE_BONES, *_WRISTS, *_HAND_BONES),
    sigmas=(*_BODY_SIGMAS, *_FOOT_SIGMAS, *_FACE_SIGMAS, *_HAND_SIGMAS, *_HAND_SIGMAS),
)
"""Jin et al. 2020: body 0-16, feet 17-22, face 23-90, left hand 91-111, right hand 112-132."""
H3WB_133 = KeypointSet(name="h3wb-133", names=WHOLE_BODY_NAMES, bones=COCO_WHOLEBODY_133.bones)
"""Zhu et al. 2023: COCO-WholeBody's keypoints of Human3.6M in 3D."""
CROWDPOSE_14 = KeypointSet(
    name="crowdpose-14",
    names=(*_both("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), "head_top", "neck"),
    bones=_chains(
        *_LIMBS, "head_top neck", "neck left_shoulder", "neck right_shoulder", "~shoulder ~hip",
        "left_shoulder right_shoulder", "left_hip right_hip",
    ),
    sigmas=(
        0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079,
        0.079,
    ),
)  # fmt: skip
_NECKED = _chains("neck nose", *_EYES, "neck left_shoulder", "neck right_shoulder", *_LIMBS)
OPENPOSE_18 = KeypointSet(
    name="openpose-18",
    names=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
        "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip",
        "left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear",
    ),
    bones=(*_NECKED, *_chains("neck left_hip", "neck right_hip")),
)  # fmt: skip
"""OpenPose's COCO model, and what 3DPW calls `poses2d`."""
OPENPOSE_25 = KeypointSet(
    name="openpose-25",
    names=(
        *OPENPOSE_18.names[:8], "pelvis", *OPENPOSE_18.names[8:], "left_big_toe",
        "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    ),
    bones=(*_NECKED, *_chains("neck pelvis", "pelvis left_hip", "pelvis right_hip"), *_FOOT_BONES),
)  # fmt: skip
"""BODY_25; its MidHip is the pelvis."""
OPENPOSE_67 = KeypointSet(
    name="openpose-67",
    names=(*OPENPOSE_25.names, *hand_names("left"), *hand_names("right")),
    bones=(*OPENPOSE_25.bones, *_WRISTS, *_HAND_BONES),
)
"""BODY_25 with both hands."""
OPENPOSE_137 = KeypointSet(
    name="openpose-137",
    names=(*OPENPOSE_67.names, *FACE_NAMES, "right_pupil", "left_pupil"),
    bones=(*OPENPOSE_67.bones, *_FACE_BONES),
)
"""BODY_25 with both hands and the 70 points of the face."""
HALPE_26 = KeypointSet(
    name="halpe-26",
    names=(
        *COCO_NAMES, "head_top", "neck", "pelvis", *_both("big_toe", "small_toe", "heel"),
    ),
    bones=(
        *_chains(*_LIMBS, *_EYES, "left_eye right_eye", "~ear ~shoulder", "head_top neck pelvis",
                 "neck left_shoulder", "neck right_shoulder", "pelvis left_hip",
                 "pelvis right_hip"),
        *_FOOT_BONES,
    ),
    sigmas=(*_BODY_SIGMAS, 0.026, 0.026, 0.066, *(0.079,) * 6),
)  # fmt: skip
"""Li et al. 2020 (Halpe-FullBody): the head's point is its top."""
HALPE_136 = KeypointSet(
    name="halpe-136",
    names=(*HALPE_26.names, *FACE_NAMES, *hand_names("left"), *hand_names("right")),
    bones=(*HALPE_26.bones, *_FACE_BONES, *_WRISTS, *_HAND_BONES),
)
MPII_16 = KeypointSet(
    name="mpii-16",
    names=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis",
        "neck", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder",
        "left_shoulder", "left_elbow", "left_wrist",
    ),
    bones=_chains(*_LIMBS, "pelvis left_hip", "pelvis right_hip", "pelvis neck upper_neck head_top",
                  "neck left_shoulder", "neck right_shoulder"),
)  # fmt: skip
"""MPII calls the eighth `thorax`: it lies where SMPL has the neck's base."""
HUMAN36M_17 = KeypointSet(
    name="human36m-17",
    names=(
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
        "back", "neck", "jaw", "head_top", "left_shoulder", "left_elbow", "left_wrist",
        "right_shoulder", "right_elbow", "right_wrist",
    ),
    bones=_chains("pelvis right_hip", "pelvis left_hip", *_LIMBS, "pelvis back neck jaw head_top",
                  "neck left_shoulder", "neck right_shoulder"),
)  # fmt: skip
"""Also called root, RFoot, spine, thorax, neck/nose and head in places."""
HUMAN36M_16 = KeypointSet(
    name="human36m-16",
    names=tuple(name for name in HUMAN36M_17.names if name != "jaw"),
    bones=_chains("pelvis right_hip", "pelvis left_hip", *_LIMBS, "pelvis back neck head_top",
                  "neck left_shoulder", "neck right_shoulder"),
)  # fmt: skip
"""The same without the jaw: what SemGCN (Zhao et al. 2019) and SEAL-Pose learn."""
HUMAN36M_17_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Where the 17 lie among the 32 of the recordings."""
MPI_INF_3DHP_28 = KeypointSet(
    name="mpi-inf-3dhp-28",
    names=(
        "back3", "back4", "back2", "back1", "pelvis", "neck", "head", "head_top", "left_collar",
        "left_shoulder", "left_elbow", "left_wrist", "left_hand", "right_collar", "right_shoulder",
        "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle",
        "left_foot", "left_toe", "right_hip", "right_knee", "right_ankle", "right_foot",
        "right_toe",
    ),
    bones=_chains("pelvis back1 back2 back3 back4 neck head head_top", "pelvis left_hip",
                  "pelvis right_hip", "~hip ~knee ~ankle ~foot ~toe", "back4 left_collar",
                  "back4 right_collar", "~collar ~shoulder ~elbow ~wrist ~hand"),
)  # fmt: skip
"""The training set's; its spine, spine2, spine3 and spine4 are not SMPL's, so they are back1-4."""
MPI_INF_3DHP_17 = KeypointSet(
    name="mpi-inf-3dhp-17",
    names=(
        "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
        "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip",
        "left_knee", "left_ankle", "pelvis", "back1", "head",
    ),
    bones=_chains("pelvis back1 neck head head_top", "neck left_shoulder", "neck right_shoulder",
                  "pelvis left_hip", "pelvis right_hip", *_LIMBS),
)  # fmt: skip
"""The test set's."""
BLAZEPOSE_33 = KeypointSet(
    name="blazepose-33",
    names=(
        "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye",
        "right_eye_outer", "left_ear", "right_ear", "left_mouth", "right_mouth",
        *_both("shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle",
               "heel", "foot_index"),
    ),
    bones=_chains(
        *_LIMBS, "nose ~eye_inner ~eye ~eye_outer ~ear", "left_mouth right_mouth",
        "left_shoulder right_shoulder", "left_hip right_hip", "~shoulder ~hip", "~wrist ~pinky",
        "~wrist ~index ~pinky", "~wrist ~thumb", "~ankle ~heel ~foot_index", "~ankle ~foot_index",
    ),
)  # fmt: skip
"""Bazarevsky et al. 2020 (MediaPipe Pose): the foot's index is the tip of its second toe."""
SMPL_24 = KeypointSet(
    name="smpl-24",
    names=SMPL.joints,
    bones=tuple(
        (SMPL.joints[p], joint)
        for joint, p in zip(SMPL.joints, SMPL.parents, strict=True)
        if p >= 0
    ),
)
SMPL_22 = KeypointSet(
    name="smpl-22",
    names=SMPL.joints[:22],
    bones=tuple(bone for bone in SMPL_24.bones if not bone[1].endswith("_hand")),
)
"""The joints that SMPL, SMPL-H and SMPL-X share."""

KEYPOINT_SETS: dict[str, KeypointSet] = {
    one.name: one
    for one in (
        COCO_17, COCO_WHOLEBODY_133, H3WB_133, CROWDPOSE_14, OPENPOSE_18, OPENPOSE_25, OPENPOSE_67,
        OPENPOSE_137, HALPE_26, HALPE_136, MPII_16, HUMAN36M_16, HUMAN36M_17, MPI_INF_3DHP_17,
        MPI_INF_3DHP_28, BLAZEPOSE_33, SMPL_22, SMPL_24,
    )
}  # fmt: skip

Ways = Mapping[str, tuple[tuple[str, ...], ...]]
"""Keypoint -> ways to make it of others, best first; several names are averaged."""

MIDPOINTS: Ways = {
    "pelvis": (("left_hip", "right_hip"),),
    "neck": (("left_shoulder", "right_shoulder"),),
    "head": (("left_ear", "right_ear"),),
    "left_hand_root": (("left_wrist",),),
    "right_hand_root": (("right_wrist",),),
    "left_wrist": (("left_hand_root",),),
    "right_wrist": (("right_hand_root",),),
}
"""Keypoints that are the same place as, or the middle of, what other sets have."""


def keypoint_set(name: str) -> KeypointSet:
    """Return a set of the registry, its hyphens as you like ("coco17", "COCO-17", "wholebody133").

    Raises SkeletonError with the names that there are.
    """
    for one in KEYPOINT_SETS.values():
        if _plain(name) in (_plain(one.name), _plain(one.name).removeprefix("coco")):
            return one
    raise SkeletonError(f"there is no keypoint set {name!r}; there are {', '.join(KEYPOINT_SETS)}")


def _plain(name: str) -> str:
    return name.casefold().translate({ord("-"): None, ord("_"): None})


def keypoint_set_of(names: Sequence[str]) -> KeypointSet:
    """Return the registry's set of these names in this order; one without bones if it has none."""
    for one in KEYPOINT_SETS.values():
        if one.names == tuple(names):
            return one
    return KeypointSet(name="unregistered", names=tuple(names))
