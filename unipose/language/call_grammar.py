"""Calls as a grammar over tokens: what may follow the beginning of a call.

The words of a call are encoded one by one; a tokenizer that splits text at spaces writes the whole
call in the same ids. Where several words begin with the same ids, all of them stay possible.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from unipose.language.chat_rendering import ChatTemplate
from unipose.posecodes.calls import (
    MARK,
    POSES,
    VERBS,
    WITH_TEXT,
    arguments_of,
    most_poses,
)

_SPACES = ("\u0120", "\u2581", " ")
"""How tokenizers write a space in front of a token."""
COLON, END = ":", ""
"""What may follow a word of a call beside another word: a text begins, the call ends."""


class CallGrammar:
    """The calls of some verbs, for one tokenizer. `following` is what `decoding.Grammar` asks for.

    `anything` are the ids of plain words: a text behind a colon may hold them all.
    """

    def __init__(
        self, template: ChatTemplate, anything: Collection[int], verbs: Collection[str] = VERBS
    ) -> None:
        self.end = template.end
        self._decode = template.decode
        self.anything = {*anything, self.end}
        tokens = template.text.convert_ids_to_tokens(sorted(anything))
        spaced = zip(sorted(anything), tokens, strict=True)
        self._opening = {i for i, token in spaced if str(token).startswith(_SPACES)}
        """What a text may begin with: a space, as `read_call` wants it."""
        self.verbs = sorted(verbs)
        alone = template.encode(MARK)
        self._mark = tuple(alone)
        self._colon = tuple(template.encode(f"{MARK}a{COLON}")[len(template.encode(f"{MARK}a")) :])

        @cache
        def ids_of(word: str) -> tuple[int, ...]:
            if word == MARK:
                return self._mark
            if word == COLON:
                return self._colon
            return tuple(template.encode(f"{MARK} {word}")[len(alone) :])

        self._ids_of = ids_of

    @property
    def first(self) -> int:
        """The id that opens a call."""
        return self._mark[0]

    def following(self, said: Sequence[int]) -> set[int]:
        """Return the ids that may follow the beginning of a call; its end is one of them."""
        states: set[tuple[tuple[str, ...], tuple[int, ...]]] = {((), ())}
        for place, identity in enumerate(said):
            reached = set()
            for words, partial in states:
                here = (*partial, identity)
                for word in _next_words(words, tuple(self.verbs)):
                    ids = self._ids_of(word) if word != END else ()
                    if ids[: len(here)] != here:
                        continue
                    if len(ids) > len(here):
                        reached.add((words, here))
                    elif word == COLON:
                        return self._following_in_text(said[place + 1 :])
                    else:
                        reached.add(((*words, word), ()))
            states = reached
        found = set()
        for words, partial in states:
            for word in _next_words(words, tuple(self.verbs)):
                if word == END:
                    if not partial:
                        found.add(self.end)
                    continue
                ids = self._ids_of(word)
                if ids[: len(partial)] == partial and len(ids) > len(partial):
                    found.add(ids[len(partial)])
        return found

    def _following_in_text(self, text: Sequence[int]) -> set[int]:
        """Return what may follow in a text, which is not empty and goes on to the call's end."""
        if not text:
            return self._opening
        blank = not self._decode(text).strip()
        return self.anything - {self.end} if blank else self.anything


@cache
def _next_words(words: tuple[str, ...], verbs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words (or COLON, END) that may follow the words of a call."""
    if not words:
        return (MARK,)
    if len(words) == 1:
        return verbs
    verb, rest = words[1], words[2:]
    end = COLON if verb in WITH_TEXT else END
    if "of" in rest:
        named = len(rest) - rest.index("of") - 1
        more = POSES if named < most_poses(verb) else ()
        return (*more, end) if named else tuple(more)
    following, whole = _continuations(verb)[rest]
    if whole:
        return (*following, *(("of",) if most_poses(verb) else ()), end)
    return following


@cache
def _continuations(verb: str) -> dict[tuple[str, ...], tuple[tuple[str, ...], bool]]:
    """Return for each beginning of a verb's arguments what may follow, and whether it is whole."""
    ways = arguments_of(verb)
    following: dict[tuple[str, ...], dict[str, None]] = {(): {}}
    for way in ways:
        for place, word in enumerate(way):
            following.setdefault(way[:place], {})[word] = None
        following.setdefault(way, {})
    return {begun: (tuple(words), begun in ways) for begun, words in following.items()}
