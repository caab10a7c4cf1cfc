"""Detectors find what they are made for, and not what goes the other way."""

from __future__ import annotations

import numpy as np
import pytest

from ragraft.methods.upkeep.detectors import DETECTORS


def batches(rate: float, number: int, seed: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [(rng.random(200) < rate).astype(int).tolist() for _ in range(number)]


@pytest.mark.parametrize("name", DETECTORS)
def test_errors_that_triple_are_found_soon_and_steady_ones_hardly(name: str) -> None:
    found, false = [], 0
    for seed in range(20):
        quiet, drifted = DETECTORS[name](), DETECTORS[name]()
        false += any([quiet.drifts(batch) for batch in batches(0.2, 20, seed)])
        for batch in batches(0.2, 10, seed):
            drifted.drifts(batch)
        found.append(any([drifted.drifts(batch) for batch in batches(0.6, 5, seed + 1000)]))
    assert all(found)
    # DDM takes its lowest rate for the truth, and the livelier ones cry wolf: that is what they are compared for.
    assert false <= (4 if name in ("ADWIN", "Page-Hinkley") else 20)


@pytest.mark.parametrize("name", [name for name in DETECTORS if name.startswith("ADWIN")])
def test_fewer_errors_are_no_drift(name: str) -> None:
    detector = DETECTORS[name]()
    assert not any([detector.drifts(batch) for batch in [*batches(0.6, 10, 0), *batches(0.2, 10, 1)]])


def test_after_its_alarm_adwin_knows_the_new_rate_only() -> None:
    detector = DETECTORS["ADWIN"]()
    for batch in batches(0.2, 10, 0):
        detector.drifts(batch)
    assert any([detector.drifts(batch) for batch in batches(0.6, 3, 1)])
    assert not any([detector.drifts(batch) for batch in batches(0.6, 10, 2)])
