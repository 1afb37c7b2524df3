"""The poses of a conversation: numbered from 1, one of them current; steps can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from unipose.errors import PoseQueryError
from unipose.posecodes.calls import WITH_TWO_POSES, WITHOUT_POSE

Held = TypeVar("Held")

NO_POSE = 'there is no pose yet; type /pose FILE, or /pose example, or "make a pose of ..."'


@dataclass
class HeldPoses(Generic[Held]):
    """Poses are never removed; `undo` and `redo` move the current one along what was done."""

    items: list[Held] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    """Numbers of the poses that were current, the current one last."""
    undone: list[int] = field(default_factory=list)
    """What `redo` goes back to, the next one last."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def current(self) -> int:
        """Number of the current pose. Raises PoseQueryError if there is no pose."""
        if not self.steps:
            raise PoseQueryError(NO_POSE)
        return self.steps[-1]

    def hold(self, item: Held) -> int:
        """Add a pose and make it the current one; return its number."""
        self.items.append(item)
        self._step(len(self.items))
        return len(self.items)

    def choose(self, number: int) -> int:
        """Make a pose the current one. Raises PoseQueryError if it is not there."""
        self._check(number)
        if number != self.current:
            self._step(number)
        return number

    def undo(self) -> int:
        """Go back to the pose that was current before. Raises PoseQueryError at the beginning."""
        if len(self.steps) < 2:
            raise PoseQueryError("there is nothing to undo")
        self.undone.append(self.steps.pop())
        return self.current

    def redo(self) -> int:
        """Take back the last `undo`. Raises PoseQueryError if there is none."""
        if not self.undone:
            raise PoseQueryError("there is nothing to do again")
        self.steps.append(self.undone.pop())
        return self.current

    def clear(self) -> None:
        """Forget everything."""
        self.items, self.steps, self.undone = [], [], []

    def number_of(self, name: str) -> int:
        """Return the number that a call's name of a pose means.

        `other` is the pose that was current before another one, `previous` has the number before
        the current one, `last` the highest. Raises PoseQueryError if there is no such pose.
        """
        current = self.current
        if name == "last":
            return len(self.items)
        if name == "previous":
            number = current - 1
        elif name == "other":
            before = [number for number in self.steps if number != current]
            number = before[-1] if before else current - 1 if current > 1 else current + 1
        else:
            number = int(name)
        self._check(number)
        return number

    def numbers_of(self, verb: str, names: Sequence[str]) -> tuple[int, ...]:
        """Return the numbers of the poses that a verb works on, given the names of its call.

        Verbs of two poses go from the one before to the current one where they name none, from the
        named one to the current one where they name one.
        """
        if verb in WITHOUT_POSE:
            return ()
        named = tuple(self.number_of(name) for name in names)
        if verb not in WITH_TWO_POSES:
            return named or (self.current,)
        if len(named) == 2:
            return named
        if self.current in named or not named:
            if len(self.items) < 2:
                raise PoseQueryError("this takes two poses, and there is only one")
            return self.number_of("other"), self.current
        return (*named, self.current)

    def __getitem__(self, number: int) -> Held:
        self._check(number)
        return self.items[number - 1]

    def _step(self, number: int) -> None:
        self.steps.append(number)
        self.undone.clear()

    def _check(self, number: int) -> None:
        if not self.items:
            raise PoseQueryError(NO_POSE)
        if not 1 <= number <= len(self.items):
            raise PoseQueryError(
                f"there is no pose {number}: this conversation holds {len(self.items)}"
            )


def state_line(held: HeldPoses) -> str:
    """Return the line for the language model that names poses whose turns are not shown."""
    if len(held) < 2:
        return f"pose {len(held)}"
    return f"poses 1 to {len(held)}, now pose {held.current}"
