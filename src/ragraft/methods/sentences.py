"""Where sentences end, as offsets. Knows punctuation, list items and blank lines; knows no tokens and no headings."""

from __future__ import annotations

import re

_BREAK = re.compile(
    r"""(?P<stop>(?<![.!?…])[.!?…]++["'”’»)\]*_`]*+(?=\s))   # a full stop and what closes after it
      | (?P<wide>[。！？]++[”’」』）]*+)                      # Chinese and Japanese need no space
      | (?P<line>\n[ \t]*+(?=\n|\r|(?:[-*+•]|\d{1,3}[.)])[ \t]))  # a blank line, or a list item below""",
    re.VERBOSE,
)
_WORD_BEFORE = re.compile(r"[^\W\d_](?:[\w.]*\w)?\Z")
_ABBREVIATIONS = frozenset(
    [
        "e.g",
        "i.e",
        "vs",
        "cf",
        "fig",
        "figs",
        "eq",
        "eqs",
        "dr",
        "mr",
        "mrs",
        "ms",
        "prof",
        "al",
        "approx",
        "sec",
        "secs",
        "ch",
        "vol",
        "pp",
        "resp",
        "ca",
        "viz",
        "incl",
    ]
)
_LOOK_BACK = 12


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Spans of the sentences in `text[start:end]`, in order; only whitespace lies between them.

    A rule, not a model: a stop followed by space ends a sentence unless an abbreviation or an initial stands before it
    or a lower-case letter after it; blank lines and list items end one always.
    """
    end = len(text) if end is None else end
    spans = []
    begin = start
    for match in _BREAK.finditer(text, start, end):
        if match["stop"] and not _ends_sentence(text, match.start(), match.end(), end):
            continue
        spans.append(trimmed(text, begin, match.end()))
        begin = match.end()
    spans.append(trimmed(text, begin, end))
    return [span for span in spans if span[0] < span[1]]


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the whitespace at its two ends."""
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip())


def _ends_sentence(text: str, stop: int, after: int, end: int) -> bool:
    follows = text[after : after + _LOOK_BACK].lstrip()[:1] if after < end else ""
    if follows.islower():
        return False
    if text[stop] != ".":
        return True
    word = _WORD_BEFORE.search(text[max(0, stop - _LOOK_BACK) : stop])
    if word is None:
        return True
    initial = len(word[0]) == 1 and word[0].isupper()
    return not initial and word[0].lower() not in _ABBREVIATIONS
