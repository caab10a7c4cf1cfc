"""Run systems over cells, each in a process of its own, in turns. Knows processes and jobs; knows no engine."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from benchmarks.engines.environments import last_words, python_of
from benchmarks.engines.rows import make_rows
from benchmarks.engines.systems import Cell, Device, System
from ragraft.errors import BackendError

ROOT = Path(__file__).parents[2]
ROWS = 40
"""Questions in a cell, about; read again and again."""
QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_DISABLED": "true",
}


class Where(Protocol):
    """On what a process runs."""

    @property
    def device(self) -> Device: ...
    @property
    def threads(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs have in common."""

    model: str
    """Folder of the model."""
    config: Mapping[str, Any]
    """The model's config.json."""
    device: Device
    threads: int
    seconds: float
    """Each run times steps for so long, and at least `least_steps`."""
    least_steps: int
    warm_up: int
    """Steps before the clock runs."""
    questions: int
    """Of an optimizer step; ragraft, which tears no group, takes the next whole one."""
    together: int
    """Rows of a peer's forward pass, where it takes several."""
    pack_tokens: int
    """Of ragraft's forward pass."""
    rank: int = 16
    learning_rate: float = 1e-5
    pythons: Mapping[str, str] = field(default_factory=dict)
    """Interpreters to use instead of the kept environments, by peer."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one process told."""

    system: System
    cell: Cell
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Left:
    """A run that gave no figure, and why."""

    system: System
    cell: Cell
    why: str


def turns(plan: Sequence[tuple[Cell, Sequence[System]]], repeats: int) -> Iterator[tuple[Cell, System]]:
    """Cells in order, the systems of each forwards and backwards by turns."""
    for repeat in range(repeats):
        for place, (cell, systems) in enumerate(plan):
            for system in systems if (repeat + place) % 2 == 0 else reversed(systems):
                yield cell, system


def measure(
    plan: Sequence[tuple[Cell, Sequence[System]]],
    setting: Setting,
    *,
    repeats: int,
    budget: float,
    folder: Path,
    made: Mapping[tuple[Cell, System], int] = MappingProxyType({}),
) -> Iterator[Run | Left]:
    """Every run of the plan, but those `made`, that fits into `budget` seconds.

    A system that fails in a cell isn't tried there again.
    """
    ends, longest = time.monotonic() + budget, 0.0
    spared = Counter(made)
    failed: set[tuple[Cell, System]] = set()
    for cell, system in turns(plan, repeats):
        if (cell, system) in failed:
            continue
        if spared[cell, system]:
            spared[cell, system] -= 1
            continue
        began = time.monotonic()
        if began + longest > ends:
            yield Left(system, cell, "no time was left for it")
            continue
        try:
            yield Run(system, cell, run_system(system, cell, setting, folder=folder, timeout=ends - began))
        except BackendError as error:
            failed.add((cell, system))
            yield Left(system, cell, str(error))
        longest = max(longest, time.monotonic() - began)


def run_system(system: System, cell: Cell, setting: Setting, *, folder: Path, timeout: float) -> dict[str, Any]:
    """What the system's process tells of the cell. Raises BackendError with its last words when it fails."""
    rows = folder / f"rows-{cell.trunk}-{cell.questions}.json"
    if not rows.exists():
        made = make_rows(
            trunk_tokens=cell.trunk,
            questions_per_trunk=cell.questions,
            questions=_count(cell.questions, setting.questions),
            vocabulary=setting.config["vocab_size"],
            seed=0,
        )
        rows.write_text(json.dumps(made), encoding="utf-8")
    job = {
        **{key: getattr(setting, key) for key in ("model", "device", "threads", "seconds", "least_steps", "warm_up")},
        **{key: getattr(setting, key) for key in ("questions", "pack_tokens", "rank", "learning_rate")},
        "rows": str(rows),
        "way": system.way,
        "together": 1 if system.alone else setting.together,
        "attention": system.attention,
    }
    python = sys.executable
    if system.peer:
        python = setting.pythons.get(system.peer.name) or str(python_of(system.peer))
    return run_module(system.module, job, setting, python=python, folder=folder, timeout=timeout)


def _count(shared: int, step: int) -> int:
    """About `ROWS` questions that make whole steps, both of ragraft's whole groups and of a peer's rows."""
    whole = math.lcm(-(-step // shared) * shared, step)
    return -(-ROWS // whole) * whole


def run_module(
    module: str, job: Mapping[str, Any], setting: Where, *, python: str, folder: Path, timeout: float
) -> dict[str, Any]:
    """The line of JSON that a module of ours prints last."""
    file = folder / "job.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    inherited = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        **QUIET,
        "HF_HOME": str(folder / "hub"),  # what peers keep there is thrown away
        "OMP_NUM_THREADS": str(setting.threads),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *([inherited] if inherited else [])]),
        **({"CUDA_VISIBLE_DEVICES": ""} if setting.device == "cpu" else {}),
    }
    command = [python, "-m", module, str(file)]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False,
            timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BackendError("it was stopped: no time was left") from None
    if done.returncode < 0:
        raise BackendError(f"it was ended by signal {-done.returncode}; before that: {last_words(done.stderr)}")
    if done.returncode:
        raise BackendError(last_words(done.stderr))
    told: dict[str, Any] = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line[:1] == "{"))
    return told
