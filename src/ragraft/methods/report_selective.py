"""What is gained by answering only where the model is sure, as a table. Knows report.json; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import interval, model_name, points


def selective_table(report: Mapping[str, Any]) -> Table:
    """A row a model: how much it answers, what is lost on all of it, and on the way there."""
    rows = tuple(
        (model_name(curve["model"]), points(curve["answered"]), interval(curve["risk"]), interval(curve["aurc"]))
        for curve in report.get("selective") or ()
    )
    return Table("Answering only when sure", ("", "Answered, %", "Lost on all of them", "Mean of the curve"), rows)
