"""Our own model as one who is asked: by what its answers are known again."""

from __future__ import annotations

from tests.fakes.tiny_model import tiny_plain_assistant
from unipose.assistant import UniPose
from unipose.contact.own_model import ContactModel, own_model
from unipose.contact.prompts import VOCABULARIES
from unipose.priors.chat_models import Identity


def identity(assistant: UniPose, people: int = 2) -> Identity:
    return own_model(assistant, VOCABULARIES[people], people=people).identity


def test_answers_of_other_weights_another_name_or_about_others_are_not_the_same_ones():
    named, trained_on = tiny_plain_assistant(), tiny_plain_assistant(1)
    named.name = "another"
    assert isinstance(named, ContactModel)
    assert identity(tiny_plain_assistant()) == identity(tiny_plain_assistant())
    others = [identity(named), identity(trained_on), identity(named, people=1)]
    known = [identity(tiny_plain_assistant()), *others]
    assert len({str(one) for one in known}) == 4
