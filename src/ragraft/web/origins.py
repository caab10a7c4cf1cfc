"""Whose page is calling, by an Origin header: anybody may write anything into it. Knows headers alone."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_foreign(origin: str | None, host: str | None) -> bool:
    """Whether a page of another host calls; without the header no page does.

    >>> is_foreign("http://127.0.0.1:8000", "127.0.0.1:8000"), is_foreign("http://[", "[")
    (False, True)
    """
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != host
    except ValueError:  # no address at all
        return True
