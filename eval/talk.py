"""A conversation typed as people type, line by line: is each answered rightly?

`eval/talk.txt` holds the lines and the calls that answer them. The whole product is asked: language
model, pose model, measuring. A line is right if its calls mean the same as those written beside it
(`eval.requests.canonical`), or if there is none where words are wanted, and if the call could be
done. Run as `python -m eval.talk`; the wrong lines are listed.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.program import print_result, print_table, run, track
from eval.requests import canonical
from unipose.app.conversation import Conversation, Reply
from unipose.app.pose_actions import HeldPose
from unipose.assistant import UniPose
from unipose.errors import ConfigError
from unipose.language.conversation_model import ConversationModel
from unipose.posecodes.calls import Call, read_call
from unipose.posecodes.held_poses import HeldPoses

TALK = Path(__file__).with_name("talk.txt")


@dataclass(frozen=True, kw_only=True)
class TalkOptions:
    """Options of eval.talk."""

    talk: Path = TALK
    """Lines and the calls that answer them."""
    adapters: Path | None = None
    """Folder of another conversation model than the embedded one."""
    json: bool = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True, kw_only=True)
class TalkLine:
    """One line and what answers it: one of several lists of calls; None for a command."""

    said: str
    wanted: tuple[tuple[Call, ...], ...] | None


def read_talk(path: Path) -> list[TalkLine]:
    """Return the lines of a file; ConfigError for one without " =>"."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        said, arrow, wanted = line.partition(" =>")
        if not arrow:
            raise ConfigError(f"{path}: expected 'LINE => CALLS', got {line!r}")
        lines.append(TalkLine(said=said, wanted=_calls(wanted.strip())))
    return lines


def _calls(wanted: str) -> tuple[tuple[Call, ...], ...] | None:
    if not wanted:
        return None
    if wanted == "-":
        return ((),)
    return tuple(tuple(read_call(call) for call in way.split(" ; ")) for way in wanted.split(" | "))


def is_right(line: TalkLine, reply: Reply, before: HeldPoses[HeldPose]) -> bool:
    """Return whether a reply answers a line; `before` are the poses when it was typed."""
    made = [canonical(made.call, before) for made in reply.calls]
    ways = [[canonical(call, before) for call in way] for way in line.wanted or ()]
    return made in ways and not reply.failed


def hold(chat: Conversation, lines: Sequence[TalkLine]) -> dict[str, object]:
    """Type the lines; return figures and the wrong ones."""
    wrong, corrected, asked = [], 0, 0
    for line in track(lines, "talking"):
        before = copy.deepcopy(chat.actions.held)
        reply = chat.reply(line.said)
        if line.wanted is None:
            continue
        asked += 1
        corrected += reply.corrected
        if not is_right(line, reply, before):
            calls = " ; ".join(str(made.call) for made in reply.calls) or "-"
            wanted = " | ".join(" ; ".join(map(str, way)) or "-" for way in line.wanted)
            wrong.append({"said": line.said, "wanted": wanted, "calls": calls, "text": reply.text})
    return {"lines": asked, "right": asked - len(wrong), "corrected": corrected, "wrong": wrong}


def main(options: TalkOptions) -> None:
    """Hold the conversation and list what was answered wrongly."""
    lines = read_talk(options.talk)
    chat = Conversation(UniPose.load, lambda: ConversationModel.load(options.adapters))
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # what the conversation saves
        try:
            result = hold(chat, lines)
        finally:
            os.chdir(here)
    rows = [(w["said"], w["wanted"], w["calls"]) for w in result["wrong"]]  # type: ignore[attr-defined]
    print_table(
        f"{result['right']} of {result['lines']} lines right; the others:",
        ["line", "wanted", "called"],
        rows,
    )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, TalkOptions)
