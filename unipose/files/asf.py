"""Read ASF skeletons, which the motions of CMU and HDM05 move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.errors import FileError, MissingFileError
from unipose.files.motion import SourceJoint, turn_about_axis
from unipose.files.numbers import open_text, parse_numbers

METRES_PER_INCH = 0.0254


LARGEST_ASF_BYTES = 1 << 20


MOST_BONES = 256


AXES = {"x": 0, "y": 1, "z": 2}


ROOT_DOFS = ["tx", "ty", "tz", "rx", "ry", "rz"]


@dataclass(frozen=True, kw_only=True)
class AsfBone:
    """One bone as the file defines it."""

    name: str
    direction: Float[np.ndarray, "3"]
    length: float
    basis: Float[np.ndarray, "3 3"]
    dofs: tuple[str, ...]
    """In the order of the AMC line: "rx", "ry", "rz", "tx" ... ."""
    axis_order: str


@dataclass(frozen=True, kw_only=True)
class AsfSkeleton:
    """An ASF file: bones by name (the root first), who hangs on whom, and its units."""

    bones: dict[str, AsfBone]
    parents: dict[str, str]
    metres_per_unit: float
    radians_per_unit: float


def find_asf(path: Path) -> Path:
    """Return the skeleton of an AMC file: in its folder or the one above, by the name's beginning.

    `02_01.amc` finds `02.asf`; `bd/squat/HDM_bd_squat.amc` finds `bd/HDM_bd.asf`; the only ASF
    file of a folder is taken whatever its name.
    """
    for folder in (path.parent, path.parent.parent):
        present = sorted(folder.glob("*.asf")) + sorted(folder.glob("*.ASF"))
        fitting = [asf for asf in present if path.stem.startswith(asf.stem)]
        if fitting:
            return max(fitting, key=lambda asf: len(asf.stem))
        if len(present) == 1:
            return present[0]
    raise MissingFileError(
        path,
        "an AMC file needs its ASF skeleton, and there is none beside it.",
        f"Put one there (for example {path.stem.split('_')[0]}.asf) or name it.",
    )


def read_asf(path: str | Path) -> AsfSkeleton:
    """Read an ASF skeleton; raises FileError with the line that cannot be understood."""
    path = Path(path)
    with open_text(path) as file:
        text = file.read(LARGEST_ASF_BYTES + 1)
    if len(text) > LARGEST_ASF_BYTES:
        raise FileError(path, f"is over {LARGEST_ASF_BYTES} bytes, too large for a skeleton.")
    sections = _sections(text.decode("latin-1"))
    missing = [name for name in ("units", "root", "bonedata", "hierarchy") if name not in sections]
    if missing:
        raise FileError(path, f"is no ASF skeleton: it has no :{missing[0]} section.")
    units = {words[0].lower(): words[1:] for words in sections["units"] if words}
    radians_per_unit = (
        1.0 if units.get("angle", ["deg"])[0].lower().startswith("rad") else np.pi / 180
    )
    length_unit = float(_numbers(path, "units", units.get("length", ["1"]), 1)[0])
    if length_unit <= 0:
        raise FileError(path, f"the length unit must be positive, got {length_unit:g}.")
    root = _root(path, sections["root"], radians_per_unit)
    bones = {"root": root}
    for bone in _bones(path, sections["bonedata"], radians_per_unit):
        if bone.name in bones:
            raise FileError(path, f"defines the bone {bone.name!r} twice.")
        bones[bone.name] = bone
    return AsfSkeleton(
        bones=bones,
        parents=_parents(path, sections["hierarchy"], bones),
        metres_per_unit=METRES_PER_INCH / length_unit,
        radians_per_unit=radians_per_unit,
    )


def _sections(text: str) -> dict[str, list[list[str]]]:
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
        else:
            current.append(words)
    return sections


def _numbers(path: Path, where: str, words: list[str], count: int) -> Float[np.ndarray, "number"]:
    if len(words) < count:
        raise FileError(path, f"{where}: expected {count} numbers, found {len(words)}.")
    return parse_numbers([word.encode("latin-1") for word in words[:count]], path, where)


def _rotation(
    path: Path, where: str, words: list[str], radians_per_unit: float
) -> tuple[Float[np.ndarray, "3 3"], str]:
    """Return the basis of an `axis` line and its order: "XYZ" of (x, y, z) is Rz Ry Rx."""
    angles = _numbers(path, where, words, 3) * radians_per_unit
    order = words[3].lower() if len(words) > 3 else "xyz"
    if sorted(order) != ["x", "y", "z"]:
        raise FileError(path, f"{where}: expected an axis order such as XYZ, found {words[3]!r}.")
    rotation = np.eye(3)
    for angle, axis in zip(angles, order, strict=True):
        rotation = turn_about_axis(angle, AXES[axis]) @ rotation
    return rotation, order


def _root(path: Path, lines: list[list[str]], radians_per_unit: float) -> AsfBone:
    entries = {words[0].lower(): words[1:] for words in lines}
    dofs = tuple(word.lower() for word in entries.get("order", ROOT_DOFS))
    order = entries.get("axis", ["XYZ"])[0].lower()
    orientation = entries.get("orientation", ["0", "0", "0"])
    basis, order = _rotation(path, "root", [*orientation[:3], order], radians_per_unit)
    _check_dofs(path, "root", dofs)
    return AsfBone(
        name="root", direction=np.zeros(3), length=0.0, basis=basis, dofs=dofs, axis_order=order
    )


def _bones(path: Path, lines: list[list[str]], radians_per_unit: float) -> list[AsfBone]:
    bones: list[AsfBone] = []
    entries: dict[str, list[str]] | None = None
    for words in lines:
        key = words[0].lower()
        if key == "begin":
            entries = {}
        elif key == "end":
            if entries is None or "name" not in entries or not entries["name"]:
                raise FileError(path, f"bone {len(bones) + 1} has no name.")
            bones.append(_bone(path, entries, radians_per_unit))
            entries = None
            if len(bones) > MOST_BONES:
                raise FileError(path, f"has more than {MOST_BONES} bones.")
        elif entries is not None:
            entries.setdefault(key, words[1:])
    if entries is not None or not bones:
        raise FileError(path, "the bone data are cut off.")
    return bones


def _bone(path: Path, entries: dict[str, list[str]], radians_per_unit: float) -> AsfBone:
    name = entries["name"][0]
    where = f"bone {name!r}"
    direction = _numbers(path, f"{where}, direction", entries.get("direction", []), 3)
    norm = float(np.linalg.norm(direction))
    length = float(_numbers(path, f"{where}, length", entries.get("length", []), 1)[0])
    if norm < 1e-6 or length < 0:
        raise FileError(path, f"{where} has no direction or a negative length.")
    axis = entries.get("axis", ["0", "0", "0", "XYZ"])
    basis, order = _rotation(path, f"{where}, axis", axis, radians_per_unit)
    dofs = tuple(word.lower() for word in entries.get("dof", []))
    _check_dofs(path, where, dofs)
    return AsfBone(
        name=name,
        direction=direction / norm,
        length=length,
        basis=basis,
        dofs=dofs,
        axis_order=order,
    )


def _check_dofs(path: Path, where: str, dofs: tuple[str, ...]) -> None:
    unknown = [dof for dof in dofs if len(dof) != 2 or dof[0] not in "rt" or dof[1] not in AXES]
    if unknown or len(set(dofs)) != len(dofs):
        raise FileError(path, f"{where}: cannot understand the degrees of freedom {dofs}.")


def _parents(path: Path, lines: list[list[str]], bones: dict[str, AsfBone]) -> dict[str, str]:
    parents: dict[str, str] = {}
    for words in lines:
        if words[0].lower() in ("begin", "end"):
            continue
        for name in words:
            if name not in bones:
                raise FileError(
                    path, f"the hierarchy names the bone {name!r}, which is not defined."
                )
        for child in words[1:]:
            if child in parents or child == "root":
                raise FileError(path, f"the hierarchy hangs {child!r} on two bones.")
            parents[child] = words[0]
    for name in bones:
        above, seen = name, {name}
        while above != "root":
            if above not in parents:
                raise FileError(path, f"the bone {above!r} hangs on nothing.")
            above = parents[above]
            if above in seen:
                raise FileError(path, f"the hierarchy runs in a circle at {above!r}.")
            seen.add(above)
    return parents


def joints_of(
    skeleton: AsfSkeleton, columns: dict[tuple[str, str], int]
) -> tuple[SourceJoint, ...]:
    """Return the bones as joints: a bone's joint is its start, that is its parent's end."""
    children: dict[str, list[str]] = {name: [] for name in skeleton.bones}
    for child, parent in skeleton.parents.items():
        children[parent].append(child)
    slides = tuple(
        (columns["root", f"t{axis}"], i)
        for axis, i in AXES.items()
        if ("root", f"t{axis}") in columns
    )
    order, todo = [], ["root"]
    while todo:
        order.append(todo.pop())
        todo.extend(reversed(children[order[-1]]))
    index = {name: i for i, name in enumerate(order)}
    joints = []
    for name in order:
        bone = skeleton.bones[name]
        above = skeleton.bones.get(skeleton.parents.get(name, ""))
        start = np.zeros(3) if above is None else above.direction * above.length
        end = bone.direction * bone.length * skeleton.metres_per_unit
        turns = tuple(
            (columns[name, f"r{axis}"], AXES[axis])
            for axis in reversed(bone.axis_order)
            if (name, f"r{axis}") in columns
        )
        joints.append(
            SourceJoint(
                name=name,
                parent=-1 if above is None else index[above.name],
                offset=tuple(start * skeleton.metres_per_unit),
                turns=turns,
                slides=slides if above is None else (),
                basis=bone.basis,
                ends=() if children[name] else (tuple(end),),
            )
        )
    return tuple(joints)
