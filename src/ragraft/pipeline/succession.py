"""How a refreshed model does beside the one in service, on one exam: asked, kept under 96-refresh, and shown.

Both answer from the newest index. What the model in service answered at its own exam stands beside it where it is the
same question, so that old scores stay comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ragraft.methods.gate import BASE, CONTEXT, SERVICE, TUNED
from ragraft.methods.upkeep.parts import compare_parts
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import ROWS, evaluate_side
from ragraft.records import Answer, to_json
from ragraft.workspace import REFRESH, Exam, Folder, Run, Scorecard, Since, Succession
from ragraft.workspace import SERVICE as SERVICE_ROWS

PLACE = "96-refresh"
THEN = "in service, then"
APART: Mapping[str, Any] = {
    "models": (TUNED,),
    "contexts": (CONTEXT,),
    "forgetting": False,
    "sweeps": (),
    "probes": (),
    "grader": None,
    "grader_labels": None,
}


def compare_with_service(session: Session, made: Mapping[str, Folder], since: Since) -> dict[str, Any]:
    """Ask the model in service the refreshed run's exam, as the new one was; the figures by part of the exam."""
    folder, config = Folder(session.run.path).folder(PLACE), session.config
    at = session.at({**made, "train": since.folder(ROWS["train"].place, "train")})
    asked = config.evaluate.model_copy(update=APART)
    rows = [replace(row, model=SERVICE) for row in evaluate_side(at, "exam", asked, folder.folder("asked")).answers()]
    folder.write_jsonl(SERVICE_ROWS, map(to_json, rows))
    exam, card = Exam(made["examine"]), Scorecard(made["evaluate"])
    parts = {name: str(row["part"]) for name, row in exam.changes().items()}
    same = {name for name, part in parts.items() if part == "unchanged"}
    then = [replace(row, model=THEN) for row in _then(since) if row.question_id in same]
    own = [row for row in card.answers() if row.context == CONTEXT]
    questions = exam.questions("exam")
    known = {one.id for one in questions}
    return compare_parts(
        [row for row in (*own, *rows, *then) if row.question_id in known],
        questions,
        parts,
        models=(BASE, THEN, SERVICE, TUNED),
        pairs=((TUNED, SERVICE), (TUNED, BASE), (SERVICE, THEN)),
        resamples=config.evaluate.resamples,
        seed=config.evaluate.seed,
    )


def read_succession(run: Run) -> Succession | None:
    """What a refreshed run keeps of the comparison; None where there is none."""
    folder = Folder(run.path / PLACE)
    return Succession(folder) if folder.has(REFRESH) else None


def _then(since: Since) -> list[Answer]:
    """What the model in service answered at its own exam, from the index of then; nothing where it is not kept."""
    scores = Run(since.runs, since.run).current(ROWS["evaluate"].place)
    manifest = scores.manifest() if scores else None
    if scores is None or manifest is None or manifest.inputs["train"] != since.before["train"]:
        return []
    return [row for row in Scorecard(scores).answers() if (row.model, row.context) == (TUNED, CONTEXT)]
