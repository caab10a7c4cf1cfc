"""Rows come and go in any order; each row's keys and values stay those that it wrote."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ragraft.backends.generators import slots
from ragraft.backends.generators.slots import Slots

WIDTH = 3


class OneLayer:
    """Stands for a network: writes each row's token as its key, and says what the layer then shows it."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def __call__(
        self, *, input_ids: Any, attention_mask: Any, position_ids: Any, past_key_values: Any, use_cache: bool
    ) -> Any:
        new = input_ids[:, None, :, None].float().expand(-1, 2, -1, WIDTH)
        columns = past_key_values.get_mask_sizes(1, 0)[0]
        keys, values = past_key_values.update(new, -new, 0)
        assert keys.shape[2] == columns == attention_mask.shape[1]
        assert torch.equal(keys, -values)
        self.seen = [row[0, mask.bool(), 0].int().tolist() for row, mask in zip(keys, attention_mask, strict=True)]
        assert [len(row) - 1 for row in self.seen] == position_ids[:, 0].tolist()
        return SimpleNamespace(logits=torch.zeros(len(new), 1, 5))


def empty() -> Slots:
    from transformers import LlamaConfig

    return Slots(LlamaConfig(num_hidden_layers=1, hidden_size=6, num_attention_heads=2, vocab_size=5))


def keys_of(tokens: list[int]) -> Any:
    one = torch.tensor(tokens).float()[None, None, :, None].expand(1, 2, -1, WIDTH)
    return [(one, -one)]


@given(
    actions=st.lists(
        st.one_of(
            st.tuples(st.just("join"), st.integers(1, 12)),
            st.tuples(st.just("step"), st.integers(1, 6)),
            st.tuples(st.just("leave"), st.sets(st.integers(0, 5), max_size=3)),
        ),
        max_size=14,
    ),
    room=st.sampled_from([1, 2, 5, 256]),
)
def test_whoever_comes_and_goes_each_row_keeps_its_own(actions: list[tuple[str, Any]], room: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "ROOM", room)
        under_test, network = empty(), OneLayer()
        rows: list[list[int]] = []
        token = 0
        for action, given_ in actions:
            if action == "join":
                row = list(range(token + 1, token + 1 + given_))
                token += given_
                under_test.join(keys_of(row))
                rows.append(row)
            elif action == "leave":
                gone = sorted(place for place in given_ if place < len(rows))
                order = under_test.leave(gone)
                assert sorted(order) == [place for place in range(len(rows)) if place not in gone]
                rows = [rows[place] for place in order]
            else:
                for _ in range(given_ if rows else 0):
                    new = list(range(token + 1, token + 1 + len(rows)))
                    token += len(rows)
                    logits = under_test.step(network, new)
                    assert len(logits) == len(rows)
                    rows = [[*row, one] for row, one in zip(rows, new, strict=True)]
                    assert network.seen == rows
        assert len(under_test) == len(rows)


def test_the_room_stays_that_of_the_longest_row() -> None:
    under_test, network = empty(), OneLayer()
    under_test.join(keys_of([1] * 100))
    for turn in range(2000):
        under_test.step(network, [turn])
        if turn % 50 == 49:  # another of a hundred takes its place
            under_test.leave([0])
            under_test.join(keys_of([1] * 100))
    assert under_test._layers[0].columns <= 100 + 50 + 2 * slots.ROOM
