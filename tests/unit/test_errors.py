from __future__ import annotations

from ragraft.errors import or_meant


def test_an_unknown_name_ends_with_the_one_that_was_meant_or_with_all() -> None:
    assert or_meant("traim", ["index", "train"]) == "; did you mean train?"
    assert or_meant("zzz", ["index", "train"]) == "; known: index, train"
    assert or_meant("zzz", []) == "; known: none"
