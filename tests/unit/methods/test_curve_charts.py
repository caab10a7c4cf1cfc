"""Curves are data first: what they show, and that they are drawn without a network."""

from __future__ import annotations

from typing import Any

from ragraft.methods import charts, curve_charts
from ragraft.methods.report_sweeps import AXES, MEANINGS, TITLES, sweep_tables


def figure(value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 9, "unscored": 0, "clusters": 3}


def sweep() -> dict[str, Any]:
    points = [
        {
            "model": model,
            "at": at,
            "f1": figure(value, value - 0.1, value + 0.1),
            "passages": at,
            "prompt_tokens": 90 * at,
        }
        for model, values in (("base", (0.5, 0.4)), ("tuned", (0.6, 0.6)))
        for at, value in zip((1, 8), values, strict=True)
    ]
    contrasts = [{"model": "base", **figure(-0.1, -0.2, 0.0)}, {"model": "tuned", **figure(0.0, -0.1, 0.1)}]
    difference = {"a": "tuned", "b": "base", **figure(0.1, 0.0, 0.2)}
    return {"sweep": "k", "values": [1, 8], "questions": 9, "left_out": 2, "contrast": "most minus fewest",
            "points": points, "contrasts": contrasts, "differences": [difference]}  # fmt: skip


def recall() -> dict[str, Any]:
    rows = [
        {"side": side, "ranking": ranking, "metric": metric, **figure(0.5, 0.4, 0.6)}
        for side in ("train", "exam")
        for ranking in ("lexical", "dense", "hybrid", "http")
        for metric in ("recall@1", "recall@4", "mrr@4", "full_recall@4")
    ]
    return {"retrieval": {"depths": [1, 4], "rows": rows}}


def test_rows_of_a_sweep() -> None:
    rows = curve_charts.sweep_rows(sweep())
    assert rows[0] == {"x": 1, "series": "Base", "y": 50.0, "low": 40.0, "high": 60.0}
    assert [(row["series"], row["x"]) for row in rows] == [("Base", 1), ("Base", 8), ("Tuned", 1), ("Tuned", 8)]


def test_rows_of_recall_are_those_of_the_exam_side() -> None:
    rows = curve_charts.recall_rows(recall())
    assert len(rows) == 8
    assert {row["x"] for row in rows} == {1, 4}
    lone = {"retrieval": {"rows": [row for row in recall()["retrieval"]["rows"] if row["side"] == "train"]}}
    assert len(curve_charts.recall_rows(lone)) == 8


def test_every_colour_that_is_drawn_has_a_dark_twin() -> None:
    drawn = charts.svg(curve_charts.sweep_chart(sweep(), "Token F1", AXES["k"]))
    drawn += charts.svg(curve_charts.recall_chart(recall(), width=charts.NARROW))
    used = {part.split('"')[0] for key in ('fill="', 'stroke="') for part in drawn.split(key)[1:]}
    assert used - {"none", "transparent"} <= set(charts.DARK)
    assert {charts.MODEL_COLOURS["tuned"], charts.MODEL_COLOURS["base"]} <= used


def test_a_curve_without_intervals_is_drawn() -> None:
    rows = [{"x": x, "series": "a", "y": 10.0 * x, "low": None, "high": None} for x in range(1, 20)]
    spec = curve_charts.curve_chart(rows, {"a": charts.OTHER_COLOURS[0], "b": charts.OTHER_COLOURS[1]}, x="x", y="y")
    assert "<svg" in charts.svg(spec)


def test_a_sweep_as_a_table() -> None:
    (table,) = sweep_tables([sweep(), {**sweep(), "sweep": "position", "points": []}]).values()
    assert table.columns == ("", "1", "8", "Most minus fewest")
    assert table.rows == (
        ("Base", "50.0 [40.0, 60.0]", "40.0 [30.0, 50.0]", "-10.0 [-20.0, 0.0]"),
        ("Tuned", "60.0 [50.0, 70.0]", "60.0 [50.0, 70.0]", "0.0 [-10.0, 10.0]"),
        ("Prompt tokens", "90", "720", "-"),
    )
    assert table.notes == (
        "The same 9 questions at every point; 2 left out, of which not every point could be shown.",
        "Most minus fewest, tuned minus base: +10.0 [0.0, 20.0].",
    )


def test_points_that_could_not_be_shown_are_told() -> None:
    (table,) = sweep_tables([{**sweep(), "left_out": 0, "not_shown": [8, 16]}]).values()
    assert table.notes[0] == (
        "The same 9 questions at every point. Too few passages, or no room in the prompt, for most questions at: 8, 16."
    )


def test_every_sweep_is_named_and_explained() -> None:
    assert set(TITLES) == set(AXES) == set(MEANINGS) == {"distractors", "position", "k"}
