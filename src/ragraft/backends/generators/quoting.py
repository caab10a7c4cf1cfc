"""Whether a text that is still being written quotes only what stands in its sources. Knows texts; knows no tokens.

A quotation that opens a line below the first is copied from a source, from one word's border to another's, and the
number in brackets behind it is the number of a source that holds it. All else is free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

QUOTE = '"'
# Further than this from an open quotation's beginning no continuation is looked for.
AHEAD = 40
_OPENING = re.compile(r"\n[ \t]*\"")


@dataclass(frozen=True, slots=True)
class Quoting:
    """What may be written under these sources."""

    sources: tuple[str, ...]

    def allows(self, text: str) -> bool:
        """Whether a text could still become one that quotes only its sources."""
        found = _OPENING.search(text)
        return found is None or self._open(text[found.end() :])

    def ends(self, text: str) -> bool:
        """Whether a text that quotes may end here: no quotation is left open."""
        found = _OPENING.search(text)
        return found is None or self._closed(text[found.end() :])

    def onward(self, text: str) -> list[str]:
        """What could stand next in an open quotation: its end, or its source's own words."""
        found = _OPENING.search(text)
        begun = self._unfinished(text[found.end() :]) if found else None
        if begun is None:
            return []
        places = [(source, place) for source in self.sources for place in _places(begun, source)]
        further = [source[place + len(begun) : place + len(begun) + AHEAD] for source, place in places]
        return [*dict.fromkeys(words for words in further if words), f"{QUOTE} ["]

    def _stands(self, words: str) -> bool:
        return any(next(_places(words, source), None) is not None for source in self.sources)

    def _open(self, rest: str) -> bool:
        """`rest` stands behind an opening mark: a source's words so far, or a closed quotation and what may follow."""
        if self._stands(rest):
            return True
        return any(self._follows(rest[end + 1 :], numbers) for end, numbers in self._ends_of(rest))

    def _closed(self, rest: str) -> bool:
        for end, numbers in self._ends_of(rest):
            behind = rest[end + 1 :]
            cited = next((f" [{n}]" for n in numbers if behind.startswith(f" [{n}]")), None)
            if cited is None:
                continue
            more = behind[len(cited) :].lstrip()
            if not more.startswith(QUOTE) or self._closed(more[1:]):
                return True
        return False

    def _follows(self, behind: str, numbers: Sequence[int]) -> bool:
        """Whether this may stand behind a quotation of the sources with these numbers."""
        for mark in (f" [{number}]" for number in numbers):
            if mark.startswith(behind):
                return True
            if behind.startswith(mark):
                more = behind[len(mark) :].lstrip(" ")
                return not more.startswith(QUOTE) or self._open(more[1:])
        return False

    def _ends_of(self, rest: str) -> Iterator[tuple[int, list[int]]]:
        """Each mark that may close the quotation, and the numbers of the sources that hold it."""
        for found in re.finditer(QUOTE, rest):
            quoted = rest[: found.start()]
            numbers = [n for n, source in enumerate(self.sources, 1) if _whole(quoted, source)]
            if numbers:
                yield found.start(), numbers

    def _unfinished(self, rest: str) -> str | None:
        """The words of the last quotation, if it is still open."""
        if self._stands(rest):
            return rest
        for end, numbers in self._ends_of(rest):
            behind = rest[end + 1 :]
            for mark in (f" [{n}]" for n in numbers):
                more = behind[len(mark) :].lstrip(" ")
                if behind.startswith(mark) and more.startswith(QUOTE):
                    return self._unfinished(more[1:])
        return None


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
