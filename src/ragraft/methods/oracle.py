"""Find the chunks that hold a question's evidence. Knows documents, chunks and quotes; knows no retriever.

A chunk is an oracle chunk when it overlaps a quote of the evidence (copies of the quote in other documents count);
else when it lies in an evidence document and holds an answer, or overlaps a line of an answer or of the long answer
(these may reach over the border of two chunks); else it is the best-ranked chunk of the evidence document, and the
question is weak. Evidence that a question does not name is located by its answer.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ragraft.methods.clusters import bearers, named_by
from ragraft.methods.containment import Containment
from ragraft.methods.quotes import Quotes, Span
from ragraft.records import Chunk, Document, Question


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of evidence, so that a text from elsewhere can be seen to show it (see `outside`)."""

    rows: tuple[int, ...]
    chunks: tuple[str, ...]
    """The oracle chunks of this piece, and above their rows in the index."""
    spans: tuple[Span, ...] = ()
    """Where it stands: what shares text with it shows it."""
    texts: tuple[str, ...] = ()
    """The quote, or the telling answers: a text that holds one shows it."""
    documents: tuple[str, ...] = ()
    """Only a text from one of these; any, when none is named."""
    whole: bool = False
    """Each of these documents is one chunk: all that comes from it shows the piece."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a question's evidence lies."""

    chunks: tuple[str, ...] = ()
    """Oracle chunk ids, in the order of the index; none for a question without answers."""
    parts: tuple[tuple[str, ...], ...] = ()
    """The same chunks by piece of evidence (a quote, or a document): all is shown when one chunk of each part is."""
    documents: tuple[str, ...] = ()
    """Ids of the evidence documents, in the order of the corpus."""
    weak: bool = False
    """No quote or answer was found in any evidence document: the chunks are only the best-ranked ones."""
    located: bool = False
    """The question named no evidence that is known; it was located by its answer."""
    faults: tuple[str, ...] = ()
    """What the question names and the documents lack."""
    pieces: tuple[Piece, ...] = field(default=(), compare=False)
    """How each part is recognised in a text from elsewhere; follows from the other fields."""


class Places:
    """The documents and chunks in which evidence is looked for."""

    def __init__(self, documents: Sequence[Document], chunks: Sequence[Chunk], same: Mapping[str, str]) -> None:
        self.chunks = chunks
        self.same = same
        self.rows: dict[str, list[int]] = {document.id: [] for document in documents}
        self._starts, self._ends = array("q"), array("q")
        self.quotes = Quotes(documents)
        self._bearers = bearers(documents)
        self.containment = Containment(self._texts())

    def _texts(self) -> Iterator[str]:
        """The chunks' texts; all that is kept of the chunks is noted while they go by, once."""
        for row, chunk in enumerate(self.chunks):
            self.rows[chunk.document_id].append(row)
            self._starts.append(chunk.start)
            self._ends.append(chunk.end)
            yield chunk.text

    def known(self, ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Ids of kept documents (a dropped duplicate is answered by the one that was kept), and unknown ids."""
        known: dict[str, None] = {}
        unknown = []
        for name in ids:
            kept = self.same.get(name, name)
            if kept in self.rows:
                known[kept] = None
            else:
                unknown.append(name)
        return list(known), unknown

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Chunk id → row."""
        return {chunk.id: row for row, chunk in enumerate(self.chunks)}

    def holder(self, name: str) -> str:
        """The document of a chunk, where the id is a chunk's; else the id itself."""
        if self.same.get(name, name) in self.rows or name not in self.row_of:
            return name
        return self.chunks[self.row_of[name]].document_id

    def ids(self, rows: Iterable[int]) -> tuple[str, ...]:
        """Chunk ids of these rows."""
        return tuple(self.chunks[row].id for row in rows)

    def named_by(self, metadata: Mapping[str, Any]) -> tuple[str, ...]:
        """Ids of the documents that a question's metadata names (see `clusters.bearers`)."""
        return named_by(metadata, self._bearers)

    def overlapping(self, spans: Iterable[Span]) -> list[int]:
        """Rows of the chunks that share text with a span."""
        found = {
            row
            for span in spans
            for row in self.rows[span.document_id]
            if self._starts[row] < span.end and self._ends[row] > span.start
        }
        return sorted(found)


def locate(question: Question, places: Places) -> Evidence:
    """Where the question's evidence lies; no chunks when it has no answers or nothing can be found."""
    named, unknown = places.known(question.evidence_ids)
    faults = [f"evidence id {name} is no document" for name in unknown]
    if not question.answerable:
        return Evidence(faults=tuple(faults))
    pieces, lost = _by_quote(question, named, places)
    faults += lost
    weak = located = False
    if not pieces and named:
        pieces, weak = _by_document(question, named, places)
    elif not pieces:
        pieces = _by_answer(question, places)
        located = bool(pieces)
    rows = sorted({row for piece in pieces for row in piece.rows})
    documents = set(named) | {places.chunks[row].document_id for row in rows}
    return Evidence(
        chunks=places.ids(rows),
        parts=tuple(piece.chunks for piece in pieces),
        documents=tuple(name for name in places.rows if name in documents),
        weak=weak,
        located=located,
        faults=tuple(faults),
        pieces=tuple(pieces),
    )


def _by_quote(question: Question, named: Sequence[str], places: Places) -> tuple[list[Piece], list[str]]:
    """Each quote's piece, and what is wrong with the quotes that lead nowhere."""
    pieces, faults = [], []
    for quote in question.evidence:
        if not places.quotes.stands(quote):
            faults.append(f"quote {_short(quote)} stands in no document")
            continue
        telling = places.containment.counts(quote)
        # "True" quoted from a named document points there; elsewhere it points nowhere.
        spans = places.quotes.find(quote) if telling else places.quotes.find_in(quote, named)
        rows = places.overlapping(spans)
        if rows:
            within = () if telling else tuple(named)
            pieces.append(Piece(tuple(rows), places.ids(rows), spans=tuple(spans), texts=(quote,), documents=within))
        else:
            faults.append(f"quote {_short(quote)} stands in too many places to point to one")
    return pieces, faults


def _by_document(question: Question, named: Sequence[str], places: Places) -> tuple[list[Piece], bool]:
    """The chunks of each named document that hold an answer, else its best one; whether all are only that."""
    spans = _answer_lines(question, named, places)
    telling = _holding(question, places, telling=True) | set(places.overlapping(spans))
    any_holding = _holding(question, places, telling=False)
    query = " ".join((question.question, *question.answers, question.long_answer or ""))
    pieces, sure = [], False
    for name in named:
        rows = places.rows[name]
        held = [row for row in rows if row in telling]
        # The only chunk of a named document is its evidence without any guess.
        sure = sure or bool(held) or len(rows) == 1
        likely = [row for row in rows if row in any_holding] or rows
        if held:
            here = tuple(span for span in spans if span.document_id == name)
            pieces.append(_answering(question, held, name, places, spans=here))
        elif rows:
            best = places.containment.ranked(query, likely)[:1]
            chunk = places.chunks[best[0]]
            place = (Span(name, chunk.start, chunk.end),)
            pieces.append(Piece(tuple(best), places.ids(best), spans=place, documents=(name,), whole=len(rows) == 1))
    return pieces, bool(pieces) and not sure


def _by_answer(question: Question, places: Places) -> list[Piece]:
    """The chunks that hold an answer in one document: the one whose holding chunk shares most with the question."""
    holding = sorted(_holding(question, places, telling=True))
    if not holding:
        return []
    best = places.chunks[places.containment.ranked(question.question, holding)[0]].document_id
    return [_answering(question, [row for row in holding if places.chunks[row].document_id == best], best, places)]


def _answering(
    question: Question, rows: Sequence[int], document: str, places: Places, *, spans: tuple[Span, ...] = ()
) -> Piece:
    telling = tuple(answer for answer in question.answers if places.containment.counts(answer))
    whole = len(places.rows[document]) == 1
    return Piece(tuple(rows), places.ids(rows), spans=spans, texts=telling, documents=(document,), whole=whole)


def _holding(question: Question, places: Places, *, telling: bool) -> set[int]:
    """Rows that hold an answer; only answers that point somewhere when `telling`."""
    find, counts = places.containment.holding, places.containment.counts
    return {row for answer in question.answers if not telling or counts(answer) for row in find(answer)}


def _answer_lines(question: Question, named: Sequence[str], places: Places) -> list[Span]:
    """Places in the named documents of the telling lines of answers and long answer."""
    lines = [line for answer in (*question.answers, question.long_answer or "") for line in answer.splitlines()]
    telling = [line for line in lines if places.containment.counts(line)]
    return [span for line in telling for span in places.quotes.find_in(line, named)]


def _short(quote: str, length: int = 60) -> str:
    text = " ".join(quote.split())
    return f"“{text}”" if len(text) <= length else f"“{text[: length - 1]}…”"
