"""What went wrong, in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, and never a stack trace.

Knows errors and HTTP statuses; knows no run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ragraft.errors import BackendError, ConfigError, InputError, RagraftError
from ragraft.web.pages.rendering import fault_page, wants_page

BAD, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_LARGE = 400, 401, 403, 404, 413
TOO_MANY, BROKEN, BAD_GATEWAY, UNAVAILABLE = 429, 500, 502, 503
TYPES = {
    UNAUTHORIZED: "authentication_error",
    FORBIDDEN: "permission_error",
    NOT_FOUND: "not_found_error",
    TOO_MANY: "rate_limit_error",
}
TOLD = 5
"""Faults of one request that are named."""
log = logging.getLogger("ragraft.serve")


class Refusal(Exception):
    """A request that is not carried out, with its HTTP status."""

    def __init__(self, status: int, message: str, *, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.retry_after = status, message, code, retry_after


def fault_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """The body of an error."""
    kind = TYPES.get(status, "server_error" if status >= BROKEN else "invalid_request_error")
    error = {"message": message, "type": kind, "param": param, "code": code}
    # A name that the client sent may hold half a letter.
    return json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace")


def refusal_of(error: Exception) -> Refusal:
    """What a client is told of an error; of one that is a bug, nothing but that it was one."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, InputError):
        return Refusal(BAD, str(error))
    if isinstance(error, ConfigError):
        return Refusal(BAD, str(error), code="context_length_exceeded")
    if isinstance(error, BackendError):
        log.warning("%s", error)
        return Refusal(BAD_GATEWAY, str(error))
    if isinstance(error, RagraftError):
        log.warning("%s", error)
        return Refusal(UNAVAILABLE, str(error), retry_after=30)
    log.exception("A request failed", exc_info=error)
    return Refusal(BROKEN, "The server failed on this request; its log says why")


def response_of(error: Exception, *, page: bool = False) -> Response:
    """An error as a response; as a page for a person's browser."""
    refusal = refusal_of(error)
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {}
    if page:
        return fault_page(refusal.status, refusal.message, headers)
    body = fault_body(refusal.status, refusal.message, code=refusal.code)
    return Response(body, refusal.status, headers, media_type="application/json")


def tell_faults(app: FastAPI) -> None:
    """Have the app answer every error in this shape."""

    async def refuse(request: Request, error: Exception) -> Response:
        return response_of(error, page=wants_page(request.headers.get("accept", "")))

    async def wrong_body(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        param, message = _told(error.errors())
        return Response(fault_body(BAD, message, param=param), BAD, media_type="application/json")

    async def no_such_place(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if wants_page(request.headers.get("accept", "")):
            missing = f"There is no page {request.url.path} here"
            return fault_page(error.status_code, missing if error.status_code == NOT_FOUND else str(error.detail))
        body = fault_body(error.status_code, f"{error.detail}: {request.method} {request.url.path}")
        return Response(body, error.status_code, error.headers, media_type="application/json")

    app.add_exception_handler(Refusal, refuse)
    app.add_exception_handler(RagraftError, refuse)
    app.add_exception_handler(RequestValidationError, wrong_body)
    app.add_exception_handler(HTTPException, no_such_place)


def _told(faults: Sequence[Any]) -> tuple[str | None, str]:
    """The first fault's key, and all of them in words; what was sent is not repeated."""
    lines = []
    for fault in faults[:TOLD]:
        where = ".".join(str(part) for part in fault["loc"][1:]) or "the body"
        what = (
            "not a key that this server knows"
            if fault["type"] == "extra_forbidden"
            else str(fault["msg"]).removeprefix("Value error, ")
        )
        lines.append(f"{where}: {what}")
    more = [f"and {len(faults) - TOLD} more"] if len(faults) > TOLD else []
    first = ".".join(str(part) for part in faults[0]["loc"][1:]) if faults else ""
    return first or None, "; ".join([*lines, *more])
