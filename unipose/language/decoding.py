"""Answers out of the model: text token by token, a pose in one forward pass of its slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from unipose.language.attention import mixed_attention, seen_places
from unipose.language.grammar import Grammar
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import (
    WRITTEN_POSE,
    Batch,
    Part,
    Row,
    collate,
    render_question,
)
from unipose.language.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers are chosen."""

    temperature: float = 0.0
    """0 takes the likeliest token and code; higher samples."""
    max_tokens: int = 200
    """Text tokens and poses after which an answer is cut."""
    mix: bool | None = None
    """Take the codes nearest to the mean under the softmax (TokenHMR's soft decode, as codes);
    False takes each slot's likeliest code, None does as the model's config says."""
    guess: bool = False
    """Guess that the answer is one pose and write it in the pass that reads the question. The guess
    is checked: where the model would have said something else, the question is read again."""
    checked: bool = True
    """False takes the guess as it is: a pose is what is answered."""
    slots_per_pass: int | None = None
    """None fills all slots in one pass; 1 is the plain way, one forward pass per code."""
    grammar: Grammar | None = None
    """What answers there are; None lets the model say anything."""


@dataclass(kw_only=True)
class Answer:
    """What the model said to one question."""

    ids: list[int] = field(default_factory=list)
    """Text ids, in order."""
    poses: list[Tensor] = field(default_factory=list)
    """Codes of each pose it wrote."""
    words_before: list[int] = field(default_factory=list)
    """How many of the text ids stand before each pose."""
    complete: bool = False
    """False if the answer was cut at max_tokens."""

    def add_pose(self, codes: Int[Tensor, " slot"]) -> None:
        """Append a pose behind what was said so far."""
        self.words_before.append(len(self.ids))
        self.poses.append(codes)

    def sequence(self, vocabulary: Vocabulary) -> list[int]:
        """Return the answer as ids of the whole vocabulary, its end included if it came to one.

        Two words around a pose of three codes (S and E open and close it, . ends the answer):

            ids [Like this]  poses [c0 c1 c2]  words_before [1]  ->  Like S c0 c1 c2 E this .
        """
        said: list[int] = []
        done = 0
        for before, codes in zip(self.words_before, self.poses, strict=True):
            said += self.ids[done:before]
            said.append(vocabulary.pose_start)
            said += [vocabulary.first_code + code for code in codes.tolist()]
            said.append(vocabulary.pose_end)
            done = before
        said += self.ids[done:]
        return [*said, vocabulary.answer_end] if self.complete else said


RowWatcher = Callable[[int, Answer], bool]
"""Is shown the answer of a row after each token and pose; False ends the row as it is."""


class _Draws:
    """Chance: one generator for all rows, or one for each, which no other row then changes."""

    def __init__(self, generator: torch.Generator | Sequence[torch.Generator] | None) -> None:
        self._all = None if isinstance(generator, Sequence) else generator
        self._each = generator if isinstance(generator, Sequence) else None

    def of(self, row: int) -> torch.Generator | None:
        """Return the generator of one row."""
        return self._all if self._each is None else self._each[row]

    def tokens(self, logits: Float[Tensor, "row token"], decoding: Decoding) -> Int[Tensor, " row"]:
        """Return the next token of each row."""
        if self._each is None or decoding.temperature <= 0:
            return _choose(logits, decoding, self._all)
        rows = zip(logits.split(1), self._each, strict=True)
        return torch.cat([_choose(row, decoding, generator) for row, generator in rows])

    def codes(
        self,
        model: PoseLanguageModel,
        logits: Float[Tensor, "row slot code"],
        decoding: Decoding,
    ) -> Int[Tensor, "row slot"]:
        """Return the codes of the pose of each row."""
        if self._each is None or decoding.temperature <= 0:
            return _choose_codes(model, logits, decoding, self._all)
        rows = zip(logits.split(1), self._each, strict=True)
        return torch.cat([_choose_codes(model, row, decoding, one) for row, one in rows])


@dataclass(kw_only=True)
class _State:
    """All rows of a running batch; grows to the right."""

    kinds: Int[Tensor, "row place"]
    spans: Int[Tensor, "row place"]
    real: Bool[Tensor, "row place"]
    cache: DynamicCache
    question: Any = None
    """What a model keeps of the question beside the cache (`PoseLanguageModel.hidden_states`)."""
    states: Float[Tensor, "row place width"] | None = None
    """What a pose expert finds at all places, for a model that has one."""
    attended: Bool[Tensor, "row place"] | None = None
    """Which of these it attends to."""
    passes: int = 0

    def extend(self, model: PoseLanguageModel, block: Batch) -> Float[Tensor, "row new width"]:
        """Run one forward pass over the places of `block` behind everything so far."""
        self.kinds = torch.cat([self.kinds, block.kinds], dim=1)
        self.spans = torch.cat([self.spans, block.spans], dim=1)
        self.real = torch.cat([self.real, block.real], dim=1)
        new = block.ids.shape[1]
        seen = mixed_attention(
            kinds=self.kinds, spans=self.spans, real=self.real, new=new,
            read_both_ways=model.config.read_both_ways,
        )  # fmt: skip
        positions = (self.real.cumsum(dim=1) - 1).clamp(min=0)
        self.passes += 1
        hidden, question = model.hidden_states(block, seen, positions, self.cache, self.question)
        self.question = question if self.question is None else self.question
        if model.expert is not None:
            states, attended = hidden, model.expert_places(block)
            if self.states is not None and self.attended is not None:
                states = torch.cat([self.states, states], dim=1)
                attended = torch.cat([self.attended, attended], dim=1)
            self.states, self.attended = states, attended
        return hidden


