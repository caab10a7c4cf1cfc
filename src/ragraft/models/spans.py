"""Runs of tokens in one forward pass, and what each may see: rows, or branches on a shared trunk. Knows positions only.

A pack lays several trees one after another. A tree is a trunk and its branches; a branch sees its trunk and itself, and
its positions go on from the trunk's end, as if it stood there alone. A plain row is a trunk without branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens `start` to `end`, causal among themselves, that also see all of `trunk` (a start and an end)."""

    start: int
    end: int
    trunk: tuple[int, int] = (0, 0)

    @property
    def depth(self) -> int:
        """Positions from the root to the span's end: the length of the row that it stands for."""
        return self.end - self.start + self.trunk[1] - self.trunk[0]


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class QueryBlock:
    """Queries `start` to `end`, the two runs of keys that they see anything of, and which of the second they may."""

    start: int
    end: int
    trunk: tuple[int, int]
    own: int
    """Where the second run of keys begins; it goes to `end`."""
    hidden: torch.Tensor
    """Bool (end - start, end - own): True where a query may not see the key."""


def positions(spans: Spans) -> torch.Tensor:
    """Position ids (1, n): each branch begins where its trunk ended."""
    import torch

    return torch.cat([torch.arange(span.end - span.start) + span.trunk[1] - span.trunk[0] for span in spans])[None]


def visible(spans: Spans, window: int | None = None) -> torch.Tensor:
    """Bool (1, 1, n, n): True where a query may see a key; within a `window` of positions where one is given."""
    import torch

    size = spans[-1].end
    seen = torch.zeros(size, size, dtype=torch.bool)
    for span in spans:
        length = span.end - span.start
        seen[span.start : span.end, span.trunk[0] : span.trunk[1]] = True
        seen[span.start : span.end, span.start : span.end] = torch.ones(length, length, dtype=torch.bool).tril()
    if window is not None:
        places = positions(spans)[0]
        seen &= places[:, None] - places[None, :] < window
    return seen[None, None]


def query_blocks(spans: Spans, size: int, device: torch.device) -> list[QueryBlock]:
    """All queries in blocks of at most `size` rows; a block lies within one trunk, or within the branches on one."""
    import torch

    blocks = []
    for start, end, trunk, runs in _stretches(spans):
        for first in range(start, end, size):
            last = min(first + size, end)
            own = max(run for run in runs if run <= first)
            rows, keys = torch.arange(first, last), torch.arange(own, last)
            borders = torch.tensor(runs)
            # Two tokens stand in the same run when as many runs begin at or before each.
            query_run, key_run = (torch.searchsorted(borders, places, right=True) for places in (rows, keys))
            hidden = (keys[None, :] > rows[:, None]) | (key_run[None, :] != query_run[:, None])
            blocks.append(QueryBlock(first, last, trunk, own, hidden.to(device)))
    return blocks


def _stretches(spans: Spans) -> Iterator[tuple[int, int, tuple[int, int], list[int]]]:
    """Neighbouring spans on the same trunk: where they begin and end, that trunk, and each one's beginning."""
    place = 0
    while place < len(spans):
        trunk = spans[place].trunk
        last = place + 1
        # Rows without a trunk don't see each other: each is a stretch of its own, or keys would be read for nothing.
        while trunk != (0, 0) and last < len(spans) and spans[last].trunk == trunk:
            last += 1
        yield spans[place].start, spans[last - 1].end, trunk, [span.start for span in spans[place:last]]
        place = last


def are_contiguous(spans: Sequence[Span]) -> bool:
    """Whether the spans follow each other without a gap, from token 0."""
    return all(span.start == end for span, end in zip(spans, [0, *(span.end for span in spans)], strict=False))
