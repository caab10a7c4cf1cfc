"""Look at a run from outside, on a day: is its traffic what it was, and does tuning again pay? Writes 95-drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ragraft.config import WatchConfig
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError
from ragraft.methods.report_table import Table
from ragraft.pipeline.runner import Session
from ragraft.pipeline.serving import TRAFFIC
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Folder, read_traffic

DRIFT = "95-drift"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found, as data and as tables."""

    data: Mapping[str, Any]
    tables: Sequence[Table]
    folder: Folder


def watch(session: Session, today: date | None = None) -> Watched:
    """Traffic and the decision; `drift.json` keeps what is found."""
    from ragraft.methods.upkeep.alarms import alarms
    from ragraft.methods.upkeep.plan import History, make_plan
    from ragraft.methods.upkeep.stopping import Rule
    from ragraft.methods.upkeep.tables import alarm_table, plan_table

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


def _born(session: Session) -> date | None:
    """The day on which the tuned model was made; None without one."""
    folder = session.run.current(ROWS["train"].place)
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
