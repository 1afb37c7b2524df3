"""Two stages of Adam over a batch of scenes: poses that agree with what is said to touch.

ProsePose, section 3.3, with its published weights; each scene stops on its own, when its loss does
not fall any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.body.body import Body
from unipose.contact.assignments import Assignments
from unipose.contact.penetration import penetration
from unipose.contact.pose_prior import MaxMixture
from unipose.contact.region_points import NONE, RegionPoints
from unipose.contact.scene_batch import KEYPOINTS, SceneBatch
from unipose.errors import ConfigError
from unipose.vision.body_landmarks import LandmarkedBody

BOX = 512.0
"""Keypoints' errors count in pixels of a person whose box has this side."""
WINDOW = 20
"""Losses whose slope decides whether a scene is done."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Of one stage."""

    keypoints: float
    contact: float
    """Per metre."""
    start: float
    """Of the squared way (radians) from the initial pose, or from the first stage's result."""
    usual: float
    """Of the pose prior."""
    shape: float
    penetration: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ContactConfig:
    """How scenes are optimised."""

    stages: tuple[LossWeights, LossWeights]
    steps: int = 1000
    """Of each stage at most."""
    rates: tuple[float, float] = (0.01, 0.001)
    flat: float = 1e-4
    """A scene is done when its loss changes by less than this share of itself in a step, on
    average over WINDOW steps; 0 takes all steps."""
    look_every: int = 10
    """Steps after which the nearest vertices are looked up again; between, these are pulled."""
    turn_roots: bool = True
    """Whether the whole body's direction is optimised too. ProsePose keeps it; with it the errors
    of validation scenes were 2 mm smaller, with contacts and without."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.look_every < 1 or min(self.rates) <= 0 or self.flat < 0:
            raise ConfigError("expected steps, look_every and rates above 0, and flat from 0 on")


def _config(
    *, keypoints: tuple[float, float], contact: float, start: float, usual: float
) -> ContactConfig:
    first, second = (
        LossWeights(keypoints=k, contact=contact, start=start, usual=usual, shape=shape)
        for k, shape in zip(keypoints, (40.0, 0.0))
    )
    return ContactConfig(stages=(first, second))


CONTACT_CONFIGS: dict[int, ContactConfig] = {
    1: _config(keypoints=(0.04, 0.1), contact=300.0, start=400.0, usual=4.0),
    2: _config(keypoints=(0.04, 0.1), contact=1000.0, start=200.0, usual=4.0),
}
"""Number of people -> weights, without the interpenetration loss. Those of two people are
ProsePose's. Its weights of one person (contact 10,000, no pose prior) made poses of validation
scenes worse than no contact at all: a side chosen wrongly then outweighs all keypoints."""
FALLBACK_CONFIGS: dict[int, ContactConfig] = {
    1: _config(keypoints=(0.04, 0.1), contact=0.0, start=400.0, usual=4.0),
    2: _config(keypoints=(0.02, 0.1), contact=10_000.0, start=200.0, usual=2.0),
}
"""What is done without an answer: for one person no contact at all (HMR2+opt), for two BUDDI's
heuristic, which pulls the nearest vertices of the two whole meshes together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimised:
    """What came out."""

    scenes: SceneBatch
    steps: Int[Tensor, " scene"]
    """In both stages together."""
    contact_before: Float[Tensor, " scene"]
    """Loss of the contacts, metres."""
    contact_after: Float[Tensor, " scene"]


