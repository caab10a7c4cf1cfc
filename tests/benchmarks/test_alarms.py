"""The counts of false alarms and power: on a few years they come out as they must, and are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import alarms
from benchmarks.alarms import NOISE, RATES, Year, draw, power, share_with_alarm


def test_a_year_is_what_it_says() -> None:
    figures, at = draw(Year(changed="abstentions", by=30, answers=400), 0)
    assert set(figures) == {*RATES, *NOISE}
    assert all(len(days) > 350 for days in figures.values())
    values = {figure.day: figure.value for figure in figures["abstentions"]}
    before = np.mean([value for day, value in values.items() if day < at])
    after = np.mean([value for day, value in values.items() if day >= at])
    assert after - before == pytest.approx(0.3, abs=0.05)
    for name in ("citations", "scores"):
        days = np.array([figure.value for figure in figures[name]])
        assert days[at:].mean() == pytest.approx(days[:at].mean(), abs=0.05)
    assert draw(Year(), 5) == draw(Year(), 5) != draw(Year(), 6)


def test_large_changes_are_found_and_quiet_years_are_quiet() -> None:
    assert share_with_alarm(Year(), 12, 1).value <= 0.17
    found = power(Year(changed="abstentions", by=30, answers=200), 6, 1)
    assert found["ever"] >= found["within 28 days"] >= 0.8
    assert found["median days"] < 28


def test_it_prints_and_writes_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(alarms, "QUICK", 4)
    monkeypatch.setattr(alarms, "QUICK_CHANGED", 2)
    target = tmp_path / "figures.json"
    alarms.main(["--quick", "--json", str(target)])
    rows = json.loads(target.read_text("utf-8"))["rows"]
    assert len(rows) == 3 + len(alarms.CHANGES)
    out = capsys.readouterr().out
    assert all(row["name"] in out for row in rows)
