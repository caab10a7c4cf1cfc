"""Macro-F1 of yes/no/maybe questions, with the majority label beside it. Knows labels; knows nothing of text scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ragraft.methods.grade import label_of, label_set, normalised
from ragraft.methods.stats import Floats, mean_interval, paired_difference, statistic_interval
from ragraft.records import Answer, ExamQuestion, Question, to_json


def rests_on_silence(question: Question) -> bool:
    """Whether a question is answered by a label and names no evidence: "no" then rests on what the documents lack.

    A contract without such a clause holds no passage that says so.
    """
    return bool(label_set(question)) and not question.evidence_ids and not question.evidence


def label_scores(
    conditions: Mapping[tuple[str, str], Sequence[tuple[ExamQuestion, Answer]]], *, resamples: int, seed: int
) -> dict[str, Any]:
    """Label figures of all conditions, (model, context) → rows; nothing if no question is a yes/no/maybe question.

    `labels` are those that occur as right answers; macro-F1 is the mean of their F1, an answer without label being a
    miss. `majority` is what always giving the exam's commonest label would score, `over_majority` a condition's
    accuracy less that, paired by question, and `given` how often it gives each label.
    """
    placed = {
        question.id: question for rows in conditions.values() for question, _ in rows if label_set(question.question)
    }
    if not placed:
        return {}
    golds = {identifier: normalised(question.question.answers[0]) for identifier, question in placed.items()}
    counts = Counter(golds.values())
    labels = sorted(counts)
    majority = max(labels, key=lambda label: counts[label])

    def figures(asked: Sequence[str], predicted: Sequence[str | None]) -> dict[str, Any]:
        truth, clusters = [golds[one] for one in asked], [placed[one].cluster for one in asked]
        accuracy = mean_interval(_right(truth, predicted), clusters, share=True, resamples=resamples, seed=seed)
        macro = statistic_interval(
            lambda weights: macro_f1(truth, predicted, labels, weights=weights),
            clusters,
            share=True,
            resamples=resamples,
            seed=seed,
        )
        return {"accuracy": to_json(accuracy), "macro_f1": to_json(macro)}

    def over_majority(asked: Mapping[str, str | None]) -> dict[str, Any]:
        truth, clusters = [golds[one] for one in asked], [placed[one].cluster for one in asked]
        right, always = _right(truth, list(asked.values())), _right(truth, [majority] * len(truth))
        return to_json(paired_difference(right, always, clusters, resamples=resamples, seed=seed))

    found = []
    for (model, context), rows in conditions.items():
        asked = {question.id: _predicted(question, answer) for question, answer in rows if question.id in placed}
        if asked:
            metrics = figures(list(asked), list(asked.values())) | {"over_majority": over_majority(asked)}
            given = Counter(label for label in asked.values() if label)
            found.append({"model": model, "context": context, "metrics": metrics, "given": dict(sorted(given.items()))})
    every = sorted(placed)
    return {
        "labels": labels,
        "n_questions": len(placed),
        "majority": {"label": majority, "metrics": figures(every, [majority] * len(every))},
        "conditions": found,
    }


def macro_f1(truth: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str], *, weights: Floats) -> float:
    """The mean over `labels` of each one's F1 with weighted rows; 0 for a label that no row bears.

    `weights` has shape (rows,).
    """
    gold, given = np.array(truth, object), np.array(predicted, object)
    scores = []
    for label in labels:
        is_gold, is_given = gold == label, given == label
        total = weights @ (is_gold.astype(float) + is_given)
        scores.append(2 * float(weights @ (is_gold & is_given)) / float(total) if total > 0 else 0.0)
    return sum(scores) / len(scores)


def _right(truth: Sequence[str], predicted: Sequence[str | None]) -> list[float]:
    return [float(gold == label) for gold, label in zip(truth, predicted, strict=True)]


def _predicted(question: ExamQuestion, answer: Answer) -> str | None:
    return None if answer.abstained else label_of(answer.answer, label_set(question.question))
