"""What is said to a request that is not answered, as OpenAI's clients read it.

    {"error": {"message": "...", "type": "invalid_request_error", "param": "n", "code": null}}

What a client sent is never repeated to it: it may be huge, or no text that can be encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from unipose.app.wording import problem_in_words
from unipose.errors import MissingFileError, UniPoseError

LONGEST_MESSAGE = 500
"""Characters of what went wrong."""


class ErrorDetails(BaseModel):
    """Why a request is not answered."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorDetails


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (400, 401, 404, 413, 422, 429, 503, 504)
}
"""For the description of endpoints."""


class RefusalError(Exception):
    """A request that is not answered, and why."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, retry_s: int | None = None
    ) -> None:
        super().__init__(status, message)
        self.status, self.message, self.param, self.retry_s = status, message, param, retry_s

    def response(self) -> JSONResponse:
        """Return the answer of HTTP."""
        headers = {} if self.retry_s is None else {"Retry-After": str(self.retry_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.content(), self.status, headers)

    def content(self) -> dict[str, Any]:
        """Return the error as clients read it."""
        message = self.message.encode("utf-8", "replace").decode()[:LONGEST_MESSAGE]
        return {
            "error": {
                "message": message,
                "type": _kind(self.status),
                "param": self.param,
                "code": None,
            }
        }


def _kind(status: int) -> str:
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    return kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")


def refusal_of(error: UniPoseError) -> RefusalError:
    """Return what a client is told of one of our errors: 503 for what is missing here, else 422."""
    status = 503 if isinstance(error, MissingFileError) else 422
    return RefusalError(status, problem_in_words(error))


def say_refusals(app: FastAPI) -> None:
    """Let an application answer all errors in this form."""

    @app.exception_handler(RefusalError)
    async def refused(_: Request, error: RefusalError) -> JSONResponse:
        return error.response()

    @app.exception_handler(UniPoseError)
    async def ours(_: Request, error: UniPoseError) -> JSONResponse:
        return refusal_of(error).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # of what may be one thing or another, what came nearest to one of them
        nearest = max(error.errors(), key=lambda one: len(one["loc"]))
        place = _place(nearest["loc"])
        message = f"{place}: {nearest['msg']}" if place else str(nearest["msg"])
        return RefusalError(422, message, param=place or None).response()

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> JSONResponse:
        response = RefusalError(error.status_code, str(error.detail)).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def mistake(_: Request, error: Exception) -> JSONResponse:
        return RefusalError(500, "a mistake of the server; its log says more").response()


def _place(location: Sequence[str | int]) -> str:
    """Return where a value stands: ("body", "messages", 0, "content") -> messages.0.content."""
    parts = [str(part)[:40] for part in location if part not in ("body", "query", "path")]
    return ".".join(part for part in parts if "[" not in part)
