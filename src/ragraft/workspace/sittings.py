"""How long a stage has worked, over all its sittings: what a killed attempt took counts with what finishes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ragraft.workspace.folder import STARTED, Folder

BEAT = 10.0
"""Seconds between two notes, and so the most that a kill takes from the count."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Counts on from what earlier sittings took."""

    earlier: float
    began: float

    def seconds(self) -> float:
        return self.earlier + time.monotonic() - self.began


@contextmanager
def clocked(folder: Folder) -> Iterator[Clock]:
    """Count while this lasts, and keep the count where `Run.begin` noted the attempt."""
    started = folder.read_json(STARTED)
    clock = Clock(float(started.get("seconds", 0.0)), time.monotonic())
    ended = threading.Event()

    def note() -> None:
        with suppress(OSError):  # a full disk is for the stage to meet; the count is the least of it
            folder.write_json(STARTED, {**started, "seconds": round(clock.seconds(), 2)})

    def beat() -> None:
        while not ended.wait(BEAT):
            note()

    thread = threading.Thread(target=beat, name="clock", daemon=True)
    thread.start()
    try:
        yield clock
    finally:
        ended.set()
        thread.join()
        note()
