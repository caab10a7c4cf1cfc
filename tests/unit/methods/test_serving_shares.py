from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.serving_shares import compare_served, difference_of
from ragraft.methods.serving_table import served_tables
from ragraft.methods.stats import mean_interval
from ragraft.records import Interval

ENDS = st.floats(-1, 1).flatmap(
    lambda value: st.tuples(st.just(value), st.floats(value - 1, value), st.floats(value, value + 1))
)


def answer(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "kind": "answer", "id": f"a{number}", "at": f"2026-11-{1 + number // 24:02d}T{number % 24:02d}:00:00.000+00:00",
        "model": "acme-1", "by": "default", "question": f"Question {number}?", "answer": "The granite.",
        "abstained": False, "citations": ["one#0"], "finish_reason": "stop", "seconds": {"all": 1.0},
    }  # fmt: skip
    return {**row, **changes}


def shadow(number: int, **changes: Any) -> dict[str, Any]:
    return answer(number, **{"kind": "shadow", "id": f"s{number}", "of": f"a{number}", "model": "tuned", **changes})


def rated(number: int, rating: str | None = None, **more: Any) -> dict[str, Any]:
    given = {"rating": rating} if rating else {}
    return {"kind": "feedback", "id": f"a{number}", "at": answer(number)["at"], **given, **more}


def canary(number: int, **changes: Any) -> dict[str, Any]:
    return answer(number, **{"model": "tuned", "by": "canary", **changes})


def test_an_empty_log_compares_nothing_and_says_how_that_changes() -> None:
    data = compare_served([])
    assert data == {"since": None, "models": [], "canaries": [], "shadows": []}
    models, canaries, shadows = served_tables(data)
    assert [table.rows for table in (models, canaries, shadows)] == [(), (), ()]
    assert canaries.notes == ("None in the log: serve.canary is the share of questions that a candidate gets.",)


def test_each_model_is_counted_by_how_it_came_to_answer() -> None:
    rows = [
        *(answer(number, abstained=number < 4, citations=[] if number == 9 else ["one#0"]) for number in range(10)),
        answer(10, finish_reason="cancelled"),
        answer(11, by="named", model="base"),
        *(rated(number, "up") for number in range(3)),
        rated(2, "down"),
        rated(99, "up"),
    ]
    base, own = sorted(compare_served(rows)["models"], key=lambda one: one["answers"])
    assert (base["model"], base["by"], base["answers"], base["seconds"]) == ("base", "named", 1, None)
    assert (own["answers"], own["stopped"]) == (10, 1)
    figures = {name: (one["value"], one["n"]) for name, one in own["figures"].items()}
    assert figures == {"abstains": (0.4, 10), "cites": (pytest.approx(5 / 6), 6), "liked": (pytest.approx(2 / 3), 3)}
    assert own["seconds"] == {"p50": 1.0, "p95": 1.0}


def test_a_canary_is_compared_with_who_answered_meanwhile() -> None:
    rows = [
        *(answer(number, abstained=True) for number in range(5)),  # before there was a canary
        *(canary(number, abstained=number % 4 == 0, seconds={"all": 2.0}) for number in range(5, 45, 2)),
        *(answer(number, abstained=number % 8 == 0, seconds={"all": 1.0}) for number in range(6, 44, 2)),
        answer(44, model="acme-0"),
    ]
    (found,) = compare_served(rows)["canaries"]
    assert (found["model"], found["against"], found["answers"]) == ("tuned", "acme-1", [20, 19])
    assert found["from"] == answer(5)["at"]
    difference = found["differences"]["abstains"]
    assert difference["value"] == pytest.approx(0 - 5 / 19)
    assert -1 <= difference["low"] < difference["value"] < difference["high"] <= 0.2
    assert found["differences"]["liked"] is None
    assert found["slower"]["value"] == pytest.approx(2.0)
    assert found["slower"]["low"] == pytest.approx(2.0)
    table = served_tables(compare_served(rows))[1]
    assert table.rows[0][:3] == ("tuned", "acme-1", "20 and 19")
    assert table.rows[0][-1] == "2.00 [2.00, 2.00]"


def test_a_canary_without_company_is_told() -> None:
    (found,) = compare_served([canary(1), canary(2)])["canaries"]
    assert (found["against"], found["slower"]) == (None, None)
    table = served_tables(compare_served([canary(1)]))[1]
    assert table.rows == ()
    assert table.notes == ("tuned answered as a canary, and nobody beside it.",)


