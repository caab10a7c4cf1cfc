"""Exact duplicates, near-duplicates and documents contained in longer ones. Knows texts; knows no files, no settings.

Every share is computed, none is estimated. Candidates come from prefix filtering (Chaudhuri, Ganti and Kaushik 2006,
"A primitive operator for similarity joins in data cleaning"; Bayardo, Ma and Srikant 2007, "Scaling up all pairs
similarity search"): where at least a share t of a document's n shingles stands in another, any n - ceil(t n) + 1 of
them hold a shared one, so it suffices to look up the rarest. That misses no pair, and it is near-linear because a
document's rarest shingles, unlike boilerplate, stand in few others.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5
"""Words in a shingle; a document of fewer words is compared whole."""
# Thai, Lao, Burmese, Khmer, kana and Chinese characters, written without spaces, count as a word each.
UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
# Odd, from a random source: two unequal shingles get the same sum with probability 2**-64.
WEIGHTS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
ENTRIES_PER_COMPARISON = 250
"""Comparing two documents takes about as long as reading so many entries of the postings."""

Kind: TypeAlias = Literal["exact", "near-duplicate", "contained"]
Shingles: TypeAlias = NDArray[np.uint64]
"""A document's distinct shingles as 64-bit sums, ascending."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a text to compare it."""

    digest: bytes
    """Of the text in Unicode's composed form with single spaces."""
    words: int
    shingles: Shingles


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A pair found. Documents are named by their position."""

    document: int
    """The shorter one, or the later of two alike: what can be dropped."""
    other: int
    """The document that holds its text."""
    kind: Kind
    share: float
    """1 for exact; the Jaccard index of the shingles for near-duplicate; the share of its shingles for contained."""
    kept: int
    """The document to keep in its place: never itself a duplicate."""


def fingerprint(text: str, vocabulary: dict[str, int]) -> Fingerprint:
    """Take a text's fingerprint; `vocabulary` numbers the words and must be shared by all texts compared."""
    composed = unicodedata.normalize("NFC", text)
    digest = hashlib.blake2b(" ".join(composed.split()).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    words = WORD.findall(composed.casefold())
    numbers = np.array([vocabulary.setdefault(word, len(vocabulary) + 1) for word in words], dtype=np.uint64)
    count = max(len(words) - SHINGLE + 1, 0)
    sums = np.zeros(count, dtype=np.uint64)
    for place, weight in enumerate(WEIGHTS):
        sums += numbers[place : place + count] * np.uint64(weight)
    return Fingerprint(digest, len(words), np.unique(sums))


def find_duplicates(documents: Sequence[Fingerprint], *, near: float, contained: float) -> list[Duplicate]:
    """Find the documents that others make needless, by position.

    Of equal texts the first counts. The rest are visited from the longest (distinct shingles, then words, then the
    first) and each is compared with all that were kept so far, so whatever is dropped is held, by the share said,
    in a document that stays. `near` is the least Jaccard index of near-duplicates, `contained` the least share of a
    document in one with more shingles; both in (0, 1].
    """
    firsts: dict[bytes, int] = {}
    copies = {}
    for position, document in enumerate(documents):
        first = firsts.setdefault(document.digest, position)
        if first != position:
            copies[position] = first
    found = _find_held(documents, list(firsts.values()), near, contained)
    for position, first in copies.items():
        kept = found[first][0].kept if first in found else first
        found[position] = [Duplicate(position, first, "exact", 1.0, kept)]
    return [row for position in sorted(found) for row in found[position]]


def _find_held(
    documents: Sequence[Fingerprint], positions: Sequence[int], near: float, contained: float
) -> dict[int, list[Duplicate]]:
    """Near-duplicate and contained documents among those at `positions`, which are unequal."""
    shingled = [position for position in positions if documents[position].shingles.size]
    order = sorted(shingled, key=lambda p: (-documents[p].shingles.size, -documents[p].words, p))
    postings = _Postings([documents[position].shingles for position in order])
    found = {}
    for rank, position in enumerate(order):
        size = documents[position].shingles.size
        held = [
            (shared, order[other], verdict)
            for other, shared in postings.overlaps(rank, min(near, contained))
            if (verdict := _judge(shared, size, documents[order[other]].shingles.size, near=near, contained=contained))
        ]
        if held:
            # The one that holds most of it; of several, max takes the first, which is the longest.
            kept = max(held, key=lambda pair: pair[0])[1]
            found[position] = [Duplicate(position, other, *verdict, kept) for _, other, verdict in held]
        else:
            postings.keep(rank)
    return found


def _judge(shared: int, size: int, longer: int, *, near: float, contained: float) -> tuple[Kind, float] | None:
    jaccard = shared / (size + longer - shared)
    if jaccard >= near:
        return "near-duplicate", jaccard
    if longer > size and shared / size >= contained:
        return "contained", shared / size
    return None


class _Postings:
    """Which kept documents hold a shingle; documents are named by their rank in the list given, longest first."""

    def __init__(self, shingles: Sequence[Shingles]) -> None:
        self._shingles = shingles
        self._ends = np.cumsum([part.size for part in shingles], dtype=np.int64)
        flat = np.concatenate([*shingles, np.empty(0, dtype=np.uint64)])
        order = np.argsort(flat, kind="stable")
        flat = flat[order]
        first = np.ones(flat.size, dtype=np.bool_)
        first[1:] = flat[1:] != flat[:-1]
        self._numbers = np.empty(flat.size, dtype=np.int32)
        self._numbers[order] = np.cumsum(first, dtype=np.int32) - 1
        # The first lengths[n] places from begins[n] on in `holders` are taken, by the documents that hold shingle n.
        self._begins = np.flatnonzero(first)
        self._lengths = np.zeros(self._begins.size, dtype=np.int64)
        self._holders = np.empty(flat.size, dtype=np.int32)

    def keep(self, rank: int) -> None:
        """Let later documents be compared with this one."""
        numbers = self._numbers_of(rank)
        self._holders[self._begins[numbers] + self._lengths[numbers]] = rank
        self._lengths[numbers] += 1

    def overlaps(self, rank: int, least: float) -> Iterator[tuple[int, int]]:
        """Kept documents that may hold the share `least` of this one, by rank, with the number of shingles shared.

        Who holds the share lacks at most `spare` shingles, and so holds n of any spare + n. Where the rarest
        spare + 1 leave too many to compare one by one, more shingles are looked up and more must be held.
        """
        own = self._shingles[rank]
        numbers = self._numbers_of(rank)
        lengths = self._lengths[numbers]
        order = np.argsort(lengths, kind="stable")
        numbers, lengths = numbers[order], lengths[order]
        # The small number takes back what rounding may have added to the product.
        spare = own.size - math.ceil(least * own.size - 1e-9)
        read = spare + 1
        others, shared = _times(self._holding(numbers[:read]), rank)
        while read < own.size and others.size * ENTRIES_PER_COMPARISON > lengths[read : 2 * read].sum():
            more = np.bincount(self._holding(numbers[read : 2 * read]), minlength=rank)
            read = min(2 * read, own.size)
            shared = shared + more[others]
            enough = shared >= read - spare
            others, shared = others[enough], shared[enough]
        for other, count in zip(others.tolist(), shared.tolist(), strict=True):
            whole = read == own.size
            yield other, count if whole else np.intersect1d(own, self._shingles[other], assume_unique=True).size

    def _numbers_of(self, rank: int) -> NDArray[np.int32]:
        return self._numbers[self._ends[rank] - self._shingles[rank].size : self._ends[rank]]

    def _holding(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """The kept documents that hold these shingles, once for each."""
        lengths = self._lengths[numbers]
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(self._begins[numbers] - ends + lengths, lengths)
        holding: NDArray[np.int32] = self._holders[places]
        return holding


def _times(ranks: NDArray[np.int32], past: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ranks that occur, all below `past`, and how often each does."""
    if 8 * ranks.size < past:  # few: sorting them is quicker than going over all that there are
        few, times = np.unique(ranks, return_counts=True)
        return few.astype(np.int64), times.astype(np.int64)
    counts = np.bincount(ranks)
    found = np.flatnonzero(counts)
    return found.astype(np.int64), counts[found].astype(np.int64)
