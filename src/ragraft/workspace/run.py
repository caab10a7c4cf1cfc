"""A run's folder under runs/: which stage is finished, which was begun, where the next one writes.

Knows names and fingerprints; knows no stage's code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ragraft.errors import WorkspaceError
from ragraft.workspace.folder import MANIFEST, STARTED, Folder, Manifest
from ragraft.workspace.holds import hold, unheld

CURRENT = "current"
HISTORY = "history.jsonl"
"""Beside `current`: which version it named, and from when on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage's results live in a run."""

    folder: str
    """As in `20-index`."""
    versioned: bool
    """Kept as versions/ID with an atomically replaced `current`."""


@dataclass(frozen=True, slots=True)
class Stood:
    """A version, and from when on it was the current one."""

    since: datetime
    version: str
    note: Mapping[str, Any] = field(default_factory=dict)
    """What was said of it when it became current."""


@dataclass(frozen=True, slots=True)
class Run:
    """`runs/NAME` beside the YAML."""

    runs: Path
    name: str

    @property
    def path(self) -> Path:
        return self.runs / self.name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for one process; others are told at once."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise WorkspaceError(f"{self.path} cannot be a folder: a file is in its way; move that file") from None
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            with lock:
                yield
        except Timeout:
            raise WorkspaceError(f"Another ragraft is at work in {self.path}; wait for it to end") from None

    def current(self, place: Place) -> Folder | None:
        """The finished results that this run uses now, or None."""
        folder = Folder(self._current_path(place))
        return folder if folder.has(MANIFEST) else None

    def pinned(self, place: Place, version: str) -> Folder:
        """One version of a versioned stage."""
        return Folder(self.path / place.folder / "versions" / version)

    def version(self, place: Place) -> str | None:
        """The name of a versioned stage's current version, finished or not; None where it never had any."""
        pointer = self.path / place.folder / CURRENT
        try:
            return pointer.read_text("utf-8").strip()
        except FileNotFoundError:
            return None

    @contextmanager
    def held(self, place: Place, version: str) -> Iterator[Folder]:
        """A version that nobody removes while this lasts; raises WorkspaceError where it is gone."""
        with hold(self.path / place.folder, version):
            folder = self.pinned(place, version)
            if not folder.has(MANIFEST):
                raise WorkspaceError(f"No {folder.path}: this version is gone")
            yield folder

    def unheld(self, place: Place, version: str) -> AbstractContextManager[bool]:
        """Whether nobody reads a version; while this lasts, nobody begins to, so that it may be removed."""
        return unheld(self.path / place.folder, version)

    def find(self, place: Place, fingerprint: str) -> tuple[Folder, str] | None:
        """Finished results of this fingerprint, and the run that has them; None when there are none.

        They may be current already, an older version, replaced earlier, or made by a sibling run.
        """
        for own in (self._target(place, fingerprint), self._kept(place, fingerprint)):
            if _fingerprint(own) == fingerprint:
                return Folder(own), self.name
        for sibling in sorted(self.runs.iterdir()) if self.runs.exists() else []:
            source = Run(self.runs, sibling.name)._target(place, fingerprint)
            if sibling.name != self.name and _fingerprint_elsewhere(source) == fingerprint:
                return Folder(source), sibling.name
        return None

    def take(self, place: Place, fingerprint: str, *, current: bool = True) -> tuple[Folder, str] | None:
        """What `find` finds, made this run's own and, unless it is to wait for `switch`, current."""
        found = self.find(place, fingerprint)
        if found is None:
            return None
        source, owner = found
        target = self._target(place, fingerprint)
        if source.path != target:
            self._make_room(place, target)
            if owner == self.name:
                source.path.rename(target)
            else:
                _copy_folder(source.path, target)
        if current:
            self.switch(place, Folder(target))
        return Folder(target), owner

    def begin(self, place: Place, fingerprint: str) -> tuple[Folder, bool]:
        """The folder that the stage writes into, and whether a killed attempt with this fingerprint goes on there."""
        target = self._target(place, fingerprint)
        folder = Folder(target)
        if not folder.has(MANIFEST) and _started(folder) == fingerprint:
            for part in target.glob(".*.part"):  # what a kill left of a write
                part.unlink()
            return folder, True
        self._make_room(place, target)
        target.mkdir(parents=True, exist_ok=True)
        folder.write_json(STARTED, {"fingerprint": fingerprint})
        return folder, False

    def finish(self, place: Place, folder: Folder, manifest: Manifest, *, current: bool = True) -> None:
        """Write the manifest, last, and make these results current, unless they are to wait for `switch`."""
        folder.write_json(MANIFEST, asdict(manifest))
        if current:
            self.switch(place, folder)

    def switch(self, place: Place, folder: Folder, **note: Any) -> None:
        """Make a finished version the current one, at once and whole; its history says from when on, and the note."""
        if not place.versioned:
            return
        pointer = self.path / place.folder / CURRENT
        for part in pointer.parent.glob(f".{CURRENT}.*.part"):  # what a kill left of a write
            part.unlink()
        before = pointer.read_text("utf-8").strip() if pointer.exists() else None
        if before == folder.path.name:
            return
        history = pointer.with_name(HISTORY)
        if before is not None and not history.exists():
            _append(history, _row(self._first_of(place, before)))
        Folder(pointer.parent).write_text(CURRENT, folder.path.name + "\n")
        _append(history, _row(Stood(datetime.now(UTC), folder.path.name, note)))

    def history(self, place: Place) -> list[Stood]:
        """The versions that were current, the first one first; the last one is current now. None, where none is."""
        pointer = self.path / place.folder / CURRENT
        if not pointer.exists():
            return []
        version = pointer.read_text("utf-8").strip()
        found = list(_stood(pointer.with_name(HISTORY)))
        if not found:
            return [self._first_of(place, version)]
        if found[-1].version != version:  # killed between the two writes
            found.append(Stood(datetime.fromtimestamp(pointer.stat().st_mtime, UTC), version))
        return found

    def _first_of(self, place: Place, version: str) -> Stood:
        """A version of which no history tells: it stood from when it was made."""
        manifest = self.pinned(place, version).manifest()
        return Stood(datetime.fromisoformat(manifest.created) if manifest else datetime.now(UTC), version)

    def _target(self, place: Place, fingerprint: str) -> Path:
        base = self.path / place.folder
        return base / "versions" / fingerprint[:12] if place.versioned else base

    def _kept(self, place: Place, fingerprint: str) -> Path:
        return self.path / "replaced" / f"{place.folder}-{fingerprint[:12]}"

    def _current_path(self, place: Place) -> Path:
        base = self.path / place.folder
        return base / "versions" / (self.version(place) or "none") if place.versioned else base

    def _make_room(self, place: Place, target: Path) -> None:
        """Put finished results aside (hours of work), clear what was left half-done."""
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            return
        finished = _fingerprint(target)
        if finished is None:
            shutil.rmtree(target)
            return
        kept = self._kept(place, finished)
        with self.unheld(place, target.name) if place.versioned else nullcontext(True) as free:
            if not free:
                raise WorkspaceError(f"A server answers from {target}; end it before that is made anew")
            if kept.exists():
                shutil.rmtree(kept)
            kept.parent.mkdir(parents=True, exist_ok=True)
            target.rename(kept)


