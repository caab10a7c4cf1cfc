"""How a model was found to answer best: when it abstains, and whether it reads its quotes once more.

Knows prompts' builders; knows nothing of how it was found (`abstention`, `second_reading`), and no folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ragraft.methods.prompt import PromptBuilder


class Given(Protocol):
    """Settings that can say how a model is asked."""

    @property
    def abstain_above(self) -> float | None: ...
    @property
    def reread(self) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class Manner:
    """None: not said, so that the builder has it."""

    above: float | None = None
    """It abstains where that is likelier."""
    rereads: bool | None = None
    """An answer is read once more, from its quotes alone."""

    @classmethod
    def given(cls, settings: Given) -> Manner:
        """As far as settings say it."""
        return cls(settings.abstain_above, settings.reread)

    def otherwise(self, other: Manner | None) -> Manner:
        """What this doesn't say, as the other says it."""
        if other is None:
            return self
        return Manner(
            other.above if self.above is None else self.above, other.rereads if self.rereads is None else self.rereads
        )

    def of(self, builder: PromptBuilder) -> PromptBuilder:
        """A builder of this manner."""
        return replace(
            builder,
            abstain_above=builder.abstain_above if self.above is None else self.above,
            rereads=builder.rereads if self.rereads is None else self.rereads,
        )


UNSAID = Manner()


def manner_from_json(row: Mapping[str, Any] | None) -> Manner | None:
    return None if row is None else Manner(row["above"], row["rereads"])
