"""Render a comparison as tables of text and as one self-contained page. Computes no figure of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods import report_table
from ragraft.methods.page_template import page_template
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import plural, true_minus


def comparison_tables(comparison: Mapping[str, Any]) -> tuple[Table, Table]:
    """What the terminal shows: the score of each arm in each context, and the paired differences with the notes."""
    return report_table.score_table(comparison), report_table.pair_table(comparison)


def comparison_notes(comparison: Mapping[str, Any]) -> list[str]:
    """Sentences below the tables."""
    asked = f"{plural(comparison['questions'], 'question')} in {plural(comparison['clusters'], 'cluster')}"
    runs = ", ".join(f"{run['arm']}: run {run['run']}" for run in comparison["runs"])
    return [f"{asked}; {runs}.", *(f"Note: {note}." for note in comparison["notes"])]


def render_comparison(comparison: Mapping[str, Any]) -> str:
    """The page's HTML."""
    cells = comparison["grid"]["cells"]
    judged = [cell for cell in cells if cell["context"] != "none"]
    tables = [
        *comparison_tables(comparison),
        report_table.grid_table(comparison),
        report_table.label_table(comparison),
        report_table.metric_table(comparison, cells, report_table.EVIDENCE, title="By evidence"),
        report_table.metric_table(comparison, judged, report_table.ABSTENTION, title="Abstention"),
        report_table.citation_table(comparison, judged),
        report_table.metric_table(comparison, cells, report_table.COST, title="Cost"),
    ]
    return page_template("comparison.html.j2", minus=true_minus).render(
        title=" · ".join(comparison["grid"]["models"]),
        notes=comparison_notes(comparison),
        tables=[table for table in tables if table.rows],
    )
