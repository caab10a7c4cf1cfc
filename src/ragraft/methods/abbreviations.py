"""Find what abbreviations stand for, where a text says so: `human immunodeficiency virus (HIV)`. Knows letters only.

After Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in biomedical text" (PSB 2003).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SHORT = re.compile(r"\(([A-Za-z][\w./-]{1,9}?)s?\)")
_WORD = re.compile(r"\S+")
FEWEST_CAPITALS = 2
SMALL_WORD = 3
"""Letters of a word that an abbreviation may leave out: `of`, `and`."""
MOST_WORDS = 5
"""Words of the long form beyond the letters of the short one."""


def abbreviations(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each short form in brackets with the span of the long form before it."""
    for found in _SHORT.finditer(text):
        short = found[1]
        if sum(letter.isupper() for letter in short) < FEWEST_CAPITALS:
            continue
        span = _long_form(text, short, found.start())
        if span:
            yield short, span


def _long_form(text: str, short: str, bracket: int) -> tuple[int, int] | None:
    """The shortest stretch before the bracket whose letters hold the short form's, the first one at a word's start."""
    end = len(text[:bracket].rstrip())
    letters = [letter.lower() for letter in short if letter.isalnum()]
    words = list(_WORD.finditer(text, 0, end))[-min(len(letters) + MOST_WORDS, 2 * len(letters)) :]
    if not words:
        return None
    initials = _by_initials(words, letters)
    if initials is not None:
        return initials, end
    place = end
    for index in range(len(letters) - 1, -1, -1):
        place -= 1
        while place >= words[0].start() and not _fits(text, place, letters[index], first=index == 0):
            place -= 1
        if place < words[0].start():
            return None
    long = text[place:end]
    telling = len(long.split()) > 1 and short not in long and not re.search(r"[()\[\];:?!]|[.,] ", long)
    return (place, end) if telling and len(long) > len(short) + 2 else None


def _by_initials(words: Sequence[re.Match[str]], letters: Sequence[str]) -> int | None:
    """Where the last words begin whose initials are the short form's letters, small words in between not counted."""
    left = list(letters)
    for word in reversed(words):
        initials = [part[0].lower() for part in word[0].split("-") if part]
        if initials and initials == left[-len(initials) :]:
            del left[-len(initials) :]
        elif not word[0].islower() or len(word[0]) > SMALL_WORD:
            return None
        if not left:
            return word.start()
    return None


def _fits(text: str, place: int, letter: str, *, first: bool) -> bool:
    if text[place].lower() != letter:
        return False
    return not first or place == 0 or not text[place - 1].isalnum()
