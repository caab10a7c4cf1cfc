from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from ragraft.methods.answerable import KNOWN, UNREAD, Probe, check_answerable
from ragraft.methods.candidates import Candidate, Turned, Verdict, make_candidate
from ragraft.methods.prompt import PromptBuilder
from ragraft.records import Chunk, Completion, Prompt, Sampling

if TYPE_CHECKING:
    from ragraft import ports

CHUNKS = {
    name: Chunk(name, name, name.title(), f"The tower is made of {stone}.", 0, 30, 6)
    for name, stone in (("arlen", "red granite"), ("paris", "wrought iron"), ("esker", "grey slate"))
}


class Reader:
    """Reads the chunk of all but Esker, and knows Paris by heart."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return [Completion(f"Answer: {self._answer(prompt.messages[-1].content)}") for prompt in prompts]

    def _answer(self, turn: str) -> str:
        if "Paris" in turn.rpartition("Question:")[2]:
            return "iron, wrought"
        return "red granite" if "granite" in turn else "not in the documents."


def test_answered_with_the_chunk_and_not_without(word_tokenizer: ports.Tokenizer) -> None:
    candidates = [
        make_candidate(
            chunk,
            f"What is the tower of {chunk.title} made of?",
            answers=[chunk.text.partition("made of ")[2].strip(".")],
            evidence=[chunk.text],
            kind="x",
            made_by="m",
        )
        for chunk in CHUNKS.values()
    ]
    builder = PromptBuilder(word_tokenizer, "not in the documents.", max_tokens=500, answer_tokens=20)
    found = check_answerable(candidates, CHUNKS, builder=builder, generator=Reader())
    assert found[0] == candidates[0]
    assert [(one.reason, one.detail) for one in found if isinstance(one, Turned)] == [
        ("answered without the chunk", "iron, wrought"),
        ("not answered with the chunk shown", "not in the documents."),
    ]
    assert check_answerable([], CHUNKS, builder=builder, generator=Reader()) == []


class Asked:
    """Verdicts by the letters of a plan: r right with the chunk alone, u unread, k known."""

    def __init__(self, plan: str) -> None:
        self.plan, self.calls = iter(plan), 0

    def __call__(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        self.calls += 1
        reasons = {"u": UNREAD, "k": KNOWN}
        letters = [next(self.plan) for _ in candidates]
        return [Turned(one, reasons[x]) if x in reasons else one for one, x in zip(candidates, letters, strict=True)]


def four(row: int) -> list[Candidate]:
    return [
        make_candidate(CHUNKS["arlen"], f"What of {row}{part}?", answers=["x"], evidence=[], kind="x", made_by="t")
        for part in range(4)
    ]


@pytest.mark.parametrize(
    ("plan", "sample", "calls", "turned"),
    [
        ("rrrr" * 3, 4, 1, 0),  # nothing turned down: the rest is believed
        ("rrru" + "rrrr" * 2, 4, 3, 1),  # a quarter turned down: all are asked
        ("uuur" + "rrrr" * 2, 4, 1, 0),  # reads too badly to be believed
        ("uukr" + "uuuk" * 2, 4, 3, 5),  # half of them is not too badly; then it is
        ("kkkk" * 3, 4, 3, 12),
        ("", 0, 0, 0),
    ],
)
def test_a_sample_says_whether_all_are_asked(plan: str, sample: int, calls: int, turned: int) -> None:
    asked = Asked(plan)
    probe = Probe(asked, sample)
    verdicts = [verdict for row in range(3) for verdict in probe.judge(four(row))]
    assert (asked.calls, sum(isinstance(one, Turned) for one in verdicts)) == (calls, turned)
    assert probe.asked == 4 * calls
    assert probe.judge([]) == []
