from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragraft.methods.answerable import check_answerable
from ragraft.methods.candidates import Turned, make_candidate
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
