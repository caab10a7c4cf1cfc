"""What watching found, as tables of text. Knows no terminal and no file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import interval
from ragraft.methods.upkeep.advice import Finding
from ragraft.methods.upkeep.alarms import Alarm
from ragraft.methods.upkeep.plan import Plan
from ragraft.methods.upkeep.simulate import KNOWING, KNOWN_DECAY, RULE, Compared
from ragraft.methods.upkeep.traffic import STREAMS, Traffic, day_of
from ragraft.methods.upkeep.worlds import KINDS
from ragraft.records import Interval

INPUTS = {
    "questions": "questions a day",
    "value": "value of a right answer",
    "cost": "cost of tuning and churn",
    "decay": "right answers lost a day",
}
LONG = 3650.0
"""Days beyond which the day is not told."""


def plan_table(plan: Plan, next_day: str) -> Table:
    """Today's decision, and the interval with each input at half and at twice what it is taken for."""
    rows = [(INPUTS[row.input], _days(row.half), _days(row.twice)) for row in plan.sensitivity]
    decision = "Tune again" if plan.tune else "Leave it"
    notes = [
        f"{decision}: {plan.because}.",
        f"The model is {_days(plan.age)} old; the interval that costs least is {_days(plan.interval)}."
        if plan.basis == "value"
        else f"The model is {_days(plan.age)} old; the budget pays for one re-tune in {_days(plan.interval)}, which is "
        f"right if an answer is worth {plan.value:.3g}.",
        f"Decline: {100 * plan.decay:.3g} points of 100 a day, "
        + ("from what was measured." if plan.measured else "as the settings have it; nothing was measured yet."),
    ]
    if plan.sensitivity:
        dearer = max(row.dearer for row in plan.sensitivity)
        notes.append(
            f"Where one of these is wrong by two, this interval costs {100 * dearer:.0f} % more than the best."
        )
    if not plan.tune:
        notes.append(f"Next: {next_day}." if plan.wait < LONG else "Next: not in sight; look again.")
    return Table("When to tune again", ("Interval if this is wrong by two", "half", "twice"), tuple(rows), tuple(notes))


def alarm_table(found: Sequence[Alarm], traffic: Traffic, *, false_alarms: float) -> Table:
    """A row a figure that is watched."""
    by_stream = {alarm.stream: alarm for alarm in found}
    rows = []
    for name, figures in traffic.streams.items():
        alarm = by_stream.get(name)
        mean = sum(figure.value for figure in figures) / len(figures)
        said = "as it was"
        if alarm:
            said = f"{alarm.turn} from {alarm.before:.3g} to {alarm.after:.3g} since about {day_of(alarm.since)}"
        rows.append((STREAMS[name], str(len(figures)), f"{mean:.3g}", said))
    note = (
        f"{traffic.answers} answers on {traffic.days} days. Quiet traffic raises any alarm with a chance of "
        f"{100 * false_alarms:g} %, however often it is looked at."
        if traffic.answers
        else "No served answers to look at yet."
    )
    return Table("Traffic", ("Figure", "days", "mean", "now"), tuple(rows), (note,))


def facts_tables(facts: Mapping[str, Any]) -> list[Table]:
    """How the models do on facts as they are now, a row a state, model and way to ask; below, what can't be told."""
    ways = {"retrieved": "retrieved passages", "none": "from memory"}
    rows = [
        (
            f"{row['state']}, {row['model']}, {ways[row['context']]}",
            *(interval(row[metric]) for metric in ("right", "stale", "stale_shown", "abstained")),
            str(row["facts"]),
        )
        for row in facts["rows"]
    ]
    notes = ["Points of 100 with 95 % intervals over documents. Stale: the old value of a fact, and not the new one."]
    notes += [
        f"{row['state']}: tuned minus base {interval(row, signed=True)} right, with retrieved passages."
        for row in facts["differences"]
        if (row["metric"], row["context"]) == ("right", "retrieved")
    ]
    sources = ", ".join(f"{number} {source}" for source, number in facts["sources"].items())
    notes += [f"Facts: {sources}."] if sources else ["No facts to ask about."]
    notes += [f"Not asked, since {reason}: {number}." for reason, number in facts["unclear"].items()]
    columns = ("Facts as they are now", "right", "stale", "stale though shown", "abstained", "n")
    return [Table("What the models say", columns, tuple(rows), tuple(notes)), *_language_tables(facts["language"])]


