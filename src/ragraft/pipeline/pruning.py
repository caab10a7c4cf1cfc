"""Remove versions of corpus and index that nobody needs any more, and say which.

Needed is what is current or among the newest, what `ragraft ask --as-of` may ask for, what somebody reads, and whatever
a result of any run was made from, or a refresh under way goes on from. What goes is renamed first, so that a kill
leaves no half of a version.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ragraft.pipeline.runner import Session
from ragraft.pipeline.succession import read_succession
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Folder, Manifest, Run, read_since
from ragraft.workspace.folder import MANIFEST

VERSIONED = ("ingest", "index")
GOING = ".removed-"


@dataclass(frozen=True, slots=True)
class Removed:
    """A version that is gone."""

    stage: str
    version: str
    bytes: int
    until: datetime | None
    """When it ceased to be the current one; None where it never was."""


def prune(session: Session, *, keep: int, days: int, now: datetime | None = None) -> list[Removed]:
    """Remove what is neither among the `keep` newest, nor was current within so many days, nor needed.

    The run must be locked.
    """
    run, now = session.run, now or datetime.now(UTC)
    for stage in VERSIONED:
        for half in _versions(run, stage).glob(f"{GOING}*"):
            shutil.rmtree(half)
    needed = {stage: _needed(run, stage) for stage in VERSIONED}
    index = needed["index"] | _stood(run, "index", keep, now - timedelta(days=days))
    corpora = {
        manifest.inputs["ingest"][:12]
        for version in index
        if (manifest := run.pinned(ROWS["index"].place, version).manifest())
    }
    kept = {"index": index, "ingest": needed["ingest"] | corpora | _stood(run, "ingest", 1, now)}
    # The index first: one whose corpus is gone could not be brought up to date.
    return [gone for stage in reversed(VERSIONED) for gone in _remove(run, stage, kept[stage])]


def _stood(run: Run, stage: str, keep: int, since: datetime) -> set[str]:
    """The newest versions, the current one first of all, and those that were current at some time since then."""
    stood = run.history(ROWS[stage].place)
    newest = list(dict.fromkeys(one.version for one in reversed(stood)))[:keep]
    ends = [*(one.since for one in stood[1:]), datetime.max.replace(tzinfo=UTC)]
    return {*newest, *(one.version for one, end in zip(stood, ends, strict=True) if end > since)}


def _needed(run: Run, stage: str) -> set[str]:
    """Versions that results of this run, or of others that have none of their own, were made from or go on from."""
    found = {manifest.inputs[stage] for manifest in _results(run) if stage in manifest.inputs}
    for place in sorted(run.runs.iterdir()):
        other = Run(run.runs, place.name)
        since = read_since(other) if place.is_dir() else None
        if since is not None and not _settled(other):
            found |= {marks[stage] for marks in (since.before, since.now) if stage in marks}
        if other.name != run.name and place.is_dir():
            wanted = {manifest.inputs[stage] for manifest in _results(other) if stage in manifest.inputs}
            found |= {mark for mark in wanted if not other.pinned(ROWS[stage].place, mark[:12]).has(MANIFEST)}
    return {mark[:12] for mark in found}


def _settled(run: Run) -> bool:
    """Whether a refresh has come to its end, so that it goes on from nothing any more."""
    known = read_succession(run)
    return known is not None and "outcome" in known.data()


def _results(run: Run) -> Iterator[Manifest]:
    """Manifests of all but corpora and indexes, those that were replaced among them."""
    own = {ROWS[stage].place.folder for stage in VERSIONED}
    for form in ("*", "replaced/*", "*/versions/*"):
        for file in run.path.glob(f"{form}/{MANIFEST}"):
            manifest = None if file.relative_to(run.path).parts[0] in own else Folder(file.parent).manifest()
            if manifest:
                yield manifest


def _remove(run: Run, stage: str, kept: set[str]) -> Iterator[Removed]:
    stood = run.history(ROWS[stage].place)
    ends = {one.version: after.since for one, after in itertools.pairwise(stood)}
    for place in sorted(_versions(run, stage).iterdir()):
        if place.name in kept or not Folder(place).has(MANIFEST):
            continue
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        going = place.with_name(f"{GOING}{place.name}")
        with run.unheld(ROWS[stage].place, place.name) as free:
            if not free:
                continue
            place.rename(going)
        shutil.rmtree(going)
        yield Removed(stage, place.name, size, ends.get(place.name))


def _versions(run: Run, stage: str) -> Path:
    return run.path / ROWS[stage].place.folder / "versions"
