"""Calls as a grammar over tokens: all of them can be written, and nothing else."""

from __future__ import annotations

from random import Random

import pytest
from transformers import AutoTokenizer

from tests.fakes.tiny_chat_model import tiny_text
from unipose.errors import AnswerParseError, MissingFileError
from unipose.language.base_model import base_folder
from unipose.language.call_grammar import CallGrammar
from unipose.language.chat_rendering import ChatTemplate
from unipose.posecodes.calls import POSES, VERBS, WITH_TEXT, arguments_of, most_poses, read_call


@pytest.fixture(scope="module")
def template() -> ChatTemplate:
    return ChatTemplate(tiny_text())


def plain_ids(template: ChatTemplate) -> list[int]:
    special = {*template.text.all_special_ids}
    return [identity for identity in range(len(template.text)) if identity not in special]


@pytest.fixture(scope="module")
def grammar(template: ChatTemplate) -> CallGrammar:
    return CallGrammar(template, plain_ids(template))


def some_calls(random: Random, *, each: int) -> list[str]:
    found = []
    for verb in VERBS:
        ways = list(arguments_of(verb))
        for way in random.sample(ways, min(each, len(ways))):
            line = " ".join((">", verb, *way))
            if most_poses(verb) and random.random() < 0.5:
                names = random.sample(POSES, random.randint(1, most_poses(verb)))
                line += f" of {' '.join(names)}"
            found.append(line + (": some text, a.bvh" if verb in WITH_TEXT else ""))
    return found


def test_every_call_can_be_written_and_ends_where_it_is_whole(
    template: ChatTemplate, grammar: CallGrammar
):
    for line in some_calls(Random(0), each=5):
        ids = template.encode(line)
        for place, identity in enumerate([*ids, grammar.end]):
            assert identity in grammar.following(ids[:place]), (line, place)


def test_whatever_the_grammar_lets_be_written_is_a_call(
    template: ChatTemplate, grammar: CallGrammar
):
    random = Random(1)
    for _ in range(40):
        said: list[int] = []
        while True:
            ways = sorted(grammar.following(said))
            assert ways
            chosen = random.choice(ways)
            if chosen == grammar.end:
                break
            said.append(chosen)
            if len(said) > 60 and grammar.end in grammar.following(said):
                break  # a text may go on for ever
        assert read_call(template.decode(said)).verb in VERBS


def test_only_the_verbs_that_are_allowed_can_be_written(template: ChatTemplate):
    grammar = CallGrammar(template, plain_ids(template), ("check", "measure"))
    save = template.encode("> save: a.npz")
    allowed = [identity in grammar.following(save[:i]) for i, identity in enumerate(save)]
    refused = template.decode(save[: allowed.index(False) + 1])
    assert "> s" in refused[: len("> save")] <= "> save"
    wider = CallGrammar(template, plain_ids(template), ("check", "measure", "save"))
    assert all(identity in wider.following(save[:i]) for i, identity in enumerate(save))


def is_call(line: str) -> bool:
    try:
        read_call(line)
    except AnswerParseError:
        return False
    return True


def test_a_call_may_end_only_where_it_is_whole(template: ChatTemplate, grammar: CallGrammar):
    for line in some_calls(Random(2), each=3):
        ids = template.encode(line)
        for place in range(1, len(ids) + 1):
            said = template.decode(ids[:place])
            if not said.endswith(" "):  # where the next word has begun
                assert (grammar.end in grammar.following(ids[:place])) == is_call(said), said


def test_a_text_of_spaces_is_not_the_end_of_a_call(template: ChatTemplate, grammar: CallGrammar):
    said = template.encode("> save:   ")
    assert grammar.end not in grammar.following(said)
    assert grammar.end in grammar.following([*said, *template.encode("a")])


def test_nothing_follows_what_is_no_call(template: ChatTemplate, grammar: CallGrammar):
    for line in ("hello", "> dance", "> check bent head", "> undo of", "> turn left 361"):
        assert grammar.following(template.encode(line)) == set()


def test_no_call_can_be_written_without_verbs(template: ChatTemplate):
    grammar = CallGrammar(template, plain_ids(template), ())
    assert grammar.following(template.encode(">")) == set()


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_grammar_of_one_verb_opens_with_that_verb(template: ChatTemplate, verb: str):
    grammar = CallGrammar(template, plain_ids(template), (verb,))
    said = template.encode(">")
    for identity in template.encode(f"> {verb}")[len(said) :]:
        assert grammar.following(said) == {identity}
        said.append(identity)


def test_the_base_writes_calls_in_the_ids_of_the_whole_line():
    try:
        template = ChatTemplate(AutoTokenizer.from_pretrained(base_folder()))
    except MissingFileError as missing:
        pytest.skip(str(missing))
    grammar = CallGrammar(template, plain_ids(template))
    for line in some_calls(Random(3), each=2):
        ids = template.encode(line)
        for place, identity in enumerate([*ids, grammar.end]):
            following = grammar.following(ids[:place])
            assert identity in following, (line, place)
            if place and grammar.end in following:
                assert is_call(template.decode(ids[:place])), line
