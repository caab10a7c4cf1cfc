"""Look a set of lessons over before anybody trains on it: what would teach the wrong thing, and how much of it.

Each finding has a share up to which nothing needs to be said, and perhaps one from which training must not begin: such
sets have cost others their model (targets that repeat the prompt, that never end, that quote what nobody wrote).
Knows lessons and the exam's questions; knows no tokenizer, no folder and no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ragraft.methods.lint_exam import exam_overlaps
from ragraft.methods.lint_row import Rendered, Row, look_at
from ragraft.methods.lint_rules import RULES, Rule
from ragraft.records import ExamQuestion, Lesson

SHOWN = 5
"""Examples kept for each finding."""
FEWEST_LABELS = 20
"""Yes/no lessons from which one label's share means anything."""
LABELS = ("yes", "no", "maybe")
PERCENTILES = (5, 50, 95, 100)
State = Literal["fine", "look", "grave"]


@dataclass(frozen=True, slots=True)
class Example:
    """A lesson that a finding is about, and what it is there."""

    id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """How many lessons have a fault."""

    name: str
    """The fault, as a table's row."""
    says: str
    """The fault as a sentence goes on after `12 of 480 lessons`."""
    count: int
    of: int
    """Lessons that could have it."""
    expected: float
    """Share up to which it is nothing to speak of."""
    limit: float | None
    """Share above which training must not begin; None: it only is to be looked at."""
    todo: str
    examples: tuple[Example, ...] = ()

    @property
    def share(self) -> float:
        return self.count / self.of if self.of else 0.0

    @property
    def state(self) -> State:
        if self.limit is not None and self.share > self.limit:
            return "grave"
        return "look" if self.share > self.expected else "fine"


