"""Rows of the log as daily figures: whole days, the model's own answers, what is no figure left out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ragraft.methods.upkeep.alarms import Figure
from ragraft.methods.upkeep.traffic import STREAMS, day_of, read_days

FIRST = date(2026, 11, 23).toordinal() - 1


def answer(day: str, name: str, **other: Any) -> dict[str, Any]:
    row = {
        "kind": "answer",
        "id": name,
        "at": f"{day}T10:00:00.000+00:00",
        "model": "tuned",
        "retrieval": "always",
        "passages": [{"id": "a", "score": 0.4}, {"id": "b", "score": 0.2}],
        "citations": ["a"],
        "abstained": False,
        "finish_reason": "stop",
    }
    return {**row, **other}


def rated(day: str, name: str, rating: str | None) -> dict[str, Any]:
    return {"kind": "feedback", "id": name, "at": f"{day}T11:00:00.000+00:00", "rating": rating}


def test_every_figure_by_day() -> None:
    rows = [
        answer("2026-11-23", "1"),
        answer("2026-11-23", "2", abstained=True, citations=[]),
        answer("2026-11-23", "3", citations=[], passages=[{"id": "a", "score": 0.8}]),
        answer("2026-11-25", "4", retrieval="never", passages=[], citations=[]),
        rated("2026-11-25", "1", "down"),
        rated("2026-11-25", "2", "up"),
    ]
    found = read_days(rows, base=False, before=date(2026, 12, 1), distances={"1": 0.1, "3": 0.5})
    assert (found.answers, found.days) == (4, 3)
    assert found.questions_a_day == pytest.approx(4 / 3)
    assert found.streams == {
        "abstentions": [Figure(FIRST, 1 / 3), Figure(FIRST + 2, 0.0)],
        "citations": [Figure(FIRST, 0.5), Figure(FIRST + 2, 0.0)],
        "scores": [Figure(FIRST, 1.6 / 3)],
        "feedback": [Figure(FIRST + 2, 0.5)],
        "questions": [Figure(FIRST, 0.3)],
    }
    assert set(found.streams) == set(STREAMS)
    assert FIRST % 7 == 0
    assert day_of(FIRST) == "2026-11-23"


def test_what_is_no_figure_is_left_out() -> None:
    rows = [
        answer("2026-11-23", "1", model="base"),
        {
            key: value
            for key, value in answer("2026-11-23", "2", finish_reason="cancelled").items()
            if key != "abstained"
        },
        rated("2026-11-24", "1", "down"),
        answer("2026-11-24", "3"),
        rated("2026-11-24", "3", None),
        answer("2026-11-26", "4"),
    ]
    found = read_days(rows, base=False, before=date(2026, 11, 26))
    assert (found.answers, found.days) == (1, 1)
    assert set(found.streams) == {"abstentions", "citations", "scores"}


def test_no_traffic_is_none() -> None:
    found = read_days([], base=False, before=date(2026, 11, 26))
    assert (found.answers, found.days, found.questions_a_day, found.streams) == (0, 0, 0.0, {})
