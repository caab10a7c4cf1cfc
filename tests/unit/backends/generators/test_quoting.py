from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.backends.generators.quoting import Quoting
from ragraft.methods.answer import parse

HARBOUR, REEF = 'The "old" harbour has\ntwo piers.', "The reef is old. It has two lights."
QUOTING = Quoting((HARBOUR, REEF))


@pytest.mark.parametrize(
    ("text", "allowed", "may_end"),
    [
        ("", True, True),
        ('Answer: "anything" [9]', True, True),
        ("Answer: two\n[2]", True, True),
        ('Answer: two\n"', True, False),
        ('Answer: two\n"It has', True, False),
        ('Answer: two\n"It had', False, False),
        ('Answer: two\n"t has', False, False),
        ('Answer: two\n"two li" [2]', False, False),
        ('Answer: two\n"It has two lights."', True, False),
        ('Answer: two\n"It has two lights." [', True, False),
        ('Answer: two\n"It has two lights." [1]', False, False),
        ('Answer: two\n"It has two lights." [2]', True, True),
        ('Answer: two\n"It has two lights." [2] and so on', True, True),
        ('Answer: two\n"It has two lights." [2] "two piers', True, False),
        ('Answer: two\n"It has two lights." [2] "two piers." [1]', True, True),
        ('Answer: two\n"It has two lights." [2] "two piers." [2]', False, False),
        ('Answer: two\n"It has two lights." [2] "three', False, False),
        ('Answer: two\n"The "old" harbour has\ntwo piers." [1]', True, True),
        ('Answer: two\n"The "old" harbour has two piers." [1]', False, False),
        ('Answer: two\n"two piers." [1]', True, True),
        ('Answer: two\n"two" [1]', False, False),
        ('Answer: two\n"The reef is old" [2]', False, False),
        ('Answer: two\n"The reef is old." [2]', True, True),
        ('Answer: two\n"" [2]', False, False),
    ],
)
def test_only_what_stands_in_a_source_is_quoted(text: str, allowed: bool, may_end: bool) -> None:
    assert QUOTING.allows(text) is allowed
    assert QUOTING.ends(text) is may_end


def test_what_holds_the_answer_is_quoted_where_any_does() -> None:
    assert QUOTING.allows('Answer: two lights\n"It has')
    assert not QUOTING.allows('Answer: two lights\n"two piers')
    assert QUOTING.allows('Answer: Two piers.\n"two piers')
    assert not QUOTING.allows('Answer: Two piers.\n"two lights')
    assert QUOTING.allows('Answer: three\n"two piers')
    assert QUOTING.allows('Answer: three\n"two lights')


def test_without_sources_nothing_is_quoted() -> None:
    assert not Quoting(()).allows('Answer: two\n"')
    assert Quoting(()).allows("Answer: two\n")


def test_an_open_quotation_goes_on_or_closes() -> None:
    assert QUOTING.onward('Answer: two\n"It has') == [" two lights.", '" [']
    assert QUOTING.onward("Answer: two") == []


def test_behind_a_quotation_its_number_comes() -> None:
    assert QUOTING.onward('Answer: two\n"It has two lights." ') == ["[2]"]
    assert QUOTING.onward('Answer: two\n"It has two lights." [2') == ["]"]
    assert QUOTING.onward('Answer: two\n"It has two lights." [2]') == []


def test_a_quotation_may_begin_with_any_word_of_a_source_that_ends_in_one() -> None:
    quoting = Quoting(("two piers", ""))
    assert quoting.allows('Answer: two\n"')
    assert quoting.onward('Answer: two\n"')[:2] == ["two piers", " piers"]


def test_a_few_words_end_no_quotation_but_their_sentence_does() -> None:
    quoting = Quoting(("It was seen in 1887 by four keepers of the lamp, who told nobody.",))
    assert not quoting.allows('Answer: 1887\n"in 1887" [')
    assert quoting.ends('Answer: 1887\n"It was seen in 1887" [1]')
    assert quoting.ends('Answer: nobody\n"told nobody." [1]')
    assert Quoting(("two piers  ",)).ends('Answer: two\n"two piers" [1]')
    assert Quoting(("piers: two\nlamps: none",)).ends('Answer: two\n"piers: two" [1]')


def test_a_quotation_in_a_further_line_is_copied_too() -> None:
    assert QUOTING.allows('Answer: two\n"two lights." [2]\n"two piers." [1]')
    assert not QUOTING.allows('Answer: two\n"two lights" [2]\n"three')


letters = st.text('ab \n"[]12.', max_size=14)


@given(st.lists(letters, max_size=3), st.lists(st.sampled_from('ab \n"[]12.'), max_size=30))
def test_whatever_is_wished_quotes_are_exact_and_rightly_cited(sources: list[str], wishes: list[str]) -> None:
    quoting, text = Quoting(tuple(sources)), "Answer: x\n"
    for wish in wishes:
        text += wish if quoting.allows(text + wish) else ""
    line = text.partition("\n")[2].lstrip(" \t")
    if line.startswith('"') and quoting.ends(text):
        quoted, number = next(iter(parse(text, "").quotes))
        assert number is None or any(quoted in source for source in sources)
