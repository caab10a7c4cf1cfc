"""Duplicates: the fast search finds what the definition says, no more and no less."""

from __future__ import annotations

import random
import re
from pydoc_data.topics import topics
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods import duplicates
from ragraft.methods.duplicates import Duplicate, find_duplicates, fingerprint

# Few words, so that documents share shingles; lengths around the shingle's.
WORDS = st.lists(st.sampled_from("ab"), max_size=12).map(" ".join)
LONG = st.integers(0, 40).flatmap(
    lambda start: st.integers(start, 60).map(lambda end: " ".join(f"w{n}" for n in range(start, end)))
)
TEXTS = st.lists(st.one_of(WORDS, LONG), max_size=8)
THRESHOLDS = st.tuples(
    st.sampled_from([0.3, 0.5, 0.7, 0.85, 0.9, 1.0]), st.sampled_from([0.3, 0.5, 0.7, 0.85, 0.9, 1.0])
)


def find(texts: list[str], near: float = 0.9, contained: float = 0.85) -> list[Duplicate]:
    vocabulary: dict[str, int] = {}
    return find_duplicates([fingerprint(text, vocabulary) for text in texts], near=near, contained=contained)


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


def by_definition(texts: list[str], near: float, contained: float) -> list[tuple[int, int, str, float]]:
    """(document, other, kind, share), comparing every document with every longer one that is kept."""
    normal = [" ".join(text.split()) for text in texts]
    firsts = [place for place, text in enumerate(normal) if normal.index(text) == place]
    found = [(place, normal.index(text), "exact", 1.0) for place, text in enumerate(normal) if place not in firsts]
    sets = {place: shingles(texts[place]) for place in firsts}
    kept: list[int] = []
    for place in sorted(firsts, key=lambda p: (-len(sets[p]), -len(texts[p].split()), p)):
        own, rows = sets[place], []
        for other in kept if own else []:
            both = own & sets[other]
            if len(both) / len(own | sets[other]) >= near:
                rows.append((place, other, "near-duplicate", len(both) / len(own | sets[other])))
            elif len(own) < len(sets[other]) and len(both) / len(own) >= contained:
                rows.append((place, other, "contained", len(both) / len(own)))
        found += rows
        if not rows:
            kept.append(place)
    return sorted(found)


@pytest.mark.parametrize("entries", [0, 1, 10**9], ids=["compared one by one", "by size", "counted together"])
@given(TEXTS, THRESHOLDS)
def test_equals_the_definition(entries: int, texts: list[str], thresholds: tuple[float, float]) -> None:
    with patch.object(duplicates, "ENTRIES_PER_COMPARISON", entries):
        found = find(texts, *thresholds)
    rows = [(pair.document, pair.other, pair.kind, pair.share) for pair in found]
    assert sorted(rows) == by_definition(texts, *thresholds)


@given(TEXTS, THRESHOLDS)
def test_what_is_kept_is_no_duplicate_and_holds_the_share(texts: list[str], thresholds: tuple[float, float]) -> None:
    found = find(texts, *thresholds)
    dropped = {pair.document for pair in found}
    for pair in found:
        assert pair.kept not in dropped
        own, kept = shingles(texts[pair.document]), shingles(texts[pair.kept])
        if own:
            assert len(own & kept) / len(own) >= min(thresholds)
        else:
            assert texts[pair.document].split() == texts[pair.kept].split()


@given(TEXTS)
def test_white_space_and_composition_make_no_difference(texts: list[str]) -> None:
    assert find([f" {text} ".replace(" ", "\n\t") for text in texts]) == find(texts)


def test_a_copy_names_the_first_and_where_both_are_held() -> None:
    long = " ".join(f"w{n}" for n in range(30))
    short = " ".join(f"w{n}" for n in range(10))
    assert find([short, long, short.replace(" ", "\n")]) == [
        Duplicate(0, 1, "contained", 1.0, 1),
        Duplicate(2, 0, "exact", 1.0, 1),
    ]


def test_near_duplicates_keep_the_longer() -> None:
    words = [f"w{n}" for n in range(104)]
    longer, shorter = " ".join(words), " ".join(words[:-4])
    assert find([shorter, longer]) == [Duplicate(0, 1, "near-duplicate", 0.96, 1)]


