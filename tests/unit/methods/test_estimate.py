from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods import estimate as arithmetic
from ragraft.methods.estimate import Estimate, Pace, Work, expect, learn

seconds = st.floats(1, 1e5)
works = st.builds(Work, st.integers(1, 10**9), st.integers(0, 10**7), st.integers(0, 10**12))


def test_an_estimate_is_start_and_work_at_a_pace() -> None:
    found = expect(Work(10_000, written=400, disk=5), Pace(rate=100.0, start=7.0))
    assert found == Estimate(seconds=7 + (10_000 + 15 * 400) / 100, tokens=10_400, disk=5, guessed=False)


@given(works, seconds, st.floats(0, 100))
def test_what_was_measured_once_is_expected_next(work: Work, took: float, start: float) -> None:
    pace = learn(None, work, seconds=took, start=start)
    assert expect(work, pace).seconds == pytest.approx(took + start)
    assert not pace.guessed


@given(works, st.lists(seconds, min_size=1, max_size=6))
def test_what_is_learnt_lies_between_what_was_measured(work: Work, took: list[float]) -> None:
    pace = None
    for one in took:
        pace = learn(pace, work, seconds=one, start=0.0)
    assert pace is not None
    assert min(took) * 0.999 <= expect(work, pace).seconds <= max(took) * 1.001


def test_a_guess_counts_for_nothing_once_something_was_measured() -> None:
    guess = arithmetic.first_guess("train", 135_000_000, threads=2)
    assert guess.guessed
    assert guess.rate == pytest.approx(300)
    assert learn(guess, Work(1000), seconds=10.0, start=2.0) == Pace(100.0, 2.0)


def test_guesses_follow_model_and_machine() -> None:
    small = arithmetic.first_guess("evaluate", 135_000_000, threads=2)
    assert arithmetic.first_guess("evaluate", 270_000_000, threads=2).rate == pytest.approx(small.rate / 2)
    assert arithmetic.first_guess("evaluate", 135_000_000, threads=8).rate == pytest.approx(small.rate * 4)
    assert arithmetic.first_guess("evaluate", 135_000_000, threads=0).rate > small.rate * 10
    assert arithmetic.first_guess("index", 0, threads=2).rate > 0


def test_the_work_of_the_stages() -> None:
    index = arithmetic.index_work(440_000, bytes_per_token=4.4, chunk_tokens=160, width=384)
    assert index.tokens == 100_000
    assert index.disk == 3 * 440_000 + 2 * 4 * 384 * 834
    assert arithmetic.lesson_tokens(10, passages=2, chunk_tokens=160) == 10 * (190 + 2 * 120)
    train = arithmetic.train_work(5000, epochs=1.5, trained=100, kept=100)
    assert (train.tokens, train.disk, train.effort) == (7500, 4 * (100 + 600), 7500)
    checked = arithmetic.train_work(5000, epochs=1.5, trained=100, kept=100, held=300)
    assert (checked.tokens, checked.effort) == (7500, 7500 + 3 * 150), "before the first pass, after it, at the end"
    evaluate = arithmetic.evaluate_work(90, shown=2, chunk_tokens=160, answer_tokens=96, shots=500)
    assert evaluate.tokens == 90 * (190 + 240) + 500
    assert arithmetic.answers_in(evaluate, 96) == 90


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (Estimate(0.2, 7, 0, False), "about 1 s, 7 tokens, under 0.1 GB"),
        (Estimate(89.0, 123, 10**8, True), "about 89 s, 120 tokens, 0.1 GB (first guess)"),
        (Estimate(720.0, 412_345, 3 * 10**8, False), "about 12 min, 410,000 tokens, 0.3 GB"),
        (Estimate(3 * 3600.0, 98_765_432, 12 * 10**9, False), "about 3.0 h, 99,000,000 tokens, 12.0 GB"),
    ],
)
def test_the_words(expected: Estimate, words: str) -> None:
    assert str(expected) == words
