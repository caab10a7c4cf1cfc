"""Render report.json as one self-contained HTML page. Knows the report's record; computes no figure of its own.

Nothing on the page is fetched, and no script runs on it. All text is escaped by the template; only the charts'
SVG, which the chart library escapes, goes in as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ragraft.methods import charts, curve_charts, diagnosis_charts, report_table, routing_charts
from ragraft.methods.diagnosis_table import (
    advice_table,
    condition_table,
    cost_table,
    curve_table,
    foretold_sentence,
    loss_table,
    search_table,
    verdict_sentence,
)
from ragraft.methods.lint_table import lint_table
from ragraft.methods.page_template import page_template
from ragraft.methods.report_forgetting import forgetting_table
from ragraft.methods.report_marks import Piece, citation_spans, matched_spans, pieces, quote_spans
from ragraft.methods.report_probes import MEANINGS as PROBED
from ragraft.methods.report_probes import probe_tables
from ragraft.methods.report_selective import selective_table
from ragraft.methods.report_sweeps import AXES, sweep_tables
from ragraft.methods.report_sweeps import MEANINGS as SWEPT
from ragraft.methods.report_text import (
    MEANINGS,
    context_name,
    flatten,
    interval,
    model_name,
    phrase,
    plural,
    points,
    true_minus,
)
from ragraft.methods.routing_table import calibration_tables
from ragraft.methods.text_fit import texts_sentences

Maker = tuple[list[dict[str, Any]], Callable[..., charts.Spec]]
"""Rows that a chart shows, and what draws it in a given width."""
LOSS = "Training and validation loss of {} by step"


def render_page(report: Mapping[str, Any]) -> str:
    """The page's HTML."""
    template = page_template(
        "report.html.j2",
        points=points, interval=interval, model_name=model_name, context_name=context_name, phrase=phrase,
        plural=plural, minus=true_minus, told=texts_sentences,
    )  # fmt: skip
    return template.render(
        report=report,
        lead=lead(report["headline"]),
        verdict=verdict_sentence(report["diagnosis"]) if report.get("diagnosis") else None,
        foretold=foretold_sentence(report) if report.get("diagnosis") else None,
        measure={"name": report_table.measure_heading(report), "meaning": MEANINGS[report["headline"]["measure"]]},
        charts=_charts(report),
        swept=SWEPT,
        probed=PROBED,
        losses={name: LOSS.format(name.partition("-")[2]) for name in _losses(report)},
        dark=charts.DARK,
        tables=page_tables(report),
        examples=[marked_example(example) for kind in ("wins", "losses") for example in report["examples"][kind]],
        abstained=[marked_example(example) for example in report["examples"].get("abstentions") or ()],
        lists=page_lists(report),
    )


def lead(headline: Mapping[str, Any]) -> str:
    """The headline's sentence without the verdict that stands above it."""
    rest: str = headline["sentence"].removeprefix(f"{headline['verdict']}: ")
    unbroken = re.sub(r"\[[^\]]*\]", lambda bracket: bracket.group().replace(" ", "\N{NO-BREAK SPACE}"), rest)
    return unbroken[:1].upper() + unbroken[1:]


