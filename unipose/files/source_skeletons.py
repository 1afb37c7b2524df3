"""Find SMPL's joints in the skeleton of a motion file, by what names mean and by the tree.

Limbs are found by the words of a name (side and part, whatever the prefix, separator or case) and
by the order of the joints along the limb. The trunk is found by the tree: the pelvis is where the
legs meet, the chest is where the arms meet, and what lies between them is the spine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unipose.body.skeletons import SMPL
from unipose.errors import FileError, SkeletonError
from unipose.files.json_table import read_json_value
from unipose.files.motion import SourceJoint

LARGEST_MAP_BYTES = 1 << 20

_WORDS = {
    "left": "l left lft lt lf", "right": "r right rgt rt",
    "up": "upper up", "low": "lower low lo fore",
    "thigh": "thigh femur", "knee": "knee shin calf tibia", "leg": "leg",
    "ankle": "ankle", "foot": "foot feet", "toe": "toes toe ball",
    "shoulder": "shoulder shldr", "upperarm": "humerus uarm", "arm": "arm",
    "elbow": "elbow radius ulna farm", "wrist": "wrist", "hand": "hand",
    "palm": "palm", "thumb": "thumb", "middle": "middle mid",
    "finger": "fingers finger index ring pinky little metacarpal carpal",
    "hip": "hips hip", "head": "head", "neck": "neck",
    "base": "base", "filler": "joint bone bend skin",
    "other": "roll twist nub end tip ik pole target ctrl eff collar clavicle clav heel forehead",
}  # fmt: skip
"""Meaning -> how it is written. Joints with a word of "other" are no joint of a limb."""
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}
_SIDES = ("left", "right")
_SIDE_WORDS = "|".join(w for side in _SIDES for w in _WORDS[side].split())
_PART_WORDS = "|".join(
    sorted((w for w, meaning in _MEANING.items() if meaning not in _SIDES), key=len, reverse=True)
)
_COMPOUND = re.compile(f"({_SIDE_WORDS})?((?:{_PART_WORDS})*)({_SIDE_WORDS})?")
_PART = re.compile(_PART_WORDS)
_HUMP = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_LEG = ("hip", "knee", "ankle", "foot")
_ARM = ("shoulder", "elbow", "wrist", "hand")
# What a name can be, the first row all of whose words it has: (part, preference), the best first
# among names of different parts that compete for one joint.
_PARTS: tuple[tuple[frozenset[str], tuple[tuple[str, int], ...]], ...] = tuple(
    (frozenset(words.split()), parts)
    for words, parts in (
        ("other", ()),
        ("toe", (("foot", 1),)),
        ("middle foot", (("foot", 0),)),
        ("finger foot", (("foot", 0),)),
        ("thumb", ()),
        ("middle", (("hand", 2), ("wrist", -2))),
        ("finger base", (("wrist", 2), ("hand", 0))),  # cgspeed's FingerBase: there the hand bends
        ("finger", (("hand", 1), ("wrist", -2))),
        ("palm", (("hand", 1), ("wrist", -1))),
        ("hand", (("wrist", 1), ("hand", 0))),  # before the wrist: ASF's wrist only twists
        ("wrist", (("wrist", 0),)),
        ("ankle", (("ankle", 1),)),
        ("foot", (("ankle", 0), ("foot", 0))),
        ("thigh", (("hip", 2),)),
        ("up leg", (("hip", 2),)),
        ("low leg", (("knee", 1),)),
        ("knee", (("knee", 1),)),
        ("leg", (("knee", 0), ("hip", 1))),
        ("upperarm", (("shoulder", 2),)),
        ("up arm", (("shoulder", 2),)),
        ("low arm", (("elbow", 1),)),
        ("elbow", (("elbow", 1),)),
        ("arm", (("shoulder", 1), ("elbow", 0))),
        ("shoulder", (("shoulder", 0),)),
        ("hip", (("hip", 0),)),
    )
)
_NEEDED = tuple(f"{side}_{part}" for part in (*_LEG[:3], *_ARM[:3]) for side in _SIDES)


@dataclass(frozen=True, kw_only=True)
class JointMatch:
    """The joints of a file that correspond to SMPL's."""

    turns: dict[str, tuple[int, ...]]
    """SMPL joint -> the joints whose rotation it takes over (two: halfway between them)."""
    places: dict[str, int]
    """SMPL joint -> the joint that lies where it lies; the ends of hands and feet among them."""


