"""One question to a finished run: its index, its prompt, its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from ragraft.config import CONTEXTS
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError, or_meant
from ragraft.methods.answer import Reply, answer, answer_from_index
from ragraft.methods.routing import Decision, decided
from ragraft.pipeline.calibrated import RETRIEVALS, open_router
from ragraft.pipeline.runner import Session, changes_told, made_otherwise
from ragraft.pipeline.table import ROWS
from ragraft.pipeline.wiring import At, builder, retriever
from ragraft.workspace import Checkpoint

MODELS = ("base", "tuned")


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply and the version of the index that it rests on."""

    reply: Reply
    model: str
    index_version: str
    notes: tuple[str, ...] = ()
    """What the user should know of passages and model: where they are from, and whether by these settings."""
    decision: Decision | None = None
    """With retrieval auto: what was decided, and by which probabilities."""


def ask(
    session: Session,
    question: str,
    *,
    model: str | None = None,
    retrieval: str = "always",
    as_of: str | None = None,
) -> Asked:
    """Answer with `tuned` (default where there is a checkpoint) or `base`, from the passages of the run's retriever.

    With `retrieval` never the answer is from memory; with auto the run's calibration decides. `as_of`: a date or time
    in ISO form; the answer then rests on the index that was current at its end.
    """
    if not question.strip():
        raise ConfigError("The question is empty; write it in quotation marks after ragraft ask")
    with disk_faults_told(session.run.path):
        return _ask(session, question, model=model, retrieval=retrieval, as_of=as_of)


def _ask(session: Session, question: str, *, model: str | None, retrieval: str, as_of: str | None) -> Asked:
    if retrieval not in RETRIEVALS:
        raise ConfigError(f"--retrieval {retrieval} is no way to ask{or_meant(retrieval, RETRIEVALS)}")
    at = indexed(session) if as_of is None else indexed_then(session, as_of)
    name = model or ("tuned" if "train" in at.made else "base")
    if name not in MODELS:
        raise ConfigError(f"--model {name} is no model of a run{or_meant(name, MODELS)}")
    prompts, generator = builder(at, name), session.backends.generator(source_of(session, at, name))

    def remembered() -> Reply:
        return answer([question], [()], builder=prompts, generator=generator)[0]

    def looked_up() -> Reply:
        return answer_from_index(
            question,
            retriever=(session.backends.retriever if as_of is None else None) or retriever(at),
            k=session.config.retrieve.k,
            builder=prompts,
            generator=generator,
        )

    decision = None
    if retrieval == "auto":
        router = open_router(session, at, name)
        reply, decision = decided(question, remembered, looked_up, router=router, builder=prompts)
    else:
        reply = looked_up() if retrieval == "always" else remembered()
    notes = notes_on(session, name) + _notes_on_then(session, as_of)
    return Asked(reply, name, at.made["index"].path.name, notes, decision)


def indexed(session: Session) -> At:
    """The run as it stands, with an index that questions can be compared with; raises WorkspaceError without one."""
    at = session.at()
    for stage in ("ingest", "index"):
        if stage not in at.made:
            raise WorkspaceError(f"No index in {session.run.path}. Run: ragraft run --until index")
    if made_otherwise(session, "index"):
        # Its vectors may be another model's: a question would be compared with what it cannot be compared with.
        raise WorkspaceError(
            f"The index in {session.run.path} was made under other settings{changes_told(session)}. "
            "Run: ragraft index, or take the change back"
        )
    return at


def indexed_then(session: Session, moment: str) -> At:
    """The run as it stands, with the index that was current at the end of that date, or at that time.

    Raises ConfigError for what is no date, and WorkspaceError where there was none, or it is gone or not comparable.
    """
    place, until = ROWS["index"].place, _end_of(moment)
    stood = session.run.history(place)
    then = [one for one in stood if one.since <= until]
    if not then:
        first = f"; the first one is of {stood[0].since:%Y-%m-%d %H:%M} UTC" if stood else ". Run: ragraft index"
        raise WorkspaceError(f"No index in {session.run.path} as of {moment}{first}")
    folder = session.run.pinned(place, then[-1].version)
    if folder.manifest() is None:
        raise WorkspaceError(f"The index as of {moment} is gone: no {folder.path}; ask as of another day")
    if made_otherwise(session, "index", folder):
        raise WorkspaceError(
            f"The index as of {moment} ({folder.path.name}) was made under other settings; take them back to ask it"
        )
    at = session.at()
    return replace(at, made={**at.made, "index": folder})


def _end_of(moment: str) -> datetime:
    try:
        if len(moment) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(moment), time.max, UTC)
        found = datetime.fromisoformat(moment)
    except ValueError:
        raise ConfigError(f"--as-of {moment} is no date; write it as 2026-01-31 or 2026-01-31T18:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _notes_on_then(session: Session, as_of: str | None) -> tuple[str, ...]:
    if as_of is None or session.config.retrieve.retriever in (None, CONTEXTS):
        return ()
    return ("your own retriever knows no past: these passages are from ragraft's index",)


def source_of(session: Session, at: At, name: str) -> str:
    """The model named base or tuned: a source, or the run's final checkpoint."""
    if name == "base":
        return session.config.model
    if "train" not in at.made:
        raise WorkspaceError(f"No tuned model in {session.run.path}. Run: ragraft run")
    return str(Checkpoint(at.made["train"]).final())


def notes_on(session: Session, name: str) -> tuple[str, ...]:
    """What the user should know of passages and model: where they are from, and whether by these settings."""
    notes: tuple[str, ...] = ()
    if session.config.retrieve.retriever == CONTEXTS:
        notes += ("a question asked here carries no contexts: its passages are from ragraft's own index",)
    if name == "tuned" and made_otherwise(session, "train"):
        notes += (f"this model was trained under other settings{changes_told(session)}; ragraft run trains it anew",)
    return notes
