"""The gate that costs a model: a question is answered with its chunk and not without. Knows prompts and grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragraft.methods.answer import Reply, answer
from ragraft.methods.candidates import Candidate, Turned, Verdict
from ragraft.methods.grade import token_f1
from ragraft.methods.prompt import PromptBuilder
from ragraft.ports import Generator
from ragraft.records import Chunk, Passage

RIGHT = 0.5
"""Token F1 from which an answer counts as right: short answers are seldom repeated to the letter."""


def check_answerable(
    candidates: Sequence[Candidate], chunks: Mapping[str, Chunk], *, builder: PromptBuilder, generator: Generator
) -> list[Verdict]:
    """A verdict a candidate, in order; asked in two batches, with the chunk shown and with nothing shown."""
    if not candidates:
        return []
    questions = [one.question for one in candidates]
    shown = [[_passage(chunks[one.chunk])] for one in candidates]
    keep = [[one.chunk] for one in candidates]
    with_chunk = answer(questions, shown, builder=builder, generator=generator, keep=keep)
    without = answer(questions, [[] for _ in questions], builder=builder, generator=generator)
    return [_verdict(*row) for row in zip(candidates, with_chunk, without, strict=True)]


def _verdict(candidate: Candidate, with_chunk: Reply, without: Reply) -> Verdict:
    if not _is_right(candidate, with_chunk):
        return Turned(candidate, "not answered with the chunk shown", with_chunk.parsed.answer)
    if _is_right(candidate, without):
        return Turned(candidate, "answered without the chunk", without.parsed.answer)
    return candidate


def _is_right(candidate: Candidate, reply: Reply) -> bool:
    return not reply.parsed.abstained and token_f1(reply.parsed.answer, candidate.answers) >= RIGHT


def _passage(chunk: Chunk) -> Passage:
    return Passage(chunk.id, chunk.document_id, chunk.title, chunk.text)