def match_joints(
    joints: Sequence[SourceJoint], joint_map: Mapping[str, str] | None = None
) -> JointMatch:
    """Return which joints of a file are SMPL's; `joint_map` overrules what names and tree say.

    Raises SkeletonError if a limb cannot be placed; it lists the file's joints.
    """
    index = {joint.name: i for i, joint in enumerate(joints)}
    found = _mapped_joints(index, joint_map or {})
    meanings = [_meanings(joint.name) for joint in joints]
    for side in _SIDES:
        for parts in (_LEG, _ARM):
            limb = _find_limb(joints, meanings, side, parts, found)
            found |= {f"{side}_{part}": i for part, i in limb.items()}
    missing = [joint for joint in _NEEDED if joint not in found]
    if missing:
        raise SkeletonError(_not_placed(missing, list(index)))
    for joint, place in _find_trunk(joints, meanings, found).items():
        found.setdefault(joint, place)
    turns: dict[str, tuple[int, ...]] = {
        joint: (found[joint],) for joint in SMPL.joints if joint in found and "_hand" not in joint
    }
    if (
        "neck_top" in found
        and found["neck_top"] != found["neck"]
        and "neck" not in (joint_map or {})
    ):
        turns["neck"] = (found["neck"], found["neck_top"])
    places = {joint: found[joint] for joint in SMPL.joints if joint in found}
    return JointMatch(turns=turns, places=places)


def read_joint_map(skeleton: str | Path | Mapping[str, str] | None) -> dict[str, str]:
    """Return SMPL joint -> the file's joint, from a JSON file or as it is given.

    Raises FileError (MissingFileError) if the file is no JSON object of names.
    """
    if skeleton is None or isinstance(skeleton, Mapping):
        return dict(skeleton or {})
    path = Path(skeleton)
    joint_map = read_json_value(path, largest_bytes=LARGEST_MAP_BYTES)
    if not isinstance(joint_map, dict) or not all(
        isinstance(name, str) for name in joint_map.values()
    ):
        raise FileError(
            path,
            "expected a JSON object of SMPL joint -> joint of the file,",
            'for example {"left_hip": "LThigh"}.',
        )
    return joint_map


