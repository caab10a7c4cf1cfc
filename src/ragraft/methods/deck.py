"""Rows drawn in turn, by a measure of their own: other rows with each draw as long as there are any. Knows no row."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Deck(Generic[T]):
    """A shuffled deck; what was drawn goes below the rest."""

    def __init__(self, rows: Sequence[T], size: Callable[[T], int], seed: str) -> None:
        drawn = random.Random(seed).sample(rows, len(rows))
        self._rows = [(row, size(row)) for row in drawn]
        self.total = sum(measure for _, measure in self._rows)
        """The measure of all rows together."""

    def take(self, wanted: float) -> list[T]:
        """Rows that together measure as near to `wanted` as drawing in turn can bring it, each at most once.

        A row is passed over where the sum would be nearer without it, so that half of a row is the most it is off,
        unless there are too few.
        """
        taken: list[tuple[T, int]] = []
        left: list[tuple[T, int]] = []
        total = 0
        for row in self._rows:
            if total + row[1] / 2 <= wanted:
                taken.append(row)
                total += row[1]
            else:
                left.append(row)
        self._rows = [*left, *taken]
        return [row for row, _ in taken]
