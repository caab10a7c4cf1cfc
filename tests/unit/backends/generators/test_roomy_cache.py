from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.cache_utils import DynamicLayer

from ragraft.backends.generators.roomy_cache import RoomyLayer

STEPS = st.lists(st.one_of(st.integers(1, 3), st.just("keep")), max_size=6)


def filled(layer: RoomyLayer, tensor: torch.Tensor) -> torch.Tensor:
    assert tensor.is_contiguous()
    assert layer.get_mask_sizes(1) == (tensor.shape[2], 0)
    return tensor[:, :, : layer.get_seq_length()]


@given(length=st.integers(1, 5), steps=STEPS)
def test_it_is_a_dynamic_layer(length: int, steps: list[int | str]) -> None:
    """Whatever is appended and whichever rows leave, what is filled of it holds the same."""
    source = torch.Generator().manual_seed(0)
    room = torch.full((4, 2, length + 3 * len(steps), 3), float("nan"))
    room[:, :, :length] = torch.rand(4, 2, length, 3, generator=source)
    plain, roomy = DynamicLayer(), RoomyLayer(room.clone(), -room, length)
    plain.update(room[:, :, :length], -room[:, :, :length])
    rows = 4
    for step in steps:
        if isinstance(step, int):
            new = torch.rand(rows, 2, step, 3, generator=source)
            for expected, found in zip(plain.update(new, -new), roomy.update(new, -new), strict=True):
                assert torch.equal(filled(roomy, found), expected)
        elif rows > 1:
            rows -= 1
            for layer in (plain, roomy):
                layer.batch_select_indices(torch.arange(1, rows + 1))
        assert torch.equal(filled(roomy, roomy.keys), plain.keys)
        assert torch.equal(filled(roomy, roomy.values), plain.values)
        assert roomy.get_seq_length() == plain.get_seq_length()


def test_a_new_token_is_written_in_place() -> None:
    room = torch.zeros(1, 1, 4, 2)
    layer = RoomyLayer(room, room.clone(), 2)
    layer.update(torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1, 2))
    assert layer.keys.data_ptr() == room.data_ptr()
    assert room[0, 0, 2].tolist() == [1.0, 1.0]
