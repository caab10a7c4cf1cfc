"""A grid of settings: a sibling run a cell, up to its model, and the models' scores in one table.

Sibling runs take each other's results by fingerprint and answers are kept, so the same command goes on after a kill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragraft.config import SweepConfig, load_sweep
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, or_meant
from ragraft.methods.comparison import Scored, compare_runs
from ragraft.methods.judging import SUPPORTED
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import plural
from ragraft.methods.scorecard import METRICS
from ragraft.methods.sweep_table import sweep_rows, sweep_table
from ragraft.pipeline.events import Tell
from ragraft.pipeline.runner import Session, open_session, run_table
from ragraft.pipeline.table import evaluate_side
from ragraft.workspace import Exam, Folder, hash_json

SWEPT = ".swept"


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of values."""

    label: str
    session: Session


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep's table, and where it was written."""

    data: dict[str, Any]
    table: Table
    notes: tuple[str, ...]
    file: Path


def sweep(file: Path, tell: Callable[[str, int, int], Tell]) -> Swept:
    """Make every cell's model and score it; `tell` gets a cell's label, its number and how many there are.

    Raises ConfigError before the first cell runs where any of them is at fault.
    """
    settings = load_sweep(file)
    metrics = [*(name for name in METRICS if name != SUPPORTED), "abstention_f1"]  # a sweep asks no grader
    if settings.metric not in metrics:
        raise ConfigError(
            f"{file}: metric: {settings.metric} is no figure of the scorecard{or_meant(settings.metric, metrics)}"
        )
    cells = [_cell(file, settings, values) for values in settings.cells()]
    runs = cells[0].session.run.runs
    place = Folder(runs / SWEPT / file.stem)
    with disk_faults_told(place.path):
        scored = [
            _score(cell, settings, place, tell(cell.label, number, len(cells)))
            for number, cell in enumerate(cells, start=1)
        ]
        base = cells[0].session.config.evaluate
        found = compare_runs(scored, resamples=base.resamples, seed=base.seed)
        rows = sweep_rows(found, settings.metric)
        names = {cell.label: cell.session.config.name for cell in cells}
        data = {
            "metric": settings.metric,
            "side": settings.side,
            "context": settings.context,
            "rows": [{"run": names[row["cell"]], **row} for row in rows],
            "comparison": found,
        }
        place.write_json("sweep.json", data)
    asked = f"{plural(found['questions'], 'question')} in {plural(found['clusters'], 'cluster')}"
    best = f"Best: run {names[rows[0]['cell']]}"
    notes = (f"{asked}, {settings.context} context.", f"{best}.", *(f"Note: {note}." for note in found["notes"]))
    return Swept(data, sweep_table(rows, settings.metric, settings.side), notes, place.file("sweep.json"))


def _cell(file: Path, settings: SweepConfig, values: Mapping[str, Any]) -> Cell:
    label = ", ".join(f"{key}={_told(value)}" for key, value in values.items())
    overrides = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    base = open_session(settings.base).config.name
    # A readable name could be too long for a folder; the table says which is which.
    name = f"{base}-{hash_json(dict(values))[:8]}"
    try:
        return Cell(label, open_session(settings.base, overrides, name))
    except ConfigError as error:  # the base by itself is right
        raise ConfigError(f"{file}: the cell {label}: {error}") from None


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _score(cell: Cell, settings: SweepConfig, place: Folder, tell: Tell) -> Scored:
    session = cell.session
    made = run_table(session, tell, last="train")
    asked = session.config.evaluate.model_copy(
        update={
            "models": ("tuned",),
            "contexts": (settings.context,),
            "max_questions": settings.max_questions,
            "forgetting": False,
            "sweeps": (),
            "probes": (),
            "grader": None,
            "grader_labels": None,
        }
    )
    out = place.folder(session.config.name)
    card = evaluate_side(session.at(made), settings.side, asked, out)
    questions = Exam(made["examine"]).questions(settings.side)
    return Scored(cell.label, cell.label, questions, list(card.answers()))
