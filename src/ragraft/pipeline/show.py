"""Rows of an artifact for reading: the first few, as plain data."""

from __future__ import annotations

from itertools import islice
from typing import Any

from ragraft.errors import ConfigError, WorkspaceError, or_meant
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import TABLE
from ragraft.records import to_json
from ragraft.workspace import (
    Calibration,
    Checkpoint,
    Corpus,
    Diagnosis,
    Exam,
    Folder,
    Index,
    Lessons,
    Report,
    Scorecard,
)

SHOWN = ("corpus", "index", "exam", "diagnosis", "lessons", "checkpoint", "calibration", "scores", "report")


def show(session: Session, artifact: str, limit: int) -> Any:
    """The artifact's first `limit` rows, or its one card. Raises ConfigError for an unknown name."""
    if artifact not in SHOWN:
        raise ConfigError(f"{artifact} is no artifact{or_meant(artifact, SHOWN)}")
    stage = TABLE[SHOWN.index(artifact)]
    folder = session.run.current(stage.place)
    if folder is None:
        raise WorkspaceError(f"No {artifact} in {session.run.path}. Run: ragraft {stage.name}")
    return _rows(artifact, folder, limit)


def _rows(artifact: str, folder: Folder, limit: int) -> Any:
    if artifact == "checkpoint":
        return Checkpoint(folder).told()
    if artifact == "report":
        return Report(folder).data()
    if artifact == "diagnosis":
        return Diagnosis(folder).data()
    if artifact == "calibration":
        return Calibration(folder).data()
    if artifact == "lessons":
        steps = Lessons(folder).steps()
        return [{"step": name, **to_json(row)} for name, step in steps.items() for row in step.train()[:limit]]
    rows: dict[str, Any] = {
        "corpus": lambda: Corpus(folder).documents(),
        "index": lambda: Index(folder).chunks(),
        "exam": lambda: Exam(folder).questions(),
        "scores": lambda: Scorecard(folder).answers(),
    }
    return [to_json(row) for row in islice(rows[artifact](), limit)]
