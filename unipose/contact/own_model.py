"""Our own model as one who is asked about contacts, beside endpoints.

It knows the fine regions with their sides and is held to a grammar; what it says is written down in
the words of the prompt, without sides, as every other answer is. What is measured on an estimate
would tell its refiner nothing new, so the language model itself is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from unipose.body.pose import Pose
from unipose.body.regions import RegionSet
from unipose.contact.contact_tables import Pair, write_table
from unipose.contact.measured_contacts import MeasuredContact, careful_pairs
from unipose.files.photo import Pixels
from unipose.priors.chat_models import Identity
from unipose.priors.sampled_models import InProcessModel, ModelQuestion


@runtime_checkable
class ContactModel(Protocol):
    """What `unipose.assistant.UniPose` offers."""

    @property
    def name(self) -> str:
        """What the model is called."""
        ...

    @property
    def mark(self) -> str:
        """A mark of its weights (`unipose.files.weights_mark`)."""
        ...

    def contacts(
        self, shown: Pose | Pixels, *, people: int, measured: bool, seed: int | None = None
    ) -> list[Pair]:
        """Return the touching regions in a picture, or of a pose."""
        ...


def words_of(regions: Sequence[Pair], vocabulary: RegionSet, *, people: int) -> tuple[Pair, ...]:
    """Return pairs of REGIONS in a vocabulary's words; those it has no words for are left out."""
    contacts = [MeasuredContact(first=a, second=b) for a, b in regions]
    return careful_pairs(contacts, vocabulary, people=people)


def identity_of(model: ContactModel) -> Identity:
    """Return by what a model's answers are known again: its name and its weights."""
    return {"model": model.name, "weights": model.mark}


def own_model(model: ContactModel, vocabulary: RegionSet, *, people: int) -> InProcessModel:
    """Return the model as one who answers `contact_question`s with tables.

    The first sample is its likeliest answer, further ones are drawn by their number.
    """
    identity: Identity = {**identity_of(model), "people": people}

    def answer(question: ModelQuestion, numbers: Sequence[int]) -> list[str]:
        (pixels,) = question.pictures
        tables = []
        for number in numbers:
            said = model.contacts(pixels, people=people, measured=False, seed=number or None)
            tables.append(write_table(words_of(said, vocabulary, people=people), people=people))
        return tables

    return InProcessModel(name="unipose", identity=identity, answer=answer)
