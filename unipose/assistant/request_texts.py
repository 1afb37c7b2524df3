"""Requests in words, checked and written as the texts of training are; answers, checked."""

from __future__ import annotations

from unipose.errors import AnswerParseError, PoseQueryError

LONGEST_TEXT = 2000
"""Characters of one request; far more than any pose needs."""


def checked_request(text: str) -> str:
    """Return a request with single spaces. Raises PoseQueryError if it is empty or too long."""
    text = " ".join(text.split())
    if not text:
        raise PoseQueryError(
            "an empty request: say what the pose should be or how it should change"
        )
    if len(text) > LONGEST_TEXT:
        raise PoseQueryError(
            f"the request has {len(text)} characters; at most {LONGEST_TEXT} are read"
        )
    return text


def checked_answer(text: str) -> str:
    """Return what a model said of a pose. Raises AnswerParseError if that is nothing."""
    if not text.strip():
        raise AnswerParseError(
            "expected words about the pose, and the model said nothing; its training was too "
            "short, or had no such texts: train it longer, or choose another model"
        )
    return text


def as_sentence(text: str) -> str:
    """Return a request as the texts of training are written: people type "raise the left arm"."""
    text = checked_request(text)
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
