"""Charts of the report: Altair makes the data of each, vl-convert its SVG, offline. Knows figures; knows no page.

Colours are those of the light scheme, each a different one for each use, so that a page can map them to others by
selecting on the SVG's own fill and stroke.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ragraft.methods.report_text import Figure, context_name, interval, model_name, points, true_minus

if TYPE_CHECKING:
    import altair as alt

INK, MUTED, RULE = "#1b1f24", "#5b6570", "#dfe3e8"
MODEL_COLOURS = {"base": "#6a7480", "base-fewshot": "#b8560a", "tuned": "#0b62c4"}
OTHER_COLOURS = ("#7a3fa8", "#0a7d62", "#a8324f", "#70661a")
MODEL_SHAPES = {"base": "circle", "base-fewshot": "diamond", "tuned": "square"}
DARK = {
    INK: "#e9ecf0",
    MUTED: "#9aa5b1",
    RULE: "#2b323a",
    "#6a7480": "#a3aebb",
    "#b8560a": "#f2a45c",
    "#0b62c4": "#74b4ff",
    "#7a3fa8": "#cf9df5",
    "#0a7d62": "#4fd0ae",
    "#a8324f": "#f58ba4",
    "#70661a": "#d4c75e",
}
"""The same colours for a dark page."""
ROW_HEIGHT = 26
WIDE, NARROW = 620, 200
"""Widths of the plot itself, in pixels; names stand left of it."""
NAMES_WIDTH = 112
LEAST_SPAN = 50.0
"""Points of 100 that set the margin of a chart of differences at least: in less room each tick would say 0."""

Spec = dict[str, Any]


def grid_chart(report: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """The score with its interval: a panel a context, a row a model. Vega-Lite data in points of 100."""
    import altair as alt

    rows = grid_rows(report)
    models = report["grid"]["models"]
    top = max([10.0, *(row["high"] if row["high"] is not None else row["f1"] for row in rows)])
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("model:N", sort=[model_name(model) for model in models], title=None, axis=names_axis())
    )
    # Room on the right for the figure, which stands beyond the whisker.
    scale = alt.Scale(domain=[0, min(130.0, top * (1.12 if width >= WIDE else 1.25))], nice=False)
    axis: dict[str, Any] = {"scale": scale, "title": report["headline"]["measure"], "axis": value_axis(width)}
    colour = alt.Color("model:N", scale=_model_scale(models), legend=None)
    shapes = [MODEL_SHAPES.get(model, "triangle-up") for model in models]
    shape = alt.Shape("model:N", scale=alt.Scale(domain=[model_name(m) for m in models], range=shapes), legend=None)
    whisker = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2.5, strokeCap="round", opacity=0.55)
        .encode(x=alt.X("low:Q", **axis), x2="high:Q", color=colour)
    )
    dot = base.mark_point(size=95, filled=True, opacity=1).encode(x=alt.X("f1:Q", **axis), color=colour, shape=shape)
    label = base.mark_text(align="left", dx=9, fontSize=12, fontWeight=600, color=INK).encode(
        x=alt.X("edge:Q", **axis), text="label:N"
    )
    panel = alt.layer(whisker, dot, label).properties(width=width, height=ROW_HEIGHT * len(models))
    heads = alt.Header(
        title=None,
        labelOrient="top",
        labelAnchor="start",
        labelFontSize=13,
        labelFontWeight=600,
        labelColor=INK,
        labelPadding=4,
    )
    order = [context_name(context) for context in report["grid"]["contexts"]]
    return spec_of(panel.facet(row=alt.Row("context:N", sort=order, header=heads), spacing=14))


def grid_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the grid's picture shows, in points of 100; `edge` is where the figure's text begins."""
    rows = []
    for cell in report["grid"]["cells"]:
        figure = cell["metrics"].get("f1")
        if figure is None or figure.get("value") is None:
            continue
        row = {"context": context_name(cell["context"]), "model": model_name(cell["model"]), **_bounds(figure)}
        rows.append({**row, "label": points(figure["value"])})
    return rows


