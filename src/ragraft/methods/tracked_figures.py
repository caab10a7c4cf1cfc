"""What of a report is tracked: its figures by a plain name each. Knows report.json; knows no tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ragraft.methods.report_text import Figure

PARTS = ("grid", "by_evidence", "abstention", "citations", "cost")


def tracked_figures(report: Mapping[str, Any]) -> dict[str, float]:
    """`retrieved/tuned/f1` and the like, the ends of its interval below it, and the headline's difference."""
    found = dict(_figures(report))
    return {name: float(value) for name, value in found.items() if value is not None}


def _figures(report: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    for name, figure in _named(report):
        yield name, figure.get("value")
        yield f"{name}/low", figure.get("low")
        yield f"{name}/high", figure.get("high")
    for row in report["timing"]:
        yield f"{row['context']}/{row['model']}/seconds", row["seconds"]


def _named(report: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Every figure with an interval by its name."""
    headline = report["headline"]
    yield from ((f"headline/{key}", headline[key]) for key in ("difference", "evidence_shown") if headline[key])
    for part in PARTS:
        for cell in report[part]["cells"] if part == "grid" else report[part]:
            place = f"{cell['context']}/{cell['model']}"
            yield from ((f"{place}/{metric}", figure) for metric, figure in cell["metrics"].items())
    for curve in report["selective"]:
        yield f"{curve['context']}/{curve['model']}/aurc", curve["aurc"]
    for sweep in report["sweeps"]:
        yield from ((f"{sweep['sweep']}={one['at']}/{one['model']}/f1", one["f1"]) for one in sweep["points"])
    for probe in report["probes"]:
        yield from ((f"{probe['probe']}/{row['model']}/{row['figure']}", row) for row in probe["figures"])
