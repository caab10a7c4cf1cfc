"""API keys and what each may send in a minute. Keys are kept as digests: the file gives none of them away.

Knows one file and a clock; knows no HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ragraft.errors import ConfigError
from ragraft.workspace import Folder

FILE = ".keys.json"
"""Under runs/: the keys of all runs there."""
PREFIX = "rg-"
MINUTE = 60.0


def new_key(runs: Path, name: str) -> str:
    """Make a key and keep its digest under this name; the key itself is told once, here."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ConfigError(f"--new-key {name}: name it by letters, digits, dots, dashes and underscores")
    rows = _rows(runs)
    if any(row["name"] == name for row in rows):
        raise ConfigError(
            f"--new-key {name}: there is one of that name; remove its row from {runs / FILE}, or take another"
        )
    key = PREFIX + secrets.token_urlsafe(32)
    made = {"name": name, "sha256": _digest(key), "created": datetime.now(UTC).isoformat(timespec="seconds")}
    runs.mkdir(parents=True, exist_ok=True)
    Folder(runs).write_json(FILE, {"keys": [*rows, made]})
    (runs / FILE).chmod(0o600)
    return key


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a workspace."""

    digests: tuple[tuple[str, str], ...]
    """Names and digests."""

    def __bool__(self) -> bool:
        return bool(self.digests)

    def owner(self, authorization: str) -> str | None:
        """The name of the key in an Authorization header; None where it is none of these."""
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        given = _digest(key.strip())
        # All are compared, so that the time taken tells nothing.
        found = [name for name, digest in self.digests if hmac.compare_digest(given, digest)]
        return found[0] if found else None


def read_keys(runs: Path) -> Keys:
    """The keys of a workspace; none where none was made."""
    return Keys(tuple((str(row["name"]), str(row["sha256"])) for row in _rows(runs)))


class Pace:
    """How many requests each key may still send: a bucket that fills evenly, and holds a minute's."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Take one; 0 where there was one, else the seconds until there is."""
        now = self._clock()
        left, then = self._left.get(name, (self._most, now))
        left = min(self._most, left + (now - then) * self._most / MINUTE)
        taken = left >= 1
        self._left[name] = (left - 1 if taken else left, now)
        return 0.0 if taken else (1 - left) * MINUTE / self._most


def _digest(key: str) -> str:
    # A key is 32 random bytes: there is nothing to guess, so nothing slow is needed.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _rows(runs: Path) -> list[dict[str, Any]]:
    if not (runs / FILE).exists():
        return []
    data = Folder(runs).read_json(FILE)
    try:
        rows = [{key: str(row[key]) for key in ("name", "sha256", "created")} for row in data["keys"]]
    except (KeyError, TypeError):
        raise ConfigError(f"{runs / FILE} is no file of keys; remove it, and make new ones") from None
    return rows
