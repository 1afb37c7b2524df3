"""Relations and quantities of the posecodes as numbers that gradients flow through.

Only what is a matter of places is here; a relation without a term (looking left, sitting) is left
to the angles of the entry, and measured afterwards like all others.
"""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.named_poses.entries import Entry
from unipose.body.facing import yaw_of
from unipose.body.skeletons import SMPL
from unipose.posecodes.balance import SEGMENT_MASSES
from unipose.posecodes.bands import (
    APART_CM,
    BENT_BY,
    GROUND_CM,
    HORIZONTAL_BY,
    LEVEL_CM,
    NEAR_CM,
    RAISED_ARM_CM,
    STRAIGHT_BY,
    VERTICAL_BY,
)
from unipose.posecodes.calls import SIDES
from unipose.posecodes.quantities import hinge_of
from unipose.posecodes.shown_pose import ones, pairs

Place = Float[Tensor, "pose 3"]
Value = Float[Tensor, " pose"]
PER_UNIT = 1.0
"""What a centimetre or a degree beyond a bound costs, before it is squared."""
MARGIN = 1.5
"""Relations are aimed at from so far inside their bound, cm or degrees."""


class BodyTerms:
    """A batch of bodies: where their parts are, in their own view (y from the floor)."""

    def __init__(
        self, *, joints: Float[Tensor, "pose 22 3"], turns: Float[Tensor, "pose 22 3 3"]
    ) -> None:
        yaw = yaw_of(turns[:, 0]).detach()
        cos, sin, zero = yaw.cos(), yaw.sin(), torch.zeros_like(yaw)
        rows = (cos, zero, -sin, zero, zero + 1, zero, sin, zero, cos)
        self._own = torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
        self._joints, self._turns = joints @ self._own.mT, self._own[:, None] @ turns

    def part(self, name: str) -> Place:
        """Return a part's place, metres; as `ShownPose.parts`, but not from the pelvis."""
        side, _, part = name.rpartition(" ")
        part = {"arm": "hand", "leg": "foot"}.get(part, part)
        if part == "hand":
            elbow, wrist = self._at(f"{side}_elbow"), self._at(f"{side}_wrist")
            along = wrist - elbow
            return wrist + 0.068 * along / along.norm(dim=-1, keepdim=True)
        if part == "toe":
            toe = torch.tensor([0.0, 0.0, 0.06])
            return self._at(f"{side}_foot") + self._turns[:, SMPL.index[f"{side}_foot"]] @ toe
        if part == "head":
            return self._at("head") + 0.08 * self._turns[:, SMPL.index["head"], :, 1]
        plain = {"chest": "spine3", "back": "spine2"}.get(part, part)
        return self._at(f"{side}_{plain}" if side else plain)

    def _at(self, joint: str) -> Place:
        return self._joints[:, SMPL.index[joint]]

    @cached_property
    def trunk(self) -> Place:
        """From the pelvis to the neck."""
        return self._at("neck") - self._at("pelvis")

    def bend(self, part: str) -> Value:
        """Return how far a hinge or the back is bent, degrees; of a shoulder: lifted."""
        if part == "back":
            pelvis, chest = self._turns[:, 0, :, 1], self._turns[:, SMPL.index["spine3"], :, 1]
            return _between(pelvis, chest)
        side, joint = hinge_of(part).split(" ")
        if joint == "hip":
            return 180 - _between(self.trunk, self._at(f"{side}_knee") - self._at(f"{side}_hip"))
        if joint == "shoulder":
            arm = self._at(f"{side}_elbow") - self._at(f"{side}_shoulder")
            return _between(-self.trunk, arm)
        upper, lower = {
            "knee": ("hip", "ankle"), "elbow": ("shoulder", "wrist"), "ankle": ("knee", "foot")
        }[joint]  # fmt: skip
        middle = self._at(f"{side}_{joint}")
        return 180 - _between(
            self._at(f"{side}_{upper}") - middle, self._at(f"{side}_{lower}") - middle
        )

    def tilt(self, segment: str) -> Value:
        """Return a segment's angle against the vertical, degrees, 0 to 90."""
        side, _, limb = segment.rpartition(" ")
        if segment == "back":
            line = self.trunk
        else:
            upper, lower = _ENDS_OF[limb]
            line = self._at(f"{side}_{upper}") - self._at(f"{side}_{lower}")
        up = _between(line, torch.tensor([0.0, 1.0, 0.0]).expand_as(line))
        return torch.minimum(up, 180 - up)

    def gap(self, first: str, second: str, axis: int) -> Value:
        """Return how far the first is left of, above or in front of the second, cm."""
        return 100 * (self.part(first) - self.part(second))[:, axis]

    def distance(self, first: str, second: str) -> Value:
        """Return the distance of two parts, cm."""
        return 100 * ((self.part(first) - self.part(second)).square().sum(-1) + 1e-8).sqrt()

    def crossing(self, pair: str) -> Value:
        """Return how far wrists or ankles are past each other, cm."""
        limb, line = {"arms": ("wrist", "shoulder"), "legs": ("ankle", "hip")}[pair]
        across = self._at(f"right_{line}") - self._at(f"left_{line}")
        gap = self._at(f"left_{limb}") - self._at(f"right_{limb}")
        return 100 * (gap * across).sum(-1) / across.norm(dim=-1)

    def lean(self) -> Value:
        """Return the trunk's angle against the vertical, degrees."""
        middle = (self._at("left_shoulder") + self._at("right_shoulder")) / 2
        trunk = middle - self._at("pelvis")
        return _between(trunk, torch.tensor([0.0, 1.0, 0.0]).expand_as(trunk))

    def centre_of_mass(self) -> Place:
        """Return the centre of mass in the world that the joints are in; see posecodes.balance."""
        total, weight = torch.zeros_like(self.trunk), 0.0
        for upper, lower, share, mass in SEGMENT_MASSES:
            for side in ("",) if upper in ("head", "neck") else ("left ", "right "):
                place = self.part(side + upper)
                if lower is not None:
                    place = place + share * (self.part(side + lower) - place)
                total, weight = total + mass * place, weight + mass
        return ((total / weight)[:, None] @ self._own)[:, 0]


