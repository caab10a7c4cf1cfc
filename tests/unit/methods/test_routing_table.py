"""A calibration in words, tables and on the page."""

from __future__ import annotations

from typing import Any

import pytest

from ragraft.methods import charts, routing_charts
from ragraft.methods.routing import fit_router
from ragraft.methods.routing_figures import route, routing_figures
from ragraft.methods.routing_table import calibration_tables, sentences, skip_sentence
from ragraft.records import to_json
from tests.unit.methods.test_routing import FIT, world


def record(number: int = 240, *, exam: bool = True, max_wrong: float | None = None, **known: float) -> dict[str, Any]:
    """As the stage writes it."""
    rows = world(number, **{"knows": 0.5, "reads": 0.8, **known})  # type: ignore[arg-type]
    fitted = fit_router(rows, max_loss=0.03, **{**FIT, "max_wrong": max_wrong})
    side = routing_figures(route(rows, fitted.closed_book, fitted.with_passages, fitted.router), resamples=200, seed=0)
    return {
        "questions": number,
        "clusters": number // 2,
        "made_by": {"questions": number, "made": 0, "reviewed": 0, "by": {}},
        "skip": {**to_json(fitted.skip), "too_few": fitted.skip.too_few, "worth": fitted.worth},
        "answer": {**to_json(fitted.answer), "too_few": fitted.answer.too_few} if fitted.answer else None,
        "calibration": side,
        "exam": side if exam else {},
    }


def test_tables_have_a_column_a_side() -> None:
    routing, errors = calibration_tables(record())
    assert routing.columns == ("Of 100", "Calibration side", "Exam")
    assert {len(row) for row in (*routing.rows, *errors.rows)} == {3}
    cells = {row[0]: row[1] for row in routing.rows}
    assert cells["Retrievals saved"].count("[") == 1
    assert cells["Tokens saved, drafts counted"].startswith("+")
    assert errors.rows[0][0] == "Closed-book, the model's own"
    assert calibration_tables(record(exam=False))[0].columns == ("Of 100", "Calibration side")


def test_nothing_is_held_that_was_not_promised() -> None:
    assert any(" is promised in the mean: " in one for one in sentences(record()))
    assert not any(" is promised in the mean: " in one for one in sentences(record(20, max_wrong=0.01)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (record(), "Auto skips retrieval where a right closed-book answer has a calibrated probability above 0."),
        (
            record(20),
            "The calibration side is too small for the guarantee: its questions stand in 10 clusters of shared "
            "documents, and 3.0 points of score cannot be promised on fewer than 33; auto always retrieves.",
        ),
        (
            record(knows=0.0, reads=1.0),
            "Not even the surest answers from memory can be trusted to lose at most 3.0 points of score; auto always "
            "retrieves.",
        ),
    ],
)
def test_what_is_promised_is_one_sentence(data: dict[str, Any], says: str) -> None:
    assert skip_sentence(data).startswith(says)


def test_what_costs_more_than_it_saves_is_told() -> None:
    data = record()
    told = " ".join(sentences({**data, "skip": {**data["skip"], "worth": False, "taken": 3}}))
    assert "but it would be 3 of 240 questions, and the drafts of all cost more tokens than it saves; auto" in told
    assert ": it held." not in told, "what is not done is not checked"


def test_who_it_is_promised_of_and_whether_it_held() -> None:
    told = " ".join(sentences(record(max_wrong=0.3)))
    assert "240 questions in 120 clusters of the calibration side" in told
    assert "promised of questions on documents like these (clusters exchangeable with them), in the mean" in told
    assert "It abstains where an answer from passages has a calibrated probability of" in told
    assert told.count(": it held.") == 2
    assert sentences(record(exam=False))[-1] == "Not checked on the exam (calibrate.exam is false)."


@pytest.mark.parametrize(
    ("figure", "ends"),
    [
        ({"value": 0.02, "low": 0.01, "high": 0.05}, ": it held."),
        ({"value": 0.04, "low": 0.02, "high": 0.06}, ": more, but no more than chance explains."),
        ({"value": 0.08, "low": 0.05, "high": 0.1}, "; see whether exam and calibration side ask alike."),
    ],
)
def test_a_bound_that_did_not_hold_is_told(figure: dict[str, Any], ends: str) -> None:
    data = record()
    data["exam"] = {**data["exam"], "figures": {**data["exam"]["figures"], "loss": figure}}
    assert any(sentence.endswith(ends) for sentence in sentences(data))


def test_hopeless_bounds_on_wrong_answers_are_told() -> None:
    few = " ".join(sentences(record(20, max_wrong=0.01)))
    assert "Nor can it be promised on fewer than 99 such clusters that at most 1.0 of 100 questions are answered" in few


def test_charts_show_curves_and_where_auto_stands() -> None:
    side = record()["calibration"]
    rows = routing_charts.routing_rows(side)
    assert {row["series"] for row in rows} == {"Auto", "A perfect router", "chance", "here"}
    (here,) = (row for row in rows if row["series"] == "here")
    assert here["saved"] == pytest.approx(100 * side["figures"]["skipped"]["value"])
    assert next(set(row) for row in routing_charts.coverage_rows(side)) == {"coverage", "risk"}
    drawn = charts.svg(routing_charts.routing_chart(side)) + charts.svg(
        routing_charts.coverage_chart(side, width=charts.NARROW)
    )
    used = {part.split('"')[0] for key in ('fill="', 'stroke="') for part in drawn.split(key)[1:]}
    assert used - {"none", "transparent"} <= set(charts.DARK)
