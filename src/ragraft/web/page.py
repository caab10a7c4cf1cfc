"""What a review page shows, as plain data. Knows the review; knows no HTTP and no HTML."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ragraft.methods.exam_facts import made_by
from ragraft.methods.report_marks import Piece, pieces, quote_spans
from ragraft.pipeline import Review


@dataclass(frozen=True, slots=True)
class Page:
    """One question with what it was made of."""

    number: int
    total: int
    file: str
    state: str
    question: str
    answers: tuple[str, ...]
    made_by: str
    kind: str
    title: str
    pieces: tuple[Piece, ...]
    """The chunk's text with evidence and answers marked; the evidence alone where its chunk is gone."""
    whole: bool
    """The chunk is shown, not only the evidence."""
    missing: tuple[str, ...]
    """Answers that do not stand in what is shown."""
    decided: int
    counts: tuple[tuple[str, int], ...]
    problem: str = ""


def page_of(review: Review, place: int, *, problem: str = "") -> Page:
    """The page of the question at `place`."""
    item = review.items[place]
    question, chunk = item.question, review.chunk_of(item.question)
    text = chunk.text if chunk else "\n\n".join(question.evidence)
    answers = tuple(" ".join(answer.split()) for answer in question.answers)
    marks = quote_spans(text, question.evidence, kind="evidence") + quote_spans(text, answers, kind="answer")
    states = Counter(one.state for one in review.items)
    return Page(
        number=place + 1,
        total=len(review.items),
        file=review.file.name,
        state=item.state,
        question=question.question,
        answers=answers,
        made_by=made_by(question) or "a person",
        kind=str(question.metadata.get("kind") or ""),
        title=chunk.title if chunk else ", ".join(question.evidence_ids),
        pieces=tuple(pieces(text, marks)),
        whole=chunk is not None,
        missing=tuple(answer for answer in answers if not quote_spans(text, [answer], kind="answer")),
        decided=len(review.items) - states["open"],
        counts=tuple(sorted(states.items())),
        problem=problem,
    )
