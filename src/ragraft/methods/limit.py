"""Take a part of the questions, by cluster, the same part every time. Knows placed questions only."""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.methods.lots import lot
from ragraft.records import ExamQuestion


def limit_questions(
    questions: Sequence[ExamQuestion], most: int | None, *, seed: int
) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """At most `most` questions, cluster after cluster in seeded order (the last one in part), and those left out.

    Both lists keep the order of `questions`.
    """
    if most is None or len(questions) <= most:
        return list(questions), []

    def key(question: ExamQuestion) -> tuple[bytes, str, bytes]:
        return lot(f"{seed}:{question.cluster}"), question.cluster, lot(f"{seed}:{question.id}")

    kept = {question.id for question in sorted(questions, key=key)[:most]}
    return [q for q in questions if q.id in kept], [q for q in questions if q.id not in kept]


def spread_questions(
    questions: Sequence[ExamQuestion], most: int | None, *, seed: int
) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """At most `most` questions, one of each cluster in turn, and those left out; both keep the order of `questions`.

    Of as many questions these tell the most: clusters, not questions, are the sample.
    """
    if most is None or len(questions) <= most:
        return list(questions), []
    by_cluster: dict[str, list[ExamQuestion]] = {}
    for question in sorted(questions, key=lambda one: lot(f"{seed}:{one.id}")):
        by_cluster.setdefault(question.cluster, []).append(question)
    turns = [
        (turn, lot(f"{seed}:{cluster}"), question.id)
        for cluster, rows in by_cluster.items()
        for turn, question in enumerate(rows)
    ]
    kept = {name for _, _, name in sorted(turns)[:most]}
    return [q for q in questions if q.id in kept], [q for q in questions if q.id not in kept]
