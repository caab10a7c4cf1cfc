"""The rules of watching: each finding asks for one action, and nothing asks for nothing."""

from __future__ import annotations

import pytest

from ragraft.methods.upkeep.advice import Figure, advise


def figure(value: float, low: float | None, high: float | None) -> Figure:
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("figures", "actions"),
    [
        ({}, ["nothing"]),
        ({"sources_changed": 0, "exam_lost": 0.05, "lessons_lost": 0.1, "alarms": 0, "tuning_pays": 0}, ["nothing"]),
        ({"exam_lost": None, "alarms": None}, ["nothing"]),
        ({"sources_changed": 1}, ["sync"]),
        ({"exam_lost": 0.06}, ["re-examine"]),
        ({"lessons_lost": 0.11}, ["re-synthesize"]),
        ({"tuning_pays": 1, "alarms": 2}, ["re-tune", "look"]),
        ({"tuning_pays": 1}, ["re-tune"]),
        ({"alarms": 1}, ["look"]),
        ({"questions_moved": 1}, ["re-examine"]),
        ({"new_words": 0.01}, ["look"]),
        ({"stale": 1}, ["re-tune"]),
        ({"worse": 1}, ["roll back"]),
        ({"found": figure(0.3, 0.2, 0.4)}, ["look"]),
        ({"foreign": figure(1.3, 1.2, 1.4)}, ["re-synthesize"]),
        # At the edge, below it, or with an end that is not known, nothing fires.
        ({"stale": 0, "worse": 0, "new_words": 0, "questions_moved": 0}, ["nothing"]),
        ({"found": figure(0.45, 0.3, 0.6), "foreign": figure(1.3, 1.0, 1.6)}, ["nothing"]),
        ({"found": figure(0.0, None, None), "foreign": figure(1.3, None, None)}, ["nothing"]),
    ],
)
def test_findings_ask_for_actions(figures: dict[str, Figure], actions: list[str]) -> None:
    found = advise(figures)
    assert [one.action for one in found] == actions
    assert all(one.does and one.because and one.rule for one in found)


def test_every_rule_fires_for_some_figures() -> None:
    """Each action of the file has a rule, and each rule an action."""
    fired = [{"value": 1.0, "low": 2.0, "high": 0.0}]
    names = ("sources_changed", "exam_lost", "lessons_lost", "tuning_pays", "stale", "worse", "found", "foreign")
    found = advise({name: fired[0] for name in (*names, "new_words", "questions_moved", "alarms")})
    assert len({one.rule for one in found}) == len(found) == 11
    assert {one.action for one in found} == {"sync", "re-examine", "re-synthesize", "re-tune", "roll back", "look"}
