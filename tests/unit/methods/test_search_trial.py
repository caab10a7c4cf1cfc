"""What search brings by depth and by setting, over rankings that are known."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from statistics import fmean

import pytest

from ragraft.methods.finders import Finder, Kept
from ragraft.methods.ladder import Climbed, Step
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.search_trial import (
    Setting,
    best_setting,
    by_depth,
    gain_by_setting,
    gains_of_choosing,
    settings_told,
    try_settings,
)
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Passage, Question


def passage(name: str, text: str = "nothing of note stands here") -> Passage:
    return Passage(name, name, name, text)


def asked(n: int, *parts: str) -> ExamQuestion:
    oracle = parts or (f"o{n}",)
    question = Question(f"q{n}", f"Which mill has t{n}?", (f"the mill number {n}",))
    return ExamQuestion(question, "validation", f"c{n}", oracle, parts=tuple((part,) for part in oracle))


QUESTIONS = [asked(1), asked(2), asked(3, "o3", "p3"), ExamQuestion(Question("q4", "?"), "validation", "c4")]


def ranking(*found: str) -> list[Passage]:
    return [passage(name) for name in found]


def kept(**found: Sequence[Passage]) -> Finder:
    return Kept({"q4": [], **found})


USED = kept(
    q1=ranking("o1", "x", "y", "z"),
    q2=ranking("x", "y", "o2", "z"),
    q3=[passage("o3"), passage("x"), passage("y"), passage("z", "It has the mill number 3.")],
)


def builder(tokenizer: Tokenizer, tokens: int = 2048) -> PromptBuilder:
    return PromptBuilder(tokenizer, "not in the documents.", tokens, 20)


def test_recall_and_sufficiency_by_depth() -> None:
    rows = by_depth(QUESTIONS, USED, pool=4, k=3, resamples=100, seed=0)
    assert [row["k"] for row in rows] == [1, 2, 3, 4]
    assert [round(3 * row["recall"]["value"]) for row in rows] == [2, 2, 3, 3]
    assert [round(3 * row["full recall"]["value"]) for row in rows] == [1, 1, 2, 2]
    assert [round(3 * row["sufficient"]["value"]) for row in rows] == [1, 1, 2, 3]
    assert by_depth(QUESTIONS[3:], USED, pool=4, k=3, resamples=100, seed=0) == []


def climbed(n: int, lost: float, *, shown: bool) -> Climbed:
    steps = (Step("evidence", "retrieval", lost),) if lost else ()
    return Climbed(f"q{n}", f"c{n}", steps, shown=shown, oracle=True, score=0.5)


CLIMBED = [climbed(1, 0.0, shown=True), climbed(2, 0.6, shown=False), climbed(3, 0.4, shown=False)]


def test_the_setting_that_wins_most_is_the_best(word_tokenizer: Tokenizer) -> None:
    other = kept(q1=ranking("x", "y"), q2=ranking("o2", "x"), q3=ranking("o3", "p3"))
    finders: Mapping[str, Finder] = {"as it is": USED, "other": other}
    settings = try_settings(QUESTIONS, finders, builder=builder(word_tokenizer), k=2, pool=4)
    assert [one.name for one in settings] == ["as it is, k 2", "as it is, k 4", "other, k 2", "other, k 4"]
    used, deeper, changed, _ = settings
    assert used.shows == {"q1": True, "q2": False, "q3": False}
    assert [gain_by_setting(one, deeper, used) for one in CLIMBED] == [0.0, 0.6, 0.0]
    assert [gain_by_setting(one, changed, used) for one in CLIMBED] == [-0.5, 0.6, 0.4]
    assert best_setting(CLIMBED, settings) == deeper
    assert best_setting([], []) is None
    told = settings_told(CLIMBED, settings, resamples=100, seed=0)
    assert told[0]["change"]["value"] == 0.0
    assert told[1]["change"]["value"] == pytest.approx(1 / 3)
    assert [row["passages"] for row in told] == [2.0, 4.0, 2.0, 2.0]


def test_choosing_among_settings_of_luck_gains_no_more_than_each() -> None:
    """Settings that each show a fifth of the evidence, by chance: the best of them looks good on what chose it."""
    draw, flattered, honest = random.Random(0), [], []
    missed = [climbed(n, 0.5, shown=False) for n in range(30)]
    used = Setting("in use", {one.id: False for one in missed}, 4)
    for seed in range(20):
        settings = [used, *(Setting("by luck", {one.id: draw.random() < 0.2 for one in missed}, 4) for _ in range(9))]
        best = best_setting(missed, settings)
        assert best is not None
        flattered.append(fmean(gain_by_setting(one, best, used) for one in missed))
        honest.append(fmean(gains_of_choosing(missed, settings, seed=seed)))
    assert fmean(flattered) > 0.14
    assert fmean(honest) == pytest.approx(0.2 * 0.5, abs=0.02)


def test_what_tells_nothing_gains_nothing() -> None:
    used = Setting("in use", {one.id: one.shown for one in CLIMBED}, 4)
    assert gains_of_choosing(CLIMBED, [used, Setting("no evidence", {}, 4)], seed=0) == [0.0] * 3
    assert gains_of_choosing(CLIMBED, [], seed=0) == [0.0] * 3


def test_a_setting_that_is_the_best_for_all_gains_what_it_gains() -> None:
    used = Setting("in use", {one.id: one.shown for one in CLIMBED}, 4)
    better = Setting("better", dict.fromkeys(used.shows, True), 4)
    assert gains_of_choosing(CLIMBED, [used, better], seed=0) == [0.0, 0.6, 0.4]


def test_passages_that_do_not_fit_show_nothing(word_tokenizer: Tokenizer) -> None:
    finders: Mapping[str, Finder] = {"as it is": USED}
    roomy = try_settings(QUESTIONS[1:2], finders, builder=builder(word_tokenizer), k=4, pool=4)[0]
    assert roomy.shows == {"q2": True}
    made = builder(word_tokenizer)
    room = word_tokenizer.count_prompt(made.build(QUESTIONS[1].question.question, USED.find(QUESTIONS[1:2], 2)[0]))
    tight = try_settings(QUESTIONS[1:2], finders, builder=builder(word_tokenizer, room + 20), k=4, pool=4)[0]
    assert (tight.shows, tight.passages) == ({"q2": False}, 2.0)


def test_without_evidence_nothing_is_tried(word_tokenizer: Tokenizer) -> None:
    settings = try_settings(QUESTIONS[3:], {"as it is": USED}, builder=builder(word_tokenizer), k=2, pool=4)
    assert settings[0].shows == {}
    assert settings_told(CLIMBED, settings, resamples=100, seed=0) == []
