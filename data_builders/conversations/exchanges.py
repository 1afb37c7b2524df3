"""A conversation as it was written: poses at hand, what is typed, calls, what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from unipose.language.call_loop import SYSTEM
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import Call
from unipose.posecodes.finding import Finding
from unipose.posecodes.held_poses import HeldPoses, state_line
from unipose.posecodes.questions import ShownPose


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What one person typed, and all that should come of it."""

    kind: str
    """A name of SHARES, or "follow"."""
    said: str
    calls: tuple[Call, ...] = ()
    results: tuple[str, ...] = ()
    words: str = ""
    finding: Finding | None = None
    wordings: tuple[str, ...] = ()
    """As they stand in the files."""
    opened: int = 0
    """Number of a pose that was opened by hand just before; 0: none."""


@dataclass(kw_only=True)
class Script:
    """A conversation: the poses it begins with, and its exchanges."""

    poses: list[ShownPose]
    current: int
    """Number of the pose that is current at first; 0 without poses."""
    exchanges: list[Exchange] = field(default_factory=list)

    def messages(self, *, calls_alone: bool = False) -> list[Message]:
        """Return the whole conversation as a language model reads and says it.

        `calls_alone` ends it with the first call of the last exchange: what is hard to learn is
        which call is meant.
        """
        found = [Message.of("system", SYSTEM)]
        if self.poses:
            found.append(Message.of("tool", state_line(begun(self.poses, self.current))))
        for exchange in self.exchanges:
            if exchange.opened:
                found.append(Message.of("tool", f"pose {exchange.opened}"))
            found.append(Message.of("user", exchange.said))
            for call, result in zip(exchange.calls, exchange.results, strict=True):
                found += [Message.of("assistant", str(call)), Message.of("tool", result)]
            found.append(Message.of("assistant", exchange.words))
        if calls_alone and self.exchanges and self.exchanges[-1].calls:
            del found[-2 * len(self.exchanges[-1].calls) :]
        return found


def begun(poses: Sequence[ShownPose], current: int) -> HeldPoses[ShownPose]:
    """Return the poses of a conversation that begins with one of them as the current one."""
    held = HeldPoses[ShownPose]()
    for pose in poses:
        held.hold(pose)
    if current and current != held.current:
        held.choose(current)
    return held
