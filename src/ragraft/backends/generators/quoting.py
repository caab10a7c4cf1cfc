"""Whether a text that is still being written quotes only what stands in its sources. Knows texts; knows no tokens.

A quotation that opens a line below the first is copied from a source, from one word's border to another's, and the
number in brackets behind it is the number of a source that holds it. Where sources hold what the first line says behind
its colon, only those are quoted. All else is free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

QUOTE = '"'
# So far an open quotation's continuation is looked ahead.
AHEAD = 40
_OPENING = re.compile(r"\n[ \t]*\"")
_SAID = re.compile(r"[^\n:]*:[ \t]*([^\n]*\w)")

Numbered = Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Quoting:
    """What may be written under these sources."""

    sources: tuple[str, ...]

    def allows(self, text: str) -> bool:
        """Whether a text could still become one that quotes only its sources."""
        found = _OPENING.search(text)
        return found is None or _open(text[found.end() :], self._quotable(text))

    def ends(self, text: str) -> bool:
        """Whether a text may end here: no quotation is left open, or without its number."""
        found = _OPENING.search(text)
        return found is None or _closed(text[found.end() :], self._quotable(text))

    def onward(self, text: str) -> list[str]:
        """What could stand next in an open quotation: its source's own words, or its end."""
        found = _OPENING.search(text)
        quotable = self._quotable(text)
        begun = _unfinished(text[found.end() :], quotable) if found else None
        if begun is None:
            return []
        places = [(source, place) for _, source in quotable for place in _places(begun, source)]
        further = [source[place + len(begun) : place + len(begun) + AHEAD] for source, place in places]
        return [*dict.fromkeys(words for words in further if words), f"{QUOTE} ["]

    def _quotable(self, text: str) -> Numbered:
        """The sources that hold what the first line says; all where none does."""
        numbered = list(enumerate(self.sources, 1))
        said = _SAID.match(text)
        holding = [(n, source) for n, source in numbered if said and said[1].casefold() in source.casefold()]
        return holding or numbered


def _open(rest: str, sources: Numbered) -> bool:
    """`rest` stands behind an opening mark: a source's words so far, or a closed quotation and what may follow."""
    if _stands(rest, sources):
        return True
    return any(_follows(rest[end + 1 :], numbers, sources) for end, numbers in _ends_of(rest, sources))


def _follows(behind: str, numbers: Sequence[int], sources: Numbered) -> bool:
    """Whether this may stand behind a quotation of the sources with these numbers."""
    for mark in (f" [{number}]" for number in numbers):
        if mark.startswith(behind):
            return True
        if behind.startswith(mark):
            more = behind[len(mark) :].lstrip(" ")
            return not more.startswith(QUOTE) or _open(more[1:], sources)
    return False


def _closed(rest: str, sources: Numbered) -> bool:
    """Whether the quotation that `rest` stands in, and each behind it, is whole and has its number."""
    for end, numbers in _ends_of(rest, sources):
        behind = rest[end + 1 :]
        cited = next((f" [{n}]" for n in numbers if behind.startswith(f" [{n}]")), None)
        if cited is not None:
            more = behind[len(cited) :].lstrip()
            if not more.startswith(QUOTE) or _closed(more[1:], sources):
                return True
    return False


def _unfinished(rest: str, sources: Numbered) -> str | None:
    """The words of the last quotation, if it is still open."""
    if _stands(rest, sources):
        return rest
    for end, numbers in _ends_of(rest, sources):
        behind = rest[end + 1 :]
        for mark in (f" [{n}]" for n in numbers):
            more = behind[len(mark) :].lstrip(" ")
            if behind.startswith(mark) and more.startswith(QUOTE):
                return _unfinished(more[1:], sources)
    return None


def _ends_of(rest: str, sources: Numbered) -> Iterator[tuple[int, list[int]]]:
    """Each mark that may close the quotation, and the numbers of the sources that hold it."""
    for found in re.finditer(QUOTE, rest):
        numbers = [number for number, source in sources if _whole(rest[: found.start()], source)]
        if numbers:
            yield found.start(), numbers


def _stands(words: str, sources: Numbered) -> bool:
    return any(next(_places(words, source), None) is not None for _, source in sources)


def _places(words: str, source: str) -> Iterator[int]:
    """Where the words stand in a source, from a word's border on."""
    place = source.find(words)
    while place >= 0:
        if place == 0 or not (source[place - 1].isalnum() and source[place].isalnum()):
            yield place
        place = source.find(words, place + 1)


def _whole(words: str, source: str) -> bool:
    """Whether these are words, and stand in a source from one word's border to another's."""
    if not words or words != words.strip():
        return False
    for place in _places(words, source):
        end = place + len(words)
        if end == len(source) or not (source[end - 1].isalnum() and source[end].isalnum()):
            return True
    return False
