"""Put a run's model into service, or go back to the one before. Knows runs and the registry; `methods.gate` judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ragraft.config import PromoteConfig
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError
from ragraft.methods.gate import Check, Exam, Gate, gate_table, pass_gate
from ragraft.methods.report_table import Table
from ragraft.methods.scorecard import better_base
from ragraft.pipeline.runner import Session
from ragraft.pipeline.succession import read_succession
from ragraft.pipeline.table import ROWS
from ragraft.records import Answer, to_json
from ragraft.workspace import (
    FORGETTING,
    Checkpoint,
    Folder,
    Manifest,
    Registry,
    Report,
    Scorecard,
    hash_file,
    hash_json,
    read_since,
)
from ragraft.workspace import Exam as ExamFolder
from ragraft.workspace.registry import FORCED, LOG, PROMOTED, REFUSED, ROLLED_BACK, State, Writer

REGISTRY = "registry"
DIGITS = 8
SHOWN = 20
"""Rows of the log that are printed."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of `ragraft promote`."""

    model: str
    event: str
    table: Table
    failed: tuple[str, ...]
    before: str | None
    """What was in service."""

    @property
    def refused(self) -> bool:
        return self.event == REFUSED


@dataclass(frozen=True, slots=True)
class _Examined:
    """A run's finished model with the scores that are its own."""

    checkpoint: Checkpoint
    trained: Manifest
    scored: Manifest
    exam: Exam
    manner: Mapping[str, Any] | None
    """How it was asked when it was examined."""


def registry_of(session: Session) -> Registry:
    """The registry of the session's workspace."""
    return Registry(session.run.runs.parent / REGISTRY)


def promote(session: Session, *, force: str | None = None) -> Promotion:
    """Put the run's model into service if it passes the gate of `promote:`, or whatever it says with a reason to force.

    Raises WorkspaceError where model or scores are not there, or not each other's.
    """
    if force is not None and not force.strip():
        raise ConfigError('--force keeps the reason; give one: ragraft promote --force --reason "…"')
    registry = registry_of(session)
    with disk_faults_told(registry.path), session.run.locked():
        found = _examined(session)
        checks = pass_gate(found.exam, _gate(session.config.promote))
        model = _name(session, found)
        rival = better_base(found.exam.card, "retrieved", session.config.promote.metric)
        failed = tuple(check.name for check in checks if not check.passed)
        event = PROMOTED if not failed else FORCED if force is not None else REFUSED
        with registry.writing() as writer:
            before = writer.state.current
            if event != REFUSED:
                if before == model:
                    raise WorkspaceError(f"{model} is in service already; train another, or go back: ragraft rollback")
                _keep(session, writer, model, found)
            row = _row(event, model, before, session.run.name)
            writer.add({**row, "reason": (force or "").strip(), "gate": _told(checks)})
    return Promotion(model, event, gate_table(checks, rival), failed, before)


def rollback(session: Session, reason: str = "") -> State:
    """Go back to the model that was in service before this one; raises WorkspaceError where there is none."""
    registry = registry_of(session)
    with disk_faults_told(registry.path), registry.writing() as writer:
        state = writer.state
        if state.current is None:
            raise WorkspaceError(f"Nothing is in service by {registry.path}, so there is nothing to go back from")
        after = state.serving[-2] if len(state.serving) > 1 else None
        if after is not None:
            registry.checked(after)  # what it goes back to must be whole
        row = _row(ROLLED_BACK, after, state.current, None)
        return writer.add({**row, "reason": reason.strip(), "gate": []})


def registry_story(session: Session) -> list[str]:
    """The models kept, and what happened to them, in lines; raises WorkspaceError where nothing ever did."""
    registry = registry_of(session)
    rows = registry.log()
    if not rows:
        raise WorkspaceError(f"No registry in {registry.path.parent}. Run: ragraft promote")
    earlier = [f"  ({len(rows) - SHOWN} earlier rows: {registry.path / LOG})"] if len(rows) > SHOWN else []
    return [*_models_told(registry), "log:", *earlier, *map(_row_told, rows[-SHOWN:])]


def in_service(session: Session) -> str | None:
    """A line on the model in service; None where nothing was ever promoted."""
    registry = registry_of(session)
    state = registry.state()
    if not state.rows:
        return None
    if state.current is None:
        return "in service: none that was promoted"
    row = [row for row in registry.log() if row["model"] == state.current and row["event"] in (PROMOTED, FORCED)][-1]
    return f"in service: {state.current}, {row['event']} {row['at']}"


