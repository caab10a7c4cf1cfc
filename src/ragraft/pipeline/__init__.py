"""The pipeline: the table of stages, their wiring to backends, and what the CLI and the API call."""

from ragraft.methods.diagnosis_table import diagnosis_tables
from ragraft.methods.report_table import Table
from ragraft.methods.report_table import render_table as report_table
from ragraft.methods.routing_table import calibration_tables
from ragraft.pipeline.ask import Asked, ask
from ragraft.pipeline.browse import (
    PARTS,
    Examined,
    Part,
    Rows,
    RunSeen,
    StageSeen,
    begin_with,
    examined,
    lesson_counts,
    lesson_rows,
    look_around,
    look_at,
    one_example,
    one_lesson,
    question_texts,
    report_page,
)
from ragraft.pipeline.browse_traffic import (
    SHOWN_TRAFFIC,
    Logged,
    Served,
    Shown,
    Traffic,
    compare_served,
    shown_passages,
    traffic,
)
from ragraft.pipeline.calibrated import RETRIEVALS, Retrieval
from ragraft.pipeline.compare import Comparison, compare
from ragraft.pipeline.enquiries import Answered, Enquiry, Piece, Prepared
from ragraft.pipeline.events import Event
from ragraft.pipeline.export import Exported, Wishes, export
from ragraft.pipeline.grading import Agreed, measure_agreement
from ragraft.pipeline.lint import lesson_table
from ragraft.pipeline.promote import Promotion, in_service, promote, registry_of, registry_story, rollback
from ragraft.pipeline.questions import Proposed, Wanted, check_wanted, propose_questions
from ragraft.pipeline.refreshing import Refreshed, refresh
from ragraft.pipeline.review import DECISIONS, Decision, Review, open_review
from ragraft.pipeline.runner import Session, changed_keys, flat_settings, open_session, run_table
from ragraft.pipeline.serving import TRAFFIC, Service, open_service
from ragraft.pipeline.show import SHOWN, show
from ragraft.pipeline.standing import Standing, standing
from ragraft.pipeline.sweep import Swept, sweep
from ragraft.pipeline.syncing import Synced, sync
from ragraft.pipeline.table import ROWS, STAGES, TABLE
from ragraft.pipeline.traffic_split import DEFAULT
from ragraft.pipeline.watching import DRIFT, Watched, simulate, watch

__all__ = [
    "DECISIONS",
    "DEFAULT",
    "DRIFT",
    "PARTS",
    "RETRIEVALS",
    "ROWS",
    "SHOWN",
    "SHOWN_TRAFFIC",
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
    "Examined",
    "Exported",
    "Logged",
    "Part",
    "Piece",
    "Prepared",
    "Promotion",
    "Proposed",
    "Refreshed",
    "Retrieval",
    "Review",
    "Rows",
    "RunSeen",
    "Served",
    "Service",
    "Session",
    "Shown",
    "StageSeen",
    "Standing",
    "Swept",
    "Synced",
    "Table",
    "Traffic",
    "Wanted",
    "Watched",
    "Wishes",
    "ask",
    "begin_with",
    "calibration_tables",
    "changed_keys",
    "check_wanted",
    "compare",
    "compare_served",
    "diagnosis_tables",
    "examined",
    "export",
    "flat_settings",
    "in_service",
    "lesson_counts",
    "lesson_rows",
    "lesson_table",
    "look_around",
    "look_at",
    "measure_agreement",
    "one_example",
    "one_lesson",
    "open_review",
    "open_service",
    "open_session",
    "promote",
    "propose_questions",
    "question_texts",
    "refresh",
    "registry_of",
    "registry_story",
    "report_page",
    "report_table",
    "rollback",
    "run_table",
    "show",
    "shown_passages",
    "simulate",
    "standing",
    "sweep",
    "sync",
    "traffic",
    "watch",
]
