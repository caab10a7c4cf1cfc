"""The rules of watching: each finding asks for one action, and nothing asks for nothing."""

from __future__ import annotations

import pytest

from ragraft.methods.upkeep.advice import advise


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
    ],
)
def test_findings_ask_for_actions(figures: dict[str, float | None], actions: list[str]) -> None:
    found = advise(figures)
    assert [one.action for one in found] == actions
    assert all(one.does and one.because and one.rule for one in found)
