"""A question and its answer, without quotes, as one lesson. Knows prompts and the wanted answer; draws nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.errors import ConfigError
from ragraft.methods.raft import Made
from ragraft.methods.target import abstain, reads_back, wanted_line
from ragraft.methods.teaching.materials import Group, Materials
from ragraft.records import ExamQuestion, Kind, Lesson, Passage, Rejected

TOO_LONG = "the question doesn't fit into prompt.max_tokens"


def answer_lesson(
    question: ExamQuestion, passages: Sequence[Passage], *, kind: Kind, group: Group, materials: Materials
) -> Made | Rejected:
    """The question on these passages, the last ones left out where they don't fit, and the bare answer.

    A question that the documents don't answer wants the abstention: its set says so, whatever is shown.
    """
    builder, answerable = materials.builder, question.question.answerable
    target = wanted_line(question.question) if answerable else abstain(builder.abstention)
    tokens = builder.tokenizer.count(target) + 1
    if tokens > builder.answer_tokens:
        return Rejected(question.id, "the wanted answer is longer than prompt.answer_tokens", f"{tokens} tokens")
    if answerable and not reads_back(target, (), ()):
        return Rejected(question.id, "the wanted answer could not be told from the form around it", target)
    try:
        fitted = builder.fit(question.question.question, passages)
    except ConfigError:
        return Rejected(question.id, TOO_LONG, f"{builder.max_tokens} tokens with the answer's room")
    lesson = Lesson(
        id=f"{question.id}~{group.seed}",
        question_id=question.id,
        kind=kind if answerable else "unanswerable",
        prompt=fitted.prompt,
        target=target,
        passages=tuple(passage.id for passage in fitted.passages),
        oracle=tuple(one.id for one in fitted.passages if not set(question.oracle).isdisjoint(one.chunks)),
        group=group.name,
        copy=group.copy,
    )
    return Made(lesson, fitted.passages, len(fitted.dropped), ())
