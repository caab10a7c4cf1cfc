"""How answers do on facts that stayed, changed, came and went, and how often they give the old value of a changed one.

An answer is right where it gives a value of now and none of before; it is stale where it gives one of before and none
of now. A value is given where it stands in the answer as a whole word, so that `3.12.1` gives no `3.12`; a value that
the question names itself must be the answer. Of a fact that is gone nothing is right but to abstain. What can't be told
is unscored, and counted: whether an answer is right where nobody knows the value of now, whether it is stale where
nobody knows the value of before.

Knows questions and answers; knows no model, no document and no day.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ragraft.methods.calls import same_call
from ragraft.methods.grade import label_of, label_set, measure_of, normalised
from ragraft.methods.stats import paired_difference, scored_mean
from ragraft.records import Answer, ExamQuestion, Interval, to_json

State = Literal["unchanged", "changed", "added", "removed"]
STATES: tuple[State, ...] = ("unchanged", "changed", "added", "removed")
ALL = "all"
METRICS = ("right", "stale", "stale_shown", "abstained", "shown")
"""Shares of the facts of a state: beside right and stale ones, stale ones among those whose evidence of now was shown,
abstentions, and facts whose evidence was shown."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A question, the answers of now (none: the fact is gone, or its value unknown) and those of before."""

    question: ExamQuestion
    """Its oracle is the evidence of now."""
    state: State
    old: tuple[str, ...] = ()
    """Values of before that are none of now."""
    source: str = "exam"

    @property
    def id(self) -> str:
        return self.question.id


def make_fact(question: ExamQuestion, state: State, *, old: Sequence[str] = (), source: str = "exam") -> Fact:
    """A fact, without the former values that are right now too."""
    now = {normalised(answer) for answer in question.question.answers}
    return Fact(question, state, tuple(value for value in old if normalised(value) not in now), source)


def stated(question: ExamQuestion, source: str) -> Fact | None:
    """What a question's row says of itself, in `old_answers`, `new_answers` and `drift`; None where it says nothing.

    `new_answers` stand in the place of its answers, which are then the old ones.
    """
    told = question.question.metadata
    old, new = (_values(told.get(key)) for key in ("old_answers", "new_answers"))
    drift = told.get("drift")
    if new:
        return make_fact(with_answers(question, new), "changed", old=question.question.answers, source=source)
    if old:
        state: State = "changed" if question.question.answerable else "removed"
        return make_fact(question, state, old=old, source=source)
    return make_fact(question, drift, source=source) if drift in ("unchanged", "added") else None


def with_answers(question: ExamQuestion, answers: Sequence[str], oracle: Sequence[str] | None = None) -> ExamQuestion:
    """The question with other answers, and where given with other evidence."""
    changed = replace(question, question=replace(question.question, answers=tuple(answers)))
    return changed if oracle is None else replace(changed, oracle=tuple(oracle), parts=())


def _values(told: Any) -> tuple[str, ...]:
    found = told if isinstance(told, list) else [told]
    return tuple(value for value in found if isinstance(value, str) and value.strip())


def gives(answer: str, question: str, values: Sequence[str]) -> bool:
    """Whether an answer gives one of these values.

    >>> gives("It is 3.12.1.", "Which one?", ["3.12"]), gives("It is 3.12.", "Which one?", ["3.12"])
    (False, True)
    """
    return any(
        _bare(answer) == _bare(value) or (_stands(value, answer) and not _stands(value, question))
        for value in values
        if value.strip()
    )


def _bare(text: str) -> str:
    return " ".join(text.split()).strip(" .,;:!*`'\"“”‘’").casefold()


def _stands(value: str, text: str) -> bool:
    parts = r"\s+".join(map(re.escape, value.split()))
    return re.search(rf"(?<![\w.+/:-]){parts}(?![\w]|[.+/:-]\w)", text, re.IGNORECASE) is not None