_ENDS_OF = {
    "thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "upper arm": ("shoulder", "elbow"),
    "arm": ("shoulder", "wrist"), "forearm": ("elbow", "wrist"), "leg": ("hip", "ankle"),
}  # fmt: skip
_AXES = {
    "above": (1, 1), "below": (1, -1), "front": (2, 1), "behind": (2, -1), "leftward": (0, 1),
    "rightward": (0, -1),
}  # fmt: skip


def _between(first: Place, second: Place) -> Value:
    cos = (first * second).sum(-1) / (first.norm(dim=-1) * second.norm(dim=-1) + 1e-9)
    return cos.clamp(-0.9999, 0.9999).acos().rad2deg()


def violations(entry: Entry, terms: BodyTerms) -> Float[Tensor, "pose term"]:
    """Return what each relation and range of an entry costs, 0 where it holds with a margin."""
    slacks: list[Value] = [torch.full_like(terms.trunk[:, 0], MARGIN)]
    for relation in entry.relations:
        found = _slacks(terms, relation.arguments)
        slacks += found if relation.holds else [-one for one in found[:1] if len(found) == 1]
    for one in entry.ranges:
        value = _value(terms, one.quantity, one.parts)
        if value is not None:
            slacks += [value - one.low, one.high - value]
    return (MARGIN - torch.stack(slacks, dim=1)).clamp(min=0) * PER_UNIT


def _value(terms: BodyTerms, quantity: str, parts: tuple[str, ...]) -> Value | None:
    if quantity == "distance":
        return terms.distance(*parts)
    if quantity in _AXES or quantity == "side":
        return terms.gap(*parts, axis={"above": 1, "front": 2, "side": 0}[quantity])
    if quantity == "angle":
        bend = terms.bend(parts[0])
        return bend if parts[0].endswith("shoulder") else 180 - bend
    if quantity == "height":
        return 100 * terms.part(parts[0])[:, 1]
    if quantity == "tilt" and parts[0] in (f"{s} {limb}" for s in SIDES for limb in _ENDS_OF):
        return terms.tilt(parts[0])
    if quantity == "lean":
        return terms.lean()
    return None


def _slacks(terms: BodyTerms, arguments: tuple[str, ...]) -> list[Value]:
    relation, *parts = arguments
    if relation in _AXES:
        axis, sign = _AXES[relation]
        return [sign * terms.gap(*pair, axis=axis) - LEVEL_CM for pair in pairs(*parts)]
    if relation == "near":
        return [NEAR_CM - terms.distance(*pair) for pair in pairs(*parts)]
    if relation in ("together", "apart", "shoulder width"):
        both = ones({"arms": "hands", "legs": "feet"}.get(parts[0], parts[0]))
        gap = terms.distance(*both)
        low = {"together": -1e3, "apart": APART_CM, "shoulder width": NEAR_CM}[relation]
        high = {"together": NEAR_CM, "apart": 1e3, "shoulder width": APART_CM}[relation]
        return [gap - low, high - gap]
    if relation == "level" and parts[0] != "head":
        return [LEVEL_CM - terms.gap(*ones(parts[0]), axis=1).abs()]
    if relation == "crossed":
        return [terms.crossing(parts[0]) - LEVEL_CM]
    if relation in ("vertical", "horizontal"):
        tilts = [terms.tilt(segment) for segment in ones(parts[0])]
        sign, bound = {"vertical": (-1, VERTICAL_BY), "horizontal": (1, HORIZONTAL_BY)}[relation]
        return [sign * (tilt - bound) for tilt in tilts]
    if relation in ("bent", "straight") and parts[0] != "back":
        bends = [terms.bend(part) for part in ones(parts[0])]
        return [STRAIGHT_BY - b if relation == "straight" else b - BENT_BY for b in bends]
    if relation == "raised":
        return [slack for part in ones(parts[0]) for slack in _raised(terms, part)]
    return [20.0 - terms.lean()] if relation == "upright" else []


def _raised(terms: BodyTerms, part: str) -> list[Value]:
    side, name = part.split(" ")
    if name in ("foot", "leg"):
        return [100 * terms.part(f"{side} foot")[:, 1] - GROUND_CM - 2]
    if name == "knee":
        return []
    end = part if name in ("hand", "elbow") else f"{side} hand"
    least = LEVEL_CM if name == "hand" else -RAISED_ARM_CM
    return [terms.gap(end, f"{side} shoulder", axis=1) - least]
