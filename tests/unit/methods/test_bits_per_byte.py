from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from ragraft.methods.bits_per_byte import BATCH, Predicted, Sample, bits_per_byte, predict, relative_change
from ragraft.records import LogProbs, Prompt


class Letters:
    """Each letter a token of one of `choices` equally likely ones."""

    def __init__(self, choices: int = 4) -> None:
        self.choices = choices
        self.batches: list[list[str]] = []

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        assert set(prompts) == {None}
        self.batches.append(list(texts))
        return [LogProbs(tuple(map(ord, text)), (-math.log(self.choices),) * len(text)) for text in texts]


def samples(*texts: str) -> list[Sample]:
    return [Sample(f"s{n}", text, f"c{n}") for n, text in enumerate(texts)]


def test_a_letter_of_four_is_two_bits() -> None:
    found = predict(samples("abcd", "ef"), Letters())
    assert [row.bits for row in found] == pytest.approx([8, 4])
    whole = bits_per_byte(found)
    assert whole.value == pytest.approx(2)
    assert (whole.n, whole.clusters) == (2, 2)


def test_bytes_are_those_of_utf8_and_texts_weigh_by_length() -> None:
    assert bits_per_byte(predict(samples("é🚀"), Letters())).value == pytest.approx(4 / 6)
    rows = [Predicted(Sample("a", "x" * 90, "a"), 90.0), Predicted(Sample("b", "x" * 10, "b"), 40.0)]
    assert bits_per_byte(rows).value == pytest.approx(130 / 100)


def test_empty_texts_are_passed_over_and_none_is_an_error() -> None:
    assert predict(samples("", "ab", ""), Letters())[0].sample.id == "s1"
    with pytest.raises(ValueError, match="no row"):
        bits_per_byte([])


def test_texts_are_scored_by_length_in_equal_batches_and_come_back_in_order() -> None:
    scorer = Letters()
    given = samples(*("x" * (1 + 7 * n % 40) for n in range(BATCH + 3)))
    found = predict(given, scorer)
    assert [row.sample for row in found] == given
    assert [len(batch) for batch in scorer.batches] == [BATCH, 3]
    lengths = [len(text) for batch in scorer.batches for text in batch]
    assert lengths == sorted(lengths)


def test_a_change_is_paired_by_text() -> None:
    given = samples(*("x" * (10 + n) for n in range(40)))
    before, after = predict(given, Letters(4)), predict(given, Letters(2))
    change = relative_change(after, before)
    assert change.value == pytest.approx(-0.5)
    assert change.low == pytest.approx(-0.5)  # each text alike: nothing varies
    assert relative_change(before, before).value == 0
    with pytest.raises(ValueError, match="the same texts"):
        relative_change(after[1:], before[:-1])
