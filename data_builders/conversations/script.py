"""Writes conversations about real poses: what is typed, the calls, what they come to, the answer.

Everything is drawn with one generator: poses, kinds of turns, wordings and how they are typed. What
a question comes to is measured on the pose (`unipose.posecodes.questions`), so no answer is made
up; what an edit makes of a pose is not looked at here, so any other pose stands in for it.

A script of three turns, as messages (system and the poses at hand come first):

    tool       pose 1
    user       is her left knee bent
    assistant  > check bent left knee
    tool       yes: left knee is bent by 110 degrees
    assistant  Yes: the left knee is bent by 110 degrees.
    user       and the other one?
    assistant  > check bent right knee
    ...
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

from data_builders.conversations.exchanges import Exchange, Script, begun
from data_builders.conversations.follow_ups import of_another_part, of_both_sides, of_other_side
from data_builders.conversations.typing_style import SLIPS, typed
from data_builders.conversations.wordings import (
    Filled,
    Split,
    WordingSection,
    fill,
    part_in_words,
    sections,
    wordings_of,
)
from unipose.errors import PoseQueryError
from unipose.posecodes.calls import (
    POSES,
    QUESTIONS,
    SIDES,
    WITH_TWO_POSES,
    Call,
    most_poses,
    read_call,
)
from unipose.posecodes.held_poses import HeldPoses
from unipose.posecodes.questions import Film, Finding, ShownPose, answer_call

SHARES: dict[str, float] = {
    "check": 26, "became": 3, "which": 9, "between": 3, "measure": 12, "where": 5, "touching": 4,
    "count": 5, "posture": 4, "moved": 6, "when": 3, "assess": 4, "unknown": 7, "describe": 3,
    "generate": 5, "edit": 9, "replace": 4, "compare": 3, "mirror": 2, "turn": 4, "face": 3,
    "undo": 3, "redo": 2, "choose": 4, "save": 3, "draw": 3, "open": 4, "list": 2, "help": 2,
    "small_talk": 4, "languages": 2, "nonsense": 3, "ask_back": 3,
}  # fmt: skip
"""How often a turn is of which kind, before follow-ups: the files of wordings, check_* as one."""
FOLLOWING = 0.22
"""Share of turns behind a question that follow it up."""
CHAINED = 0.04
"""Share of turns that ask for two things."""
BARE, BARE_SHARE = "{text}", 0.4
"""The text alone ("raise the left arm") is one wording of eighty, but what most people type."""
MAKING = ("generate", "edit", "replace", "mirror", "turn", "face", "open")
"""Verbs that make a pose."""
SAID_AFTER = {
    "generate": "Here is pose {n}.", "edit": "Done: pose {n}.", "replace": "Done: pose {n}.",
    "mirror": "Mirrored: pose {n}.", "turn": "Turned: pose {n}.", "face": "Turned: pose {n}.",
    "open": "Read: pose {n}.", "undo": "Back at pose {n}.", "redo": "Again at pose {n}.",
    "choose": "Now with pose {n}.", "save": "Saved.", "draw": "Here it is.",
}  # fmt: skip
"""What is said when something was done; describe, compare, list and help speak for themselves."""


class ScriptWriter:
    """Writes scripts with the wordings of one split about poses (and films) of a bank."""

    def __init__(
        self,
        poses: Sequence[ShownPose],
        *,
        wording_split: Split = "train",
        shares: dict[str, float] | None = None,
        films: Sequence[Film] = (),
        slips: float = SLIPS,
    ) -> None:
        self.poses = poses
        self._typed = partial(typed, slips=slips)
        self.split: Split = wording_split
        self.films = films
        self._groups: dict[str, list[WordingSection]] = {}
        self.follow: dict[str, WordingSection] = {}
        self.names: dict[str, WordingSection] = {}
        for section in sections():
            if not wordings_of(section, wording_split):
                continue
            if section.kind == "follow":
                self.follow[section.header.split(" {")[0]] = section
            elif section.file == "poses":
                self.names[section.header.removeprefix("> ")] = section
            else:
                kind = "check" if section.file.startswith("check_") else section.file
                self._groups.setdefault(kind, []).append(section)
        shares = SHARES if shares is None else shares
        self._kinds = [kind for kind in shares if self._groups.get(kind)]
        self._shares = [shares[kind] for kind in self._kinds]

    def begin(self, random: Random) -> Script:
        """Return a conversation in which nothing has been said: poses, one of them current."""
        count = random.choices(range(6), (4, 40, 25, 14, 10, 7))[0]
        poses = [random.choice(self.poses) for _ in range(count)]
        current = random.choice([count] * 3 + list(range(1, count + 1))) if count else 0
        return Script(poses=poses, current=current)

    def write(self, random: Random, *, turns: int, begin: Script | None = None) -> Script:
        """Return a conversation of some turns, with poses of its own or those of `begin`."""
        begin = self.begin(random) if begin is None else begin
        script = Script(poses=begin.poses, current=begin.current)
        self._go_on(script, _ConversationState(begun(script.poses, script.current)), turns, random)
        return script

    def write_branches(self, random: Random, *, turns: int, count: int) -> list[Script]:
        """Return conversations that begin alike, with some turns, and go on with one turn each."""
        shared = self.begin(random)
        state = _ConversationState(begun(shared.poses, shared.current))
        self._go_on(shared, state, turns, random)
        branches = []
        for _ in range(count):
            branch = replace(shared, exchanges=list(shared.exchanges))
            self._go_on(branch, state.copy(), 1, random)
            branches.append(branch)
        return branches

    def _go_on(self, script: Script, state: _ConversationState, turns: int, random: Random) -> None:
        for _ in range(turns):
            opened = 0
            if script.exchanges and random.random() < 0.1:
                opened = state.open(random.choice(self.poses))
            script.exchanges.append(replace(self._exchange(random, state), opened=opened))

    def _exchange(self, random: Random, state: _ConversationState) -> Exchange:
        if state.question is not None and random.random() < FOLLOWING:
            followed = self._follow(random, state)
            if followed is not None:
                return followed
        chained = random.random() < CHAINED and any(map(_is_request, self._kinds))
        first = self._turn(random, state, requests=chained)
        if not chained or not first.calls:
            return first
        second = self._turn(random, state, requests=True)
        if not second.calls:
            return first
        joint = random.choice((" and then ", " and ", ", then ", " and after that ", ", and "))
        return Exchange(
            kind="chain",
            said=f"{first.said.rstrip('.?! ')}{joint}{_small(second.said)}",
            calls=(*first.calls, *second.calls),
            results=(*first.results, *second.results),
            words=second.words,
            wordings=(*first.wordings, *second.wordings),
        )

    def _turn(
        self, random: Random, state: _ConversationState, *, requests: bool = False
    ) -> Exchange:
        """Return a turn of any kind; `requests`: of something to be done."""
        while True:
            kind = random.choices(self._kinds, self._shares)[0]
            if requests and not _is_request(kind):
                continue
            if kind in WITH_TWO_POSES and len(state.held) < 2 and random.random() < 0.9:
                continue
            if kind in ("undo", "redo") and random.random() < 0.5 and not state.can(kind):
                continue
            section, filled = self._wording(kind, random)
            if section.kind == "words":
                said = self._typed(filled.said, random)
                return Exchange(
                    kind=kind, said=said, words=filled.meant, wordings=(filled.wording,)
                )
            return self._called(kind, filled, random, state)

    def _wording(self, kind: str, random: Random) -> tuple[WordingSection, Filled]:
        groups = self._groups[kind]
        weights = [math.sqrt(len(wordings_of(section, self.split))) for section in groups]
        section = random.choices(groups, weights)[0]
        wordings = wordings_of(section, self.split)
        bare = BARE in wordings and random.random() < BARE_SHARE
        wording = BARE if bare else random.choice(wordings)
        return section, fill(section, wording, random, split=self.split)

    def _called(
        self, kind: str, filled: Filled, random: Random, state: _ConversationState
    ) -> Exchange:
        call = read_call(filled.meant)
        said, exact = filled.said, (call.text,) if call.text else ()
        named = most_poses(call.verb) and not call.poses and len(state.held) > 1
        named = named and not (call.verb in WITH_TWO_POSES and _NAMED.search(filled.wording))
        if named and random.random() < 0.15:
            said, call = self._about_poses(said, call, random, state)
        request = call.verb not in QUESTIONS
        said = self._typed(said, random, request=request, exact=exact)
        if call.verb in ("check", "became") and not _ASKS.search(filled.wording):
            said = said.rstrip("?.! ") + "?"
        return self._answered(kind, said, call, (filled.wording,), state, random)

    def _about_poses(
        self, said: str, call: Call, random: Random, state: _ConversationState
    ) -> tuple[str, Call]:
        """Return the sentence and the call with the poses named that are meant."""
        if call.verb in WITH_TWO_POSES:
            a, b = random.sample(range(1, min(len(state.held), 5) + 1), 2)
            one, two = self._name(str(a), random), self._name(str(b), random)
            ways = ("{s} from {a} to {b}", "from {a} to {b}: {s}", "{s} between {a} and {b}")
            way = random.choice(ways)
            return way.format(s=said, a=one, b=two), replace(call, poses=(str(a), str(b)))
        names = [str(n) for n in range(1, min(len(state.held), 5) + 1)] + list(POSES[:3])
        name = random.choice(names)
        shown = self._name(name, random)
        if shown == "the other one":  # that is the other side
            shown = "the other pose"
        ways = ["{s} in {p}", "in {p}, {s}", "in {p} {s}", "for {p}: {s}", "{p}: {s}"]
        if not call.text:
            ways.append("{s} of {p}" if call.verb == "describe" else "{s} for {p}")
        way = random.choice(ways[1:] if call.text or call.verb == "save" else ways)
        return way.format(s=said, p=shown), replace(call, poses=(name,))

    def _name(self, name: str, random: Random) -> str:
        section = self.names.get(name)
        return random.choice(wordings_of(section, self.split)) if section else f"pose {name}"

    def _follow(self, random: Random, state: _ConversationState) -> Exchange | None:
        """Return a follow-up to the last question, if it has any."""
        assert state.question is not None
        way = random.choice(("why", "why", *self.follow))
        last, slots = state.question, {}
        if way == "why":
            if "why" not in self._groups:
                return None
            filled = self._wording("why", random)[1]
            said = self._typed(filled.said, random)
            return self._answered("why", said, Call(verb="why"), (filled.wording,), state, random)
        if way == "other side":
            call = of_other_side(last)
            side = next((s for s in SIDES if any(a.split(" ")[0] == s for a in call.arguments)), "")
            slots["side"] = side if call != last else ""
        elif way == "both":
            call = of_both_sides(last)
        elif way == "part":
            call, part = of_another_part(last, random)
            slots["part"] = part_in_words(part, "", "the", random) if part else ""
        else:
            if not most_poses(last.verb) or last.verb in WITH_TWO_POSES or len(state.held) < 2:
                return None
            name = str(random.randint(1, min(len(state.held), 5)))
            shown = self._name(name, random)
            call, slots["pose"] = replace(last, poses=(name,)), shown
        if call is None or call == last or not all(slots.values()):
            return None
        section = self.follow[way]
        wording = random.choice(wordings_of(section, self.split))
        said = wording
        for name, value in slots.items():
            said = said.replace(f"{{{name}}}", value)
        if "{" in said:
            return None
        return self._answered("follow", self._typed(said, random), call, (wording,), state, random)

    def _answered(
        self, kind: str, said: str, call: Call, wordings: tuple[str, ...],
        state: _ConversationState, random: Random,
    ) -> Exchange:  # fmt: skip
        """Return the exchange with what the call comes to; the state goes on."""
        found = None
        try:
            if call.verb in QUESTIONS:
                numbers = state.held.numbers_of(call.verb, call.poses)
                shown = [state.held[number] for number in numbers]
                film = random.choice(self.films) if self.films else None
                found = answer_call(call, shown, last=state.finding, film=film)
                result, words = found.fact, found.sentence
            else:
                result, words = self._done(call, state, random)
        except PoseQueryError:
            result, words = "error", ""
        if found is not None and call.verb not in ("why", "unknown"):
            state.question, state.finding = call, found
        elif call.verb in MAKING or kind in _TALK:
            state.question, state.finding = None, None
        return Exchange(
            kind=kind, said=said, calls=(call,), results=(result,), words=words, finding=found,
            wordings=wordings,
        )  # fmt: skip

    def _done(self, call: Call, state: _ConversationState, random: Random) -> tuple[str, str]:
        """Do a request; return what the model is told and what it says then."""
        held, verb = state.held, call.verb
        numbers = held.numbers_of(verb, call.poses)
        if verb in MAKING:
            number = held.hold(random.choice(self.poses))
            if verb == "edit" and random.random() < 0.06:
                return f"pose {number}, hardly moved", HARDLY
        elif verb in ("undo", "redo"):
            number = held.undo() if verb == "undo" else held.redo()
        elif verb == "choose":
            number = held.choose(numbers[0])
        else:
            result = {"save": "saved", "draw": "drawn"}.get(verb, "shown")
            return result, SAID_AFTER.get(verb, "")
        return f"pose {number}", SAID_AFTER[verb].format(n=number)


HARDLY = "Hardly anything has moved; say it in other words."
_TALK = ("small_talk", "languages", "nonsense", "ask_back")
_ASKS = re.compile(
    r"\b(is|are|isn't|aren't|does|doesn't|do|has|have|can|could|check|whether|if|tell|right|did|"
    r"was|were|any|wonder|see|yes or no|say|true|correct|got)\b"
)
"""What makes a sentence a question without a mark: "left arm up" alone is a request."""

_NAMED = re.compile(r"\b(first|second|before|now|after|old|new|earlier|previous)\b")
"""What names two poses already."""


class _ConversationState:
    """What has been said and done so far."""

    def __init__(self, held: HeldPoses[ShownPose]) -> None:
        self.held = held
        self.question: Call | None = None
        self.finding: Finding | None = None

    def copy(self) -> _ConversationState:
        held = self.held
        own = _ConversationState(
            replace(held, items=list(held.items), steps=list(held.steps), undone=list(held.undone))
        )
        own.question, own.finding = self.question, self.finding
        return own

    def open(self, pose: ShownPose) -> int:
        self.question, self.finding = None, None
        return self.held.hold(pose)

    def can(self, kind: str) -> bool:
        return len(self.held.steps) > 1 if kind == "undo" else bool(self.held.undone)


def _is_request(kind: str) -> bool:
    return kind not in QUESTIONS and kind not in _TALK


def _small(said: str) -> str:
    return said[:1].lower() + said[1:]
