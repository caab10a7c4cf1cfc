"""Find questions that ask the same. Knows wording and evidence; knows neither sides' purpose nor files.

Two questions are the same when their normalised texts are equal, or when at least nine tenths of their words agree
(Jaccard, found exactly by prefix filtering: Chaudhuri et al. 2006), their numbers, identifiers, names, signs and
quoted terms are identical and they have the same evidence.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.containment import words
from ragraft.records import Side

NEAR_TENTHS = 9
"""Tenths of the words that near-equal questions share."""

_SIGNS = r"[^\w\s,.;:?!'`\"()\u201c\u201d\u2018\u2019-]+"
_TERMS = re.compile(rf"\w+|{_SIGNS}")
_QUOTED = re.compile(r"`([^`]+)`|\"([^\"]+)\"|\u201c([^\u201d]+)\u201d|(?<!\w)['\u2018]([^'\u2019]+)['\u2019](?!\w)")
_NUMBER = r"[-\u2212+]?[\w./:-]*\d[\w./:,%-]*"
_FLAG = r"--?\w[\w.-]*"
_NAME = r"\w+(?:[._/:-]\w+)+|\w*_\w*|\w*[a-z][A-Z]\w*|[A-Z]{2,}\w*"
_PROPER = r"(?<=\s)[A-Z]\w*"
_EXACT = re.compile(f"{_NUMBER}|{_FLAG}|{_NAME}|{_PROPER}|{_SIGNS}")
_RANK: dict[Side, int] = {"exam": 0, "calibration": 1, "validation": 2, "train": 3}


@dataclass(frozen=True, slots=True)
class Wording:
    """A question as far as sameness goes."""

    id: str
    text: str
    evidence: frozenset[str] = frozenset()
    """Ids of its evidence documents, or of its given context when it has no answer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One question asked on two sides."""

    kept: str
    """On the side nearer the exam."""
    other: str


def normalised(text: str) -> str:
    """The question's words and signs (`==`, `**`), case folded, without its punctuation."""
    return " ".join(_TERMS.findall(unicodedata.normalize("NFKC", text).casefold()))


def exact_terms(text: str) -> frozenset[str]:
    """Numbers, identifiers, names, signs and quoted terms: what makes two alike questions different ones."""
    text = unicodedata.normalize("NFKC", text)
    quoted = {term for match in _QUOTED.finditer(text) for term in match.groups() if term}
    found = {match.group().rstrip(".,:;?!-") for match in _EXACT.finditer(text)}
    return frozenset(term.casefold() for term in quoted | found if term)


def same_groups(questions: Sequence[Wording]) -> list[tuple[str, ...]]:
    """Groups of two or more questions that ask the same, each in the order given; sameness is carried along chains."""
    group = list(range(len(questions)))

    def root(row: int) -> int:
        while group[row] != row:
            group[row] = group[group[row]]
            row = group[row]
        return row

    for a, b in _same_rows(questions):
        first, second = sorted((root(a), root(b)))
        group[second] = first
    members: dict[int, list[str]] = {}
    for row, question in enumerate(questions):
        members.setdefault(root(row), []).append(question.id)
    return [tuple(ids) for ids in members.values() if len(ids) > 1]


def across_sides(groups: Sequence[Sequence[str]], sides: Mapping[str, Side]) -> list[Pair]:
    """Of each group, the first question on the side nearest the exam, paired with each on another side."""
    pairs = []
    for ids in groups:
        kept = min(ids, key=lambda name: _RANK[sides[name]])
        pairs += [Pair(kept, name) for name in ids if sides[name] != sides[kept]]
    return pairs


def _same_rows(questions: Sequence[Wording]) -> Iterator[tuple[int, int]]:
    by_text: dict[str, int] = {}
    alike: dict[tuple[frozenset[str], frozenset[str]], list[int]] = {}
    for row, question in enumerate(questions):
        first = by_text.setdefault(normalised(question.text), row)
        if first != row:
            yield first, row
        alike.setdefault((question.evidence, exact_terms(question.text)), []).append(row)
    for rows in alike.values():
        yield from _near_rows(rows, [frozenset(words(questions[row].text)) for row in rows])


def _near_rows(rows: Sequence[int], bags: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose bags agree by nine tenths; bags that share none of their rarest words cannot."""
    spread = Counter(word for bag in bags for word in bag)
    seen: dict[str, list[int]] = {}
    for place, bag in enumerate(bags):
        rarest = sorted(bag, key=lambda word: (spread[word], word))
        prefix = rarest[: len(bag) - _tenths(len(bag)) + 1]
        candidates = {other for word in prefix for other in seen.get(word, ())}
        for other in sorted(candidates):
            if len(bag & bags[other]) * 10 >= NEAR_TENTHS * len(bag | bags[other]):
                yield rows[other], rows[place]
        for word in prefix:
            seen.setdefault(word, []).append(place)


def _tenths(size: int) -> int:
    """Fewest words that a bag of this size must share."""
    return (NEAR_TENTHS * size + 9) // 10
