"""RGB's abilities against its definitions, with readers of known habits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragraft.methods.probing.figures import Probed
from ragraft.methods.probing.rgb import CELLS, NOISE, rgb, says_right
from ragraft.records import Answer, ExamQuestion, Passage, Question
from tests.unit.methods.probing.towns import CHUNKS, QUESTIONS, Reader, desk, values


def answered(text: str, *, abstained: bool = False, f1: float = 0.0) -> Answer:
    return Answer("q0", "base", "", text, text, (), (), abstained, (), True, 1, 1, {"f1": f1, "f1_all": f1})


@pytest.mark.parametrize(
    ("prediction", "answers", "right"),
    [
        # RGB: lower-case both; the answer must stand in the prediction as a string; of a list any one will do.
        ("It was May 1747.", ["may 1747"], 1.0),
        ("It was may 1747.", ["June 1747"], 0.0),
        ("the 17th of May", ["May 17", "17th of may"], 1.0),
        ("category", ["cat"], 1.0),
        ("may  1747", ["may 1747"], 0.0),
        ("", ["1747"], 0.0),
    ],
)
def test_right_is_what_rgbs_script_calls_right(prediction: str, answers: list[str], right: float) -> None:
    question = ExamQuestion(Question("q0", "When?", tuple(answers)), "exam", "k")
    assert says_right(answered(prediction), question) == right
    assert says_right(answered(prediction, abstained=True), question) == 0.0, "insufficient information is no answer"


def test_a_label_is_right_as_it_is_graded() -> None:
    question = ExamQuestion(Question("q0", "Is it?", ("no",), type="yes/no"), "exam", "k")
    assert says_right(answered("I know nothing", f1=0.0), question) == 0.0
    assert says_right(answered("No.", f1=1.0), question) == 1.0


def test_a_reader_that_finds_its_document_is_robust() -> None:
    found = rgb(desk(Reader()))
    for share in NOISE:
        figures = values(found, f"noise robustness, {100 * share:.0f} % noise")
        assert set(figures.values()) == {1.0}
        assert set(figures) == {question.id for question in QUESTIONS}
    shown = {label: len(row.passages) for row in found.answers for label in [row.context]}
    assert [shown[f"noise robustness, {100 * share:.0f} % noise"] for share in NOISE] == [1, 2, 5]


def test_a_reader_of_the_first_passage_alone_is_not() -> None:
    found = rgb(desk(Reader(reach=1)))
    shares = [sum(values(found, f"noise robustness, {100 * share:.0f} % noise").values()) for share in NOISE]  # type: ignore[arg-type]
    assert shares[0] == len(QUESTIONS)
    assert shares[2] < shares[1] < shares[0]


def test_rejecting_is_abstaining_where_all_is_noise() -> None:
    found = rgb(desk(Reader()))
    assert set(values(found, "negative rejection").values()) == {1.0}
    rows = [row for row in found.answers if row.context == "negative rejection"]
    assert not any(row.evidence_shown for row in rows)
    assert set(values(rgb(desk(Reader(by_heart=True))), "negative rejection").values()) == {0.0}


def test_integration_asks_questions_of_several_documents_alone() -> None:
    found = rgb(desk(Reader()))
    assert "information integration: no question rests on several documents" in found.notes
    first, second = QUESTIONS[:2]
    both = replace(first, oracle=(*first.oracle, *second.oracle), parts=(first.oracle, second.oracle))
    found = rgb(desk(Reader(), questions=[both, *QUESTIONS[2:]]))
    assert set(values(found, "information integration, 0 % noise")) == {both.id}
    row = next(row for row in found.answers if row.context == "information integration, 50 % noise")
    assert len(row.passages) == 4
    assert {*both.oracle} < set(row.passages)


def test_a_reader_of_changed_documents_tells_neither_the_truth_nor_the_error() -> None:
    found = rgb(desk(Reader()))
    assert set(values(found, "counterfactual robustness, true answer told").values()) == {0.0}
    assert set(values(found, "counterfactual robustness, error detected").values()) == {0.0}
    knowing = rgb(desk(Reader(by_heart=True)))
    assert set(values(knowing, "counterfactual robustness, true answer told").values()) == {1.0}
    doubting = rgb(desk(Reader(doubts=True)))
    assert set(values(doubting, "counterfactual robustness, error detected").values()) == {1.0}


def test_too_little_noise_leaves_a_question_out_of_every_share() -> None:
    passages = dict(list(CHUNKS.items())[:3])
    found = rgb(desk(Reader(), chunks=passages, questions=QUESTIONS[:3]))
    assert values(found, "noise robustness, 0 % noise") == {}
    assert found.notes[0] == "noise robustness: 3 of 3 questions left out, which have too little noise or room"


def test_as_much_is_asked_as_is_foretold() -> None:
    found: Probed = rgb(desk(Reader()))
    # All but information integration, which no question here is fit for.
    assert len(found.answers) == (CELLS - 2) * len(QUESTIONS)
    assert all(isinstance(passage, Passage) for passage in CHUNKS.values())
