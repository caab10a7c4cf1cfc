"""Risk by coverage: worked by hand, and its laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.selective import risk_coverage
from ragraft.records import Answer


def row(n: int, score: float, confidence: float | None, *, abstained: bool = False) -> Answer:
    scores = {"f1_all": score, "confidence": confidence}
    return Answer(f"q{n:03d}", "base", "retrieved", "x", "x", (), (), abstained, (), True, 1, 1, scores)


def curve(rows: list[Answer]) -> dict[str, Any] | None:
    return risk_coverage(rows, {one.question_id: one.question_id for one in rows}, resamples=100, seed=0)


def test_by_hand() -> None:
    rows = [row(0, 1.0, 0.9), row(1, 0.0, 0.2), row(2, 1.0, 0.5), row(3, 0.0, None, abstained=True)]
    found = curve(rows)
    assert found is not None
    assert found["answered"] == 0.75
    assert found["risk"]["value"] == pytest.approx(1 / 3)
    assert found["aurc"]["value"] == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert [(point["coverage"], point["risk"]) for point in found["points"]] == [
        (0.5, 0.0),
        (0.75, pytest.approx(1 / 3)),
    ]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=60))
def test_laws(pairs: list[tuple[float, float]]) -> None:
    found = curve([row(n, score, sure) for n, (score, sure) in enumerate(pairs)])
    assert found is not None
    ends = [point["coverage"] for point in found["points"]]
    assert ends == sorted(set(ends))
    assert ends[-1] == found["answered"] == 1.0
    assert len(ends) <= 20
    assert found["points"][-1]["risk"] == pytest.approx(found["risk"]["value"])
    perfect = curve([row(n, score, score) for n, (score, _) in enumerate(pairs)])
    worst = curve([row(n, score, 1 - score) for n, (score, _) in enumerate(pairs)])
    assert perfect is not None
    assert worst is not None
    assert perfect["aurc"]["value"] <= found["aurc"]["value"] + 1e-9
    assert found["aurc"]["value"] <= worst["aurc"]["value"] + 1e-9


def test_no_confidence_no_curve() -> None:
    assert curve([row(0, 1.0, None), row(1, 0.0, None)]) is None
    assert curve([row(0, 1.0, 0.5), row(1, 0.0, 0.5, abstained=True)]) is None
