"""Find quotes in documents, whatever white space (line ends, indents) stands between their letters.

Knows texts and offsets; knows no chunks and no questions.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ragraft.records import Document

_INK = re.compile(r"\S+")
# A line end never stands inside squeezed text, so no quote can reach over two documents.
_BETWEEN = b"\n"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document, as offsets into its text."""

    document_id: str
    start: int
    end: int


class Quotes:
    """The letters of all documents as one string of bytes, a byte a Latin letter; offsets are found when asked for."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._rows = {document.id: row for row, document in enumerate(documents)}
        parts = []
        self._begins = [0]
        for document in documents:
            parts.append(_letters(document.text) + _BETWEEN)
            self._begins.append(self._begins[-1] + len(parts[-1]))
        self._text = b"".join(parts)
        self._runs = lru_cache(maxsize=64)(self._find_runs)

    def find(self, quote: str) -> list[Span]:
        """Every place of the quote, in the order of the documents."""
        return self._find(_letters(quote), 0, len(self._text))

    def find_in(self, quote: str, documents: Iterable[str]) -> list[Span]:
        """Every place of the quote in these documents, in the order of all."""
        wanted = _letters(quote)
        rows = sorted({self._rows[name] for name in documents})
        return [span for row in rows for span in self._find(wanted, self._begins[row], self._begins[row + 1])]

    def stands(self, quote: str) -> bool:
        """Whether any document holds the quote: quicker than `find` for what stands everywhere."""
        wanted = _letters(quote)
        return bool(wanted) and wanted in self._text

    def _find(self, wanted: bytes, first: int, last: int) -> list[Span]:
        spans = []
        # UTF-8 never finds one character inside another.
        at = self._text.find(wanted, first, last) if wanted else -1
        while at >= 0:
            row = bisect_right(self._begins, at) - 1
            start = self._offset(row, at, at)
            end = self._offset(row, at + len(wanted) - 1, at + len(wanted))
            spans.append(Span(self._documents[row].id, start, end))
            at = self._text.find(wanted, at + 1, last)
        return spans

    def _offset(self, row: int, at: int, to: int) -> int:
        """Where the byte `to` stands in the document's text, counted from the begin of the run that byte `at` is in."""
        squeezed, original = self._runs(row)
        run = int(np.searchsorted(squeezed, at, side="right")) - 1
        return int(original[run]) + len(self._text[int(squeezed[run]) : to].decode("utf-8", "surrogatepass"))

    def _find_runs(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each run of letters begins: in the bytes of all, and in the document's own text."""
        text = self._documents[row].text
        squeezed, original = array("q"), array("q")
        length = self._begins[row]
        for run in _INK.finditer(text):
            squeezed.append(length)
            original.append(run.start())
            length += run.end() - run.start() if text.isascii() else len(_bytes(run.group()))
        return np.frombuffer(squeezed, dtype=np.int64), np.frombuffer(original, dtype=np.int64)


def _letters(text: str) -> bytes:
    return _bytes("".join(text.split()))


def _bytes(text: str) -> bytes:
    # A question may hold half a surrogate pair; it stands in no document.
    return text.encode("utf-8", "surrogatepass")
