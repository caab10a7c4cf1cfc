"""What a run tells while it goes on: a stage's state, and what it expects or has made. Knows no stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal[
    "unchanged", "outdated", "taught", "taken", "begun", "resumed", "tries", "done", "to take", "to run"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a stage."""

    stage: str
    state: State
    seconds: float = 0.0
    source: str = ""
    """The run that the result was, or would be, taken from; what a stage tries beside its own work."""
    summary: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    expected: str = ""
    """What a long stage that begins, or would run, will take."""
    notes: tuple[str, ...] = ()
    """What a stage that is done warns of."""


Tell = Callable[[Event], None]


def unheard(event: Event) -> None:
    """For those who need not be told."""