def difference_chart(report: Mapping[str, Any], *, width: int = WIDE) -> Spec:
    """Tuned minus the better base, with intervals, against zero: all answerable questions, and evidence shown."""
    import altair as alt

    rows = difference_rows(report)
    ends = [end for row in rows for end in (row["low"], row["high"], row["f1"]) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    # The label is centred on its dot and as wide in a narrow chart as in a wide one.
    margin = (0.12 if width >= WIDE else 0.3) * max(high - low, LEAST_SPAN)
    scale = alt.Scale(domain=[low - margin, high + margin], nice=False)
    data = alt.Chart(alt.InlineData(values=rows))
    base = data.encode(y=alt.Y("which:N", sort=[row["which"] for row in rows], title=None, axis=names_axis()))
    axis: dict[str, Any] = {
        "scale": scale,
        "title": f"points of {report['headline']['measure']}, tuned minus base",
        "axis": value_axis(width),
    }
    middle = alt.X("f1:Q", **axis)
    zero = alt.Chart(alt.InlineData(values=[{"f1": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=middle)
    colour = MODEL_COLOURS["tuned"]
    whisker = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=3, strokeCap="round", opacity=0.55, color=colour)
        .encode(x=alt.X("low:Q", **axis), x2="high:Q")
    )
    dot = base.mark_point(size=120, filled=True, opacity=1, color=colour, shape="square").encode(x=middle)
    label = base.mark_text(dy=-13, fontSize=12, fontWeight=600, color=INK).encode(x=middle, text="label:N")
    layers = alt.layer(zero, whisker, dot, label)
    return spec_of(layers.properties(width=width, height=44 * len(rows)))


def difference_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The headline's differences in points of 100."""
    headline = report["headline"]
    both = (("All answerable", headline["difference"]), ("Evidence shown", headline["evidence_shown"]))
    return [
        {"which": which, **_bounds(figure), "label": true_minus(interval(figure, signed=True))}
        for which, figure in both
        if figure is not None and figure.get("value") is not None
    ]


def loss_chart(loss: Sequence[Mapping[str, Any]], *, width: int = WIDE) -> Spec:
    """Training and validation loss by optimizer step."""
    import altair as alt

    rows = loss_rows(loss)
    series = ["Training loss", "Validation loss"]
    scale = alt.Scale(domain=series, range=[MODEL_COLOURS["base"], MODEL_COLOURS["tuned"]])
    shown = [name for name in series if any(row["series"] == name for row in rows)]
    legend = alt.Legend(title=None, orient="top", values=shown, symbolType="stroke", labelFontSize=12, labelColor=INK)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("step:Q", title="optimizer step", axis=value_axis(width)),
        y=alt.Y("loss:Q", title=None, scale=alt.Scale(zero=False), axis=value_axis(width, shown="~f")),
        color=alt.Color("series:N", scale=scale, legend=legend),
    )
    train = base.transform_filter("datum.series == 'Training loss'").mark_line(strokeWidth=1.5)
    checked = base.transform_filter("datum.series == 'Validation loss'")
    layers = alt.layer(train, checked.mark_line(strokeWidth=2.5), checked.mark_point(filled=True, size=70, opacity=1))
    return spec_of(layers.properties(width=width, height=220))


def loss_rows(loss: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each loss that a row of metrics.jsonl holds, as a point of its series."""
    names = {"loss": "Training loss", "validation_loss": "Validation loss"}
    return [
        {"step": row["step"], "series": name, "loss": row[key]}
        for key, name in names.items()
        for row in loss
        if row.get(key) is not None
    ]


def svg(spec: Spec) -> str:
    """The chart as an SVG element; nothing is fetched."""
    import altair as alt
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return vl_convert.vegalite_to_svg(spec, vl_version=version)


def _bounds(figure: Figure) -> dict[str, float | None]:
    value = 100 * figure["value"]
    if figure.get("low") is None or figure.get("high") is None:
        return {"f1": value, "low": None, "high": None, "edge": value}
    low, high = 100 * figure["low"], 100 * figure["high"]
    return {"f1": value, "low": low, "high": high, "edge": max(high, value)}


def model_colours(models: Sequence[str]) -> dict[str, str]:
    """Model → its colour, the same in every chart of a page."""
    others = [model for model in models if model not in MODEL_COLOURS]
    spare = {model: OTHER_COLOURS[place % len(OTHER_COLOURS)] for place, model in enumerate(others)}
    return {model: MODEL_COLOURS.get(model) or spare[model] for model in models}


def _model_scale(models: Sequence[str]) -> alt.Scale:
    import altair as alt

    colours = model_colours(models)
    return alt.Scale(domain=[model_name(model) for model in models], range=list(colours.values()))


def names_axis() -> alt.Axis:
    """An axis of names, left of the plot."""
    import altair as alt

    return alt.Axis(
        labelFontSize=12,
        labelColor=MUTED,
        labelPadding=8,
        labelLimit=160,
        minExtent=NAMES_WIDTH,
        domain=False,
        ticks=False,
        grid=False,
    )


def value_axis(width: int, *, shown: str = ".0f") -> alt.Axis:
    """An axis of figures, with as many ticks as there is room for."""
    import altair as alt

    return alt.Axis(
        format=shown,
        labelFontSize=11,
        titleFontSize=11,
        labelColor=MUTED,
        titleColor=MUTED,
        titleFontWeight="normal",
        gridColor=RULE,
        domain=False,
        ticks=False,
        tickCount=max(3, width // 90),
        labelPadding=6,
        titlePadding=8,
    )


def spec_of(chart: alt.TopLevelMixin) -> Spec:
    """The chart's data, in the look that all share."""
    configured = cast("alt.Chart", chart).configure(font="sans-serif", background="transparent", padding=2)
    spec: Spec = configured.configure_view(stroke=None).to_dict()
    return spec
