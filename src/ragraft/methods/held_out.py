"""Keep what lessons must not know out of them: the questions of every side but train. Knows wording and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ragraft.methods.candidates import Candidate
from ragraft.methods.containment import holds, is_telling, words
from ragraft.methods.same_question import Wording, same_groups
from ragraft.records import ExamQuestion

ASKED = "asked on another side too"
ANSWERED = "answers a question of another side"
_HELD = "held "


class HeldOut:
    """The questions held out, and what of a candidate would give one away."""

    def __init__(self, questions: Iterable[ExamQuestion]) -> None:
        held = [question for question in questions if question.side != "train"]
        self._names = {f"{_HELD}{one.id}": f"{one.id} ({one.side})" for one in held}
        # Without evidence, so that a near-equal question counts wherever either of the two points.
        self._asked = [Wording(f"{_HELD}{one.id}", one.question.question) for one in held]
        self._answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for one in held:
            for chunk in one.oracle:
                self._answers[chunk] += [(answer, f"{one.id} ({one.side})") for answer in one.question.answers]

    def faults(self, candidates: Sequence[Candidate]) -> dict[str, tuple[str, str]]:
        """Candidate id → reason and detail: it asks what is held out, or wants the same of the same chunk."""
        found = self._same_answers(candidates)
        texts = [(one.id, text) for one in candidates for text in (one.question, one.titled) if text]
        new = [Wording(f"{row} {name}", text) for row, (name, text) in enumerate(texts)]
        names = {wording.id: name for wording, (name, _) in zip(new, texts, strict=True)}
        for group in same_groups([*self._asked, *new]):
            if group[0] in self._names:
                same = (ASKED, f"same as {self._names[group[0]]}")
                found |= {names[name]: same for name in group if name in names}
        return found

    def _same_answers(self, candidates: Sequence[Candidate]) -> dict[str, tuple[str, str]]:
        found = {}
        for one in candidates:
            for answer, name in self._answers.get(one.chunk, ()):
                if any(_same_answer(answer, other) for other in one.answers):
                    found[one.id] = (ANSWERED, f"{answer!r} of {name}")
        return found


def _same_answer(one: str, other: str) -> bool:
    if is_telling(one) and is_telling(other):
        return holds(one, other) or holds(other, one)
    return words(one) == words(other)