@dataclass(kw_only=True)
class SceneOptimiser:
    """What all batches share."""

    body: Body
    points: RegionPoints
    prior: MaxMixture | None = None
    ground: float | None = None
    """Height of the floor (y, metres); None: contacts with it do not count."""

    def __post_init__(self) -> None:
        self.landmarks = LandmarkedBody(self.body, range(KEYPOINTS)).to(self.body.template.device)

    def optimise(
        self,
        scenes: SceneBatch,
        assignments: Assignments,
        config: ContactConfig,
        *,
        on_step: Callable[[], None] | None = None,
    ) -> Optimised:
        """Return the scenes after both stages; the result is on the body's device.

        Raises ConfigError for a usual-pose or interpenetration loss that cannot be had.
        """
        self._check(scenes, config)
        device = self.body.template.device
        scenes, assignments = scenes.to(device), assignments.to(device)
        scenes = scenes.with_unseen_feet(self.landmarks)
        steps = torch.zeros(len(scenes), dtype=torch.long, device=device)
        before = self._contact(scenes, assignments)
        for number, weights in enumerate(config.stages):
            stage = _Stage(self, scenes, assignments, config, weights, shaped=number == 0)
            scenes, taken = stage.run(config.rates[number], on_step)
            steps += taken
        return Optimised(
            scenes=scenes, steps=steps, contact_before=before,
            contact_after=self._contact(scenes, assignments),
        )  # fmt: skip

    def distances(
        self, scenes: SceneBatch, wanted: Int[Tensor, "scene wish 2"] | None = None
    ) -> Float[Tensor, "scene region region"]:
        """Return the distances between regions (metres), infinite where none counts.

        All of them, or those that are `wanted`.
        """
        if wanted is None:
            every = torch.arange(len(self.points.names), device=scenes.turns.device)
            wanted = torch.cartesian_prod(every, every).expand(len(scenes), -1, -1)
        with torch.no_grad():
            rotations = scenes.rotations(scenes.turns, torch.zeros_like(scenes.translation))
            found = self._look(scenes, rotations, scenes.betas, scenes.translation, wanted)
            mesh, _ = self.body.at_vertices(
                rotations, scenes.betas.flatten(0, 1), scenes.translation.flatten(0, 1),
                _chosen(found, scenes.people),
            )  # fmt: skip
            return self._distances(mesh.vertices, found, wanted, scenes.people)

    def _contact(self, scenes: SceneBatch, assignments: Assignments) -> Float[Tensor, " scene"]:
        return assignments.loss(self.distances(scenes, assignments.wanted))

    def _look(
        self,
        scenes: SceneBatch,
        rotations: Float[Tensor, "body 24 3 3"],
        betas: Float[Tensor, "scene person 10"],
        translation: Float[Tensor, "scene person 3"],
        wanted: Int[Tensor, "scene wish 2"],
    ) -> Int[Tensor, "scene wish 2"]:
        """Return the nearest vertices of each wanted pair of regions."""
        with torch.no_grad():
            mesh = self.body(rotations, betas.flatten(0, 1), translation.flatten(0, 1))
            vertices = mesh.vertices.unflatten(0, (len(scenes), scenes.people))
            return self.points.nearest(vertices, wanted).to(rotations.device)

    def _distances(
        self,
        vertices: Float[Tensor, "body chosen 3"],
        found: Int[Tensor, "scene wish 2"],
        wanted: Int[Tensor, "scene wish 2"],
        people: int,
    ) -> Float[Tensor, "scene region region"]:
        """Return the matrix of distances, of the vertices that `_chosen` chose of `found`."""
        ends = vertices.view(len(found), 2, found.shape[1], 3)  # scene side wish xyz
        apart = (ends[:, 0] - ends[:, 1]).norm(dim=-1)
        missing = found == NONE
        apart = torch.where(missing.any(-1), torch.inf, apart)
        if self.points.ground is not None and self.ground is not None:
            one_missing = missing.sum(-1) == 1  # of a pair with the ground
            side = torch.where(missing[..., 0, None], ends[:, 1], ends[:, 0])
            apart = torch.where(one_missing, (side[..., 1] - self.ground).abs(), apart)
        regions = len(self.points.names)
        at = regions * wanted[..., 0] + wanted[..., 1]
        places = torch.where(wanted[..., 0] == NONE, regions**2, at)
        flat = apart.new_full((len(found), regions**2 + 1), torch.inf).scatter(1, places, apart)
        matrix = flat[:, :-1].unflatten(1, (regions, regions))
        if people == 1:
            diagonal = torch.eye(regions, dtype=torch.bool, device=matrix.device)
            matrix = matrix.masked_fill(diagonal, torch.inf)
        return matrix

    def _check(self, scenes: SceneBatch, config: ContactConfig) -> None:
        if self.prior is None and any(weights.usual for weights in config.stages):
            raise ConfigError("the loss of unusual poses needs a pose prior")
        if scenes.people == 1 and any(weights.penetration for weights in config.stages):
            raise ConfigError("the interpenetration loss is for two people")


