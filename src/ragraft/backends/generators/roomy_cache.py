"""Keys and values with room to grow: a decoding step writes its token in place instead of copying the whole cache.

Knows tensors only.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """A layer's cache over tensors of shape (rows, groups, capacity, width), filled up to `length`."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self._all_keys, self._all_values = keys, values
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._fill(length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new tokens; the filled part of both tensors."""
        start, end = self._length, self._length + key_states.shape[2]
        self._all_keys[:, :, start:end] = key_states
        self._all_values[:, :, start:end] = value_states
        self._fill(end)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows."""
        self._all_keys, self._all_values = self._all_keys[indices], self._all_values[indices]
        self._fill(self._length)

    def _fill(self, length: int) -> None:
        self._length = length
        self.keys, self.values = self._all_keys[:, :, :length], self._all_values[:, :, :length]
