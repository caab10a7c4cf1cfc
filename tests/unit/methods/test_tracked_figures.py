from __future__ import annotations

from ragraft.methods.report_data import build_report
from ragraft.methods.tracked_figures import tracked_figures
from tests.unit.methods.test_report_table import sources


def test_figures_have_plain_names_and_their_ends() -> None:
    report = build_report(sources(), examples=0)
    curve = {"model": "tuned", "context": "retrieved", "aurc": {"value": 0.3, "low": None, "high": None}}
    point = {"at": 4, "model": "tuned", "f1": {"value": 0.5, "low": 0.4, "high": 0.6}}
    probe = {"figure": "repeats itself", "model": "tuned", "value": None, "low": None, "high": None}
    report |= {
        "selective": [curve],
        "sweeps": [{"sweep": "k", "points": [point]}],
        "probes": [{"probe": "coherence", "figures": [probe]}],
    }
    found = tracked_figures(report)
    assert found["retrieved/tuned/f1"] == 0.4
    assert (found["headline/difference"], found["headline/difference/low"]) == (0.2, 0.1)
    assert found["retrieved/tuned/aurc"] == 0.3
    assert "retrieved/tuned/aurc/low" not in found
    assert found["k=4/tuned/f1/high"] == 0.6
    assert not any("coherence" in name for name in found), "what has no value is not tracked as a nought"
    assert all(isinstance(value, float) for value in found.values())
