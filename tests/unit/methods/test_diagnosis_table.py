"""A diagnosis in words and tables."""

from __future__ import annotations

import html
from typing import Any

from ragraft.methods.diagnosis_table import (
    MEANINGS,
    advice_table,
    cost_table,
    curve_table,
    diagnosis_tables,
    foretold_sentence,
    loss_table,
    verdict_sentence,
)
from ragraft.methods.ladder import PARTS
from ragraft.methods.report_data import Sources, build_report
from ragraft.methods.report_page import render_page


def figure(value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 60, "unscored": 0, "clusters": 20}


def cost(**given: Any) -> dict[str, Any]:
    money = {"this machine": 0.0, "A": 0.2, "B": 0.5}
    base = {"minutes": 0.0, "tokens": 0, "flops": 0.0, "tokens_an_answer": 0.0, "money": money, "currency": "USD"}
    base["minutes_on"] = {"A": 9.0, "B": 2.0}
    return {**base, "prices_of": "2025", "effort_minutes": 0.0, **given}


def option(action: str, gain: float, at_most: float, rule: str | None, **given: Any) -> dict[str, Any]:
    made = {"action": action, "does": f"do {action}", "gain": figure(gain, gain - 0.1, gain + 0.1), "at_most": at_most}
    return {**made, "cost": cost(**given), "rule": rule, "because": ""}


def diagnosis(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "questions": 60,
        "clusters": 20,
        "examples": 3,
        "without_evidence": 2,
        "made_by": {"questions": 60, "made": 0, "reviewed": 0, "by": {}},
        "precision": {"wanted": 0.05, "reached": 0.1, "questions_needed": 240},
        "total_loss": figure(0.6, 0.5, 0.7),
        "loss": {part: figure(0.1, 0.05, 0.15) for part in PARTS},
        "conditions": [],
        "retrieval": {"by_depth": [], "settings": []},
        "language": {
            "tokens a word": {"documents": figure(1.8), "general text": figure(1.2), "ratio": figure(1.5, 1.4, 1.6)}
        },
        "form": {"base": {"valid": figure(0.4, 0.3, 0.5)}},
        "calibration": {"ece": figure(0.3, 0.2, 0.4), "auroc": None},
        "decision": {"does": "tune with RAFT", "because": "Form.", "questions_needed": None},
        "verdict": [
            option(
                "raft",
                0.2,
                0.35,
                "right words in the wrong form",
                minutes=14,
                tokens=500_000,
                flops=4e14,
                effort_minutes=15,
            ),
            option("prompt", 0.01, 0.01, None, tokens_an_answer=812.3, effort_minutes=20),
        ],
    }
    return {**data, **changes}


def test_the_verdict_says_what_it_brings_and_costs() -> None:
    assert verdict_sentence(diagnosis()) == (
        "Verdict: tune with RAFT. Form. Expected gain +20.0 [10.0, 30.0] of 100, at most +35.0; about 14 min of this "
        "machine and 15 min of yours."
    )


def test_a_doubt_says_how_many_questions_would_tell() -> None:
    nothing = option("more-questions", 0.0, 0.0, "the first two overlap")
    decision = {"does": "not enough questions", "because": "Alike.", "questions_needed": 431}
    told = verdict_sentence(diagnosis(decision=decision, verdict=[nothing]))
    assert told == "Verdict: not enough questions. Alike. About 431 questions would tell; 60 were asked."
    many = verdict_sentence(diagnosis(decision={**decision, "questions_needed": 10**6}, verdict=[nothing]))
    assert "More than 10,000 questions would tell" in many


def test_every_part_has_its_meaning_and_notes_stand_below() -> None:
    table = loss_table(diagnosis())
    assert set(MEANINGS) == set(PARTS)
    assert [row[0] for row in table.rows] == [*PARTS, "all"]
    assert table.rows[-1][1] == "60.0 [50.0, 70.0]"
    assert table.notes == (
        "Asked: 60 validation questions in 20 clusters.",
        "The loss is known to ±10.0; for ±5.0 about 240 questions are needed (diagnose.precision, "
        "diagnose.max_questions).",
        "2 questions have answers that no document was found to hold.",
        "Tokens a word: documents 1.80, general text 1.20; ratio 1.50 [1.40, 1.60].",
        "Answers in the form asked for, of 100: base 40.0 [30.0, 50.0].",
        "Confidence against correctness: calibration error 30.0 [20.0, 40.0] of 100.",
    )


