"""What a diagnosis' charts show, and that they are drawn without a network."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ragraft.methods import charts, diagnosis_charts
from tests.unit.methods.test_diagnosis_table import diagnosis, figure

POINTS = [{"questions": size, "gain": figure(0.1, 0.0, 0.2), "fitted": 0.1} for size in (12, 24)]
CURVE = {"action": "raft", "questions": 96, "points": POINTS, "foretold": figure(0.2), "bounded": False}
DATA = diagnosis(curve=CURVE, loss={"form": figure(-0.05, -0.1, 0.0), "reading": figure(0.3, 0.2, 0.4)})


def test_parts_stand_by_what_is_lost_to_them() -> None:
    rows = diagnosis_charts.parts_rows(DATA)
    assert [(row["part"], row["label"]) for row in rows] == [("reading", "30.0"), ("form", "\N{MINUS SIGN}5.0")]
    assert [row["edge"] for row in rows] == [pytest.approx(40.0), 0.0]
    assert diagnosis_charts.parts_rows({}) == []


def test_the_last_point_of_a_curve_is_foretold() -> None:
    rows = diagnosis_charts.learned_rows(DATA)
    assert [(row["questions"], row["run"]) for row in rows] == [(12, True), (24, True), (96, False)]
    assert (rows[0]["high"], rows[-1]["low"]) == (pytest.approx(20.0), None)
    assert diagnosis_charts.learned_rows(diagnosis(curve={"action": None})) == []


@pytest.mark.parametrize("chart", [diagnosis_charts.parts_chart, diagnosis_charts.learned_chart])
def test_every_colour_that_is_drawn_has_a_dark_twin(chart: Callable[..., charts.Spec]) -> None:
    drawn = charts.svg(chart(DATA, width=charts.NARROW))
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+)"', drawn))
    assert used
    assert used <= set(charts.DARK)
