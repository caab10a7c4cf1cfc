"""Exam questions that stand among the lessons. Knows wordings, evidence and answers; knows no sides' files."""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.methods.containment import is_telling
from ragraft.methods.grade import exact_match
from ragraft.methods.lint_row import Row
from ragraft.methods.same_question import Wording, same_groups
from ragraft.records import ExamQuestion

Named = list[tuple[Row, str]]


def exam_overlaps(rows: Sequence[Row], exam: Sequence[ExamQuestion]) -> tuple[Named, Named]:
    """Lessons that ask an exam question (or nearly) of its evidence or with its answer, and those worded alike only.

    Templates ask the same of every contract: without the exam question's own evidence or answer that leaks nothing.
    """
    asked = {question.id: question for question in exam}
    texts = list(dict.fromkeys(row.question for row in rows))
    wordings = [Wording(f"exam {name}", question.question.question) for name, question in asked.items()]
    wordings += [Wording(f"lesson {place}", text) for place, text in enumerate(texts)]
    twins: dict[str, list[ExamQuestion]] = {}
    for group in same_groups(wordings):
        members = [name.partition(" ") for name in group]
        examined = [asked[name] for kind, _, name in members if kind == "exam"]
        twins |= {texts[int(name)]: examined for kind, _, name in members if kind == "lesson" and examined}
    same: Named = []
    alike: Named = []
    for row in rows:
        found = twins.get(row.question, [])
        leaked = next((question for question in found if _gives_away(row, question)), None)
        if leaked:
            same.append((row, f"as {leaked.id}"))
        elif found:
            alike.append((row, f"as {found[0].id}"))
    return same, alike


def _gives_away(row: Row, question: ExamQuestion) -> bool:
    if not row.passages.isdisjoint(question.oracle):
        return True
    answers = question.question.answers
    return is_telling(row.answer) and bool(answers) and exact_match(row.answer, answers) == 1.0
