"""From runs to rows, comparisons and the printed table. Knows figures; runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, TypedDict

from benchmarks.engines.flops import Shape, operations
from benchmarks.engines.measure import Run
from benchmarks.engines.systems import OURS, Cell, System, work_of


class Row(TypedDict):
    """A system in a cell."""

    system: str
    questions_per_trunk: int
    trunk_tokens: int
    questions_per_second: float
    peak_gib: float
    flop_bound: float
    """Operations a question by arithmetic, of which ragraft needs 1."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """ragraft beside the fastest peer of a cell."""

    trunk_tokens: int
    questions_per_trunk: int
    fastest_peer: str
    ratio: float
    """Questions a second, ragraft's over the peer's."""
    flop_bound: float
    """The same ratio if both computed equally fast."""
    matmul_share: float
    """Share of the machine's bf16 product rate that ragraft's counted operations reach."""


def rows_of(runs: Iterable[Run], shape: Shape, rank: int) -> list[Row]:
    """A row for every system and cell: the median over the steps of all its runs, and the highest peak."""
    groups: dict[tuple[Cell, System], list[Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run.cell, run.system), []).append(run.told)
    return [
        {
            "system": system.name,
            "questions_per_trunk": cell.questions,
            "trunk_tokens": cell.trunk,
            "questions_per_second": told[0]["questions"] / median(step for one in told for step in one["seconds"]),
            "peak_gib": max(one["peak_gib"] for one in told),
            "flop_bound": operations(shape, rank, work_of(system, cell)) / _ours(cell, shape, rank),
        }
        for (cell, system), told in groups.items()
    ]


def comparisons(rows: Sequence[Row], shape: Shape, rank: int, *, product_rate: float) -> list[Comparison]:
    """One for every cell that ragraft and a peer have a figure for."""
    made = []
    for ours in (row for row in rows if row["system"] == OURS):
        cell = Cell(ours["trunk_tokens"], ours["questions_per_trunk"])
        peers = [row for row in rows if _cell(row) == cell and row["system"] != OURS]
        if not peers:
            continue
        best = max(peers, key=lambda row: row["questions_per_second"])
        speed = ours["questions_per_second"]
        made.append(
            Comparison(
                cell.trunk,
                cell.questions,
                best["system"],
                speed / best["questions_per_second"],
                best["flop_bound"],
                speed * _ours(cell, shape, rank) / product_rate,
            )
        )
    return made


def lines_of(rows: Sequence[Row], compared: Sequence[Comparison]) -> list[str]:
    """The table, and below it a sentence for each cell."""
    lines = [f"{'trunk':>6} {'q/trunk':>8}  {'system':<26} {'questions/s':>11} {'peak GiB':>9} {'FLOP bound':>11}"]
    for row in sorted(rows, key=lambda row: (row["trunk_tokens"], row["questions_per_trunk"])):
        lines.append(
            f"{row['trunk_tokens']:>6} {row['questions_per_trunk']:>8}  {row['system']:<26} "
            f"{row['questions_per_second']:>11.3f} {row['peak_gib']:>9.2f} {row['flop_bound']:>10.2f}x"
        )
    for one in compared:
        lines.append(
            f"{one.questions_per_trunk} on {one.trunk_tokens} tokens: ragraft trains {one.ratio:.2f} times the "
            f"questions of {one.fastest_peer}, its fastest peer; operations alone allow {one.flop_bound:.2f}; "
            f"ragraft reaches {one.matmul_share:.0%} of the bf16 product rate."
        )
    return lines


def data_of(rows: Sequence[Row], compared: Sequence[Comparison]) -> dict[str, Any]:
    """Both as JSON, to three decimals."""
    return {
        "rows": [_rounded(row) for row in rows],
        "comparisons": [_rounded(asdict(one)) for one in compared],
    }


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}


def _cell(row: Row) -> Cell:
    return Cell(row["trunk_tokens"], row["questions_per_trunk"])


def _ours(cell: Cell, shape: Shape, rank: int) -> float:
    """ragraft's operations for a question."""
    return operations(shape, rank, work_of(System(OURS, ""), cell))
