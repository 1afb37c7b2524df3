"""Find face, fingers and toes on the open body: the table behind unipose.body.whole_body.

`python -m data_builders.whole_body_landmarks --out unipose/weights/open_body_keypoints.json`

How each place was found, on the zero pose (T-pose, palms down, face to +z):
- Toes and heels are extremes of the mesh: the foremost vertex among the inner toes, the
  foremost one of the outer edge, the vertex of least z + 0.3 y.
- Ears: the outermost vertex of the head.
- Face: points (x, y) were read off a parallel front view with a 1 cm grid: the eyelids' rims, the
  mouth's corners and the lips' borders, the nose's ridge (its tip is the profile's foremost
  point) and the chin; brows and jaw divide their curves evenly. Each is put on the first surface
  that a ray along -z meets.
- Fingers: points (x, z) were read off the view from above: tips, and joints where the phalanges
  of a finger meet (about 0.47, 0.28 and 0.25 of it). Each is the middle between the hand's upper
  and lower surface, so a keypoint lies inside the finger, where annotators see its joint.

The left side is given; the right one is its mirror image, searched on its own side of the mesh.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body, load_body
from unipose.body.keypoint_sets import mirrored_name
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import FINGERS, JOINT_OF_KEYPOINT, WHOLE_BODY_NAMES, Shares
from unipose.errors import ConfigError

FACE_MIDDLE_CM: dict[int, tuple[float, float]] = {
    8: (0.0, 148.2), 27: (0.0, 159.0), 28: (0.0, 157.8), 29: (0.0, 156.6), 30: (0.0, 155.35),
    33: (0.0, 154.5), 51: (0.0, 153.0), 57: (0.0, 151.0), 62: (0.0, 152.5), 66: (0.0, 152.05),
}  # fmt: skip
FACE_LEFT_CM: dict[int, tuple[float, float]] = {
    16: (6.75, 158.8), 15: (6.75, 156.8), 14: (6.55, 155.0), 13: (6.0, 153.2), 12: (5.4, 151.6),
    11: (4.6, 150.3), 10: (3.4, 149.3), 9: (1.8, 148.6), 22: (1.0, 160.5), 23: (2.0, 161.1),
    24: (3.1, 161.3), 25: (4.2, 161.0), 26: (5.2, 160.2), 34: (0.8, 154.75), 35: (1.55, 155.1),
    42: (1.75, 158.95), 43: (2.6, 159.55), 44: (3.5, 159.6), 45: (4.5, 159.1), 46: (3.6, 158.65),
    47: (2.6, 158.65), 52: (0.75, 153.1), 53: (1.7, 152.8), 54: (2.45, 152.15), 55: (1.6, 151.5),
    56: (0.8, 151.1), 63: (1.0, 152.5), 64: (2.1, 152.25), 65: (1.0, 152.05),
}  # fmt: skip
"""Point of the face -> x and y (centimetres) in the front view; middle and left half."""

FINGERS_CM: dict[str, tuple[tuple[float, float], ...]] = {
    "thumb": ((70.3, 4.2), (73.2, 6.6), (75.5, 8.2), (77.4, 9.45)),
    "forefinger": ((77.3, 4.3), (80.9, 4.95), (83.1, 5.35), (85.0, 5.55)),
    "middle_finger": ((77.3, 1.9), (81.3, 1.75), (83.9, 1.5), (86.1, 1.35)),
    "ring_finger": ((76.8, -0.5), (80.5, -1.0), (82.9, -1.55), (84.9, -2.0)),
    "pinky_finger": ((75.6, -1.75), (78.3, -2.6), (79.9, -3.25), (81.3, -3.7)),
}
"""Finger of the left hand -> x and z (centimetres) of its four points, seen from above."""


@dataclass(frozen=True, kw_only=True)
class LandmarkConfig:
    """Where the table goes."""

    out: Path


def find_landmarks(body: Body) -> dict[str, Shares]:
    """Return the table of the open body: keypoint -> shares of vertices."""
    table: dict[str, Shares] = {}
    for point, (x, y) in FACE_MIDDLE_CM.items():
        table[f"face-{point}"] = front_of(body, x / 100, y / 100)
    for point, (x, y) in FACE_LEFT_CM.items():
        table[f"face-{point}"] = front_of(body, x / 100, y / 100)
        table[mirrored_name(f"face-{point}")] = front_of(body, -x / 100, y / 100)
    table["nose"] = table["face-30"]
    for side, sign, first in (("left", 1.0, 42), ("right", -1.0, 36)):
        table[f"{side}_eye"] = mean([table[f"face-{first + i}"] for i in range(6)])
        table |= feet_of(body, side, sign)
        head = body.weights[:, SMPL.index["head"]] > 0.5
        table[f"{side}_ear"] = {_furthest(body.template[:, 0] * sign, head): 1.0}
        for finger in FINGERS:
            for i, (x, z) in enumerate(FINGERS_CM[finger], start=1):
                table[f"{side}_{finger}{i}"] = inside_of(body, sign * x / 100, z / 100)
    wanted = [name for name in WHOLE_BODY_NAMES if name not in JOINT_OF_KEYPOINT]
    return {name: table[name] for name in wanted}


def front_of(body: Body, x: float, y: float) -> Shares:
    """Return the foremost surface point of the mesh at (x, y)."""
    hits = along_axis(body, 2, x, y)
    return max(hits, key=lambda hit: hit[0])[1]


def inside_of(body: Body, x: float, z: float) -> Shares:
    """Return the middle between the highest and the lowest surface point at (x, z)."""
    hits = sorted(along_axis(body, 1, x, z), key=lambda hit: hit[0])
    return mean([hits[0][1], hits[-1][1]])


def along_axis(body: Body, axis: int, u: float, v: float) -> list[tuple[float, Shares]]:
    """Return where a line along `axis` meets the mesh: place on the axis, shares of vertices.

    `u` and `v` are the two other coordinates. Raises ConfigError if the line misses the body.
    """
    others = [i for i in range(3) if i != axis]
    corners = body.template.double()[body.faces]  # face corner 3
    flat = corners[..., others] - torch.tensor([u, v], dtype=torch.float64)
    a, b, c = flat.unbind(1)
    areas = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], dim=1)
    total = areas.sum(1, keepdim=True)
    shares = areas / torch.where(total == 0, 1, total)
    met = (shares >= 0).all(1) & (total[:, 0] != 0)
    if not bool(met.any()):
        raise ConfigError(f"no surface at {u:.4f}, {v:.4f} along axis {axis}")
    places = (corners[..., axis] * shares).sum(1)
    return [
        (float(places[face]), dict(zip(body.faces[face].tolist(), shares[face].tolist())))
        for face in met.nonzero()[:, 0].tolist()
    ]


def feet_of(body: Body, side: str, sign: float) -> dict[str, Shares]:
    """Return big toe, small toe and heel of one foot."""
    x, y, z = body.template.unbind(1)
    foot = body.weights[:, SMPL.indices(f"{side}_ankle", f"{side}_foot")].sum(1) > 0.5
    outwards = x * sign
    toes = foot & (z > z[foot].amax() - 0.06)
    inner_edge = toes & (outwards < outwards[toes].amin() + 0.022)
    outer_edge = toes & (outwards > outwards[toes].amax() - 0.009)
    return {
        f"{side}_big_toe": {_furthest(z, inner_edge): 1.0},
        f"{side}_small_toe": {_furthest(z, outer_edge): 1.0},
        f"{side}_heel": {_furthest(-z - 0.3 * y, foot): 1.0},
    }


def mean(places: list[Shares]) -> Shares:
    """Return the shares of the mean of some places."""
    total: Shares = {}
    for place in places:
        for vertex, share in place.items():
            total[vertex] = total.get(vertex, 0.0) + share / len(places)
    return total


def _furthest(value: Tensor, among: Tensor) -> int:
    return int(torch.where(among, value, -torch.inf).argmax())


def _cross(a: Float[Tensor, "face 2"], b: Float[Tensor, "face 2"]) -> Float[Tensor, " face"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def main(config: LandmarkConfig) -> None:
    """Find the keypoints and write the table."""
    table = find_landmarks(load_body())
    rows = [
        f'"{name}": {json.dumps([[v, round(share, 4)] for v, share in shares.items()])}'
        for name, shares in table.items()
    ]
    text = '{"body": "open", "keypoints": {\n' + ",\n".join(rows) + "\n}}\n"
    config.out.write_text(text, encoding="utf-8")
    print(f"{config.out}: {len(table)} keypoints")


if __name__ == "__main__":
    main(tyro.cli(LandmarkConfig))
