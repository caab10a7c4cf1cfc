"""Tune again for the documents as they are: a sibling run from the same base, compared with the model in service.

The refresh is a run like any other, so a killed one goes on with the same command and equal results are taken over.
What is special stands in its `since.json` (from which model and exam it goes on) and `96-refresh` (how it did beside
the model in service, and what came of that). The run that is synced and served stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ragraft.disk import disk_faults_told
from ragraft.errors import WorkspaceError
from ragraft.methods.gate import BASE, SERVICE, TUNED
from ragraft.methods.report_table import Table
from ragraft.methods.upkeep.parts import parts_table
from ragraft.pipeline.events import Event, Tell
from ragraft.pipeline.promote import promote, registry_of
from ragraft.pipeline.refresh_plan import RefreshPlan, describe, plan_refresh
from ragraft.pipeline.runner import Session, fingerprint_of, made_otherwise, run_table
from ragraft.pipeline.succession import PLACE, THEN, compare_with_service, read_succession
from ragraft.pipeline.table import ROWS
from ragraft.workspace import REFRESH, Checkpoint, Folder, Run, write_since
from ragraft.workspace.registry import PROMOTED, REFUSED

TIMED = ("synthesize", "train", "evaluate")
BEHIND = "Files are not those of the index: what changed since needs a ragraft sync, and is left to the next refresh."


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of `ragraft refresh`."""

    event: Literal["nothing", "planned", "promoted", "refused", "taken back"]
    says: str
    """In a sentence."""
    run: str | None = None
    """The run that it made, or would make."""
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    data: Mapping[str, Any] | None = None
    """96-refresh/refresh.json; of a plan, the plan."""

    @property
    def refused(self) -> bool:
        """Whether there is a new model that is not in service."""
        return self.event in ("refused", "taken back")


def refresh(session: Session, tell: Tell, *, dry: bool = False) -> Refreshed:
    """Bring the model up to the documents in use and the questions as they are; promoted if it passes the gate.

    `dry` only says what would be done. Raises WorkspaceError where there is no model, or what it was made from is gone.
    """
    with disk_faults_told(session.run.path):
        plan = plan_refresh(session)
        notes = (BEHIND,) if made_otherwise(session, "ingest") else ()
        if plan is None:
            return Refreshed(
                "nothing", "Nothing to do: the model was taught documents and questions as they are.", notes=notes
            )
        table, planned = describe(session, plan)
        if dry:
            told = f"Would {'go on with' if plan.begun else 'make'} run {plan.name}; nothing is changed."
            return Refreshed("planned", told, plan.name, (table,), notes, planned)
        found = _carry_out(session, plan, planned, tell)
        return replace(found, notes=(*found.notes, *notes))


def _carry_out(session: Session, plan: RefreshPlan, planned: Mapping[str, Any], tell: Tell) -> Refreshed:
    config = session.config.model_copy(update={"name": plan.name})
    new = replace(session, config=config, run=Run(session.run.runs, plan.name))
    _begin(new, plan)
    made = run_table(new, tell)
    evaluated = fingerprint_of(made["evaluate"])
    gate = config.promote.model_dump(mode="json")
    known = read_succession(new.run)
    data = known.data() if known else {}
    if data.get("evaluate") != evaluated:
        began = time.monotonic()
        tell(Event("compare", "begun", folder=new.run.path / PLACE))
        with new.run.locked():
            parts = compare_with_service(new, made, plan.since)
            seconds = round(time.monotonic() - began, 2)
            data = {"plan": planned, "evaluate": evaluated, "parts": parts, "took": _took(made, seconds)}
            _keep(new, data)
        asked = {"questions": max(card["n_questions"] for card in parts.values())}
        tell(Event("compare", "done", seconds, summary=asked, folder=new.run.path / PLACE))
    if data.get("outcome") and data.get("gate") == gate:
        return _told_again(new, data)
    came = promote(new)
    outcome = {
        "event": came.event,
        "model": came.model,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "failed": came.failed,
        "before": came.before,
    }
    data = {**data, "gate": gate, "outcome": outcome}
    _keep(new, data)
    if came.event == REFUSED:
        says = _refusal(plan.name, outcome)
    else:
        says = f"{came.model} is in service; before: {came.before or 'none that was promoted'}. Back: ragraft rollback"
    event: Any = "refused" if came.event == REFUSED else "promoted"
    return Refreshed(event, says, plan.name, (_parts(new, data), came.table), (_took_told(data["took"]),), data)


def _begin(new: Session, plan: RefreshPlan) -> None:
    """The sibling run with its corpus and index, which are those in use."""
    with new.run.locked():
        write_since(new.run, plan.since)
        for name in ("ingest", "index"):
            if new.run.take(ROWS[name].place, plan.since.now[name]) is None:
                raise WorkspaceError(f"{plan.now[name].path} went away meanwhile. Run: ragraft refresh")


def _told_again(new: Session, data: Mapping[str, Any]) -> Refreshed:
    """What is known of it since an earlier refresh, of which nothing has changed."""
    outcome = data["outcome"]
    if outcome["event"] == PROMOTED and registry_of(new).state().current != outcome["model"]:
        says = (
            f"{outcome['model']} was put into service {outcome['at']} and taken back; nothing changed since. To put it "
            f"back: ragraft promote --run {new.config.name}"
        )
        return Refreshed("taken back", says, new.config.name, (_parts(new, data),), data=data)
    says = f"{_refusal(new.config.name, outcome)} (of {outcome['at']}; nothing changed since)"
    return Refreshed("refused", says, new.config.name, (_parts(new, data),), data=data)


def _refusal(name: str, outcome: Mapping[str, Any]) -> str:
    return (
        f"{outcome['model']} is not put into service: {', '.join(outcome['failed'])} not passed; the one before goes "
        f'on. All the same: ragraft promote --run {name} --force --reason "…"'
    )


def _parts(new: Session, data: Mapping[str, Any]) -> Table:
    retired = data["plan"]["questions"]["exam"]["retired"]
    models = (BASE, THEN, SERVICE, TUNED)
    return parts_table(data["parts"], retired, metric=new.config.promote.metric, models=models, pair=(TUNED, SERVICE))


def _took(made: Mapping[str, Folder], compared: float) -> dict[str, Any]:
    """Seconds by stage, and the tokens that were trained on."""
    manifests = {name: made[name].manifest() for name in TIMED}
    seconds = {name: manifest.seconds for name, manifest in manifests.items() if manifest}
    tokens = sum(int(card.get("tokens", 0)) for card in Checkpoint(made["train"]).cards().values())
    return {"seconds": {**seconds, "compare": compared}, "trained tokens": tokens}


def _took_told(took: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in took["seconds"].items())
    return f"Took {sum(took['seconds'].values()) / 60:.1f} min ({parts}); {took['trained tokens']:,} tokens trained."


def _keep(new: Session, data: Mapping[str, Any]) -> None:
    Folder(new.run.path).folder(PLACE).write_json(REFRESH, dict(data))