def test_shadows_are_compared_question_by_question() -> None:
    rows = [
        *(answer(number) for number in range(6)),
        answer(6, abstained=True, citations=[]),
        answer(7, finish_reason="cancelled"),
        shadow(0, answer="granite"),  # the same, but for the article and the full stop
        shadow(1, answer="slate", citations=["two#0"]),
        shadow(2, abstained=True, citations=[], answer="not in the documents."),
        shadow(6, abstained=True, citations=[]),
        shadow(7),
        shadow(99),
        rated(1, answer="slate"),
        rated(2, "down", answer="granite"),
    ]
    (found,) = compare_served(rows)["shadows"]
    assert (found["model"], found["against"], found["answers"]) == ("tuned", "acme-1", 4)
    assert found["same"]["value"] == 2 / 4
    assert found["same_passages"]["value"] == 2 / 4
    assert found["abstains"]["value"] == 1 / 4
    assert found["cites"]["value"] == -1 / 4
    assert (found["right"]["value"], found["right"]["n"]) == (0.0, 2), "one mended, one made worse"
    row = served_tables(compare_served(rows))[2].rows[0]
    assert row[:3] == ("tuned", "acme-1", "4")
    assert row[3].startswith("50.0 [")


def test_where_content_is_not_kept_only_abstentions_are_compared() -> None:
    def bare(row: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in row.items() if key not in ("question", "answer")}

    rows = [bare(answer(1)), bare(shadow(1)), bare(answer(2)), bare(shadow(2, abstained=True)), rated(1, "up")]
    (found,) = compare_served(rows)["shadows"]
    assert (found["same"]["value"], found["same"]["n"], found["same"]["unscored"]) == (0.0, 1, 1)
    assert found["right"] is None
    alone = compare_served([bare(answer(1)), bare(shadow(1)), rated(1, answer="slate")])["shadows"][0]
    assert (alone["same"], alone["right"]) == (None, None)


def test_who_asks_the_same_again_is_one_observation() -> None:
    once = [answer(number, question="Why?", abstained=True) for number in range(40)]
    figure = compare_served([*once, answer(41)])["models"][0]["figures"]["abstains"]
    assert (figure["n"], figure["clusters"]) == (41, 2)
    assert figure["low"] < 0.5


def test_rows_from_before_are_left_out() -> None:
    rows = [answer(number) for number in range(30)]
    data = compare_served(rows, since=datetime(2026, 11, 2, tzinfo=UTC))
    assert data["models"][0]["answers"] == 6
    assert data["since"] == "2026-11-02T00:00:00+00:00"


@given(ENDS, ENDS)
def test_a_difference_of_two_is_no_surer_than_either(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    first, second = Interval(a[0], a[1], a[2], n=3), Interval(b[0], b[1], b[2], n=4)
    found = difference_of(first, second)
    back = difference_of(second, first)
    assert found.low is not None
    assert found.high is not None
    assert back.low is not None
    assert back.high is not None
    assert found.low <= found.value <= found.high
    assert (found.low, found.value, found.high) == pytest.approx((-back.high, -back.value, -back.low))
    assert found.value - found.low >= max(a[0] - a[1], b[2] - b[0]) - 1e-9
    assert math.isclose(found.value, a[0] - b[0])


def test_a_difference_with_an_unknown_side_has_no_interval() -> None:
    found = difference_of(Interval(0.5, None, None, n=1), Interval(0.2, 0.1, 0.3, n=9))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high, found.n) == (None, None, 10)


def drawn(draw: np.random.Generator, share: float, size: int) -> Interval:
    values = draw.binomial(1, share, size).astype(float).tolist()
    return mean_interval(values, [str(number) for number in range(size)], share=True, resamples=200)


@pytest.mark.parametrize(
    ("shares", "sizes"), [((0.1, 0.1), (60, 200)), ((0.3, 0.5), (40, 80)), ((0.02, 0.1), (80, 80))]
)
def test_differences_of_shares_are_covered(shares: tuple[float, float], sizes: tuple[int, int]) -> None:
    draw = np.random.default_rng(7)
    covered, samples = 0, 300
    for _ in range(samples):
        found = difference_of(*(drawn(draw, *one) for one in zip(shares, sizes, strict=True)))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= shares[0] - shares[1] <= found.high
    assert covered / samples >= 0.9
