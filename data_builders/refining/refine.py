"""The refiner: drafts in, checked texts out; a model writes, the reader judges, rules stand by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from data_builders.refining.checking import Limits, Verdict, check
from data_builders.refining.draft import Draft, Refined
from data_builders.refining.prompts import ask_again, ask_for, tidy
from data_builders.refining.rules import refine_by_rules
from unipose.priors.chat_models import ChatMessages, ChatModel, Completion

RULES = "rules"
UNCHANGED = "draft"


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """How often a model may try, and what passes."""

    limits: Limits = field(default_factory=Limits)
    attempts: int = 3
    """Answers of a model that are looked at before the rules write the text."""
    window: int = 256
    """Drafts that are under way together."""
    seed: int = 0
    """Of the rules' choice of words."""


@dataclass(kw_only=True)
class Report:
    """What a run did; it only ever grows."""

    texts: int = 0
    written_by: Counter[str] = field(default_factory=Counter)
    redone: int = 0
    """Answers that were rejected and asked for again."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Texts of which every answer was rejected or missing, by the last reason."""
    added: int = 0
    flipped: int = 0
    """Claims that answers added or flipped, rejected answers included."""
    kept_added: int = 0
    """Added claims in the texts that passed."""
    kept_unread: int = 0
    """Clauses in the texts that passed which nobody has checked."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Questions without an answer, by reason."""
    requests: int = 0
    from_disk: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    """Tokens of the requests of this run; answers from disk cost nothing."""

    def cost(self, prompt_price: float, answer_price: float) -> float:
        """Return what the requests cost at prices per million tokens."""
        return (self.prompt_tokens * prompt_price + self.answer_tokens * answer_price) / 1e6

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {name: dict(v) if isinstance(v, Counter) else v for name, v in vars(self).items()}

    def count_answer(self, answer: Completion) -> None:
        """Note what an answer took."""
        if answer.text and not answer.requests:
            self.from_disk += 1
            return
        self.requests += answer.requests
        self.prompt_tokens += answer.prompt_tokens
        self.answer_tokens += answer.answer_tokens
        if answer.problem:
            self.unanswered[answer.problem] += 1


def refine(
    drafts: Iterable[Draft],
    backend: ChatModel | None = None,
    *,
    config: RefineConfig,
    report: Report,
) -> Iterator[Refined]:
    """Give each draft's refined text, in order, and count in `report` what happened.

    Without a backend the rules write every text. With one, an answer that adds or flips more than
    the limits allow is rejected and asked for again with its faults; where no answer passes, the
    rules write the text, so none is lost and none is invented. Raises what the backend raises if
    it is broken for good (EndpointError).
    """
    waiting = iter(drafts)
    while window := list(islice(waiting, config.window)):
        written = {} if backend is None else _ask(window, backend, config, report)
        for place, draft in enumerate(window):
            found = written.get(place)
            if not isinstance(found, Refined):
                if backend is not None:
                    report.rejected[found or "no answer"] += 1
                found = _by_rules(draft, config)
            report.texts += 1
            report.written_by[found.by] += 1
            report.kept_added += found.added
            report.kept_unread += found.unread
            yield found


def _ask(
    drafts: list[Draft], backend: ChatModel, config: RefineConfig, report: Report
) -> dict[int, Refined | str]:
    """Return for each draft what a model wrote and the check passed, or why there is nothing."""
    found: dict[int, Refined | str] = {}
    open_ = {i: ask_for(draft.kind, draft.text) for i, draft in enumerate(drafts)}
    for attempt in range(1, config.attempts + 1):
        places = list(open_)
        again: dict[int, ChatMessages] = {}
        for row, answer in backend.answers([open_[i] for i in places]):
            i = places[row]
            report.count_answer(answer)
            text = tidy(answer.text)
            if not text:
                found[i] = answer.problem or "the answer is empty"
                continue
            verdict = check(text, drafts[i])
            report.added += len(verdict.added)
            report.flipped += len(verdict.flipped)
            faults = verdict.faults(config.limits)
            if not faults:
                found[i] = _passed(drafts[i].key, text, backend.name, attempt, verdict)
                continue
            found[i] = _kind_of_fault(verdict, config.limits)
            if attempt < config.attempts:
                report.redone += 1
                again[i] = ask_again(open_[i], text[:1000], faults)
        open_ = {i: again[i] for i in sorted(again)}
        if not open_:
            break
    return found


def _passed(key: str, text: str, by: str, attempts: int, verdict: Verdict) -> Refined:
    return Refined(
        key=key,
        text=text,
        by=by,
        attempts=attempts,
        added=len(verdict.added),
        unread=len(verdict.unread),
    )


def _kind_of_fault(verdict: Verdict, limits: Limits) -> str:
    """Return the first fault in one of a few words, for counting."""
    for kind, wrong in (
        ("too long", verdict.words > limits.words),
        ("sides or directions flipped", len(verdict.flipped) > limits.flipped),
        ("claims added", len(verdict.added) > limits.added),
        ("turn of the body lost", verdict.lost_turn),
        ("left open which limb", bool(verdict.vague)),
        ("does not begin with the person", not verdict.opens_with_person),
    ):
        if wrong:
            return kind
    return "nothing recognisable"


def _by_rules(draft: Draft, config: RefineConfig) -> Refined:
    text = refine_by_rules(draft, seed=config.seed)
    if not text:
        return Refined(key=draft.key, text=draft.text, by=UNCHANGED)
    return Refined(key=draft.key, text=text, by=RULES)
