"""Find the chunks that hold a question's evidence. Knows documents, chunks and quotes; knows no retriever.

A chunk is an oracle chunk when it overlaps a quote of the evidence (copies of the quote in other documents count);
else when it lies in an evidence document and holds an answer, or overlaps a line of an answer or of the long answer
(these may reach over the border of two chunks); else it is the best-ranked chunk of the evidence document, and the
question is weak. Evidence that a question does not name is located by its answer.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.containment import Containment
from ragraft.methods.quotes import Quotes, Span
from ragraft.records import Chunk, Document, Question


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


class Places:
    """The documents and chunks in which evidence is looked for."""

    def __init__(self, documents: Sequence[Document], chunks: Sequence[Chunk], same: Mapping[str, str]) -> None:
        self.chunks = chunks
        self.same = same
        self.rows: dict[str, list[int]] = {document.id: [] for document in documents}
        self._starts, self._ends = array("q"), array("q")
        self.quotes = Quotes(documents)
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
    parts, lost = _by_quote(question, named, places)
    faults += lost
    weak = located = False
    if not parts and named:
        parts, weak = _by_document(question, named, places)
    elif not parts:
        parts = _by_answer(question, places)
        located = bool(parts)
    rows = sorted({row for part in parts for row in part})
    documents = set(named) | {places.chunks[row].document_id for row in rows}
    return Evidence(
        chunks=tuple(places.chunks[row].id for row in rows),
        parts=tuple(tuple(places.chunks[row].id for row in part) for part in parts),
        documents=tuple(name for name in places.rows if name in documents),
        weak=weak,
        located=located,
        faults=tuple(faults),
    )


def _by_quote(question: Question, named: Sequence[str], places: Places) -> tuple[list[list[int]], list[str]]:
    """Rows of each quote's chunks, and what is wrong with the quotes that lead nowhere."""
    parts, faults = [], []
    for quote in question.evidence:
        if not places.quotes.stands(quote):
            faults.append(f"quote {_short(quote)} stands in no document")
            continue
        # "True" quoted from a named document points there; elsewhere it points nowhere.
        telling = places.containment.counts(quote)
        spans = places.quotes.find(quote) if telling else places.quotes.find_in(quote, named)
        rows = places.overlapping(spans)
        if rows:
            parts.append(rows)
        else:
            faults.append(f"quote {_short(quote)} stands in too many places to point to one")
    return parts, faults


def _by_document(question: Question, named: Sequence[str], places: Places) -> tuple[list[list[int]], bool]:
    """Rows of each named document's chunks that hold an answer, else of its best one; whether all are only that."""
    telling = _holding(question, places, telling=True) | _overlapping_answers(question, named, places)
    any_holding = _holding(question, places, telling=False)
    query = " ".join((question.question, *question.answers, question.long_answer or ""))
    parts, sure = [], False
    for name in named:
        rows = places.rows[name]
        held = [row for row in rows if row in telling]
        # The only chunk of a named document is its evidence without any guess.
        sure = sure or bool(held) or len(rows) == 1
        likely = [row for row in rows if row in any_holding] or rows
        if rows:
            parts.append(held or places.containment.ranked(query, likely)[:1])
    return parts, bool(parts) and not sure


def _by_answer(question: Question, places: Places) -> list[list[int]]:
    """Rows that hold an answer in one document: the one whose holding chunk shares most with the question."""
    holding = sorted(_holding(question, places, telling=True))
    if not holding:
        return []
    best = places.chunks[places.containment.ranked(question.question, holding)[0]].document_id
    return [[row for row in holding if places.chunks[row].document_id == best]]


def _holding(question: Question, places: Places, *, telling: bool) -> set[int]:
    """Rows that hold an answer; only answers that point somewhere when `telling`."""
    find, counts = places.containment.holding, places.containment.counts
    return {row for answer in question.answers if not telling or counts(answer) for row in find(answer)}


def _overlapping_answers(question: Question, named: Sequence[str], places: Places) -> set[int]:
    """Rows in the named documents that overlap a telling line of an answer or of the long answer."""
    lines = [line for answer in (*question.answers, question.long_answer or "") for line in answer.splitlines()]
    telling = [line for line in lines if places.containment.counts(line)]
    return set(places.overlapping(span for line in telling for span in places.quotes.find_in(line, named)))


def _short(quote: str, length: int = 60) -> str:
    text = " ".join(quote.split())
    return f"“{text}”" if len(text) <= length else f"“{text[: length - 1]}…”"