def _examined(session: Session) -> _Examined:
    """Model and scores; raises WorkspaceError where one is not finished, or they don't belong together."""
    run, config = session.run, session.config
    folders = {name: run.current(ROWS[name].place) for name in ("train", "evaluate")}
    made = {name: folder.manifest() if folder else None for name, folder in folders.items()}
    trained, scored, train, scores = made["train"], made["evaluate"], folders["train"], folders["evaluate"]
    if train is None or trained is None:
        raise WorkspaceError(f"No tuned model in {run.path}. Run: ragraft run")
    if scores is None or scored is None:
        raise WorkspaceError(f"The model in {run.path} is not examined yet. Run: ragraft run")
    if scored.inputs["train"] != trained.fingerprint:
        raise WorkspaceError(
            f"The scores in {run.path} are another model's (of {scored.inputs['train'][:DIGITS]}, and the model is "
            f"{trained.fingerprint[:DIGITS]}). Run: ragraft run"
        )
    exam = run.find(ROWS["examine"].place, scored.inputs["examine"])
    if exam is None:
        raise WorkspaceError(f"The exam that {run.path} was scored with is gone. Run: ragraft run")
    card = Scorecard(scores)
    own = ExamFolder(exam[0])
    return _Examined(
        Checkpoint(train),
        trained,
        scored,
        Exam(
            card=card.card(),
            forgetting=scores.read_json(FORGETTING) if scores.has(FORGETTING) else {},
            answers=list(card.answers()),
            questions=own.questions("exam"),
            resamples=config.evaluate.resamples,
            seed=config.evaluate.seed,
            service=_service(session, scored),
            unchanged={name for name, row in own.changes().items() if row["part"] == "unchanged"},
        ),
        card.manner(),
    )


def _service(session: Session, scored: Manifest) -> list[Answer] | None:
    """What the model in service answers to the same exam; None where no refresh has anything to be compared with.

    Nothing where another model is in service than the one that was compared, or the scores are newer.
    """
    since, compared = read_since(session.run), read_succession(session.run)
    if since is None:
        return None
    registry = registry_of(session)
    current = registry.state().current
    same = current is None or registry.facts(current)["train"] == since.before["train"]
    if not same or compared is None or compared.data()["evaluate"] != scored.fingerprint:
        return []
    return compared.service()


def _gate(settings: PromoteConfig) -> Gate:
    return Gate(**settings.model_dump())


def _name(session: Session, found: _Examined) -> str:
    """RUN-DIGITS: equal weights on an equal base have one name, however often they are made."""
    steps = found.checkpoint.steps()
    weights = {
        f"{name}/{file.name}": hash_file(file)
        for name, step in steps.items()
        for file in sorted(step.path.glob("*.safetensors"))
    }
    return f"{session.run.name}-{hash_json([weights, _base_identity(session, found)])[:DIGITS]}"


def _base_identity(session: Session, found: _Examined) -> str:
    card = found.checkpoint.card()
    return str(card.get("base_identity") or session.backends.model_facts()["identity"])


def _keep(session: Session, writer: Writer, model: str, found: _Examined) -> None:
    """Keep the checkpoint under its name; what is there already and whole stays."""
    registry = registry_of(session)
    if registry.has(model):
        try:
            registry.checked(model)
        except WorkspaceError:
            pass  # damaged: kept anew
        else:
            return
    card = found.checkpoint.card()
    facts: dict[str, Any] = {
        "id": model,
        "run": session.run.name,
        "method": "+".join(step.partition("-")[2] for step in found.checkpoint.steps()),
        "created": found.trained.created,
        "base": card["base"],
        "base_identity": _base_identity(session, found),
        "train": found.trained.fingerprint,
        "evaluate": found.scored.fingerprint,
        "manner": found.manner,
    }
    writer.keep(model, list(found.checkpoint.steps().values()), {**facts, **_reported(session, found)})


def _reported(session: Session, found: _Examined) -> dict[str, Any]:
    """What report.json says of these scores: the verdict, and the prompt and passages that they were made with."""
    folder: Folder | None = session.run.current(ROWS["report"].place)
    manifest = folder.manifest() if folder else None
    if folder is None or manifest is None or manifest.inputs["evaluate"] != found.scored.fingerprint:
        return {}
    report = Report(folder).data()
    return {"verdict": report["headline"]["sentence"], "prompt": report["settings"].get("prompt")}


def _row(event: str, model: str | None, before: str | None, run: str | None) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"at": at, "event": event, "model": model, "before": before, "run": run}


def _told(checks: Sequence[Check]) -> list[dict[str, Any]]:
    figure = ("value", "low", "high", "n")
    return [
        {**to_json(check), "figure": check.figure and {key: check.figure.get(key) for key in figure}}
        for check in checks
    ]


def _models_told(registry: Registry) -> list[str]:
    state = registry.state()
    told = []
    for model in state.models:
        facts = registry.facts(model) if registry.has(model) else {}
        of = f"{facts['method']} of {facts['run']}, on {facts['base']}" if facts else "removed"
        told.append(f"  {model}  {of}{'  <- in service' if model == state.current else ''}")
    return ["models put into service:", *(told or ["  none"])]


def _row_told(row: Mapping[str, Any]) -> str:
    """`2026-…  forced  acme-12345678 (before: none): the reason; not passed: score`"""
    why = "; ".join([*([row["reason"]] if row["reason"] else []), *_failed(row)])
    place = f"{row['model'] or 'none'} (before: {row['before'] or 'none'})"
    return f"  {row['at']}  {row['event']:<11} {place}{f': {why}' if why else ''}"


def _failed(row: Mapping[str, Any]) -> list[str]:
    names = [check["name"] for check in row["gate"] if not check["passed"]]
    return [f"not passed: {', '.join(names)}"] if names else []
