"""Who is signed in: a random token in a cookie that no script can read, and the key's name kept here, in memory.

The key itself is sent once, and kept in no browser; sessions end with the server. Knows a clock; knows no run.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from starlette.requests import cookie_parser

COOKIE = "ragraft-session"
ASKER = "ragraft.asker"
"""Where the scope names the key that asks."""
IDLE = 12 * 3600.0
"""Seconds after which one that nobody used ends."""
MOST = 1000


class Sessions:
    """The sessions of one server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owners: dict[str, tuple[str, float]] = {}

    def begin(self, owner: str) -> str:
        """A new session's token; where there are too many, the one that was used longest ago ends."""
        if len(self._owners) >= MOST:
            del self._owners[min(self._owners, key=lambda one: self._owners[one][1])]
        token = secrets.token_urlsafe(32)
        self._owners[_digest(token)] = (owner, self._clock())
        return token

    def owner(self, token: str) -> str | None:
        """The name of the key that signed in with this token; None where nobody did, or too long ago."""
        owner, used = self._owners.get(_digest(token), ("", -IDLE))
        now = self._clock()
        if not owner or now - used > IDLE:
            self.end(token)
            return None
        self._owners[_digest(token)] = (owner, now)
        return owner

    def end(self, token: str) -> None:
        """Sign out."""
        self._owners.pop(_digest(token), None)


def token_in(cookies: str) -> str:
    """The token in a Cookie header; empty where there is none."""
    return cookie_parser(cookies).get(COOKIE, "")


def _digest(token: str) -> str:
    # Looked up by digest, so that the time a look-up takes tells nothing of a token.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
