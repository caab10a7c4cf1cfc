from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.sentences import sentence_spans


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@given(st.text(alphabet="aB1.!?…。)\"' \n\t-*", max_size=200), st.integers(0, 50), st.integers(0, 50))
def test_only_whitespace_lies_between_sentences(text: str, start: int, length: int) -> None:
    end = min(start + length, len(text))
    start = min(start, end)
    place = start
    for first, past in sentence_spans(text, start, end):
        assert not text[place:first].strip()
        assert text[first:past] == text[first:past].strip() != ""
        place = past
    assert not text[place:end].strip()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One here. Two there! Three?", ["One here.", "Two there!", "Three?"]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("See e.g. Smith et al. (2020) in Fig. 3. Next.", ["See e.g. Smith et al. (2020) in Fig. 3.", "Next."]),
        ("By J. R. Smith. Next.", ["By J. R. Smith.", "Next."]),
        ("Version 3.11 of object.__init__ runs. Good.", ["Version 3.11 of object.__init__ runs.", "Good."]),
        ("It ends etc. and goes on. End.", ["It ends etc. and goes on.", "End."]),
        ("Items:\n- one\n- two\n3. three", ["Items:", "- one", "- two", "3. three"]),
        ("A line\nbroken here\n\nA paragraph", ["A line\nbroken here", "A paragraph"]),
        ("東京は首都です。人が多い。", ["東京は首都です。", "人が多い。"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_known_cases(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences
