"""Look at a run from outside, on a day: documents, evidence, traffic, whether tuning again pays. Writes 95-drift.

Asked to, it also asks the models for facts (`staleness`): all else opens none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ragraft.config import WatchConfig
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError
from ragraft.methods.report_table import Table
from ragraft.pipeline.runner import Session, fingerprint_of, made_otherwise
from ragraft.pipeline.serving import TRAFFIC
from ragraft.pipeline.standing import Standing, standing
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Corpus, Exam, Folder, Index, Lessons, read_traffic

if TYPE_CHECKING:
    from ragraft.methods.upkeep.facts import Versions
    from ragraft.methods.upkeep.traffic import Traffic

DRIFT = "95-drift"
REFRESHED = ("re-tune", "re-synthesize", "re-examine")
"""Actions that `ragraft refresh` carries out."""
QUESTIONS = "questions"
"""Of the traffic's figures the one that tells how far questions are from the exam's."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found, as data and as tables."""

    data: Mapping[str, Any]
    tables: Sequence[Table]
    folder: Folder

    @property
    def due(self) -> bool:
        """Whether a refresh is asked for: by cost where that is known and no answer is stale, by what changed else."""
        plan = self.data["plan"]
        if plan is not None:
            return bool(plan["tune"] or self.data["figures"].get("stale"))
        return any(finding["action"] in REFRESHED for finding in self.data["findings"])


def watch(session: Session, today: date | None = None, *, ask: bool = False, say: Say = lambda line: None) -> Watched:
    """What changed, what that asks for, and whether tuning pays; `drift.json` keeps what is found.

    `ask` also asks the models for facts that stayed, changed, came and went; `say` is told before what that will take.
    """
    from ragraft.methods.upkeep.advice import advise
    from ragraft.methods.upkeep.alarms import alarms
    from ragraft.methods.upkeep.plan import History, make_plan
    from ragraft.methods.upkeep.stopping import Rule
    from ragraft.methods.upkeep.tables import advice_table, alarm_table, facts_tables, plan_table, words_table

    settings, today = session.config.watch, today or datetime.now(UTC).date()
    with disk_faults_told(session.run.path):
        folder = Folder(session.run.path).folder(DRIFT)
        born, old = _born(session), standing(session)
        versions = _versions(session, old)
        facts = _facts(session, old, versions, day=today.isoformat(), say=say, out=folder) if ask else None
        traffic, questions = _traffic(session, born, today, exam=old.folders.get("examine") if old else None)
        raised = alarms(traffic.streams, false_alarms=settings.false_alarms)
        words = _words(session, versions)
        tables = [*(facts_tables(facts) if facts else ())]
        tables += [words_table(words, questions)] if words or questions else []
        tables.append(alarm_table(raised, traffic, false_alarms=settings.false_alarms))
        data: dict[str, Any] = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "day": today.isoformat(),
            "tuned": born.isoformat() if born else None,
            "traffic": {"answers": traffic.answers, "days": traffic.days, "a_day": traffic.questions_a_day},
            "alarms": [asdict(alarm) for alarm in raised],
            "plan": None,
            "facts": facts,
            "words": words,
            "questions": questions,
        }
        if born and (settings.value is not None or settings.budget is not None):
            stakes = stakes_of(settings, traffic.questions_a_day)
            rule = Rule(decay=settings.decay)
            plan = make_plan(stakes, History(age=(today - born).days), budget=settings.budget, rule=rule)
            data["plan"] = plan.data()
            tables.append(plan_table(plan, _later(today, plan.wait)))
        data["documents"], data["evidence"] = _documents(session), _evidence(old, versions)
        figures = _figures(data)
        findings = advise(figures)
        data |= {"figures": figures, "findings": [asdict(finding) for finding in findings]}
        tables.append(advice_table(findings, data["evidence"]))
        folder.write_json("drift.json", data)
    return Watched(data, tables, folder)


