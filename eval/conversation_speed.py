"""How long one waits in a conversation: for the first answer, for a first word, for the rest.

Run as `python -m eval.conversation_speed`. The command is `unipose ask`, started anew each time;
the rest are questions of one conversation, whose rows grow as they do for people.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from eval.program import print_result, print_table, run
from eval.speed import time_starts
from unipose.app.conversation import Conversation
from unipose.app.examples import example_pose
from unipose.assistant import UniPose
from unipose.errors import ConfigError
from unipose.files import save_pose
from unipose.language.conversation_model import ConversationModel

QUESTIONS = (
    "is the left knee bent?", "which hand is higher?", "how far apart are the feet?",
    "where is the right hand?", "are the arms straight?", "how far is the right knee bent?",
    "is the left hand above the head?", "what is this person doing?", "is she leaning forward?",
    "is the weight on the left foot?", "how high is the right hand?", "what is he wearing?",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ConversationSpeedOptions:
    """Options of eval.conversation_speed."""

    adapters: Path | None = None
    """Folder of another conversation model than the embedded one."""
    starts: int = 3
    """How often the command is started; 0: not at all."""
    json: bool = False
    """Print one JSON object as the last line."""

    def __post_init__(self) -> None:
        if self.starts < 0:
            raise ConfigError(f"starts are 0 or more, got {self.starts}")


def time_conversation(chat: Conversation) -> dict[str, float]:
    """Return median seconds to the first word, and words per second from there on."""
    firsts, speeds = [], []
    chat.reply("/pose step")
    for turn, question in enumerate((QUESTIONS[-1], *QUESTIONS)):
        pieces: list[tuple[float, str]] = []

        def note(piece: str, pieces: list[tuple[float, str]] = pieces) -> None:
            pieces.append((time.perf_counter(), piece))

        start = time.perf_counter()
        chat.reply(question, on_text=note)
        if not turn or len(pieces) < 2:  # the first turn warms up
            continue
        words = len("".join(piece for _, piece in pieces[1:]).split())
        firsts.append(pieces[0][0] - start)
        speeds.append(words / (pieces[-1][0] - pieces[0][0]))
    return {
        "first_word_s": statistics.median(firsts),
        "first_word_slowest_s": max(firsts),
        "words_per_s": statistics.median(speeds),
    }


def main(options: ConversationSpeedOptions) -> None:
    """Time the start of the command, and the answers of one conversation."""
    result: dict[str, object] = {}
    if options.starts:
        with tempfile.TemporaryDirectory() as folder:
            file = save_pose(example_pose("squat"), Path(folder) / "pose.npz")
            command = [sys.executable, "-m", "unipose.app.cli", "ask", str(file), QUESTIONS[0]]
            result |= time_starts(command, starts=options.starts)
    chat = Conversation(UniPose.load, lambda: ConversationModel.load(options.adapters))
    result |= time_conversation(chat)
    result |= {"threads": torch.get_num_threads(), "load_average": os.getloadavg()[0]}
    print_table(
        "Speed of a conversation (medians)",
        ["", "value"],
        [(name, value) for name, value in result.items() if isinstance(value, int | float)],
    )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, ConversationSpeedOptions)
