"""Which model answers a question: the one that is named, the one in service, or the candidate for a share of them.

Knows names and shares; opens nothing and asks nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ragraft.errors import InputError
from ragraft.records import Message

DEFAULT = "default"
"""Asks whichever model is in service."""
By = Literal["named", "default", "canary"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who answers, why, and who is asked the same in the background."""

    model: str
    by: By
    shadow: str | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """What of the default model's questions goes to the candidate."""

    candidate: str = "tuned"
    canary: float = 0.0
    """Answered by it."""
    shadow: float = 0.0
    """Asked of it too, and answered by the default model."""

    @property
    def any(self) -> bool:
        return self.canary > 0 or self.shadow > 0


class TrafficSplit:
    """The models of a server in their order, and who answers what."""

    def __init__(self, own: Sequence[str], shares: Shares) -> None:
        self._own, self._shares = tuple(own), shares
        self._promoted: tuple[str, ...] = ()
        self._current: str | None = None
        self._twin: str | None = None

    def follow(self, promoted: Sequence[str], current: str | None, twin: str | None = None) -> None:
        """From now on these were promoted, `current` is in service, and `twin` is the run's own model, promoted."""
        self._promoted, self._current, self._twin = tuple(promoted), current, twin

    def is_own(self, model: str) -> bool:
        """Whether this is the run's own model, by either of its names."""
        return model in (self.own, self._twin)

    @property
    def own(self) -> str:
        """The run's own model, which answers where none that was promoted is in service."""
        return self._own[0]

    @property
    def default(self) -> str:
        """Who answers where no model is named."""
        return self._current or self.own

    @property
    def candidate(self) -> str | None:
        """Who gets a share; None where nobody does, or it answers by default anyway."""
        shares = self._shares
        wanted = shares.candidate if shares.any and shares.candidate in self.models else None
        if wanted is None or wanted == self.default or (self.is_own(wanted) and self.is_own(self.default)):
            return None
        return wanted

    @property
    def models(self) -> tuple[str, ...]:
        """All names, the default first, then the run's own, then those that were promoted, the last one first."""
        return tuple(dict.fromkeys((self.default, *self._own, *reversed(self._promoted))))

    def assign(self, model: str, asker: str, messages: Sequence[Message]) -> Assignment:
        """Who answers this conversation: always the same one, as long as default and candidate stay."""
        if model != DEFAULT:
            if model not in self.models:
                raise InputError(f"No model {model} here; there is {' and '.join(self.models)}")
            return Assignment(model, "named")
        candidate = self.candidate
        if candidate is None:
            return Assignment(self.default, "default")
        opening = next((one.content for one in messages if one.role == "user"), "")
        if _place("canary", candidate, asker, opening) < self._shares.canary:
            return Assignment(candidate, "canary")
        shadowed = _place("shadow", candidate, asker, opening) < self._shares.shadow
        return Assignment(self.default, "default", candidate if shadowed else None)


def _place(*parts: str) -> float:
    """A place in 0..1 that depends on nothing but these parts."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