def test_actions_stand_with_gain_rule_and_cost() -> None:
    assert advice_table(diagnosis()).rows == (
        ("raft", "+20.0 [10.0, 30.0]", "+35.0", "right words in the wrong form"),
        ("prompt", "+1.0 [-9.0, 11.0]", "+1.0", "no rule fired"),
    )
    assert cost_table(diagnosis()).rows == (
        ("raft", "14 min", "15 min", "500,000", "4.0e+14", "0.20 to 0.50 USD, 2 min to 9 min", "-"),
        ("prompt", "-", "20 min", "-", "-", "-", "+812"),
    )
    paid = option("raft", 0.2, 0.3, None, minutes=14, money={"this machine": 0.09, "A": 0.001, "B": 0.002}, flops=1e9)
    assert cost_table(diagnosis(verdict=[paid])).rows[0][1::4] == (
        "14 min, 0.09 USD", "under 0.01 USD, 2 min to 9 min",
    )  # fmt: skip
    setting = {**option("retrieval", 0.2, 0.3, "another search setting"), "setting": "as it is, k 8"}
    assert advice_table(diagnosis(verdict=[setting])).rows[0][0] == "retrieval (as it is, k 8)"
    assert [table.title for table in diagnosis_tables(diagnosis())] == [
        "What is lost, of 100", "What it would cost", "What would pay, of 100",
    ]  # fmt: skip


def test_what_small_runs_gained_stands_in_the_verdict_and_in_a_table_of_its_own() -> None:
    points = [{"questions": size, "gain": figure(0.1, 0.0, 0.2), "fitted": 0.09} for size in (12, 24)]
    curve = {"action": "raft", "questions": 96, "points": points, "foretold": figure(0.2, 0.1, 0.3), "bounded": True}
    measured = {**option("raft", 0.2, 0.2, "right words in the wrong form", minutes=14), "measured": "small runs"}
    data = diagnosis(curve=curve, verdict=[measured])
    assert "Expected gain +20.0 [10.0, 30.0] of 100 (measured on small runs), at most +20.0;" in verdict_sentence(data)
    assert advice_table(data).rows[0][-1] == "right words in the wrong form (measured on small runs)"
    table = curve_table(data)
    assert table.rows == (
        ("12", "+10.0 [0.0, 20.0]", "+9.0"),
        ("24", "+10.0 [0.0, 20.0]", "+9.0"),
        ("96 (all)", "-", "+20.0 [10.0, 30.0]"),
    )
    assert table.notes[1] == "The curve went beyond what the oracle arms allow, and is cut off there."
    assert len(table.notes) == 2
    far = curve_table(diagnosis(curve={**curve, "questions": 97, "bounded": False}))
    assert far.notes[1].startswith("The largest run learned 24 of 97 questions, so the curve is drawn out far: a model")
    assert curve_table(diagnosis()).rows == ()


def test_the_page_shows_the_verdict_first() -> None:
    card = {"conditions": [], "differences": [], "n_questions": 0, "n_clusters": 0, "labels": {}}
    with_one, without = (
        render_page(build_report(Sources(card=card, questions=[], answers=[], diagnosis=found), examples=0))
        for found in (diagnosis(), {})
    )
    page = html.unescape(with_one)
    assert 0 < page.index("Verdict: tune with RAFT.") < page.index("<h1>")
    assert "What was lost before training, and what would pay" in page
    assert "right words in the wrong form" in page
    assert "at prices of 2025" in page
    assert "Before training" not in without


def test_what_was_foretold_stands_beside_what_came() -> None:
    came = {"metric": "f1_all", "context": "retrieved", "a": "tuned", "b": "base", **figure(0.15, 0.05, 0.25)}
    other = {**came, "b": "base-fewshot", "value": 0.9}
    report = {"diagnosis": diagnosis(), "facts": {"method": "raft"}, "differences": [other, came]}
    assert foretold_sentence(report) == (
        "Foretold for raft on the validation side: +20.0 [10.0, 30.0] of 100 over the plain base; on the exam came "
        "+15.0 [5.0, 25.0]."
    )
    assert foretold_sentence({**report, "facts": {"method": "sft"}}) is None
    assert foretold_sentence({**report, "differences": [other]}) is None
    assert foretold_sentence({**report, "diagnosis": {}}) is None
