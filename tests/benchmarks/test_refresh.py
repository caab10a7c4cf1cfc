"""The rule's trial: worlds are others than those it was made on, a small run prints and writes, faults are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.refresh import faults_of, main
from benchmarks.worlds import held_out_worlds
from ragraft.methods.upkeep.simulate import RULE, Calendar, Compared, compare
from ragraft.methods.upkeep.worlds import KINDS, draw_worlds


def test_worlds_are_drawn_by_seed_and_are_others() -> None:
    one, same, other = held_out_worlds(8, seed=1), held_out_worlds(8, seed=1), held_out_worlds(8, seed=2)
    for first, again, another, known in zip(one, same, other, draw_worlds(8, seed=1), strict=True):
        assert first.kind == again.kind == another.kind == known.kind
        assert np.array_equal(first.path, again.path)
        assert first.stakes == again.stakes != another.stakes
        assert first.kind == "none" or not np.array_equal(first.path, known.path)
        assert np.isfinite(first.path).all()
    assert {world.kind for world in one} == set(KINDS)


def test_a_small_trial_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "figures.json"
    main(["--worlds", "8", "--json", str(target)])
    made = json.loads(target.read_text("utf-8"))
    assert made["worlds"] == 8
    assert {row["policy"] for row in made["rows"]} >= {RULE, "never", "knowing all", "ADWIN", "every 90 days"}
    assert "the rule" in capsys.readouterr().out


def test_what_speaks_against_the_rule_is_told() -> None:
    worlds = held_out_worlds(8, seed=1)
    made = {RULE: lambda world: Calendar(7), "every 180 days": lambda world: Calendar(180)}
    found: list[Compared] = compare(worlds, made, seed=0, resamples=100)
    said = faults_of(found)
    assert any(line.startswith("every 180 days costs less than the rule on average, by ") for line in said)
    assert said[-1] == "The rule tunes 53 times within a year in a world in which nothing changes"
    assert faults_of([replace(one, quiet=0, more=None) for one in found]) == []
