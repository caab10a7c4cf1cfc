"""Signals of questions and replies."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ragraft.methods.signals import ASKS, LEAST_LOGPROB, MEAN_LOGPROB, draft_signals, reply_signals
from tests.unit.methods.replies import reply, words


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Who keeps it?", "who"),
        ("how many steps are there?", "how many"),
        ("How is it reached?", "how"),
        ("In which year?", "which"),
        ("Is Boskar's tower of slate?", "another way"),
        ("Somehow whoever", "another way"),
    ],
)
def test_how_a_question_asks(question: str, asked: str) -> None:
    found = draft_signals(question, reply("Answer: x"), words)
    assert {kind for kind in (*ASKS, "another way") if found[f"asks {kind}"]} == {asked}


def test_numbers_and_names_of_a_question() -> None:
    found = draft_signals("Since Python 3.12 or since Rome?", reply("Answer: x"), words)
    assert found["question holds a number"] == 1.0
    assert found["question names"] == pytest.approx(math.log1p(2))
    assert draft_signals("who keeps it?", reply("Answer: x"), words)["question names"] == 0.0


def test_probabilities_are_those_of_the_answer_without_its_quotes() -> None:
    one = reply('Answer: slate\n"It is made of slate." [1]')
    quoting = replace(one.completion, logprobs=(-0.1, -0.5, -9.0, -9.0, -9.0, -9.0, -9.0, -9.0))
    found = draft_signals("Why?", replace(one, completion=quoting), words)
    assert found[MEAN_LOGPROB] == pytest.approx(-0.3)
    assert found[LEAST_LOGPROB] == pytest.approx(-0.5)


def test_without_probabilities_these_signals_are_missing_and_no_others() -> None:
    told, silent = (draft_signals("Why?", reply("Answer: x", sure=sure), words) for sure in (-0.1, None))
    assert set(told) - set(silent) == {MEAN_LOGPROB, LEAST_LOGPROB}
    empty = reply("", sure=-0.1)
    assert empty.completion.logprobs == ()
    assert draft_signals("Why?", empty, words)[MEAN_LOGPROB] == 0.0


def test_what_was_found_and_whether_memory_agrees() -> None:
    draft, shown = reply("Answer: green slate"), reply("Answer: slate [1]", scores=(0.3, 0.9, 0.6))
    found = reply_signals("Why?", draft, shown, words)
    assert [found["best passage's score"], found["gap to the second"]] == pytest.approx([0.9, 0.3])
    assert [found["mean passage score"], found["passages"]] == pytest.approx([0.6, 3.0])
    assert found["memory agrees"] == pytest.approx(2 / 3)
    nothing = reply_signals("Why?", reply(""), reply("Answer: x", finish_reason="length"), words)
    assert (nothing["best passage's score"], nothing["passages"], nothing["memory agrees"]) == (0.0, 0.0, 0.0)
    assert (nothing["cut short"], nothing["abstains"]) == (1.0, 0.0)
    assert draft_signals("Why?", reply("Answer: not in the documents."), words)["abstains"] == 1.0
