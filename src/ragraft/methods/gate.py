"""The gate before service: whether an exam has shown that a tuned model is better, and no worse where it must not be.

Knows the scorecard, forgetting.json and graded answers; knows no folder and no settings, and renders nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import Figure, bounded, interval, phrase, points, too_small
from ragraft.methods.scorecard import better_base, paired
from ragraft.methods.significance import fall
from ragraft.records import Answer, ExamQuestion

CONTEXT = "retrieved"
"""What the system does in use."""
TUNED, BASE, SERVICE = "tuned", "base", "in service"
UNCHANGED = "score where nothing changed, against the model in service"
CHANGED = "score where something changed, against it"
BESIDE = "compare it with the model that is in service now: ragraft refresh"
OTHERWISE = "train otherwise (train.method: hybrid)"
ALONE = "where answers are to come from documents alone"
NAMES = {"f1": "score", "em": "exact match", "f1_evidence_shown": "score where shown", "f1_all": "score, all questions"}


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked: margins are shares of 1, and None asks nothing."""

    metric: str
    least: float
    closed_book: float | None
    formats: float | None
    abstention: float | None
    over_refusal: float | None
    in_service: float | None = None


@dataclass(frozen=True, slots=True)
class Exam:
    """What a run has shown."""

    card: Mapping[str, Any]
    """scorecard.json."""
    forgetting: Mapping[str, Any]
    """forgetting.json; empty where nothing was measured."""
    answers: Sequence[Answer]
    questions: Sequence[ExamQuestion]
    resamples: int
    seed: int
    service: Sequence[Answer] | None = None
    """The same exam answered by the model in service; None where the two need not be compared."""
    unchanged: Collection[str] = frozenset()
    """Ids of the questions that are as they were when that one was made."""

    def difference(self, metric: str, context: str, rival: str | None) -> Figure | None:
        """Tuned minus rival, as the scorecard has it."""
        wanted = (metric, context, TUNED, rival)
        rows = self.card["differences"]
        return next((row for row in rows if (row["metric"], row["context"], row["a"], row["b"]) == wanted), None)

    def paired(self, metric: str, rival: str | None) -> Figure | None:
        """Tuned minus rival with retrieved passages, of a metric that the scorecard has no differences of."""
        pair = (TUNED, rival or BASE)
        return paired(
            metric,
            self.answers,
            self.questions,
            context=CONTEXT,
            pair=pair,
            resamples=self.resamples,
            seed=self.seed,
        )

    def against_service(self, metric: str, only: Collection[str]) -> Figure | None:
        """Tuned minus the model in service with retrieved passages, on these questions."""
        rows = [row for row in (*self.answers, *(self.service or ())) if row.model in (TUNED, SERVICE)]
        return paired(
            metric,
            [row for row in rows if row.question_id in only],
            self.questions,
            context=CONTEXT,
            pair=(TUNED, SERVICE),
            resamples=self.resamples,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of the gate, and what came of it."""

    name: str
    figure: Figure | None
    wants: str
    passed: bool
    then: str = ""
    """What to do where it failed."""


@dataclass(frozen=True, slots=True)
class _Guard:
    """A figure that must not have fallen by more than a margin."""

    name: str
    figure: Figure | None
    margin: float
    setting: str
    measure: str
    """How it would be measured."""
    unless: str = ""
    """When it need not be asked at all."""
    more: str = "ask more questions"
    """What would rule a smaller fall out."""


def pass_gate(exam: Exam, gate: Gate) -> list[Check]:
    """Every condition that is asked; the model may go into service where all are passed."""
    rival = better_base(exam.card, CONTEXT, gate.metric)
    guards = [_guard(guard) for guard in _guards(exam, gate, rival)]
    return [_primary(exam, gate, rival), *guards, *_where_changed(exam, gate)]


def _guards(exam: Exam, gate: Gate, rival: str | None) -> Iterator[_Guard]:
    """What must not have fallen, as far as it is asked."""
    examine = "examine tuned and base with retrieved passages"
    if gate.closed_book is not None:
        figure = exam.difference("f1", "none", BASE)
        measure = "have evaluate.contexts hold none, and evaluate.models base and tuned"
        # Who answers from documents alone may well answer less without them.
        yield _Guard("score without documents", figure, gate.closed_book, "closed_book", measure, ALONE)
    if gate.formats is not None:
        figure = exam.forgetting["formats"]["difference"] if exam.forgetting else None
        measure = "leave evaluate.forgetting at true"
        # Their number is given: no user can ask more of them.
        yield _Guard("format instructions kept", figure, gate.formats, "formats", measure, more=OTHERWISE)
    if gate.abstention is not None and any(not one.question.answerable for one in _asked(exam)):
        figure = exam.paired("abstention_recall", rival)
        yield _Guard("abstentions where nothing answers", figure, gate.abstention, "abstention", examine)
    if gate.over_refusal is not None:
        figure = _turned(exam.paired("over_refusal", rival))
        yield _Guard("answers where evidence was shown", figure, gate.over_refusal, "over_refusal", examine)
    if gate.in_service is not None and exam.service is not None:
        figure = exam.against_service(gate.metric, exam.unchanged)
        if figure is not None or not exam.service:
            yield _Guard(UNCHANGED, figure, gate.in_service, "in_service", BESIDE)


def _where_changed(exam: Exam, gate: Gate) -> list[Check]:
    """Against the model in service where something changed: gains are too uneven there to rule out a small loss."""
    if gate.in_service is None or not exam.service:
        return []
    figure = exam.against_service(gate.metric, {one.id for one in exam.questions} - set(exam.unchanged))
    if figure is None:
        return []
    return [Check(CHANGED, figure, "not below 0", figure["value"] >= 0, "the news is not learned: train otherwise")]


def gate_table(checks: Sequence[Check], rival: str | None) -> Table:
    """A row a condition, the figure and what was wanted of it; below, what to do where it failed."""
    rows = tuple(
        (check.name, interval(check.figure, signed=True), check.wants, "passed" if check.passed else "FAILED")
        for check in checks
    )
    notes = tuple(f"{check.name}: {check.then}." for check in checks if not check.passed)
    return Table(f"Tuned minus {phrase(rival or BASE)}, points of 100", ("", "Found", "Wanted", ""), rows, notes)


def _primary(exam: Exam, gate: Gate, rival: str | None) -> Check:
    figure = exam.difference(gate.metric, CONTEXT, rival)
    name, wants = NAMES.get(gate.metric, gate.metric), f"lower end above {points(gate.least)}"
    if figure is None or not bounded(figure):
        return Check(name, figure, wants, False, "examine tuned and base with retrieved passages")
    if too_small(figure):
        return Check(name, figure, wants, False, f"{figure['clusters']} clusters of questions show nothing; ask more")
    if figure["low"] > gate.least:
        return Check(name, figure, wants, True)
    if figure["high"] < 0:
        return Check(name, figure, wants, False, "it is worse: ask ragraft diagnose, and train otherwise")
    found = figure.get("detectable")
    from_ = f": such an exam finds {points(found)} points up" if found is not None else ""
    return Check(name, figure, wants, False, f"ask more questions{from_}; or train otherwise")


def _guard(guard: _Guard) -> Check:
    """A loss of more than the margin must be ruled out; what was not measured is not."""
    figure, margin, setting = guard.figure, guard.margin, f"promote.{guard.setting}"
    wants = f"lower end above {points(-margin)}"
    if figure is None or figure.get("low") is None:
        return Check(guard.name, figure, wants, False, f"not measured: {guard.measure}; or set {setting}=null")
    if too_small(figure):
        then = f"{figure['clusters']} clusters of questions rule nothing out: ask more, or set {setting}=null"
        return Check(guard.name, figure, wants, False, then)
    said = fall(figure, margin)
    if said == "ruled out":
        return Check(guard.name, figure, wants, True)
    if said == "seen":
        then = f"it has fallen: {OTHERWISE}"
    else:
        then = f"a fall is not ruled out: {guard.more}, or raise {setting}"
    return Check(
        guard.name, figure, wants, False, then + (f"; or {setting}=null {guard.unless}" if guard.unless else "")
    )


def _asked(exam: Exam) -> list[ExamQuestion]:
    asked = {answer.question_id for answer in exam.answers}
    return [question for question in exam.questions if question.id in asked]


def _turned(figure: Figure | None) -> Figure | None:
    """A share that must not rise, as one that must not fall."""
    if figure is None or figure.get("low") is None:
        return figure
    return {**figure, "value": -figure["value"], "low": -figure["high"], "high": -figure["low"]}
