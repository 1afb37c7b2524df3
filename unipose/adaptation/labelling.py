"""Who names the action of each segment: a model that sees, or our own motion-text space.

An endpoint is shown frames and picks an entry of the dictionary (`unipose.priors.action_names`);
our own space is asked which recorded action the motion, as the network sees it before adaptation,
is nearest to. Where CLIP is at hand, labels that do not fit their pictures are not used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch

from unipose.adaptation.adapter import Adapter, PersonFilm
from unipose.adaptation.alignment import Alignment
from unipose.adaptation.clip_agreement import LEAST_COSINE, ClipAgreement
from unipose.adaptation.dictionary import MotionDictionary
from unipose.adaptation.networks import FilmNetwork
from unipose.adaptation.segments import FilmSegment
from unipose.errors import AnswerParseError, ConfigError
from unipose.priors.action_names import action_question, vote
from unipose.priors.sampled_models import SampledModel, sample_all


@runtime_checkable
class ActionNamer(Protocol):
    """Gives a person's segments their labels."""

    @property
    def name(self) -> str:
        """Who is asked, for the label file."""
        ...

    def named(self, person: PersonFilm, adapter: Adapter) -> list[FilmSegment]:
        """Return the segments with labels; without one where the answer cannot be used."""
        ...


@dataclass(frozen=True, kw_only=True)
class OwnNamer:
    """Our own motion-text space: the recorded action nearest to the motion."""

    dictionary: MotionDictionary
    least: float = 0.0
    """Cosine below which a segment gets no label."""

    @property
    def name(self) -> str:
        """Who is asked."""
        return "self"

    @torch.no_grad()
    def named(self, person: PersonFilm, adapter: Adapter) -> list[FilmSegment]:
        """Return the segments with the nearest recorded action. ConfigError without a space."""
        if adapter.space is None:
            raise ConfigError("our own labels need the motion-text space")
        found = FilmNetwork(adapter.network, person.pixels, person.features).all_frames()
        alignment = Alignment(adapter.space, person.segments, fps=person.fps)
        seen = alignment.facing_motions(found.rotations)
        rows = [self.dictionary.index(label) for label in self.dictionary.recorded]
        cosines = seen @ self.dictionary.points[rows].to(seen).mT
        best = cosines.max(1)
        return [
            replace(one, label=self.dictionary.recorded[place] if cosine >= self.least else "")
            for one, cosine, place in zip(
                person.segments, best.values.tolist(), best.indices.tolist()
            )
        ]


@dataclass(frozen=True, kw_only=True)
class AskingNamer:
    """A model that sees, asked once a segment; with CLIP behind it if it is at hand."""

    model: SampledModel
    labels: Sequence[str]
    samples: int = 3
    workers: int = 4
    clip: ClipAgreement | None = None
    least_cosine: float = LEAST_COSINE

    @property
    def name(self) -> str:
        """Who is asked."""
        return self.model.name

    def named(self, person: PersonFilm, adapter: Adapter) -> list[FilmSegment]:
        """Return the segments with the answers' labels.

        An answer that cannot be read leaves its segment without a label, and a note says so. Raises
        EndpointError if the server refuses us or stays broken.
        """
        del adapter
        pictures = person.pixels.permute(0, 2, 3, 1).contiguous()
        questions = [
            action_question(
                f"frames {one.start} to {one.end - 1}",
                list(pictures[one.start : one.end].numpy()), self.labels,
            )
            for one in person.segments
        ]  # fmt: skip
        found = list(person.segments)
        answers = sample_all(self.model, questions, count=self.samples, workers=self.workers)
        for place, answer in answers:
            one = found[place]
            try:
                said = vote(answer, self.labels)
            except AnswerParseError as error:
                print(f"note: {error}", file=sys.stderr)
                continue
            cosine = None
            if self.clip is not None and said.label:
                cosine = self.clip(list(pictures[one.start : one.end]), said.label)
            found[place] = replace(
                one, label=said.label, description=said.description, consistency=cosine,
                used=cosine is None or cosine >= self.least_cosine,
            )  # fmt: skip
        return found
