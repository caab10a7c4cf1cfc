"""A made-up exam on towns and their mills, and readers of known habits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.asking import Arm, Room
from ragraft.methods.finders import Asking
from ragraft.methods.probing.asked import Desk
from ragraft.methods.probing.figures import Probed
from ragraft.methods.prompt import PromptBuilder
from ragraft.records import Completion, ExamQuestion, Passage, Prompt, Question, Sampling
from tests.conftest import WordTokenizer

MILLERS = ["Ada", "Bruno", "Clara", "Dmitri", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Karin", "Luca"]
CHUNKS = {
    f"c{n}": Passage(f"c{n}", f"d{n}", f"Town {n}", f"The miller of town {n} is {miller}, who grinds at night.")
    for n, miller in enumerate(MILLERS)
}
QUESTIONS = [
    ExamQuestion(Question(f"q{n}", f"Who is the miller of town {n}?", (miller,)), "exam", f"k{n}", (f"c{n}",))
    for n, miller in enumerate(MILLERS)
]
ABSTENTION = "not in the documents."


@dataclass
class Reader:
    """Reads the miller off its town's document, among the first `reach`; cites it; abstains without one."""

    reach: int = 99
    by_heart: bool = False
    """Always tells the true one."""
    doubts: bool = False
    """Says of a document that tells another miller than it knows that it is wrong."""
    cites: bool = True

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return [Completion(self._reply(prompt.messages[-1].content), (1, 2)) for prompt in prompts]

    def _reply(self, turn: str) -> str:
        town = re.findall(r"Who is the miller of town (\d+)", turn)[0]
        known = MILLERS[int(town)]
        if self.by_heart:
            return f"Answer: {known}"
        passages = re.findall(r"\[(\d+)\] Town (\d+)\nThe miller of town \d+ is (\w+),", turn)
        for number, place, miller in passages[: self.reach]:
            if place == town:
                if self.doubts and miller != known:
                    return "Answer: there are factual errors in the documents"
                return f"Answer: {miller}" + (
                    f'\n"The miller of town {town} is {miller}" [{number}]' if self.cites else ""
                )
        return f"Answer: {ABSTENTION}"


class Found:
    """Finds a question's own chunk second, and the others in their order around it."""

    def __init__(self, chunks: Mapping[str, Passage]) -> None:
        self.chunks = chunks

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return [self._ranked(question)[:k] for question in questions]

    def _ranked(self, question: str) -> list[Passage]:
        own = f"c{re.findall(r'[0-9]+', question)[0]}"
        others = [passage for name, passage in self.chunks.items() if name != own]
        return [*others[:1], self.chunks[own], *others[1:]]


def desk(
    *readers: Reader, questions: Sequence[ExamQuestion] = QUESTIONS, chunks: Mapping[str, Passage] = CHUNKS, k: int = 4
) -> Desk:
    """The readers as base and tuned model."""
    builder = PromptBuilder(WordTokenizer(), ABSTENTION, 2048, 16)
    room = Room(Asking(Found(chunks)), builder, chunks, k=k, batch=5)
    return Desk(
        questions, room, [Arm(name, one) for name, one in zip(("base", "tuned"), readers, strict=False)], seed=0
    )


def values(found: Probed, figure: str, model: str = "base") -> dict[str, float | None]:
    """One figure's values; fails where it is not there."""
    (reading,) = (one for one in found.readings if (one.figure, one.model) == (figure, model))
    return dict(reading.values)