def test_near_duplicates_of_one_length_keep_the_first() -> None:
    first = " ".join(f"w{n}" for n in range(104))
    second = first.replace("w103", "other")
    (pair,) = find([first, second])
    assert (pair.document, pair.kept, pair.kind, pair.share) == (1, 0, "near-duplicate", 99 / 101)


def test_a_chain_is_cut_where_the_kept_document_no_longer_holds_enough() -> None:
    a, b, c = (" ".join(f"w{n}" for n in range(*span)) for span in ((0, 44), (4, 64), (12, 104)))
    # Held by the middle one to 90 % and the middle one by the long one to 86 %, the short one by the long one to 70 %.
    assert [(pair.document, pair.kept, pair.share) for pair in find([a, b, c])] == [(1, 2, 48 / 56)]


def numbered(letter: str, count: int) -> str:
    return " ".join(f"{letter}{number}" for number in range(count))


def test_the_holder_of_most_is_kept_and_all_holders_are_named() -> None:
    part, longest, whole = numbered("w", 24), f"{numbered('w', 22)} {numbered('v', 30)}", f"{numbered('w', 24)} 1 2 3 4"
    assert find([part, longest, whole]) == [
        Duplicate(0, 1, "contained", 0.9, 2),
        Duplicate(0, 2, "contained", 1.0, 2),
    ]


def test_a_document_as_long_is_no_container() -> None:
    assert find([f"{numbered('w', 24)} x y", f"{numbered('w', 24)} v u"]) == []


def test_short_documents_are_compared_whole() -> None:
    texts = ["see the manual", "see the manual today and tomorrow", "see  the\nmanual", "See the manual", "", " "]
    assert find(texts) == [Duplicate(2, 0, "exact", 1.0, 0), Duplicate(5, 4, "exact", 1.0, 4)]


def test_case_and_punctuation_are_near_not_exact() -> None:
    assert find(["One two, three four five.", "one two three (four) five"]) == [
        Duplicate(1, 0, "near-duplicate", 1.0, 0)
    ]


def test_scripts_without_spaces_count_by_character() -> None:
    part = "日本語の文章をここに書きます"
    assert find([part, f"{part}。これはテストです。もう一つの文もあります"]) == [Duplicate(0, 1, "contained", 1.0, 1)]


def test_many_near_copies_keep_one() -> None:
    draw = random.Random(0)
    base = numbered("w", 300).split()
    texts = []
    for copy in range(200):
        words = list(base)
        words[draw.randrange(300)] = f"changed{copy}"
        texts.append(" ".join(words))
    found = find(texts)
    assert {pair.kept for pair in found} == {0}
    assert len(found) == 199


def test_records_that_share_all_their_shingles_with_others_are_told_apart() -> None:
    draw = random.Random(0)
    records = [[f"field{field} is set to {draw.randrange(4)}{field}" for field in range(10)] for _ in range(300)]
    changed = [[*records[7][:-1], "field9 is set to rest"], [*records[8][:-1], "field9 is set to rest"]]
    texts = [" ".join(record) for record in [*records, *changed]]
    found = find(texts, 0.9, 0.9)
    assert [(pair.document, pair.other, pair.kind) for pair in found] == [
        (row, other, kind) for row, other, kind, _ in by_definition(texts, 0.9, 0.9)
    ]
    assert {(pair.document, pair.other) for pair in found} >= {(300, 7), (301, 8)}


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("for", "compound"),
        ("try", "compound"),
        ("if", "compound"),
        ("attribute-access", "specialnames"),
        ("customization", "specialnames"),
        ("naming", "execmodel"),
    ],
)
def test_topics_that_stand_inside_others(inner: str, outer: str) -> None:
    names = sorted(topics)
    (pair, *_) = [pair for pair in find([topics[name] for name in names]) if names[pair.document] == inner]
    assert names[pair.kept] == outer
    assert pair.share >= 0.9


def test_topics_that_are_kept_hold_their_own() -> None:
    names = sorted(topics)
    dropped = {names[pair.document] for pair in find([topics[name] for name in names])}
    assert {"compound", "specialnames", "execmodel", "lambda", "assert"}.isdisjoint(dropped)
