"""The benchmark of intervals: its made-up exams have the truth that it says, and it writes what it counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import intervals
from benchmarks.intervals import BASE, Exam, f1, make_exam, outcomes, simulate, truth_of_f1


def test_the_truth_is_the_mean_of_many_exams() -> None:
    rng = np.random.default_rng(0)
    exams = [make_exam(100, rng) for _ in range(200)]
    first = np.concatenate([exam.first for exam in exams])
    assert f1(first, **BASE).mean() == pytest.approx(truth_of_f1(**BASE), abs=0.01)
    assert (first > 0.7).mean() == pytest.approx(0.3, abs=0.01)
    whole = Exam(
        [name for number, exam in enumerate(exams) for name in (f"{number}/{one}" for one in exam.clusters)],
        first,
        np.concatenate([exam.second for exam in exams]),
    )
    for outcome in outcomes():
        assert outcome.measure(whole).value == pytest.approx(outcome.truth, abs=0.012), outcome.name


def test_outcomes_hang_together_within_a_cluster() -> None:
    exam = make_exam(4000, np.random.default_rng(1))
    rows: dict[str, list[float]] = {}
    for name, value in zip(exam.clusters, exam.first, strict=True):
        rows.setdefault(name, []).append(float(value))
    pairs = np.array([values[:2] for values in rows.values() if len(values) > 1])
    assert 0.1 < np.corrcoef(pairs.T)[0, 1] < 0.3


def test_it_writes_what_it_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(intervals, "QUICK_EXAMS", 20)
    target = tmp_path / "intervals.json"
    intervals.main(["--quick", "--json", str(target)])
    made = json.loads(target.read_text("utf-8"))
    assert made["exams"] == 20
    assert [(row["outcome"], row["clusters"]) for row in made["rows"]] == [
        (outcome.name, number) for number in (10, 30, 100) for outcome in outcomes()
    ]
    assert capsys.readouterr().out.count("\n") == 16


def test_intervals_that_do_not_cover_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = simulate(10, 5)
    monkeypatch.setattr(
        intervals, "simulate", lambda number, exams: [intervals.Figure(first.outcome, number, 0.8, 0.003, 0.1, True)]
    )
    with pytest.raises(SystemExit, match=r"cover outside 0\.93 to 0\.97: F1 with 10 clusters 0\.800"):
        intervals.main(["--quick"])
