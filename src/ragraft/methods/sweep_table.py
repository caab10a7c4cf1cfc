"""A sweep's cells in order of a metric, each against the best, paired by question. Knows a comparison's figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, interval, tokens

LOWER_IS_BETTER = frozenset({"over_refusal", "refusal_without_evidence", "truncated", "answer_tokens", "prompt_tokens"})


def sweep_rows(comparison: Mapping[str, Any], metric: str) -> list[dict[str, Any]]:
    """Cells, best first: `cell`, `figure` (None where nothing was scored), `minus_best` where the metric is paired."""
    figures = {cell["model"]: cell["metrics"].get(metric) for cell in comparison["grid"]["cells"]}
    sign = 1 if metric in LOWER_IS_BETTER else -1
    order = sorted(figures, key=lambda name: (figures[name] is None, sign * (figures[name] or {"value": 0})["value"]))
    pairs = {(row["a"], row["b"]): row for row in comparison["differences"] if row["metric"] == metric}
    return [{"cell": name, "figure": figures[name], "minus_best": _difference(pairs, name, order[0])} for name in order]


def sweep_table(rows: list[dict[str, Any]], metric: str, side: str) -> Table:
    """The rows as text."""
    write = tokens if metric.endswith("_tokens") else interval
    return Table(
        f"{metric} on the {side} side (of 100), with 95 % intervals",
        ("", metric, "minus the best", "n"),
        tuple(
            (
                row["cell"],
                write(row["figure"]),
                interval(row["minus_best"], signed=True),
                str(row["figure"]["n"]) if row["figure"] else MISSING,
            )
            for row in rows
        ),
    )


def _difference(pairs: Mapping[tuple[str, str], Any], a: str, b: str) -> dict[str, Any] | None:
    """a - b, whichever way round it was taken."""
    if (a, b) in pairs:
        return dict(pairs[a, b])
    if (b, a) not in pairs:
        return None
    row = pairs[b, a]
    low, high = (None if row[end] is None else -row[end] for end in ("high", "low"))
    return {**row, "a": a, "b": b, "value": -row["value"], "low": low, "high": high}