def _row(stood: Stood) -> dict[str, Any]:
    return {"since": stood.since.isoformat(timespec="seconds"), "version": stood.version, **stood.note}


def _append(history: Path, row: Mapping[str, Any]) -> None:
    torn = history.exists() and not history.read_bytes().endswith(b"\n")
    with history.open("a", encoding="utf-8", newline="\n") as out:
        # A line that a kill cut short stays one by itself.
        out.write("\n" * torn + json.dumps(row, ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())


def _stood(history: Path) -> Iterator[Stood]:
    """The rows of a history; a line that a kill cut short is none."""
    lines = history.read_text("utf-8").splitlines() if history.exists() else []
    for line in lines:
        try:
            row = json.loads(line)
            yield Stood(datetime.fromisoformat(row.pop("since")), row.pop("version"), row)
        except (ValueError, KeyError, AttributeError):
            continue


def _fingerprint(path: Path) -> str | None:
    manifest = Folder(path).manifest() if path.exists() else None
    return manifest.fingerprint if manifest else None


def _started(folder: Folder) -> str | None:
    """The fingerprint of an attempt that was begun; None where nobody can tell any more, and it begins anew."""
    if not folder.has(STARTED):
        return None
    try:
        return str(folder.read_json(STARTED)["fingerprint"])
    except (WorkspaceError, KeyError, TypeError):
        return None


def _fingerprint_elsewhere(path: Path) -> str | None:
    """A sibling's damage is for its own run to report."""
    try:
        return _fingerprint(path)
    except WorkspaceError:
        return None


def _copy_folder(source: Path, target: Path) -> None:
    """Copy so that the manifest, which makes the copy count, comes last; half a copy is nothing to go on from."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(MANIFEST, STARTED), dirs_exist_ok=True)
    shutil.copy2(source / MANIFEST, target / MANIFEST)
