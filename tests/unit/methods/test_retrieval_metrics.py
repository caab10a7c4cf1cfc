"""Retrieval metrics, by hand and against ir-measures."""

from __future__ import annotations

from collections.abc import Sequence

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.retrieval_metrics import Ranked, full_recall, recall, reciprocal_rank


def ranks(names: Sequence[str]) -> Ranked:
    """Each rank one of our own chunks."""
    return [(name,) for name in names]


IDS = [f"c{number}" for number in range(12)]


def test_by_hand() -> None:
    ranked = ranks("xayb")
    assert [recall(ranked, {"a", "b"}, k) for k in (1, 2, 4)] == [0, 1, 1]
    assert [full_recall(ranked, [{"a", "z"}, {"b"}], k) for k in (2, 3, 4)] == [0, 0, 1]
    assert [reciprocal_rank(ranked, {"a", "b"}, k) for k in (1, 2, 4)] == [0, 0.5, 0.5]
    assert recall([], {"a"}, 4) == reciprocal_rank([], {"a"}, 4) == 0


def test_a_rank_may_stand_for_several_chunks() -> None:
    ranked = [("x",), ("own", "a", "b"), ("c",)]
    assert [recall(ranked, {"b"}, k) for k in (1, 2)] == [0, 1]
    assert [full_recall(ranked, [{"a"}, {"b"}], k) for k in (1, 2)] == [0, 1]
    assert reciprocal_rank(ranked, {"c", "b"}, 3) == 0.5


@given(st.permutations(IDS), st.sets(st.sampled_from(IDS), min_size=1), st.integers(1, 12), st.integers(0, 12))
def test_as_ir_measures_has_it(order: list[str], oracle: set[str], k: int, length: int) -> None:
    ranked = ranks(order[:length])
    qrels = [ir_measures.Qrel("q", name, 1) for name in sorted(oracle)]
    run = [ir_measures.ScoredDoc("q", name, float(-rank)) for rank, (name,) in enumerate(ranked)]
    found = ir_measures.calc_aggregate([ir_measures.Success @ k, ir_measures.RR @ k], qrels, run)
    assert recall(ranked, oracle, k) == found[ir_measures.Success @ k]
    assert reciprocal_rank(ranked, oracle, k) == pytest.approx(found[ir_measures.RR @ k])


@given(st.permutations(IDS), st.lists(st.sets(st.sampled_from(IDS), min_size=1), min_size=1), st.integers(1, 12))
def test_full_recall_asks_at_least_what_recall_does(order: list[str], parts: list[set[str]], k: int) -> None:
    assert full_recall(ranks(order), parts, k) <= recall(ranks(order), set().union(*parts), k)
    assert full_recall(ranks(order), parts[:1], k) == recall(ranks(order), parts[0], k)
