from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.deck import Deck

SIZES = st.lists(st.integers(1, 60), max_size=30)


@given(sizes=SIZES, wanted=st.floats(0, 2000), seed=st.sampled_from(["0", "1"]))
def test_what_is_drawn_is_half_a_row_off_at_most_unless_all_were_drawn(
    sizes: list[int], wanted: float, seed: str
) -> None:
    deck = Deck(list(enumerate(sizes)), lambda row: row[1], seed)
    assert deck.total == sum(sizes)
    for _ in range(3):
        drawn = deck.take(wanted)
        assert len(set(drawn)) == len(drawn)
        off = sum(size for _, size in drawn) - wanted
        assert off <= max(sizes, default=0) / 2
        assert len(drawn) == len(sizes) or off >= -max(sizes) / 2


def test_other_rows_come_with_each_draw_while_there_are_any() -> None:
    deck = Deck(list(range(12)), lambda row: 10, "0")
    first, second, third = (deck.take(60) for _ in range(3))
    assert sorted([*first, *second]) == list(range(12))
    assert third == first
    assert first == Deck(list(range(12)), lambda row: 10, "0").take(60)
    assert first != Deck(list(range(12)), lambda row: 10, "1").take(60)
