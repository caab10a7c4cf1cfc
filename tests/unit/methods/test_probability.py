"""Calibrated probabilities: what was fitted is what is computed, and no row sees its own cluster."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ragraft.methods.probability import STRENGTHS, Calibrator, Seen, calibrator_from_json, fit, out_of_fold
from ragraft.records import to_json


def rows(number: int = 200, *, seed: int = 0) -> list[Seen]:
    """Right with the probability that `a` says; `b` is noise and `c` never varies."""
    draw = random.Random(seed)
    made = []
    for place in range(number):
        a = draw.gauss(0, 1)
        right = draw.random() < 1 / (1 + math.exp(-2 * a))
        made.append(Seen({"a": 3 * a + 7, "b": draw.random(), "c": 4.0}, right, f"c{place // 3}"))
    return made


def test_it_says_what_scikit_learn_says() -> None:
    seen = rows()
    calibrator = fit(seen)
    assert [weight.name for weight in calibrator.weights] == ["a", "b"]
    table = np.array([[row.signals["a"], row.signals["b"]] for row in seen])
    scaled = (table - table.mean(axis=0)) / table.std(axis=0)
    ours = [calibrator.probability(row.signals) for row in seen]
    agreeing = []
    for strength in STRENGTHS:
        theirs = LogisticRegression(C=strength, max_iter=1000, tol=1e-8).fit(scaled, [row.right for row in seen])
        agreeing.append(ours == pytest.approx(theirs.predict_proba(scaled)[:, 1].tolist(), abs=1e-5))
    assert agreeing.count(True) == 1


def test_signals_that_tell_nothing_hardly_count_and_telling_ones_do() -> None:
    draw = random.Random(3)
    names = [f"s{number}" for number in range(20)]
    noise = [
        Seen({name: draw.gauss(0, 1) for name in names}, draw.random() < 0.3, f"c{place // 8}") for place in range(80)
    ]
    told = out_of_fold(noise, folds=5, seed=0)
    assert max(told) - min(told) < 0.35
    assert abs(sum(told) / 80 - sum(row.right for row in noise) / 80) < 0.1
    telling = out_of_fold(rows(), folds=5, seed=0)
    assert max(telling) - min(telling) > 0.8


def test_it_survives_json() -> None:
    calibrator = fit(rows())
    again = calibrator_from_json(json.loads(json.dumps(to_json(calibrator))))
    assert again == calibrator
    with pytest.raises(KeyError, match="a"):
        calibrator.probability({"b": 0.5})


@pytest.mark.parametrize(("right", "wanted"), [(True, 10.5 / 11), (False, 0.5 / 11)])
def test_where_all_are_alike_one_probability_is_said(right: bool, wanted: float) -> None:
    seen = [Seen({"a": float(place)}, right, "c") for place in range(10)]
    assert fit(seen).probability({"a": 99.0}) == pytest.approx(wanted)
    assert fit([]).probability({}) == Calibrator().probability({}) == 0.5


def test_signals_that_some_rows_lack_are_not_used() -> None:
    seen = [*rows(), Seen({"b": 0.1, "c": 4.0}, True, "last")]
    assert [weight.name for weight in fit(seen).weights] == ["b"]
    assert len(out_of_fold(seen, folds=5, seed=0)) == len(seen)


def test_extremes_stay_within_the_ends() -> None:
    calibrator = fit(rows())
    for far in (-1e9, 1e9):
        assert 0 < calibrator.probability({"a": far, "b": 0.0}) < 1


def test_out_of_fold_no_row_sees_its_own_cluster() -> None:
    seen = rows(60)
    found = out_of_fold(seen, folds=4, seed=1)
    turned = [Seen(row.signals, not row.right, row.cluster) if row.cluster == "c5" else row for row in seen]
    again = out_of_fold(turned, folds=4, seed=1)
    own = [place for place, row in enumerate(seen) if row.cluster == "c5"]
    assert [found[place] for place in own] == [again[place] for place in own]
    assert found != again
    assert out_of_fold(seen[::-1], folds=4, seed=1)[::-1] == pytest.approx(found)


def test_one_cluster_tells_nothing() -> None:
    seen = [Seen(row.signals, row.right, "only") for row in rows(20)]
    assert out_of_fold(seen, folds=5, seed=0) == [0.5] * 20
