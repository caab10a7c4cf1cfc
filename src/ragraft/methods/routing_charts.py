"""Charts of a calibration: what retrieval saved costs, and what the surest answers are worth. Knows figures alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods.charts import INK, MODEL_COLOURS, MUTED, WIDE, Spec, spec_of, value_axis

ROUTERS = {"router": "Auto", "oracle": "A perfect router"}


def routing_chart(side: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """The score by the share of retrievals saved, of the router and a perfect one, and where auto stands."""
    import altair as alt

    scale = alt.Scale(domain=list(ROUTERS.values()), range=[MODEL_COLOURS["tuned"], MODEL_COLOURS["base-fewshot"]])
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", labelFontSize=12, labelColor=INK)
    rows = routing_rows(side)
    lines = (
        alt.Chart(alt.InlineData(values=[row for row in rows if row["series"] in ROUTERS.values()]))
        .mark_line(strokeWidth=2.5)
        .encode(**_saved_axes(width), color=alt.Color("series:N", scale=scale, legend=legend))
    )
    chance = (
        alt.Chart(alt.InlineData(values=[row for row in rows if row["series"] == "chance"]))
        .mark_line(color=MUTED, strokeDash=[3, 3])
        .encode(**_saved_axes(width))
    )
    here = (
        alt.Chart(alt.InlineData(values=[row for row in rows if row["series"] == "here"]))
        .mark_point(size=120, filled=True, opacity=1, color=INK, shape="square")
        .encode(**_saved_axes(width))
    )
    return spec_of(alt.layer(chance, lines, here).properties(width=width, height=220))


def _saved_axes(width: int) -> dict[str, Any]:
    import altair as alt

    score = alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=value_axis(width))
    return {"x": alt.X("saved:Q", title="retrievals saved, of 100", axis=value_axis(width)), "y": score}


def routing_rows(side: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Points of both curves, of the straight line of chance, and of auto as it is, in points of 100."""
    curve, figures = side["routing_curve"], side["figures"]
    rows = [(name, point["saved"], point[key]) for key, name in ROUTERS.items() for point in curve]
    rows += [("chance", point["saved"], point["router"]) for point in (curve[0], curve[-1])]
    rows.append(("here", figures["skipped"]["value"], figures["auto"]["value"]))
    return [{"series": name, "saved": 100 * saved, "score": 100 * score} for name, saved, score in rows]


def coverage_chart(side: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """How many of the surest answers are not right, by their share of all."""
    import altair as alt

    chart = (
        alt.Chart(alt.InlineData(values=coverage_rows(side)))
        .mark_line(strokeWidth=2.5, color=MODEL_COLOURS["tuned"])
        .encode(
            x=alt.X("coverage:Q", title="surest answers, of 100", axis=value_axis(width)),
            y=alt.Y("risk:Q", title=None, axis=value_axis(width)),
        )
    )
    return spec_of(alt.layer(chart).properties(width=width, height=180))


def coverage_rows(side: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Points of the curve, of 100."""
    return [{name: 100 * value for name, value in point.items()} for point in side["risk_coverage"]]