def simulate(session: Session, worlds: int, seed: int) -> Table:
    """The rule beside other policies in worlds drawn by seed, with the stakes of the YAML where it has them."""
    from ragraft.methods.upkeep.simulate import compare, policies
    from ragraft.methods.upkeep.stopping import Rule
    from ragraft.methods.upkeep.tables import simulation_table
    from ragraft.methods.upkeep.worlds import DAYS, draw_worlds

    settings = session.config.watch
    stakes = None
    if settings.value is not None:
        stakes = stakes_of(settings, _traffic(session, None, datetime.now(UTC).date())[0].questions_a_day)
    drawn = draw_worlds(worlds, seed=seed, stakes=stakes)
    return simulation_table(compare(drawn, policies(Rule()), seed=seed), worlds=worlds, days=DAYS)


def stakes_of(settings: WatchConfig, questions_a_day: float) -> Any:
    """What is at stake by the settings; raises ConfigError where nobody knows how much is asked."""
    from ragraft.methods.upkeep.cadence import Stakes

    questions = settings.questions_a_day if settings.questions_a_day is not None else questions_a_day
    if settings.questions_a_day is None and not questions_a_day:
        raise ConfigError(
            "watch.questions_a_day is left out and no answer was served yet, so nobody knows how much is asked; set it"
        )
    return Stakes(questions, settings.value or 0.0, settings.tuning or 0.0, settings.churn)


