from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ragraft.methods.gate import Exam, Gate, gate_table, pass_gate
from ragraft.records import Answer, ExamQuestion, Question

OPEN = Gate("f1", 0.0, closed_book=0.02, formats=0.02, abstention=0.05, over_refusal=None)


def figure(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 40, "clusters": 20, **more}


def exam(
    headline: dict[str, Any] | None, closed: dict[str, Any] | None, formats: dict[str, Any] | None, **given: Any
) -> Exam:
    """An exam with these differences."""
    rows = [("retrieved", headline), ("none", closed)]
    card = {
        "conditions": [
            {"model": model, "context": "retrieved", "metrics": {"f1": {"value": value}}}
            for model, value in (("base", 0.2), ("base-fewshot", 0.1), ("tuned", 0.5))
        ],
        "differences": [
            {"metric": "f1", "context": context, "a": "tuned", "b": "base", **row} for context, row in rows if row
        ],
    }
    forgetting = {"formats": {"difference": formats}} if formats else {}
    return Exam(card, forgetting, **{"answers": (), "questions": (), "resamples": 100, "seed": 0, **given})


GOOD = exam(figure(0.2, 0.1, 0.3), figure(0.0, -0.01, 0.01), figure(0.01, -0.015, 0.02))


def test_a_model_that_is_better_and_no_worse_passes() -> None:
    checks = pass_gate(GOOD, OPEN)
    assert [(check.name, check.passed) for check in checks] == [
        ("score", True),
        ("score without documents", True),
        ("format instructions kept", True),
    ]
    table = gate_table(checks, "base")
    assert table.title == "Tuned minus base, points of 100"
    assert table.rows[0] == ("score", "+20.0 [10.0, 30.0]", "lower end above 0.0", "passed")
    assert table.notes == ()
    failed = gate_table(pass_gate(exam(None, figure(0, 0, 0), figure(0, 0, 0)), OPEN), None)
    assert failed.rows[0][1:] == ("-", "lower end above 0.0", "FAILED")
    assert failed.notes == ("score: examine tuned and base with retrieved passages.",)


@pytest.mark.parametrize(
    ("headline", "then"),
    [
        (figure(0.05, -0.02, 0.1, detectable=0.08), "ask more questions: such an exam finds 8.0 points up; or train"),
        (figure(0.05, -0.02, 0.1), "ask more questions; or train otherwise"),
        (figure(-0.2, -0.3, -0.1), "it is worse: ask ragraft diagnose, and train otherwise"),
        (figure(0.2, 0.1, 0.3, clusters=4), "4 clusters of questions show nothing; ask more"),
        (figure(0.2, 0.1, 0.3) | {"low": None, "high": None}, "examine tuned and base with retrieved passages"),
        (None, "examine tuned and base with retrieved passages"),
    ],
)
def test_what_has_not_shown_that_it_is_better_fails(headline: dict[str, Any] | None, then: str) -> None:
    first, *others = pass_gate(exam(headline, figure(0, 0, 0), figure(0, 0, 0)), OPEN)
    assert not first.passed
    assert first.then.startswith(then)
    assert all(check.passed for check in others)


def test_the_least_gain_is_a_setting() -> None:
    assert not pass_gate(GOOD, replace(OPEN, least=0.1))[0].passed
    assert pass_gate(GOOD, replace(OPEN, least=0.09))[0].passed


@pytest.mark.parametrize(
    ("closed", "passed", "then"),
    [
        (figure(0.0, -0.019, 0.02), True, ""),
        (
            figure(0.0, -0.02, 0.02),
            False,
            "a fall is not ruled out: ask more questions, or raise promote.closed_book; or pro",
        ),
        (figure(-0.1, -0.15, -0.05), False, "it has fallen: train otherwise"),
        (None, False, "not measured: have evaluate.contexts hold none, and evaluate.models base and tuned; or set pro"),
    ],
)
def test_a_guardrail_must_rule_a_loss_out(closed: dict[str, Any] | None, passed: bool, then: str) -> None:
    check = pass_gate(exam(figure(0.2, 0.1, 0.3), closed, figure(0, 0, 0)), OPEN)[1]
    assert (check.passed, check.name) == (passed, "score without documents")
    assert check.then.startswith(then)


def test_nobody_is_told_to_ask_more_of_the_format_instructions() -> None:
    check = pass_gate(exam(figure(0.2, 0.1, 0.3), figure(0, 0, 0), figure(0.0, -0.06, 0.06)), OPEN)[2]
    wanted = "a fall is not ruled out: train otherwise (train.method: hybrid), or raise promote.formats"
    assert (check.passed, check.then) == (False, wanted)


def test_what_is_null_is_not_asked() -> None:
    gate = replace(OPEN, closed_book=None, formats=None, abstention=None)
    assert [check.name for check in pass_gate(exam(figure(0.2, 0.1, 0.3), None, None), gate)] == ["score"]


