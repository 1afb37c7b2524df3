"""Small motion files in the real formats: an ASF skeleton with AMC motion, and BVH motions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

ELBOW_LEFT, ELBOW_RIGHT = "180 -30 -90", "180 30 90"
"""The axes of CMU's elbows: the hinge is rolled 30 degrees from the vertical."""
# name, parent, direction, length, axis, degrees of freedom
BONES = (
    ("lhipjoint", "root", "0.65 -0.71 0.25", 2.5, "0 0 0", ""),
    ("lfemur", "lhipjoint", "0.34202 -0.939693 0", 7.6, "0 0 20", "rx ry rz"),
    ("ltibia", "lfemur", "0.34202 -0.939693 0", 7.3, "0 0 20", "rx"),
    ("lfoot", "ltibia", "0.0887 -0.2437 0.9658", 2.2, "-90 0 20", "rx rz"),
    ("ltoes", "lfoot", "0 0 1", 1.1, "-90 0 20", "rx"),
    ("rhipjoint", "root", "-0.65 -0.71 0.25", 2.5, "0 0 0", ""),
    ("rfemur", "rhipjoint", "-0.34202 -0.939693 0", 7.6, "0 0 -20", "rx ry rz"),
    ("rtibia", "rfemur", "-0.34202 -0.939693 0", 7.3, "0 0 -20", "rx"),
    ("rfoot", "rtibia", "-0.0887 -0.2437 0.9658", 2.2, "-90 0 -20", "rx rz"),
    ("rtoes", "rfoot", "0 0 1", 1.1, "-90 0 -20", "rx"),
    ("lowerback", "root", "0.01 0.9976 -0.0685", 2.06, "0 0 0", "rx ry rz"),
    ("upperback", "lowerback", "0.005 0.9996 -0.0287", 2.06, "0 0 0", "rx ry rz"),
    ("thorax", "upperback", "0 1 0.004", 2.07, "0 0 0", "rx ry rz"),
    ("lowerneck", "thorax", "0.0045 0.9955 0.095", 1.57, "0 0 0", "rx ry rz"),
    ("upperneck", "lowerneck", "0.022 0.9977 -0.064", 1.56, "0 0 0", "rx ry rz"),
    ("head", "upperneck", "0.008 0.9994 -0.032", 1.63, "0 0 0", "rx ry rz"),
    ("lclavicle", "thorax", "0.968 0.247 -0.047", 3.66, "0 0 0", "ry rz"),
    ("lhumerus", "lclavicle", "1 0 0", 4.87, ELBOW_LEFT, "rx ry rz"),
    ("lradius", "lhumerus", "1 0 0", 3.36, ELBOW_LEFT, "rx"),
    ("lwrist", "lradius", "1 0 0", 1.68, "0 90 90", "ry"),
    ("lhand", "lwrist", "1 0 0", 0.66, "0 90 90", "rx rz"),
    ("lfingers", "lhand", "1 0 0", 0.53, "0 90 90", "rx"),
    ("lthumb", "lwrist", "0.7071 0 0.7071", 0.77, "-90 45 0", "rx rz"),
    ("rclavicle", "thorax", "-0.968 0.247 -0.047", 3.66, "0 0 0", "ry rz"),
    ("rhumerus", "rclavicle", "-1 0 0", 4.87, ELBOW_RIGHT, "rx ry rz"),
    ("rradius", "rhumerus", "-1 0 0", 3.36, ELBOW_RIGHT, "rx"),
    ("rwrist", "rradius", "-1 0 0", 1.68, "0 -90 -90", "ry"),
    ("rhand", "rwrist", "-1 0 0", 0.66, "0 -90 -90", "rx rz"),
    ("rfingers", "rhand", "-1 0 0", 0.53, "0 -90 -90", "rx"),
    ("rthumb", "rwrist", "-0.7071 0 0.7071", 0.77, "-90 -45 0", "rx rz"),
)
DOFS = {"root": 6} | {name: len(dofs.split()) for name, *_, dofs in BONES if dofs}


def asf_text() -> str:
    """Return a skeleton as CMU writes it."""
    lines = [
        "# a comment", ":version 1.10", ":name VICON", ":units", "  mass 1.0", "  length 0.45",
        "  angle deg", ":documentation", "   made for a test", ":root",
        "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0  ",
        "   orientation 0 0 0 ", ":bonedata",
    ]  # fmt: skip
    children: dict[str, list[str]] = {}
    for number, (name, parent, direction, length, axis, dofs) in enumerate(BONES, start=1):
        children.setdefault(parent, []).append(name)
        lines += ["  begin", f"     id {number} ", f"     name {name}"]
        lines += [
            f"     direction {direction}  ",
            f"     length {length}",
            f"     axis {axis}  XYZ",
        ]
        lines += (
            [f"    dof {dofs}", "    limits (-160.0 20.0)", "           (-70.0 70.0)"]
            if dofs
            else []
        )
        lines += ["  end"]
    lines += [":hierarchy", "  begin"]
    lines += [f"    {parent} {' '.join(names)}" for parent, names in children.items()]
    return "\n".join([*lines, "  end", ""])


