"""Lines of JSON that are only added: each is on disk before anybody is told so.

A last line that a kill cut short was never acknowledged, and goes. Knows one file; knows no lock and no meaning.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ragraft.errors import WorkspaceError


def append_line(file: Path, row: Mapping[str, Any]) -> None:
    """Add a row; it is on disk when this returns."""
    line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    new = not file.exists()
    with file.open("ab") as out:
        place = out.tell()
        try:
            out.write(line.encode("utf-8"))
            out.flush()
            os.fsync(out.fileno())
        except OSError:
            out.truncate(place)  # half a row would spoil the next one
            raise
    if new:
        sync_entry(file.parent)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The rows that were written whole; raises WorkspaceError where one is damaged."""
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):  # the last line may still be being written
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise WorkspaceError(f"{file} is damaged ({error}); move it away, and keep the rest") from None


def cut_torn_line(file: Path) -> None:
    """Remove what a kill left of a last line; only for the one who may write."""
    if not file.exists():
        return
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with file.open("r+b") as out:
            out.truncate(whole)


def sync_entry(folder: Path) -> None:
    """Have a new file's name on disk too, where the system keeps names apart from contents."""
    if os.name == "posix":
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
