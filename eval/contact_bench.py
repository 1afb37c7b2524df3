"""The scenes of one seed, who says what touches in them, and how good poses and tables are."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from eval.contact_scenes import ContactScene
from unipose.body.people import ImagePeople
from unipose.body.regions import FINE_REGIONS, RegionSet
from unipose.body.skeletons import SMPL
from unipose.contact.contact_tables import Pair, all_words
from unipose.contact.contact_votes import ContactVotes, read_votes
from unipose.contact.measured_contacts import careful_pairs, near_regions, term_of
from unipose.contact.optimiser import SceneOptimiser
from unipose.contact.own_model import ContactModel, own_model, words_of
from unipose.contact.prompts import VOCABULARIES, contact_question
from unipose.contact.refining import WHOLE_BODY, ContactRefiner
from unipose.contact.region_points import RegionPoints
from unipose.contact.scene_batch import SceneBatch
from unipose.errors import AnswerParseError, ConfigError
from unipose.metrics.contact import RADII_M, correct_contacts, joint_pa_mpjpe, table_scores
from unipose.priors.sampled_models import SampledModel, sample_all

LSP_14 = SMPL.indices(
    *(f"{side}_{joint}" for side in ("left", "right")
      for joint in ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")),
    "neck", "head",
)  # fmt: skip
"""SMPL's joints that stand for LSP's 14."""
SHOWN_RADII = (1, 2, 3)
"""Positions in RADII_M: 5, 10 and 15 cm."""


@dataclass(kw_only=True)
class MethodScores:
    """Of one method on some scenes, one number each."""

    error_mm: list[float] = field(default_factory=list)
    """Empty where there are no true poses."""
    pcc: list[list[float]] = field(default_factory=list)
    """By radius."""
    fell_back: list[bool] = field(default_factory=list)

    def add(self, other: MethodScores) -> None:
        """Append another seed's scenes."""
        self.error_mm += other.error_mm
        self.pcc += other.pcc
        self.fell_back += other.fell_back

    def figures(self) -> dict[str, float]:
        """Return means; PCC in %."""
        pcc = 100 * np.mean(self.pcc, axis=0)
        shown = {f"pcc_at_{RADII_M[i]:.2f}_m": float(pcc[i]) for i in SHOWN_RADII}
        errors = {"joint_pa_mpjpe_mm": float(np.mean(self.error_mm))} if self.error_mm else {}
        return {
            **errors,
            "average_pcc": float(pcc.mean()),
            **shown,
            "scenes": len(self.pcc),
            "fallbacks": sum(self.fell_back),
        }


def wrong_answers(
    pairs: Sequence[Pair], vocabulary: RegionSet, *, share: float, samples: int, seed: str
) -> tuple[tuple[Pair, ...], ...]:
    """Return N samples in each of which a share of the true pairs is replaced by any pair.

    So as many are left out as are made up; samples err independently.
    """
    words = tuple(vocabulary.parts)
    found = []
    for number in range(samples):
        chance = random.Random(f"{seed} {number}")
        found.append(
            tuple(
                (chance.choice(words), chance.choice(words)) if chance.random() < share else pair
                for pair in pairs
            )
        )
    return tuple(found)


