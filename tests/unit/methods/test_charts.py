"""Charts are data first: what they show, and that they are drawn without a network."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ragraft.methods import charts


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 9, "unscored": 0, "clusters": 3}


@pytest.fixture
def report() -> dict[str, Any]:
    cells = [
        {"model": "base", "context": "none", "metrics": {"f1": figure(0.1, 0.05, 0.15)}},
        {"model": "tuned", "context": "none", "metrics": {"f1": figure(0.2)}},
        {"model": "tuned", "context": "retrieved", "metrics": {"em": figure(0.2)}},
        {"model": "a & <b>", "context": "none", "metrics": {"f1": figure(0.3, 0.2, 0.4)}},
    ]
    return {
        "grid": {"models": ["base", "tuned", "a & <b>"], "contexts": ["none", "retrieved"], "cells": cells},
        "headline": {"measure": "token F1", "difference": figure(-0.1, -0.2, 0.0), "evidence_shown": None},
        "loss": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None, "validation_loss": 1.5}],
    }


def test_grid_rows(report: dict[str, Any]) -> None:
    first, second, third = charts.grid_rows(report)
    assert first == {"context": "No documents", "model": "Base", "f1": 10.0, "low": 5.0, "high": 15.0, "edge": 15.0,
                     "label": "10.0"}  # fmt: skip
    assert (second["low"], second["edge"]) == (None, 20.0)
    assert third["model"] == "a & <b>"


def test_difference_rows(report: dict[str, Any]) -> None:
    (row,) = charts.difference_rows(report)
    assert (row["which"], row["f1"], row["label"]) == (
        "All answerable",
        -10.0,
        "\N{MINUS SIGN}10.0 [\N{MINUS SIGN}20.0, 0.0]",
    )


def test_loss_rows(report: dict[str, Any]) -> None:
    assert charts.loss_rows(report["loss"]) == [
        {"step": 1, "series": "Training loss", "loss": 2.0},
        {"step": 2, "series": "Validation loss", "loss": 1.5},
    ]


def test_every_colour_that_is_drawn_has_a_dark_twin(report: dict[str, Any]) -> None:
    drawn = charts.svg(charts.grid_chart(report)) + charts.svg(charts.difference_chart(report))
    drawn += charts.svg(charts.loss_chart(report["loss"], width=charts.NARROW))
    used = {part.split('"')[0] for key in ('fill="', 'stroke="') for part in drawn.split(key)[1:]}
    assert used - {"none", "transparent"} <= set(charts.DARK)
    assert charts.MODEL_COLOURS["tuned"] in used


def test_where_nothing_differs_the_axis_still_tells_its_ticks_apart(report: dict[str, Any]) -> None:
    report["headline"]["difference"] = figure(0.0)
    drawn = charts.svg(charts.difference_chart(report))
    labels = re.findall(r">(−?[\d.]+)</text>", drawn)
    assert len(labels) == len(set(labels)) > 1


def test_names_are_escaped(report: dict[str, Any]) -> None:
    drawn = charts.svg(charts.grid_chart(report))
    assert "a &amp; &lt;b&gt;" in drawn
    assert "<b>" not in drawn
