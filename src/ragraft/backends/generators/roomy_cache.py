"""Keys and values with room to grow: a decoding step writes its token in place instead of copying the whole cache.

Attention gets the whole tensors, whose empty columns the mask hides: torch's bf16 products copy a part of a tensor
before they begin, which costs more than the product itself. Knows tensors only.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """A layer's cache over tensors of shape (rows, groups, capacity, width), filled up to `length`, else finite."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._length = length

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new tokens; both tensors whole."""
        start, self._length = self._length, self._length + key_states.shape[2]
        self.keys[:, :, start : self._length] = key_states
        self.values[:, :, start : self._length] = value_states
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """How many columns are filled."""
        return self._length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """A mask spans all columns; a query sees none behind its own."""
        return self.keys.shape[2], 0
