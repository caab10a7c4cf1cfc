from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.answer import parse
from ragraft.methods.unfold import WAIT, Unfolding

ABSTENTION = "not in the documents."
TAUGHT = 'Answer: red granite from the bay\n"made of red granite" [1]'


def unfolded(text: str, size: int) -> list[str]:
    """What is told of a text that comes in pieces of this size."""
    unfolding = Unfolding(ABSTENTION)
    told = [unfolding.more(text[:end]) for end in range(size, len(text), size)]
    return [*told, unfolding.rest(parse(text, ABSTENTION).answer)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "text",
    [
        TAUGHT,
        "Answer: not in the documents.",
        "Answer: [1] granite [2], and slate [3]\n[1]",
        "**Answer:** granite",
        "Answer (from memory): granite",
        '"made of red granite" [1]\nAnswer: granite',
        "No form at all, just a sentence that is much longer than what is waited for at the beginning.",
        "short",
        "",
    ],
)
def test_the_pieces_together_are_the_answer(text: str, size: int) -> None:
    assert "".join(unfolded(text, size)) == parse(text, ABSTENTION).answer


def test_it_tells_before_the_end_and_never_a_quote_or_a_number() -> None:
    told = unfolded(TAUGHT, 1)
    assert told[TAUGHT.index("granite") - 1] == "red"
    assert told[-1] == ""
    assert all("[" not in piece and '"' not in piece for piece in told)


def test_an_answer_that_another_one_follows_late_is_not_contradicted() -> None:
    late = f"{'the first words go on ' * 5}\nAnswer: granite"
    assert len(late) > WAIT
    told = "".join(unfolded(late, 1))
    assert late.startswith(told)
    assert "granite" not in told


@given(
    st.lists(st.sampled_from(["Answer:", " granite", "\n", '"red', '"', " [1]", "[", "]", " and", " x"]), max_size=9)
)
def test_with_its_mark_at_the_head_any_answer_is_told_whole(parts: list[str]) -> None:
    text = "Answer: " + "".join(part for part in parts if part != "Answer:")
    told = "".join(unfolded(text, 1))
    assert parse(text, ABSTENTION).answer.startswith(told)
