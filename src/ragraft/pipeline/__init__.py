"""The pipeline: the table of stages, their wiring to backends, and what the CLI and the API call."""

from ragraft.methods.diagnosis_table import diagnosis_tables
from ragraft.methods.report_table import Table
from ragraft.methods.report_table import render_table as report_table
from ragraft.pipeline.ask import Asked, ask
from ragraft.pipeline.compare import Comparison, compare
from ragraft.pipeline.export import Exported, Wishes, export
from ragraft.pipeline.grading import Agreed, measure_agreement
from ragraft.pipeline.lint import lesson_table
from ragraft.pipeline.promote import Promotion, in_service, promote, registry_of, registry_tables, rollback
from ragraft.pipeline.questions import Proposed, Wanted, propose_questions
from ragraft.pipeline.review import DECISIONS, Decision, Review, open_review
from ragraft.pipeline.routing import DEFAULT
from ragraft.pipeline.runner import Event, Session, changed_keys, flat_settings, open_session, run_table
from ragraft.pipeline.serving import TRAFFIC, Answered, Enquiry, Piece, Prepared, Retrieval, Service, open_service
from ragraft.pipeline.show import SHOWN, show
from ragraft.pipeline.sweep import Swept, sweep
from ragraft.pipeline.table import ROWS, STAGES, TABLE

__all__ = [
    "DECISIONS",
    "DEFAULT",
    "ROWS",
    "SHOWN",
    "STAGES",
    "TABLE",
    "TRAFFIC",
    "Agreed",
    "Answered",
    "Asked",
    "Comparison",
    "Decision",
    "Enquiry",
    "Event",
    "Exported",
    "Piece",
    "Prepared",
    "Promotion",
    "Proposed",
    "Retrieval",
    "Review",
    "Service",
    "Session",
    "Swept",
    "Table",
    "Wanted",
    "Wishes",
    "ask",
    "changed_keys",
    "compare",
    "diagnosis_tables",
    "export",
    "flat_settings",
    "in_service",
    "lesson_table",
    "measure_agreement",
    "open_review",
    "open_service",
    "open_session",
    "promote",
    "propose_questions",
    "registry_of",
    "registry_tables",
    "report_table",
    "rollback",
    "run_table",
    "show",
    "sweep",
]
