from __future__ import annotations

from typing import Any

from ragraft.methods.sweep_table import sweep_rows, sweep_table


def figure(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.2, "n": 20}


def comparison(metric: str = "f1", **values: float | None) -> dict[str, Any]:
    names = list(values)
    cells = [
        {"model": name, "metrics": {} if value is None else {metric: figure(value)}} for name, value in values.items()
    ]
    pairs = [
        {"metric": metric, "a": later, "b": earlier, **figure(values[later] - values[earlier])}  # type: ignore[operator]
        for place, later in enumerate(names)
        for earlier in names[:place]
        if values[later] is not None and values[earlier] is not None
    ]
    return {"grid": {"cells": cells}, "differences": pairs}


def test_the_best_is_first_and_the_others_stand_against_it() -> None:
    rows = sweep_rows(comparison(a=0.2, b=0.5, c=0.3, d=None), "f1")
    assert [row["cell"] for row in rows] == ["b", "c", "a", "d"]
    assert rows[0]["minus_best"] is None
    later, earlier = rows[1]["minus_best"], rows[2]["minus_best"]
    assert (round(later["value"], 6), round(later["low"], 6), round(later["high"], 6)) == (-0.2, -0.3, 0.0)
    # Taken the other way round, b - a, it is turned with both its ends.
    assert (round(earlier["value"], 6), round(earlier["low"], 6), round(earlier["high"], 6)) == (-0.3, -0.5, -0.2)
    table = sweep_table(rows, "f1", "validation")
    assert table.rows[0] == ("b", "50.0 [40.0, 70.0]", "-", "20")
    assert table.rows[2] == ("a", "20.0 [10.0, 40.0]", "-30.0 [-50.0, -20.0]", "20")
    assert table.rows[3] == ("d", "-", "-", "-")


def test_where_less_is_better_the_least_is_first() -> None:
    found = comparison("over_refusal", a=0.2, b=0.5)
    assert [row["cell"] for row in sweep_rows(found, "over_refusal")] == ["a", "b"]


def test_tokens_are_counted_and_no_shares() -> None:
    rows = sweep_rows(comparison("answer_tokens", a=12.0), "answer_tokens")
    assert sweep_table(rows, "answer_tokens", "exam").rows[0][1] == "12"
