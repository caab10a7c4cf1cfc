"""Look at a run from outside, on a day: documents, evidence, traffic, whether tuning again pays. Writes 95-drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ragraft.config import WatchConfig
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError
from ragraft.methods.report_table import Table
from ragraft.pipeline.runner import Session, fingerprint_of, made_otherwise
from ragraft.pipeline.serving import TRAFFIC
from ragraft.pipeline.standing import standing
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Corpus, Exam, Folder, Index, Lessons, read_traffic

DRIFT = "95-drift"
REFRESHED = ("re-tune", "re-synthesize", "re-examine")
"""Actions that `ragraft refresh` carries out."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found, as data and as tables."""

    data: Mapping[str, Any]
    tables: Sequence[Table]
    folder: Folder

    @property
    def due(self) -> bool:
        """Whether a refresh is asked for: by cost where that is known, by what changed else."""
        plan = self.data["plan"]
        if plan is not None:
            return bool(plan["tune"])
        return any(finding["action"] in REFRESHED for finding in self.data["findings"])


def watch(session: Session, today: date | None = None) -> Watched:
    """What changed, what that asks for, and whether tuning pays; `drift.json` keeps what is found."""
    from ragraft.methods.upkeep.advice import advise
    from ragraft.methods.upkeep.alarms import alarms
    from ragraft.methods.upkeep.plan import History, make_plan
    from ragraft.methods.upkeep.stopping import Rule
    from ragraft.methods.upkeep.tables import advice_table, alarm_table, plan_table

    settings, today = session.config.watch, today or datetime.now(UTC).date()
    with disk_faults_told(session.run.path):
        born = _born(session)
        traffic = _traffic(session, born, today)
        raised = alarms(traffic.streams, false_alarms=settings.false_alarms)
        tables = [alarm_table(raised, traffic, false_alarms=settings.false_alarms)]
        data: dict[str, Any] = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "day": today.isoformat(),
            "tuned": born.isoformat() if born else None,
            "traffic": {"answers": traffic.answers, "days": traffic.days, "a_day": traffic.questions_a_day},
            "alarms": [asdict(alarm) for alarm in raised],
            "plan": None,
        }
        if born and (settings.value is not None or settings.budget is not None):
            stakes = stakes_of(settings, traffic.questions_a_day)
            rule = Rule(decay=settings.decay)
            plan = make_plan(stakes, History(age=(today - born).days), budget=settings.budget, rule=rule)
            data["plan"] = plan.data()
            tables.append(plan_table(plan, _later(today, plan.wait)))
        data["documents"], data["evidence"] = _documents(session), _evidence(session)
        figures = _figures(data)
        findings = advise(figures)
        data |= {"figures": figures, "findings": [asdict(finding) for finding in findings]}
        tables.append(advice_table(findings, data["evidence"]))
        folder = Folder(session.run.path).folder(DRIFT)
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
        stakes = stakes_of(settings, _traffic(session, None, datetime.now(UTC).date()).questions_a_day)
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


def _figures(data: Mapping[str, Any]) -> dict[str, float | None]:
    """What the rules of `advice/upkeep.yaml` are held against."""
    evidence, plan = data["evidence"], data["plan"]
    return {
        "sources_changed": None if data["documents"] is None else float(data["documents"]["changed"]),
        "exam_lost": evidence["exam"]["lost"],
        "lessons_lost": evidence["lessons"]["lost"],
        "alarms": float(len(data["alarms"])),
        "tuning_pays": None if plan is None else float(plan["tune"]),
    }


def _documents(session: Session) -> dict[str, Any] | None:
    """Whether the files are those of the corpus in use; None without one."""
    folder = session.run.current(ROWS["ingest"].place)
    if folder is None:
        return None
    return {"corpus": folder.path.name, "changed": made_otherwise(session, "ingest")}


def _evidence(session: Session) -> dict[str, Any]:
    """Of exam questions and lessons, whose evidence is as it was when the model was taught."""
    from ragraft.methods.upkeep.evidence import fate_of_chunk, fate_of_question, fates, lost_share, state_of

    old, made = standing(session), session.at().made
    exam, lessons = list[tuple[str, Any]](), list[tuple[str, Any]]()
    if old and old.complete and "index" in made and fingerprint_of(made["index"]) != old.fingerprints["index"]:
        kept = old.folders
        before = Index(kept["index"]).chunks().by_id()
        now = state_of(
            Corpus(made["ingest"]).documents(), Index(made["index"]).chunks(), Corpus(kept["ingest"]).documents()
        )
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


def _traffic(session: Session, since: date | None, today: date) -> Any:
    """The tuned models' days since the run's own was made, or the base model's where there is no other."""
    from ragraft.methods.upkeep.traffic import read_days

    first = since.isoformat() if since else ""
    rows = (row for row in read_traffic(session.run.path / TRAFFIC) if str(row["at"]) >= first)
    return read_days(rows, base=since is None, before=today)


def _later(today: date, days: float) -> str:
    return (today + timedelta(days=round(days))).isoformat() if days < 36500 else ""  # noqa: PLR2004 — a century
