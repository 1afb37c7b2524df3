"""Any server that speaks OpenAI's /v1/chat/completions, asked at a pace and with patience."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import httpx2
import openai

from unipose.errors import ConfigError, EndpointError
from unipose.priors.chat_models import ChatMessages, Completion, Identity
from unipose.priors.sampled_models import ModelQuestion

_REFUSED = frozenset({401, 402, 403, 404, 405})
"""Statuses that no second request changes: a wrong key, model or address."""
_LATER = frozenset({408, 409, 425, 429})
"""Statuses that ask to come back; so do all from 500 on."""
_CUT = "the answer is longer than allowed"


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """Which model is asked, how, and how long we wait for it."""

    url: str
    """Address up to and with /v1: "http://127.0.0.1:8000/v1"."""
    model: str
    temperature: float | None = 0.3
    """None: the server's own."""
    most_tokens: int = 200
    token_limit: str = "max_tokens"  # noqa: S105 (the name of a field)
    """What the server calls that limit; some models only know "max_completion_tokens"."""
    concurrency: int = 8
    requests_per_minute: float = 0.0
    """0: no limit."""
    timeout_s: float = 60.0
    """For one whole answer."""
    tries: int = 5
    first_wait_s: float = 1.0
    """Before the second try; doubled before each further one."""
    longest_wait_s: float = 60.0
    largest_answer_bytes: int = 1 << 20
    give_up_after: int = 20
    """Questions in a row that stay without an answer before the run is stopped."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"expected an address like http://host:8000/v1, got {self.url!r}")
        for name in ("concurrency", "tries", "most_tokens", "give_up_after"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")


class Endpoint:
    """A chat model behind an address; safe to use from several threads."""

    def __init__(self, config: EndpointConfig, *, api_key: str = "none") -> None:
        self.config = config
        self._client = openai.OpenAI(
            base_url=config.url, api_key=api_key, timeout=config.timeout_s, max_retries=0
        )
        self._pace = _Pace(config.requests_per_minute)
        self._lock = threading.Lock()
        self._row_of_failures = 0
        self._fatal: EndpointError | None = None
        self._stop = threading.Event()
        self._one_by_one = False
        """The server gives one choice whatever `n` says (Ollama, LMDeploy)."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.config.model

    @property
    def identity(self) -> Identity:
        """Address, model and what shapes its answers."""
        c = self.config
        return {"url": c.url, "model": c.model, "t": c.temperature, "tokens": c.most_tokens}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answers(self, conversations: Sequence[ChatMessages]) -> Iterator[tuple[int, Completion]]:
        """Give each conversation's answer, or why there is none, as they come in.

        Raises EndpointError if the server refuses us or stays broken; what was already answered
        is given first.
        """
        with ThreadPoolExecutor(self.config.concurrency) as pool:
            waiting = {pool.submit(self._ask, c): i for i, c in enumerate(conversations)}
            try:
                for future in as_completed(waiting):
                    if future.exception() is None:
                        yield waiting[future], future.result()[0]
                    elif not isinstance(future.exception(), EndpointError):
                        future.result()  # a mistake of our own
            except BaseException:
                self._stop.set()
                raise
            finally:
                for future in waiting:
                    future.cancel()
        if self._fatal is not None:
            raise self._fatal

    def samples(
        self, question: ModelQuestion, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Completion]]:
        """Give several answers to one question: all in one request where the server can.

        A server that gives fewer choices than asked for, or refuses to give several, is asked for
        one at a time, with the sample's number as its seed. After a sample that stays without an
        answer the question is given up. Raises EndpointError as `answers`.
        """
        conversation, waiting = question.messages(), list(numbers)
        if len(waiting) > 1 and not self._one_by_one:
            found = self._ask(conversation, choices=len(waiting), seed=waiting[0])
            if len(found) == 1 and not found[0].text:  # refused: perhaps only the number of choices
                found = []
            yield from zip(waiting, found)
            self._one_by_one |= 0 < len(found) < len(waiting)
            waiting = waiting[len(found) :]
        problem = ""
        for number in waiting:
            if problem:
                yield number, Completion(problem=problem)
                continue
            (answer,) = self._ask(conversation, seed=number)
            self._one_by_one |= len(waiting) == len(numbers) > 1 and bool(answer.text)
            problem = "" if answer.problem == _CUT else answer.problem
            yield number, answer

    def _ask(
        self, conversation: ChatMessages, *, choices: int = 1, seed: int | None = None
    ) -> list[Completion]:
        """Return the answers to one conversation after as many tries as it may take.

        At most `choices`, at least one: that may be why there is none.
        """
        problem, tries = "", 0
        while tries < self.config.tries:
            if self._fatal is not None:
                raise self._fatal
            self._pace.wait()
            tries += 1
            try:
                found = self._request(conversation, tries, choices=choices, seed=seed)
            except _TryAgainError as error:
                problem = str(error)
                if tries < self.config.tries and self._stop.wait(self._pause(tries, error)):
                    break
                continue
            except _UnansweredError as error:
                problem = str(error)
                break
            with self._lock:
                self._row_of_failures = 0
            return found[:choices]
        return [self._count_failure(problem, tries)]

    def _pause(self, tries: int, error: _TryAgainError) -> float:
        longest = self.config.longest_wait_s
        backing_off = self.config.first_wait_s * 2 ** (tries - 1) * random.uniform(0.75, 1.25)
        return min(max(backing_off, error.wait_s), longest)

    def _count_failure(self, problem: str, tries: int) -> Completion:
        with self._lock:
            self._row_of_failures += 1
            if self._row_of_failures >= self.config.give_up_after and self._fatal is None:
                self._fatal = EndpointError(
                    f"{self.config.url}: {self._row_of_failures} questions in a row stayed without "
                    f"an answer, the last one because {problem}. Look at the server and start "
                    "again; what was answered is kept."
                )
        return Completion(problem=problem, requests=tries)

    def _request(
        self, conversation: ChatMessages, tries: int, *, choices: int, seed: int | None
    ) -> list[Completion]:
        """Return the answers to one request; raise what is to be done where there is none."""
        c = self.config
        extra: dict[str, Any] = {c.token_limit: c.most_tokens}
        if c.temperature is not None:
            extra["temperature"] = c.temperature
        if choices > 1:
            extra["n"] = choices
        if seed is not None:
            extra["seed"] = seed
        messages: Any = conversation
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=c.model, messages=messages, extra_body=extra
            ) as response:
                body = self._body(response)
        except openai.APIStatusError as error:
            self._judge_status(error)
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise _TryAgainError(f"no answer came within {c.timeout_s:g} s") from error
        except (openai.APIError, httpx2.HTTPError) as error:
            raise _TryAgainError(f"the connection failed ({error})") from error
        return read_answers(body, tries)

    def _body(self, response: Any) -> bytes:
        """Return the bytes of a response that is neither too large nor too slow."""
        begin, found = time.monotonic(), bytearray()
        for piece in response.iter_bytes():
            found += piece
            if len(found) > self.config.largest_answer_bytes:
                raise _UnansweredError(
                    f"the answer is larger than {self.config.largest_answer_bytes} bytes"
                )
            if time.monotonic() - begin > self.config.timeout_s:
                raise _TryAgainError(f"no answer came within {self.config.timeout_s:g} s")
        return bytes(found)

    def _judge_status(self, error: openai.APIStatusError) -> NoReturn:
        """Raise what a status that is no success calls for."""
        status, said = error.status_code, " ".join(str(error).split())[:200]
        if status in _LATER or status >= 500:
            raise _TryAgainError(f"the server said {status}", _retry_after(error)) from error
        if status in _REFUSED:
            with self._lock:
                self._fatal = EndpointError(
                    f"{self.config.url} refuses the model {self.config.model!r}: {said}. "
                    "Check address, model and key."
                )
            raise self._fatal from error
        raise _UnansweredError(f"the server said {status}") from error


