"""Answers of the conversation model to several conversations at once; they come and go at any step.

    rows = ConversationRows(model)
    rows.join([one, another])
    while rows.running:
        rows.step()           # a token for each; `one.finished` when it is said

All rows end at the same place of the cache, so what is shorter begins later:

    real   . . B user ..  E B assistant >  check        a row of two steps
           B system  .. ..  E B assistant  Yes          one that has just joined

What a row has read can be kept for the next answer of the same conversation, which then reads only
what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from transformers.cache_utils import DynamicCache

from unipose.language.call_grammar import CallGrammar
from unipose.language.conversation_model import LONGEST_ANSWER, ConversationModel


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadBefore:
    """What a conversation has read: its ids, and keys and values of each layer (1 head id dim)."""

    ids: list[int]
    layers: list[tuple[Tensor, Tensor]]

    def same_as(self, ids: Sequence[int]) -> int:
        """Return how many ids at the beginning are the same; the last one is always read anew."""
        same = 0
        for before, now in zip(self.ids, ids[:-1], strict=False):
            if before != now:
                break
            same += 1
        return same


@dataclass(kw_only=True, eq=False)
class SpokenRow:
    """One answer that is being said."""

    ids: list[int]
    """All that it answers."""
    grammar: CallGrammar
    temperature: float = 0.0
    generator: torch.Generator | None = None
    """Its own chance; for a temperature above 0."""
    most_tokens: int = LONGEST_ANSWER
    before: ReadBefore | None = None
    """In: what was read before. Out: what was read, behind a call."""
    said: list[int] = field(default_factory=list)
    finished: bool = False

    @property
    def is_call(self) -> bool:
        """Whether a call is being said."""
        return bool(self.said) and self.said[0] == self.grammar.first


class ConversationRows:
    """Rows that are answered side by side by one model."""

    def __init__(self, model: ConversationModel) -> None:
        self.model = model
        self.running: list[SpokenRow] = []
        self._real = torch.zeros(0, 0, dtype=torch.bool)
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._logits = torch.zeros(0, 0)

    @torch.inference_mode()
    def join(self, rows: Sequence[SpokenRow]) -> None:
        """Read what new rows answer; their first tokens come with the next step."""
        if not rows:
            return
        same = [0 if row.before is None else row.before.same_as(row.ids) for row in rows]
        new = [row.ids[known:] for row, known in zip(rows, same, strict=True)]
        past, width = max(same), max(map(len, new))
        real = torch.zeros(len(rows), past + width, dtype=torch.bool)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        for i, (known, unread) in enumerate(zip(same, new, strict=True)):
            real[i, past - known : past] = True
            real[i, past + width - len(unread) :] = True
            ids[i, width - len(unread) :] = torch.tensor(unread)
        logits, layers = self._run(ids, real, _stacked(rows, same, past))
        self.running = [*self.running, *rows]
        length = max(self._real.shape[1], real.shape[1])
        self._real = torch.cat([_wider(self._real, length), _wider(real, length)])
        self._layers = _together(self._layers, layers, length)
        self._logits = logits if len(self._logits) == 0 else torch.cat([self._logits, logits])

    @torch.inference_mode()
    def step(self) -> list[SpokenRow]:
        """Say one token more in each row; return the rows that are finished, which leave."""
        for row, logits in zip(self.running, self._logits, strict=True):
            token = self._next(row, logits)
            if token == self.model.template.end:
                row.finished = True
                continue
            row.said.append(token)
            row.finished = len(row.said) >= row.most_tokens
        gone = [row for row in self.running if row.finished]
        self.leave(gone)
        if self.running:
            one = torch.ones(len(self.running), 1, dtype=torch.bool)
            self._real = torch.cat([self._real, one], dim=1)
            ids = torch.tensor([row.said[-1:] for row in self.running])
            self._logits, self._layers = self._run(ids, self._real, self._layers)
        return gone

    @torch.inference_mode()
    def leave(self, rows: Sequence[SpokenRow]) -> None:
        """Take rows out, finished or not; those that said a whole call keep what they have read."""
        if not rows:
            return
        for i, row in enumerate(self.running):
            if row in rows:
                whole = row.finished and row.is_call and len(row.said) < row.most_tokens
                row.before = self._read_by(i, row) if whole else None
        stay = [i for i, row in enumerate(self.running) if row not in rows]
        self.running = [self.running[i] for i in stay]
        if not stay:
            self.forget()
            return
        real = self._real[stay]
        begin = int(real.any(dim=0).int().argmax())  # before it there is nothing any more
        self._real, self._logits = real[:, begin:], self._logits[stay]
        self._layers = [(k[stay, :, begin:], v[stay, :, begin:]) for k, v in self._layers]

    def forget(self) -> None:
        """Let go of all rows and of everything that was read."""
        self.running, self._layers = [], []
        self._real = torch.zeros(0, 0, dtype=torch.bool)
        self._logits = torch.zeros(0, 0)

    def _next(self, row: SpokenRow, logits: Float[Tensor, " token"]) -> int:
        left = logits.masked_fill(~self.model.allowed(row.said, row.grammar), -torch.inf)
        if row.temperature <= 0:
            return int(left.argmax())
        chances = (left / row.temperature).softmax(dim=-1)
        return int(torch.multinomial(chances, 1, generator=row.generator))

    def _read_by(self, i: int, row: SpokenRow) -> ReadBefore:
        mine = self._real[i]
        layers = [(k[i : i + 1, :, mine], v[i : i + 1, :, mine]) for k, v in self._layers]
        return ReadBefore(ids=[*row.ids, *row.said], layers=layers)

    def _run(
        self,
        ids: Int[Tensor, "row new"],
        real: Bool[Tensor, "row place"],
        layers: list[tuple[Tensor, Tensor]],
    ) -> tuple[Float[Tensor, "row token"], list[tuple[Tensor, Tensor]]]:
        """Return the logits behind the last ids, and keys and values of all places."""
        device = self.model.model.device
        positions = (real.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        cache = DynamicCache(layers or None)
        output = self.model.model(
            input_ids=ids.to(device),
            attention_mask=real.long().to(device),
            position_ids=positions.to(device),
            past_key_values=cache,
            logits_to_keep=1,
        )
        return (
            output.logits[:, -1].float().cpu(),
            [(layer.keys, layer.values) for layer in cache.layers],  # type: ignore[attr-defined]
        )


def _stacked(
    rows: Sequence[SpokenRow], same: Sequence[int], past: int
) -> list[tuple[Tensor, Tensor]]:
    """Return the keys and values that rows have read before, all ending at the same place."""
    known = next((row.before for row in rows if row.before is not None), None)
    if not past or known is None:
        return []
    stacked = []
    for number, (some, _) in enumerate(known.layers):
        pair = []
        for which in (0, 1):
            mine = [
                some[:, :, :0] if row.before is None else row.before.layers[number][which]
                for row in rows
            ]
            pair.append(
                torch.cat([_begun_later(one[:, :, :k], past) for one, k in zip(mine, same)])
            )
        stacked.append((pair[0], pair[1]))
    return stacked


def _together(
    some: list[tuple[Tensor, Tensor]], others: list[tuple[Tensor, Tensor]], length: int
) -> list[tuple[Tensor, Tensor]]:
    """Return keys and values of both, all ending at the same place."""
    if not some:
        return others
    return [
        (
            torch.cat([_begun_later(a, length), _begun_later(c, length)]),
            torch.cat([_begun_later(b, length), _begun_later(d, length)]),
        )
        for (a, b), (c, d) in zip(some, others, strict=True)
    ]


def _begun_later(
    states: Float[Tensor, "row head place dim"], length: int
) -> Float[Tensor, "row head length dim"]:
    return functional.pad(states, (0, 0, length - states.shape[2], 0))


def _wider(real: Bool[Tensor, "row place"], length: int) -> Bool[Tensor, "row length"]:
    return functional.pad(real, (length - real.shape[1], 0))
