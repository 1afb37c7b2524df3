"""Poses and answers in, refined poses out: batches, thresholds, what is done without answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from unipose.body.body import Body
from unipose.body.people import ImagePeople
from unipose.body.regions import GROUND, REGIONS, RegionSet
from unipose.contact.assignments import assign
from unipose.contact.contact_votes import ContactVotes, check_thresholds, usual_threshold
from unipose.contact.optimiser import (
    CONTACT_CONFIGS,
    FALLBACK_CONFIGS,
    ContactConfig,
    Optimised,
    SceneOptimiser,
)
from unipose.contact.pose_prior import MaxMixture
from unipose.contact.prompts import VOCABULARIES
from unipose.contact.region_points import RegionPoints
from unipose.contact.scene_batch import SceneBatch
from unipose.errors import ConfigError, PoseQueryError

WHOLE_BODY = "body"
"""A word for the whole mesh, which is asked of nobody: the fallback's."""
_WHOLE = tuple(name.replace("left ", "~") for name in REGIONS if not name.startswith("right "))


def with_whole_body(vocabulary: RegionSet) -> RegionSet:
    """Return a vocabulary with a word more: the whole body, which is not a paired one."""
    return replace(vocabulary, parts={**vocabulary.parts, WHOLE_BODY: _WHOLE})


@dataclass(frozen=True, kw_only=True, eq=False)
class RefinedScene:
    """What became of one scene."""

    before: ImagePeople
    after: ImagePeople
    votes: ContactVotes
    fell_back: bool
    """Nothing was said, or too many answers were empty."""
    steps: int
    contact_before_m: float
    """Mean over the samples of their summed distances (of the fallback: the two meshes')."""
    contact_after_m: float


@dataclass(kw_only=True)
class ContactRefiner:
    """Everything that does not depend on the scene."""

    body: Body
    prior: MaxMixture | None = None
    """None: our own."""
    vocabularies: dict[int, RegionSet] = field(default_factory=lambda: dict(VOCABULARIES))
    configs: dict[int, ContactConfig] = field(default_factory=lambda: dict(CONTACT_CONFIGS))
    fallbacks: dict[int, ContactConfig] = field(default_factory=lambda: dict(FALLBACK_CONFIGS))
    threshold: int | None = None
    """f: a pair counts if so many samples name it; None: `usual_threshold`."""
    most_empty: int | None = None
    """t: so many empty samples, and the scene falls back; None: all of them."""
    ground: float | None = None
    """Height of the floor (y, metres)."""
    both_sides: bool = True
    batch: int = 16

    def __post_init__(self) -> None:
        check_thresholds(self.threshold, self.most_empty)
        if self.batch < 1:
            raise ConfigError(f"expected a batch of at least one scene, got {self.batch}")
        device = self.body.template.device
        self.prior = (self.prior or MaxMixture.load()).to(device)
        self._vocabularies = {n: with_whole_body(v) for n, v in self.vocabularies.items()}
        self._optimisers: dict[int, SceneOptimiser] = {}

    def optimiser(self, people: int) -> SceneOptimiser:
        """Return what optimises scenes of so many people; it is made once."""
        if people not in self._optimisers:
            self._optimisers[people] = SceneOptimiser(
                body=self.body,
                points=RegionPoints(self.body, self._vocabularies[people], own=people == 1),
                prior=self.prior,
                ground=self.ground,
            )  # fmt: skip
        return self._optimisers[people]

    def refine(
        self,
        scenes: Sequence[ImagePeople],
        votes: Sequence[ContactVotes],
        *,
        on_scenes: Callable[[int], None] | None = None,
    ) -> list[RefinedScene]:
        """Return each scene refined by what is said of it; `on_scenes` hears of each batch's size.

        Scenes of one person and of two may be mixed. Raises PoseQueryError if the answers are not
        about as many people as the scene has, and as `SceneBatch.of`.
        """
        found: dict[int, RefinedScene] = {}
        groups: dict[tuple[int, bool], list[int]] = {}
        for place, (scene, said) in enumerate(zip(scenes, votes, strict=True)):
            if len(scene.people) != said.people:
                raise PoseQueryError(
                    f"{scene.image}: {len(scene.people)} people, but contacts of {said.people}"
                )
            fell_back = said.falls_back(self.most_empty) or not self.believed(said).votes
            if fell_back and said.people == 1 and scene.people[0].keypoints is None:
                found[place] = self._unchanged(scene, said)
                continue
            groups.setdefault((said.people, fell_back), []).append(place)
        for (people, fell_back), places in groups.items():
            for start in range(0, len(places), self.batch):
                some = places[start : start + self.batch]
                batch = [scenes[i] for i in some]
                said = [votes[i] for i in some]
                refined = self._batch(batch, said, people=people, fell_back=fell_back)
                found.update(zip(some, refined))
                if on_scenes is not None:
                    on_scenes(len(some))
        return [found[i] for i in range(len(scenes))]

    def _unchanged(self, scene: ImagePeople, said: ContactVotes) -> RefinedScene:
        """Return one person of whom nothing is said and nothing was seen."""
        (after,) = SceneBatch.of([scene], self.body).written([scene], self.body)
        return RefinedScene(
            before=scene, after=after, votes=said, fell_back=True, steps=0, contact_before_m=0.0,
            contact_after_m=0.0,
        )  # fmt: skip

    def believed(self, said: ContactVotes) -> ContactVotes:
        """Return the answers with what enough samples name, and without an unknown ground."""
        usual = usual_threshold(said.people, len(said.samples))
        kept = said.kept(usual if self.threshold is None else self.threshold)
        return kept if self.ground is not None else kept.without(GROUND)

    def _batch(
        self,
        scenes: Sequence[ImagePeople],
        votes: Sequence[ContactVotes],
        *,
        people: int,
        fell_back: bool,
    ) -> list[RefinedScene]:
        if fell_back:
            whole = ((WHOLE_BODY, WHOLE_BODY),) if people == 2 else ()
            believed = [ContactVotes(people=people, samples=(whole,)) for _ in scenes]
            config = self.fallbacks[people]
        else:
            believed = [self.believed(said) for said in votes]
            config = self.configs[people]
        assignments = assign(believed, self._vocabularies[people], both_sides=self.both_sides)
        tensors = SceneBatch.of(scenes, self.body)
        result: Optimised = self.optimiser(people).optimise(tensors, assignments, config)
        after = result.scenes.written(scenes, self.body)
        return [
            RefinedScene(
                before=scene, after=new, votes=said, fell_back=fell_back, steps=steps,
                contact_before_m=before, contact_after_m=then,
            )
            for scene, new, said, steps, before, then in zip(
                scenes, after, votes, result.steps.tolist(), result.contact_before.tolist(),
                result.contact_after.tolist(), strict=True,
            )
        ]  # fmt: skip
