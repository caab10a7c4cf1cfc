"""How fast this machine was, kept in the user's cache: a pace for each stage, model and device."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragraft.methods.estimate import Pace
from ragraft.workspace import write_atomically

RATES = "rates.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """A pace, and how far the sizes that were foretold with it lay from the real ones."""

    pace: Pace
    tokens: float = 1.0
    """Real tokens for each that was expected."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The file of rates; without it, or where it is damaged, nothing was measured yet."""

    folder: Path

    def get(self, key: str) -> Measured | None:
        row = self._all().get(key)
        try:
            return Measured(Pace(row["rate"], row["start"]), row["tokens"]) if row else None
        except (KeyError, TypeError):
            return None

    def put(self, key: str, measured: Measured) -> None:
        """Keep a measurement; an unwritable cache only means that the next estimate is a guess again."""
        row = {"rate": measured.pace.rate, "start": measured.pace.start, "tokens": measured.tokens}
        data = {**self._all(), key: row}
        with contextlib.suppress(OSError):
            write_atomically(self.folder / RATES, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode("utf-8"))

    def _all(self) -> dict[str, Any]:
        try:
            data = json.loads((self.folder / RATES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}
