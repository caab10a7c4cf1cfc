"""Finished runs of one workspace in one table. Knows runs on disk; the comparison itself is `methods.comparison`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError, or_meant
from ragraft.methods.comparison import Scored, compare_runs
from ragraft.methods.comparison_page import comparison_notes, comparison_tables, render_comparison
from ragraft.methods.report_table import Table
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Checkpoint, Exam, Folder, Run, Scorecard

COMPARED = ".compared"
FEWEST = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison, as it is printed and where it was written."""

    data: dict[str, Any]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    folder: Path


def compare(session: Session, names: Sequence[str], out: Path | None = None) -> Comparison:
    """Compare these runs of the session's workspace; writes compare.json and compare.html.

    Raises ConfigError for names that are no runs here, WorkspaceError for a run that has no scores.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if len(names) < FEWEST or twice:
        told = f"{', '.join(twice)} is named twice" if twice else f"name at least {FEWEST} runs"
        known = ", ".join(runs_in(session.run.runs)) or "none"
        raise ConfigError(f"ragraft compare RUN RUN…: {told}; runs here: {known}")
    for name in names:  # before what any of them holds is looked at
        _refuse_unknown(session.run.runs, name)
    settings = session.config.evaluate
    data = compare_runs(
        [scored_run(session.run.runs, name) for name in names], resamples=settings.resamples, seed=settings.seed
    )
    place = out or session.run.runs / COMPARED / "+".join(names)
    with disk_faults_told(place):
        folder = Folder(place)
        folder.write_json("compare.json", data)
        folder.write_text("compare.html", render_comparison(data))
    return Comparison(data, comparison_tables(data), tuple(comparison_notes(data)), place)


def runs_in(runs: Path) -> list[str]:
    """Names of the workspace's runs."""
    places = runs.iterdir() if runs.is_dir() else ()
    return sorted(place.name for place in places if place.is_dir() and not place.name.startswith("."))


def _refuse_unknown(runs: Path, name: str) -> None:
    known = runs_in(runs)
    if name not in known:
        raise ConfigError(f"No run {name} in {runs}{or_meant(name, known)}")


def scored_run(runs: Path, name: str) -> Scored:
    """A run's answers, with the exam and the method that they rest on."""
    _refuse_unknown(runs, name)
    run = Run(runs, name)
    scores = run.current(_place("evaluate"))
    manifest = scores.manifest() if scores else None
    if scores is None or manifest is None:
        raise WorkspaceError(f"{name} is not evaluated yet. Run: ragraft run --run {name}, with its settings")
    exam, checkpoint = (run.find(_place(stage), manifest.inputs[stage]) for stage in ("examine", "train"))
    if exam is None or checkpoint is None:
        raise WorkspaceError(f"The exam or the model that {run.path} was scored with is gone; run it again")
    return Scored(
        run=name,
        method="+".join(step.partition("-")[2] for step in Checkpoint(checkpoint[0]).steps()),
        questions=Exam(exam[0]).questions("exam"),
        answers=list(Scorecard(scores).answers()),
    )


def _place(stage: str) -> Any:
    return ROWS[stage].place
