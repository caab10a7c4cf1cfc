"""What a server was asked and what it answered: rows that are on disk before anybody is told so.

`open.jsonl` grows. When it is full, or the day is over, it is sealed: renamed to `DATE-NUMBER.jsonl`, and a manifest of
the same name says how many rows it holds and their digest. A last line that a kill cut short was never acknowledged,
and goes. Knows files; knows no server and no question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ragraft.errors import WorkspaceError
from ragraft.workspace.folder import Folder, hash_file
from ragraft.workspace.lines import append_line, cut_torn_line, read_lines

OPEN = "open.jsonl"
FULL = 16 * 2**20
"""Bytes at which a segment is sealed."""


def _now() -> datetime:
    return datetime.now(UTC)


class TrafficLog:
    """The log of one run, held by one process from `TrafficLog(…)` to `close`."""

    def __init__(
        self, folder: Path, *, keep_days: int | None, full: int = FULL, now: Callable[[], datetime] = _now
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._keep_days, self._full, self._now = Folder(folder), keep_days, full, now
        self._writing = threading.Lock()
        self._held = FileLock(folder / ".lock", timeout=0)
        try:
            self._held.acquire()
        except Timeout:
            raise WorkspaceError(f"Another ragraft serves this run, and writes {folder}; end that one first") from None
        cut_torn_line(folder / OPEN)
        for segment in folder.glob("*-*.jsonl"):  # renamed, and killed before its manifest was written
            if not segment.with_suffix(".json").exists():
                self._describe(segment)
        self._day = self._day_of_open()
        self._seal_if_due()
        self.forget()

    @property
    def folder(self) -> Path:
        return self._folder.path

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row; it is on disk when this returns."""
        with self._writing:
            self._seal_if_due()
            append_line(self._folder.file(OPEN), row)
            self._day = self._day or self._today()

    def tidy(self) -> None:
        """Seal what is due and forget what is too old, also when nobody asks anything."""
        with self._writing:
            self._seal_if_due()
            self.forget()

    def forget(self) -> int:
        """Remove sealed segments whose last row is older than the days that are kept; how many they were."""
        if self._keep_days is None:
            return 0
        oldest = (self._now() - timedelta(days=self._keep_days)).isoformat()
        gone = 0
        for manifest in sorted(self._folder.path.glob("*-*.json")):
            facts = self._folder.read_json(manifest.name)
            if str(facts["last"] or facts["sealed"]) < oldest:
                manifest.with_suffix(".jsonl").unlink(missing_ok=True)
                manifest.unlink()
                gone += 1
        return gone

    def close(self) -> None:
        """Let another process write."""
        self._held.release()

    def _seal_if_due(self) -> None:
        segment = self._folder.file(OPEN)
        if self._day is None or (self._day == self._today() and segment.stat().st_size < self._full):
            return
        number = 1 + sum(1 for _ in self._folder.path.glob(f"{self._day}-*.jsonl"))
        while (sealed := self._folder.file(f"{self._day}-{number:04d}.jsonl")).exists():
            number += 1
        segment.rename(sealed)
        self._describe(sealed)
        self._day = None
        self.forget()

    def _describe(self, segment: Path) -> None:
        """Write a sealed segment's manifest: only then does it count as sealed."""
        times = [row.get("at", "") for row in read_lines(segment)]
        facts = {
            "rows": len(times),
            "first": min(times, default=None),
            "last": max(times, default=None),
            "blake2b": hash_file(segment),
            "sealed": self._now().isoformat(timespec="seconds"),
        }
        self._folder.write_json(segment.with_suffix(".json").name, facts)

    def _day_of_open(self) -> str | None:
        """The day of the rows that are open; None where there are none."""
        segment = self._folder.file(OPEN)
        if not segment.exists() or segment.stat().st_size == 0:
            return None
        first = next(read_lines(segment), {})
        return str(first.get("at", ""))[:10] or self._today()

    def _today(self) -> str:
        return self._now().date().isoformat()


def read_traffic(folder: Path) -> Iterator[dict[str, Any]]:
    """All rows, sealed ones first, in the order in which they were written."""
    for segment in (*sorted(folder.glob("*-*.jsonl")), folder / OPEN):
        if segment.exists():
            yield from read_lines(segment)


def count_traffic(folder: Path) -> int:
    """How many rows there are."""
    return sum(rows for _, rows in _sizes(folder))


def read_back(folder: Path, before: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their numbers, counted from the oldest that is kept, the newest first; only those `before` a number.

    Of sealed segments only those that are read into are opened.
    """
    sizes = _sizes(folder)
    end = sum(rows for _, rows in sizes)
    for segment, rows in reversed(sizes):
        start = end - rows
        if before is None or start < before:
            # Rows that came since they were counted are left for the next look.
            numbered = list(zip(range(start, end), read_lines(segment), strict=False))
            yield from ((number, row) for number, row in reversed(numbered) if before is None or number < before)
        end = start


def _sizes(folder: Path) -> list[tuple[Path, int]]:
    """The segments, oldest first, with their rows."""
    sizes = []
    for segment in (*sorted(folder.glob("*-*.jsonl")), folder / OPEN):
        manifest = segment.with_suffix(".json")
        if segment != folder / OPEN and manifest.exists():
            sizes.append((segment, int(Folder(folder).read_json(manifest.name)["rows"])))
        elif segment.exists():
            sizes.append((segment, sum(chunk.count(b"\n") for chunk in _chunks_of(segment))))
    return sizes


def _chunks_of(segment: Path) -> Iterator[bytes]:
    with segment.open("rb") as source:
        while chunk := source.read(2**20):
            yield chunk
