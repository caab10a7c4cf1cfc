"""Keys and values of rows that come and go while others are being decoded. Knows tensors only.

All rows end at one column, wherever they begin, so that a step writes one column for all of them; a row that comes or
goes moves nobody else's keys, but for one that takes the place of a row that went. Attention gets all columns, and a
mask hides the empty ones: torch's bf16 products copy a part of a tensor before they begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from ragraft.models.attention import KeysValues

ROOM = 256
"""Columns by which the tensors grow; once in so many steps the rows are moved back to the left."""


class Slots:
    """Rows under decoding, each in a slot; `places` of rows are their slots, from 0 without gaps."""

    def __init__(self, config: Any) -> None:
        self._cache = DynamicCache(config=config)
        self._layers = [_SlotLayer(self) for _ in self._cache.layers]
        self._cache.layers = self._layers
        self._starts: list[int] = []
        """The column at which each row begins."""
        self.end = 0
        """The column after the last one that is filled."""

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def low(self) -> int:
        """The first column that any row fills."""
        return min(self._starts, default=self.end)

    def join(self, layers: Sequence[KeysValues]) -> None:
        """Take in a row, read by itself: its keys and values (1, groups, n, width) of each layer."""
        length = layers[0][0].shape[2]
        if not self._starts:
            self.end = 0
            for layer in self._layers:
                layer.free()
        if length > self.end:
            self._move(length)
        place, start = len(self), self.end - length
        for layer, own in zip(self._layers, layers, strict=True):
            layer.reserve(own, rows=place + 1, columns=self.end + 1)
            layer.put(own, place, start)
        self._starts.append(start)

    def leave(self, gone: Sequence[int]) -> list[int]:
        """Free these places; which of the old places stands in each of those that are left."""
        order = list(range(len(self)))
        left = len(order) - len(gone)
        holes = sorted(place for place in gone if place < left)
        movers = [place for place in range(left, len(order)) if place not in gone]
        for hole, mover in zip(holes, movers, strict=True):
            for layer in self._layers:
                layer.copy(mover, hole)
            order[hole] = mover
        self._starts = [self._starts[place] for place in order[:left]]
        return order[:left]

    def step(self, network: Any, tokens: Sequence[int]) -> Any:
        """Read the next token of every row; logits (rows, vocabulary)."""
        if self.end >= self._layers[0].columns and self.low >= ROOM // 2:  # else little would be won: they grow
            self._move(self.end - self.low)
        for layer in self._layers:
            layer.widen(self.end + 1)
        device = network.device
        starts = torch.tensor(self._starts, device=device)[:, None]
        columns = torch.arange(self._layers[0].columns, device=device)[None, :]
        logits = network(
            input_ids=torch.tensor(tokens, device=device)[:, None],
            attention_mask=((columns >= starts) & (columns <= self.end)).long(),
            position_ids=self.end - starts,
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]
        self.end += 1
        return logits

    def _move(self, end: int) -> None:
        """Shift all rows, so that they end at this column."""
        for layer in self._layers:
            layer.shift(end)
        by = end - self.end
        self._starts = [start + by for start in self._starts]
        self.end = end


class _SlotLayer(DynamicLayer):
    """One layer's tensors (slots, groups, columns, width), finite where they are empty."""

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self._slots = slots
        self._tensors: tuple[torch.Tensor, ...] = ()

    @property
    def columns(self) -> int:
        """How many columns there is room for."""
        return int(self._tensors[0].shape[2]) if self._tensors else 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the rows' new column, which is filled once all layers have written it; the rows with all columns."""
        rows, end = len(self._slots), self._slots.end
        for whole, new in zip(self._tensors, (key_states, value_states), strict=True):
            whole[:rows, :, end : end + 1] = new
        keys, values = (whole[:rows] for whole in self._tensors)
        return keys, values

    def get_seq_length(self) -> int:
        """The column that is written next."""
        return self._slots.end

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """A mask spans all columns."""
        return self.columns, 0

    def free(self) -> None:
        """Give back what no row needs any more."""
        self._tensors = ()

    def reserve(self, like: KeysValues, *, rows: int, columns: int) -> None:
        """Have room for so many rows and columns of tensors like these."""
        if not self._tensors:
            self._tensors = tuple(one.new_zeros(0, one.shape[1], 0, one.shape[3]) for one in like)
            self.dtype, self.device, self.is_initialized = like[0].dtype, like[0].device, True
        slots = self._tensors[0].shape[0]
        if rows > slots or columns > self.columns:
            # Doubled, so that a burst of rows does not copy what is there again and again.
            self._grow(slots if rows <= slots else max(rows, 2 * slots), columns)

    def widen(self, columns: int) -> None:
        """Have room for so many columns."""
        if columns > self.columns:
            self._grow(self._tensors[0].shape[0], columns)

    def put(self, own: KeysValues, place: int, start: int) -> None:
        """Write a whole row."""
        for whole, one in zip(self._tensors, own, strict=True):
            whole[place, :, start : start + one.shape[2]] = one[0]

    def copy(self, source: int, target: int) -> None:
        """Write one slot's row into another."""
        low, end = self._slots.low, self._slots.end
        for whole in self._tensors:
            whole[target, :, low:end] = whole[source, :, low:end]

    def shift(self, end: int) -> None:
        """Move what is filled so that it ends at this column."""
        rows, low, old = len(self._slots), self._slots.low, self._slots.end
        if not rows:
            return
        self.widen(end)
        for whole in self._tensors:
            whole[:rows, :, end - (old - low) : end] = whole[:rows, :, low:old].clone()

    def _grow(self, slots: int, columns: int) -> None:
        columns = columns if columns <= self.columns else columns + ROOM
        columns = max(columns, self.columns)
        grown = []
        for whole in self._tensors:
            new = whole.new_zeros(slots, whole.shape[1], columns, whole.shape[3])
            new[: whole.shape[0], :, : whole.shape[2]] = whole
            grown.append(new)
        self._tensors = tuple(grown)
