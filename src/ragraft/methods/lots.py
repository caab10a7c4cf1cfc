"""An order drawn by seed that no other row changes: each row draws a lot of its own. Knows texts only."""

from __future__ import annotations

import hashlib


def lot(text: str) -> bytes:
    """What is drawn for a text, such as `f"{seed}:{id}"`; rows sorted by it keep their order when others come or go."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
