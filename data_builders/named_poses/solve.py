"""Makes poses that satisfy an entry: gradient descent on joint angles, all variants at once.

The prior is anatomical: every angle stays within its limits and near what the entry says of it, or
near rest. Contacts, relations, gravity and not passing through oneself pull against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_builders.named_poses.angles import (
    ANGLES,
    COLUMN,
    HIGH,
    LOW,
    MIRRORED,
    PARTS,
    REST,
    SIGNED,
    rotations_of,
)
from data_builders.named_poses.body_contacts import BodyBalls, carrier_vertices, touch_vertices
from data_builders.named_poses.body_terms import BodyTerms, violations
from data_builders.named_poses.entries import Entry
from unipose.body.body import Body
from unipose.body.facing import face_front
from unipose.body.kinematics import chain
from unipose.body.skeletons import POSED_JOINTS as POSED
from unipose.body.skeletons import SMPL

UNSAID_DEGREES = {"body": 8.0, "back": 8.0, "head": 8.0, "leg": 12.0, "arm": 25.0}
"""How far an angle that the entry does not name may leave its rest at the cost of 1."""


@dataclass(frozen=True, kw_only=True)
class SolverConfig:
    """How long is searched, and how much each wish counts."""

    variants: int = 8
    """Besides the centre."""
    steps: int = 120
    rate_degrees: float = 4.5
    """Of Adam, at the start; it falls to a tenth."""
    firm_degrees: float = 4.5
    """How far an angle that the entry states may leave its aim at the cost of 1."""
    start_degrees: float = 30.0
    """The same for angles that it only starts from."""
    contact_m: float = 0.005
    overlap_m: float = 0.01
    balance_m: float = 0.01
    margin_m: float = 0.02
    """The centre of mass is wanted so far inside of what carries."""


class Solver:
    """Solves entries on one body."""

    def __init__(self, body: Body, config: SolverConfig | None = None) -> None:
        self.body = body
        self.config = config or SolverConfig()
        self.balls = BodyBalls(body)

    def solve(self, entry: Entry, *, seed: int) -> Float[Tensor, "pose 22 3 3"]:
        """Return the centre and variants of an entry (local rotations, facing +z).

        The centre aims at the middles of all ranges, a variant at angles drawn from them. Whether
        they hold is not said here: `holding.faults` measures that.
        """
        aims, weights = self._aims(entry, seed)
        angles = aims.clone().requires_grad_()
        height = torch.zeros(len(aims), requires_grad=True)
        skin = _Skin(self.body, entry, self.balls)
        even = torch.equal(aims[0], exchanged(aims[0]))
        with torch.no_grad():
            height += self._start_height(angles, skin)
        optimiser = torch.optim.Adam(
            [
                {"params": [angles], "lr": self.config.rate_degrees},
                {"params": [height], "lr": 0.01},
            ]
        )
        fall = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.1 ** (1 / self.config.steps))
        for _ in range(self.config.steps):
            optimiser.zero_grad()
            loss = self._loss(entry, skin, angles, height, aims, weights)
            loss.sum().backward()
            if even and angles.grad is not None:
                angles.grad[0] = (angles.grad[0] + exchanged(angles.grad[0])) / 2
            optimiser.step()
            fall.step()
            with torch.no_grad():
                angles.copy_(torch.minimum(torch.maximum(angles, LOW), HIGH))
        return face_front(rotations_of(angles.detach()))

    def _aims(
        self, entry: Entry, seed: int
    ) -> tuple[Float[Tensor, "pose angle"], Float[Tensor, " angle"]]:
        """Return the angles aimed at, the centre's first, and what a degree off costs."""
        count = 1 + self.config.variants
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.rand(count, len(REST), generator=generator)
        drawn[0] = 0.5
        low, high = REST - 4.0, REST + 4.0
        low[REST == 0], high[REST == 0] = -3.0, 3.0
        weights = torch.tensor([1 / UNSAID_DEGREES[PARTS[part]] for part, _ in ANGLES])
        for name, aim in entry.aims.items():
            column = COLUMN[name]
            low[column], high[column] = aim.low, aim.high
            weights[column] = 1 / (
                self.config.firm_degrees if aim.firm else self.config.start_degrees
            )
        low, high = torch.maximum(low, LOW), torch.minimum(high, HIGH)
        return low + drawn * (high - low), weights

    def _start_height(
        self, angles: Float[Tensor, "pose angle"], skin: _Skin
    ) -> Float[Tensor, " pose"]:
        vertices = skin.pose(rotations_of(angles)).vertices
        return -vertices[..., 1].amin(1)

    def _loss(
        self,
        entry: Entry,
        skin: _Skin,
        angles: Float[Tensor, "pose angle"],
        height: Float[Tensor, " pose"],
        aims: Float[Tensor, "pose angle"],
        weights: Float[Tensor, " angle"],
    ) -> Float[Tensor, " pose"]:
        config = self.config
        posed = skin.pose(rotations_of(angles))
        up = height[:, None, None] * torch.tensor([0.0, 1.0, 0.0])
        vertices, joints = posed.vertices + up, posed.joints + up
        loss = ((angles - aims) * weights).square().sum(1)
        overlaps = self.balls.overlaps(posed.balls)
        loss = loss + (overlaps / config.overlap_m).square().sum((1, 2))
        for one, other in skin.touches:
            gaps = torch.cdist(vertices[:, one], vertices[:, other]).flatten(1).amin(1)
            loss = loss + ((gaps - 0.012).clamp(min=0) / config.contact_m).square()
        terms = BodyTerms(joints=joints, turns=posed.turns)
        loss = loss + violations(entry, terms).square().sum(1)
        if not entry.on and not entry.held:
            return loss
        supports = [vertices[:, some] for some in skin.held]
        if entry.on:
            below = (-vertices[..., 1]).clamp(min=0)
            loss = loss + (below / config.contact_m).square().sum(1) * 0.1
            for some in skin.on:
                lowest = vertices[:, some, 1].topk(3, dim=1, largest=False).values
                loss = loss + (lowest / config.contact_m).square().mean(1)
            supports += [vertices[:, some] for some in skin.on]
        out = outside(terms.centre_of_mass(), supports, on_floor=len(skin.on))
        return loss + ((out + config.margin_m).clamp(min=0) / config.balance_m).square()


