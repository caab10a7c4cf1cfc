"""Who is let in, and how much: host names, origins, keys, sizes, rates; and the headers of every answer.

An ASGI layer around the app, so that streams pass through piece by piece. Knows HTTP; knows no run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragraft.web.api.faults import FORBIDDEN, TOO_LARGE, TOO_MANY, UNAUTHORIZED, Refusal, response_of
from ragraft.web.api.keys import Keys, Pace
from ragraft.web.origins import is_foreign
from ragraft.web.pages.chat import OPEN, to_sign_in
from ragraft.web.pages.rendering import wants_page
from ragraft.web.pages.sessions import ASKER, Sessions, token_in

OPEN_TO_ALL = ("/healthz", "/readyz")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
ALLOWED = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "Authorization, Content-Type"}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guard holds to."""

    hosts: tuple[str, ...]
    """Host names under which the server is called; none: any."""
    origins: tuple[str, ...]
    keys: Keys
    pace: Pace
    max_body: int
    sessions: Sessions = field(default_factory=Sessions)
    """Of people who gave their key on a page."""


class Guard:
    """The app behind its rules."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answers = _Answering(send, self._shared_with(headers))
        try:
            if self._asks_leave(scope, headers):
                await Response(status_code=204, headers=ALLOWED)(scope, receive, answers)
                return
            scope[ASKER] = self._admit(scope, headers)
            await self._app(scope, _Counted(receive, self._rules.max_body, headers), answers)
        except Exception as error:  # what no route foresaw is told here, and in the server's own log
            if answers.begun:
                raise
            await self._told(error, scope, headers)(scope, receive, answers)

    def _told(self, error: Exception, scope: Scope, headers: Headers) -> Response:
        """An error to a program; to a person's browser a page, or the way in."""
        page = wants_page(headers.get("accept", ""))
        if page and isinstance(error, Refusal) and error.status == UNAUTHORIZED:
            return to_sign_in(scope["path"], scope["query_string"].decode("latin-1"))
        return response_of(error, page=page)

    def _asks_leave(self, scope: Scope, headers: Headers) -> bool:
        """A browser's question whether a page of an allowed origin may call."""
        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        return asks and bool(self._shared_with(headers))

    def _shared_with(self, headers: Headers) -> str:
        """The allowed origin whose page is calling; empty for any other."""
        origin = headers.get("origin", "")
        return origin if origin in self._rules.origins else ""

    def _admit(self, scope: Scope, headers: Headers) -> str:
        """The name of the key that asks. Raises Refusal."""
        rules = self._rules
        host = headers.get("host", "")
        if rules.hosts and _name_of(host) not in rules.hosts:
            raise Refusal(FORBIDDEN, "This server is called under its own machine's name alone")
        origin = headers.get("origin")
        if origin not in rules.origins and is_foreign(origin, host):
            raise Refusal(FORBIDDEN, "Pages of this origin may not call; name it under serve.origins")
        if not rules.keys or scope["path"] in OPEN_TO_ALL or scope["path"].startswith(OPEN):
            return ""
        token = token_in(headers.get("cookie", ""))
        owner = rules.keys.owner(headers.get("authorization", "")) or (token and rules.sessions.owner(token)) or None
        if owner is None:
            raise Refusal(UNAUTHORIZED, "Send a key of this server as Authorization: Bearer", code="invalid_api_key")
        wait = rules.pace.wait(owner)
        if wait:
            seconds = math.ceil(wait)
            message = f"Key {owner} has sent its share for this minute; try again in {seconds} s"
            raise Refusal(TOO_MANY, message, code="rate_limit_exceeded", retry_after=seconds)
        return owner


class _Counted:
    """A request's body, up to so many bytes."""

    def __init__(self, receive: Receive, most: int, headers: Headers) -> None:
        self._receive, self._most, self._read = receive, most, 0
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise Refusal(TOO_LARGE, self._told)

    async def __call__(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if self._read > self._most:
            raise HTTPException(TOO_LARGE, self._told)  # the one error that FastAPI lets through while it reads
        return message

    @property
    def _told(self) -> str:
        return f"The request is larger than {self._most} bytes"


class _Answering:
    """Sends an answer with the headers of all; knows whether it has begun."""

    def __init__(self, send: Send, shared_with: str) -> None:
        self._send, self._shared_with = send, shared_with
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._shared_with:
                headers["Access-Control-Allow-Origin"] = self._shared_with
                headers["Vary"] = "Origin"
        await self._send(message)


def _name_of(host: str) -> str:
    """A Host header without its port."""
    return host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
