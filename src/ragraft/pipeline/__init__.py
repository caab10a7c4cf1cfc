"""The pipeline: the table of stages, their wiring to backends, and what the CLI and the API call."""

from ragraft.methods.report_table import render_table as report_table
from ragraft.pipeline.ask import Asked, ask
from ragraft.pipeline.export import export
from ragraft.pipeline.runner import Event, Session, changed_keys, flat_settings, open_session, run_table
from ragraft.pipeline.show import SHOWN, show
from ragraft.pipeline.table import STAGES, TABLE

__all__ = [
    "SHOWN",
    "STAGES",
    "TABLE",
    "Asked",
    "Event",
    "Session",
    "ask",
    "changed_keys",
    "export",
    "flat_settings",
    "open_session",
    "report_table",
    "run_table",
    "show",
]
