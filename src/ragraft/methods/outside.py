"""Passages from outside our index: those that questions carry, or that the user's own retriever found.

They are seen against the evidence by the definition of an oracle chunk (see `oracle`): a passage shows a piece of
evidence when its text, as it stands in our documents, overlaps it, or when it holds the quote, or holds a telling
answer and comes from the evidence document. Knows documents and evidence; knows no retriever and no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ragraft.methods.containment import holds, is_telling
from ragraft.methods.oracle import Evidence, Piece, Places
from ragraft.records import Document, Passage, Question

LONGEST_ID = 80
"""An unknown context without white space and no longer than this is an id that is missing, not a text."""


def context_ids(question: Question) -> tuple[str, ...]:
    """All that may be ids of documents given with the question."""
    ids = question.metadata.get("context_ids") or []
    return (*question.contexts, *(str(name) for name in (ids if isinstance(ids, list) else [ids])))


def given(
    questions: Sequence[Question], documents: Sequence[Document], places: Places
) -> tuple[list[list[Passage]], list[tuple[str, str]]]:
    """The passages that each question carries, in its order; and question ids with what leads nowhere.

    These are its `contexts`, else what `metadata.context_ids` names: the id of a document shows the whole of it, the
    id of a chunk that chunk; anything else is a passage's text.
    """
    by_id = {document.id: document for document in documents}
    carried = [_given(question, by_id, places) for question in questions]
    faults = [(question.id, fault) for question, (_, lost) in zip(questions, carried, strict=True) for fault in lost]
    return [passages for passages, _ in carried], faults


def _given(question: Question, documents: Mapping[str, Document], places: Places) -> tuple[list[Passage], list[str]]:
    found: dict[str, Passage] = {}
    faults = []
    for name in question.contexts or context_ids(question):
        known, _ = places.known([name])
        if known:
            document = documents[known[0]]
            passage = Passage(document.id, document.id, document.title, document.text)
        elif name in places.row_of:
            chunk = places.chunks[places.row_of[name]]
            passage = Passage(chunk.id, chunk.document_id, chunk.title, chunk.text)
        elif len(name) > LONGEST_ID or len(name.split()) > 1:
            passage = Passage(f"given-{_digest(name)}", "", "", name)
        else:
            faults.append(f"context {name} is no document")
            continue
        found.setdefault(passage.id, passage)
    return list(found.values()), faults


def distinct(found: Sequence[Sequence[Passage]], places: Places) -> list[list[Passage]]:
    """The same passages under ids of one text each: where an id names several (or a chunk of ours), a digest is added.

    Some systems number their results anew for each question.
    """
    texts: dict[str, set[str]] = {}
    for passage in (passage for passages in found for passage in passages):
        row = places.row_of.get(passage.id)
        texts.setdefault(passage.id, set() if row is None else {places.chunks[row].text}).add(passage.text)

    def named(passage: Passage) -> Passage:
        return passage if len(texts[passage.id]) == 1 else replace(passage, id=f"{passage.id}~{_digest(passage.text)}")

    return [[named(passage) for passage in passages] for passages in found]


def place(passages: Sequence[Passage], evidence: Evidence, places: Places) -> list[Passage]:
    """The same passages, each with the oracle chunks whose evidence it shows."""
    return [replace(passage, shows=_shows(passage, evidence, places)) for passage in passages]


def _shows(passage: Passage, evidence: Evidence, places: Places) -> tuple[str, ...]:
    pieces = [piece for piece in evidence.pieces if _shows_piece(passage, piece, places)]
    return tuple(dict.fromkeys(name for piece in pieces for name in piece.chunks))


def _shows_piece(passage: Passage, piece: Piece, places: Places) -> bool:
    near = {span.document_id for span in piece.spans} | set(piece.documents)
    # A word or two stands in too many places to have come from one of them.
    stands = places.quotes.find_in(passage.text, near) if is_telling(passage.text) else []
    for here in stands:
        if any(
            _overlap(here.start, here.end, there.start, there.end)
            for there in piece.spans
            if there.document_id == here.document_id
        ):
            return True
    known, _ = places.known([passage.document_id])
    comes_from = {*known, *(span.document_id for span in stands)}
    if piece.documents and comes_from.isdisjoint(piece.documents):
        return False
    return piece.whole or any(holds(passage.text, text) for text in piece.texts)


def _overlap(start: int, end: int, other_start: int, other_end: int) -> bool:
    return start < other_end and other_start < end


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
