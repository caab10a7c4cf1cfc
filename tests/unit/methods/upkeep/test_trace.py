"""What took the place of a sentence: read where it can be, and nothing said where it can't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.target import places
from ragraft.methods.upkeep.trace import Pair, Traced, replaced

BEFORE = """Releases of Harbour:
- 7.0: released 2023-01-05; end of life 2026-09-30; latest version 7.0.76 (2024-12-12).
- 6.0: released 2022-02-04; end of life 2023-09-30; latest version 6.0.113 (2024-10-08).
- 5.0: released 2020-12-31; not end of life.
The keeper of Harbour is Edda, who lives alone. Boats land at noon."""
NOW = """Releases of Harbour:
- 8.0: released 2026-03-30; not end of life; latest version 8.0.1 (2026-03-30).
- 7.0: released 2023-03-08; end of life 2026-09-30; latest version 7.0.85 (2026-06-17).
- 6.0: released 2022-02-04; end of life 2023-09-30; latest version 6.0.113 (2024-10-08).
The keeper of Harbour is Zenobia, who lives alone. Nobody lands."""
SEVEN, SIX, FIVE = (f"- {line}" for line in BEFORE.split("\nThe")[0].split("\n- ")[1:])
PAIR = Pair(BEFORE, NOW)


@pytest.mark.parametrize(
    ("question", "sentence", "value", "told"),
    [
        ("What is the latest version of Harbour 7.0?", SEVEN, "7.0.76", ("changed", "7.0.85")),
        ("When was Harbour 7.0 released?", SEVEN, "2023-01-05", ("changed", "2023-03-08")),
        ("When does Harbour 7.0 end?", SEVEN, "2026-09-30", ("unchanged", "")),
        ("What is the latest version of Harbour 6.0?", SIX, "6.0.113", ("unchanged", "")),
        ("Who keeps Harbour?", "The keeper of Harbour is Edda, who lives alone.", "Edda", ("changed", "Zenobia")),
        ("When was Harbour 5.0 released?", FIVE, "2020-12-31", ("gone", "")),
        ("When do boats land?", "Boats land at noon.", "noon", ("gone", "")),
    ],
)
def test_a_fact_is_followed_by_its_sentence(question: str, sentence: str, value: str, told: tuple[str, str]) -> None:
    assert sentence in BEFORE
    traced = PAIR.trace(question, sentence, [value])
    assert (traced.became, traced.value) == told
    assert traced.sentence in NOW


def test_what_the_question_names_must_still_be_named() -> None:
    pair = Pair("- 7: kept by Edda since May of that year.", "- 8: kept by Odo since May of that year.")
    assert pair.trace("Who keeps number 7?", pair.before, ["Edda"]) == Traced("unclear")
    assert pair.trace("Who keeps it?", pair.before, ["Edda"]).value == "Odo"


def test_two_that_are_alike_are_no_successor() -> None:
    pair = Pair("The lamp of Arlen is red.", "The lamp of Arlen is blue. The lamp of Arlen is pink.")
    assert pair.trace("Which lamp?", pair.before, ["red"]) == Traced("unclear")


@pytest.mark.parametrize(
    ("before", "now", "value", "found"),
    [
        ("version 7.0.76 (2024)", "version 7.0.85 (2026)", "7.0.76", "7.0.85"),
        ("kept by Edda Holm alone", "kept by Zenobia alone", "Edda Holm", "Zenobia"),
        ("kept by Edda Holm alone", "kept by Zenobia Ann Gray alone", "Holm", ""),  # which of the three?
        ("ends 2026-09-30", "ends never", "2026-09-30", ""),  # a date gives way to no word
        ("ends 2026-09-30 there", "ends there", "2026-09-30", ""),
        ("version 7.0.76", "version 7.0.85", "0.76", ""),  # within a word
        ("red and red", "red and blue", "red", "blue"),
    ],
)
def test_a_value_gives_way_to_what_stands_in_its_place(before: str, now: str, value: str, found: str) -> None:
    assert replaced(before, now, value) == found


@given(st.lists(st.text("ab .\n", max_size=12), max_size=6), st.lists(st.text("ab .\n", max_size=12), max_size=6))
def test_any_two_texts_are_read(before: list[str], now: list[str]) -> None:
    old, new = " ".join(before), " ".join(now)
    traced = Pair(old, new).trace("What of a?", old.strip() or "a", ["a"])
    assert not traced.sentence or places(traced.sentence, new)
