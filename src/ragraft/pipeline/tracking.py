"""The report's figures kept by a tracker, where the YAML names one. Nothing by default, and nothing sent unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ragraft.config import Config
from ragraft.methods.report_text import flatten
from ragraft.methods.tracked_figures import tracked_figures
from ragraft.pipeline.backends import load
from ragraft.ports import Tracked, Tracker

PLACE = ".tracked"
"""Beside the runs: what a tracker keeps on this machine."""
PROJECT = "ragraft"


def track_report(config: Config, report: dict[str, Any], runs: Path) -> str | None:
    """Where the figures were kept; None where nothing is tracked."""
    if config.report.track is None:
        return None
    tracker: Tracker = load("trackers", config.report.track)()
    return tracker.track(
        Tracked(
            project=PROJECT,
            name=config.name,
            settings=dict(flatten(config.model_dump(mode="json"))),
            figures=tracked_figures(report),
            folder=runs / PLACE,
        )
    )
