"""The sentences of a text that are whole and prose, each flattened to one line. Knows blocks and punctuation only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ragraft.methods.outline import blocks
from ragraft.methods.sentences import sentence_spans

FEWEST_WORDS, MOST_WORDS = 5, 50

_NUMBERING = re.compile(r"(?:[-*•+]|\(?[a-z\d]{1,3}[.)]|\d+(?:\.\d+)+\.?)\s+(?=\S)")
_SCRAP = re.compile(r"[|{}<>=\\]|https?:|\.\.\.|::|_{3,}|\[\s*\*|\$\$|^\W*$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence flattened to one line, without its full stop, and where each of its characters stands in the text."""

    text: str
    places: tuple[int, ...]
    span: tuple[int, int]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of the flat text as a span of the text."""
        return self.places[start], self.places[end - 1] + 1


def prose_sentences(text: str) -> Iterator[Sentence]:
    """The sentences that are whole and prose: no code, no tables, no headings, no scraps."""
    for block in blocks(text):
        if block.kind != "text":
            continue
        for start, end in sentence_spans(text, block.start, block.end):
            numbering = _NUMBERING.match(text, start, end)
            begin = numbering.end() if numbering else start
            sentence = _flattened(text, begin, end)
            if sentence and _is_prose(text[begin:end], sentence.text):
                yield sentence


def is_closed(text: str) -> bool:
    """Whether brackets and quotation marks come in pairs."""
    pairs = (("(", ")"), ("[", "]"), ("“", "”"))
    return all(text.count(a) == text.count(b) for a, b in pairs) and not text.count('"') % 2 and not text.count("`") % 2


def _flattened(text: str, start: int, end: int) -> Sentence | None:
    letters: list[str] = []
    places: list[int] = []
    for place in range(start, end):
        letter = " " if text[place].isspace() else text[place]
        if letter != " " or (letters and letters[-1] != " "):
            letters.append(letter)
            places.append(place)
    while letters and letters[-1] in ". ":
        letters.pop()
        places.pop()
    return Sentence("".join(letters), tuple(places), (start, end)) if letters else None


def _is_prose(raw: str, flat: str) -> bool:
    size = len(flat.split())
    whole = raw.rstrip("\"'”’*_)").endswith(".") and (flat[0].isupper() or flat[0] in "\"“`*'_(" or flat[0].isdigit())
    return whole and FEWEST_WORDS <= size <= MOST_WORDS and not _SCRAP.search(flat) and "\n\n" not in raw
