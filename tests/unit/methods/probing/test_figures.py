"""Values by question as figures."""

from __future__ import annotations

from typing import Any

from ragraft.methods.probing.figures import Probed, Reading, probe_figures

CLUSTERS = {f"q{n}": f"k{n // 2}" for n in range(8)}
PAIRS = (("tuned", "base"), ("tuned", "base-fewshot"))


def told(*readings: Reading, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    return probe_figures("removal", Probed(readings, (), notes), CLUSTERS, pairs=PAIRS, resamples=100, seed=0)


def test_a_figure_counts_what_it_could_not_score() -> None:
    found = told(Reading("x", "base", {"q0": 1.0, "q2": 0.0, "q4": None}), notes=("a note",))
    (figure,) = found["figures"]
    assert (figure["figure"], figure["model"]) == ("x", "base")
    assert (figure["value"], figure["n"], figure["unscored"], figure["clusters"]) == (0.5, 2, 1, 2)
    assert 0 <= figure["low"] < 0.5 < figure["high"] <= 1
    assert (found["probe"], found["differences"], found["notes"]) == ("removal", [], ["a note"])


def test_a_figure_without_a_scored_question_says_so() -> None:
    for values in ({}, {"q0": None}):
        (figure,) = told(Reading("x", "base", values))["figures"]
        assert (figure["value"], figure["n"], figure["unscored"]) == (None, 0, len(values))


def test_models_are_paired_on_what_both_were_asked() -> None:
    base = Reading("x", "base", {"q0": 0.0, "q2": 0.0, "q4": None, "q6": 1.0})
    tuned = Reading("x", "tuned", {"q0": 1.0, "q2": 1.0, "q4": 1.0})
    (difference,) = told(base, tuned)["differences"]
    assert (difference["a"], difference["b"], difference["value"], difference["n"]) == ("tuned", "base", 1.0, 2)
    assert difference["unscored"] == 2
    assert told(Reading("x", "base", {"q0": 1.0}), Reading("x", "tuned", {"q2": 1.0}))["differences"] == []
    assert told(Reading("x", "base", {"q0": 1.0}), Reading("y", "tuned", {"q0": 1.0}))["differences"] == []