def score(fact: Fact, answer: Answer) -> dict[str, float | None]:
    """Of each metric 1, 0, or None where it isn't defined or can't be told."""
    now, before = (_gives(fact, answer, values) for values in (fact.question.question.answers, fact.old))
    stale = float(before and not now) if fact.old else None
    right: float | None = float(now and not before) if fact.question.question.answers else None
    if fact.state == "removed":
        right = float(answer.abstained)
    known = bool(fact.question.oracle)
    return {
        "right": right,
        "stale": stale,
        "stale_shown": stale if known and answer.evidence_shown else None,
        "abstained": float(answer.abstained),
        "shown": float(answer.evidence_shown) if known else None,
    }


def _gives(fact: Fact, answer: Answer, values: Sequence[str]) -> bool:
    if answer.abstained or not values:
        return False
    question = fact.question.question
    measure = measure_of(question)
    if measure == "label":
        return label_of(answer.answer, label_set(question)) in {normalised(value) for value in values}
    if measure == "call":
        return any(same_call(answer.answer, value) for value in values)
    return gives(answer.answer, question.question, values)


def currency(
    facts: Sequence[Fact],
    answers: Sequence[Answer],
    *,
    pairs: Sequence[tuple[str, str]] = (("tuned", "base"),),
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Each metric's interval by state, model and context, and differences of `pairs` of models, paired by fact.

    `{"rows": […], "differences": […], "facts": {state: number}, "sources": {source: number}}`. A metric that no row
    defines is None.
    """
    by_id = {fact.id: fact for fact in facts}
    cells: dict[tuple[str, str], dict[str, dict[str, float | None]]] = {}
    for answer in answers:
        if answer.question_id in by_id:
            cell = cells.setdefault((answer.model, answer.context), {})
            cell[answer.question_id] = score(by_id[answer.question_id], answer)
    rows, differences = [], []
    for state in (*STATES, ALL):
        part = [fact for fact in facts if state in (ALL, fact.state)]
        if not part:
            continue
        for (model, context), cell in cells.items():
            asked = [fact for fact in part if fact.id in cell]
            row: dict[str, Any] = {"state": state, "model": model, "context": context, "facts": len(asked)}
            for metric in METRICS:
                values = [cell[fact.id][metric] for fact in asked]
                row[metric] = _mean(values, _clusters(asked), resamples=resamples, seed=seed)
            rows.append(row)
        for a, b in pairs:
            for context in dict.fromkeys(context for _, context in cells):
                both = cells.get((a, context), {}), cells.get((b, context), {})
                asked = [fact for fact in part if fact.id in both[0] and fact.id in both[1]]
                differences += [
                    {"state": state, "a": a, "b": b, "context": context, "metric": metric, **found}
                    for metric in ("right", "stale")
                    if (found := _difference(asked, both, metric, resamples=resamples, seed=seed))
                ]
    return {
        "rows": rows,
        "differences": differences,
        "facts": {state: sum(fact.state == state for fact in facts) for state in STATES},
        "sources": dict(Counter(fact.source for fact in facts)),
    }


Scores = Mapping[str, Mapping[str, float | None]]


def _mean(
    values: Sequence[float | None], clusters: Sequence[str], *, resamples: int, seed: int
) -> dict[str, Any] | None:
    found = scored_mean(values, clusters, share=True, resamples=resamples, seed=seed)
    return None if found is None else to_json(found)


def _difference(
    asked: Sequence[Fact], both: tuple[Scores, Scores], metric: str, *, resamples: int, seed: int
) -> dict[str, Any] | None:
    a, b = ([cell[fact.id][metric] for fact in asked] for cell in both)
    if all(x is None or y is None for x, y in zip(a, b, strict=True)):
        return None
    found: Interval = paired_difference(a, b, _clusters(asked), resamples=resamples, seed=seed)
    return to_json(found)


def _clusters(facts: Sequence[Fact]) -> list[str]:
    return [fact.question.cluster for fact in facts]
