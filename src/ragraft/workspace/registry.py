"""The registry beside runs/: models that were put into service, kept with their hashes, and a log of how that came.

`log.jsonl` is the truth: rows that are only added, by one process at a time. `state.json` is what they come to,
replaced whole, so that a server can look at it often; where a kill comes between the two, the next writer makes it
good. A model lies under `models/ID`, which is there whole or not at all. Knows files; knows no gate and no network.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ragraft.errors import WorkspaceError
from ragraft.workspace.folder import Folder, hash_file
from ragraft.workspace.lines import append_line, cut_torn_line, read_lines, sync_entry

LOG, STATE, MODEL = "log.jsonl", "state.json", "model.json"
CHECKPOINT = "checkpoint"
PROMOTED, FORCED, REFUSED, ROLLED_BACK = "promoted", "forced", "refused", "rolled back"


@dataclass(frozen=True, slots=True)
class State:
    """What the log comes to."""

    serving: tuple[str, ...] = ()
    """Models put into service and not rolled back: the last one answers, the one before it comes next."""
    models: tuple[str, ...] = ()
    """All that were ever put into service, the first one first."""
    rows: int = 0
    """Of the log, that this is made of."""

    @property
    def current(self) -> str | None:
        """The model in service; None before the first promotion, or when all were rolled back."""
        return self.serving[-1] if self.serving else None


def replay(rows: Iterable[Mapping[str, Any]]) -> State:
    """What these rows of a log come to."""
    serving: list[str] = []
    models: dict[str, None] = {}
    count = 0
    for row in rows:
        count += 1
        if row["event"] in (PROMOTED, FORCED):
            serving.append(row["model"])
            models[row["model"]] = None
        elif row["event"] == ROLLED_BACK:
            serving = serving[:-1]
    return State(tuple(serving), tuple(models), count)


@dataclass(frozen=True, slots=True)
class Registry:
    """`registry/` beside `runs/`."""

    path: Path

    @property
    def state_file(self) -> Path:
        """Changes with every row of the log."""
        return self.path / STATE

    def state(self) -> State:
        """What holds now; where nothing was ever promoted, nothing."""
        if not self.state_file.exists():
            return replay(self.log())
        try:
            found = json.loads(self.state_file.read_text(encoding="utf-8"))
            return State(tuple(found["serving"]), tuple(found["models"]), int(found["rows"]))
        except (ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(
                f"{self.state_file} is damaged ({type(error).__name__}); remove it: {LOG} beside it says the same"
            ) from None

    def log(self) -> list[dict[str, Any]]:
        """All that happened, the first first."""
        file = self.path / LOG
        return list(read_lines(file)) if file.exists() else []

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Hold the registry for one process; others are told at once."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield Writer(self)
        except Timeout:
            raise WorkspaceError(f"Another ragraft writes {self.path}; wait for it to end") from None

    def has(self, model: str) -> bool:
        """Whether this model is kept here."""
        return self._place(model).has(MODEL)

    def facts(self, model: str) -> dict[str, Any]:
        """A kept model's model.json."""
        place = self._place(model)
        if not place.has(MODEL):
            raise WorkspaceError(f"No model {model} in {self.path}; go back to the one before: ragraft rollback")
        found: dict[str, Any] = place.read_json(MODEL)
        return found

    def checkpoint(self, model: str) -> Path:
        """Where a kept model's final weights lie."""
        return self._place(model).file(CHECKPOINT) / str(self.facts(model)["final"])

    def checked(self, model: str) -> Path:
        """The same, when every file is what was promoted; raises WorkspaceError where one is not."""
        place = self._place(model).file(CHECKPOINT)
        for name, digest in self.facts(model)["files"].items():
            file = place / name
            if not file.exists() or hash_file(file) != digest:
                what = "is gone" if not file.exists() else "is not what was promoted"
                raise WorkspaceError(
                    f"{file} {what}; promote its run again, or go back to the model before: ragraft rollback"
                )
        return self.checkpoint(model)

    def _place(self, model: str) -> Folder:
        return Folder(self.path / "models" / model)


class Writer:
    """The one process that may write a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._log = registry, registry.path / LOG
        cut_torn_line(self._log)
        self.state = replay(registry.log())
        self._write_state()  # where a kill came between the two

    def add(self, row: Mapping[str, Any]) -> State:
        """Add a row to the log, then write what it comes to."""
        append_line(self._log, row)
        self.state = replay(self._registry.log())
        self._write_state()
        return self.state

    def keep(self, model: str, steps: Sequence[Folder], facts: Mapping[str, Any]) -> None:
        """Keep a chain's folders under this name: as hard links where the disk allows them, else copied.

        A run never writes into a finished checkpoint, it makes a new one: so a link keeps what was promoted.
        """
        target = self._registry.path / "models" / model
        part = target.with_name(f".{model}.part")
        shutil.rmtree(part, ignore_errors=True)
        files = {}
        for step in steps:
            for file in checkpoint_files(step.path):
                name = f"{step.path.name}/{file.relative_to(step.path).as_posix()}"
                copy = part / CHECKPOINT / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                _link(file, copy)
                files[name] = hash_file(copy)
        Folder(part).write_json(MODEL, {**facts, "final": steps[-1].path.name, "files": files})
        if target.exists():  # damaged, or half removed by hand
            shutil.rmtree(target)
        part.rename(target)
        sync_entry(target.parent)

    def _write_state(self) -> None:
        Folder(self._registry.path).write_json(STATE, asdict(self.state))


def checkpoint_files(folder: Path) -> list[Path]:
    """What belongs to a method's checkpoint: no resume points, no locks, nothing half-written."""
    inside = (file for file in folder.rglob("*") if file.is_file())
    return sorted(
        file
        for file in inside
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.relative_to(folder).parts[0] != "steps"
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that knows no links
        shutil.copy2(source, target)
