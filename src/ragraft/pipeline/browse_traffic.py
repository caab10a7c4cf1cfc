"""What a run was asked: answers with what was thought of them, and models side by side.

Reads the log; knows no server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError
from ragraft.methods.report_table import Table
from ragraft.pipeline.browse import chunks_of, look_at
from ragraft.pipeline.serving import TRAFFIC
from ragraft.pipeline.table import ROWS
from ragraft.records import Chunk
from ragraft.workspace import Run, count_traffic, read_back, read_traffic

Shown = Literal["answers", "down", "abstained", "cancelled", "feedback"]
SHOWN_TRAFFIC: tuple[Shown, ...] = get_args(Shown)
PAGE = 25
LOOKED = 20_000
"""Rows that are looked through for a page."""
NEWER = 2_000
"""Rows after a page's first in which feedback on its answers is looked for."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of the log with what came later of it."""

    row: Mapping[str, Any]
    feedback: tuple[Mapping[str, Any], ...] = ()
    """On this answer, in the order in which it came."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """A page of the log."""

    rows: tuple[Logged, ...]
    total: int
    """Rows of all kinds."""
    before: int | None
    """Where the next page begins; None where nothing older is left."""


def traffic(runs: Path, name: str, *, shown: Shown = "answers", before: int | None = None, wanted: str = "") -> Traffic:
    """A page of the run's log: what was asked before a row, as far as it is of the kind that is to be shown."""
    look_at(runs, name)
    folder = Run(runs, name).path / TRAFFIC
    with disk_faults_told(folder):
        total = count_traffic(folder)
        newest = None if before is None else before + NEWER
        feedback: dict[str, list[Mapping[str, Any]]] = {}
        found: list[Logged] = []
        last: int | None = None
        for number, row in islice(read_back(folder, newest), LOOKED):
            if row.get("kind") == "feedback":
                feedback.setdefault(str(row.get("id")), []).insert(0, row)
            if before is not None and number >= before:
                continue
            last = number
            if _is(row, shown, feedback, wanted):
                found.append(Logged(row, tuple(feedback.get(str(row.get("id")), ()))))
                if len(found) == PAGE:
                    break
    return Traffic(tuple(found), total, last if last else None)


@dataclass(frozen=True, slots=True)
class Served:
    """Models side by side in the log, as data and as tables."""

    data: Mapping[str, Any]
    tables: tuple[Table, ...]


def compare_served(runs: Path, name: str, since: str = "") -> Served:
    """What each model did: the canary beside the model in service, shadows question by question.

    `since`: a date or time in ISO form (UTC), before which nothing counts; raises ConfigError for what is none.
    """
    from ragraft.methods.serving_shares import compare_served as compare
    from ragraft.methods.serving_table import served_tables

    try:
        moment = datetime.fromisoformat(since) if since else None
    except ValueError:
        raise ConfigError(f"--since {since} is no date; write it as 2026-01-31 or 2026-01-31T18:00") from None
    look_at(runs, name)
    folder = Run(runs, name).path / TRAFFIC
    with disk_faults_told(folder):
        data = compare(read_traffic(folder), since=moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None)
    return Served(data, served_tables(data))


def shown_passages(runs: Path, name: str, rows: Traffic) -> dict[tuple[str, str], Chunk]:
    """Version of the index and id → a passage of these answers, as far as that version is still here."""
    run, place = Run(runs, name), ROWS["index"].place
    asked: dict[str, set[str]] = {}
    for one in rows.rows:
        asked.setdefault(str(one.row.get("index")), set()).update(p["id"] for p in one.row.get("passages", ()))
    found: dict[tuple[str, str], Chunk] = {}
    for version, ids in asked.items():
        folder = run.pinned(place, version)
        if ids and folder.manifest() is not None:
            chunks = chunks_of(folder.path)
            found |= {(version, one): chunks[one] for one in ids if one in chunks}
    return found


def _is(row: Mapping[str, Any], shown: Shown, feedback: Mapping[str, Any], wanted: str) -> bool:
    if wanted:
        return row.get("kind") != "feedback" and row.get("id") == wanted
    if shown == "feedback":
        return row.get("kind") == "feedback"
    if row.get("kind") == "feedback":
        return False
    told = {
        "answers": True,
        "down": any(one.get("rating") == "down" for one in feedback.get(str(row.get("id")), ())),
        "abstained": bool(row.get("abstained")),
        "cancelled": row.get("finish_reason") == "cancelled",
    }
    return told[shown]