class Bench:
    """The scenes of one seed with so many people, and what is measured on them."""

    def __init__(
        self,
        scenes: Sequence[ContactScene],
        refiner: ContactRefiner,
        *,
        seed: int,
        regions: RegionSet = FINE_REGIONS,
    ) -> None:
        """`regions` are those of the scenes' true contacts."""
        self.scenes, self.refiner, self.seed, self.regions = scenes, refiner, seed, regions
        self.body = body = refiner.body
        self.people = len(scenes[0].initial.people)
        self.vocabulary = VOCABULARIES[self.people]
        points = RegionPoints(body, regions, own=self.people == 1)
        self.measuring = SceneOptimiser(body=body, points=points)
        truth = [scene.truth for scene in scenes if scene.truth is not None]
        self.truth = self.joints(truth) if len(truth) == len(scenes) else None

    def joints(self, scenes: Sequence[ImagePeople]) -> Float[Tensor, "scene person joint 3"]:
        """Return LSP's 14 joints of everybody (metres)."""
        poses = [[person.pose for person in scene.people] for scene in scenes]
        with torch.no_grad():
            return torch.stack(
                [
                    torch.stack(
                        [
                            self.body.joints(pose.rotations, pose.betas, pose.translation)[
                                0, list(LSP_14)
                            ]
                            for pose in row
                            if pose is not None
                        ]
                    )
                    for row in poses
                ]
            )

    def scores(self, scenes: Sequence[ImagePeople], fell_back: Sequence[bool]) -> MethodScores:
        """Return the errors of estimates of the first scenes."""
        distances = self.measuring.distances(SceneBatch.of(scenes, self.body))
        place = {name: i for i, name in enumerate(self.regions.names)}
        pcc = []
        for scene, matrix in zip(self.scenes, distances):
            contacts = scene.between_parts
            apart = [matrix[place[one.first], place[one.second]] for one in contacts]
            pcc.append(correct_contacts(torch.stack(apart)).tolist())
        errors_mm: list[float] = []
        if self.truth is not None:
            errors = joint_pa_mpjpe(self.joints(scenes), self.truth[: len(scenes)])
            errors_mm = (1000 * errors).tolist()
        return MethodScores(error_mm=errors_mm, pcc=pcc, fell_back=list(fell_back))

    def initial(self) -> MethodScores:
        """Return the errors of the initial estimates."""
        return self.scores([scene.initial for scene in self.scenes], [False] * len(self.scenes))

    def refined(self, votes: Sequence[ContactVotes]) -> MethodScores:
        """Return the errors after the first scenes were refined by these answers."""
        found = self.refiner.refine([scene.initial for scene in self.scenes[: len(votes)]], votes)
        return self.scores([one.after for one in found], [one.fell_back for one in found])

    def nothing(self) -> list[ContactVotes]:
        """Return what nobody says."""
        return [ContactVotes(people=self.people, samples=((),)) for _ in self.scenes]

    def anywhere(self) -> list[ContactVotes]:
        """Return that the two touch, and not where: the nearest vertices of the whole meshes."""
        pairs = ((WHOLE_BODY, WHOLE_BODY),)
        return [ContactVotes(people=self.people, samples=(pairs,)) for _ in self.scenes]

    def oracle(self, share: float = 0.0, samples: int = 1) -> list[ContactVotes]:
        """Return the true tables, or N samples with a share of wrong pairs."""
        votes = []
        for scene in self.scenes:
            pairs = careful_pairs(scene.contacts, self.vocabulary, people=self.people)
            answers = (pairs,)
            if share:
                answers = wrong_answers(
                    pairs, self.vocabulary, share=share, samples=samples,
                    seed=f"{self.seed} {scene.key}",
                )  # fmt: skip
            votes.append(ContactVotes(people=self.people, samples=answers))
        return votes

    def rule(self, reach_m: float) -> list[ContactVotes]:
        """Return what is nearer than this in the initial estimates (metres)."""
        batch = SceneBatch.of([scene.initial for scene in self.scenes], self.body)
        votes = []
        for matrix in self.measuring.distances(batch):
            near = near_regions(matrix, self.regions.names, reach_m, people=self.people)
            pairs = careful_pairs(near, self.vocabulary, people=self.people)
            votes.append(ContactVotes(people=self.people, samples=(pairs,)))
        return votes

    def own(self, assistant: ContactModel, count: int) -> list[ContactVotes]:
        """Return what our own model says of the first pictures: its likeliest table."""
        model = own_model(assistant, self.vocabulary, people=self.people)
        return self.asked(model, count, samples=1)

    def asked(self, model: SampledModel, count: int, *, samples: int) -> list[ContactVotes]:
        """Return what a model says of the first pictures. ConfigError for one without a picture."""
        questions = []
        for scene in self.scenes[:count]:
            if scene.picture is None:
                raise ConfigError(f"{scene.key} has no picture that a model could be asked about")
            questions.append(contact_question(scene.picture, people=self.people, key=scene.key))
        answers = dict(sample_all(model, questions, count=samples))
        return [
            read_votes(answers[i].texts, self.vocabulary, people=self.people)
            for i in range(len(questions))
        ]

    def from_pose(self, assistant: ContactModel, count: int, *, true: bool) -> list[ContactVotes]:
        """Return what our own model says of the true or the initial poses of single people."""
        votes = []
        for scene in self.scenes[:count]:
            shown = scene.truth if true else scene.initial
            assert shown is not None
            (person,) = shown.people
            assert person.pose is not None
            try:
                said = assistant.contacts(person.pose, people=1, measured=False)
            except AnswerParseError:
                said = []
            pairs = words_of(said, self.vocabulary, people=1)
            votes.append(ContactVotes(people=1, samples=(pairs,)))
        return votes

    def table_f1(self, votes: Sequence[ContactVotes]) -> dict[str, float]:
        """Return F1 of the first samples, and by chance: against the scene half the list further.

        Sides do not count, and the better of the two orders of people is taken.
        """
        truth = [self._meant(one) for one in self.whole_truth()[: len(votes)]]
        said = [one.samples[0] if one.samples else () for one in votes]
        shifted = [*truth[len(truth) // 2 :], *truth[: len(truth) // 2]]
        found = {}
        for name, real in (("f1", truth), ("chance_f1", shifted)):
            best = [self._best_order(some, other) for some, other in zip(said, real)]
            precision, recall, f1 = table_scores(best, real)
            found[name] = f1
            if name == "f1":
                found |= {"precision": precision, "recall": recall}
        return found

    def whole_truth(self) -> list[tuple[Pair, ...]]:
        """Return all true pairs in words, whether the prompt's rules would name them or not."""
        found = []
        for scene in self.scenes:
            terms = [
                (term_of(one.first, self.vocabulary), term_of(one.second, self.vocabulary))
                for one in scene.contacts
            ]
            pairs = {pair: tuple(sorted(pair)) for pair in terms if all(pair)}
            once = {plain: pair for pair, plain in pairs.items()} if self.people == 1 else pairs
            found.append(tuple(once.values() if self.people == 1 else once))
        return found

    def _meant(self, pairs: Sequence[Pair]) -> list[frozenset[Pair]]:
        return [frozenset(self._plain(word) for word in all_words(pair)) for pair in pairs]

    def _plain(self, pair: Pair) -> Pair:
        first, second = sorted(pair)
        return (first, second) if self.people == 1 else pair

    def _best_order(
        self, said: Sequence[Pair], truth: Sequence[frozenset[Pair]]
    ) -> list[frozenset[Pair]]:
        """Return a table with its people in the order that agrees better."""
        orders = [self._meant(said), self._meant([(b, a) for a, b in said])]
        return max(orders, key=lambda one: sum(any(p & t for t in truth) for p in one))


@dataclass(kw_only=True)
class SeedBench:
    """A seed's scenes, drawn when somebody needs them: of kept figures nobody does."""

    people: int
    seed: int
    count: int
    """Of scenes."""
    build: Callable[[int], Bench]
    """Number of scenes -> those, from the first on."""
    _made: Bench | None = None

    def first(self, count: int | None = None) -> Bench:
        """Return at least so many of the scenes (None: all), drawn once."""
        count = self.count if count is None else min(count, self.count)
        if self._made is None or len(self._made.scenes) < count:
            self._made = self.build(count)
        return self._made
