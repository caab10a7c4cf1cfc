"""The table of findings."""

from __future__ import annotations

from ragraft.methods.lint import lint_data
from ragraft.methods.lint_table import lint_table
from tests.unit.methods.test_lint import clean, look, with_target


def test_a_row_a_finding_and_what_to_do_below() -> None:
    table = lint_table({"01-raft": lint_data(look(with_target("[3]\nAnswer: granite")))})
    assert all(len(row) == len(table.columns) for row in table.rows)
    rows = {row[1]: row for row in table.rows}
    assert rows["citation of no document"] == (
        "01-raft", "citation of no document", "1", "9", "11.1", "1", "grave", "q0~0: [3] of 2",
    )  # fmt: skip
    assert rows["empty target"][2:] == ("0", "12", "0.0", "0", "", "")
    assert rows["one prompt, several targets"][5] == "any"
    assert table.notes[0] == "01-raft, 12 lessons"
    assert table.notes[-1] == "01-raft, citation of no document: cite by the numbers of the documents shown"


def test_shares_and_lengths_stand_below() -> None:
    table = lint_table({"01-raft": lint_data(look(clean())), "02-hybrid": lint_data(look(clean(8)))})
    assert {row[0] for row in table.rows} == {"01-raft", "02-hybrid"}
    assert "01-raft, shares: abstention 25.0 %" in table.notes
    assert any(note.startswith("02-hybrid, prompt tokens 39 (5 %), 39 (50 %)") for note in table.notes)


def test_no_set_no_row() -> None:
    assert lint_table({}).rows == ()
