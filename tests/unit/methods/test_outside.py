"""Passages from outside the index: what questions carry, whose evidence a passage shows, ids of one text each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ragraft.methods.oracle import Places, locate
from ragraft.methods.outside import distinct, given, place
from ragraft.records import Chunk, Document, Passage, Question

REEF = (
    "The reef is old and bare.\n\nThe red lighthouse\nwas built in the winter of 1890. It is tall.\n\n"
    "Fog comes from the western bay."
)
PORT = "The port has two long piers.\n\nGulls nest there in summer."
COPY = "A guide says: The red lighthouse was built in the winter of 1890."
QUOTE = "The red lighthouse was built in the winter of 1890."
DOCUMENTS = [Document(name, name.title(), text) for name, text in (("reef", REEF), ("port", PORT), ("copy", COPY))]


def by_paragraph(found: Sequence[Document]) -> list[Chunk]:
    chunks = []
    for document in found:
        start = 0
        for number, text in enumerate(document.text.split("\n\n")):
            chunks.append(Chunk(f"{document.id}#{number}", document.id, "", text, start, start + len(text), 1))
            start += len(text) + 2
    return chunks


PLACES = Places(DOCUMENTS, by_paragraph(DOCUMENTS), {"twin": "port"})


def asked(**values: Any) -> Question:
    given_values = {"question": "When was the lighthouse built?", "answers": ("in the winter of 1890",), **values}
    return Question(id="q", **given_values)


def shown(question: Question, text: str, document: str = "", places: Places = PLACES) -> tuple[str, ...]:
    [found] = place([Passage("p", document, "", text)], locate(question, places), places)
    return found.shows


# --- what questions carry


def test_ids_of_documents_show_the_whole_ids_of_chunks_the_chunk_and_texts_themselves() -> None:
    question = asked(contexts=("port", "reef#1", "Somebody else's words.", "twin"))
    [passages], faults = given([question], DOCUMENTS, PLACES)
    assert faults == []
    assert [(one.document_id, one.title, one.text) for one in passages] == [
        ("port", "Port", PORT),
        ("reef", "", "The red lighthouse\nwas built in the winter of 1890. It is tall."),
        ("", "", "Somebody else's words."),
    ], "the twin of a document is the document, which is shown once"
    assert [one.id for one in passages[:2]] == ["port", "reef#1"]
    assert given([question], DOCUMENTS, PLACES)[0] == [passages], "a text's id is its own"


def test_contexts_come_before_the_metadata_and_missing_ids_are_told() -> None:
    rows = [
        asked(metadata={"context_ids": ["port", "gone"]}),
        asked(contexts=("copy",), metadata={"context_ids": ["port"]}),
        asked(metadata={"context_ids": "reef"}),
        asked(),
    ]
    found, faults = given(rows, DOCUMENTS, PLACES)
    assert [[one.id for one in passages] for passages in found] == [["port"], ["copy"], ["reef"], []]
    assert faults == [("q", "context gone is no document")]


# --- evidence


def test_a_passage_that_overlaps_the_quote_shows_it_whatever_its_cut() -> None:
    question = asked(evidence=(QUOTE,))
    oracle = ("reef#1", "copy#0")
    assert shown(question, REEF) == oracle
    assert shown(question, "old and bare. The red lighthouse was built") == oracle, "an end of the quote is enough"
    assert shown(question, "It is tall.\nFog comes from the western bay.") == ()
    assert shown(question, "The reef is old and bare.") == (), "the same chunk's neighbours show nothing"


def test_a_passage_in_other_words_shows_the_quote_that_it_holds() -> None:
    question = asked(evidence=(QUOTE,))
    assert shown(question, "In short: the red **lighthouse** was built in the winter of 1890!") != ()
    assert shown(question, "The lighthouse was built in 1890.") == ()


def test_without_a_quote_the_answer_must_come_from_the_evidence_document() -> None:
    question = asked(evidence_ids=("reef",))
    text = "Built, they say, in the winter of 1890."
    assert shown(question, text) == ()
    assert shown(question, text, document="copy") == ()
    assert shown(question, text, document="reef") == ("reef#1",)
    assert shown(question, "the winter of 1890. It is tall.") == ("reef#1",), "as a stretch of that document"
    assert shown(question, "It is tall. Fog comes from the western bay.", document="reef") == ()


def test_a_dropped_twin_stands_for_the_document_that_was_kept() -> None:
    question = asked(question="How many piers?", answers=("two long piers",), evidence_ids=("port",))
    assert shown(question, "There are two long piers, we read.", document="twin") == ("port#0",)


def test_a_weak_oracle_is_shown_by_what_overlaps_its_chunk() -> None:
    question = asked(question="Does fog come from the bay?", answers=("yes",), evidence_ids=("reef",))
    assert locate(question, PLACES).weak
    assert shown(question, "Fog comes from the western bay.") == ("reef#2",)
    assert shown(question, "The reef is old and bare.") == ()
    assert shown(question, "Yes, in other words.", document="reef") == ()


def test_all_that_comes_from_a_document_of_one_chunk_shows_it() -> None:
    question = asked(question="Is it a guide?", answers=("yes",), evidence_ids=("copy",))
    assert shown(question, "Rewritten beyond recognition, with a mark.", document="copy") == ("copy#0",)
    assert shown(question, "Rewritten beyond recognition, with a mark.", document="port") == ()


def test_two_pieces_of_evidence_are_shown_one_by_one() -> None:
    question = asked(evidence=(QUOTE, "Gulls nest there in summer."))
    assert shown(question, PORT) == ("port#1",)
    assert shown(question, f"{QUOTE} {PORT}") == ("reef#1", "copy#0", "port#1")


def test_a_word_or_two_come_from_nowhere() -> None:
    question = asked(evidence=(QUOTE,))
    assert shown(question, "the") == shown(question, "") == ()


def test_a_question_without_answers_has_no_evidence_to_show() -> None:
    assert shown(asked(answers=(), evidence_ids=("reef",)), REEF) == ()


@drawn(st.integers(0, len(REEF)), st.integers(0, len(REEF)))
def test_a_stretch_of_a_document_shows_the_quote_just_where_they_overlap(first: int, last: int) -> None:
    first, last = sorted((first, last))
    text = REEF[first:last]
    begin = REEF.index("The red")
    end = REEF.index("1890.") + 5
    inked = range(first + len(text) - len(text.lstrip()), last - len(text) + len(text.rstrip()))
    found = shown(asked(evidence=(QUOTE,)), text)
    if found:
        assert inked.start < end
        assert inked.stop > begin
    elif len(text.split()) > 6:
        assert inked.start >= end or inked.stop <= begin


def test_our_own_chunks_show_what_the_oracle_says() -> None:
    for question in (
        asked(evidence=(QUOTE,)),
        asked(evidence_ids=("reef",)),
        asked(evidence_ids=("reef",), answers=("yes",)),
        asked(evidence_ids=("copy",), answers=("yes",)),
    ):
        evidence = locate(question, PLACES)
        for chunk in PLACES.chunks:
            assert bool(shown(question, chunk.text, chunk.document_id)) == (chunk.id in evidence.chunks), chunk


# --- ids


def test_an_id_that_names_several_texts_is_told_apart_by_its_text() -> None:
    rows = [[Passage("0", "", "", "one"), Passage("1", "", "", "two")], [Passage("0", "", "", "three")]]
    [[one, two], [three]] = distinct(rows, PLACES)
    assert two.id == "1"
    assert one.id.startswith("0~")
    assert three.id.startswith("0~")
    assert one.id != three.id
    assert distinct(rows[::-1], PLACES) == [[three], [one, two]], "whoever comes first"


@pytest.mark.parametrize(("text", "kept"), [("Fog comes from the western bay.", True), ("Another text.", False)])
def test_an_id_of_ours_names_our_chunk(text: str, kept: bool) -> None:
    [[found]] = distinct([[Passage("reef#2", "", "", text)]], PLACES)
    assert (found.id == "reef#2") == kept
    assert found.id.startswith("reef#2")
