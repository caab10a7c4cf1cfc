"""The report as Markdown: the page's tables, and text that stays text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from markdown_it import MarkdownIt

from ragraft.methods.report_data import build_report
from ragraft.methods.report_markdown import SECTIONS, render_markdown
from ragraft.methods.report_page import page_tables
from ragraft.records import ExamQuestion, Question
from tests.unit.methods.test_report_table import sources

HOSTILE = "<b>|\n# no *heading* [x](http://elsewhere.test) `"


def parsed(text: str) -> str:
    html: str = MarkdownIt("commonmark").enable("table").render(text)
    return html


def test_the_tables_of_the_page_are_there_in_its_order() -> None:
    report = build_report(sources(), examples=2)
    text = render_markdown(report)
    assert text.startswith("# tiny: Tuning helped\n\nTuning helped: with retrieved passages, tuned minus base is +20.0")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings[:2] == ["How well each model answers", "What search finds"]
    assert headings[-4:] == ["Where the answers differ", "Run", "Lessons", "Training"]
    assert parsed(text).count("<table>") == len(page_tables(report))
    assert "| Retrieved passages | Tuned | 40.0 [30.0, 50.0] | – | 2 | 0 |" in text
    assert "- Tuned (100.0): that" in text


def test_a_table_that_has_no_section_stands_at_the_end() -> None:
    report = build_report(sources(), examples=0)
    known = {name for names in SECTIONS.values() for name in names}
    assert set(page_tables(report)) <= known


def test_text_from_outside_makes_no_markup() -> None:
    given = sources()
    asked = Question("q", HOSTILE, (HOSTILE,), ("d",))
    answers = [replace(answer, answer=HOSTILE) for answer in given.answers]
    facts: dict[str, Any] = {**given.facts, "name": HOSTILE, "model": HOSTILE, HOSTILE: HOSTILE}
    hostile = replace(given, questions=[ExamQuestion(asked, "exam", "c", ("p",))], answers=answers, facts=facts)
    report = build_report(hostile, examples=2)
    html = parsed(render_markdown(report))
    for tag in ("<b>", "<a ", "<code>", "<em>"):
        assert tag not in html
    assert html.count("<h1>") == 1
    assert html.count("<table>") == len(page_tables(report))