@torch.inference_mode()
def answer(
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    questions: Sequence[Sequence[Part]],
    decoding: Decoding,
    *,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    on_text: Callable[[str], None] | None = None,
    keep_on: RowWatcher | None = None,
) -> tuple[list[Answer], int]:
    """Answer questions of any tasks; also return the number of forward passes.

    With a generator for each row, what is drawn for one does not hang on the others. `on_text` is
    called with each new piece of text of row 0, `keep_on` after each step for each row that is not
    complete.
    """
    drawn = decoding.temperature > 0 and model.expert is None  # an expert draws in one pass, too
    if decoding.guess and decoding.slots_per_pass is None and not drawn:
        guessed = _guess_poses(model, vocabulary, questions, decoding, _Draws(generator))
        if guessed is not None:
            return guessed, 1
    rows = [render_question(parts, vocabulary) for parts in questions]
    start = collate(rows, pad=vocabulary.pad, left=True)
    return answer_batch(
        model, vocabulary, start, decoding, generator=generator, on_text=on_text, keep_on=keep_on
    )


@torch.inference_mode()
def answer_batch(
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    start: Batch,
    decoding: Decoding,
    *,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    on_text: Callable[[str], None] | None = None,
    keep_on: RowWatcher | None = None,
) -> tuple[list[Answer], int]:
    """Answer rendered questions, filled up on the left, as `answer` does.

    Each row goes its own way: a row that opens a pose gets its slots (all in one pass), the others
    their next word in the same pass.
    """
    start = start.to(model.device)
    sources: list[list[int]] = [[] for _ in start.ids]
    if start.sources is not None:
        reads = zip(start.reading.tolist(), start.sources.tolist(), strict=True)
        sources = [codes if reading else [] for reading, codes in reads]
    empty = torch.zeros(len(sources), 0, dtype=torch.long, device=model.device)
    state = _State(kinds=empty, spans=empty, real=empty.bool(), cache=DynamicCache())
    answers = [Answer() for _ in sources]
    going = set(range(len(answers)))
    draws = _Draws(generator)
    last = state.extend(model, start)[:, -1]
    said = ""
    for _ in range(decoding.max_tokens):
        logits = model.text_logits(last)
        if decoding.grammar is not None:
            logits = _within(decoding.grammar, logits, answers)
        tokens = draws.tokens(logits, decoding)
        block: list[Row] = []
        for i, token in enumerate(tokens.tolist()):
            row = Row(source=sources[i])
            if i in going:
                if model.expert is not None and token == vocabulary.first_code:
                    codes = _written_by_expert(model, state, i, sources[i], decoding, draws.of(i))
                    answers[i].add_pose(codes)
                    answers[i].complete = True  # what might follow is never taught
                else:
                    _follow(row, token, answers[i], state.spans[i], vocabulary)
            block.append(row)
        if on_text and answers[0].ids:
            text = vocabulary.decode(answers[0].ids)
            if not text.endswith("\ufffd"):
                on_text(text[len(said) :])
                said = text
        going = {
            i for i in going
            if not answers[i].complete and (keep_on is None or keep_on(i, answers[i]))
        }  # fmt: skip
        if not going:
            break
        rows_of_block = collate(block, pad=vocabulary.pad).to(model.device)
        last = _run_block(model, state, rows_of_block, answers, decoding, draws)
    return answers, state.passes


def _follow(
    row: Row, token: int, so_far: Answer, spans: Int[Tensor, " place"], vocabulary: Vocabulary
) -> None:
    """Put the chosen token into the row; the start of a pose brings all its slots and the end."""
    if token == vocabulary.answer_end:
        so_far.complete = True
    elif token == vocabulary.first_code:  # the last column of text_logits: a pose starts
        _add_slots(row, int(spans.max()) + 1, vocabulary)
    else:
        so_far.ids.append(token)
        row.add(token, answering=True)


def _add_slots(row: Row, span: int, vocabulary: Vocabulary) -> None:
    row.add(vocabulary.pose_start)
    for slot in range(vocabulary.length):
        row.add(vocabulary.first_query + slot, kind=WRITTEN_POSE, span=span)
    row.add(vocabulary.pose_end)