def asked(refuse: dict[str, float], *, answerable: bool, number: int = 20) -> dict[str, Any]:
    """So many questions, of which each model refuses a share."""
    questions = [
        ExamQuestion(Question(f"q{n}", "Why?", ("so",) if answerable else ()), "exam", f"c{n}", ("p",))
        for n in range(number)
    ]
    answers = [
        Answer(
            question_id=f"q{n}",
            model=model,
            context="retrieved",
            answer="",
            text="",
            citations=(),
            quotes=(),
            abstained=n < number * share,
            passages=("p",),
            evidence_shown=answerable,
            prompt_tokens=1,
            answer_tokens=1,
            scores={},
        )
        for model, share in refuse.items()
        for n in range(number)
    ]
    return {"questions": questions, "answers": answers}


@pytest.mark.parametrize(("tuned", "passed"), [(0.9, True), (0.1, False)])
def test_abstentions_on_what_nothing_answers_may_not_fall(tuned: float, passed: bool) -> None:
    found = exam(
        figure(0.2, 0.1, 0.3),
        figure(0, 0, 0),
        figure(0, 0, 0),
        **asked({"base": 0.4, "tuned": tuned}, answerable=False),
    )
    check = pass_gate(found, OPEN)[-1]
    assert (check.name, check.passed) == ("abstentions where nothing answers", passed)
    assert check.figure is not None
    assert check.figure["value"] == pytest.approx(tuned - 0.4)


def test_where_both_models_abstain_on_two_questions_nothing_is_ruled_out() -> None:
    few = asked({"base": 1.0, "tuned": 1.0}, answerable=False, number=2)
    check = pass_gate(exam(figure(0.2, 0.1, 0.3), figure(0, 0, 0), figure(0, 0, 0), **few), OPEN)[-1]
    assert check.figure is not None
    assert (check.figure["low"], check.figure["high"]) == (0.0, 0.0)
    assert not check.passed
    assert check.then == "2 clusters of questions rule nothing out: ask more, or set promote.abstention=null"


@pytest.mark.parametrize(("tuned", "passed"), [(0.0, True), (0.8, False)])
def test_refusals_where_evidence_was_shown_may_not_rise(tuned: float, passed: bool) -> None:
    found = exam(
        figure(0.2, 0.1, 0.3),
        figure(0, 0, 0),
        figure(0, 0, 0),
        **asked({"base": 0.2, "tuned": tuned}, answerable=True),
    )
    check = pass_gate(found, replace(OPEN, over_refusal=0.05))[-1]
    assert (check.name, check.passed) == ("answers where evidence was shown", passed)
    assert check.figure is not None
    assert check.figure["value"] == pytest.approx(0.2 - tuned)


def answered(model: str, scores: dict[str, float]) -> list[Answer]:
    return [
        Answer(name, model, "retrieved", "", "", (), (), False, (), True, 1, 1, scores={"f1": score})
        for name, score in scores.items()
    ]


def beside(tuned: float, service: float, *, changed: float = 0.0, unchanged: int = 20) -> Exam:
    """An exam on `unchanged` questions and five others, with these scores; `changed` is tuned's on the others."""
    names = [f"q{row}" for row in range(unchanged + 5)]
    others = set(names[unchanged:])
    return replace(
        GOOD,
        answers=answered("tuned", {name: changed if name in others else tuned for name in names}),
        service=answered("in service", dict.fromkeys(names, service)),
        unchanged=frozenset(names) - others,
        questions=[ExamQuestion(Question(name, "?", ("a",)), "exam", name) for name in names],
    )


AGAINST = replace(OPEN, in_service=0.03)


@pytest.mark.parametrize(
    ("given", "failed"),
    [
        (beside(0.5, 0.5, changed=0.9), []),
        (beside(0.48, 0.5, changed=0.5), []),
        (beside(0.46, 0.5, changed=0.9), ["score where nothing changed, against the model in service"]),
        (beside(0.5, 0.5, changed=0.4), ["score where something changed, against it"]),
        (replace(beside(0.5, 0.5), service=()), ["score where nothing changed, against the model in service"]),
        (beside(0.5, 0.5, changed=0.5, unchanged=0), []),
        (replace(beside(0.1, 0.9), service=None), []),
    ],
)
def test_the_model_in_service_must_not_be_better(given: Exam, failed: list[str]) -> None:
    checks = pass_gate(given, AGAINST)
    assert [check.name for check in checks if not check.passed] == failed
    assert pass_gate(given, OPEN) == pass_gate(GOOD, OPEN), "null asks nothing"


def test_what_was_not_compared_says_how_it_would_be() -> None:
    (check,) = (one for one in pass_gate(replace(GOOD, service=()), AGAINST) if not one.passed)
    assert check.then.startswith("not measured: compare it with the model that is in service now: ragraft refresh")