def _figures(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the rules of `advice/upkeep.yaml` are held against."""
    evidence, plan, facts, words = data["evidence"], data["plan"], data["facts"] or {}, data["words"] or {}
    moved = [alarm for alarm in data["alarms"] if alarm["stream"] == QUESTIONS]
    new, usual = words.get("new"), words.get("usual")
    more = None
    if new and usual and new["low"] is not None and usual["high"] is not None:
        more = new["low"] - usual["high"]
    bits = facts.get("language", {}).get("bits per byte")
    return {
        "sources_changed": None if data["documents"] is None else float(data["documents"]["changed"]),
        "exam_lost": evidence["exam"]["lost"],
        "lessons_lost": evidence["lessons"]["lost"],
        "questions_moved": float(bool(moved)),
        "alarms": float(len(data["alarms"]) - len(moved)),
        "new_words": more,
        "tuning_pays": None if plan is None else float(plan["tune"]),
        **(facts.get("figures") or {}),
        "foreign": bits["ratio"] if bits else None,
    }


def _documents(session: Session) -> dict[str, Any] | None:
    """Whether the files are those of the corpus in use; None without one."""
    folder = session.run.current(ROWS["ingest"].place)
    if folder is None:
        return None
    return {"corpus": folder.path.name, "changed": made_otherwise(session, "ingest")}


def _versions(session: Session, old: Standing | None) -> Versions | None:
    """Documents and chunks when the model was taught, and now; None where nobody can tell."""
    from ragraft.methods.upkeep.evidence import state_of
    from ragraft.methods.upkeep.facts import Versions

    made = session.at().made
    if old is None or not old.complete or "index" not in made or "ingest" not in made:
        return None
    corpora = {when: list(Corpus(of["ingest"]).documents()) for when, of in (("before", old.folders), ("now", made))}
    before = Index(old.folders["index"]).chunks().by_id()
    same = fingerprint_of(made["index"]) == old.fingerprints["index"]
    chunks = before if same else Index(made["index"]).chunks().by_id()
    texts = {document.id: document.text for document in corpora["before"]}
    return Versions(texts, before, state_of(corpora["now"], chunks.values(), corpora["before"]), chunks)


def _facts(
    session: Session, old: Standing | None, versions: Versions | None, *, day: str, say: Say, out: Folder
) -> dict[str, Any]:
    """Ask the models, and what their answers are worth."""
    from ragraft.pipeline.staleness import Grounds, ask_facts, gather_facts, measure_facts, measure_language, say_cost

    if old is None:
        raise WorkspaceError(f"No tuned model in {session.run.path} to ask. Run: ragraft run")
    old.whole()
    if versions is None:
        raise WorkspaceError(f"No index in {session.run.path} to ask about. Run: ragraft run --until index")
    grounds = Grounds(session, old, versions)
    found = gather_facts(grounds)
    say_cost(grounds, found.facts, say)
    answers = ask_facts(grounds, found.facts)
    data = measure_facts(grounds, found, answers, day=day, out=out)
    return data | {"language": measure_language(grounds)}


def _words(session: Session, versions: Versions | None) -> dict[str, Any] | None:
    """New words of changed documents; None where none changed since the model was taught."""
    from ragraft.methods.upkeep.wording import measure_words

    came = versions.came if versions else []
    if not versions or not came:
        return None
    resamples, seed = session.config.evaluate.resamples, session.config.watch.seed
    return measure_words(came, list(versions.chunks_before.values()), resamples=resamples, seed=seed)


def _evidence(old: Standing | None, versions: Versions | None) -> dict[str, Any]:
    """Of exam questions and lessons, whose evidence is as it was when the model was taught."""
    from ragraft.methods.upkeep.evidence import fate_of_chunk, fate_of_question, fates, lost_share

    exam, lessons = list[tuple[str, Any]](), list[tuple[str, Any]]()
    if old and versions and versions.any:
        kept, before, now = old.folders, versions.chunks_before, versions.now
        asked = Exam(kept["examine"]).questions("exam")
        exam = [(one.id, fate_of_question(one, before, now)) for one in asked]
        for name, step in Lessons(kept["synthesize"]).steps().items():
            for lesson in step.train():
                states = [fate_of_chunk(before.get(chunk), now) for chunk in lesson.oracle if chunk in before]
                lessons.append((f"{name}/{lesson.id}", max(states, key=_WORSE.index) if states else None))
    found = {}
    for name, rows in (("exam", exam), ("lessons", lessons)):
        by_fate = fates(rows)
        counts = {fate: len(ids) for fate, ids in by_fate.items()}
        lost = {fate: by_fate[fate] for fate in ("changed", "gone")}
        found[name] = {"counts": counts, "lost": lost_share(by_fate), "ids": lost}
    return found


_WORSE = ("kept", "changed", "gone")


def _born(session: Session) -> date | None:
    """The day on which the model that answers was made; None without one."""
    old = standing(session)
    folder = old.folders.get("train") if old else None
    manifest = folder.manifest() if folder else None
    return datetime.fromisoformat(manifest.created).date() if manifest else None


def _traffic(
    session: Session, since: date | None, today: date, *, exam: Folder | None = None
) -> tuple[Traffic, dict[str, Any] | None]:
    """The tuned models' days since the run's own was made, or the base model's where there is no other.

    And how far the questions are from those that are known, where both are there.
    """
    from ragraft.methods.upkeep.traffic import read_days
    from ragraft.methods.upkeep.wording import Questions

    first, place = since.isoformat() if since else "", session.run.path / TRAFFIC

    def rows() -> Iterator[dict[str, Any]]:
        return (row for row in read_traffic(place) if str(row["at"]) >= first)

    def asked() -> Iterator[tuple[str, str]]:
        return ((row["id"], row["question"]) for row in rows() if row["kind"] == "answer" and row.get("question"))

    if exam is None or next(asked(), None) is None:
        return read_days(rows(), base=since is None, before=today), None
    known = Questions(one.question.question for one in Exam(exam).questions())
    distances = {name: known.distance(question) for name, question in asked()}
    questions = {
        "asked": len(distances),
        "distance": sum(distances.values()) / len(distances),
        "words": [list(row) for row in known.new_words(question for _, question in asked())],
    }
    return read_days(rows(), base=since is None, before=today, distances=distances), questions


def _later(today: date, days: float) -> str:
    return (today + timedelta(days=round(days))).isoformat() if days < 36500 else ""  # noqa: PLR2004 — a century
