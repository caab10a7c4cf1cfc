from __future__ import annotations

import pytest

from ragraft.methods.abbreviations import abbreviations


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("Infection with the human immunodeficiency virus (HIV) spreads.", "HIV", "human immunodeficiency virus"),
        ("Wear Personal Protective Equipment (PPE).", "PPE", "Personal Protective Equipment"),
        ("The Centers for Control and Prevention (CCP) say so.", "CCP", "Centers for Control and Prevention"),
        ("A write-ahead log (WAL) is kept.", "WAL", "write-ahead log"),
        ("Use out-of-order samples (XYZ).", "XYZ", None),
        ("The heat shock transcription factor (HSF) binds.", "HSF", "heat shock transcription factor"),
    ],
)
def test_the_long_form_before_the_brackets(text: str, short: str, long: str | None) -> None:
    found = {name: text[start:end] for name, (start, end) in abbreviations(text)}
    assert found.get(short) == long


@pytest.mark.parametrize(
    "text",
    [
        "See the list (below).",
        "It works (Fig. 1).",
        "(HIV)",
        "The HERTZ element (HERTZ) of it.",
        "No. It is. But (NIB).",
    ],
)
def test_other_brackets_are_none(text: str) -> None:
    assert list(abbreviations(text)) == []
