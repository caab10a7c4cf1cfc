"""ragraft: fine-tune the language model inside a RAG system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.errors import (
    BackendError,
    ConfigError,
    InputError,
    RagraftError,
    RefusedError,
    SourceError,
    TrainingError,
    WorkspaceError,
)

if TYPE_CHECKING:
    from ragraft.methods.answer import Reply
    from ragraft.pipeline import Event

__all__ = [
    "BackendError",
    "ConfigError",
    "InputError",
    "RagraftError",
    "RefusedError",
    "SourceError",
    "TrainingError",
    "WorkspaceError",
    "ask",
    "run",
]


def run(
    file: str | Path = "ragraft.yaml",
    *,
    set: Sequence[str] = (),
    until: str | None = None,
    tell: Callable[[Event], None] = lambda event: None,
) -> dict[str, Any]:
    """Bring a run up to date, as `ragraft run` does; returns the report (empty when stopped before it)."""
    from ragraft.pipeline import open_session, run_table, show

    session = open_session(Path(file), set)
    made = run_table(session, tell, last=until)
    report: dict[str, Any] = show(session, "report", 1) if "report" in made else {}
    return report


def ask(
    question: str, file: str | Path = "ragraft.yaml", *, model: str | None = None, retrieval: str = "always"
) -> Reply:
    """Answer a question from a finished run, as `ragraft ask` does; each call opens the model anew."""
    from ragraft.pipeline import ask as ask_run
    from ragraft.pipeline import open_session

    return ask_run(open_session(Path(file)), question, model=model, retrieval=retrieval).reply