def _guess_poses(
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    questions: Sequence[Sequence[Part]],
    decoding: Decoding,
    draws: _Draws,
) -> list[Answer] | None:
    """Return one pose for each question, all in one pass; None if any answer is not just a pose."""
    rows = [render_question(parts, vocabulary) for parts in questions]
    tail = vocabulary.pose_tail_ids
    if model.expert is None:
        for row in rows:
            _add_slots(row, max(row.spans) + 1, vocabulary)
            for identity in tail:
                row.add(identity, answering=True)
    batch = collate(rows, pad=vocabulary.pad, left=True).to(model.device)
    seen, positions = seen_places(batch, read_both_ways=model.config.read_both_ways)
    hidden, question = model.hidden_states(batch, seen, positions)
    if model.expert is not None:
        opens = model.text_logits(hidden[:, -1]).argmax(dim=-1)
        if decoding.checked and not bool((opens == vocabulary.first_code).all()):
            return None
        logits = model.expert(hidden, model.expert_places(batch), batch.sources)
        codes = draws.codes(model, logits, decoding)
        return [Answer(poses=[some], words_before=[0], complete=True) for some in codes.cpu()]
    end = hidden.shape[1] - len(tail) - 1  # the place that closes the pose
    opens = model.text_logits(hidden[:, end - vocabulary.length - 2]).argmax(dim=-1)
    behind = model.text_logits(hidden[:, end:].flatten(0, 1)).argmax(dim=-1)
    expected = behind.new_tensor([*tail, vocabulary.answer_end] * len(rows))
    poses_alone = (opens == vocabulary.first_code).all() and (behind == expected).all()
    if decoding.checked and not bool(poses_alone):
        return None
    slots = hidden[:, end - vocabulary.length : end]
    everyone = torch.arange(len(rows), device=slots.device)
    codes = _choose_codes(
        model, model.slot_logits(slots, batch, everyone, question), decoding, None
    )
    return [
        Answer(ids=[*tail], poses=[some], words_before=[0], complete=True) for some in codes.cpu()
    ]


def _written_by_expert(
    model: PoseLanguageModel,
    state: _State,
    row: int,
    source: list[int],
    decoding: Decoding,
    generator: torch.Generator | None,
) -> Int[Tensor, " slot"]:
    """Return the codes that the expert writes, from the states of one row and what it read."""
    assert model.expert is not None
    assert state.states is not None
    assert state.attended is not None
    read = torch.tensor([source], device=state.states.device) if source else None
    logits = model.expert(state.states[row : row + 1], state.attended[row : row + 1], read)
    return _choose_codes(model, logits, decoding, generator)[0].cpu()


def _run_block(
    model: PoseLanguageModel,
    state: _State,
    block: Batch,
    answers: list[Answer],
    decoding: Decoding,
    draws: _Draws,
) -> Float[Tensor, "row width"]:
    """Run the rows' new places, read codes off the slots, return each row's last hidden state."""
    step = decoding.slots_per_pass
    has_pose = block.kinds == WRITTEN_POSE
    if step is None or not bool(has_pose.any()):
        hidden = state.extend(model, block)
    else:
        # seen one after the other, a slot cannot look ahead
        begins = range(0, block.ids.shape[1], step)
        pieces = [state.extend(model, block.places(begin, begin + step)) for begin in begins]
        hidden = torch.cat(pieces, dim=1)
    for i in has_pose.any(dim=1).nonzero().flatten().tolist():
        slots = hidden[i][has_pose[i]][None]
        row = torch.tensor([i], device=hidden.device)
        logits = model.slot_logits(slots, block, row, state.question)
        answers[i].add_pose(_choose_codes(model, logits, decoding, draws.of(i))[0].cpu())
    final = (block.real.sum(dim=1) - 1).clamp(min=0)
    return hidden[torch.arange(len(hidden)), final]


def _within(
    grammar: Grammar, logits: Float[Tensor, "row token"], answers: Sequence[Answer]
) -> Float[Tensor, "row token"]:
    """Return the logits of what each answer may go on with; nothing else is possible."""
    allowed = torch.full_like(logits, -torch.inf)
    for i, said in enumerate(answers):
        ways = slice(None) if said.complete else list(grammar.following(said.ids))
        assert ways, f"the grammar leaves no way on from {said.ids}"
        allowed[i, ways] = 0.0
    return logits + allowed


def _choose(
    logits: Float[Tensor, "*row choice"], decoding: Decoding, generator: torch.Generator | None
) -> Int[Tensor, "*row"]:
    if decoding.temperature <= 0:
        return logits.argmax(dim=-1)
    # on the CPU: the generator is there, and the same seed gives the same answer everywhere
    chances = (logits.float() / decoding.temperature).softmax(dim=-1).cpu()
    flat = torch.multinomial(chances.flatten(0, -2), 1, generator=generator)
    return flat.view(logits.shape[:-1]).to(logits.device)


def _choose_codes(
    model: PoseLanguageModel,
    logits: Float[Tensor, "pose slot code"],
    decoding: Decoding,
    generator: torch.Generator | None,
) -> Int[Tensor, "pose slot"]:
    """Return one code per slot: the nearest to the mean, the likeliest, or a sample."""
    mix = model.config.mix_codes if decoding.mix is None else decoding.mix
    if decoding.temperature > 0 or not mix:
        return _choose(logits, decoding, generator)
    return model.codec.mixed_codes(logits.float().softmax(dim=-1))