_SIGNS = torch.tensor([-1.0 if name in SIGNED else 1.0 for name in ANGLES])


def exchanged(angles: Float[Tensor, " angle"]) -> Float[Tensor, " angle"]:
    """Return angles with left and right exchanged."""
    return angles[list(MIRRORED)] * _SIGNS


def outside(
    centre: Float[Tensor, "pose 3"],
    supports: list[Float[Tensor, "pose _ 3"]],
    *,
    on_floor: int,
    skin_m: float = 0.025,
) -> Float[Tensor, " pose"]:
    """Return how far the centre of mass is outside of the skin that carries, metres.

    Of the last `on_floor` supports only what is within `skin_m` of their lowest vertex carries.
    The hull is looked at from 36 directions.
    """
    angles = torch.arange(0, 360, 10) * (torch.pi / 180)
    directions = torch.stack([angles.cos(), angles.sin()])
    reach = []
    for i, skin in enumerate(supports):
        far = skin[..., [0, 2]] @ directions  # pose vertex direction
        if i >= len(supports) - on_floor:
            up = skin[..., 1] - skin[..., 1].amin(1, keepdim=True)
            far = far.masked_fill((up > skin_m)[..., None], -torch.inf)
        reach.append(far.amax(1))
    farthest = torch.stack(reach).amax(0)
    return (centre[:, [0, 2]] @ directions - farthest).amax(1)


class _Skin:
    """The vertices that the search looks at, and where among them each part is."""

    def __init__(self, body: Body, entry: Entry, balls: BodyBalls) -> None:
        sets: list[Int[np.ndarray, " _"]] = []
        places: dict[str, list[int]] = {"on": [], "held": []}
        for kind, carriers in (("on", entry.on), ("held", entry.held)):
            for carrier in carriers:
                for found in carrier_vertices(body, carrier):
                    places[kind].append(len(sets))
                    sets.append(_thinned(found, 45))
        pairs = []
        for one, other in entry.touches:
            pairs.append((len(sets), len(sets) + 1))
            sets += [_thinned(touch_vertices(body, name), 130) for name in (one, other)]
        sets.append(np.arange(0, len(body.template), 9))
        ends = np.cumsum([len(some) for some in sets]).tolist()
        slices = [slice(end - len(some), end) for some, end in zip(sets, ends)]
        chosen = torch.from_numpy(np.concatenate(sets))
        self._count = len(chosen)
        skinning = [_skinning(body, chosen), _skinning(body, balls.vertices) @ balls.means.T]
        self._skinning = torch.cat(skinning, dim=1)
        self._rest, self._offsets = body.rest_joints[:POSED], body.joint_offsets[None, :POSED]
        self.on = [slices[i] for i in places["on"]]
        self.held = [slices[i] for i in places["held"]]
        self.touches = [(slices[i], slices[k]) for i, k in pairs]

    def pose(self, rotations: Float[Tensor, "pose 22 3 3"]) -> _Posed:
        """Return where everything is when the body is posed (metres, the pelvis as at rest)."""
        turns, places = chain(rotations, self._offsets)
        shifts = places - (turns @ self._rest[..., None])[..., 0]
        motions = torch.cat([turns, shifts[..., None]], dim=-1)  # pose joint 3 4
        rows = motions.transpose(1, 2).flatten(2).flatten(0, 1)
        points = (rows @ self._skinning).unflatten(0, (-1, 3)).mT
        return _Posed(
            vertices=points[:, : self._count],
            balls=points[:, self._count :],
            joints=places,
            turns=turns,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Posed:
    vertices: Float[Tensor, "pose vertex 3"]
    balls: Float[Tensor, "pose ball 3"]
    joints: Float[Tensor, "pose 22 3"]
    turns: Float[Tensor, "pose 22 3 3"]


def _skinning(body: Body, chosen: Int[Tensor, " vertex"]) -> Float[Tensor, "88 vertex"]:
    """Return what makes vertices of the motions of 22 joints; hands go with their wrists."""
    whole = torch.cat([body.template[chosen], torch.ones(len(chosen), 1)], dim=1)
    weights = body.weights[chosen].clone()
    for side in ("left", "right"):
        weights[:, SMPL.index[f"{side}_wrist"]] += weights[:, SMPL.index[f"{side}_hand"]]
    return (weights[:, :POSED, None] * whole[:, None]).flatten(1).T


def _thinned(vertices: Int[np.ndarray, " _"], most: int) -> Int[np.ndarray, " _"]:
    return vertices[:: max(1, len(vertices) // most)]
