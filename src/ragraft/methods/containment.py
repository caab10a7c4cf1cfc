"""Which passages hold an answer, and whether that says anything. Knows words; knows nothing of questions or sides.

Containment counts only for answers of at least two content words or six characters that stand in under one
percent of the passages: "yes", "7" or a name that is everywhere point nowhere.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence

TELLING_WORDS = 2
TELLING_CHARACTERS = 6
COMMON_SHARE = 0.01
COPIES = 2
"""In a small collection one percent is less than one passage; a passage and its copy still count there."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")

_FUNCTION_WORDS = """
    a an and are as at be been but by can did do does for from had has have he her his how i if in into is it its
    may no nor not of on or our s she should so such t than that the their them then there these they this those to
    was we were what when where which who whom whose why will with would yes you your
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())


def words(text: str) -> list[str]:
    """The words of a text, case and width folded; where a script has no spaces, each sign is a word."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def content_words(text: str) -> list[str]:
    """The words that are not function words."""
    return [word for word in words(text) if word not in STOP_WORDS]


def is_telling(answer: str) -> bool:
    """Whether an answer is long enough to point anywhere."""
    content = content_words(answer)
    return len(content) >= TELLING_WORDS or len("".join(content)) >= TELLING_CHARACTERS


def holds(text: str, answer: str) -> bool:
    """Whether a text holds the answer's words, in their order and without a gap."""
    wanted = words(answer)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words(text))} "


class Containment:
    """Looks answers up in a fixed list of passages, by row number."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: list[str] = []
        self._rows: dict[str, array[int]] = {}
        for row, text in enumerate(texts):
            found = words(text)
            self._texts.append(f" {' '.join(found)} ")
            for word in dict.fromkeys(found):
                self._rows.setdefault(word, array("I")).append(row)

    def holding(self, answer: str) -> list[int]:
        """Rows whose text holds the answer's words, in their order and without a gap."""
        wanted = words(answer)
        if not wanted or any(word not in self._rows for word in wanted):
            return []
        rarest = min(wanted, key=lambda word: (len(self._rows[word]), word))
        phrase = f" {' '.join(wanted)} "
        return [row for row in self._rows[rarest] if phrase in self._texts[row]]

    def counts(self, answer: str) -> bool:
        """Whether holding this answer says that a passage is about it."""
        common = max(COPIES + 1, COMMON_SHARE * len(self._texts))
        return is_telling(answer) and len(self.holding(answer)) < common

    def ranked(self, query: str, rows: Sequence[int]) -> list[int]:
        """`rows`, those that share the most and the rarest content words with the query first; ties by row."""
        weights = {
            word: math.log(1 + len(self._texts) / len(self._rows[word]))
            for word in sorted(set(content_words(query)))
            if word in self._rows
        }

        def score(row: int) -> float:
            return sum(weight for word, weight in weights.items() if f" {word} " in self._texts[row])

        return sorted(rows, key=lambda row: (-score(row), row))
