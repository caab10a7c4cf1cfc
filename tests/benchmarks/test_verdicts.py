"""The verdict benchmark: what it makes of verdicts and scores, and what it refuses."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import verdicts
from benchmarks.arms.cells import Cell, Done
from benchmarks.arms.kept import keep
from benchmarks.verdicts import Judged
from ragraft.errors import ConfigError
from ragraft.pipeline import diagnosing
from tests.benchmarks.test_methods import make_done


def make_judged(name: str, action: str, *, size: int = 20, **means: float) -> Judged:
    """A set in which every question of an arm scores the same, two questions a cluster."""
    questions = [f"q{number}" for number in range(size)]
    rows = [
        {"action": one, "gain": {"value": 0.1, "low": 0.0, "high": 0.2}, "at_most": 0.3}
        for one in ("raft", "hybrid", "prompt", "retrieval", "dap+hybrid")
    ]
    return Judged(
        name,
        {"decision": {"action": action, "does": "do it", "rule": "a rule"}, "verdict": rows},
        {arm.replace("_", "-"): dict.fromkeys(questions, mean) for arm, mean in means.items()},
        {question: f"c{number // 2}" for number, question in enumerate(questions)},
    )


def test_gains_foretold_stand_beside_real_ones() -> None:
    one = make_judged("squad", "raft", base=0.1, base_fewshot=0.15, raft=0.3, hybrid=0.25)
    rows = {row["action"]: row for row in verdicts.gain_rows(one)}
    assert set(rows) == {"raft", "hybrid", "prompt"}  # no search setting and no dap+hybrid was asked
    assert rows["raft"]["real"]["value"] == pytest.approx(0.2)
    assert rows["raft"]["foretold"]["value"] == 0.1
    assert [action for action, row in rows.items() if row["chosen"]] == ["raft"]


def test_regret_is_zero_for_the_best_arm_and_counts_every_set_alike() -> None:
    judged = [
        make_judged("small", "raft", size=4, base=0.1, base_fewshot=0.2, raft=0.5, hybrid=0.4),
        make_judged("large", "leave", size=40, base=0.5, base_fewshot=0.4, raft=0.3, hybrid=0.1),
    ]
    rows = {row["policy"]: row for row in verdicts.policy_rows(judged)}
    assert rows["verdict"]["regret"]["value"] == 0
    assert rows["always base-fewshot"]["regret"]["value"] == pytest.approx((0.3 + 0.1) / 2)
    assert rows["always raft"]["regret"]["value"] == pytest.approx((0.0 + 0.2) / 2)
    assert rows["always raft"]["verdict_minus_policy"]["value"] == pytest.approx(-0.1)
    assert rows["always hybrid"]["arms"] == {"small": "hybrid", "large": "hybrid"}
    lines = verdicts.lines_of(judged, list(rows.values()))
    assert lines[0].startswith("small: do it (a rule) -> raft; best raft: base 10.0, ")


@pytest.mark.parametrize(
    ("action", "arm"), [("more-questions", "base"), ("retrieval", "base"), ("prompt", "base-fewshot")]
)
def test_an_action_leads_to_its_arm_and_one_without_a_setting_to_nothing(action: str, arm: str) -> None:
    assert make_judged("nq", action, base=0.1, base_fewshot=0.1, raft=0.2, hybrid=0.2).chosen == arm


def test_every_way_to_search_that_diagnose_tries_is_known_here() -> None:
    source = inspect.getsource(diagnosing.finders)
    ways = {diagnosing.IN_USE, f"reranker {diagnosing.RERANKER}"}
    ways |= {name for name in verdicts.WAYS if f'"{name}"' in source}
    assert ways == set(verdicts.WAYS)
    assert verdicts.search_settings("words alone, k 8")[0] == "retrieve.k=8"
    with pytest.raises(ConfigError, match="unknown to this benchmark"):
        verdicts.search_settings("by smell, k 4")


def test_sets_without_finished_arms_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_done(runs: Path, cell: Any) -> Done | None:
        return None

    monkeypatch.setattr(verdicts, "read_done", read_done)
    monkeypatch.setattr(verdicts, "names_of", lambda data, only: ["squad"])
    assert verdicts.main(["--data", str(tmp_path), "--work", str(tmp_path / "work")]) == 1
    said = capsys.readouterr().err
    assert "squad: left out: raft, hybrid not finished by benchmarks.methods" in said
    assert "run benchmarks.methods first" in said


def test_cells_that_another_machine_kept_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Base and few-shot base have 1 and 2 of the 8 answerable questions right, raft 4 and hybrid 6."""
    for arm, right in (("raft", 4), ("hybrid", 6)):
        keep(tmp_path, make_done(arm, right))
    diagnosis = {"decision": {"action": "raft", "does": "tune", "rule": "a rule"}, "verdict": []}
    monkeypatch.setattr(verdicts, "names_of", lambda data, only: ["squad"])
    monkeypatch.setattr(Cell, "open", lambda self, *more: SimpleNamespace(config=SimpleNamespace(retrieve=1)))
    monkeypatch.setattr(verdicts, "_run", lambda *more, last: None)
    monkeypatch.setattr(verdicts, "_minutes", lambda session: 1.0)
    monkeypatch.setattr(verdicts, "show", lambda *more: diagnosis)
    assert verdicts.main(["--data", str(tmp_path), "--kept", str(tmp_path)]) == 0
    # Of 12 questions, 4 without answer; the few-shot base refuses one of those.
    assert "squad: tune (a rule) -> raft; best hybrid: base 8.3, base-fewshot 25.0, raft 33.3, hybrid 50.0" in (
        capsys.readouterr().out
    )


Verdicts = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def benchmark_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verdicts:
    """The benchmark of one set without dap+hybrid, whose verdict is this action: exit code, output, errors."""

    def run(action: str) -> tuple[int, str, str]:
        one = make_judged("squad", action, base=0.1, base_fewshot=0.15, raft=0.3, hybrid=0.25)
        monkeypatch.setattr(verdicts, "read_done", lambda runs, cell: None if cell.arm == "dap+hybrid" else cell)
        monkeypatch.setattr(verdicts, "names_of", lambda data, only: ["squad"])
        monkeypatch.setattr(verdicts, "judge", lambda name, done, data, options: one)
        folders = ["--data", str(tmp_path), "--work", str(tmp_path / "work")]
        code = verdicts.main([*folders, "--json", str(tmp_path / "verdicts.json")])
        return (code, *capsys.readouterr())

    return run


def test_an_arm_that_was_not_run_is_told(benchmark_: Verdicts, tmp_path: Path) -> None:
    code, out, _ = benchmark_("raft")
    assert code == 0
    assert "squad: dap+hybrid not run, so the best may be better" in out
    assert json.loads((tmp_path / "verdicts.json").read_text("utf-8"))["missing"] == {"squad": ["dap+hybrid"]}


def test_a_verdict_for_an_arm_that_was_not_run_is_not_guessed_at(benchmark_: Verdicts) -> None:
    code, _, err = benchmark_("dap+hybrid")
    assert code == 1
    assert "squad: left out: its verdict is dap+hybrid, which is not finished by benchmarks.methods" in err
