"""What each method of tuning brings, on the same data, questions and steps: one table, beside base and few-shot base.

    python -m benchmarks.methods --data DIR                                  all sets and arms; many hours
    python -m benchmarks.methods --data DIR --only squad --arm raft hybrid   these
    python -m benchmarks.methods --data DIR --kept benchmarks/results/methods --json benchmarks/results/methods.json
    python -m benchmarks.methods --data DIR --quick --json FILE              one set, two arms; at most five minutes
    python -m benchmarks.methods --data DIR --table                          of what is finished; runs nothing

DIR (or RAGRAFT_BENCHMARK_DATA) holds a folder a set, as the recipes name them. Each tuned model is a sibling run in the
work folder under the recipe of its set. The runs share documents, index, exam and the base's answers, and sft, rag-sft,
raft and hybrid learn the same questions in the same optimizer steps; what dap learns, a bounded part of the corpus,
comes on top and is told. Before the first cell stands what each is expected to take. A stopped benchmark goes on with
the same command, over as many sittings as it needs: a finished cell is read, not run. With `--kept DIR` a finished
cell's scores, no text, are also kept there, so that another machine goes on where this one stopped; it asks the base
nothing that stands there. Differences are paired by question, their intervals are over clusters of documents. Choose
settings on the validation side (`ragraft sweep`): the exam asked here is for the final table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.arms.cells import ARMS, CHAINS, SEEDED, Cell, Done, Forecast, cells_of, forecast, read_done
from benchmarks.arms.kept import base_kept, file_of, keep, read_kept
from benchmarks.arms.rows import Row, pooled_rows, rows_of
from benchmarks.arms.table import lines_of
from benchmarks.ending import ended
from benchmarks.sets import names_of, recipes
from ragraft.errors import ConfigError, RagraftError
from ragraft.methods.estimate import duration
from ragraft.models.sources import cache_folder
from ragraft.pipeline import Event, Session, run_table
from ragraft.workspace import write_atomically

SETS = ("covid_qa", "cuad", "cortex_docs_v1.21.1", "squad", "pubmedqa")
SEEDS = 3
QUICK_SET, QUICK_ARMS = "squad", ("raft", "sft")
QUICK = (
    "synthesize.max_questions=16",
    "synthesize.max_validation=2",
    "evaluate.max_questions=6",
    "evaluate.shot_questions=2",
    "evaluate.contexts=[retrieved]",
    "evaluate.forgetting=false",
)
TUNED_ALONE = ("evaluate.models=[tuned]",)
DATA_VARIABLE = "RAGRAFT_BENCHMARK_DATA"
PACKAGES = ("ragraft", "torch", "transformers", "peft")


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _main(options: argparse.Namespace) -> int:
    book = Book(options)
    failed: list[dict[str, str]] = []
    if not options.table:
        cells = cells_of(_names(options), options.arm, seeds=options.seeds, quick=options.quick)
        cells = [cell for cell in cells if not book.has_elsewhere(cell)]
        for line in _plan_lines(_plan(cells, options)):
            print(line, flush=True)
        for cell in cells:
            failed += _run(cell, options)
            book.write(failed)
    found = book.write(failed)
    if not found.rows:
        raise ConfigError(f"No finished cell in {options.work}" + ("; run without --table first" * options.table))
    print("\n".join(lines_of(found.rows)))
    for note in found.notes:
        print(f"Note: {note}.")
    print(f"{sum(found.hours.values()):.1f} hours in all, for {len(found.cells)} cells")
    for row in failed:
        print(f"{row['data']}, {row['arm']}: no row: {row['error']}")
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help=f"a folder a set; {DATA_VARIABLE} by default")
    add("--work", type=Path, metavar="DIR", help="where the runs are kept; ragraft's cache by default")
    add("--only", nargs="+", metavar="NAME", help=f"these recipes instead of {', '.join(SETS)}")
    add("--arm", nargs="+", metavar="ARM", choices=list(ARMS), help=f"these arms of {', '.join(ARMS)}")
    add("--seeds", type=int, default=SEEDS, metavar="N", help=f"trainings of {_seeded()}; {SEEDS} by default")
    add("--quick", action="store_true", help=f"{QUICK_SET} alone, {' and '.join(QUICK_ARMS)}, few questions")
    add("--table", action="store_true", help="only print and write what is finished")
    add("--json", type=Path, metavar="FILE", help="also write the rows here, after every cell")
    add("--kept", type=Path, metavar="DIR", help="also keep finished cells' scores here, and run none that it has")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for every cell")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds: one training is the least")
    options.work = work_folder(options.work)
    options.only = options.only or ([QUICK_SET] if options.quick else None)
    options.arm = options.arm or list(QUICK_ARMS if options.quick else CHAINS)
    options.set = [*(QUICK if options.quick else ()), *options.set]
    return options


def _seeded() -> str:
    return ", ".join(f"{' and '.join(arms)} on {name}" for name, arms in SEEDED.items())


def data_folder(given: Path | None) -> Path:
    """The folder of the sets, as named or by the environment; raises ConfigError where neither names one."""
    named = given or os.environ.get(DATA_VARIABLE)
    if not named:
        raise ConfigError(
            f"--data DIR: name the folder that holds {SETS[0]} and the other sets, or set {DATA_VARIABLE}"
        )
    return Path(named)


def work_folder(given: Path | None) -> Path:
    """Where the runs are kept, as named or in ragraft's cache."""
    return given or cache_folder() / "benchmarks" / "methods"


