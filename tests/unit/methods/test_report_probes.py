"""Probes as tables."""

from __future__ import annotations

from typing import Any, get_args

from ragraft.config.evaluating import PassageSweep, ProbeName
from ragraft.methods.passage_sweeps import CONTRASTS
from ragraft.methods.probing.table import PROBES
from ragraft.methods.report_probes import MEANINGS, TITLES, probe_tables


def figure(value: float | None, n: int = 9) -> dict[str, Any]:
    ends = {"low": None, "high": None} if value is None else {"low": value - 0.1, "high": value + 0.1}
    return {"value": value, **ends, "n": n, "unscored": 9 - n, "clusters": 3}


def test_a_row_a_figure_and_a_column_a_model() -> None:
    figures = [
        {"figure": name, "model": model, **figure(value, n)}
        for name, values in (("repeats itself", (0.2, 0.3)), ("agrees over orders", (0.5, None)))
        for model, value, n in zip(("base", "tuned"), values, (9, 0 if values[1] is None else 8), strict=True)
    ]
    difference = {"figure": "repeats itself", "a": "tuned", "b": "base", **figure(0.1)}
    probe = {"probe": "coherence", "figures": figures, "differences": [difference], "notes": ["so it is"]}
    (table,) = probe_tables([probe, {"probe": "rgb", "figures": [], "differences": [], "notes": []}]).values()
    assert table.columns == ("", "Base", "Tuned", "Tuned minus base", "n", "Unscored")
    assert table.rows == (
        ("Repeats itself", "20.0 [10.0, 30.0]", "30.0 [20.0, 40.0]", "+10.0 [0.0, 20.0]", "9 / 8", "0 / 1"),
        ("Agrees over orders", "50.0 [40.0, 60.0]", "-", "-", "9 / 0", "0 / 9"),
    )
    assert table.notes == ("So it is.",)


def test_the_few_shot_base_is_the_rival_where_it_is_there() -> None:
    names = ("base", "base-fewshot", "tuned")
    figures = [{"figure": "x", "model": model, **figure(0.5)} for model in names]
    differences = [{"figure": "x", "a": "tuned", "b": b, **figure(0.1)} for b in ("base", "base-fewshot")]
    (table,) = probe_tables([{"probe": "rgb", "figures": figures, "differences": differences, "notes": []}]).values()
    assert table.columns[4] == "Tuned minus few-shot base"


def test_every_probe_and_sweep_of_the_settings_is_there() -> None:
    assert set(get_args(ProbeName)) == set(PROBES) == set(TITLES) == set(MEANINGS)
    assert set(get_args(PassageSweep)) == set(CONTRASTS)