@dataclass(frozen=True, slots=True)
class Lint:
    """What was found in a set of lessons."""

    lessons: int
    findings: tuple[Finding, ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of abstentions among lessons with documents, and of each label among yes/no/maybe lessons."""
    lengths: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """`prompt tokens` and `learned tokens`: percentile → tokens."""

    @property
    def grave(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.state == "grave"]


def lint_lessons(
    lessons: Iterable[Lesson],
    rendered: Iterable[Rendered],
    *,
    ends: Collection[int],
    controls: Sequence[str] = (),
    exam: Sequence[ExamQuestion] = (),
    abstention: str,
) -> Lint:
    """Look all lessons over; `rendered` is what training would read of each, in the same order.

    `ends` are the tokens with which the model ends a turn, `controls` the texts of all control tokens.
    """
    rows = [
        look_at(lesson, one, ends=ends, controls=controls, abstention=abstention)
        for lesson, one in zip(lessons, rendered, strict=True)
    ]
    found = [*(_by_rule(rule, rows) for rule in RULES), *_among(rows), *_exam(rows, exam), *_balance(rows)]
    return Lint(len(rows), tuple(found), _shares(rows), _lengths(rows))


def grave_sentence(lint: Lint) -> str:
    """The gravest finding as a sentence: what, how many, an example, what to do. Empty where nothing is grave."""
    if not lint.grave:
        return ""
    worst = max(lint.grave, key=lambda finding: finding.share)
    example = worst.examples[0]
    detail = f": {example.detail}" if example.detail else ""
    bound = f", more than the {100 * worst.limit:g} % that training may begin with" if worst.limit else ""
    more = len(lint.grave) - 1
    rest = f"; {more} more finding{'s' * (more > 1)} as grave" if more else ""
    return f"{worst.count} of {worst.of} lessons {worst.says}{bound} (first: {example.id}{detail}){rest}; {worst.todo}"


def lint_data(lint: Lint) -> dict[str, Any]:
    """The result as plain JSON data."""
    return {
        "lessons": lint.lessons,
        "findings": [
            {
                "name": finding.name,
                "state": finding.state,
                "count": finding.count,
                "of": finding.of,
                "share": round(finding.share, 4),
                "expected": finding.expected,
                "limit": finding.limit,
                "todo": finding.todo,
                "examples": [{"id": example.id, "detail": example.detail} for example in finding.examples],
            }
            for finding in lint.findings
        ],
        "shares": dict(lint.shares),
        "lengths": {name: dict(row) for name, row in lint.lengths.items()},
    }


def _by_rule(rule: Rule, rows: Sequence[Row]) -> Finding:
    able = [row for row in rows if rule.applies(row)]
    broken = [(row, detail) for row in able if (detail := rule.fault(row)) is not None]
    return Finding(
        rule.name, rule.says, len(broken), len(able), rule.expected, rule.limit, rule.todo, _examples(broken)
    )


def _examples(broken: Iterable[tuple[Row, str]]) -> tuple[Example, ...]:
    shown = [Example(row.id, _short(detail)) for row, detail in broken]
    return tuple(shown[:SHOWN])


def _short(text: str, most: int = 80) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[:most]}…"


def _among(rows: Sequence[Row]) -> Iterator[Finding]:
    """What shows only beside the other lessons."""
    first: dict[tuple[Any, ...], Row] = {}
    again: list[tuple[Row, str]] = []
    targets: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        kept = first.setdefault((*row.asked, row.target), row)
        again += [(row, f"as {kept.id}")] if kept is not row else []
        targets.setdefault(row.asked, set()).add(row.target)
    yield Finding(
        "lesson given twice",
        "say what another one says word for word",
        len(again),
        len(rows),
        0.0,
        0.2,
        "remove the copies; with few documents lower synthesize.copies",
        _examples(again),
    )
    asking = [row for row in rows if not row.is_text]
    split = [(row, row.target) for row in asking if len(targets[row.asked]) > 1]
    yield Finding(
        "one prompt, several targets",
        "have the prompt of another lesson and another target",
        len(split),
        len(asking),
        0.0,
        None,
        "decide on one answer for each question",
        _examples(split),
    )


def _exam(rows: Sequence[Row], exam: Sequence[ExamQuestion]) -> Iterator[Finding]:
    """Exam questions among the lessons: asked of the same evidence, or only worded alike."""
    asking = [row for row in rows if row.question]
    same, alike = exam_overlaps(asking, exam)
    yield Finding(
        "exam question",
        "ask an exam question of the same evidence, or give its answer away",
        len(same),
        len(asking),
        0.0,
        0.0,
        "remove them from the lessons, or the exam proves nothing",
        _examples(same),
    )
    yield Finding(
        "worded like an exam question",
        "are worded like an exam question on other evidence",
        len(alike),
        len(asking),
        0.05,
        None,
        "usual where questions come from a template; otherwise see whether they ask the same",
        _examples(alike),
    )


def _balance(rows: Sequence[Row]) -> Iterator[Finding]:
    shown = [row for row in rows if row.documents]
    refusing = [(row, "") for row in shown if row.abstains]
    yield Finding(
        "abstention",
        "abstain",
        len(refusing),
        len(shown),
        1 / 3,
        0.95,
        "a small model that often abstains learns to refuse everything: raise synthesize.oracle_share, lower "
        "synthesize.max_unanswerable, or add questions that the documents answer",
        _examples(refusing),
    )
    labelled = [row for row in rows if row.label in LABELS]
    counts = Counter(row.label for row in labelled)
    label, most = counts.most_common(1)[0] if len(labelled) >= FEWEST_LABELS else ("", 0)
    yield Finding(
        "commonest label",
        f"of those answered by a label have “{label}”",
        most,
        len(labelled),
        0.9,
        None,
        "always giving this label would be right as often: add questions with the others",
        _examples((row, "") for row in labelled if row.label == label),
    )


def _shares(rows: Sequence[Row]) -> dict[str, float]:
    shown = [row for row in rows if row.documents]
    labelled = [row for row in rows if row.label in LABELS]
    counts = Counter(row.label for row in labelled)
    abstentions = {"abstention": round(sum(row.abstains for row in shown) / len(shown), 4)} if shown else {}
    return abstentions | {label: round(counts[label] / len(labelled), 4) for label in LABELS if labelled}


def _lengths(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    found = {}
    for name, values in (
        ("prompt tokens", [row.rendered.tokens - row.rendered.learned for row in rows if not row.is_text]),
        ("learned tokens", [row.rendered.learned for row in rows]),
    ):
        if values:
            at = np.percentile(values, PERCENTILES, method="nearest")
            found[name] = {_percentile(p): int(value) for p, value in zip(PERCENTILES, at, strict=True)}
    return found


def _percentile(place: int) -> str:
    return "longest" if place == PERCENTILES[-1] else f"{place} %"