class _Stage:
    """One stage: its parameters, its loss."""

    def __init__(
        self,
        optimiser: SceneOptimiser,
        scenes: SceneBatch,
        assignments: Assignments,
        config: ContactConfig,
        weights: LossWeights,
        *,
        shaped: bool,
    ) -> None:
        self.of, self.scenes, self.assignments = optimiser, scenes, assignments
        self.config, self.weights = config, weights
        self.turns = scenes.turns.clone().requires_grad_()
        self.translation = scenes.translation.clone().requires_grad_()
        self.betas = scenes.betas.clone().requires_grad_(shaped)
        self.roots = torch.zeros_like(scenes.translation).requires_grad_(config.turn_roots)
        self.found: Int[Tensor, "scene wish 2"] | None = None

    def run(
        self, rate: float, on_step: Callable[[], None] | None
    ) -> tuple[SceneBatch, Int[Tensor, " scene"]]:
        """Return the scenes after the stage, and how many steps each took."""
        learned = [
            one
            for one in (self.turns, self.translation, self.betas, self.roots)
            if one.requires_grad
        ]
        adam = torch.optim.Adam(learned, lr=rate)
        count = len(self.scenes)
        losses = self.turns.new_zeros(WINDOW, count)
        centred = torch.arange(WINDOW).to(losses) - (WINDOW - 1) / 2
        centred = centred / centred.square().sum()
        steps = torch.zeros(count, dtype=torch.long, device=losses.device)
        done = torch.zeros(count, dtype=torch.bool, device=losses.device)
        for step in range(self.config.steps):
            if step % self.config.look_every == 0:
                self._look()
            loss = self._loss()
            adam.zero_grad()
            loss.sum().backward()
            kept = [one.detach()[done] for one in learned]
            adam.step()
            with torch.no_grad():
                for one, before in zip(learned, kept):
                    one[done] = before
            steps += ~done
            losses = torch.cat([losses[1:], loss.detach()[None]])
            if step + 1 >= WINDOW and self.config.flat:
                slope = centred @ losses
                done |= slope.abs() < self.config.flat * losses.mean(0).abs()
            if on_step is not None:
                on_step()
            if bool(done.all()):
                break
        return self._written(), steps

    def _look(self) -> None:
        if not self.assignments.wanted.shape[1]:
            self.found = self.assignments.wanted
            return
        rotations = self.scenes.rotations(self.turns, self.roots)
        self.found = self.of._look(
            self.scenes, rotations, self.betas, self.translation, self.assignments.wanted
        )

    def _loss(self) -> Float[Tensor, " scene"]:
        scenes, weights = self.scenes, self.weights
        assert self.found is not None
        people = scenes.betas.shape[:2]
        rotations = scenes.rotations(self.turns, self.roots)
        betas, translation = self.betas.flatten(0, 1), self.translation.flatten(0, 1)
        mesh, turned = self.of.body.at_vertices(
            rotations, betas, translation, _chosen(self.found, scenes.people)
        )
        marked = self.of.landmarks.places(turned, mesh.joints, betas).unflatten(0, people)
        apart = (scenes.project(marked) - scenes.points) * (BOX / scenes.side_px[..., None, None])
        seen = (apart.square().sum(-1) * scenes.scores).sum((1, 2))
        away = (self.turns - scenes.turns).square().sum((1, 2, 3)) + self.roots.square().sum((1, 2))
        loss = weights.keypoints * seen + weights.start * away
        loss = loss + weights.shape * self.betas.square().sum((1, 2))
        if weights.contact and self.found.shape[1]:
            matrix = self.of._distances(
                mesh.vertices, self.found, self.assignments.wanted, scenes.people
            )
            loss = loss + weights.contact * self.assignments.loss(matrix)
        if weights.usual and self.of.prior is not None:
            usual = self.of.prior(self.turns.flatten(2).flatten(0, 1))
            loss = loss + weights.usual * usual.unflatten(0, people).sum(1)
        if weights.penetration:
            whole = self.of.body(rotations, betas, translation).vertices.unflatten(0, people)
            loss = loss + weights.penetration * penetration(whole, self.of.body.faces)
        return loss

    def _written(self) -> SceneBatch:
        with torch.no_grad():
            roots = roma.rotvec_to_rotmat(self.roots) @ self.scenes.roots
        return replace(
            self.scenes, turns=self.turns.detach(), betas=self.betas.detach(), roots=roots,
            translation=self.translation.detach(),
        )  # fmt: skip


def _chosen(found: Int[Tensor, "scene wish 2"], people: int) -> Int[Tensor, "body vertex"]:
    """Return which vertices each body needs: its own side of the pairs, or both of them."""
    vertices = found.clamp(min=0).mT  # scene side wish
    return vertices.flatten(0, 1) if people == 2 else vertices.flatten(1)
