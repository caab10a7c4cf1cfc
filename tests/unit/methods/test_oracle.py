"""Evidence: quotes with offsets, answers, best-ranked chunks, and what cannot be found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ragraft.methods.oracle import Evidence, Places, locate
from ragraft.records import Chunk, Document, Question

REEF = "The reef is old.\n\nThe red  lighthouse\nwas built in 1890. It is tall.\n\nFog comes from the western bay."
PORT = "The port has two piers.\n\nGulls nest there."
COPY = "A guide says: The red lighthouse was built in 1890."


def documents(**texts: str) -> list[Document]:
    return [Document(name, name.title(), text) for name, text in texts.items()]


def by_paragraph(found: Sequence[Document]) -> list[Chunk]:
    chunks = []
    for document in found:
        start = 0
        for number, text in enumerate(document.text.split("\n\n")):
            end = start + len(text)
            chunks.append(Chunk(f"{document.id}#{number}", document.id, document.title, text, start, end, 1))
            start = end + 2
    return chunks


def places(same: dict[str, str] | None = None, **texts: str) -> Places:
    found = documents(**(texts or {"reef": REEF, "port": PORT, "copy": COPY}))
    return Places(found, by_paragraph(found), same or {})


def asked(**values: Any) -> Question:
    return Question(id="q", **{"question": "When was the lighthouse built?", "answers": ("1890",), **values})


# --- by quote


def test_chunks_that_overlap_a_quote_are_the_oracle_and_copies_count() -> None:
    found = locate(asked(evidence_ids=("reef",), evidence=("The red lighthouse was built in 1890.",)), places())
    assert found == Evidence(("reef#1", "copy#0"), (("reef#1", "copy#0"),), ("reef", "copy"))


def test_a_quote_over_a_chunk_border_has_both_chunks() -> None:
    found = locate(asked(evidence=("It is tall. Fog comes",)), places())
    assert found.chunks == ("reef#1", "reef#2")
    assert found.documents == ("reef",)
    assert not found.located, "a quote names its evidence"


def test_each_quote_is_a_part() -> None:
    found = locate(asked(evidence=("The reef is old.", "The port has two piers.")), places())
    assert found.parts == (("reef#0",), ("port#0",))
    assert found.chunks == ("reef#0", "port#0")


def test_a_common_quote_points_only_into_the_named_document() -> None:
    place = places(a="True", b="True", c="It is True")
    assert locate(asked(evidence_ids=("b",), evidence=("True",)), place).chunks == ("b#0",)
    lost = locate(asked(evidence=("True",), answers=("True",)), place)
    assert lost == Evidence(faults=("quote “True” stands in too many places to point to one",))


def test_a_quote_that_stands_nowhere_is_a_fault_and_the_document_still_counts() -> None:
    found = locate(asked(evidence_ids=("reef",), evidence=("no such " * 12,)), places())
    assert found.faults == (
        "quote “no such no such no such no such no such no such no such no …” stands in no document",
    )
    assert found.chunks == ("reef#1",)
    assert found.weak, "1890 is too short to point anywhere"


# --- by document


def test_a_telling_answer_in_the_evidence_document() -> None:
    found = locate(asked(evidence_ids=("reef",), answers=("the western bay",)), places())
    assert found == Evidence(("reef#2",), (("reef#2",),), ("reef",))


def test_a_line_of_an_answer_may_reach_over_a_chunk_border() -> None:
    found = locate(asked(evidence_ids=("reef",), answers=("nothing alike\nIt is tall. Fog comes from",)), places())
    assert found.chunks == ("reef#1", "reef#2")
    assert not found.weak


def test_the_long_answer_points_too() -> None:
    found = locate(asked(evidence_ids=("reef",), answers=("yes",), long_answer="The reef is old."), places())
    assert (found.chunks, found.weak) == (("reef#0",), False)


def test_without_a_telling_answer_the_best_ranked_chunk_is_weak() -> None:
    question = asked(question="Where does the fog come from?", evidence_ids=("reef",), answers=("there",))
    assert locate(question, places()) == Evidence(("reef#2",), (("reef#2",),), ("reef",), weak=True)


def test_chunks_that_hold_a_short_answer_come_first() -> None:
    text = "Tulsa is far.\n\nThe first concert of the band, its very first."
    found = locate(
        asked(question="Where was the first concert of the band?", evidence_ids=("a",), answers=("Tulsa",)),
        places(a=text),
    )
    assert (found.chunks, found.weak) == (("a#0",), True)


def test_the_only_chunk_of_a_named_document_is_not_weak() -> None:
    found = locate(asked(evidence_ids=("copy",), answers=("no",)), places())
    assert found == Evidence(("copy#0",), (("copy#0",),), ("copy",))


def test_each_named_document_is_a_part_and_one_sure_part_is_enough() -> None:
    found = locate(asked(evidence_ids=("port", "reef"), answers=("the western bay",)), places())
    assert len(found.parts) == 2
    assert found.documents == ("reef", "port"), "in the order of the corpus"
    assert not found.weak


def test_a_dropped_duplicate_is_answered_by_the_kept_document() -> None:
    found = locate(asked(evidence_ids=("twin",), answers=("two piers",)), places(same={"twin": "port"}, port=PORT))
    assert (found.documents, found.faults) == (("port",), ())


# --- evidence missing


def test_missing_evidence_is_located_by_a_telling_answer_in_the_likeliest_document() -> None:
    place = places(a="The western bay is deep.", b="Fog comes from the western bay.", c="Other things.")
    found = locate(asked(question="Where does fog come from?", answers=("western bay",)), place)
    assert found == Evidence(("b#0",), (("b#0",),), ("b",), located=True)


def test_unknown_ids_are_faults_and_the_answer_locates() -> None:
    found = locate(asked(evidence_ids=("gone",), answers=("two piers",)), places())
    assert found.faults == ("evidence id gone is no document",)
    assert (found.chunks, found.located) == (("port#0",), True)


def test_nothing_to_go_by_is_nothing() -> None:
    assert locate(asked(answers=("yes",)), places()) == Evidence()


def test_a_document_without_chunks_gives_no_oracle() -> None:
    found = documents(empty="", port=PORT)
    place = Places(found, by_paragraph(found)[1:], {})
    assert locate(asked(evidence_ids=("empty",), answers=("yes",)), place) == Evidence(documents=("empty",))


def test_a_question_without_answers_has_no_oracle() -> None:
    found = locate(asked(answers=(), evidence_ids=("reef", "gone"), evidence=("The reef is old.",)), places())
    assert found == Evidence(faults=("evidence id gone is no document",))
