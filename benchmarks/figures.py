"""Figures with their intervals as rows of JSON, and such rows as a printed table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ragraft.records import Interval, to_json

Row = dict[str, Any]
"""Names of what was measured, then value, low, high and n."""


def row_of(value: Interval, **names: str) -> Row:
    told = to_json(value)
    return {**names, **{key: told[key] for key in ("value", "low", "high", "n")}}


def table_of(rows: Sequence[Row], names: Sequence[str], form: str, scale: float = 1.0) -> list[str]:
    """A line a row under a heading: its names, and its figures times `scale` in this form."""
    cells = [[*names, "value", "low", "high", "n"]]
    for row in rows:
        ends = (row[key] for key in ("value", "low", "high"))
        figures = ["-" if end is None else format(scale * end, form) for end in ends]
        cells.append([*(row[name] for name in names), *figures, str(row["n"])])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = "<" * len(names) + ">" * (len(widths) - len(names))
    forms = [f"{side}{width}" for side, width in zip(sides, widths, strict=True)]
    return ["  ".join(map(format, line, forms)) for line in cells]
