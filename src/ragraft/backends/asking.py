"""What the backends that ask over HTTP share. Knows HTTP; knows neither questions nor models."""

from __future__ import annotations

import logging
import os

import httpx2

from ragraft.errors import BackendError

BUSY = 429
BROKEN = 500


def hush_retries() -> None:
    """Without a handler, each retry would be printed as the bare name of an event."""
    logging.getLogger("stamina").addHandler(logging.NullHandler())


def bearer(name: str) -> dict[str, str]:
    """The header with the secret in this environment variable, which is read at each use and kept nowhere."""
    secret = os.environ.get(name, "").strip()
    if not (secret.isascii() and secret.isprintable()):  # httpx2 would repeat it in its own words
        raise BackendError(f"{name} holds signs that no header can carry; put the bare key or token into it")
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def may_pass(error: Exception) -> bool:
    """Whether asking again may help."""
    if isinstance(error, httpx2.HTTPStatusError):
        status = error.response.status_code
        return status == BUSY or status >= BROKEN
    return isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.UnsupportedProtocol)


def writable(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON may hold halves of characters."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
