"""Charts of curves with bands: sweeps over what is shown, what search finds by depth. Knows figures; knows no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.charts import INK, OTHER_COLOURS, WIDE, Spec, model_colours, spec_of, value_axis
from ragraft.methods.report_text import model_name

HEIGHT = 220
SPARED = 70
"""No names stand left of a curve, as in the other charts: its plot is so much wider, so that letters are as large."""
RANKINGS = {"hybrid": "#0b62c4", "dense": "#0a7d62", "lexical": "#b8560a"}
"""Colours of ragraft's own rankings; others take the spare ones."""
SHAPES = ("circle", "diamond", "square", "triangle-up", "cross")

Row = dict[str, Any]
"""`x`, `series`, `y` and, where there is an interval, `low` and `high`."""


def curve_chart(
    rows: Sequence[Row],
    colours: Mapping[str, str],
    *,
    x: str,
    y: str,
    width: int = WIDE,
    line: str = "linear",
) -> Spec:
    """A line a series, with its interval as a band; `x` and `y` name the axes, `colours` the series in their order."""
    import altair as alt

    shown = [name for name in colours if any(row["series"] == name for row in rows)]
    legend = alt.Legend(
        title=None,
        orient="top",
        columns=1 if width < WIDE else 0,
        columnPadding=16,
        labelFontSize=12,
        labelColor=INK,
        symbolOpacity=1,
    )
    colour = alt.Color("series:N", scale=alt.Scale(domain=shown, range=[colours[one] for one in shown]), legend=legend)
    shape = alt.Shape("series:N", scale=alt.Scale(domain=shown, range=list(SHAPES[: len(shown)])), legend=legend)
    places = sorted({row["x"] for row in rows})
    axis = value_axis(width)
    if len(places) <= MOST_TICKS:
        axis.values = places
    base = alt.Chart(alt.InlineData(values=list(rows))).encode(
        x=alt.X("x:Q", title=x, axis=axis, scale=alt.Scale(nice=False, zero=False, padding=8))
    )
    height = alt.Y("y:Q", title=y, axis=value_axis(width), scale=alt.Scale(zero=True))
    band = (
        base.transform_filter("isValid(datum.low)")
        .mark_area(opacity=0.13, interpolate=line)
        .encode(y=alt.Y("low:Q", title=y), y2="high:Q", color=colour)
    )
    curve = base.mark_line(strokeWidth=2.5, interpolate=line).encode(y=height, color=colour)
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(y=height, color=colour, shape=shape)
    return spec_of(alt.layer(band, curve, dots).properties(width=width + SPARED, height=HEIGHT))


MOST_TICKS = 8
"""Up to so many values of x stand on the axis by themselves."""


def sweep_rows(sweep: Mapping[str, Any]) -> list[Row]:
    """The points of a sweep of the passages shown, in points of 100."""
    return [_row(point["at"], model_name(point["model"]), point["f1"]) for point in sweep["points"]]


def sweep_chart(sweep: Mapping[str, Any], measure: str, axis: str, *, width: int = WIDE) -> Spec:
    """The score by what is shown, a curve a model."""
    models = list(dict.fromkeys(point["model"] for point in sweep["points"]))
    colours = {model_name(model): colour for model, colour in model_colours(models).items()}
    return curve_chart(sweep_rows(sweep), colours, x=axis, y=measure, width=width)


def recall_rows(report: Mapping[str, Any]) -> list[Row]:
    """Recall on the exam side by the number of passages looked at; of every side's, if it has none."""
    measured = [row for row in report["retrieval"]["rows"] if row["metric"].startswith(RECALL)]
    kept = [row for row in measured if row["side"] == "exam"] or measured
    return [_row(int(row["metric"].removeprefix(RECALL)), row["ranking"], row) for row in kept]


RECALL = "recall@"


def recall_chart(report: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """Recall by depth, a curve a ranking."""
    rows = recall_rows(report)
    rankings = list(dict.fromkeys(row["series"] for row in rows))
    others = [name for name in rankings if name not in RANKINGS]
    spare = {name: OTHER_COLOURS[place % len(OTHER_COLOURS)] for place, name in enumerate(others)}
    colours = {name: RANKINGS.get(name) or spare[name] for name in rankings}
    return curve_chart(rows, colours, x="passages looked at", y="questions whose evidence is found, %", width=width)


def risk_rows(report: Mapping[str, Any]) -> list[Row]:
    """The mean loss of the surest answers, by the share of questions that they answer, of 100."""
    return [
        _row(100 * point["coverage"], model_name(curve["model"]), {**point, "value": point["risk"]})
        for curve in report.get("selective") or ()
        for point in curve["points"]
    ]


def risk_chart(report: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """Risk by coverage, a curve a model."""
    models = [curve["model"] for curve in report["selective"]]
    colours = {model_name(model): colour for model, colour in model_colours(models).items()}
    x, y = "questions answered, surest first, %", "lost of 100 on them"
    return curve_chart(risk_rows(report), colours, x=x, y=y, width=width)


def _row(x: float, series: str, figure: Mapping[str, Any]) -> Row:
    low, high = figure.get("low"), figure.get("high")
    ends = {"low": None, "high": None} if low is None or high is None else {"low": 100 * low, "high": 100 * high}
    return {"x": x, "series": series, "y": 100 * figure["value"], **ends}
