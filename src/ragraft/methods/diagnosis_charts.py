"""Charts of a diagnosis: what is lost to which part, and what small runs gained. Knows its record; knows no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.charts import INK, MODEL_COLOURS, MUTED, WIDE, Spec, names_axis, spec_of, value_axis
from ragraft.methods.report_text import points, true_minus

ROW_HEIGHT = 30
HEIGHT = 220


def parts_rows(diagnosis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is lost to each part, the most first, in points of 100; the label stands where bar and interval end."""
    rows = [
        {"part": part, **_in_points(figure), "label": true_minus(points(figure["value"]))}
        for part, figure in (diagnosis.get("loss") or {}).items()
    ]
    for row in rows:
        row["edge"] = max(0.0, row["value"], row["high"] if row["high"] is not None else row["value"])
    return sorted(rows, key=lambda row: -row["value"])


def parts_chart(diagnosis: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """A bar a part, with its interval; they add up to the loss, and one left of zero says that its step hurts."""
    import altair as alt

    rows = parts_rows(diagnosis)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("part:N", sort=[row["part"] for row in rows], title=None, axis=names_axis())
    )
    axis: dict[str, Any] = {"title": "points lost, of 100", "axis": value_axis(width)}
    bar = base.mark_bar(size=14, color=MODEL_COLOURS["base"]).encode(x=alt.X("value:Q", **axis))
    whisker = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2, color=INK)
        .encode(x=alt.X("low:Q", **axis), x2="high:Q")
    )
    label = base.mark_text(align="left", dx=8, fontSize=12, fontWeight=600, color=INK).encode(
        x=alt.X("edge:Q", **axis), text="label:N"
    )
    return spec_of(alt.layer(bar, whisker, label).properties(width=width, height=ROW_HEIGHT * len(rows)))


def learned_rows(diagnosis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each small run gained, and last what all questions are expected to, in points of 100."""
    curve = diagnosis.get("curve") or {}
    found = [(row["questions"], row["gain"]) for row in curve.get("points") or ()]
    found += [(curve["questions"], curve["foretold"])] if found else []
    return [{"questions": size, **_in_points(figure), "run": size != found[-1][0]} for size, figure in found]


def learned_chart(diagnosis: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """Points with intervals by questions learned; the last one is foretold and hollow."""
    import altair as alt

    rows: Sequence[Mapping[str, Any]] = learned_rows(diagnosis)
    colour = MODEL_COLOURS["tuned"]
    base = alt.Chart(alt.InlineData(values=list(rows))).encode(
        x=alt.X(
            "questions:Q", title="questions learned", axis=value_axis(width), scale=alt.Scale(nice=False, padding=12)
        )
    )
    height: dict[str, Any] = {"title": "points gained", "axis": value_axis(width)}
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3])
    whisker = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2.5, strokeCap="round", opacity=0.55, color=colour)
        .encode(y=alt.Y("low:Q", **height), y2="high:Q")
    )
    middle = alt.Y("value:Q", **height)
    ran = base.transform_filter("datum.run").mark_point(filled=True, size=95, opacity=1, color=colour).encode(y=middle)
    told = base.transform_filter("!datum.run").mark_point(size=95, opacity=1, strokeWidth=2.5, color=colour)
    layers = alt.layer(zero.encode(y=middle), whisker, ran, told.encode(y=middle))
    return spec_of(layers.properties(width=width, height=HEIGHT))


def _in_points(figure: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: None if (value := figure.get(name)) is None else 100 * value for name in ("value", "low", "high")}
