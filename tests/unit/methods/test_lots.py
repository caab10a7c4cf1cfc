from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.lots import lot

NAMES = st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=12)


@given(names=NAMES, others=NAMES)
def test_rows_that_come_change_no_order(names: set[str], others: set[str]) -> None:
    together = sorted(names | others, key=lot)
    assert [name for name in together if name in names] == sorted(names, key=lot)


def test_the_order_is_the_seeds() -> None:
    """Sides, limits and samples of runs that are kept hang on it."""
    assert lot("0:a").hex() == "1d30fb1f16737ef4cbf440c065736e99"
    assert sorted("abcdef", key=lambda name: lot(f"0:{name}")) != sorted("abcdef", key=lambda name: lot(f"1:{name}"))