def _language_tables(language: Mapping[str, Any]) -> list[Table]:
    kinds = [name for name in language.get("pieces", {})]
    rows = [
        (
            measure,
            *(f"{language[measure][kind]['value']:.3f}" for kind in kinds),
            _interval_of(language[measure]["ratio"]),
        )
        for measure in ("tokens a word", "bits per byte")
        if measure in language
    ]
    return [Table("Their language, to the tuned model", ("", *kinds, "ratio"), tuple(rows), ())] if rows else []


def words_table(words: Mapping[str, Any] | None, questions: Mapping[str, Any] | None) -> Table:
    """New words of changed documents, and how far questions are from those that are known."""
    rows, notes = [], []
    if words:
        rows.append(("new words in changed documents, %", interval(words["new"]), interval(words["usual"])))
        notes += [f"New in documents: {_listed(words['words'])}."] if words["words"] else []
    if questions:
        rows.append(("distance to known questions", f"{questions['distance']:.2f}", ""))
        notes += [f"New in questions: {_listed(questions['words'])}."] if questions["words"] else []
    return Table("Words", ("", "now", "usual"), tuple(rows), tuple(notes))


def _listed(words: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{word} ({times})" for word, times in words)


def _interval_of(figure: Mapping[str, Any]) -> str:
    return _interval(Interval(figure["value"], figure["low"], figure["high"], figure["n"]))


def advice_table(findings: Sequence[Finding], evidence: Mapping[str, Any]) -> Table:
    """What is to be done, and why; below, what became of the evidence since the model was taught."""
    rows = tuple((one.action, one.does, one.because) for one in findings)
    notes = []
    for name in ("exam", "lessons"):
        counts = evidence[name]["counts"]
        if sum(counts.values()):
            of = f"{sum(counts.values())} {'exam questions' if name == 'exam' else name}"
            notes.append(
                f"Evidence of {of}: {counts['kept']} kept, {counts['changed']} changed, {counts['gone']} gone."
            )
    return Table("What to do", ("Action", "how", "why"), rows, tuple(notes))


def simulation_table(found: Sequence[Compared], *, worlds: int, days: int) -> Table:
    """A row a policy, the cheapest first."""
    kinds = [kind for kind in KINDS if any(kind in one.by_kind for one in found)]
    rows = [
        (
            one.policy,
            _interval(one.cost),
            _interval(one.more) if one.more else "",
            *(f"{one.by_kind[kind].value:.2f}" for kind in kinds),
            f"{one.tuned:.1f}",
            str(one.quiet),
        )
        for one in sorted(found, key=lambda one: one.cost.value)
    ]
    columns = ("Policy", "total cost", "more than the rule", *kinds, "tuned a year", "most without drift")
    notes = (
        f"{worlds} worlds of {days} days; costs in re-tunes, with 95 % intervals over worlds; differences are paired.",
        f"{RULE}: looks every week, and tunes when waiting is dearer. {KNOWN_DECAY}: a calendar, by each world's own "
        f"decline. {KNOWING}: no policy can cost less.",
        "most without drift: re-tunes within a year in any world in which nothing changes.",
    )
    return Table("Policies in simulated worlds", columns, tuple(rows), notes)


def _interval(found: Interval) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _days(days: float) -> str:
    if days == math.inf:
        return "never"
    return f"{days:.0f} days" if days >= 2 else f"{days:.1f} days"  # noqa: PLR2004 — below two days tenths tell
