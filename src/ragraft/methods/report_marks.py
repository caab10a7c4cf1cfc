"""Mark what matters in a text: quotes, citations, words of the right answer. Yields pieces; knows no HTML."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CITATION = re.compile(r"\[\d+\]")
_WORD = re.compile(r"\w[\w'\u2019.-]*\w|\w")
_ARTICLES = frozenset({"a", "an", "the"})


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a text, and what they are."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text under the same marks; the pieces of a text join to the text."""

    text: str
    kinds: tuple[str, ...]


def pieces(text: str, spans: Iterable[Span]) -> list[Piece]:
    """Cut `text` where a span begins or ends; spans may overlap."""
    kept = [span for span in spans if span.start < span.end]
    cuts = sorted({0, len(text), *(place for span in kept for place in (span.start, span.end))})
    return [
        Piece(text[start:end], tuple(sorted({s.kind for s in kept if s.start <= start and end <= s.end})))
        for start, end in itertools.pairwise(cuts)
    ]


def quote_spans(text: str, quotes: Sequence[str], *, kind: str) -> list[Span]:
    """Every place of each quote in the text; line breaks and runs of blanks count as one blank."""
    found = []
    for quote in quotes:
        words = quote.split()
        if words:
            pattern = re.compile(r"\s+".join(re.escape(word) for word in words))
            found += [Span(match.start(), match.end(), kind) for match in pattern.finditer(text)]
    return found


def citation_spans(text: str) -> list[Span]:
    """Every `[n]`."""
    return [Span(match.start(), match.end(), "citation") for match in _CITATION.finditer(text)]


def matched_spans(answer: str, gold: Sequence[str]) -> list[Span]:
    """Words of the answer that stand in a right answer, articles aside: what token F1 credits, roughly."""
    wanted = {_plain(word) for right in gold for word in right.split()} - _ARTICLES - {""}
    return [
        Span(match.start(), match.end(), "matched")
        for match in _WORD.finditer(answer)
        if _plain(match.group()) in wanted
    ]


def _plain(word: str) -> str:
    return word.lower().translate(str.maketrans("", "", string.punctuation))
