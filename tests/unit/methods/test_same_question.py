"""Sameness of questions: what counts, what tells two alike questions apart, which side keeps."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.containment import words
from ragraft.methods.same_question import Pair, Wording, across_sides, exact_terms, normalised, same_groups
from ragraft.records import Side

LONG = "which of the many old stone houses near the long river is the oldest one in town"


def same(first: str, second: str, evidence: tuple[str, str] = ("d", "d")) -> bool:
    rows = [Wording("a", first, frozenset({evidence[0]})), Wording("b", second, frozenset({evidence[1]}))]
    return same_groups(rows) == [("a", "b")]


def test_case_space_and_punctuation_do_not_matter() -> None:
    assert same("What is the reef, really?", "what  is the REEF really", evidence=("d", "e"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What does ** do?", "What does * do?"),
        (f"{LONG} 1890", f"{LONG} 1891"),
        (f"{LONG} for 'set'", f"{LONG} for 'get'"),
        (f"{LONG} by read_line", f"{LONG} by read_text"),
        (f"{LONG} by readLine", f"{LONG} by readText"),
        (f"{LONG} with -v", f"{LONG} with -q"),
        (f"{LONG} at WHO", f"{LONG} at CDC"),
        (f"{LONG} of Galaxy", f"{LONG} of Galaxy Ultra"),
        (f"{LONG} for a.b", f"{LONG} for a.c"),
        (LONG, "which of the many new brick houses near the long river is the oldest one in town"),
    ],
)
def test_what_makes_a_question_another_one(first: str, second: str) -> None:
    assert not same(first, second)


def test_nearly_the_same_words_with_the_same_evidence() -> None:
    assert same(LONG, f"{LONG} today")
    assert not same(LONG, f"{LONG} today", evidence=("d", "e"))


def test_exact_terms() -> None:
    found = exact_terms("Does `x == 1` in Cortex's config.yaml need -target or “all of it” since 2.0?")
    assert found == {"x == 1", "==", "1", "cortex", "config.yaml", "-target", "all of it", "2.0"}
    assert exact_terms("Why is it so?") == frozenset()
    assert normalised("Is  `A` **so**?") == "is a ** so **"


def test_groups_follow_chains_and_keep_the_order() -> None:
    rows = [Wording("c", LONG), Wording("x", "other"), Wording("a", f"{LONG} today"), Wording("b", f"{LONG} today now")]
    assert same_groups(rows) == [("c", "a", "b")]


WORDS = st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=14).map(" ".join)


@given(st.lists(WORDS, max_size=8))
def test_prefix_filtering_misses_no_pair(texts: list[str]) -> None:
    def near(first: str, second: str) -> bool:
        a, b = set(words(first)), set(words(second))
        return 10 * len(a & b) >= 9 * len(a | b) or normalised(first) == normalised(second)

    groups = same_groups([Wording(str(row), text) for row, text in enumerate(texts)])
    home = {name: group for group in groups for name in group}
    for a, b in itertools.combinations(range(len(texts)), 2):
        if near(texts[a], texts[b]):
            assert str(b) in home[str(a)]
    for group in groups:
        for name in group:
            assert any(near(texts[int(name)], texts[int(other)]) for other in group if other != name)


def test_the_side_nearest_the_exam_keeps() -> None:
    sides: dict[str, Side] = {"a": "train", "b": "exam", "c": "exam", "d": "validation", "e": "calibration"}
    assert across_sides([("a", "b", "c", "d")], sides) == [Pair("b", "a"), Pair("b", "d")]
    assert across_sides([("a", "d", "e")], sides) == [Pair("e", "a"), Pair("e", "d")]
    assert across_sides([("b", "c")], sides) == []
