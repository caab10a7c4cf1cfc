"""What a refresh would do, from which model and documents to which, and what it should cost. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.methods.estimate import Estimate, duration, rounded
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import plural
from ragraft.methods.upkeep.changes import compare_documents
from ragraft.methods.upkeep.evidence import state_of
from ragraft.methods.upkeep.renewal import PARTS, Renewal, choose_lessons, renew
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.runner import Session, changes_told, fingerprint_of, made_otherwise
from ragraft.pipeline.standing import Standing, standing
from ragraft.pipeline.succession import APART
from ragraft.pipeline.table import ROWS, questions_of
from ragraft.pipeline.wiring import At
from ragraft.workspace import Checkpoint, Corpus, Exam, Folder, Index, Run, Since, read_since

NAMED = 5
"""Retired questions that are named."""


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """A refresh before it is carried out."""

    name: str
    """The run that it makes, or goes on with."""
    begun: bool
    since: Since
    old: Standing
    now: Mapping[str, Folder]
    """The corpus and the index in use."""


def plan_refresh(session: Session) -> RefreshPlan | None:
    """What there is to refresh; None where the model was taught the documents and questions as they are.

    Raises WorkspaceError or ConfigError where no refresh can be made from this run.
    """
    run = session.run
    own = read_since(run)
    if own is not None:
        raise ConfigError(f"{run.name} is a refresh of {own.home} itself; refresh that one: --run {own.home}")
    old = standing(session)
    if old is None:
        raise WorkspaceError(f"No tuned model in {run.path} to refresh. Run: ragraft run")
    old, now = old.whole(), _current(session)
    _refuse_another_base(session, old)
    marks = {name: fingerprint_of(folder) for name, folder in now.items()}
    same = all(old.fingerprints[name] == mark for name, mark in marks.items())
    taught = Session(session.config, session.origins, old.run, session.backends)
    if same and not made_otherwise(taught, "examine", old.folders["examine"]):
        return None
    since = Since(run.runs, run.name, old.run.name, old.model, old.fingerprints, marks)
    name, begun = _name(since)
    return RefreshPlan(name, begun, since, old, now)


def describe(session: Session, plan: RefreshPlan) -> tuple[Table, dict[str, Any]]:
    """The plan as a table and as data."""
    before = {name: plan.old.folders[name] for name in ("ingest", "index", "examine")}
    documents = list(Corpus(plan.now["ingest"]).documents())
    changes = compare_documents(Corpus(before["ingest"]).documents(), documents)
    exam = Exam(before["examine"])
    renewal = _renewal(session, plan, exam)
    sides = {one.id: one.side for one in exam.questions()}
    counts = {
        side: Counter(_part(renewal, name) for name, at in sides.items() if at == side) for side in ("exam", "train")
    }
    added = sum(row.part == "added" for row in renewal.renewed.values())
    fresh = {name for name, row in renewal.renewed.items() if row.fresh}
    learned = [one for one in exam.questions("train") if one.id in renewal.renewed]
    settings, money = session.config.refresh, session.config.watch
    most = session.config.synthesize.max_questions
    chosen = choose_lessons(learned, fresh, share=settings.replay, most=most, seed=settings.seed)
    costs = _costs(session, plan, len(chosen))
    seconds = sum(one.seconds for one in costs.values())
    data = {
        "run": plan.name,
        "from": {"run": plan.old.run.name, "model": plan.old.model, "index": plan.old.folders["index"].path.name},
        "index": plan.now["index"].path.name,
        "documents": {**changes.counts(), "unchanged": changes.unchanged},
        "questions": {side: {part: found[part] for part in (*PARTS, "retired")} for side, found in counts.items()},
        "added": added,
        "retired": [row.id for row in renewal.retired],
        "lessons": {"fresh": len(chosen & fresh), "replayed": len(chosen - fresh)},
        "expected": {
            "seconds": round(seconds, 1),
            "tokens": sum(one.tokens for one in costs.values()),
            "money": None if money.tuning is None else money.tuning + money.churn,
        },
    }
    return _table(data, costs, renewal, made=session.config.synthesize.made), data


def _table(data: Mapping[str, Any], costs: Mapping[str, Estimate], renewal: Renewal, *, made: Sequence[str]) -> Table:
    exam, lessons, old = data["questions"]["exam"], data["lessons"], data["from"]
    told = ", ".join(f"{number} {kind}" for kind, number in data["documents"].items() if number)
    rows = [
        ("model now", f"{old['model'] or 'its own'} of {old['run']}, which was taught index {old['index']}"),
        ("documents", f"{told}: index {data['index']}"),
        ("exam", ", ".join(f"{exam[part]} {part}" for part in ("unchanged", "changed", "retired"))),
        ("new questions", f"{data['added']}, each to the side of its documents"),
        (
            "lessons",
            f"on {plural(lessons['fresh'], 'question')} that the change touches and {lessons['replayed']} others"
            + (f", and on made ones ({', '.join(made)})" if made else ""),
        ),
        *((stage, str(found)) for stage, found in costs.items()),
        ("in all", f"about {duration(data['expected']['seconds'])}, {rounded(data['expected']['tokens']):,} tokens"),
    ]
    if data["expected"]["money"] is not None:
        rows.append(("money", f"{data['expected']['money']:g} (watch.tuning and watch.churn)"))
    names = [f"{row.id} ({row.reason})" for row in renewal.retired[:NAMED]]
    more = f", and {len(renewal.retired) - NAMED} more" if len(renewal.retired) > NAMED else ""
    notes = (f"Retired: {', '.join(names)}{more}.",) if names else ()
    return Table(f"Refresh {data['run']}", ("", "What"), tuple(rows), notes)


def _renewal(session: Session, plan: RefreshPlan, exam: Exam) -> Renewal:
    from ragraft.stages.examine import read_all

    asked, _ = read_all(questions_of(session.config))
    before = Corpus(plan.old.folders["ingest"]).documents()
    now = state_of(Corpus(plan.now["ingest"]).documents(), Index(plan.now["index"]).chunks(), before)
    chunks = Index(plan.old.folders["index"]).chunks().by_id()
    return renew(exam.questions(), [question for question, _ in asked], chunks, now)


def _part(renewal: Renewal, name: str) -> str:
    return renewal.renewed[name].part if name in renewal.renewed else "retired"


def _costs(session: Session, plan: RefreshPlan, questions: int) -> dict[str, Estimate]:
    """What each long stage is expected to take, sized by the exam of before."""
    config = session.config
    lessons = config.synthesize.model_copy(update={"max_questions": max(questions, 1)})
    made = {**plan.now, "examine": plan.old.folders["examine"]}
    sized = config if config.synthesize.made else config.model_copy(update={"synthesize": lessons})
    beside = config.model_copy(update={"evaluate": config.evaluate.model_copy(update=APART)})
    found = {}
    for told, stage, settings in (
        ("synthesize", "synthesize", sized),
        ("train", "train", sized),
        ("evaluate", "evaluate", config),
        ("compare", "evaluate", beside),
    ):
        expected = Foresight(At(settings, session.backends, made), session.run.runs).plan(stage)
        if expected:
            found[told] = expected.expected
    return found


def _current(session: Session) -> dict[str, Folder]:
    run = session.run
    index = run.current(ROWS["index"].place)
    manifest = index.manifest() if index else None
    if index is None or manifest is None:
        raise WorkspaceError(f"No index in {run.path}. Run: ragraft run --until index")
    if made_otherwise(session, "index"):
        raise WorkspaceError(
            f"The index in {run.path} was made under other settings{changes_told(session)}, and a refresh keeps those "
            "of the model. Run: ragraft run, or take the change back"
        )
    corpus = run.find(ROWS["ingest"].place, manifest.inputs["ingest"])
    if corpus is None:
        raise WorkspaceError(f"The corpus is gone of which the index in {run.path} was made. Run: ragraft sync")
    return {"ingest": corpus[0], "index": index}


def _refuse_another_base(session: Session, old: Standing) -> None:
    card = Checkpoint(old.folders["train"]).card()
    taught = card.get("base_identity")
    if taught is not None and taught != session.backends.model_facts()["identity"]:
        raise ConfigError(
            f"The model that answers was tuned from {card['base']}, and model: in the YAML is {session.config.model}: "
            "a refresh starts from the same base. Make another run: ragraft run --run NAME, and promote that"
        )


def _name(since: Since) -> tuple[str, bool]:
    """The refresh that goes on from there and was begun already, or a new number."""
    number = 1
    while (run := Run(since.runs, f"{since.home}-refresh-{number}")).path.exists():
        if read_since(run) == since:
            return run.name, True
        number += 1
    return run.name, False
