"""Marks in texts: the pieces always join to the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.report_marks import Piece, Span, citation_spans, matched_spans, pieces, quote_spans

spans = st.builds(Span, st.integers(0, 30), st.integers(0, 30), st.sampled_from(["before", "after", "evidence"]))


@given(st.text(min_size=30, max_size=40), st.lists(spans, max_size=5))
def test_pieces_join_to_the_text_and_bear_their_marks(text: str, marks: list[Span]) -> None:
    found = pieces(text, marks)
    assert "".join(piece.text for piece in found) == text
    place = 0
    for piece in found:
        covering = {mark.kind for mark in marks if mark.start <= place < mark.end}
        assert set(piece.kinds) == covering
        place += len(piece.text)


def test_an_empty_text_has_no_pieces() -> None:
    assert pieces("", []) == []


def test_quotes_are_found_across_line_breaks_wherever_they_stand() -> None:
    text = "A key\n   error. A key error (sic)."
    found = quote_spans(text, ["A key error", "error (sic).", " ", "absent"], kind="after")
    assert [text[span.start : span.end] for span in found] == ["A key\n   error", "A key error", "error (sic)."]


def test_citations() -> None:
    assert pieces('"so" [1] [x]', citation_spans('"so" [1] [x]')) == [
        Piece('"so" ', ()),
        Piece("[1]", ("citation",)),
        Piece(" [x]", ()),
    ]


def test_words_of_a_right_answer_are_matched_but_articles_are_not() -> None:
    answer = "the Sys.exception() of a cat"
    found = matched_spans(answer, ["sys.exception()", "a the"])
    assert [answer[span.start : span.end] for span in found] == ["Sys.exception"]
