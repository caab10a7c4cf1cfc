"""From graded answers to the scorecard: every metric of every condition, and paired differences between models.

Knows answers with their scores and the questions' clusters; knows nothing of how answers were made or are shown.

A metric asks certain rows and takes a value from each. A row asked whose value is not defined is counted as unscored:
an answer without citations in citation_precision, one without quotes in quote_verbatim. A metric without any scored
row is left out of its condition.

Abstention figures leave out the context `none`, and answerable questions whose evidence was not shown: there, refusing
is neither right nor wrong, and refusal_without_evidence reports it. Elsewhere an abstention is right if the question
is unanswerable. Precision runs over the abstentions, recall over the unanswerable questions, F1 over both; AUROC over
the abstention's probability, whatever the threshold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ragraft.methods.asking import ABSTENTION_PROBABILITY
from ragraft.methods.grade import measure_of
from ragraft.methods.judging import SUPPORTED
from ragraft.methods.labels import label_scores
from ragraft.methods.significance import detectable, difference_p, holm, mcnemar
from ragraft.methods.stats import Floats, auroc_interval, mean_interval, paired_difference, statistic_interval
from ragraft.records import Answer, ExamQuestion, Interval, to_json

NO_DOCUMENTS = "none"
MODELS = ("base", "base-fewshot", "tuned")
"""The order of conditions; other models follow by name."""
CONTEXTS = (NO_DOCUMENTS, "retrieved", "oracle", "oracle+N")
"""The order of conditions; other contexts follow by name."""
RIVALS = ("base-fewshot", "base")
"""Of two equally good ones the first is the better: it leaves less to form."""
PAIRS = (("tuned", "base"), ("tuned", "base-fewshot"), ("base-fewshot", "base"))
COMPARED = ("f1", "em", "f1_evidence_shown", "f1_all", SUPPORTED)


@dataclass(frozen=True, slots=True)
class Row:
    """An answer with its question."""

    answer: Answer
    question: ExamQuestion

    @property
    def answerable(self) -> bool:
        return self.question.question.answerable

    @property
    def shown(self) -> bool:
        """Answerable, and its evidence was among the passages."""
        return self.answerable and self.answer.evidence_shown

    @property
    def hidden(self) -> bool:
        """Answerable, and its evidence was not among the passages."""
        return self.answerable and not self.answer.evidence_shown

    @property
    def documents(self) -> bool:
        return self.answer.context != NO_DOCUMENTS

    @property
    def judged(self) -> bool:
        """Refusing is right or wrong here."""
        return self.documents and not self.hidden

    @property
    def refused(self) -> float:
        return float(self.answer.abstained)


Conditions: TypeAlias = Mapping[tuple[str, str], Mapping[str, Row]]
"""(model, context) → question id → row."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Which rows a metric asks, and what each gives."""

    asks: Callable[[Row], bool]
    value: Callable[[Row], float | None]
    share: bool = True


@dataclass(frozen=True, slots=True)
class _Resampling:
    resamples: int
    seed: int

    def mean(self, values: Sequence[float | None], clusters: Sequence[str], share: bool) -> Interval:
        return mean_interval(values, clusters, share=share, resamples=self.resamples, seed=self.seed)

    def statistic(self, statistic: Callable[[Floats], float], clusters: Sequence[str]) -> Interval:
        return statistic_interval(statistic, clusters, share=True, resamples=self.resamples, seed=self.seed)

    def difference(self, a: Sequence[float | None], b: Sequence[float | None], clusters: Sequence[str]) -> Interval:
        return paired_difference(a, b, clusters, resamples=self.resamples, seed=self.seed)


