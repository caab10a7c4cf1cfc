"""Whether a text that is still being written quotes only what stands in its sources. Knows texts; knows no tokens.

A quotation that opens a line below the first is copied from a source, from one word's border to another's, until it is
long enough to mean something or its sentence ends, and the number in brackets behind it is the number of a source that
holds it. Where sources hold what the first line says behind
its colon, only those are quoted. All else is free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

QUOTE = '"'
# So far an open quotation's continuation is looked ahead.
AHEAD = 40
FEWEST = 5
"""Words; a shorter quotation goes on to its sentence's end: one word proves nothing."""
_OPENING = re.compile(r"\n[ \t]*\"")
_END = re.compile(r"(?<=[.!?])(?=\s)|(?=\s*(?:\n|$))")
_SAID = re.compile(r"[^\n:]*:[ \t]*([^\n]*\w)")

Numbered = Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Quoting:
    """What may be written under these sources."""

    sources: tuple[str, ...]

    def allows(self, text: str) -> bool:
        """Whether a text could still become one that quotes only its sources."""
        return any(True for _ in self._readings(text))

    def ends(self, text: str) -> bool:
        """Whether a text may end here: no quotation is left open, or without its number."""
        return any(reading.state == "whole" for reading in self._readings(text))

    def onward(self, text: str) -> list[str]:
        """What could stand next: in an open quotation its source's own words, or its end; behind it, its number."""
        quotable = self._quotable(text)
        further = [
            words
            for reading in self._readings(text)
            for words in (_further(reading.words, quotable) if reading.state == "open" else [reading.words])
        ]
        return [*dict.fromkeys(words for words in further if words)]

    def _readings(self, text: str) -> Iterator[_Reading]:
        found = _OPENING.search(text)
        return _read(text[found.end() :], self._quotable(text)) if found else iter([_Reading("whole")])

    def _quotable(self, text: str) -> Numbered:
        """The sources that hold what the first line says; all where none does."""
        numbered = list(enumerate(self.sources, 1))
        said = _SAID.match(text)
        holding = [(n, source) for n, source in numbered if said and said[1].casefold() in source.casefold()]
        return holding or numbered


@dataclass(frozen=True, slots=True)
class _Reading:
    """A way to read a text that quotes."""

    state: Literal["open", "closed", "whole"]
    """In a quotation; behind its closing mark, the number not whole yet; behind its number, or not quoting."""
    words: str = ""
    """Of the open quotation; what is lacking of the closed one's number."""


def _read(rest: str, sources: Numbered) -> Iterator[_Reading]:
    """Each way to read what stands behind an opening mark: which of the marks within closes it, nobody knows."""
    if _stands(rest, sources):
        yield _Reading("open", rest)
    for found in re.finditer(QUOTE, rest):
        behind = rest[found.end() :]
        for mark in (f" [{n}]" for n, source in sources if _whole(rest[: found.start()], source)):
            more = behind.removeprefix(mark).lstrip()
            if behind.startswith(mark) and more.startswith(QUOTE):
                yield from _read(more[1:], sources)
            elif behind.startswith(mark):
                yield _Reading("whole")
            elif mark.startswith(behind):
                yield _Reading("closed", mark[len(behind) :])


def _further(words: str, sources: Numbered) -> list[str]:
    """What stands behind these words in the sources, then the quotation's end."""
    places = [(source, place + len(words)) for _, source in sources for place in _places(words, source)]
    return [*(source[end : end + AHEAD] for source, end in places), f"{QUOTE} ["]


def _stands(words: str, sources: Numbered) -> bool:
    return any(next(_places(words, source), None) is not None for _, source in sources)


def _places(words: str, source: str) -> Iterator[int]:
    """Where the words stand in a source, from a word's border on."""
    place = source.find(words)
    while 0 <= place < len(source):  # at its end a source has no word
        if place == 0 or not (source[place - 1].isalnum() and source[place].isalnum()):
            yield place
        place = source.find(words, place + 1)


def _whole(words: str, source: str) -> bool:
    """Whether these are words, enough of them or up to a sentence's end, and stand in a source between word borders."""
    if not words or words != words.strip():
        return False
    enough = len(words.split()) >= FEWEST
    for place in _places(words, source):
        end = place + len(words)
        border = end == len(source) or not (source[end - 1].isalnum() and source[end].isalnum())
        if border and (enough or _END.match(source, end)):
            return True
    return False
