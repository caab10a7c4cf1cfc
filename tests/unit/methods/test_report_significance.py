"""What tests say in words."""

from __future__ import annotations

from typing import Any

import pytest

from ragraft.config.promote import PromoteConfig
from ragraft.methods.report_significance import (
    FORMATS_MARGIN,
    guardrail_warnings,
    majority_warning,
    significance_sentence,
    too_small_warning,
)


def difference(value: float, low: float | None, high: float | None, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 90, "clusters": 30, **more}


def test_p_values_and_discordant_questions_in_a_sentence() -> None:
    row = difference(0.1, 0.05, 0.15, p=0.0004, p_holm=0.0012)
    assert significance_sentence(row, None) == ("t test over clusters: p < 0.001, p = 0.001 after Holm's correction.")
    exact = difference(0.1, 0.0, 0.2, mcnemar={"first": 20, "second": 9, "p": 0.0614})
    assert significance_sentence(row, exact) == (
        "t test over clusters: p < 0.001, p = 0.001 after Holm's correction; exact match: tuned alone right on 20, "
        "base alone on 9 (McNemar, p = 0.061)."
    )
    assert significance_sentence(None, exact) is None
    assert significance_sentence(difference(0.1, None, None, p=None), exact) is None


def test_report_and_gate_ask_the_same_of_formats() -> None:
    # Methods know no settings, so that the number stands in two places.
    assert PromoteConfig().formats == FORMATS_MARGIN


def test_an_exam_that_shows_nothing_says_what_it_could_have_shown() -> None:
    assert too_small_warning(difference(0.01, -0.03, 0.05, detectable=0.0571)) == (
        "an exam like this one finds a true difference in four of five cases only from 5.7 points up; a smaller one "
        "needs more questions"
    )
    assert too_small_warning(difference(0.1, 0.03, 0.15, detectable=0.0571)) is None
    assert too_small_warning(difference(0.01, -0.03, 0.05)) is None
    assert too_small_warning(None) is None


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.01, 0.03, []),
        (-0.05, 0.03, ["the score without documents may have fallen by more than 2.0 points of 100: -1.0 [-5.0, 3.0]"]),
        (-0.09, -0.03, ["the score without documents has fallen by more than 2.0 points of 100: -1.0 [-9.0, -3.0]"]),
        (None, None, []),
    ],
)
def test_a_guardrail_warns_where_a_loss_is_not_ruled_out(low: Any, high: Any, told: list[str]) -> None:
    row = {"metric": "f1", "context": "none", "a": "tuned", "b": "base", **difference(-0.01, low, high)}
    other = {**row, "b": "base-fewshot"}
    assert guardrail_warnings({"differences": [other, row]}, {}) == told


def test_formats_kept_are_guarded_too() -> None:
    forgetting = {"formats": {"difference": difference(-0.1, -0.2, 0.0)}}
    (told,) = guardrail_warnings({"differences": []}, forgetting)
    assert told.startswith(
        "the share of format instructions kept may have fallen by more than 10.0 points of 100: -10.0"
    )
    forgetting = {"formats": {"difference": difference(0.0, -0.067, 0.067)}}
    assert guardrail_warnings({"differences": []}, forgetting) == [], "twelve lost and twelve gained of 144"


@pytest.mark.parametrize(("low", "told"), [(0.01, False), (0.0, True), (-0.18, True), (None, True)])
def test_a_model_no_better_than_the_commonest_label_is_told_of(low: Any, told: bool) -> None:
    tuned = {"over_majority": difference(-0.05, low, 0.08)}
    labels = {
        "majority": {"label": "yes", "metrics": {"accuracy": difference(0.5, 0.4, 0.6)}},
        "conditions": [
            {"model": "tuned", "context": "none", "metrics": {}, "given": {}},
            {"model": "tuned", "context": "retrieved", "metrics": tuned, "given": {"no": 81, "yes": 9}},
        ],
    }
    warning = majority_warning(labels, "retrieved")
    assert (warning is not None) is told
    if low == -0.18:
        assert warning == (
            "always answering “yes” is right on 50.0 of 100; the tuned model, which answers “no” to 81 of 90 such "
            "questions, differs from that by -5.0 [-18.0, 8.0]"
        )
    assert majority_warning(labels, "oracle") is None
    assert majority_warning({}, "retrieved") is None
