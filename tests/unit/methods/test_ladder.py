"""Where answers are lost: each part from the conditions that define it, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.ladder import PARTS, Climbed, Rungs, climb, forgiving, loss_parts, recovered, total_loss
from ragraft.records import Answer, ExamQuestion, Question

ASKED = ExamQuestion(Question("q", "Which mill has t1?", ("red mill",)), "validation", "c", ("t1#0",))


def row(score: float = 0.0, answer: str = "wrong", *, abstained: bool = False, shown: bool = True) -> Answer:
    return Answer(
        "q", "base", "", answer, "", (), (), abstained, (), shown, 0, 0, {"f1_all": 0.0 if abstained else score}
    )


def lost(climbed: Climbed) -> dict[str, float]:
    return {part: climbed.part(part) for part in PARTS if climbed.part(part)}


def rungs(plain: Answer, examples: Answer, among: Answer, alone: Answer, *, held: bool = True) -> Rungs:
    return Rungs(ASKED, plain, examples, among, alone, held=held)


HIDDEN = row(shown=False)
RIGHT = row(1.0, "red mill")


@pytest.mark.parametrize(
    ("climbed", "wanted"),
    [
        (rungs(RIGHT, RIGHT, RIGHT, RIGHT), {}),
        (rungs(HIDDEN, HIDDEN, RIGHT, RIGHT), {"retrieval": 1.0}),
        (rungs(row(), row(), RIGHT, RIGHT), {"distraction": 1.0}),
        (rungs(row(), row(), row(), RIGHT), {"distraction": 1.0}),
        (rungs(row(), row(), row(), row()), {"reading": 1.0}),
        (rungs(row(), row(), row(), row(), held=False), {"knowledge": 1.0}),
        (rungs(row(0.2), RIGHT, RIGHT, RIGHT), {"form": 0.8}),
        (rungs(*[row(0.2, "It has the red mill, of course")] * 4), {"form": 0.8}),
        (rungs(row(abstained=True), RIGHT, RIGHT, RIGHT), {"abstention": 1.0}),
        (rungs(*[row(abstained=True)] * 4), {"abstention": 1.0}),
        (rungs(HIDDEN, HIDDEN, row(0.5), row(0.7)), {"retrieval": 0.5, "distraction": 0.2, "reading": 0.3}),
        (rungs(RIGHT, row(abstained=True), RIGHT, RIGHT), {"abstention": -1.0, "distraction": 1.0}),
    ],
)
def test_each_part_is_the_gain_of_its_step(climbed: Rungs, wanted: Mapping[str, float]) -> None:
    assert lost(climb(climbed)) == pytest.approx(wanted)


def test_a_question_without_an_oracle_is_lost_to_form_and_knowledge() -> None:
    nowhere = ExamQuestion(Question("q", "?", ("red mill",)), "validation", "c")
    assert lost(climb(Rungs(nowhere, HIDDEN, HIDDEN))) == {"knowledge": 1.0}
    refused = row(abstained=True, shown=False)
    assert lost(climb(Rungs(nowhere, refused, refused))) == {"knowledge": 1.0}, "to abstain is right there"
    long = row(0.5, "well, the red mill", shown=False)
    assert lost(climb(Rungs(nowhere, long, long))) == {"form": 0.5}


def test_an_oracle_that_does_not_fit_is_no_rung() -> None:
    assert lost(climb(Rungs(ASKED, HIDDEN, HIDDEN))) == {"retrieval": 1.0}
    assert lost(climb(Rungs(ASKED, row(), row()))) == {"knowledge": 1.0}


def test_an_unanswerable_question_is_lost_to_abstention_alone() -> None:
    asked = ExamQuestion(Question("q", "?"), "validation", "c")
    answered = Answer("q", "", "", "x", "", (), (), False, (), False, 0, 0, {"f1_all": 0.0})
    refused = Answer("q", "", "", "", "", (), (), True, (), False, 0, 0, {"f1_all": 1.0})
    assert lost(climb(Rungs(asked, answered, refused))) == {"abstention": 1.0}
    assert lost(climb(Rungs(asked, answered, answered))) == {"abstention": 1.0}
    assert climb(Rungs(asked, answered, answered)).shown


def test_only_a_short_answer_is_right_in_another_form() -> None:
    assert forgiving(ASKED, row(0.1, "The red mill it is")) == 1.0
    assert forgiving(ASKED, row(0.1, "red mill " + "and so on " * 20)) == 0.1
    assert forgiving(ASKED, row(0.1, "the mill is red")) == 0.1
    label = ExamQuestion(Question("q", "?", ("yes",), type="yes/no"), "validation", "c")
    assert forgiving(label, row(0.0, "no, or yes")) == 0.0


def test_a_reader_wins_nothing_where_search_misses() -> None:
    climbed = climb(rungs(HIDDEN, HIDDEN, row(), row()))
    assert recovered(climbed, {"reading": 1.0}) == 0.0
    assert recovered(climb(rungs(row(), row(), row(), row())), {"reading": 0.5}) == 0.5
    assert recovered(climb(rungs(HIDDEN, HIDDEN, RIGHT, RIGHT)), {"retrieval": 0.5}) == 0.5
    assert recovered(climb(rungs(HIDDEN, row(0.4, shown=False), RIGHT, RIGHT)), {"form": 1.0}) == 0.4


answers = st.builds(
    row,
    st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 1.0]),
    st.sampled_from(["wrong", "the red mill", "red mill"]),
    abstained=st.booleans(),
    shown=st.booleans(),
)
questions = st.sampled_from([
    ASKED,
    ExamQuestion(Question("q", "?", ("red mill",)), "validation", "c"),
    ExamQuestion(Question("q", "?"), "validation", "c"),
])  # fmt: skip


ladders = st.builds(
    lambda question, plain, examples, oracle, held: Rungs(question, plain, examples, oracle[0], oracle[1], held),
    questions,
    answers,
    answers,
    st.one_of(st.just((None, None)), st.tuples(answers, answers)),
    st.booleans(),
)


@given(ladders)
def test_the_parts_add_up_to_the_loss(rungs: Rungs) -> None:
    climbed = climb(rungs)
    loss = 1 - (rungs.plain.scores["f1_all"] or 0.0)
    assert climbed.loss == pytest.approx(loss, abs=1e-12)
    assert sum(climbed.part(part) for part in PARTS) == pytest.approx(loss, abs=1e-12)
    assert recovered(climbed, dict.fromkeys(PARTS, 1.0)) <= loss + 1e-12, "no more can be won than is lost"


def test_mean_parts_add_up_to_the_mean_loss_with_intervals() -> None:
    climbed = [
        Climbed(f"q{n}", f"c{n % 6}", climb(one).steps, shown=True, oracle=True, score=0.0)
        for n, one in enumerate([rungs(HIDDEN, HIDDEN, RIGHT, RIGHT), rungs(*[row(0.3)] * 4), rungs(*[RIGHT] * 4)] * 4)
    ]
    parts = loss_parts(climbed, resamples=200, seed=0)
    total = total_loss(climbed, resamples=200, seed=0)
    assert sum(figure.value for figure in parts.values()) == pytest.approx(total.value)
    assert total.value == pytest.approx((1 + 0.7) / 3)
    assert total.low is not None
    assert total.low < total.value
    assert parts["retrieval"].n == 12
