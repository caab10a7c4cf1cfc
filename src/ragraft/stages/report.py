"""Tell what the exam showed: report.json, a page, and Markdown. Reads all that came before; judges nothing anew.

Knows where the artifacts keep their figures; knows neither retrieval nor models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.config import ReportConfig
from ragraft.methods.report_data import Sources, build_report
from ragraft.methods.report_markdown import render_markdown
from ragraft.methods.report_page import render_page
from ragraft.methods.report_text import interval, phrase
from ragraft.workspace import (
    FORGETTING,
    LINT,
    TIMING,
    Calibration,
    Checkpoint,
    Diagnosis,
    Exam,
    Folder,
    Lessons,
    Report,
    Scorecard,
)


def report(
    scorecard: Scorecard,
    exam: Exam,
    lessons: Lessons,
    checkpoint: Checkpoint,
    *,
    settings: ReportConfig,
    facts: Mapping[str, Any],
    out: Folder,
    diagnosis: Diagnosis | None = None,
    calibration: Calibration | None = None,
) -> Report:
    """Write report.json, report.html, report.md and summary.json.

    `facts` is what only the pipeline knows: `name`, `created` (text), `settings` (the resolved config), `passages`
    (chunk id → at least title and text) and any further plain values worth showing; all may be left out.
    """
    data = build_report(
        Sources(
            card=scorecard.card(),
            questions=exam.questions("exam"),
            answers=list(scorecard.answers()),
            exam_facts=_optional(exam.folder, "facts.json"),
            retrieval=_optional(exam.folder, "retrieval.json"),
            lessons=lessons.counts(),
            training=checkpoint.told(),
            forgetting=_optional(scorecard.folder, FORGETTING),
            lint=_optional(checkpoint.folder, LINT),
            metrics=checkpoint.metrics(),
            facts=facts,
            diagnosis=diagnosis.data() if diagnosis else {},
            calibration=calibration.data() if calibration else {},
            timing=scorecard.folder.read_json(TIMING) if scorecard.folder.has(TIMING) else (),
        ),
        examples=settings.examples,
    )
    out.write_json("report.json", data)
    out.write_text("report.html", render_page(data))
    out.write_text("report.md", render_markdown(data))
    out.write_json("summary.json", _summary(data))
    return Report(out)


def _optional(folder: Folder, name: str) -> dict[str, Any]:
    if not folder.has(name):
        return {}
    found: dict[str, Any] = folder.read_json(name)
    return found


def _summary(data: Mapping[str, Any]) -> dict[str, Any]:
    headline, counts = data["headline"], data["examples"]["counts"]
    found: dict[str, Any] = {"verdict": headline["verdict"]}
    if headline["difference"] is not None:
        found[f"tuned minus {phrase(headline['opponent'])}, F1"] = interval(headline["difference"], signed=True)
        found["questions better / worse / equal"] = f"{counts['better']} / {counts['worse']} / {counts['equal']}"
    return {**found, "page": "report.html"}