def _score(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.answer.scores[name]


def _from_memory(row: Row) -> float | None:
    # Answers that were graded before the flag was kept don't have it.
    return row.answer.scores.get("from_memory")


def _everything(row: Row) -> bool:
    return True


METRICS: Mapping[str, Metric] = {
    "f1": Metric(lambda row: row.answerable, _score("f1")),
    "em": Metric(lambda row: row.answerable, _score("em")),
    "f1_evidence_shown": Metric(lambda row: row.shown, _score("f1")),
    "f1_evidence_not_shown": Metric(lambda row: row.hidden, _score("f1")),
    "em_evidence_shown": Metric(lambda row: row.shown, _score("em")),
    "em_evidence_not_shown": Metric(lambda row: row.hidden, _score("em")),
    "f1_all": Metric(_everything, _score("f1_all")),
    "em_all": Metric(_everything, _score("em_all")),
    "abstention_precision": Metric(
        lambda row: row.judged and row.answer.abstained, lambda row: float(not row.answerable)
    ),
    "abstention_recall": Metric(lambda row: row.judged and not row.answerable, lambda row: row.refused),
    "over_refusal": Metric(lambda row: row.documents and row.shown, lambda row: row.refused),
    "refusal_without_evidence": Metric(lambda row: row.documents and row.hidden, lambda row: row.refused),
    "citation_precision": Metric(lambda row: row.answerable, _score("citation_precision")),
    "citation_recall": Metric(lambda row: row.shown, _score("citation_recall")),
    "quoting_share": Metric(_everything, _score("quoted")),
    "quote_verbatim": Metric(_everything, _score("quote_verbatim")),
    "from_memory": Metric(lambda row: row.documents, _from_memory),
    SUPPORTED: Metric(lambda row: SUPPORTED in row.answer.scores, _score(SUPPORTED)),
    "answer_tokens": Metric(_everything, lambda row: float(row.answer.answer_tokens), share=False),
    "prompt_tokens": Metric(_everything, lambda row: float(row.answer.prompt_tokens), share=False),
    "truncated": Metric(_everything, lambda row: float(row.answer.finish_reason == "length")),
}
"""All metrics but abstention_f1 and abstention_auroc, which are no means."""


def build_scorecard(
    answers: Sequence[Answer],
    questions: Sequence[ExamQuestion],
    *,
    resamples: int,
    seed: int,
    models: Sequence[str] = MODELS,
    pairs: Sequence[tuple[str, str]] = PAIRS,
) -> dict[str, Any]:
    """The scorecard as plain JSON data; the order of answers and questions doesn't matter.

    `answers` carry the scores of `grade`. Figures are shares of 0..1 but for tokens; each is an Interval (value, low,
    high, n, unscored, clusters). `differences` are a - b, paired by question; the rows of the tuned model against
    the better of both bases (by F1 in that context) are marked `headline`. Each has its p-value over clusters, the same
    after Holm's correction over the metrics compared, the difference that such an exam can show, and McNemar's test
    where all scores are 0 or 1. `n_questions` and `n_clusters` count the questions that were asked, `measures` the
    answerable ones by what their f1 is (see `grade`). Raises ValueError for an answer without question and for one
    given twice. Conditions stand in the order of `models`, others after them; `pairs` are the models whose differences
    are taken.
    """
    table = _conditions(answers, questions, models)
    sampling = _Resampling(resamples, seed)
    asked = {identifier: row.question for rows in table.values() for identifier, row in rows.items()}
    card: dict[str, Any] = {
        "conditions": [
            {"model": model, "context": context, "metrics": _metrics(list(rows.values()), sampling)}
            for (model, context), rows in table.items()
        ],
        "n_questions": len(asked),
        "n_clusters": len({question.cluster for question in asked.values()}),
        "measures": Counter(measure_of(row.question) for row in asked.values() if row.question.answerable),
        "labels": label_scores(
            {key: [(row.question, row.answer) for row in rows.values()] for key, rows in table.items()},
            resamples=resamples,
            seed=seed,
        ),
    }
    card["differences"] = _differences(table, card, sampling, pairs)
    return card


def better_base(scorecard: Mapping[str, Any], context: str, metric: str = "f1") -> str | None:
    """Which of base and base-fewshot scores higher in this context; None if neither has the metric there."""
    found = {
        condition["model"]: condition["metrics"][metric]["value"]
        for condition in scorecard["conditions"]
        if condition["context"] == context and metric in condition["metrics"]
    }
    return max((model for model in RIVALS if model in found), key=lambda model: found[model], default=None)


def paired(
    metric: str,
    answers: Sequence[Answer],
    questions: Sequence[ExamQuestion],
    *,
    context: str,
    pair: tuple[str, str],
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """The difference of any of METRICS between two models, as among the scorecard's; None where nothing is paired."""
    table = _conditions(answers, questions, MODELS)
    first, second = (table.get((model, context)) for model in pair)
    if first is None or second is None:
        return None
    return _difference(METRICS[metric], first, second, _Resampling(resamples, seed))


def _conditions(answers: Sequence[Answer], questions: Sequence[ExamQuestion], models: Sequence[str]) -> Conditions:
    """Conditions in their order, the rows of each by question id."""
    known = {question.id: question for question in questions}
    table: dict[tuple[str, str], dict[str, Row]] = {}
    for answer in sorted(answers, key=partial(_condition_order, models)):
        if answer.question_id not in known:
            raise ValueError(f"an answer to {answer.question_id}, which is not among the questions")
        rows = table.setdefault((answer.model, answer.context), {})
        if answer.question_id in rows:
            raise ValueError(f"{answer.question_id} answered twice by {answer.model} in context {answer.context}")
        rows[answer.question_id] = Row(answer, known[answer.question_id])
    return table


def _condition_order(models: Sequence[str], answer: Answer) -> tuple[int, str, int, str, str]:
    model = models.index(answer.model) if answer.model in models else len(models)
    context = CONTEXTS.index(answer.context) if answer.context in CONTEXTS else len(CONTEXTS)
    return model, answer.model, context, answer.context, answer.question_id


def _metrics(rows: Sequence[Row], sampling: _Resampling) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, metric in METRICS.items():
        asked = [row for row in rows if metric.asks(row)]
        values = [metric.value(row) for row in asked]
        if any(value is not None for value in values):
            clusters = [row.question.cluster for row in asked]
            found[name] = to_json(sampling.mean(values, clusters, metric.share))
        if name == "abstention_recall" and name in found:
            found["abstention_f1"] = to_json(_abstention_f1(rows, sampling))
            area = abstention_auroc(rows, resamples=sampling.resamples, seed=sampling.seed)
            found |= {"abstention_auroc": to_json(area)} if area else {}
    return found


def _abstention_f1(rows: Sequence[Row], sampling: _Resampling) -> Interval:
    """Over the rows that were refused or should have been; 0 where none was refused."""
    asked = [row for row in rows if row.judged and (row.answer.abstained or not row.answerable)]
    refused = np.array([row.refused for row in asked])
    should = np.array([float(not row.answerable) for row in asked])
    return sampling.statistic(
        lambda weights: float(2 * (weights @ (refused * should)) / (weights @ (refused + should))),
        [row.question.cluster for row in asked],
    )


def abstention_auroc(rows: Sequence[Row], *, resamples: int, seed: int) -> Interval | None:
    """How well the abstention's probability tells questions without an answer from those with one.

    A row whose probability is not told is unscored; None where those told are of one kind.
    """
    judged = [row for row in rows if row.judged]
    told = [(row.answer.scores.get(ABSTENTION_PROBABILITY), row) for row in judged]
    scored = [(value, row) for value, row in told if value is not None]
    if len({row.answerable for _, row in scored}) < len((True, False)):
        return None
    area = auroc_interval(
        [value for value, _ in scored],
        [not row.answerable for _, row in scored],
        [row.question.cluster for _, row in scored],
        resamples=resamples,
        seed=seed,
    )
    return replace(area, unscored=len(judged) - len(scored))


def _differences(
    table: Conditions, card: Mapping[str, Any], sampling: _Resampling, pairs: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    found = []
    for context in dict.fromkeys(context for _, context in table):
        best = better_base(card, context)
        for a, b in pairs:
            first, second = table.get((a, context)), table.get((b, context))
            if first is None or second is None:
                continue
            compared = {name: _difference(METRICS[name], first, second, sampling) for name in COMPARED}
            rows = {name: row for name, row in compared.items() if row is not None}
            corrected = holm({name: row["p"] for name, row in rows.items() if row["p"] is not None})
            for metric, row in rows.items():
                names = {"metric": metric, "context": context, "a": a, "b": b}
                headline = {"headline": a == "tuned" and b == best}
                found.append({**names, **row, "p_holm": corrected.get(metric), **headline})
    return found


def _difference(
    metric: Metric, first: Mapping[str, Row], second: Mapping[str, Row], sampling: _Resampling
) -> dict[str, Any] | None:
    """None where no question is scored on both sides; one asked on one side only is unscored."""

    def values(rows: Mapping[str, Row], asked: Sequence[str]) -> list[float | None]:
        return [metric.value(rows[one]) if one in rows and metric.asks(rows[one]) else None for one in asked]

    either = {**first, **second}
    asked = sorted(one for one in either if any(one in rows and metric.asks(rows[one]) for rows in (first, second)))
    a, b = values(first, asked), values(second, asked)
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    if not both:
        return None
    clusters = [either[one].question.cluster for one in asked]
    exact = all({x, y} <= {0.0, 1.0} for x, y in both)
    return {
        **to_json(sampling.difference(a, b, clusters)),
        "p": difference_p(a, b, clusters),
        "detectable": detectable(a, b, clusters),
        **({"mcnemar": to_json(mcnemar(a, b))} if exact else {}),
    }
