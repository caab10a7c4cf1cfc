"""A folder of results: atomic writes, manifest last. Knows files; knows no stage and no artifact."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragraft.errors import WorkspaceError

MANIFEST = "manifest.json"
STARTED = "started.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Written last, by rename: it exists, or the stage did not happen."""

    stage: str
    version: int
    fingerprint: str
    inputs: dict[str, str]
    """Fingerprint of each artifact that went in."""
    created: str
    seconds: float
    """Of work, in all sittings."""
    software: dict[str, str]
    summary: dict[str, Any] = field(default_factory=dict)
    estimate: dict[str, Any] | None = None
    """What was expected of a long stage before it ran."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A place that one stage writes and others read."""

    path: Path

    def file(self, name: str) -> Path:
        return self.path / name

    def folder(self, name: str) -> Folder:
        inner = self.path / name
        inner.mkdir(parents=True, exist_ok=True)
        return Folder(inner)

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def write_text(self, name: str, text: str) -> None:
        """Write a file so that it is there whole or not at all."""
        write_atomically(self.path / name, text.encode("utf-8"))

    def write_json(self, name: str, data: Any) -> None:
        self.write_text(name, json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n")

    def write_jsonl(self, name: str, rows: Iterable[dict[str, Any]]) -> int:
        """Write rows, one a line, as they come; returns their number."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        count = 0
        with _whole_or_not(target) as part, part.open("w", encoding="utf-8", newline="\n") as out:
            for row in rows:
                out.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                count += 1
            out.flush()
            os.fsync(out.fileno())
        return count

    def read_json(self, name: str) -> Any:
        try:
            return json.loads(self.existing(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise self.damaged(name, error) from None

    def read_jsonl(self, name: str) -> Iterator[dict[str, Any]]:
        with self.existing(name).open(encoding="utf-8") as rows:
            try:
                for line in rows:
                    yield json.loads(line)
            except ValueError as error:
                raise self.damaged(name, error) from None

    def damaged(self, name: str, error: Exception) -> WorkspaceError:
        """What to say of a file here that cannot be read back."""
        return WorkspaceError(f"{self.path / name} is damaged ({error}); remove {self.path} and run again")

    def manifest(self) -> Manifest | None:
        """The manifest, or None while the stage has not happened."""
        if not self.has(MANIFEST):
            return None
        try:
            return Manifest(**json.loads(self.file(MANIFEST).read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise self.damaged(MANIFEST, error) from None

    def existing(self, name: str) -> Path:
        """The path of a file that must be here."""
        place = self.path / name
        if not place.exists():
            raise WorkspaceError(f"No {place}; remove {self.path} and run again")
        return place


def write_atomically(target: Path, data: bytes) -> None:
    """Write `data` beside `target`, flush it to disk, and rename it into place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _whole_or_not(target) as part, part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def hash_file(path: Path) -> str:
    """The file's blake2b digest, hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def hash_json(data: Any) -> str:
    """A digest of plain data that does not depend on key order."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()


@contextmanager
def _whole_or_not(target: Path) -> Iterator[Path]:
    """A place beside `target` to write to, put in its stead at the end, and removed when writing fails."""
    # A name of its own for each writer, so that two processes never share a half-written file.
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