def _names(options: argparse.Namespace) -> list[str]:
    """The sets named; else those of the benchmark whose data are there."""
    if options.only:
        return names_of(data_folder(options.data), options.only)
    there = names_of(data_folder(options.data), None)
    return [name for name in SETS if name in there]


def _plan(cells: Sequence[Cell], options: argparse.Namespace) -> list[Forecast | str]:
    """What each cell will take; where that can't be known, why: it fails again when its turn comes."""
    found: list[Forecast | str] = []
    for cell in cells:
        try:
            session = _open(cell, options)
            found.append(forecast(cell, session, [one for one in found if isinstance(one, Forecast)]))
        except RagraftError as error:
            found.append(f"{cell.data}, {cell.label}: {error}")
    return found


def _plan_lines(plan: Sequence[Forecast | str]) -> list[str]:
    """A line a cell, and the hours in all."""
    known = [one for one in plan if isinstance(one, Forecast)]
    lines = [one if isinstance(one, str) else _told(one) for one in plan]
    waiting = [one for one in known if one.seconds]
    guessed = ", first guess" if any(one.guessed for one in waiting) else ""
    whole = sum(one.seconds for one in waiting) / 3600
    return [*lines, f"{len(waiting)} of {len(plan)} cells to run, about {whole:.1f} hours in all{guessed}"]


def _told(one: Forecast) -> str:
    return f"{one.cell.data}, {one.cell.label}: {f'about {duration(one.seconds)}' if one.seconds else 'finished'}"


def _open(cell: Cell, options: argparse.Namespace) -> Session:
    """The cell's run; the base is not asked what another machine asked it."""
    runs = options.work.resolve() / "runs"
    asked = options.kept and base_kept(options.kept, cell, but=lambda one: read_done(runs, one) is not None)
    return cell.open(data_folder(options.data), options.work, [*options.set, *(TUNED_ALONE if asked else ())])


def _run(cell: Cell, options: argparse.Namespace) -> list[dict[str, str]]:
    """Bring a cell up to date; a failure is told and stops no other cell."""

    def tell(event: Event) -> None:
        expected = f", {event.expected}" if event.expected and event.state != "done" else ""
        print(f"{cell.data}, {cell.label}: {event.stage} {event.state}{expected}", file=sys.stderr, flush=True)

    try:
        session = _open(cell, options)
        try:
            run_table(session, tell)
        finally:
            session.backends.close_models()
    except RagraftError as error:
        print(f"{cell.data}, {cell.label}: {error}", file=sys.stderr)
        return [{"data": cell.data, "arm": cell.label, "error": str(error)}]
    return []


@dataclass(frozen=True, slots=True)
class Found:
    """All that is finished, as figures."""

    rows: list[Row]
    notes: list[str]
    cells: list[str]
    hours: dict[str, float]
    """By data set."""


class Book:
    """The figures of every finished cell, of whatever sitting and machine; written where asked."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._runs = options.work.resolve() / "runs"
        self._known: dict[str, tuple[list[Mapping[str, float]], tuple[list[Row], list[str]]]] = {}

    def has_elsewhere(self, cell: Cell) -> bool:
        """Whether another machine finished it."""
        kept = self._options.kept
        return bool(kept) and file_of(kept, cell).is_file() and read_done(self._runs, cell) is None

    def write(self, failed: Sequence[Mapping[str, str]]) -> Found:
        """Read what is finished now; a set's figures are computed again only where something came to it."""
        done = self._done()
        found = Found([], [], [], {})
        for name, cells in done.items():
            rows, said = self._figures(name, cells)
            found.rows.extend(rows)
            found.notes.extend(f"{name}: {one}" for one in said)
            found.cells.extend(f"{one.cell.data}, {one.cell.label}" for one in cells)
            found.hours[name] = round(_hours(cells), 2)
        found.rows.extend(pooled_rows(done))
        if self._options.json:
            _write(self._options, found, failed)
        return found

    def _done(self) -> dict[str, list[Done]]:
        found: dict[str, list[Done]] = {}
        for name in dict.fromkeys([*SETS, *recipes()]):
            cells = cells_of([name], list(ARMS), seeds=max(SEEDS, self._options.seeds), quick=self._options.quick)
            done = [one for cell in cells if (one := self._read(cell))]
            found |= {name: done} if done else {}
        return found

    def _read(self, cell: Cell) -> Done | None:
        """As this machine or another one finished it: in one form, or nothing could be paired."""
        done = read_done(self._runs, cell)
        if not self._options.kept:
            return done
        if done:
            keep(self._options.kept, done)
        return read_kept(self._options.kept, cell)

    def _figures(self, name: str, cells: Sequence[Done]) -> tuple[list[Row], list[str]]:
        made_of = [one.seconds for one in cells]
        if name not in self._known or self._known[name][0] != made_of:
            self._known[name] = made_of, rows_of(cells)
        return self._known[name][1]


def _hours(cells: Sequence[Done]) -> float:
    """Of all stages; what runs share counts once."""
    seconds: dict[str, float] = {}
    for one in cells:
        seconds |= one.seconds
    return sum(seconds.values()) / 3600


def _write(options: argparse.Namespace, found: Found, failed: Sequence[Mapping[str, str]]) -> None:
    facts: dict[str, Any] = {
        "benchmark": "methods",
        "quick": options.quick,
        "settings": options.set,
        "hours": found.hours,
        "cells": found.cells,
        "failed": list(failed),
        "notes": found.notes,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
    }
    # A row a line: there are thousands.
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in found.rows)
    told = json.dumps(facts, ensure_ascii=False, indent=1).removesuffix("\n}")
    write_atomically(options.json, f'{told},\n "rows": [\n{lines}\n]}}\n'.encode())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
