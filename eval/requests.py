"""Does a conversation do what is asked? The calls that the model writes against those meant.

- single: single turns of every kind (requests, questions, small talk) in wordings of the test
  split; `single_known` in wordings that training has; `*_requests` those of them that ask for
  something to be done;
- conversations: the turns of conversations of six turns in wordings of the test split, with "it",
  "the other one", "the first", undo and follow-ups.

A turn is right if its calls mean the same as the script's, in order (`canonical`), and if nothing
is called where words are wanted. In a conversation the model goes on from its own messages where
they were right and from the script's where not, since what is typed next fits the script; results
are the script's. `frequent_*` always makes the most frequent call. Shares are in percent. Run as
`python -m eval.requests --data FOLDER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from data_builders.conversations.exchanges import Exchange, Script
from data_builders.conversations.pose_bank import bank_of_films, bank_of_poses
from data_builders.conversations.script import MAKING, SHARES, ScriptWriter
from data_builders.conversations.wordings import Split
from eval.conversation_scores import ConversationOptions, most_frequent, percent, write_wrong
from eval.program import print_result, print_table, run, track
from unipose.errors import ConfigError, PoseQueryError
from unipose.language.call_loop import CallResult, Speaker, Turn, take_turn
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import REQUESTS, Call
from unipose.posecodes.change_reader import read_change_text
from unipose.posecodes.held_poses import HeldPoses

TURNS = 6
"""Of a conversation."""
PARTS = ("single", "single_known", "conversations")
"""The figures, in the order of the table."""
_CONVERSE = {"below": "above", "behind": "front", "rightward": "leftward"}
"""Relation -> the one that says the same with its parts exchanged."""
_SYMMETRIC = ("near", "touch", "distance")
_HINGES = {"arm": "elbow", "arms": "elbows", "leg": "knee", "legs": "knees"}
"""Limb -> the joint that is measured where it is called bent or straight."""
_TURNS = {("around",): ("left", "180"), ("left",): ("left", "90"), ("right",): ("right", "90"),
          ("right", "180"): ("left", "180")}  # fmt: skip
"""Turn -> the same turn in degrees (`unipose.app.pose_actions`)."""
_MARKS = " .,;:!?'\"`"
"""Around a text they mean nothing."""


@dataclass(frozen=True, kw_only=True)
class RequestsOptions(ConversationOptions):
    """Options of eval.requests."""

    count: int = 120
    """Single turns in each split of wordings; and a third as many conversations."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 3:
            raise ConfigError(f"--count must be at least 3, got {self.count}")


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestTurn:
    """One turn: what was wanted and what the model made of it."""

    exchange: Exchange
    made: tuple[Call, ...]
    """Calls up to the first wrong one."""
    right: bool
    words: str
    messages: tuple[Message, ...]
    """Of the model and of tools."""


def canonical(call: Call, held: HeldPoses[Any]) -> Call:
    """Return the one call that stands for all that mean the same, before anything is done.

    Poses become numbers; "below A B" becomes "above B A"; of near, touch and distance the parts
    are sorted; a bent, straight or measured arm is its elbow, a leg its knee; turns have degrees;
    texts lose capitals and outer marks. An edit whose text is read to the last word
    (`read_change_text`) is the changes it asks for: "lift your left arm" is "raise the left arm".
    Poses that are not there stay as they are named.
    """
    try:
        poses = tuple(str(number) for number in held.numbers_of(call.verb, call.poses))
    except PoseQueryError:
        poses = call.poses
    return Call(
        verb=call.verb,
        arguments=_canonical_arguments(call.verb, call.arguments),
        poses=poses,
        text=_canonical_text(call),
    )


def _canonical_text(call: Call) -> str:
    if call.verb == "edit":
        reading = read_change_text(call.text)
        if reading.changes and not reading.unread:
            return "; ".join(sorted(map(str, reading.changes))).casefold()
    return call.text.strip(_MARKS).casefold()


