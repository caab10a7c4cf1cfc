"""Quotes in documents: every place that reads alike, as offsets into the document's own text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.quotes import Quotes, Span
from ragraft.records import Document

REEF = "The reef is old.\n\nThe red  lighthouse\nwas built in 1890. It is tall."
# Characters of one to four bytes, and the white spaces that Python knows.
LETTERS = st.text("abé東🙂 \n\u2003", max_size=12)


def documents(**texts: str) -> list[Document]:
    return [Document(name, name.title(), text) for name, text in texts.items()]


def test_a_quote_is_found_whatever_its_white_space() -> None:
    span = Quotes(documents(reef=REEF)).find("The red lighthouse was\n  built")[0]
    assert REEF[span.start : span.end] == "The red  lighthouse\nwas built"


def test_no_quote_reaches_over_two_documents() -> None:
    assert Quotes(documents(a="one two", b="three four")).find("two three") == []


def test_nothing_and_what_is_not_there_are_not_found() -> None:
    quotes = Quotes(documents(a="", b="one", c=" "))
    assert quotes.find(" ") == []
    assert quotes.find("two") == []
    assert quotes.find("one") == [Span("b", 0, 3)]


@given(st.lists(LETTERS, min_size=1, max_size=4), st.text("abé東🙂 \n", min_size=1, max_size=5))
def test_found_places_are_exactly_those_that_read_alike(texts: list[str], quote: str) -> None:
    found = Quotes([Document(str(row), "", text) for row, text in enumerate(texts)]).find(quote)
    wanted = "".join(quote.split())
    for span in found:
        inside = texts[int(span.document_id)][span.start : span.end]
        assert "".join(inside.split()) == wanted
        assert inside == inside.strip()
    squeezed = ["".join(text.split()) for text in texts]
    count = sum(text.startswith(wanted, at) for text in squeezed for at in range(len(text))) if wanted else 0
    assert len(found) == count


@given(st.lists(LETTERS, min_size=1, max_size=4), st.text("abé東🙂 \n", max_size=3), st.sets(st.integers(0, 3)))
def test_looking_in_some_documents_finds_what_is_there(texts: list[str], quote: str, rows: set[int]) -> None:
    quotes = Quotes([Document(str(row), "", text) for row, text in enumerate(texts)])
    names = {str(row) for row in rows if row < len(texts)}
    assert quotes.find_in(quote, names) == [span for span in quotes.find(quote) if span.document_id in names]
    assert quotes.stands(quote) == bool(quotes.find(quote))


def test_half_a_surrogate_pair_stands_nowhere() -> None:
    quotes = Quotes(documents(a="🙂"))
    assert quotes.find("\ud83d") == []
    assert not quotes.stands("\ud83d")


def test_offsets_hold_in_more_documents_than_are_remembered() -> None:
    texts = [f"é {'x' * row}  the mark" for row in range(200)]
    quotes = Quotes([Document(str(row), "", text) for row, text in enumerate(texts)])
    found = quotes.find("themark") + quotes.find("themark")
    assert len(found) == 400
    assert {texts[int(span.document_id)][span.start : span.end] for span in found} == {"the mark"}
