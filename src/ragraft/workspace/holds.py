"""Who still reads a version: as long as somebody does, nobody removes it. Knows files and locks; knows no stage.

Each reader has a file of its own under `held/`, whose lock goes when its process goes: what a kill leaves behind counts
for nothing, and is cleared away by who looks next.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

HELD = "held"


@contextmanager
def hold(place: Path, version: str) -> Iterator[None]:
    """Read this version of what lies in `place`; it may be begun on one thread and ended on another."""
    if not os.access(place, os.W_OK):  # where nothing can be written, nothing is removed either
        yield
        return
    with _door(place):
        file = place / HELD / f"{version}.{uuid.uuid4().hex[:8]}"
        lock = FileLock(file, thread_local=False)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        file.unlink(missing_ok=True)


@contextmanager
def unheld(place: Path, version: str) -> Iterator[bool]:
    """Whether nobody reads this version; while this lasts, nobody begins to."""
    with _door(place):
        readers = list((place / HELD).glob(f"{version}.*"))
        yield not any([_alive(reader) for reader in readers])


def _door(place: Path) -> FileLock:
    """Who has passed it has looked and begun, or looked and removed, with nobody in between."""
    (place / HELD).mkdir(parents=True, exist_ok=True)
    return FileLock(place / HELD / ".lock", thread_local=False)


def _alive(reader: Path) -> bool:
    try:
        with FileLock(reader, timeout=0):
            pass
    except Timeout:
        return True
    reader.unlink(missing_ok=True)
    return False