def amc_text(frames: Sequence[Mapping[str, Sequence[float]]], *, first: int = 1) -> str:
    """Return a motion; bones that a frame does not name stay at zero, the root stands 17 high."""
    lines = ["#!OML:ASF made f\xfcr a test", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, angles in enumerate(frames, start=first):
        lines.append(str(number))
        for name, count in DOFS.items():
            values = angles.get(name, (0, 17, 0, 0, 0, 0) if name == "root" else [0] * count)
            assert len(values) == count
            lines.append(" ".join([name, *(f"{value:g}" for value in values)]))
    return "\n".join([*lines, ""])


def write_amc(
    folder: Path, frames: Sequence[Mapping[str, Sequence[float]]], name: str = "07_01"
) -> Path:
    """Write a motion and its skeleton beside it; return the motion's path."""
    (folder / f"{name.split('_')[0]}.asf").write_text(asf_text(), encoding="latin-1")
    path = folder / f"{name}.amc"
    path.write_text(amc_text(frames), encoding="latin-1")
    return path


# The humanoid of the Jump clips: arms hang at rest. name, parent, offset (centimetres), end site
# (None, one, or a list)
HUMANOID = (
    ("root", None, (0, 0, 0), None),
    ("chest", "root", (0, 23.6, 0), None),
    ("neck", "chest", (0, 22.4, 0), (0, 27.8, 0)),
    ("left_shoulder", "chest", (18.3, 24.4, -2.4), None),
    ("left_elbow", "left_shoulder", (0, -27.5, 0), None),
    ("left_wrist", "left_elbow", (0, -25.9, 0), (0, -8, 0)),
    ("right_shoulder", "chest", (-18.3, 24.4, -2.4), None),
    ("right_elbow", "right_shoulder", (0, -27.5, 0), None),
    ("right_wrist", "right_elbow", (0, -25.9, 0), (0, -8, 0)),
    ("left_hip", "root", (8.5, 0, 0), None),
    ("left_knee", "left_hip", (0, -42.2, 0), None),
    ("left_ankle", "left_knee", (0, -41, 0), (0, -5, 13.4)),
    ("right_hip", "root", (-8.5, 0, 0), None),
    ("right_knee", "right_hip", (0, -42.2, 0), None),
    ("right_ankle", "right_knee", (0, -41, 0), (0, -5, 13.4)),
)


def bvh_text(
    frames: Sequence[Mapping[str, Sequence[float]]],
    *,
    joints: Sequence[tuple] = HUMANOID,
    order: str = "ZXY",
    frame_time: str = "0.0333333",
    moving: Sequence[str] = (),
) -> str:
    """Return a motion: `frames` hold (z, x, y) degrees by joint in the order of `order`.

    Joints in `moving` have position channels too; frames hold them as "NAME position" (default:
    the offset). Those of the root are "position".
    """

    def block(name: str, indent: str) -> list[str]:
        _, parent, offset, end = next(joint for joint in joints if joint[0] == name)
        moves = parent is None or name in moving
        places = "6 Xposition Yposition Zposition" if moves else "3"
        turns = " ".join(f"{axis}rotation" for axis in order)
        lines = [f"{indent}{'JOINT' if parent else 'ROOT'} {name}", f"{indent}{{"]
        lines += [f"{indent}\tOFFSET {offset[0]} {offset[1]} {offset[2]}"]
        lines += [f"{indent}\tCHANNELS {places} {turns}"]
        names.append(name)
        for child, above, *_ in joints:
            if above == name:
                lines += block(child, indent + "\t")
        for x, y, z in end if isinstance(end, list) else [end] if end else []:
            lines += [f"{indent}\tEnd Site", f"{indent}\t{{"]
            lines += [f"{indent}\t\tOFFSET {x} {y} {z}", f"{indent}\t}}"]
        return [*lines, f"{indent}}}"]

    names: list[str] = []
    offsets = {name: offset for name, _, offset, _ in joints}
    lines = ["HIERARCHY", *block(joints[0][0], ""), "MOTION"]
    lines += [f"Frames: {len(frames)}", f"Frame Time: {frame_time}"]
    for angles in frames:
        values = [*angles.get("position", (0, 86, 0))]
        for name in names:
            if name in moving:
                values += angles.get(f"{name} position", offsets[name])
            values += angles.get(name, (0, 0, 0))
        lines.append(" ".join(f"{value:.10g}" for value in values))
    return "\n".join([*lines, ""])


def write_bvh_text(folder: Path, text: str, name: str = "clip.bvh") -> Path:
    """Write a BVH text and return its path."""
    path = folder / name
    path.write_text(text)
    return path
