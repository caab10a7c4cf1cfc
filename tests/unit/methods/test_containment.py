"""Which passages hold an answer, and when that counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.containment import Containment, content_words, words

WORD = st.sampled_from(["red", "blue", "green", "sea", "7", "the"])
TEXT = st.lists(WORD, max_size=8).map(" ".join)


def test_words_fold_case_and_width_and_split_scripts_without_spaces() -> None:
    assert words("The \uff21\uff22\uff23, it's 3.5!") == ["the", "abc", "it", "s", "3", "5"]
    assert words("東京タワー in 東京") == ["東", "京", "タ", "ワ", "ー", "in", "東", "京"]
    assert content_words("What is the red sea?") == ["red", "sea"]


@given(st.lists(TEXT, max_size=6), TEXT)
def test_holding_is_a_run_of_words(texts: list[str], answer: str) -> None:
    def holds(text: str) -> bool:
        inside, wanted = words(text), words(answer)
        return bool(wanted) and any(inside[at : at + len(wanted)] == wanted for at in range(len(inside)))

    assert Containment(texts).holding(answer) == [row for row, text in enumerate(texts) if holds(text)]


def test_part_of_a_word_is_no_answer() -> None:
    assert Containment(["redder seas"]).holding("red") == []


def test_short_answers_do_not_count() -> None:
    found = Containment(["It was Tulsa, yes.", "The answer is Oklahoma.", "A red sea."])
    assert not found.counts("yes")
    assert not found.counts("Tulsa")
    assert found.counts("Oklahoma"), "six characters"
    assert found.counts("red sea"), "two content words"
    assert not found.counts("the a of it"), "function words are no content"
    assert not found.counts("**")


def test_common_answers_do_not_count() -> None:
    filler = [f"filler {number}" for number in range(398)]
    assert Containment([*filler, *["Oklahoma"] * 3]).counts("Oklahoma"), "3 of 401 is under one percent"
    assert not Containment([*filler, *["Oklahoma"] * 5]).counts("Oklahoma"), "5 of 403 is not"
    assert Containment(["Oklahoma", "Oklahoma", "x"]).counts("Oklahoma"), "a passage and its copy count in any set"
    assert not Containment(["Oklahoma"] * 3).counts("Oklahoma")


def test_ranking_prefers_rare_shared_words_and_breaks_ties_by_row() -> None:
    found = Containment(["sea sea sea", "sea red", "green", "sea", "blue"])
    assert found.ranked("Is the red sea blue?", [0, 1, 2, 3]) == [1, 0, 3, 2]
    assert found.ranked("nothing shared", [3, 2]) == [2, 3]
