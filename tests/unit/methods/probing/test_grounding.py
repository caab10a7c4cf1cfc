"""Documents taken away and changed, with readers of known habits."""

from __future__ import annotations

from ragraft.methods.probing.grounding import removal, replacement
from ragraft.records import ExamQuestion, Passage, Question
from tests.unit.methods.probing.towns import CHUNKS, QUESTIONS, Reader, desk, values

GONE, SAME = "abstains without the cited document", "says the same without it"


def test_a_reader_abstains_once_its_document_is_gone() -> None:
    found = removal(desk(Reader()))
    assert set(values(found, GONE).values()) == {1.0}
    assert set(values(found, SAME).values()) == {0.0}
    again = [row for row in found.answers if row.context == "removal"]
    assert len(again) == len(QUESTIONS)
    assert all(len(row.passages) == 3 and not row.evidence_shown for row in again)


class Stubborn(Reader):
    """Cites the town's document and never needed it."""

    def _reply(self, turn: str) -> str:
        reply = super()._reply(turn)
        return reply if "[" in reply else Reader(by_heart=True)._reply(turn)


def test_an_answer_that_stays_was_not_taken_from_its_document() -> None:
    found = removal(desk(Stubborn()))
    assert set(values(found, GONE).values()) == {0.0}
    assert set(values(found, SAME).values()) == {1.0}


def test_answers_without_a_citation_are_unscored_and_abstentions_not_asked() -> None:
    found = removal(desk(Reader(cites=False), Reader(reach=0)))
    assert set(values(found, GONE).values()) == {None}
    assert values(found, GONE, "tuned") == {}


def test_a_copy_that_is_left_makes_a_question_unscored() -> None:
    copy = Passage("copy", "d0", "Town 0", CHUNKS["c0"].text)
    chunks = {"copy": copy, **CHUNKS}
    found = removal(desk(Reader(), chunks=chunks))
    assert values(found, GONE)["q0"] is None
    assert values(found, GONE)["q1"] == 1.0


def test_the_grids_own_answers_are_judged_where_it_has_them() -> None:
    first = desk(Reader())
    passages, rows, asked = first.retrieved()
    assert len(asked) == len(QUESTIONS)
    first.grid, first.passages = {"base": list(rows["base"].values())}, passages
    assert first.retrieved() == (passages, rows, [])
    assert [row.context for row in removal(first).answers] == ["removal"] * len(QUESTIONS)


def test_a_reader_follows_a_changed_document() -> None:
    found = replacement(desk(Reader(), Reader(by_heart=True)))
    assert set(values(found, "follows the changed document").values()) == {1.0}
    assert set(values(found, "keeps to the old answer").values()) == {0.0}
    assert set(values(found, "follows the changed document", "tuned").values()) == {0.0}
    assert set(values(found, "keeps to the old answer", "tuned").values()) == {1.0}
    assert set(values(replacement(desk(Reader(reach=0))), "abstains on the changed document").values()) == {1.0}


def test_questions_whose_answer_cannot_be_exchanged_are_unscored() -> None:
    odd = ExamQuestion(Question("q9", "Who is the miller of town 9?", ("nobody at all",)), "exam", "k9", ("c9",))
    found = replacement(desk(Reader(), questions=[*QUESTIONS[:3], odd]))
    figures = values(found, "follows the changed document")
    assert figures.pop("q9") is None
    assert set(figures.values()) == {1.0}
