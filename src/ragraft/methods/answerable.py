"""The gate that costs a model: a question is answered with its chunk and not without. Knows prompts and grades."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ragraft.methods.answer import Reply, answer
from ragraft.methods.candidates import Candidate, Turned, Verdict
from ragraft.methods.grade import token_f1
from ragraft.methods.prompt import PromptBuilder
from ragraft.ports import Generator
from ragraft.records import Chunk, Passage

RIGHT = 0.5
"""Token F1 from which an answer counts as right: short answers are seldom repeated to the letter."""
READS = 0.5
"""Share of the questions that a model may leave unanswered with their chunk shown and still be believed."""
WORTH_ASKING = 0.05
"""Share turned down in the sample from which all others are asked too."""
UNREAD = "not answered with the chunk shown"
KNOWN = "answered without the chunk"

Ask = Callable[[Sequence[Candidate]], list[Verdict]]


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


class Probe:
    """Tries a generator on the first candidates, and goes on with all only where that turns enough of them down.

    A model that reads too badly to answer from chunks says nothing by failing; then only what it knows by heart
    counts.
    """

    def __init__(self, ask: Ask, sample: int) -> None:
        self._ask, self._sample = ask, sample
        self.asked = self.unread = self.known = 0

    def judge(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """A verdict a candidate, in order; those that are not asked pass."""
        going_on = self.asked < self._sample or self.turned_down >= WORTH_ASKING * self.asked
        if not self._sample or not candidates or not going_on:
            return list(candidates)
        verdicts = self._ask(candidates)
        self.asked += len(verdicts)
        reasons = [verdict.reason for verdict in verdicts if isinstance(verdict, Turned)]
        self.unread += reasons.count(UNREAD)
        self.known += reasons.count(KNOWN)
        return verdicts if self.reads else [_unless_known(verdict) for verdict in verdicts]

    @property
    def reads(self) -> bool:
        """Whether the generator answers from chunks often enough for its failures to tell something."""
        return self.unread <= READS * self.asked

    @property
    def turned_down(self) -> int:
        return self.known + (self.unread if self.reads else 0)


def _unless_known(verdict: Verdict) -> Verdict:
    return verdict.candidate if isinstance(verdict, Turned) and verdict.reason == UNREAD else verdict


def _verdict(candidate: Candidate, with_chunk: Reply, without: Reply) -> Verdict:
    if not _is_right(candidate, with_chunk):
        return Turned(candidate, UNREAD, with_chunk.parsed.answer)
    if _is_right(candidate, without):
        return Turned(candidate, KNOWN, without.parsed.answer)
    return candidate


def _is_right(candidate: Candidate, reply: Reply) -> bool:
    return not reply.parsed.abstained and token_f1(reply.parsed.answer, candidate.answers) >= RIGHT


def _passage(chunk: Chunk) -> Passage:
    return Passage(chunk.id, chunk.document_id, chunk.title, chunk.text)
