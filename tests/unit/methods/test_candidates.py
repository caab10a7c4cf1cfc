from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from ragraft.methods.candidates import Candidate, Gates, Turned, holds_answer, make_candidate, spread
from ragraft.methods.same_question import Wording
from ragraft.records import Chunk, Passage

CHUNKS = [
    Chunk("a#0", "a", "Arlen › Tower", "The tower of Arlen is made of red granite. Nobody knows why.", 0, 60, 12),
    Chunk("b#0", "b", "Boskar", "The tower of Boskar is made of grey slate. Everybody knows why.", 0, 60, 12),
    Chunk("c#0", "c", "", "A copy: The tower of Boskar is made of grey slate. Fine.", 0, 60, 12),
]


class Fixed:
    """Finds the chunk whose title, or else whose second word, the question names."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        self.asked += questions
        return [
            [Passage(c.id, c.document_id, c.title, c.text) for c in self._found(question)][:k] for question in questions
        ]

    def _found(self, question: str) -> Iterable[Chunk]:
        return [c for c in CHUNKS if c.title.partition(" ›")[0] and c.title.partition(" ›")[0] in question]


def candidate(
    question: str = "What is the tower of Arlen made of?",
    answer: str = "red granite",
    *,
    chunk: int = 0,
    bound: bool = False,
    evidence: str = "",
    kind: str = "done-by",
) -> Candidate:
    held = CHUNKS[chunk]
    return make_candidate(
        held,
        question,
        answers=[answer],
        evidence=[evidence or held.text.partition(". ")[0]],
        kind=kind,
        made_by="ragraft patterns",
        bound=bound,
    )


def gates(existing: Iterable[Wording] = ()) -> Gates:
    return Gates(
        {chunk.id: chunk for chunk in CHUNKS}, [chunk.text for chunk in CHUNKS], existing, retriever=Fixed(), k=2
    )


def test_a_good_one_passes_and_becomes_a_row_that_says_who_made_it() -> None:
    one = candidate()
    assert gates().judge([one]) == [one]
    row = one.row()
    assert (row.id, row.evidence_ids, row.answers) == (one.id, ("a",), ("red granite",))
    assert row.metadata == {"made_by": "ragraft patterns", "reviewed": False, "kind": "done-by", "chunk": "a#0"}
    assert one.id == candidate().id != candidate("What is Arlen made of?").id


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (candidate(answer="blue granite"), "the answer does not stand in the chunk"),
        (candidate(evidence="The tower is red."), "the evidence does not stand in the chunk"),
        (candidate("According to the document, what is Arlen made of?"), "the question speaks of its source"),
        (candidate("What does the passage say of Arlen?"), "the question speaks of its source"),
        (candidate("Is the tower of Arlen made of red granite?"), "the question contains its answer"),
        (candidate("Why is granite red in Arlen?"), "the question contains its answer"),
        (candidate(answer="red"), "the answer is not distinctive"),
        (candidate("Who knows of Arlen?", "is made of"), "the answer is not distinctive"),
        (
            candidate("What is it made of?", "grey slate", chunk=2, bound=True),
            "the question needs its document's title",
        ),
        (candidate("What is the tower made of?", "grey slate", chunk=2), "the question does not find its chunk"),
    ],
)
def test_each_gate_turns_down_with_its_reason(one: Candidate, reason: str) -> None:
    (verdict,) = gates().judge([one])
    assert isinstance(verdict, Turned)
    assert (verdict.candidate.id, verdict.reason) == (one.id, reason)
    assert verdict.detail


@pytest.mark.parametrize(
    "question",
    ["What does the `text` argument set?", "Who edits the document type of a form?", "What is a source of heat?"],
)
def test_documents_may_be_what_a_question_is_about(question: str) -> None:
    (verdict,) = gates().judge([candidate(question)])
    assert not isinstance(verdict, Turned) or verdict.reason in (
        "the question does not find its chunk",
        "the question shares no word with its chunk",
    )


def test_a_question_that_finds_nothing_is_tried_with_its_title() -> None:
    (verdict,) = gates().judge([candidate("What is the tower made of?")])
    assert isinstance(verdict, Candidate)
    assert verdict.question == "What is the tower made of (“Arlen”)?"
    assert verdict.id == candidate("What is the tower made of?").id


def test_a_bound_question_is_never_asked_without_its_title() -> None:
    (verdict,) = gates().judge([candidate(bound=True)])
    assert isinstance(verdict, Candidate)
    assert verdict.question == "What is the tower of Arlen made of (“Arlen”)?"


def test_a_copy_of_the_evidence_counts_as_found() -> None:
    sentence = "The tower of Boskar is made of grey slate."
    one = candidate("What is the tower of Boskar made of?", "grey slate", chunk=2, evidence=sentence)
    (verdict,) = gates().judge([one])
    assert isinstance(verdict, Candidate)


def test_what_was_asked_is_not_asked_again() -> None:
    first, same = candidate(), candidate(kind="model", answer="granite")
    judged = gates([Wording("old", "Who knows why Arlen is red?", frozenset({"a"}))])
    again = candidate("Who knows why Arlen is red?", "Nobody knows")
    verdicts = judged.judge([first, again])
    assert verdicts == [first, Turned(again, "asked already", "same as old")]
    other = make_candidate(
        CHUNKS[0], first.question, answers=["granite"], evidence=same.evidence, kind="model", made_by="m"
    )
    assert judged.judge([other]) == [Turned(other, "asked already", f"same as {first.id}")]


def test_within_a_batch_the_first_one_passes() -> None:
    first = candidate()
    second = make_candidate(
        CHUNKS[0], first.question, answers=["granite"], evidence=first.evidence, kind="x", made_by="m"
    )
    assert gates().judge([first, second]) == [first, Turned(second, "asked already", f"same as {first.id}")]


def test_giving_an_answer_away() -> None:
    assert holds_answer("Is it red granite?", "Red granite.")
    assert holds_answer("Which granite is red?", "red granite")
    assert not holds_answer("What is it made of?", "red granite")
    assert not holds_answer("What is it?", "it is")


def test_every_beginning_of_the_order_is_varied_and_seeded() -> None:
    kinds = {"rare": 1, "some": 3, "many": 9}
    rows = [candidate(f"{kind} {n}?", chunk=n % 3, kind=kind) for kind, number in kinds.items() for n in range(number)]
    order = spread(rows, seed=1)
    assert sorted(one.id for one in order) == sorted(one.id for one in rows)
    assert {one.kind for one in order[:3]} == set(kinds)
    assert [one.kind for one in order[:7]].count("many") == 3
    assert len({one.chunk for one in order if one.kind == "some"}) == 3
    assert {one.chunk for one in [one for one in order if one.kind == "many"][:3]} == {"a#0", "b#0", "c#0"}
    assert spread(rows[::-1], seed=1) == order != spread(rows, seed=2)
    assert spread([], seed=0) == []
