"""Whether answers are whole and steady."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragraft.methods.probing.coherence import agreement, coherence, other_script, repeats
from ragraft.records import Answer, Completion, Prompt, Sampling
from tests.unit.methods.probing.towns import QUESTIONS, Reader, desk, values


@pytest.mark.parametrize(
    ("text", "beside", "found"),
    [
        ("the mill of the town is old", "", False),
        ("so it is so it is so it is so it is", "", True),
        ("no no no no no", "", True),
        ("no no no no", "", False),
        ("1 1 1 1 1", "a table of 1 1 1 1 1", False),
        ("so it is so it is so it is so it is", "so it is " * 9, False),
        ("", "", False),
    ],
)
def test_repeating(text: str, beside: str, found: bool) -> None:
    assert repeats(text, beside) == found


@pytest.mark.parametrize(
    ("text", "beside", "found"),
    [
        ("die Mühle", "the mill", False),
        ("мельница", "the mill", True),
        ("мельница", "the mill (мельница)", False),
        ("磨坊", "the mill", True),
        ("1747", "the mill", False),
        ("the mill, or мель", "the mill", False),
        ("", "", False),
    ],
)
def test_scripts(text: str, beside: str, found: bool) -> None:
    assert other_script(text, beside) == found


def row(answer: str, *, abstained: bool = False) -> Answer:
    return Answer("q0", "base", "", answer, answer, (), (), abstained, (), True, 1, 1)


def test_agreement_is_taken_pair_by_pair() -> None:
    one, other, refused = row("the old mill"), row("old house"), row("", abstained=True)
    assert agreement([one, row("Old mill."), one]) == 1.0
    assert agreement([refused, refused]) == 1.0
    assert agreement([one, refused]) == 0.0
    assert agreement([one, other]) == pytest.approx(0.5)
    assert agreement([one, one, other]) == pytest.approx((1 + 0.5 + 0.5) / 3)


class Cut(Reader):
    """Never comes to an end."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return [replace(one, finish_reason="length") for one in super().generate(prompts, sampling)]


def test_a_steady_reader_and_one_that_reads_the_first_passage_alone() -> None:
    found = coherence(desk(Reader(), Cut(reach=2)))
    for figure in ("repeats itself", "cut short", "another script"):
        assert set(values(found, figure).values()) == {0.0}
    assert set(values(found, "agrees over orders").values()) == {1.0}
    assert set(values(found, "cut short", "tuned").values()) == {1.0}
    unsteady = [value for value in values(found, "agrees over orders", "tuned").values() if value is not None]
    assert min(unsteady) < 1.0
    assert len(unsteady) == len(QUESTIONS)


def test_one_passage_has_no_other_order() -> None:
    found = coherence(desk(Reader(), k=1))
    assert set(values(found, "agrees over orders").values()) == {None}
    assert {row.context for row in found.answers} == {"retrieved"}