def _charts(report: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Each chart as (class, SVG) for wide and narrow windows; charts without data are left out."""
    from markupsafe import Markup

    makers: dict[str, Maker] = {
        "difference": (charts.difference_rows(report), partial(charts.difference_chart, report)),
        "grid": (charts.grid_rows(report), partial(charts.grid_chart, report)),
        "recall": (curve_charts.recall_rows(report), partial(curve_charts.recall_chart, report)),
        "risk": (curve_charts.risk_rows(report), partial(curve_charts.risk_chart, report)),
        **_sweep_charts(report),
        **{name: (charts.loss_rows(rows), partial(charts.loss_chart, rows)) for name, rows in _losses(report).items()},
        **_routing_charts(report.get("calibration") or {}),
        **_diagnosis_charts(report.get("diagnosis") or {}),
    }
    widths = (("wide", charts.WIDE), ("narrow", charts.NARROW))
    return {
        name: [(size, Markup(charts.svg(make(width=width)))) for size, width in widths]
        for name, (rows, make) in makers.items()
        if rows
    }


def _sweep_charts(report: Mapping[str, Any]) -> dict[str, Maker]:
    measure = report_table.measure_heading(report)
    return {
        f"sweep-{sweep['sweep']}": (
            curve_charts.sweep_rows(sweep),
            partial(curve_charts.sweep_chart, sweep, measure, AXES[sweep["sweep"]]),
        )
        for sweep in report.get("sweeps") or ()
    }


def _diagnosis_charts(diagnosis: Mapping[str, Any]) -> Mapping[str, Maker]:
    return {
        "parts": (diagnosis_charts.parts_rows(diagnosis), partial(diagnosis_charts.parts_chart, diagnosis)),
        "learned": (diagnosis_charts.learned_rows(diagnosis), partial(diagnosis_charts.learned_chart, diagnosis)),
    }


def _routing_charts(calibration: Mapping[str, Any]) -> Mapping[str, Maker]:
    """Of the exam where it was asked, else of the calibration side."""
    side = calibration.get("exam") or calibration.get("calibration")
    if not side:
        return {}
    return {
        "routing": (routing_charts.routing_rows(side), partial(routing_charts.routing_chart, side)),
        "coverage": (routing_charts.coverage_rows(side), partial(routing_charts.coverage_chart, side)),
    }


def _losses(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The methods that recorded a loss, each with the rows that hold one."""
    return {name: rows for name, rows in report["loss"].items() if charts.loss_rows(rows)}


def page_tables(report: Mapping[str, Any]) -> dict[str, report_table.Table]:
    """Every table of the page that has rows, by the name under which the page places it."""
    metrics = {
        "evidence": ("by_evidence", report_table.EVIDENCE, "By evidence"),
        "abstention": ("abstention", report_table.ABSTENTION, "Abstention"),
    }
    found = {
        "grid": report_table.grid_table(report),
        "labels": report_table.label_table(report),
        "differences": report_table.difference_table(report),
        "cost": report_table.cost_table(report),
        "citations": report_table.citation_table(report, report["citations"]),
        "retrieval": report_table.retrieval_table(report),
        "selective": selective_table(report),
        "sides": report_table.sides_table(report),
        "forgetting": forgetting_table(report["forgetting"]),
        "lint": lint_table(report["lint"]),
        **{f"sweep-{name}": table for name, table in sweep_tables(report.get("sweeps") or ()).items()},
        **{f"probe-{name}": table for name, table in probe_tables(report.get("probes") or ()).items()},
        **_diagnosed(report.get("diagnosis") or {}),
        **_calibrated(report.get("calibration") or {}),
        **{
            name: report_table.metric_table(report, report[part], columns, title=title)
            for name, (part, columns, title) in metrics.items()
        },
    }
    return {name: table for name, table in found.items() if table.rows}


def _diagnosed(diagnosis: Mapping[str, Any]) -> dict[str, report_table.Table]:
    if not diagnosis:
        return {}
    return {
        "lost": loss_table(diagnosis),
        "advice": advice_table(diagnosis),
        "learned": curve_table(diagnosis),
        "tried": search_table(diagnosis),
        "costs": cost_table(diagnosis),
        "asked": condition_table(diagnosis),
    }


def _calibrated(calibration: Mapping[str, Any]) -> dict[str, report_table.Table]:
    return dict(zip(("routing", "errors"), calibration_tables(calibration), strict=True)) if calibration else {}


LISTS = {
    "To do this again": "again",
    "Run": "facts",
    "Lessons": "lessons",
    "Training": "training",
    "Settings": "settings",
}
"""Titles of the lists at the end → their part of the report."""


def page_lists(report: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Named lists of (key, text) for the end of the page."""
    return [(title, flatten(report[part])) for title, part in LISTS.items() if report.get(part)]


def marked_example(example: Mapping[str, Any]) -> dict[str, Any]:
    """The example with its texts cut into marked pieces."""
    answers = [
        {
            **answer,
            "arm": place,
            "answer_pieces": pieces(answer["answer"], matched_spans(answer["answer"], example["gold"])),
            "text_pieces": _answer_pieces(answer),
        }
        for place, answer in zip(("before", "after"), example["answers"], strict=True)
    ]
    passages = [
        {
            **passage,
            "pieces": _passage_pieces(passage["text"], example),
            "cited_by": [answer["model"] for answer in answers if passage["id"] in answer["citations"]],
            "number": _number(passage["numbers"]),
        }
        for passage in example["passages"]
    ]
    return {**example, "answers": answers, "passages": passages}


def _answer_pieces(answer: Mapping[str, Any]) -> list[Piece]:
    text = answer["text"]
    return pieces(text, [*quote_spans(text, answer["quotes"], kind="quote"), *citation_spans(text)])


def _passage_pieces(text: str | None, example: Mapping[str, Any]) -> list[Piece]:
    if text is None:
        return []
    spans = quote_spans(text, example["evidence"], kind="evidence")
    for place, answer in zip(("before", "after"), example["answers"], strict=True):
        spans += quote_spans(text, answer["quotes"], kind=place)
    return pieces(text, spans)


def _number(numbers: Mapping[str, int | None]) -> str:
    """`[2]` where both saw it under this number, else who saw it under which."""
    if len(set(numbers.values())) == 1:
        return f"[{next(iter(numbers.values()))}]"
    return ", ".join(
        f"{model_name(model)}: {f'[{number}]' if number else 'not shown'}" for model, number in numbers.items()
    )