def _canonical_arguments(verb: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    if verb == "turn":
        return _TURNS.get(arguments, arguments)
    if not arguments:
        return arguments
    relation, *parts = arguments
    if relation in ("bent", "straight", "angle"):
        return (relation, *(_hinge_of(part) for part in parts))
    if verb in ("check", "became", "measure") and len(parts) == 2:
        if relation in _CONVERSE:
            return (_CONVERSE[relation], *reversed(parts))
        if relation in _SYMMETRIC:
            return (relation, *sorted(parts))
    return arguments


def _hinge_of(part: str) -> str:
    side, space, name = part.rpartition(" ")
    return f"{side}{space}{_HINGES.get(name, name)}"


def do(call: Call, held: HeldPoses[str]) -> None:
    """Let the numbers of poses go on as the script lets them; what cannot be done changes none."""
    try:
        numbers = held.numbers_of(call.verb, call.poses)
        if call.verb in MAKING:
            held.hold("")
        elif call.verb == "undo":
            held.undo()
        elif call.verb == "redo":
            held.redo()
        elif call.verb == "choose":
            held.choose(numbers[0])
    except PoseQueryError:
        return


def held_at_first(script: Script) -> HeldPoses[str]:
    """Return the numbers of the poses that a script begins with."""
    held = HeldPoses[str]()
    for _ in script.poses:
        held.hold("")
    if script.current:
        held.choose(script.current)
    return held


class _WrongCallError(Exception):
    """The model has made a call that is not the script's."""


class _WordsBeginError(Exception):
    """The model begins to speak, and only its calls are wanted."""


def take_request(
    speaker: Speaker,
    messages: Sequence[Message],
    exchange: Exchange,
    held: HeldPoses[str],
    *,
    calls_alone: bool = False,
) -> RequestTurn:
    """Return what the model makes of an exchange; `held` goes on as the script does.

    `calls_alone` stops it where it begins to speak.
    """
    wanted = exchange.calls
    made: list[Call] = []
    done = 0

    def run_call(call: Call) -> CallResult:
        nonlocal done
        made.append(call)
        if done >= len(wanted) or canonical(call, held) != canonical(wanted[done], held):
            raise _WrongCallError
        do(wanted[done], held)
        done += 1
        return CallResult(model_text=exchange.results[done - 1], finding=exchange.finding)

    def stop(_: str) -> None:
        raise _WordsBeginError

    turn, right = Turn(), True
    try:
        take_turn(speaker, messages, run_call, turn, on_text=stop if calls_alone else None)
    except _WordsBeginError:
        pass
    except _WrongCallError:
        right = False
    right = right and done == len(wanted) and bool(wanted or turn.words)
    for call in wanted[done:]:
        do(call, held)
    return RequestTurn(
        exchange=exchange,
        made=tuple(made),
        right=right,
        words=turn.words,
        messages=tuple(turn.messages),
    )


def take_conversation(
    speaker: Speaker, script: Script, *, calls_alone: bool = False
) -> list[RequestTurn]:
    """Return what the model makes of each exchange of a script."""
    held = held_at_first(script)
    messages = replace(script, exchanges=[]).messages()
    turns = []
    for place, exchange in enumerate(script.exchanges):
        before = replace(script, exchanges=script.exchanges[:place]).messages()
        after = replace(script, exchanges=script.exchanges[: place + 1]).messages()
        expected_messages = after[len(before) :]
        asked = 1  # the user's message
        if exchange.opened:
            held.hold("")
            asked = 2
        messages += expected_messages[:asked]
        turns.append(take_request(speaker, messages, exchange, held, calls_alone=calls_alone))
        messages += turns[-1].messages if turns[-1].right else expected_messages[asked:]
    return turns


def take_singles(
    speaker: Speaker, writer: ScriptWriter, *, count: int, random: Random
) -> list[RequestTurn]:
    """Return what the model makes of conversations of a single turn."""
    scripts = [writer.write(random, turns=1) for _ in range(count)]
    return [
        turn
        for script in track(scripts, "single turns")
        for turn in take_conversation(speaker, script, calls_alone=True)
    ]


def take_conversations(
    speaker: Speaker, writer: ScriptWriter, *, count: int, random: Random
) -> list[RequestTurn]:
    """Return what the model makes of all turns of conversations."""
    scripts = [writer.write(random, turns=TURNS) for _ in range(count)]
    return [
        turn
        for script in track(scripts, "conversations")
        for turn in take_conversation(speaker, script)
    ]


def is_request(turn: RequestTurn) -> bool:
    """Return whether something is to be done in a turn."""
    return bool(turn.exchange.calls) and turn.exchange.calls[0].verb in REQUESTS


def figures(parts: dict[str, list[RequestTurn]]) -> dict[str, object]:
    """Return all shares under the names they are reported by, the primary ones first."""
    found: dict[str, object] = {}
    counts: dict[str, object] = {}
    for name, turns in parts.items():
        requests = [turn for turn in turns if is_request(turn)]
        for title, some in ((name, turns), (f"{name}_requests", requests)):
            found[title] = percent(turn.right for turn in some)
            found[f"frequent_{title}"] = most_frequent(
                [tuple(map(str, turn.exchange.calls)) for turn in some]
            )
            counts[f"{title}_turns"] = len(some)
    return found | counts | {"by_kind": by_kind(parts)}


def by_kind(parts: dict[str, list[RequestTurn]]) -> dict[str, dict[str, float]]:
    """Return for each kind of turn and each part how many are right, and of how many."""
    kinds = {turn.exchange.kind for turns in parts.values() for turn in turns}
    found: dict[str, dict[str, float]] = {}
    for kind in sorted(kinds, key=lambda kind: (*SHARES, kind).index(kind)):
        found[kind] = {}
        for name, turns in parts.items():
            mine = [turn.right for turn in turns if turn.exchange.kind == kind]
            if mine:
                found[kind] |= {name: percent(mine), f"{name}_turns": len(mine)}
    return found


def wrong_of(parts: dict[str, list[RequestTurn]]) -> list[dict[str, object]]:
    """Return what was typed, wanted and made in every turn that is wrong."""
    return [
        {
            "part": name, "kind": turn.exchange.kind, "said": turn.exchange.said,
            "wanted_calls": [str(call) for call in turn.exchange.calls],
            "calls": [str(call) for call in turn.made], "words": turn.words,
            "wordings": list(turn.exchange.wordings),
        }
        for name, turns in parts.items()
        for turn in turns
        if not turn.right
    ]  # fmt: skip


def kind_rows(result: dict[str, object]) -> list[tuple[str | float, ...]]:
    """Return a table: kind, and for each part how many are right of how many."""
    kinds = result["by_kind"]
    assert isinstance(kinds, dict)
    return [
        (
            kind,
            *(
                f"{shares[part]:.0f} of {shares[f'{part}_turns']:.0f}" if part in shares else ""
                for part in PARTS
            ),
        )
        for kind, shares in kinds.items()
    ]


def main(options: RequestsOptions) -> None:
    """Check which calls the conversation model makes of what people type."""
    speaker = options.load_speaker()
    pool, seed = options.read_people(), options.seed
    poses = bank_of_poses(pool, options.poses, seed=seed)
    films = bank_of_films(pool, 12, seed=seed)

    def writer(split: Split) -> ScriptWriter:
        return ScriptWriter(poses, wording_split=split, films=films)

    random = {name: Random(f"requests {name} {seed}") for name in PARTS}
    conversations = options.count // 3
    parts = {
        "single": take_singles(
            speaker, writer("test"), count=options.count, random=random["single"]
        ),
        "single_known": take_singles(
            speaker, writer("train"), count=options.count, random=random["single_known"]
        ),
        "conversations": take_conversations(
            speaker, writer("test"), count=conversations, random=random["conversations"]
        ),
    }
    result = figures(parts) | {"split": options.split, "seed": seed, "talks": conversations}
    write_wrong(options.wrong, wrong_of(parts))
    if not options.json:
        titles = [title for name in PARTS for title in (name, f"{name}_requests")]
        print_table(
            "Of what is typed, how much is understood (%)",
            ["", "right", "most frequent", "turns"],
            [
                (title, *(float(str(result[f"{p}{title}"])) for p in ("", "frequent_")),
                 str(result[f"{title}_turns"]))
                for title in titles
            ],
        )  # fmt: skip
        print_table("By kind (% of turns)", ["", *PARTS], kind_rows(result))
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, RequestsOptions)