class _TryAgainError(Exception):
    """This time it did not work; the next time it may."""

    def __init__(self, problem: str, wait_s: float = 0.0) -> None:
        super().__init__(problem)
        self.wait_s = wait_s


class _UnansweredError(Exception):
    """This question will stay without an answer."""


def _retry_after(error: openai.APIStatusError) -> float:
    """Return how long the server asks us to wait, seconds; dates are not looked at."""
    try:
        return max(float(error.response.headers.get("retry-after", "0")), 0.0)
    except ValueError:
        return 0.0


def read_answers(body: bytes, requests: int = 1) -> list[Completion]:
    """Return the texts and the counted tokens of a chat completion, one for each choice.

    Tokens and requests are counted with the first choice. Raises _TryAgainError if the bytes are
    not one: a proxy's error page, half an answer, no text.
    """
    try:
        said = json.loads(body)
        choices = [(choice["message"]["content"], choice) for choice in said["choices"]]
        choices[0]  # there is one at least
    except (ValueError, LookupError, TypeError) as error:
        raise _TryAgainError("what came is not a chat completion") from error
    texts = [(text, one) for text, one in choices if isinstance(text, str) and text.strip()]
    if not texts:
        raise _TryAgainError("the answer is empty")
    usage = said.get("usage")
    counted = usage if isinstance(usage, dict) else {}

    def tokens(name: str) -> int:
        count = counted.get(name)
        return count if isinstance(count, int) and count > 0 else 0

    cut = Completion(problem=_CUT)
    found = [
        cut if one.get("finish_reason") == "length" else Completion(text=text)
        for text, one in texts
    ]
    found[0] = replace(
        found[0],
        prompt_tokens=tokens("prompt_tokens"),
        answer_tokens=tokens("completion_tokens"),
        requests=requests,
    )
    return found


class _Pace:
    """Lets requests through at a steady rate."""

    def __init__(self, per_minute: float) -> None:
        self._gap_s = 60.0 / per_minute if per_minute > 0 else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may go out."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._gap_s
        time.sleep(max(start - now, 0.0))
