"""Facts that changed: what is right, what is stale, what can't be told, and the figures over all of them."""

from __future__ import annotations

from typing import Any

import pytest

from ragraft.methods.upkeep.currency import METRICS, Fact, State, currency, gives, make_fact, score, stated
from ragraft.records import Answer, ExamQuestion, Question


def asked(
    name: str = "q", answers: tuple[str, ...] = ("7.0.85",), *, oracle: tuple[str, ...] = ("c",), **other: Any
) -> ExamQuestion:
    question = Question(name, other.pop("text", "Which is the newest release of Harbour 7?"), answers, **other)
    return ExamQuestion(question, "exam", name[0], oracle)


def said(text: str, name: str = "q", *, model: str = "tuned", abstained: bool = False, shown: bool = True) -> Answer:
    return Answer(name, model, "retrieved", text, text, (), (), abstained, (), shown, 9, 1)


def fact(state: State = "changed", old: tuple[str, ...] = ("7.0.76",), **other: Any) -> Fact:
    return make_fact(asked(**other), state, old=old)


@pytest.mark.parametrize(
    ("answer", "values", "given"),
    [
        ("7.0.85", ["7.0.85"], True),
        ("It is 7.0.85.", ["7.0.85"], True),
        ("It is “7.0.85”, they say", ["7.0.85"], True),
        ("7.0.8", ["7.0.85"], False),
        ("7.0.85", ["7.0.8"], False),
        ("7.0.85.1", ["7.0.85"], False),
        ("17.0.85", ["7.0.85"], False),
        ("On 5 May 2026", ["2026-05-05", "5 may  2026"], True),
        ("Harbour 7 has none", ["7"], False),  # the question names it
        ("7", ["7"], True),
        ("-3", ["3"], False),
        ("Vitória", ["vitória"], True),
        ("", ["7"], False),
        ("7.0.85", [" "], False),
    ],
)
def test_a_value_is_given_as_a_whole_word(answer: str, values: list[str], *, given: bool) -> None:
    assert gives(answer, "Which is the newest release of Harbour 7?", values) is given


@pytest.mark.parametrize(
    ("text", "right", "stale"),
    [
        ("7.0.85", 1, 0),
        ("7.0.76", 0, 1),
        ("7.0.76, or 7.0.85 since May", 0, 0),  # neither: it doesn't decide
        ("6.1", 0, 0),
    ],
)
def test_a_changed_fact(text: str, right: float, stale: float) -> None:
    found = score(fact(), said(text))
    assert (found["right"], found["stale"], found["stale_shown"], found["shown"]) == (right, stale, stale, 1)
    elsewhere = score(fact(), said(text, shown=False))
    assert (elsewhere["stale"], elsewhere["stale_shown"], elsewhere["shown"]) == (stale, None, 0)


def test_abstaining_is_right_only_of_what_is_gone() -> None:
    silent = said("I don't know: 7.0.76", abstained=True)
    assert score(fact(), silent) == {"right": 0, "stale": 0, "stale_shown": 0, "abstained": 1, "shown": 1}
    gone = fact("removed", answers=(), oracle=())
    assert score(gone, silent) == {"right": 1, "stale": 0, "stale_shown": None, "abstained": 1, "shown": None}
    assert score(gone, said("7.0.76"))["stale"] == 1
    assert score(gone, said("7.0.85"))["right"] == 0


def test_what_cannot_be_told_is_unscored() -> None:
    assert score(fact(answers=()), said("7.0.85"))["right"] is None
    assert score(fact(answers=()), said("7.0.76"))["stale"] == 1
    assert score(fact("unchanged", old=()), said("7.0.85"))["stale"] is None
    assert make_fact(asked(), "changed", old=["7.0.85", "7.0.76"]).old == ("7.0.76",), "the value of now is not old"


def test_labels_and_calls_are_graded_as_such() -> None:
    question = asked(answers=("no",), text="Is Harbour 7 supported?", type="yes/no")
    label = make_fact(question, "changed", old=["yes"])
    assert score(label, said("No, since May."))["right"] == 1
    assert score(label, said("Yes."))["stale"] == 1
    call = make_fact(asked(answers=("load('b', x=1)",), text="Which call?"), "changed", old=["load('a', x=1)"])
    assert score(call, said("load(x=1, 'b')"))["stale"] == 0
    assert score(call, said('load("a", x = 1)'))["stale"] == 1


@pytest.mark.parametrize(
    ("metadata", "answers", "told"),
    [
        ({"old_answers": ["a"]}, ("b",), ("changed", ("b",), ("a",))),
        ({"old_answers": "a"}, (), ("removed", (), ("a",))),
        ({"new_answers": ["b"]}, ("a",), ("changed", ("b",), ("a",))),
        ({"drift": "added"}, ("b",), ("added", ("b",), ())),
        ({"drift": "unchanged"}, ("b",), ("unchanged", ("b",), ())),
    ],
)
def test_a_row_says_what_became_of_its_fact(
    metadata: dict[str, Any], answers: tuple[str, ...], told: tuple[str, tuple[str, ...], tuple[str, ...]]
) -> None:
    found = stated(asked(answers=answers, metadata=metadata), "exam")
    assert found
    assert (found.state, found.question.question.answers, found.old) == told


@pytest.mark.parametrize("metadata", [{}, {"old_answers": []}, {"drift": "changed"}, {"drift": 3}])
def test_a_row_that_says_nothing_is_none(metadata: dict[str, Any]) -> None:
    assert stated(asked(metadata=metadata), "exam") is None


FACTS = [
    make_fact(asked("a1"), "changed", old=["7.0.76"]),
    make_fact(asked("b1"), "changed", old=["7.0.76"]),
    make_fact(asked("b2", answers=()), "changed", old=["7.0.76"]),
    make_fact(asked("c1"), "unchanged", source="probe"),
]


def test_figures_by_state_model_and_context() -> None:
    answers = [said("7.0.76", one.id) for one in FACTS] + [said("7.0.85", one.id, model="base") for one in FACTS]
    found = currency(FACTS, [*answers, said("7.0.85", "another run's")])
    rows = {(row["state"], row["model"]): row for row in found["rows"]}
    assert set(rows) == {(state, model) for state in ("changed", "unchanged", "all") for model in ("tuned", "base")}
    tuned = rows["changed", "tuned"]
    assert tuned["facts"] == 3
    assert {key: tuned["right"][key] for key in ("value", "n", "unscored", "clusters")} == {
        "value": 0.0,
        "n": 2,
        "unscored": 1,
        "clusters": 2,
    }
    assert (tuned["stale"]["value"], tuned["stale"]["n"]) == (1.0, 3)
    assert rows["unchanged", "tuned"]["stale"] is None
    assert rows["all", "base"]["right"]["value"] == 1.0
    assert all(set(METRICS) <= set(row) for row in rows.values())
    differences = {(row["state"], row["metric"]): row for row in found["differences"]}
    assert differences["changed", "right"]["value"] == -1
    assert differences["changed", "stale"]["value"] == 1
    assert ("unchanged", "stale") not in differences
    assert found["facts"] == {"unchanged": 1, "changed": 3, "added": 0, "removed": 0}
    assert found["sources"] == {"exam": 3, "probe": 1}


def test_pairs_that_were_not_asked_have_no_difference() -> None:
    found = currency(FACTS, [said("7.0.76", one.id) for one in FACTS], pairs=[("tuned", "base")])
    assert found["differences"] == []
