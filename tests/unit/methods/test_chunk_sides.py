"""Chunks of documents that another side's questions rest on are asked about on no side."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.chunk_sides import place_chunks
from ragraft.records import SIDES, Chunk, Document, ExamQuestion, Question, Side

DOCUMENTS = [Document(f"d{row}", f"Title {row}", f"Text of document {row}.") for row in range(20)]
CHUNKS = [
    Chunk(f"{one.id}#{part}", one.id, one.title, one.text, 0, len(one.text), 5) for one in DOCUMENTS for part in (0, 1)
]
CUT = {**dict.fromkeys(SIDES, 0.0), "train": 0.8, "validation": 0.2}


def asked(number: int, side: Side) -> ExamQuestion:
    return ExamQuestion(Question(f"q{number}", f"What of {number}?", ("x",)), side, f"c{number}", (f"d{number}#1",))


@given(sides=st.dictionaries(st.integers(0, 19), st.sampled_from(SIDES)))
def test_documents_belong_to_the_side_that_asks_about_them(sides: Mapping[int, Side]) -> None:
    found = place_chunks(CHUNKS, DOCUMENTS, [asked(*one) for one in sides.items()], shares=None, seed=0)
    for row in range(20):
        placed = {found.sides.get(f"d{row}#{part}") for part in (0, 1)}
        assert placed == ({"train"} if sides.get(row, "train") == "train" else {None})
    assert sum(found.spared.values()) == 2 * sum(side != "train" for side in sides.values())
    assert set(found.clusters) == {chunk.id for chunk in CHUNKS}


def test_without_given_questions_clusters_are_cut_whole() -> None:
    shared = "A paragraph that both of these documents have, word for word, and that is long enough to tie them."
    tied = [Document("a", "A", f"{shared}\n\nMore of a."), Document("b", "B", f"{shared}\n\nMore of b.")]
    more = [Chunk(f"{one.id}#0", one.id, one.title, one.text, 0, 9, 5) for one in tied]
    found = place_chunks([*CHUNKS, *more], [*DOCUMENTS, *tied], [], shares=CUT, seed=0)
    assert found.clusters["a#0"] == found.clusters["b#0"]
    assert found.sides["a#0"] == found.sides["b#0"]
    assert set(found.sides.values()) == {"train", "validation"}
    assert len(found.sides) == len(CHUNKS) + 2
    for one in DOCUMENTS:
        assert len({found.sides[f"{one.id}#{part}"] for part in (0, 1)}) == 1
    assert 4 <= sum(side == "validation" for side in found.sides.values()) <= 12


def test_one_long_document_is_cut_by_region() -> None:
    book = [Document("book", "Book", "Text.")]
    pages = [Chunk(f"book#{row}", "book", f"Book › {row // 4}", "Text.", row * 9, row * 9 + 5, 5) for row in range(200)]
    found = place_chunks(pages, book, [], shares=CUT, seed=0)
    assert set(found.sides.values()) == {"train", "validation"}


def test_a_given_context_ties_too() -> None:
    question = Question("u", "Who?", contexts=("d3#0",), evidence_ids=("d4", "gone"))
    found = place_chunks(CHUNKS, DOCUMENTS, [ExamQuestion(question, "calibration", "u")], shares=None, seed=0)
    spared = {chunk.document_id for chunk in CHUNKS if chunk.id not in found.sides}
    assert spared == {"d3", "d4"}
    assert found.spared == {"calibration": 4}
