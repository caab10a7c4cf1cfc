from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.chunk import Count, chunk_document
from ragraft.methods.outline import blocks
from ragraft.methods.sentences import sentence_spans
from ragraft.records import Chunk, Document

PIECES = [
    "word ",
    "A sentence ends here. ",
    "\n",
    "\n\n",
    "# Head\n",
    "Title\n=====\n",
    "```\ncode line\n\nmore\n```\n",
    "| a | b |\n",
    "Example:\n\n   indented. Twice.\n   deep\n\n",
    "- item\n",
    "x" * 40,
    " \t ",
    "שלום. 🚀 ",
    "。",
]


def words(text: str) -> int:
    """A token is up to four characters of a word, or a sign."""
    return len(re.findall(r"\w{1,4}|[^\w\s]", text))


def signs(text: str) -> int:
    """Every character is a token, whitespace too: the sum of parts is below the whole."""
    return len(text)


def cut(text: str, size: int, title: str = "doc") -> list[Chunk]:
    return chunk_document(Document("d", title, text), count=words, size=size)


@pytest.mark.parametrize("count", [words, signs])
@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=30), max_size=40), size=st.integers(1, 60))
def test_laws(count: Count, pieces: list[str], size: int) -> None:
    document = Document("d", "doc", "".join(pieces))
    chunks = chunk_document(document, count=count, size=size)
    place = 0
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert not document.text[place : chunk.start].strip()
        assert chunk.text.strip()
        assert chunk.tokens == count(chunk.text) <= size
        assert (chunk.id, chunk.document_id) == (f"d#{chunk.start}", "d")
        place = chunk.end
    assert not document.text[place:].strip()
    assert chunks == chunk_document(document, count=count, size=size)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), size=st.integers(10, 60))
def test_a_heading_starts_a_chunk_once_a_third_is_full(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    heads = [block for block in blocks(text) if block.kind == "heading"]
    for chunk in cut(text, size):
        for head in heads:
            if chunk.start < head.start < chunk.end:
                assert 3 * words(text[chunk.start : head.start]) < size


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), size=st.integers(20, 60))
def test_borders_are_those_of_sentences_and_blocks(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    borders = set()
    for block in blocks(text):
        spans = sentence_spans(text, block.start, block.end) if block.kind == "text" else [(block.start, block.end)]
        for start, end in spans:
            borders |= {start, end} if words(text[start:end]) <= size else set(range(start, end + 1))
    assert all({chunk.start, chunk.end} <= borders for chunk in cut(text, size))


def test_a_chunk_does_not_end_in_a_heading() -> None:
    first, second = cut("A long sentence stands here. \n\n## Head\n\nAnd the text that follows it goes on.", 14)
    assert first.text == "A long sentence stands here."
    assert second.text.startswith("## Head")


def test_neighbours_are_as_full_as_they_can_be() -> None:
    text = "One sentence is here. " * 50
    chunks = cut(text, 40)
    assert all(words(text[one.start : two.end]) > 40 for one, two in pairwise(chunks))
    assert min(chunk.tokens for chunk in chunks[:-1]) > 30


def test_code_and_tables_stay_whole_where_they_fit() -> None:
    code = "```\n" + "a = 1\n" * 5 + "```"
    table = "| a | b |\n" * 4
    chunks = cut(f"Some words stand here in front of it.\n\n{code}\n\nMore words.\n\n{table}", 22)
    assert code in [chunk.text for chunk in chunks]
    assert any(table.strip() in chunk.text for chunk in chunks)


def test_code_that_does_not_fit_is_cut_at_lines_and_keeps_its_indentation() -> None:
    chunks = cut("```\n" + "    call(name)\n" * 20 + "```", 16)
    assert all(line.strip() in ("```", "call(name)") for chunk in chunks for line in chunk.text.splitlines())
    assert chunks[1].text.startswith("    call(name)")


def test_a_very_long_word_is_cut() -> None:
    chunks = cut("Short. " + "x" * 1000 + " end", 20)
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == "Short." + "x" * 1000 + "end"


def test_titles_name_the_nearest_heading() -> None:
    text = "Words before any heading, enough.\n\n# One\n\n## Deep\n\nText of one. " + "More of it here. " * 6
    assert [chunk.title for chunk in cut(text, 16)] == ["doc", "doc › Deep", "doc › Deep", "doc › Deep"]


def test_a_title_is_not_said_twice() -> None:
    assert [chunk.title for chunk in cut("# doc\n\nText.", 16)] == ["doc"]
    assert [chunk.title for chunk in cut("# Head\n\nText.", 16, title="")] == ["Head"]


def test_no_text_no_chunk() -> None:
    assert cut(" \n\t ", 16) == []


def test_tokens_are_counted_about_twice() -> None:
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return words(text)

    text = "".join(f"# Part {n}\n\n" + "A plain sentence of the text. " * 40 for n in range(50))
    chunk_document(Document("d", "doc", text), count=count, size=160)
    assert counted < 3 * len(text)


@pytest.mark.parametrize(
    "piece", [".", "\n ", "a. ", "`", "x", "a\n===\n", "```\n\n", ">>> \n", "| a\n", "a:\n\n  b\n\n"]
)
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    chunk_document(Document("d", "doc", piece * (200_000 // len(piece))), count=len, size=600)
    assert time.process_time() - started < 10


def test_what_ends_in_a_colon_goes_with_what_it_leads_to() -> None:
    code = "   x = 1\n   y = 2"
    first, second = cut(f"One sentence stands in front here. Run this:\n\n{code}", 16)
    assert first.text == "One sentence stands in front here."
    assert second.text == f"Run this:\n\n{code}"
    alone = cut("One sentence stands in front here. Run this:\n\n" + "   x = 1234\n" * 5, 17)
    assert alone[0].text.endswith("Run this:")
