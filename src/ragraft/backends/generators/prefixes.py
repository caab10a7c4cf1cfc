"""Prompts that were read lately, with their keys and values: what a new prompt begins with alike is not read again.

The system text is shared by all, documents by those that ask about the same ones. Knows token ids and tensors only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.models.attention import KeysValues

SHORTEST = 16
"""Fewer tokens are read again rather than looked up."""
BYTES = 512 * 2**20
"""Of keys and values kept."""


@dataclass(frozen=True, slots=True)
class Read:
    """A prompt's tokens and what the layers made of them."""

    ids: tuple[int, ...]
    layers: tuple[KeysValues, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(tensor.numel() * tensor.element_size() for pair in self.layers for tensor in pair)


class Prefixes:
    """The prompts read last, as many as fit; the one that helped longest ago goes first."""

    def __init__(self, most: int = BYTES) -> None:
        self._most = most
        self._kept: list[Read] = []

    def find(self, ids: Sequence[int]) -> tuple[KeysValues, ...]:
        """Keys and values of the longest known beginning, never of the whole: its last token is still to be read."""
        common, best = max(((_common(ids, read.ids), place) for place, read in enumerate(self._kept)), default=(0, 0))
        common = min(common, len(ids) - 1)
        if common < SHORTEST:
            return ()
        read = self._kept.pop(best)
        self._kept.append(read)
        return tuple((keys[:, :, :common], values[:, :, :common]) for keys, values in read.layers)

    def keep(self, ids: Sequence[int], layers: Sequence[KeysValues]) -> None:
        """Keep a prompt that was read whole; one that another one begins with is no longer needed."""
        new = Read(tuple(ids), tuple(layers))
        self._kept = [read for read in self._kept if _common(ids, read.ids) < len(read.ids)]
        self._kept.append(new)
        while self._kept and sum(read.size for read in self._kept) > self._most:
            self._kept.pop(0)


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    limit = min(len(left), len(right))
    if tuple(left[:limit]) == tuple(right[:limit]):
        return limit
    return next(place for place in range(limit) if left[place] != right[place])
