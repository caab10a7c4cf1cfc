"""The threshold that the validation side chooses: by hand, and its bound on over-refusal as a law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.methods.abstention import FEWEST, THRESHOLDS, Threshold, Weighed, choose_threshold
from ragraft.methods.prompt import ABSTAIN_ABOVE

PROBABILITIES = st.none() | st.floats(0, 1)


def shown(probability: float | None, answering: float = 1.0) -> Weighed:
    return Weighed(probability, answering, answerable=True, shown=True, cluster="")


def unanswerable(probability: float | None) -> Weighed:
    return Weighed(probability, 0.0, answerable=False, shown=False, cluster="")


def choose(rows: Sequence[Weighed], most: float = 0.1, *, clusters: int = 1000) -> Threshold:
    placed = [replace(row, cluster=f"c{number % clusters}") for number, row in enumerate(rows)]
    return choose_threshold(placed, most=most, resamples=200, seed=0)


@st.composite
def weighed(draw: st.DrawFn) -> Weighed:
    answerable = draw(st.booleans())
    score = draw(st.floats(0, 1)) if answerable else 0.0
    return Weighed(draw(PROBABILITIES), score, answerable, answerable and draw(st.booleans()), "")


def test_a_model_that_refuses_what_it_could_answer_is_held_back() -> None:
    found = choose([shown(0.62)] * 10 + [shown(0.2)] * 10)
    assert (found.above, found.f1_all, found.over_refusal) == (0.65, 1.0, 0.0)


def test_a_model_that_knows_what_it_is_not_shown_may_refuse_it_sooner() -> None:
    found = choose([unanswerable(0.31)] * 10 + [shown(0.2)] * 10)
    assert (found.above, found.f1_all, found.over_refusal) == (0.3, 1.0, 0.0)


def test_what_could_be_luck_changes_nothing() -> None:
    lucky = [unanswerable(0.4)] * 3 + [shown(0.4, 0.9)] * 3 + [shown(0.2)] * 30
    assert choose(lucky).above == ABSTAIN_ABOVE
    assert choose([unanswerable(0.31)] * 10 + [shown(0.2)] * 10, clusters=1).above == ABSTAIN_ABOVE, "one cluster"


def test_refusing_everything_pays_only_within_the_bound() -> None:
    rows = [unanswerable(0.4)] * 30 + [shown(0.4, 0.3)] * 10
    assert choose(rows, 1.0).over_refusal == 1.0
    assert choose(rows, 0.1).over_refusal == 0.0


def test_where_all_thresholds_are_equal_the_half_stays() -> None:
    assert choose([shown(None)] * FEWEST).above == ABSTAIN_ABOVE


def test_a_few_questions_choose_nothing() -> None:
    assert choose([shown(0.62)] * (FEWEST - 1)) == Threshold(ABSTAIN_ABOVE)


def test_what_is_refused_in_any_case_is_refused_by_a_model_that_is_sure() -> None:
    found = choose([shown(0.99)] * FEWEST)
    assert (found.above, found.over_refusal) == (THRESHOLDS[-1], 1.0)


@given(st.lists(weighed(), min_size=FEWEST, max_size=40), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_the_choice_keeps_within_the_bound_and_loses_nothing(rows: list[Weighed], most: float) -> None:
    found = choose(rows, most)
    seen = [row for row in rows if row.shown]

    def refused(above: float) -> float:
        return sum(row.abstains(above) for row in seen) / len(seen) if seen else 0.0

    allowed = [above for above in THRESHOLDS if refused(above) <= most]
    assert found.above in (allowed or THRESHOLDS[-1:])
    if ABSTAIN_ABOVE in allowed:
        assert found.f1_all >= sum(row.score(ABSTAIN_ABOVE) for row in rows) / len(rows)
