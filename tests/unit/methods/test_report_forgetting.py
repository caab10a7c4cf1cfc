"""What was forgotten, as the report tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ragraft.methods.report_data import build_report
from ragraft.methods.report_forgetting import forgetting_data, forgetting_table, forgetting_warning
from ragraft.methods.report_page import render_page
from ragraft.methods.report_table import render_table
from ragraft.workspace import FORGETTING, Folder
from tests.unit.methods.test_report_table import sources
from tests.unit.stages.test_report import make_sample, run_stage


def figure(value: float, spread: float = 0.01) -> dict[str, Any]:
    return {"value": value, "low": value - spread, "high": value + spread, "n": 36, "unscored": 0, "clusters": 14}


def forgetting(change: float = 0.112) -> dict[str, Any]:
    return {
        "probes": 40,
        "nll": {"tokens": 900, "base": 0.4, "tuned": 0.4 * (1 + change), "change": figure(change)},
        "kl": figure(0.051),
        "formats": {
            "base": figure(0.5), "tuned": figure(0.25), "difference": figure(-0.25), "lost": ["format-items-01"],
            "gained": [],
        },
    }  # fmt: skip


def test_the_table_has_a_row_a_figure() -> None:
    table = forgetting_table(forgetting())
    assert table.rows == (
        ("The base's own answers, NLL a token", "0.400", "0.445", "+11.2 % [10.2, 12.2]"),
        ("Divergence from the base, nats a token", "-", "0.051 [0.041, 0.061]", "-"),
        ("Format instructions kept, of 100", "50.0 [49.0, 51.0]", "25.0 [24.0, 26.0]", "-25.0 [-26.0, -24.0]"),
    )
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_what_was_not_measured_is_left_out() -> None:
    assert forgetting_table({}).rows == ()
    assert forgetting_data({}) == {}
    assert forgetting_warning({}) is None
    plain = build_report(sources(), examples=1)
    assert not any("General instructions" in note for note in render_table(plain).notes)
    assert "What it still does besides" not in render_page(plain)


def test_a_base_that_was_certain_has_no_change() -> None:
    found = forgetting()
    found["nll"]["change"] = None
    assert forgetting_table(found).rows[0][-1] == "-"
    assert forgetting_warning(found) is None


def test_a_clear_rise_is_a_warning_and_a_small_one_is_none() -> None:
    warning = forgetting_warning(forgetting())
    assert warning is not None
    assert "(NLL of its own answers +11.2 % [10.2, 12.2])" in warning
    assert forgetting_warning(forgetting(0.025)) is None
    assert forgetting_warning(forgetting(-0.2)) is None


def test_the_terminal_and_the_page_show_it() -> None:
    made = build_report(replace(sources(), forgetting=forgetting()), examples=1)
    notes = render_table(made).notes
    assert (
        "General instructions: NLL of the base's own answers +11.2 % [10.2, 12.2], "
        "formats kept 50.0 of 100 before and 25.0 now."
    ) in notes
    page = render_page(made)
    assert "40 built-in instructions that no lesson is made from" in page
    assert "Format instructions kept, of 100" in page


def test_the_stage_reads_it_from_the_scores(tmp_path: Path) -> None:
    sample = make_sample()
    sample.write(tmp_path)
    Folder(tmp_path / "scores").write_json(FORGETTING, forgetting())
    assert run_stage(tmp_path, sample.facts).data()["forgetting"]["probes"] == 40