def _mapped_joints(index: dict[str, int], joint_map: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for joint, name in joint_map.items():
        if joint not in SMPL.index:
            raise SkeletonError(
                f"the skeleton map names {joint!r}, which is no joint of SMPL; "
                f"those are {', '.join(SMPL.joints)}"
            )
        short = name.rpartition(":")[2]
        if short not in index:
            raise SkeletonError(
                f"the skeleton map says {joint} is {name!r}, which the file does not have; "
                f"its joints are {', '.join(index)}"
            )
        found[joint] = index[short]
    return found


def _not_placed(missing: list[str], names: list[str]) -> str:
    return (
        f"no joint found for {', '.join(map(repr, missing))}; the file's joints are "
        f"{', '.join(names)}. Say which they are with --skeleton MAP.json (or skeleton=...), which "
        f'holds SMPL joint -> joint of the file, for example {{"{missing[0]}": "{names[-1]}"}}'
    )


def _meanings(name: str) -> frozenset[str]:
    """Return what the words of a name mean: "mixamorig_LeftUpLeg" -> left, up, leg."""
    found: list[str] = []
    for chunk in re.findall("[A-Za-z]+", name):
        whole = _split_compound(chunk)
        for hump in [chunk] if whole else _HUMP.findall(chunk):
            found += whole or _split_compound(hump)
    return frozenset(found)


def _split_compound(word: str) -> list[str]:
    """Return the meanings of "lforearm" (left, low, arm); nothing if a part is no known word."""
    match = _COMPOUND.fullmatch(word.lower())
    if match is None:
        return []
    before, parts, after = match.groups()
    words = [w for w in (before, *_PART.findall(parts), after) if w]
    return [_MEANING[word] for word in words]


def _find_limb(
    joints: Sequence[SourceJoint],
    meanings: list[frozenset[str]],
    side: str,
    parts: tuple[str, ...],
    joint_map: dict[str, int],
) -> dict[str, int]:
    """Return part -> joint of one limb: the chain down the tree that fills most parts.

    Of chains that fill as many, the one with the better names, then the one nearer to the root.
    """
    free = [part for part in parts if f"{side}_{part}" not in joint_map]
    start: dict[int, tuple[tuple[int, int, int], dict[str, int]]] = {-1: ((0, 0, 0), {})}
    chains = []  # of each joint: position of the last part filled -> score and chain
    depths: list[int] = []
    for i, joint in enumerate(joints):
        above = chains[joint.parent] if joint.parent >= 0 else start
        depths.append(depths[joint.parent] + 1 if joint.parent >= 0 else 0)
        reached = dict(above)
        for part, preference in _parts_of(meanings[i], side) if i not in joint_map.values() else ():
            if part not in free:
                continue
            place = parts.index(part)
            for last, (score, chain) in above.items():
                weight = 2 if part in parts[:3] else 1  # the last one, toes or fingers, may lack
                better = (score[0] + weight, score[1] + preference, score[2] - depths[i])
                if last < place and (place not in reached or better > reached[place][0]):
                    reached[place] = (better, chain | {part: i})
        chains.append(reached)
    best = max((one for chain in chains for one in chain.values()), key=lambda one: one[0])[1]
    return _middle_finger(joints, meanings, best)


def _parts_of(words: frozenset[str], side: str) -> tuple[tuple[str, int], ...]:
    if side not in words or words.issuperset(_SIDES):
        return ()
    return next((parts for needed, parts in _PARTS if needed <= words), ())


def _middle_finger(
    joints: Sequence[SourceJoint], meanings: list[frozenset[str]], limb: dict[str, int]
) -> dict[str, int]:
    """Where fingers are only numbered, the middle one of them says where the hand points."""
    hand = limb.get("hand")
    if hand is None or "finger" not in meanings[hand]:
        return limb
    fingers = [
        i
        for i, joint in enumerate(joints)
        if joint.parent == joints[hand].parent
        and meanings[i] & {"finger", "middle"}
        and "thumb" not in meanings[i]
    ]
    return limb | {"hand": fingers[len(fingers) // 2]}


def _find_trunk(
    joints: Sequence[SourceJoint], meanings: list[frozenset[str]], found: dict[str, int]
) -> dict[str, int]:
    """Return the joints of pelvis, spine, neck, head and collars; a second neck as "neck_top"."""
    pelvis = found.get("pelvis", _meeting(joints, found["left_hip"], found["right_hip"]))
    arms_meet = _meeting(joints, found["left_shoulder"], found["right_shoulder"])
    trunk = {"pelvis": pelvis}
    for side in _SIDES:
        above = joints[found[f"{side}_shoulder"]].parent
        if above != arms_meet:
            trunk[f"{side}_collar"] = above
    spine = _between(joints, _meeting(joints, pelvis, arms_meet), arms_meet)
    while spine and "neck" in meanings[spine[-1]]:  # Character Studio hangs the arms on the neck
        spine.pop()
    if len(spine) == 1:
        trunk["spine3"] = spine[0]
    elif spine:
        trunk |= {"spine1": spine[0], "spine3": spine[-1]}
    if len(spine) > 2:
        trunk["spine2"] = spine[len(spine) // 2]
    head = found.get("head", _find_unsided(meanings, "head"))
    top = _find_unsided(meanings, "neck") if head is None else head
    chest = spine[-1] if spine else pelvis
    if top is not None and chest in _path(joints, top):
        necks = _between(joints, chest, top)
        if head is not None:
            trunk["head"] = necks.pop()
        if necks:
            trunk |= {"neck": necks[0], "neck_top": necks[-1]}
    return trunk


def _find_unsided(meanings: list[frozenset[str]], word: str) -> int | None:
    """Return the first joint of the middle with that word; "other" words are ends of bones."""
    return next(
        (i for i, words in enumerate(meanings) if word in words and not words & {*_SIDES, "other"}),
        None,
    )


def _path(joints: Sequence[SourceJoint], joint: int) -> list[int]:
    """Return the joints from the root down to `joint`."""
    path = []
    while joint >= 0:
        path.append(joint)
        joint = joints[joint].parent
    return path[::-1]


def _meeting(joints: Sequence[SourceJoint], first: int, second: int) -> int:
    """Return the lowest joint that both hang on."""
    above = set(_path(joints, second))
    return next(i for i in reversed(_path(joints, first)) if i in above)


def _between(joints: Sequence[SourceJoint], above: int, below: int) -> list[int]:
    """Return the joints from under `above` down to `below`; none if it is not below."""
    path = _path(joints, below)
    return path[path.index(above) + 1 :] if above in path else []
