"""Names, figures and the headline's sentence."""

from __future__ import annotations

from typing import Any

import pytest

from ragraft.methods.report_text import (
    difference_name,
    flatten,
    headline_sentence,
    interval,
    measure_name,
    measure_notes,
    outcome,
    points,
    tokens,
    true_minus,
)


def difference(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 96, "clusters": 31}


@pytest.mark.parametrize(
    ("figures", "opponent", "sentence"),
    [
        (
            (0.1113, 0.0642, 0.1581),
            "base-fewshot",
            "Tuning helped: with retrieved passages, tuned minus few-shot base is +11.1 [6.4, 15.8] points of token F1 "
            "(96 questions in 31 clusters; 95 % interval).",
        ),
        (
            (0.012, -0.021, 0.044),
            "base",
            "No difference that this exam can show: with retrieved passages, tuned minus base is +1.2 [-2.1, 4.4] "
            "points of token F1 (96 questions in 31 clusters; 95 % interval).",
        ),
        (
            (-0.05, -0.08, -0.01),
            "base",
            "Tuning hurt: with retrieved passages, tuned minus base is -5.0 [-8.0, -1.0] points of token F1 "
            "(96 questions in 31 clusters; 95 % interval).",
        ),
        (
            (0.2, None, None),
            "base",
            "No verdict: with retrieved passages, tuned minus base is +20.0 (no interval) points of token F1 "
            "(96 questions in 31 clusters).",
        ),
    ],
)
def test_headline(figures: tuple[float, float | None, float | None], opponent: str, sentence: str) -> None:
    assert headline_sentence(difference(*figures), opponent) == sentence


def test_an_exam_of_three_questions_can_claim_nothing() -> None:
    found = {"value": 0.3, "low": 0.2, "high": 0.4, "n": 3, "clusters": 3}
    assert outcome(found) == "unknown"
    assert headline_sentence(found, "base") == (
        "No verdict (an exam of 3 questions in 3 clusters can show nothing; have at least 5 clusters): with "
        "retrieved passages, tuned minus base is +30.0 [20.0, 40.0] points of token F1 (3 questions in 3 clusters; "
        "95 % interval)."
    )
    assert outcome({**found, "n": 5, "clusters": 5}) == "helped"


def test_headline_without_a_comparison() -> None:
    expected = "No verdict: tuned and base were not both examined with retrieved passages."
    assert headline_sentence(None, None) == expected
    assert headline_sentence(None, "base") == expected


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (-0.1, 0.0), (-0.1, 0.1)])
def test_an_interval_that_touches_zero_shows_nothing(low: float, high: float) -> None:
    assert outcome(difference(0.01, low, high)) == "same"


def test_figures() -> None:
    assert interval({"value": 0.412, "low": 0.36, "high": 0.461}) == "41.2 [36.0, 46.1]"
    assert interval({"value": 0.412, "low": None, "high": None}) == "41.2 (no interval)"
    assert interval(None) == interval({"value": None, "low": None, "high": None}) == points(None) == tokens(None) == "-"
    assert points(-0.0001) == points(-0.0001, signed=True) == "0.0"
    assert [tokens({"value": value}) for value in (7.25, 23.2, 1612.4)] == ["7.2", "23", "1,612"]


def test_true_minus_leaves_hyphens() -> None:
    expected = "few-shot 2026-11-23 \N{MINUS SIGN}1.0 [\N{MINUS SIGN}2.0, 0.0]"
    assert true_minus("few-shot 2026-11-23 -1.0 [-2.0, 0.0]") == expected
    assert true_minus("-") == "\N{EN DASH}"


def test_flatten_writes_every_value() -> None:
    data = {"a": {"b": None, "c": True}, "d": 412345, "e": 0.0005, "f": [1, "x"], "g": 931.52, "h": 2048, "i": 12345.6}
    assert flatten(data) == [
        ("a.b", "-"), ("a.c", "yes"), ("d", "412,345"), ("e", "0.0005"), ("f", "1, x"), ("g", "931.52"),
        ("h", "2048"), ("i", "12,346"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("measures", "name", "notes"),
    [
        ({}, "token F1", []),
        ({"text": 3}, "token F1", []),
        ({"label": 5}, "label accuracy", []),
        ({"text": 51, "label": 114}, "label accuracy",
         ["51 of 165 questions are scored by token F1, not by label accuracy"]),
        ({"text": 2, "call": 198}, "exact calls", ["2 of 200 questions are scored by token F1, not by exact calls"]),
    ],
)  # fmt: skip
def test_the_score_is_named_by_what_most_questions_are_scored_by(
    measures: dict[str, int], name: str, notes: list[str]
) -> None:
    assert measure_name(measures) == name
    assert measure_notes(measures) == notes


def test_headline_names_the_measure() -> None:
    assert "is +20.0 [10.0, 30.0] points of exact calls" in headline_sentence(
        difference(0.2, 0.1, 0.3), "base", "exact calls"
    )


def test_a_difference_is_named_after_both() -> None:
    assert difference_name("tuned", "base") == "Tuned minus base"
    assert difference_name("base-fewshot", "base") == "Few-shot base minus base"
    assert difference_name("my-run", "base") == "my-run minus base"
